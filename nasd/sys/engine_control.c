/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Operators' requests: which core they go to, and how the answers come back. */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "frame.h"
#include "log.h"

static void refuse(struct ctl_client *c, enum err_class cls, const char *where, const char *msg, const char *remedy)
{
	struct err e;

	err_set(&e, cls, EINVAL, where, "%s", msg);
	err_remedy(&e, "%s", remedy);
	ctl_client_result_error(c, &e, NULL);
}

static struct egroup *find_group(struct engine *e, struct ctl_client *c, const char *name)
{
	if (!name[0] && e->n_groups == 1)
		return &e->groups[0];
	for (size_t i = 0; name[0] && i < e->n_groups; i++)
		if (!strcmp(e->groups[i].conf->name, name))
			return &e->groups[i];
	if (name[0])
		refuse(c, ERR_INPUT, "group", "there is no such group", "see 'nasctl status' for their names");
	else
		refuse(c, ERR_INPUT, "group", "there are several groups", "say which with --group");
	return NULL;
}

struct pending *engine_control_pend(struct engine *e, struct ctl_client *c, struct egroup *g)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &e->pending[i];

		if (p->id)
			continue;
		p->id = ++e->next_request;
		p->client = c;
		p->g = g;
		return p;
	}
	refuse(c, ERR_REFUSED, "request", "too many requests are open", "wait for them to end");
	return NULL;
}

struct ctl_client *engine_control_take(struct engine *e, const struct egroup *g, uint64_t id)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &e->pending[i];
		struct ctl_client *c = p->client;

		if (!id || p->id != id || p->g != g)
			continue;
		memset(p, 0, sizeof(*p));
		return c;
	}
	return NULL;
}

/* The node that a request names, or the one it must mean: not the owner. */
static int target_of(struct engine *e, struct ctl_client *c, struct egroup *g, const char *name)
{
	struct group_view v;
	int node;

	group_look(g->core, &v);
	if (!name[0])
		return v.owner == NODE_NONE ? 1 - e->spec.self : 1 - v.owner;
	node = conf_node_index(e->conf, name);
	if (node < 0)
		refuse(c, ERR_INPUT, "node", "there is no such node",
		       "the two node names are in nasd.conf and in 'nasctl status'");
	return node;
}

static bool confirmation_ok(struct engine *e, struct ctl_client *c, const char *name)
{
	if (!name[0])
		return true;
	if (!strcmp(name, e->node_names[1 - e->spec.self]))
		return true;
	refuse(c, ERR_INPUT, "peer-confirmed-dead", "that is not the name of the other node",
	       "look at the node that is off, and name it");
	return false;
}

/* Two who decide would move the group to and fro. */
static bool trigger_ok(struct engine *e, struct ctl_client *c, const char *by)
{
	const char *trigger = conf_trigger_name(e->conf->cluster.trigger);
	struct err err;

	if (!by[0] || !strcmp(by, trigger))
		return true;
	err_set(&err, ERR_REFUSED, EPERM, "trigger", "%s asks, but trigger = %s is in force, and there is one trigger only",
		by, trigger);
	err_remedy(&err, "take the group out of %s, or write `trigger = %s' in nasd.conf on both nodes", by, by);
	ctl_client_result_error(c, &err, NULL);
	return false;
}

static enum request_kind kind_of(const struct ctl_request *req)
{
	if (req->cmd == CTL_SWITCHOVER)
		return REQUEST_SWITCHOVER;
	if (req->cmd == CTL_RELEASE)
		return REQUEST_RELEASE;
	if (req->cmd == CTL_TAKEOVER)
		return req->by[0] ? REQUEST_ASKED : REQUEST_TAKEOVER;
	return REQUEST_CHECK;
}

static void to_core(struct engine *e, struct ctl_client *c, const struct ctl_request *req, const char *by)
{
	struct group_request r = { .kind = kind_of(req) };
	struct egroup *g = find_group(e, c, req->group);
	struct pending *p;
	int target;

	if (!g)
		return;
	target = target_of(e, c, g, req->node);
	if (target < 0 || !confirmation_ok(e, c, req->peer_confirmed_dead) || !trigger_ok(e, c, req->by))
		return;
	p = engine_control_pend(e, c, g);
	if (!p)
		return;
	r.id = p->id;
	r.target = target;
	r.hold_us = (int64_t)req->hold * 1000000;
	r.by_trigger = req->by[0] != '\0';
	r.accept_old_copy = req->accept_old_copy;
	r.peer_confirmed_dead = req->peer_confirmed_dead[0] != '\0';
	snprintf(r.by, sizeof(r.by), "%s", req->by[0] ? req->by : by);
	if (r.kind != REQUEST_CHECK)
		log_notice("%s of %s to %s asked for by %s", ctl_cmd_name(req->cmd), g->conf->name,
			   e->node_names[target], by);
	group_request(g->core, monotonic_us(), &r);
	egroup_settle(g);
}

static void ok_new(struct ctl_client *c, json_t *data)
{
	ctl_client_result_ok(c, data);
	json_decref(data);
}

static void history(struct engine *e, struct ctl_client *c, const struct ctl_request *req)
{
	json_t *list = json_array();
	unsigned limit = req->limit ? req->limit : 20;
	size_t n = json_array_size(e->history);

	while (n-- > 0 && json_array_size(list) < limit) {
		json_t *h = json_array_get(e->history, n);
		const char *name = json_string_value(json_object_get(h, "group"));

		if (!req->group[0] || (name && !strcmp(name, req->group)))
			json_array_append(list, h);
	}
	ok_new(c, json_pack("{s:o}", "entries", list));
}

static void watch(struct engine *e, struct ctl_client *c)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (e->watchers[i])
			continue;
		e->watchers[i] = c;
		engine_control_changed(e);
		return;
	}
	refuse(c, ERR_REFUSED, "watch", "too many are watching", "close one of them");
}

static void config(struct engine *e, struct ctl_client *c)
{
	char *text = conf_dump_shown(e->conf);

	ok_new(c, json_pack("{s:s, s:s}", "text", text ? text : "", "hash", e->conf->hash));
	free(text);
}

static void go(struct engine *e, struct ctl_client *c, const struct ctl_request *req)
{
	struct egroup *g = find_group(e, c, req->group);

	if (!g)
		return;
	if (group_go(g->core, monotonic_us()))
		ctl_client_result_ok(c, NULL);
	else
		refuse(c, ERR_REFUSED, "go", "no move of the group is held here", "see 'nasctl status'");
	egroup_settle(g);
}

static void inject(struct engine *e, struct ctl_client *c, const struct ctl_request *req)
{
	struct egroup *g = find_group(e, c, req->group);
	struct err err;

	if (!g)
		return;
	if (engine_inject_arm(g, req, &err) < 0)
		ctl_client_result_error(c, &err, NULL);
	else
		ctl_client_result_ok(c, NULL);
}

static void release_client(struct engine *e, struct ctl_client *c, const struct ctl_request *req, const char *by)
{
	struct egroup *g = find_group(e, c, req->group);

	if (g)
		egroup_release_client(g, c, req, by);
}

static void on_request(struct ctl_client *c, const struct ctl_request *req, const char *by, void *data)
{
	struct engine *e = data;

	switch (req->cmd) {
	case CTL_STATUS:
		ok_new(c, engine_status_json(e));
		return;
	case CTL_WATCH:
		watch(e, c);
		return;
	case CTL_CHECK:
	case CTL_SWITCHOVER:
	case CTL_TAKEOVER:
	case CTL_RELEASE:
		to_core(e, c, req, by);
		return;
	case CTL_PLAN:
		ok_new(c, json_pack("{s:o}", "steps", engine_plan_json()));
		return;
	case CTL_HISTORY:
		history(e, c, req);
		return;
	case CTL_CONFIG:
		config(e, c);
		return;
	case CTL_VERSION_CMD:
		ok_new(c, json_pack("{s:s, s:i, s:s}", "version", NASD_VERSION, "protocol", FRAME_VERSION, "node",
				    e->node_names[e->spec.self]));
		return;
	case CTL_GO:
		go(e, c, req);
		return;
	case CTL_CLIENT_RELEASE:
		release_client(e, c, req, by);
		return;
	case CTL_INJECT:
		inject(e, c, req);
		return;
	case CTL_FENCE_PEER:
		engine_fence_peer(e, c, req);
		return;
	case CTL_FENCE_CONFIRM:
		engine_fence_confirm(e, c, req, by);
		return;
	case CTL_FENCE_STATUS:
		engine_fence_status(e, c);
		return;
	case CTL_FENCE_CHECK:
		engine_fence_check(e, c);
		return;
	case CTL_CMD_COUNT:
		break;
	}
	refuse(c, ERR_INTERNAL, "request", "a command that is not carried out", "report this bug");
}

static void forsake(struct pending *p)
{
	struct egroup *g = p->g;

	p->client = NULL;
	if (!g)
		return;
	group_forsaken(g->core, monotonic_us(), p->id);
	egroup_settle(g);
}

static void on_gone(struct ctl_client *c, void *data)
{
	struct engine *e = data;

	engine_fence_gone(e, c);
	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (e->pending[i].client == c)
			forsake(&e->pending[i]);
		if (e->watchers[i] == c)
			e->watchers[i] = NULL;
	}
}

static json_t *findings_json(struct engine *e, const struct action *a)
{
	json_t *list = json_array();

	for (size_t i = 0; i < a->u.reply.n_findings; i++)
		json_array_append_new(list, ctl_finding_json(&a->u.reply.findings[i], e->node_names));
	return list;
}

static void answer(struct egroup *g, struct ctl_client *c, const struct action *a)
{
	struct engine *e = g->e;
	json_t *findings = findings_json(e, a);
	struct group_view v;

	group_look(g->core, &v);
	if (ctl_client_request(c)->cmd == CTL_CHECK) {
		/* an answer that says no is an answer */
		ok_new(c, json_pack("{s:O, s:b}", "findings", findings, "ready", (int)a->u.reply.ok));
	} else if (!a->u.reply.ok) {
		ctl_client_result_error(c, &a->u.reply.err, a->u.reply.n_findings ? findings : NULL);
	} else if (a->u.reply.log && v.log) {
		ok_new(c, engine_log_json(g, v.log));
	} else {
		ok_new(c, json_pack("{s:s}", "note", a->u.reply.note));
	}
	json_decref(findings);
}

void engine_control_reply(struct egroup *g, const struct action *a)
{
	struct ctl_client *c;

	if (!a->u.reply.ok)
		log_warn("%s: request %llu refused or failed: %s: %s", g->conf->name,
			 (unsigned long long)a->u.reply.id, a->u.reply.err.where, a->u.reply.err.msg);
	c = engine_control_take(g->e, g, a->u.reply.id);
	if (c)
		answer(g, c, a);
}

void engine_control_held(struct egroup *g)
{
	struct engine *e = g->e;
	json_t *ev = json_pack("{s:s}", "event", "held");

	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &e->pending[i];

		if (p->id && p->client && p->g == g && ctl_client_request(p->client) && ctl_client_request(p->client)->hold)
			ctl_client_event(p->client, ev);
	}
	json_decref(ev);
}

void engine_control_report(struct egroup *g, const struct step_report *r)
{
	struct engine *e = g->e;
	struct group_view v;
	json_t *ev;

	group_look(g->core, &v);
	ev = engine_report_json(g, r, v.log ? v.log->began_us : 0);
	if (!ev)
		return;
	json_object_set_new(ev, "event", json_string("step"));
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &e->pending[i];

		if (p->id && p->client && p->g == g && ctl_client_request(p->client) &&
		    ctl_client_request(p->client)->cmd != CTL_CHECK)
			ctl_client_event(p->client, ev);
	}
	json_decref(ev);
}

void engine_control_changed(struct engine *e)
{
	json_t *ev = NULL;

	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (!e->watchers[i])
			continue;
		if (!ev) {
			ev = engine_status_json(e);
			json_object_set_new(ev, "event", json_string("status"));
		}
		ctl_client_event(e->watchers[i], ev);
	}
	json_decref(ev);
}

int engine_control_open(struct engine *e, struct err *err)
{
	static const struct control_server_ops ops = { on_request, on_gone };
	char control[CONF_PATH_MAX], status[CONF_PATH_MAX];
	struct control_server_spec spec = { .control_path = control, .status_path = status };

	snprintf(control, sizeof(control), "%s/control.sock", e->spec.run_dir);
	snprintf(status, sizeof(status), "%s/status.sock", e->spec.run_dir);
	return control_server_new(e->event, &spec, &ops, e, &e->control, err);
}
