/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evacuate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "evacuation.h"
#include "printable.h"
#include "table.h"

/* ---- who is to go */

static struct evacuee *add(struct evacuation *ev)
{
	struct evacuee *more = realloc(ev->list, (ev->n + 1) * sizeof(*more));

	if (!more)
		return NULL;
	ev->list = more;
	memset(&more[ev->n], 0, sizeof(*more));
	more[ev->n].out = -1;
	more[ev->n].findings = json_array();
	return &more[ev->n++];
}

static void find(struct evacuee *e, const char *check, const char *node, const char *message, const char *remedy)
{
	json_array_append_new(e->findings, json_pack("{s:s, s:s, s:b, s:s, s:s}", "check", check, "node", node, "ok", 0,
						     "message", message, "remedy", remedy));
}

static bool wanted(const struct evacuation *ev, const struct guest *g)
{
	return g->group && (!ev->o->cli.group || !strcmp(g->group->name, ev->o->cli.group));
}

/* All that run on the hypervisor and have a disk here. One that cannot be asked for is not
 * taken for one without. */
static int collect_from(struct evacuation *ev, struct host *h, struct err *err)
{
	virDomainPtr *doms = NULL;
	int n = virConnectListAllDomains(h->conn, &doms, 0), ret = 0;

	for (int i = 0; i < n; i++) {
		struct guest g;
		struct err why;
		struct evacuee *e = NULL;
		int active = guest_read(&g, doms[i], h, ev->c, &why) == 0 ? virDomainIsActive(doms[i]) : -1;

		if (active < 0 && !host_no_domain())
			ret = host_error(err, h->conf->name, "a guest cannot be asked for");
		if (active == 1 && wanted(ev, &g))
			e = add(ev);
		else
			json_array_append_new(ev->others, json_string(virDomainGetName(doms[i])));
		if (e) {
			e->g = g;
			e->from = h;
			e->dom = doms[i];
		} else {
			virDomainFree(doms[i]);
		}
	}
	free(doms);
	return n < 0 ? host_error(err, h->conf->name, "its guests cannot be listed") : ret;
}

/* Where the guest of the record runs. NULL: nowhere that can be seen. */
static struct host *seek(struct evacuation *ev, const char *uuid, virDomainPtr *dom)
{
	for (size_t i = 0; i < ev->c->n_hypervisors; i++) {
		struct host *h = &ev->hosts[i];
		int active;

		*dom = h->conn ? virDomainLookupByUUIDString(h->conn, uuid) : NULL;
		active = *dom ? virDomainIsActive(*dom) : h->conn ? -1 : 0;
		if (active == 1)
			return h;
		h->lost = h->lost || (active < 0 && !host_no_domain());
		if (*dom)
			virDomainFree(*dom);
	}
	*dom = NULL;
	return NULL;
}

static const char *unreachable(const struct evacuation *ev)
{
	for (size_t i = 0; i < ev->c->n_hypervisors; i++)
		if (!ev->hosts[i].conn || ev->hosts[i].lost)
			return ev->c->hypervisors[i].name;
	return NULL;
}

static struct host *host_of(struct evacuation *ev, const struct conf_hypervisor *conf)
{
	return &ev->hosts[conf - ev->c->hypervisors];
}

static void collect_one_back(struct evacuation *ev, const char *name, const char *uuid)
{
	struct guest g = { 0 };
	struct evacuee *e;
	virDomainPtr dom;
	struct host *h = seek(ev, uuid, &dom);
	const char *lost = unreachable(ev);
	struct err gone;

	if (h == host_of(ev, ev->of) || (!h && !lost)) { /* it is back already, or is off */
		evacuation_record_remove(ev->record, uuid);
		json_array_append_new(ev->others, json_string(name));
	} else if (h && guest_read(&g, dom, h, ev->c, &gone) == 0 && (e = add(ev))) {
		e->g = g;
		e->from = h;
		e->dom = dom;
		return;
	} else if ((e = add(ev))) {
		snprintf(e->g.name, sizeof(e->g.name), "%s", name);
		snprintf(e->g.uuid, sizeof(e->g.uuid), "%s", uuid);
		find(e, "guest", lost ? lost : "", "it runs on none of the hypervisors that answer",
		     "make this one answer, or leave the guest: --skip");
	}
	if (dom)
		virDomainFree(dom);
}

static void collect_back(struct evacuation *ev)
{
	json_t *guests = json_deep_copy(json_object_get(ev->record, "guests")), *g;
	size_t i;

	json_array_foreach(guests, i, g)
		collect_one_back(ev, js_text(g, "name"), js_text(g, "uuid"));
	json_decref(guests);
}

/* ---- where to, and may it be */

static void place(struct evacuation *ev)
{
	struct evacuation_host *hosts = calloc(CONF_HYPERVISORS_MAX, sizeof(*hosts));
	struct evacuation_guest *guests = calloc(ev->n ? ev->n : 1, sizeof(*guests));

	for (size_t i = 0; hosts && i < ev->c->n_hypervisors; i++) {
		const struct conf_hypervisor *h = &ev->c->hypervisors[i];
		bool asked = ev->o->back ? h == ev->of : ev->o->to ? !strcmp(h->name, ev->o->to) : h != ev->of;

		hosts[i].usable = asked && ev->hosts[i].conn;
		hosts[i].free_kib = hosts[i].usable ? host_free_kib(ev->hosts[i].conn) : 0;
	}
	for (size_t i = 0; guests && i < ev->n; i++)
		guests[i].memory_kib = ev->list[i].g.memory_kib;
	if (hosts && guests)
		evacuation_place(guests, ev->n, hosts, ev->c->n_hypervisors);
	for (size_t i = 0; i < ev->n; i++) {
		struct evacuee *e = &ev->list[i];

		e->to = hosts && guests && guests[i].to != EVACUATION_NO_ROOM ? &ev->hosts[guests[i].to] : NULL;
		if (!e->to)
			find(e, "room", e->from ? e->from->conf->name : "",
			     ev->o->back || ev->o->to ? "there is no room for its memory beside the others'"
						      : "no other hypervisor that answers has room for its memory beside the others'",
			     "move or stop another guest there first, or leave this one: --skip");
	}
	free(hosts);
	free(guests);
}

static void judge(struct evacuation *ev, struct evacuee *e)
{
	struct hyper_options o = *ev->o;
	struct move m = { .o = &o, .c = ev->c, .dom = e->dom, .g = e->g };
	json_t *all, *f;
	size_t i;
	bool ready;

	if (!e->to || !e->dom)
		return;
	o.with_nas = NULL;
	m.from = *e->from;
	m.to = *e->to;
	all = preflight(&m, &ready);
	json_array_foreach(all, i, f)
		if (!js_true(f, "ok"))
			json_array_append(e->findings, f);
	json_decref(all);
}

static bool ready(const struct evacuee *e)
{
	return !json_array_size(e->findings);
}

static size_t count_ready(const struct evacuation *ev)
{
	size_t k = 0;

	for (size_t i = 0; i < ev->n; i++)
		k += (size_t)ready(&ev->list[i]);
	return k;
}

/* ---- showing */

static const char *from_name(const struct evacuee *e)
{
	return e->from ? e->from->conf->name : "?";
}

static void show_plan(const struct evacuation *ev)
{
	const struct view *v = &ev->o->cli.view;
	struct table t = { 0 };
	char size[VIEW_VALUE_MAX];

	if (ev->n)
		table_add(&t, "%sGUEST\tFROM\tTO\tMEMORY\t%s", view_on(v, TONE_STRONG), view_off(v));
	for (size_t i = 0; i < ev->n; i++) {
		const struct evacuee *e = &ev->list[i];

		table_add(&t, "%s\t%s\t%s\t%s\t%s%s%s", e->g.name, from_name(e), e->to ? e->to->conf->name : "-",
			  view_bytes((int64_t)e->g.memory_kib * 1024, size), view_on(v, ready(e) ? TONE_GOOD : TONE_BAD),
			  ready(e) ? "can move" : "CANNOT MOVE", view_off(v));
	}
	table_print(&t, stdout, "");
	for (size_t i = 0; i < ev->n; i++) {
		json_t *shown = json_printable(ev->list[i].findings);

		if (json_array_size(shown)) {
			printf("\n%s:\n", ev->list[i].g.name);
			view_findings(stdout, v, shown);
		}
		json_decref(shown);
	}
	if (json_array_size(ev->others) && ev->o->back)
		printf("%zu of the record %s on %s already, or off\n", json_array_size(ev->others),
		       json_array_size(ev->others) == 1 ? "is" : "are", ev->of->name);
	else if (json_array_size(ev->others))
		printf("%zu other guest%s of %s %s off, or %s no disk here: not looked at\n", json_array_size(ev->others),
		       json_array_size(ev->others) == 1 ? "" : "s", ev->of->name, json_array_size(ev->others) == 1 ? "is" : "are",
		       json_array_size(ev->others) == 1 ? "has" : "have");
	fflush(stdout);
}

static const char *word_of(const struct evacuee *e)
{
	if (!e->begun && !e->result)
		return "not-begun";
	return e->code == CLI_DONE ? "done" : e->code == CLI_ROLLED_BACK || e->code == CLI_REFUSED ? "rolled-back" :
	       e->code == CLI_UNKNOWN ? "unknown" : "failed";
}

/* Why a move did not come to be, in its own words. */
static const char *reason_of(const struct evacuee *e)
{
	const json_t *error = json_object_get(e->result, "error"), *f;
	size_t i;

	json_array_foreach(json_object_get(e->result, "findings"), i, f)
		if (!js_true(f, "ok"))
			return js_text(f, "message");
	if (error)
		return js_text(error, "message");
	return js_text(e->result, "cancelled")[0] ? js_text(e->result, "cancelled") : "its move did not say how it ended";
}

static json_t *guest_json(const struct evacuee *e)
{
	const json_t *memory = json_object_get(e->result, "memory");

	return json_pack("{s:s, s:s, s:s, s:s*, s:I, s:b, s:O, s:s, s:s*, s:s*, s:I, s:I}",
			 "name", e->g.name, "uuid", e->g.uuid,
			 "from", from_name(e), "to", e->to ? e->to->conf->name : NULL, "memory_kib", (json_int_t)e->g.memory_kib,
			 "ready", (int)ready(e), "findings", e->findings, "result", word_of(e), "runs_on",
			 e->begun ? (js_text(e->result, "runs_on")[0] ? js_text(e->result, "runs_on") : NULL) : from_name(e),
			 "message", e->begun && e->code != CLI_DONE ? reason_of(e) : NULL, "total_us",
			 (json_int_t)js_int(e->result, "total_us"), "downtime_ms", (json_int_t)js_int(memory, "downtime_ms"));
}

static void print_all(const struct evacuation *ev, const char *result)
{
	json_t *guests = json_array(), *out;

	for (size_t i = 0; i < ev->n; i++)
		json_array_append_new(guests, guest_json(&ev->list[i]));
	out = json_pack("{s:s, s:s, s:b, s:b, s:o, s:O}", "result", result, "hypervisor", ev->of->name, "back", (int)ev->o->back,
			"ready", (int)(count_ready(ev) == ev->n), "guests", guests, "others", ev->others);
	print_json(out);
	json_decref(out);
}

/* ---- doing */

/* A record that cannot be written after a move costs the way back of that guest only. */
static void write_record(struct evacuation *ev)
{
	struct err err;

	if (evacuate_record_write(ev, &err) < 0) {
		char text[512];

		fprintf(stderr, "nasctl: %s\n", err_format(&err, text, sizeof(text)));
	}
}

static void began(struct evacuation *ev, struct evacuee *e)
{
	if (ev->o->cli.json)
		return;
	printf("%s: from %s to %s\n", e->g.name, from_name(e), e->to->conf->name);
	fflush(stdout);
}

/* The record has who is away: known only of a move that was done, or came to nothing. */
static void ended(struct evacuation *ev, struct evacuee *e)
{
	const json_t *memory = json_object_get(e->result, "memory");
	char total[VIEW_VALUE_MAX];
	bool here = ev->o->back ? e->code == CLI_DONE : !e->known && (e->code == CLI_ROLLED_BACK || e->code == CLI_REFUSED);

	if (here) {
		evacuation_record_remove(ev->record, e->g.uuid);
		write_record(ev);
	}
	if (ev->o->cli.json)
		return;
	if (e->code == CLI_DONE)
		printf("%s: runs on %s; total %s, stopped for %lld ms as QEMU counts\n", e->g.name, e->to->conf->name,
		       view_duration(js_int(e->result, "total_us"), total), (long long)js_int(memory, "downtime_ms"));
	else
		printf("%s: did not move: %s\n", e->g.name, reason_of(e));
	fflush(stdout);
}

/* Who is sent away is in the record before his move begins. */
static int note_all(struct evacuation *ev, struct err *err)
{
	for (size_t i = 0; i < ev->n; i++)
		ev->list[i].known = evacuation_record_has(ev->record, ev->list[i].g.uuid);
	for (size_t i = 0; i < ev->n; i++)
		if (!ev->o->back && ready(&ev->list[i]) &&
		    !evacuation_record_add(ev->record, ev->list[i].g.name, ev->list[i].g.uuid))
			return err_set(err, ERR_SYSTEM, ENOMEM, "record", "no memory");
	return evacuate_record_write(ev, err);
}

/* Interrupted: who did not get to move is not away. */
static void forget_the_rest(struct evacuation *ev)
{
	for (size_t i = 0; i < ev->n; i++)
		if (!ev->o->back && !ev->list[i].begun && !ev->list[i].known)
			evacuation_record_remove(ev->record, ev->list[i].g.uuid);
	write_record(ev);
}

static enum cli_exit summary(const struct evacuation *ev)
{
	size_t done = 0;
	bool all;

	for (size_t i = 0; i < ev->n; i++)
		done += ev->list[i].begun && ev->list[i].code == CLI_DONE;
	all = done == ev->n;
	if (ev->o->cli.json)
		print_all(ev, all ? "done" : "failed");
	else if (!ev->n)
		printf("%s: there is no guest to %s\n", ev->of->name, ev->o->back ? "bring back" : "move away");
	else
		printf("%s: %zu of %zu guests %s\n", ev->of->name, done, ev->n, ev->o->back ? "are back" : "have left");
	return all ? CLI_DONE : CLI_FAILED;
}

static enum cli_exit plan_and_run(struct evacuation *ev)
{
	const struct hyper_options *o = ev->o;
	struct err err = { 0 };
	bool whole;

	if (o->back)
		collect_back(ev);
	else if (collect_from(ev, host_of(ev, ev->of), &err) < 0)
		return complain(&o->cli, CLI_FAILED, &err);
	place(ev);
	for (size_t i = 0; i < ev->n; i++)
		judge(ev, &ev->list[i]);
	whole = count_ready(ev) == ev->n;
	if (!o->cli.json)
		show_plan(ev);
	if (o->cli.dry_run || (!whole && !o->skip)) {
		if (o->cli.json)
			print_all(ev, whole ? "ready" : "refused");
		else if (o->cli.dry_run)
			puts("dry run: nothing was changed");
		else
			puts("nothing was begun; with --skip those that can move are moved");
		return whole ? CLI_DONE : CLI_REFUSED;
	}
	if (note_all(ev, &err) < 0)
		return complain(&o->cli, CLI_FAILED, &err);
	evacuate_run(ev, began, ended);
	forget_the_rest(ev);
	return summary(ev);
}

/* ---- the command */

static enum cli_exit usage_error(const struct hyper_options *o, const char *where, const char *what, const char *name)
{
	struct err err;

	err_set(&err, ERR_INPUT, EINVAL, where, what, name);
	err_remedy(&err, "name one of the sections `hypervisor' of nasd.conf, another one for --to");
	return complain(&o->cli, CLI_USAGE, &err);
}

static enum cli_exit open_hosts(struct evacuation *ev)
{
	const struct host *of = host_of(ev, ev->of);
	const struct conf_hypervisor *to = ev->o->to ? conf_hypervisor_find(ev->c, ev->o->to) : NULL;

	for (size_t i = 0; i < ev->c->n_hypervisors; i++)
		host_open(&ev->hosts[i], &ev->c->hypervisors[i]);
	if (!of->conn)
		return complain(&ev->o->cli, CLI_UNREACHABLE, &of->err);
	if (to && !host_of(ev, to)->conn)
		return complain(&ev->o->cli, CLI_UNREACHABLE, &host_of(ev, to)->err);
	return CLI_DONE;
}

static void close_all(struct evacuation *ev)
{
	for (size_t i = 0; i < ev->n; i++) {
		if (ev->list[i].dom)
			virDomainFree(ev->list[i].dom);
		json_decref(ev->list[i].findings);
		json_decref(ev->list[i].result);
		free(ev->list[i].said);
	}
	free(ev->list);
	for (size_t i = 0; i < ev->c->n_hypervisors; i++)
		host_close(&ev->hosts[i]);
	json_decref(ev->others);
	evacuate_record_close(ev);
}

enum cli_exit hyper_evacuate(const struct hyper_options *o, const struct conf *c)
{
	struct evacuation ev = { .o = o, .c = c, .lock = -1, .of = conf_hypervisor_find(c, o->guest) };
	const struct conf_hypervisor *to = o->to ? conf_hypervisor_find(c, o->to) : NULL;
	enum cli_exit code;
	struct err err;

	if (!ev.of)
		return usage_error(o, "evacuate", "nasd.conf has no section `hypervisor %.64s'", o->guest);
	if (o->to && (!to || to == ev.of))
		return usage_error(o, "--to", "guests cannot be sent to `%.64s'", o->to);
	if (evacuate_record_open(&ev, &err) < 0) {
		evacuate_record_close(&ev);
		return complain(&o->cli, err.cls == ERR_REFUSED ? CLI_REFUSED : CLI_FAILED, &err);
	}
	ev.others = json_array();
	code = open_hosts(&ev);
	if (code == CLI_DONE)
		code = plan_and_run(&ev);
	close_all(&ev);
	return code;
}
