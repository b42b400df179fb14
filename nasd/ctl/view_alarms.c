/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Below the table of `nasctl status`: what is wrong, and what an operator can do. */
#include "view.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { MUTE_MS = 3000, NAME_SIZE = 64 };

struct side {
	const char *node;
	const json_t *facts;
	const char *owner; /* by this node's journal; "" when not known */
	int64_t epoch;
};

static bool is_known(const json_t *facts)
{
	return json_is_object(facts) && js_true(facts, "valid");
}

static const char *head(const struct view *v, const char *word, char buf[NAME_SIZE])
{
	snprintf(buf, NAME_SIZE, "  %s%-12s%s", view_on(v, TONE_BAD), word, view_off(v));
	return buf;
}

/* ---- split brain */

static const char *clock_text(int64_t wall_us, char buf[VIEW_VALUE_MAX])
{
	time_t sec = (time_t)(wall_us / 1000000);
	struct tm tm;

	gmtime_r(&sec, &tm);
	strftime(buf, VIEW_VALUE_MAX, "%Y-%m-%d %H:%M:%S UTC", &tm);
	return buf;
}

static void view_copy(FILE *out, const struct side *s)
{
	char bytes[VIEW_VALUE_MAX], when[VIEW_VALUE_MAX];

	fprintf(out, "    %s: %s, disk %s, %s changed here", s->node, js_text(s->facts, "drbd_role"),
		js_text(s->facts, "drbd_disk"), view_bytes(js_int(s->facts, "drbd_out_of_sync"), bytes));
	if (js_int(s->facts, "drbd_alone_wall_us"))
		fprintf(out, " since %s or before", clock_text(js_int(s->facts, "drbd_alone_wall_us"), when));
	fprintf(out, "; its journal: owner %s, epoch %" PRId64 "%s\n", s->owner[0] ? s->owner : "not known", s->epoch,
		js_true(s->facts, "mounted") ? "; MOUNTED HERE" : "");
}

/* Given up; else it tries to connect all along. */
static bool alone(const struct side *s)
{
	const char *cstate = js_text(s->facts, "drbd_cstate");

	return !strcmp(cstate, "StandAlone") || !strcmp(cstate, "Disconnecting");
}

/* What must be done to keep one copy, and what is lost then. */
static void view_way(FILE *out, const char *resource, const struct side *keep, const struct side *lose)
{
	bool serves = js_true(lose->facts, "mounted") || !strcmp(js_text(lose->facts, "drbd_role"), "Primary");
	char bytes[VIEW_VALUE_MAX];

	fprintf(out, "    to keep %s's copy and lose the %s changed on %s:%s\n", keep->node,
		view_bytes(js_int(lose->facts, "drbd_out_of_sync"), bytes), lose->node,
		serves ? " (end the service there first: nasd(8), SPLIT BRAIN)" : "");
	fprintf(out, "      on %s: %s%s%sdrbdadm connect --discard-my-data %s\n", lose->node, alone(lose) ? "" : "drbdadm disconnect ",
		alone(lose) ? "" : resource, alone(lose) ? "" : "; ", resource);
	if (alone(keep))
		fprintf(out, "      on %s: drbdadm connect %s\n", keep->node, resource);
}

static void view_split(FILE *out, const struct view *v, const struct side *a, const struct side *b, const char *resource)
{
	char buf[NAME_SIZE];

	fprintf(out, "%s both copies of %s were changed while they did not replicate; nothing resolves that by itself\n",
		head(v, "SPLIT BRAIN", buf), resource);
	view_copy(out, a);
	view_copy(out, b);
	view_way(out, resource, a, b);
	view_way(out, resource, b, a);
}

/* ---- one node */

static void view_filesystem(FILE *out, const struct view *v, const struct side *s)
{
	int64_t size = js_int(s->facts, "fs_size_bytes"), left = js_int(s->facts, "fs_free_bytes");
	int64_t least = size / 100 < 64 << 20 ? size / 100 : 64 << 20;
	char buf[NAME_SIZE], bytes[VIEW_VALUE_MAX];

	if (js_true(s->facts, "mounted") && js_true(s->facts, "fs_readonly"))
		fprintf(out, "%s %s: the kernel has met an error in the filesystem; moving would take it along: repair it by hand, "
			"nasd(8)\n", head(v, "READ-ONLY", buf), s->node);
	if (size > 0 && left < least)
		fprintf(out, "%s %s: %s free in the filesystem; delete, or make it larger\n",
			head(v, left ? "nearly full" : "FULL", buf), s->node, view_bytes(left, bytes));
}

static void view_disk(FILE *out, const struct view *v, const struct side *s)
{
	const char *disk = js_text(s->facts, "drbd_disk");
	char buf[NAME_SIZE];

	if (!strcmp(disk, "Diskless") || !strcmp(disk, "Failed"))
		fprintf(out, "%s %s: its own disk is %s; what is served there comes from the other node's. When it is repaired: "
			"drbdadm attach\n", head(v, "DISK", buf), s->node, disk);
}

static void view_server(FILE *out, const struct view *v, const struct side *s)
{
	char buf[NAME_SIZE], since[VIEW_VALUE_MAX];
	int64_t ms = js_int(s->facts, "server_unanswered_ms");

	if (ms >= MUTE_MS)
		fprintf(out, "%s %s: ganesha has not answered an NFS call for %s%s\n", head(v, "NO ANSWER", buf), s->node,
			view_duration(ms * 1000, since),
			js_int(s->facts, "server_silent_ms") ? ", nor anything else" : ", but it does otherwise");
}

static void view_stolen(FILE *out, const struct view *v, const struct side *s)
{
	const json_t *list = json_object_get(s->facts, "addresses");
	char buf[NAME_SIZE];

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *a = json_array_get(list, i);

		if (js_true(a, "present") && js_true(a, "answered"))
			fprintf(out, "%s %s: another host, %s, answers for it on %s: take it away there\n",
				head(v, "STOLEN", buf), js_text(a, "text"), js_text(a, "answered_mac"), js_text(a, "ifname"));
	}
}

void view_alarms(FILE *out, const struct view *v, const json_t *status, const json_t *group)
{
	const struct side here = { js_text(status, "node"), json_object_get(group, "local"), js_text(group, "owner"),
				   js_int(group, "epoch") };
	const struct side there = { js_text(json_object_get(status, "peer"), "node"), json_object_get(group, "peer"),
				    js_text(group, "peer_owner"), js_int(group, "peer_epoch") };
	const struct side *sides[] = { &here, &there };

	if (js_true(group, "split_brain"))
		view_split(out, v, &here, &there, js_text(group, "resource"));
	for (size_t i = 0; i < sizeof(sides) / sizeof(*sides); i++) {
		if (!is_known(sides[i]->facts))
			continue;
		view_filesystem(out, v, sides[i]);
		view_disk(out, v, sides[i]);
		view_server(out, v, sides[i]);
		view_stolen(out, v, sides[i]);
	}
}
