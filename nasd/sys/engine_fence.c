/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The peer's being dead, as far as the world is concerned: runs of fence agents
 * that the cores ask for, DRBD's questions, an operator's word. What follows from
 * them the cores decide (core/takeover.c).
 *
 * One run at a time, for all groups that want it. Agents run in a lane of their
 * own, one after the other, and are ended there when their time is over; what an
 * agent says after its run was called off is not listened to. One that works then
 * is ended at once; what it has asked its device for by then may happen, or not.
 */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "agent.h"
#include "fence_call.h"
#include "clocks.h"
#include "fence_plan.h"
#include "log.h"
#include "peer_handler.h"

enum { QUESTIONS_MAX = 16, LANE_END_US = 500000 };

struct question {
	struct ctl_client *client; /* NULL: free */
	struct egroup *g;
	int64_t since_wall;
};

struct engine_fence {
	struct engine *e;
	struct fence_plan plan;    /* for the peer */
	struct lane *lane;
	sd_event_source *timer;
	struct fence_agent *agent; /* NULL: no run */
	enum fence_goal goal;
	struct fence_call *call;   /* its newest program; NULL: it has ended */
	unsigned run;              /* counts the runs: tells late answers apart */
	struct ctl_client *look;   /* waits for a LOOK */
	struct fence_run last, looked; /* the last run for OFF, and LOOK; their plans are not to be used */
	const struct fence_run *newest; /* of the two */
	struct fence_since since;
	bool have_last;
	int64_t last_wall;
	struct question questions[QUESTIONS_MAX];
};

static const char *peer_name(const struct engine *e)
{
	return e->node_names[1 - e->spec.self];
}

/* ---- the cores are told */

void engine_fence_life_changed(struct engine *e)
{
	struct peer_life life;

	if (e->fence)
		fence_since_watch(&e->fence->since, wall_us(), monotonic_us());
	engine_liveness_get(e, &life);
	for (size_t i = 0; i < e->n_groups; i++) {
		group_peer_life(e->groups[i].core, monotonic_us(), &life);
		egroup_settle(&e->groups[i]);
	}
	engine_control_changed(e);
}

static void tell_fenced(struct engine *e, const struct fence_evidence *ev)
{
	struct peer_life life;

	engine_liveness_get(e, &life);
	for (size_t i = 0; i < e->n_groups; i++) {
		struct egroup *g = &e->groups[i];

		if (g->fence == EG_FENCE_NONE)
			continue;
		g->fence = EG_FENCE_NONE;
		group_peer_life(g->core, monotonic_us(), &life);
		group_fenced(g->core, monotonic_us(), ev);
		egroup_settle(g);
	}
}

/* ---- agents */

static void call_done(void *data, struct fence_call *c, unsigned run, unsigned call, const struct fence_ended *ended)
{
	struct engine_fence *f = data;

	if (f->call == c)
		f->call = NULL;
	if (f->agent && f->run == run)
		fence_agent_ended(f->agent, call, ended, monotonic_us());
}

/* The device of this path that the run is at: its patience is the program's. */
static uint64_t patience(const struct engine_fence *f, const char *path)
{
	int64_t t = 0;

	for (unsigned i = 0; i < f->plan.n_devices; i++)
		if (!strcmp(f->plan.devices[i].path, path) && f->plan.devices[i].timeout_us > t)
			t = f->plan.devices[i].timeout_us;
	return (uint64_t)t;
}

static int agent_run_program(void *data, unsigned call, const char *path, const void *input, size_t len)
{
	struct engine_fence *f = data;
	struct fence_call_spec spec = { .path = path, .input = input, .input_len = len,
					.timeout_us = patience(f, path), .run = f->run, .call = call,
					.done = call_done, .data = f };

	f->call = fence_call_start(f->lane, &spec);
	return f->call ? 0 : -ENOMEM;
}

static void agent_kill_program(void *data, unsigned call)
{
	struct engine_fence *f = data;

	(void)call; /* one runs at a time */
	if (f->call)
		fence_call_end(f->call);
}

static void agent_wake_at(void *data, int64_t at_us)
{
	struct engine_fence *f = data;

	sd_event_source_set_time(f->timer, (uint64_t)(at_us > 0 ? at_us : 0));
	sd_event_source_set_enabled(f->timer, SD_EVENT_ONESHOT);
}

static int agent_timer(sd_event_source *s, uint64_t usec, void *data)
{
	struct engine_fence *f = data;

	(void)s;
	(void)usec;
	if (f->agent)
		fence_agent_timer(f->agent, monotonic_us());
	return 0;
}

static json_t *looked_json(const struct engine_fence *f, bool *ready)
{
	json_t *list = json_array();

	*ready = f->plan.n_devices > 0;
	for (unsigned i = 0; i < f->plan.n_devices; i++) {
		const struct fence_device *d = &f->plan.devices[i];
		const struct fence_device_state *s = &f->looked.state[i];
		bool ok = s->tried && s->said == FENCE_SAID_ON;

		*ready = *ready && ok;
		json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:b, s:s, s:s}", "name", d->name, "node",
						      f->plan.node, "level", (int)d->level, "ok", ok, "said",
						      s->tried ? fence_said_name(s->said) : "", "text", s->text));
	}
	return list;
}

static void answer_look(struct engine_fence *f)
{
	bool ready;
	json_t *list = looked_json(f, &ready);
	json_t *data = json_pack("{s:o, s:b}", "devices", list, "ready", ready);

	ctl_client_result_ok(f->look, data);
	json_decref(data);
	f->look = NULL;
}

static void agent_done(void *data, struct fence_agent *a)
{
	struct engine_fence *f = data;
	const struct fence_run *r = fence_agent_result(a);
	struct fence_evidence ev;

	memset(&ev, 0, sizeof(ev));
	if (f->goal == FENCE_GOAL_LOOK) {
		f->looked = *r;
		f->looked.plan = NULL;
		f->newest = &f->looked;
	} else {
		f->last = *r;
		f->last.plan = NULL;
		f->newest = &f->last;
		f->have_last = true;
		f->last_wall = wall_us();
		fence_run_evidence(r, 0, "", &ev);
		log_write(r->success ? LOGP_NOTICE : LOGP_WARNING, NULL, "fencing %s has %s: %s", f->plan.node,
			  r->success ? "succeeded" : "failed", r->story);
	}
	f->agent = NULL;
	fence_agent_free(a);
	if (f->goal == FENCE_GOAL_LOOK && f->look)
		answer_look(f);
	else if (f->goal == FENCE_GOAL_OFF)
		tell_fenced(f->e, f->last.cancelled ? NULL : &ev);
	engine_control_changed(f->e);
}

static void tell_since(struct engine_fence *f)
{
	struct peer_life life;

	if (f->e->conf->cluster.trigger != CONF_TRIGGER_PACEMAKER)
		return;
	engine_liveness_get(f->e, &life);
	fence_since_tell(&f->since, &f->plan.devices[0], wall_us(), monotonic_us(), life.heard_us);
}

static int begin(struct engine_fence *f, enum fence_goal goal, struct err *err)
{
	static const struct fence_agent_ops ops = { agent_run_program, agent_kill_program, agent_wake_at, agent_done };
	uint64_t number = 0;

	if (getrandom(&number, sizeof(number), 0) < 0)
		number = (uint64_t)monotonic_us();
	f->run++;
	f->goal = goal;
	tell_since(f);
	f->agent = fence_agent_start(&f->plan, goal, 0, number, monotonic_us(), &ops, f, err);
	return f->agent ? 0 : -EIO;
}

static void drop_look(struct engine_fence *f)
{
	struct err err;

	if (!f->agent || f->goal != FENCE_GOAL_LOOK)
		return;
	fence_agent_free(f->agent);
	f->agent = NULL;
	if (!f->look)
		return;
	err_set(&err, ERR_REFUSED, EBUSY, "fence", "%s is being fenced", f->plan.node);
	err_remedy(&err, "see 'nasctl fence status'");
	ctl_client_result_error(f->look, &err, NULL);
	f->look = NULL;
}

/* Told later, never from within the core's own action. */
static int begin_failed(sd_event_source *s, void *data)
{
	struct engine_fence *f = data;

	sd_event_source_disable_unref(s);
	if (!f->agent)
		tell_fenced(f->e, NULL);
	return 0;
}

static bool anyone_wants(const struct engine *e)
{
	for (size_t i = 0; i < e->n_groups; i++)
		if (e->groups[i].fence == EG_FENCE_WANTED)
			return true;
	return false;
}

void egroup_fence(struct egroup *g, const struct action *a)
{
	struct engine_fence *f = g->e->fence;
	struct err err;

	if (!a->u.fence.start) {
		if (g->fence == EG_FENCE_WANTED)
			g->fence = EG_FENCE_CALLED_OFF;
		if (f->agent && f->goal == FENCE_GOAL_OFF && !anyone_wants(g->e)) {
			log_notice("fencing %s is called off: %s", f->plan.node, a->u.fence.reason);
			fence_agent_cancel(f->agent, a->u.fence.reason, monotonic_us());
		}
		return;
	}
	g->fence = EG_FENCE_WANTED;
	drop_look(f);
	if (f->agent)
		return;
	log_warn("%s: fencing %s: %s", g->conf->name, f->plan.node, a->u.fence.reason);
	if (begin(f, FENCE_GOAL_OFF, &err) < 0) {
		log_err("fencing %s cannot be begun: %s", f->plan.node, err.msg);
		sd_event_add_defer(g->e->event, NULL, begin_failed, f);
	}
}

/* ---- DRBD's questions */

static struct egroup *group_of_resource(struct engine *e, const char *resource)
{
	for (size_t i = 0; i < e->n_groups; i++)
		if (!strcmp(e->groups[i].conf->drbd.resource, resource))
			return &e->groups[i];
	return NULL;
}

void engine_fence_peer(struct engine *e, struct ctl_client *c, const struct ctl_request *req)
{
	struct engine_fence *f = e->fence;
	struct egroup *g = group_of_resource(e, req->resource);
	struct err err;

	if (!g) {
		err_set(&err, ERR_INPUT, ENOENT, "resource", "no group has the DRBD resource %s", req->resource);
		err_remedy(&err, "name it in a group's drbd section of nasd.conf, or take the fence-peer handler out of "
				 "that resource");
		ctl_client_result_error(c, &err, NULL);
		return;
	}
	for (size_t i = 0; i < QUESTIONS_MAX; i++) {
		if (f->questions[i].client)
			continue;
		f->questions[i] = (struct question){ c, g, wall_us() };
		log_warn("%s: DRBD has lost %s and asks what became of it", g->conf->name, peer_name(e));
		group_drbd_asks(g->core, monotonic_us());
		egroup_settle(g);
		return;
	}
	err_set(&err, ERR_REFUSED, EBUSY, "fence", "too many questions are open");
	err_remedy(&err, "see 'nasctl fence status'");
	ctl_client_result_error(c, &err, NULL);
}

void egroup_drbd_answer(struct egroup *g, const struct action *a)
{
	struct engine_fence *f = g->e->fence;
	const char *word = fence_peer_answer_name(a->u.drbd.answer);

	log_notice("%s: DRBD is told of %s: %s: %s", g->conf->name, peer_name(g->e), word, a->u.drbd.reason);
	for (size_t i = 0; i < QUESTIONS_MAX; i++) {
		struct question *q = &f->questions[i];
		struct ctl_client *c = q->client;
		json_t *data;

		if (!c || q->g != g)
			continue;
		q->client = NULL;
		data = json_pack("{s:s, s:s, s:s}", "resource", g->conf->drbd.resource, "peer", word, "reason",
				 a->u.drbd.reason);
		ctl_client_result_ok(c, data);
		json_decref(data);
	}
}

void engine_fence_gone(struct engine *e, struct ctl_client *c)
{
	struct engine_fence *f = e->fence;

	if (!f)
		return;
	if (f->look == c)
		f->look = NULL;
	for (size_t i = 0; i < QUESTIONS_MAX; i++)
		if (f->questions[i].client == c)
			f->questions[i].client = NULL;
}

/* ---- operators */

void engine_fence_confirm(struct engine *e, struct ctl_client *c, const struct ctl_request *req, const char *by)
{
	struct group_request r = { .kind = REQUEST_CONFIRM, .target = 1 - e->spec.self };
	struct err err;

	if (strcmp(req->node, peer_name(e)) != 0) {
		err_set(&err, ERR_INPUT, EINVAL, "node", "%s is not the name of the other node", req->node);
		err_remedy(&err, "look at the node that is off, and name it: %s", peer_name(e));
		ctl_client_result_error(c, &err, NULL);
		return;
	}
	log_warn("%s has said that %s is off", by, peer_name(e));
	snprintf(r.by, sizeof(r.by), "%s", by);
	engine_fence_life_changed(e);
	for (size_t i = 0; i < e->n_groups; i++) {
		struct pending *p = i == 0 ? engine_control_pend(e, c, &e->groups[i]) : NULL;

		if (i == 0 && !p)
			return;
		r.id = p ? p->id : 0; /* the first group answers for all */
		group_request(e->groups[i].core, monotonic_us(), &r);
	}
	for (size_t i = 0; i < e->n_groups; i++)
		egroup_settle(&e->groups[i]);
}

void engine_fence_check(struct engine *e, struct ctl_client *c)
{
	struct engine_fence *f = e->fence;
	struct err err;

	if (!f->plan.n_devices) {
		err_set(&err, ERR_REFUSED, ENODEV, "fence", "no fence device for %s is configured", peer_name(e));
		err_remedy(&err, "add a fence section to nasd.conf");
	} else if (f->agent) {
		err_set(&err, ERR_REFUSED, EBUSY, "fence", "a run is under way");
		err_remedy(&err, "see 'nasctl fence status'");
	} else if (begin(f, FENCE_GOAL_LOOK, &err) == 0) {
		f->look = c;
		return;
	}
	ctl_client_result_error(c, &err, NULL);
}

/* ---- looking */

static const char *phase_of(const struct engine *e)
{
	const struct engine_fence *f = e->fence;
	struct group_view v;

	if (f->agent && f->goal == FENCE_GOAL_OFF)
		return "fencing";
	for (size_t i = 0; i < e->n_groups; i++) {
		group_look(e->groups[i].core, &v);
		if (v.fence_wanted)
			return f->have_last && !f->last.success && !f->last.cancelled ? "failed" : "delay";
	}
	if (!f->have_last)
		return "idle";
	return f->last.cancelled ? "cancelled" : f->last.success ? "proven" : "failed";
}

static json_t *devices_json(const struct engine_fence *f)
{
	const struct fence_run *r = f->agent ? fence_agent_result(f->agent) : f->newest;
	json_t *list = json_array();

	for (unsigned i = 0; i < f->plan.n_devices; i++) {
		const struct fence_device *d = &f->plan.devices[i];
		const struct fence_device_state *s = &r->state[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:b}", "name", d->name, "node",
						      f->plan.node, "level", (int)d->level, "agent", d->path, "said",
						      s->tried ? fence_said_name(s->said) : "", "text", s->text,
						      "verified", s->verified));
	}
	return list;
}

static json_t *questions_json(const struct engine_fence *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < QUESTIONS_MAX; i++)
		if (f->questions[i].client)
			json_array_append_new(list, json_pack("{s:s, s:o}", "resource",
							      f->questions[i].g->conf->drbd.resource, "since",
							      engine_wall_json(f->questions[i].since_wall)));
	return list;
}

void engine_fence_status(struct engine *e, struct ctl_client *c)
{
	const struct engine_fence *f = e->fence;
	const char *text = "";
	struct group_view v;
	json_t *data;

	for (size_t i = 0; i < e->n_groups; i++) {
		group_look(e->groups[i].core, &v);
		if (v.fence_text[0])
			text = v.fence_text;
	}
	data = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:o}", "trigger",
			 conf_trigger_name(e->conf->cluster.trigger), "peer", peer_name(e), "phase", phase_of(e),
			 "explain", text, "since", f->have_last ? engine_wall_json(f->last_wall) : json_null(), "story",
			 f->have_last ? f->last.story : "", "devices", devices_json(f), "watchdog", engine_beat_dog(e),
			 "questions", questions_json(f), "liveness", engine_liveness_json(e));
	ctl_client_result_ok(c, data);
	json_decref(data);
}

/* ---- set-up */

int engine_fence_open(struct engine *e, struct err *err)
{
	struct engine_fence *f = calloc(1, sizeof(*f));
	int ret;

	if (!f)
		return err_set(err, ERR_SYSTEM, ENOMEM, "fence", "no memory");
	e->fence = f;
	f->e = e;
	f->newest = &f->last;
	snprintf(f->plan.node, sizeof(f->plan.node), "%s", peer_name(e));
	ret = fence_plan_of(e->conf, 1 - e->spec.self, &f->plan, err);
	if (ret < 0 && ret != -ENOENT)
		return ret;
	f->lane = lane_new(e->event, "fence", err);
	if (!f->lane)
		return -EIO;
	ret = sd_event_add_time(e->event, &f->timer, CLOCK_MONOTONIC, 0, 1000, agent_timer, f);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, "fence", "timer");
	sd_event_source_set_enabled(f->timer, SD_EVENT_OFF);
	return 0;
}

void engine_fence_close(struct engine *e)
{
	struct engine_fence *f = e->fence;

	if (!f)
		return;
	e->fence = NULL;
	fence_agent_free(f->agent);
	lane_free(f->lane, LANE_END_US);
	sd_event_source_disable_unref(f->timer);
	free(f);
}
