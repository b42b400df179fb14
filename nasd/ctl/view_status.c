/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `nasctl status`: the daemon, its peer, and a table of both nodes for each group. */
#include "view.h"

#include <inttypes.h>
#include <string.h>

#include "table.h"

enum { CELL_MAX = 256 };

/* A cell in a tone. */
static const char *cell(char buf[CELL_MAX], const struct view *v, enum view_tone tone, const char *text)
{
	snprintf(buf, CELL_MAX, "%s%s%s", view_on(v, tone), text, view_off(v));
	return buf;
}

static enum view_tone good_if(bool yes)
{
	return yes ? TONE_GOOD : TONE_BAD;
}

/* ---- rows of the table: one cell from the facts of one node */

static const char *drbd_cell(const struct view *v, const json_t *f, char buf[CELL_MAX])
{
	char text[CELL_MAX];

	if (!js_true(f, "drbd_known"))
		return cell(buf, v, TONE_BAD, "not known");
	snprintf(text, sizeof(text), "%s, %s%s", js_text(f, "drbd_role"), js_text(f, "drbd_disk"),
		 js_true(f, "drbd_suspended") ? ", I/O SUSPENDED" : "");
	return cell(buf, v, good_if(!strcmp(js_text(f, "drbd_disk"), "UpToDate") && !js_true(f, "drbd_suspended")), text);
}

static const char *link_cell(const struct view *v, const json_t *f, char buf[CELL_MAX])
{
	int64_t behind = js_int(f, "drbd_out_of_sync");
	char text[CELL_MAX], bytes[VIEW_VALUE_MAX];

	if (!js_true(f, "drbd_known"))
		return "-";
	snprintf(text, sizeof(text), "%s%s%s", js_text(f, "drbd_cstate"), behind ? ", out of sync " : "",
		 behind ? view_bytes(behind, bytes) : "");
	return cell(buf, v, good_if(!strcmp(js_text(f, "drbd_cstate"), "Connected") && !behind), text);
}

static const char *filesystem_cell(const struct view *v, const json_t *f, char buf[CELL_MAX])
{
	char text[CELL_MAX], bytes[VIEW_VALUE_MAX], room[VIEW_VALUE_MAX];
	bool sized = js_int(f, "fs_size_bytes") > 0;

	if (js_true(f, "mounted")) {
		snprintf(text, sizeof(text), "mounted%s, dirty %s%s%s", js_true(f, "fs_readonly") ? " READ-ONLY" : "",
			 view_bytes(js_int(f, "dirty_bytes"), bytes), sized ? ", free " : "",
			 sized ? view_bytes(js_int(f, "fs_free_bytes"), room) : "");
		return cell(buf, v, js_true(f, "fs_readonly") ? TONE_BAD : TONE_GOOD, text);
	}
	if (!js_true(f, "mount_dir_exists"))
		return cell(buf, v, TONE_BAD, "no mount point");
	if (js_true(f, "mount_dir_busy"))
		return cell(buf, v, TONE_BAD, "something else is mounted there");
	if (js_true(f, "device_mounted_elsewhere"))
		return cell(buf, v, TONE_BAD, "mounted elsewhere");
	return "not mounted";
}

static const char *server_cell(const struct view *v, const json_t *f, char buf[CELL_MAX])
{
	const char *state = js_text(f, "server");
	bool up = !strcmp(state, "warm") || !strcmp(state, "serving");
	char text[CELL_MAX], pid[32] = "";

	if (js_int(f, "server_pid"))
		snprintf(pid, sizeof(pid), " (pid %" PRId64 ")", js_int(f, "server_pid"));
	snprintf(text, sizeof(text), "%s%s%s", state, pid, js_true(f, "in_grace") ? ", in grace" : "");
	return cell(buf, v, up ? TONE_GOOD : TONE_BAD, text);
}

static const char *exports_cell(const struct view *v, const json_t *f, char buf[CELL_MAX])
{
	int64_t have = js_int(f, "exports_present"), want = js_int(f, "exports_wanted");

	(void)v;
	snprintf(buf, CELL_MAX, "%" PRId64 " of %" PRId64, have, want);
	return buf;
}

static const char *clients_cell(const struct view *v, const json_t *f, char buf[CELL_MAX])
{
	(void)v;
	snprintf(buf, CELL_MAX, "%" PRId64 " records, %" PRId64 " connections", js_int(f, "clients"),
		 js_int(f, "connections"));
	return buf;
}

static const char *state_cell(const struct view *v, const json_t *f, char buf[CELL_MAX])
{
	const char *why = js_text(f, "state_reason");

	if (js_true(f, "state_moves"))
		return cell(buf, v, TONE_GOOD, "moves");
	snprintf(buf, CELL_MAX, "reclaimed%s%.40s", *why ? ": " : "", why);
	return buf;
}

static const char *journal_cell(const struct view *v, const json_t *f, char buf[CELL_MAX])
{
	return js_true(f, "journal_ok") ? "good" : cell(buf, v, TONE_BAD, "FAILED");
}

static const char *address_text(const struct view *v, const json_t *a, char buf[CELL_MAX])
{
	bool stolen = js_true(a, "answered") && js_true(a, "present"); /* else it is the active that answers */
	char text[CELL_MAX];

	if (stolen)
		snprintf(text, sizeof(text), "NOT OURS: %s answers", js_text(a, "answered_mac"));
	else
		snprintf(text, sizeof(text), "%s %s%s", js_true(a, "present") ? "present on" : "absent,",
			 js_text(a, "ifname"), js_true(a, "link_up") ? (js_true(a, "present") ? "" : " up") : " DOWN");
	if (stolen || !js_true(a, "link_up"))
		return cell(buf, v, TONE_BAD, text);
	return cell(buf, v, js_true(a, "present") ? TONE_GOOD : TONE_PLAIN, text);
}

static const struct {
	const char *label;
	const char *(*cell)(const struct view *v, const json_t *facts, char buf[CELL_MAX]);
} fact_rows[] = {
	{ "DRBD", drbd_cell },         { "replication", link_cell }, { "filesystem", filesystem_cell },
	{ "ganesha", server_cell },    { "exports", exports_cell },  { "clients", clients_cell },
	{ "their state", state_cell }, { "journal", journal_cell },
};

static bool known(const json_t *facts)
{
	return json_is_object(facts) && js_true(facts, "valid");
}

static const char *address_of(const struct view *v, const json_t *facts, size_t i, char buf[CELL_MAX])
{
	return known(facts) ? address_text(v, json_array_get(json_object_get(facts, "addresses"), i), buf) : "-";
}

/* The role of the other node, as far as it shows. */
static const char *peer_role(const json_t *facts)
{
	if (!known(facts))
		return "not known";
	return !strcmp(js_text(facts, "server"), "serving") && js_true(facts, "mounted") ? "active" : "standby";
}

static void view_nodes(FILE *out, const struct view *v, const json_t *status, const json_t *group)
{
	const json_t *local = json_object_get(group, "local"), *peer = json_object_get(group, "peer");
	const json_t *addresses = json_object_get(known(local) ? local : peer, "addresses");
	char a[CELL_MAX], b[CELL_MAX];
	struct table t = { 0 };

	table_add(&t, "\t%s%s%s (here)\t%s%s%s", view_on(v, TONE_STRONG), js_text(status, "node"), view_off(v),
		  view_on(v, TONE_STRONG), js_text(json_object_get(status, "peer"), "node"), view_off(v));
	table_add(&t, "role\t%s\t%s", js_text(group, "state"), peer_role(peer));
	for (size_t i = 0; i < sizeof(fact_rows) / sizeof(*fact_rows); i++)
		table_add(&t, "%s\t%s\t%s", fact_rows[i].label, known(local) ? fact_rows[i].cell(v, local, a) : "-",
			  known(peer) ? fact_rows[i].cell(v, peer, b) : "-");
	for (size_t i = 0; i < json_array_size(addresses); i++)
		table_add(&t, "%s\t%s\t%s", js_text(json_array_get(addresses, i), "text"), address_of(v, local, i, a),
			  address_of(v, peer, i, b));
	table_print(&t, out, "  ");
}

/* ---- below the table */

/* What the table has no room for: why DRBD, ganesha or the journal are not as they should be. */
static void view_problems(FILE *out, const struct view *v, const char *node, const json_t *facts)
{
	static const char *const errors[] = { "drbd_error", "server_error", "journal_error" };

	for (size_t i = 0; known(facts) && i < sizeof(errors) / sizeof(*errors); i++)
		if (js_text(facts, errors[i])[0])
			fprintf(out, "  %sproblem%s      %s: %s\n", view_on(v, TONE_BAD), view_off(v), node,
				js_text(facts, errors[i]));
}

static const char *data_word(const json_t *standby)
{
	if (strcmp(js_text(standby, "drbd_disk"), "UpToDate") != 0)
		return "NOT up to date";
	return !strcmp(js_text(standby, "drbd_cstate"), "Connected") ? "up to date" : "no longer replicated";
}

/* Could the standby take over, and how fresh is what it holds? */
static void view_standby(FILE *out, const struct view *v, const json_t *status, const json_t *group)
{
	const json_t *local = json_object_get(group, "local"), *peer = json_object_get(group, "peer");
	const char *self = js_text(status, "node"), *owner = js_text(group, "owner");
	bool here = !strcmp(owner, self);
	const json_t *standby = here ? peer : local, *active = here ? local : peer;
	const char *name = here ? js_text(json_object_get(status, "peer"), "node") : self;
	char age[VIEW_VALUE_MAX];
	bool fresh, all;

	if (!owner[0] || !known(standby)) {
		fprintf(out, "  standby      %s%s%s\n", view_on(v, TONE_BAD),
			owner[0] ? "nothing is known of it" : "nobody owns the group yet: nasctl takeover NODE", view_off(v));
		return;
	}
	fresh = !strcmp(data_word(standby), "up to date");
	all = known(active) && js_int(standby, "clients") >= js_int(active, "clients");
	fprintf(out, "  standby      %s: data %s%s%s, ganesha %s%s%s, %s%" PRId64 " client records%s", name,
		view_on(v, good_if(fresh)), data_word(standby), view_off(v),
		view_on(v, good_if(!strcmp(js_text(standby, "server"), "warm"))), js_text(standby, "server"), view_off(v),
		view_on(v, all ? TONE_GOOD : TONE_WARN), js_int(standby, "clients"), view_off(v));
	if (known(active))
		fprintf(out, " (the active has %" PRId64 ")", js_int(active, "clients"));
	if (json_object_get(group, "peer_facts_age_ms"))
		fprintf(out, ", seen %s ago", view_duration(js_int(group, "peer_facts_age_ms") * 1000, age));
	fputc('\n', out);
}

static void view_clients(FILE *out, const struct view *v, const json_t *group)
{
	const json_t *clients = json_object_get(group, "clients");
	int64_t alone = js_int(group, "records_alone");

	if (alone > 0)
		fprintf(out, "  %sunprotected%s  %" PRId64 " client record%s not on the other node: should this one die now, "
			"these clients lose their locks\n", view_on(v, TONE_WARN), view_off(v), alone, alone == 1 ? "" : "s");
	for (size_t i = 0; i < json_array_size(clients); i++) {
		const json_t *c = json_array_get(clients, i);

		fprintf(out, "  %-12s %s port %" PRId64 " to %s\n", i ? "" : "connected", js_text(c, "address"),
			js_int(c, "port"), js_text(c, "local"));
	}
}

static void view_group(FILE *out, const struct view *v, const json_t *status, const json_t *group)
{
	const json_t *move = json_object_get(group, "transaction"), *last = json_object_get(group, "last");
	const char *state = js_text(group, "state"), *owner = js_text(group, "owner");
	char when[VIEW_VALUE_MAX];

	fprintf(out, "\n%sgroup %s%s: %s%s%s, owner %s, epoch %" PRId64 "%s%s\n", view_on(v, TONE_STRONG),
		js_text(group, "name"), view_off(v),
		view_on(v, !strcmp(state, "active") || !strcmp(state, "standby") ? TONE_GOOD : TONE_WARN), state, view_off(v),
		owner[0] ? owner : "nobody", js_int(group, "epoch"), js_text(group, "detail")[0] ? ": " : "",
		js_text(group, "detail"));
	view_alarms(out, v, status, group);
	view_nodes(out, v, status, group);
	view_problems(out, v, js_text(status, "node"), json_object_get(group, "local"));
	view_problems(out, v, js_text(json_object_get(status, "peer"), "node"), json_object_get(group, "peer"));
	view_standby(out, v, status, group);
	view_clients(out, v, group);
	if (json_is_object(move))
		fprintf(out, "  %snow%s          %s %s -> %s, stage %s, step %s, since %s\n", view_on(v, TONE_WARN),
			view_off(v), js_text(move, "kind"), js_text(move, "source"), js_text(move, "target"),
			js_text(move, "stage"), js_text(move, "step"),
			view_duration(js_int(move, "elapsed_ms") * 1000, when));
	if (json_is_object(last)) {
		fprintf(out, "  last move    %s, ", view_time(js_text(last, "began"), when));
		view_entry_summary(out, v, last);
	} else {
		fputs("  last move    none so far\n", out);
	}
}

static void view_peer(FILE *out, const struct view *v, const json_t *peer)
{
	bool connected = js_true(peer, "connected"), same = js_true(peer, "config_same");
	char rtt[VIEW_VALUE_MAX], heard[VIEW_VALUE_MAX];

	fprintf(out, "peer %s: %s%s%s", js_text(peer, "node"), view_on(v, good_if(connected)),
		connected ? "connected" : "NOT CONNECTED", view_off(v));
	if (connected)
		fprintf(out, " at %s, nasd %s, round trip %s, heard %s ago, configuration %s%s%s", js_text(peer, "address"),
			js_text(peer, "version"), view_duration(js_int(peer, "rtt_us"), rtt),
			view_duration(js_int(peer, "last_heard_ms") * 1000, heard), view_on(v, good_if(same)),
			same ? "the same" : "DIFFERENT", view_off(v));
	else if (js_text(peer, "error")[0])
		fprintf(out, ": %s", js_text(peer, "error"));
	fputc('\n', out);
}

void view_status(FILE *out, const struct view *v, const json_t *status)
{
	const json_t *groups = json_object_get(status, "groups");
	char up[VIEW_VALUE_MAX];

	fprintf(out, "%snasd %s on %s%s, cluster %s, up %s, takeover: %s, configuration %.12s\n",
		view_on(v, TONE_STRONG), js_text(status, "version"), js_text(status, "node"), view_off(v),
		js_text(status, "cluster"), view_duration(js_int(status, "uptime_s") * 1000000, up),
		js_text(status, "trigger"), js_text(status, "config_hash"));
	view_peer(out, v, json_object_get(status, "peer"));
	for (size_t i = 0; i < json_array_size(groups); i++)
		view_group(out, v, status, json_array_get(groups, i));
}
