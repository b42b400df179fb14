/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What operators see, as JSON (wire/control.h describes the objects). */
#include "engine_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clocks.h"
#include "json_field.h"
#include "json_model.h"

json_t *engine_wall_json(int64_t wall_us)
{
	time_t sec = (time_t)(wall_us / 1000000);
	char day[40], text[64];
	struct tm tm;

	gmtime_r(&sec, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03dZ", day, (int)(wall_us % 1000000 / 1000));
	return json_string(text);
}

static json_t *node_json(const struct engine *e, int node)
{
	return node == 0 || node == 1 ? json_string(e->node_names[node]) : json_null();
}

json_t *engine_report_json(struct egroup *g, const struct step_report *r, int64_t base_us)
{
	struct step_report rel = *r;
	json_t *o;

	rel.start_us -= base_us;
	o = step_report_to_json(&rel, g->e->node_names);
	if (o)
		json_object_set_new(o, "stage", json_string(step_stage_name(step_row(r->step)->stage)));
	return o;
}

json_t *engine_log_json(struct egroup *g, const struct switch_log *log)
{
	struct engine *e = g->e;
	json_t *steps = json_array(), *o;
	int64_t end = log->ended_us ? log->ended_us : monotonic_us();
	int64_t began = log->began_us, wall;

	/* the other node's first rows may lie before this node's part began */
	for (size_t i = 0; i < log->n_steps; i++)
		if (log->steps[i].start_us < began)
			began = log->steps[i].start_us;
	wall = wall_us() - (monotonic_us() - began);
	for (size_t i = 0; i < log->n_steps; i++)
		json_array_append_new(steps, engine_report_json(g, &log->steps[i], began));
	o = json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:I, s:I, s:s, s:o, s:o}",
		      "kind", switch_kind_name(log->kind), "result", switch_result_name(log->result),
		      "group", g->conf->name, "epoch", (json_int_t)log->epoch,
		      "source", node_json(e, log->source), "target", node_json(e, log->target),
		      "began", engine_wall_json(wall), "total_us", (json_int_t)(end - began),
		      "freeze_us", (json_int_t)switch_log_freeze_us(log), "requested_by", log->requested_by,
		      "error", error_to_json(&log->error), "steps", steps);
	return o;
}

static json_t *transaction_json(struct egroup *g, const struct group_view *v)
{
	struct engine *e = g->e;
	const struct switch_log *l = v->log;
	enum step_id step = v->held ? STEP_HOLD : v->step;

	if (!l || l->result != RESULT_RUNNING)
		return json_null();
	return json_pack("{s:s, s:I, s:o, s:o, s:s, s:s, s:I}", "kind", switch_kind_name(l->kind),
			 "epoch", (json_int_t)l->epoch, "source", node_json(e, l->source),
			 "target", node_json(e, l->target),
			 "stage", step ? step_stage_name(step_row(step)->stage) : "",
			 "step", step ? step_name(step) : "",
			 "elapsed_ms", (json_int_t)((monotonic_us() - l->began_us) / 1000));
}

static json_t *clients_json(struct egroup *g)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->current.n; i++) {
		char addr[64], local[64];
		unsigned port, lport;

		if (g->current.entries[i]->kind != CLIENT_CONNECTION ||
		    sscanf(g->current.entries[i]->text, "%63s %u %63s %u", addr, &port, local, &lport) != 4)
			continue;
		json_array_append_new(list, json_pack("{s:s, s:i, s:s}", "address", addr, "port", (int)port,
						      "local", local));
	}
	return list;
}

static json_t *last_json(struct egroup *g)
{
	size_t n = json_array_size(g->e->history);

	while (n-- > 0) {
		json_t *h = json_array_get(g->e->history, n);
		const char *name = json_string_value(json_object_get(h, "group"));

		if (name && !strcmp(name, g->conf->name))
			return json_incref(h);
	}
	return json_null();
}

static json_t *group_json(struct egroup *g)
{
	struct group_view v;
	char detail[256];
	json_t *o;

	group_look(g->core, &v);
	/* it may name processes and files, in whatever bytes, and be cut in the middle of one */
	jf_clean_text(detail, sizeof(detail), v.detail);
	o = json_pack("{s:s, s:s, s:o, s:I, s:s, s:o, s:o?, s:o?, s:o, s:I, s:I, s:o}", "name", g->conf->name,
		      "state", group_state_name(v.state), "owner", node_json(g->e, v.owner),
		      "epoch", (json_int_t)v.epoch, "detail", detail, "transaction", transaction_json(g, &v),
		      "local", v.local ? facts_to_json(v.local) : json_null(),
		      "peer", v.peer ? facts_to_json(v.peer) : json_null(),
		      "clients", v.state == GS_ACTIVE ? clients_json(g) : json_array(),
		      "client_records", (json_int_t)client_set_count(&g->current, CLIENT_RECORD),
		      "replicated", (json_int_t)atomic_load(&g->replicated), "last", last_json(g));
	if (o)
		json_object_set_new(o, "records_alone", json_integer(egroup_records_alone(g)));
	if (o)
		json_object_set_new(o, "drbd_events", egroup_watch_json(g));
	if (o) {
		json_object_set_new(o, "resource", json_string(g->conf->drbd.resource));
		json_object_set_new(o, "split_brain", json_boolean(v.split_brain));
		json_object_set_new(o, "peer_owner", node_json(g->e, v.peer_owner));
		json_object_set_new(o, "peer_epoch", json_integer((json_int_t)v.peer_epoch));
	}
	if (o && g->peer_facts_at)
		json_object_set_new(o, "peer_facts_age_ms",
				    json_integer((monotonic_us() - g->peer_facts_at) / 1000));
	return o;
}

static json_t *peer_json(struct engine *e)
{
	struct peer_link_status s;
	int64_t offset = 0, rtt = 0;

	peer_link_status(e->link, &s);
	peer_link_clock_offset_us(e->link, &offset, &rtt);
	return json_pack("{s:s, s:b, s:s, s:o, s:I, s:s, s:b, s:I, s:s}", "node", s.node, "connected",
			 (int)s.connected, "address", s.address, "since", engine_wall_json(s.since_wall_us), "rtt_us",
			 (json_int_t)s.rtt_us, "version", s.version, "config_same", (int)s.config_same,
			 "last_heard_ms",
			 (json_int_t)(s.last_heard_us ? (monotonic_us() - s.last_heard_us) / 1000 : -1),
			 "error", s.last_error);
}

json_t *engine_status_json(struct engine *e)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < e->n_groups; i++)
		json_array_append_new(groups, group_json(&e->groups[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:o, s:o, s:o}", "node", e->node_names[e->spec.self],
			 "version", NASD_VERSION, "cluster", e->conf->cluster.name, "config_hash", e->conf->hash,
			 "uptime_s", (json_int_t)((monotonic_us() - e->started_us) / 1000000), "trigger",
			 conf_trigger_name(e->conf->cluster.trigger), "peer", peer_json(e), "liveness",
			 engine_liveness_json(e), "groups", groups);
}

json_t *engine_plan_json(void)
{
	size_t n;
	const struct step_row *rows = step_rows(&n);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		if (!rows[i].deadline_ms)
			continue; /* of a takeover, or of a move with a guest */
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s, s:s}", "name",
						step_name(rows[i].id), "stage", step_stage_name(rows[i].stage),
						"side", step_side_name(rows[i].side), "deadline_ms",
						(int)rows[i].deadline_ms, "precheck", rows[i].precheck, "help",
						rows[i].help, "verify", rows[i].verify, "undo",
						rows[i].undo == STEP_NONE ? "" : step_name(rows[i].undo)));
	}
	return list;
}
