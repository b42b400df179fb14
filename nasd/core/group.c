/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The group's state, its queue of actions, and the dispatch of events. */
#include "group_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *group_state_name(enum group_state s)
{
	switch (s) {
	case GS_STARTING: return "unknown";
	case GS_STANDBY: return "standby";
	case GS_STANDING_DOWN: return "standing-down";
	case GS_ACTIVATING: return "activating";
	case GS_ACTIVE: return "active";
	case GS_SWITCHING: return "switching";
	case GS_PREPARED: return "target";
	case GS_CLAIMING: return "claiming";
	}
	return "invalid";
}

struct group_core *group_new(const struct group_config *cfg)
{
	struct group_core *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->cfg = *cfg;
	g->state = GS_STARTING;
	journal_state_init(&g->j);
	return g;
}

void group_free(struct group_core *g)
{
	if (!g)
		return;
	free(g->queue);
	free(g);
}

/* ---- the queue */

struct action *group_push(struct group_core *g, enum action_type type)
{
	struct action *a;

	if (g->q_len == g->q_cap) {
		size_t cap = g->q_cap ? g->q_cap * 2 : 16;

		a = realloc(g->queue, cap * sizeof(*a));
		if (!a) {
			g->q_failed = true;
			return NULL;
		}
		g->queue = a;
		g->q_cap = cap;
	}
	a = &g->queue[g->q_len++];
	memset(a, 0, sizeof(*a));
	a->type = type;
	return a;
}

bool group_next_action(struct group_core *g, struct action *a)
{
	if (g->q_failed)
		abort(); /* an action lost would be a promise broken */
	if (!g->q_len)
		return false;
	*a = g->queue[0];
	g->q_len--;
	memmove(g->queue, g->queue + 1, g->q_len * sizeof(*a));
	return true;
}

/* ---- what the others use */

void group_set_state(struct group_core *g, enum group_state s, const char *fmt, ...)
{
	struct action *a = group_push(g, ACT_STATE);
	enum group_state old = g->state;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->detail, sizeof(g->detail), fmt, ap);
	va_end(ap);
	g->state = s;
	if (a) {
		a->u.state.old = old;
		a->u.state.now = s;
		snprintf(a->u.state.reason, sizeof(a->u.state.reason), "%s", g->detail);
	}
	if (old != s)
		group_send_hello(g);
}

void group_send(struct group_core *g, enum msg_type type, uint64_t epoch)
{
	struct action *a;

	if (!g->peer_up)
		return;
	a = group_push(g, ACT_SEND);
	if (!a)
		return;
	a->u.msg.type = type;
	a->u.msg.epoch = epoch;
	snprintf(a->u.msg.group, sizeof(a->u.msg.group), "%s", g->cfg.name);
}

void group_send_err(struct group_core *g, enum msg_type type, uint64_t epoch, const struct err *e)
{
	size_t before = g->q_len;

	group_send(g, type, epoch);
	if (g->q_len > before) {
		g->queue[g->q_len - 1].u.msg.u.answer.ok = !e;
		if (e)
			g->queue[g->q_len - 1].u.msg.u.answer.err = *e;
	}
}

static bool may_serve(const struct group_core *g)
{
	const struct facts *f = &g->facts[g->cfg.self];

	if (g->state != GS_STANDBY && g->state != GS_PREPARED && g->state != GS_CLAIMING)
		return true;
	if (!f->valid)
		return false;
	for (unsigned i = 0; i < f->n_addresses; i++)
		if (f->addresses[i].present)
			return true;
	return f->mounted || !strcmp(f->drbd_role, "Primary");
}

void group_send_hello(struct group_core *g)
{
	size_t before = g->q_len;
	struct msg_hello *h;

	group_send(g, MSG_HELLO, g->j.epoch);
	if (g->q_len == before)
		return;
	h = &g->queue[g->q_len - 1].u.msg.u.hello;
	h->epoch = g->j.epoch;
	h->max_epoch = g->j.max_epoch;
	h->owner = g->j.owner;
	h->phase = g->j.phase;
	h->txn_epoch = g->j.txn_epoch;
	h->serving = may_serve(g);
	h->active = g->state == GS_ACTIVE || g->state == GS_SWITCHING;
}

void group_fill_rec(struct group_core *g, struct journal_rec *r, const char *kind, uint64_t epoch, int owner)
{
	memset(r, 0, sizeof(*r));
	snprintf(r->kind, sizeof(r->kind), "%s", kind);
	snprintf(r->group, sizeof(r->group), "%s", g->cfg.name);
	snprintf(r->boot_id, sizeof(r->boot_id), "%s", g->cfg.boot_id);
	r->epoch = epoch;
	r->owner = owner;
}

void group_journal(struct group_core *g, const char *kind, uint64_t epoch, int owner, const char *text)
{
	struct action *a = group_push(g, ACT_JOURNAL);

	if (!a)
		return;
	group_fill_rec(g, &a->u.rec, kind, epoch, owner);
	snprintf(a->u.rec.text, sizeof(a->u.rec.text), "%s", text);
	journal_fold(&g->j, &a->u.rec);
}

void group_core_report(struct group_core *g, enum step_id step, int64_t start, int64_t now,
		       enum outcome outcome, const char *message)
{
	struct action *a = group_push(g, ACT_REPORT);
	struct step_report r = { .step = step, .node = g->cfg.self, .outcome = outcome,
				 .start_us = start, .duration_us = now - start };

	snprintf(r.message, sizeof(r.message), "%s", message);
	switch_log_add(&g->log, &r);
	if (a) {
		a->u.report.report = r;
		a->u.report.local = true;
	}
}

void group_finish_log(struct group_core *g, int64_t now, enum switch_result result, const struct err *e)
{
	struct action *a;

	if (g->log.kind == SWITCH_NONE || g->log.result != RESULT_RUNNING)
		return;
	g->log.result = result;
	g->log.ended_us = now;
	if (e)
		g->log.error = *e;
	a = group_push(g, ACT_FINISHED);

	g->log_unsaved = g->prog.purpose == PURPOSE_REWARM && g->prog.steps;
	if (a)
		a->u.finished.provisional = g->log_unsaved;
}

static void save_late(struct group_core *g)
{
	if (!g->log_unsaved)
		return;
	g->log_unsaved = false;
	group_push(g, ACT_FINISHED);
}

void group_begin_log(struct group_core *g, enum switch_kind kind, uint64_t epoch, int source, int target,
		     int64_t now, const char *requested_by)
{
	g->log_unsaved = false; /* its warm start was given up; the provisional entry stands */
	switch_log_begin(&g->log, kind, epoch, source, target, now, requested_by);
}

/* ---- converging */

/* What a node that stands by owes the peer: the group, if it is the peer's. */
static void hand_over_if_owed(struct group_core *g)
{
	if (g->state == GS_STANDBY && g->peer_up && g->peer_hello && g->j.owner == group_peer_index(g) &&
	    g->j.epoch > g->peer.epoch) {
		group_send(g, MSG_COMMIT, g->j.epoch);
		g->peer.epoch = g->j.epoch; /* once per HELLO */
	}
}

void group_enter_standby(struct group_core *g, int64_t now)
{
	(void)now;
	if (g->state != GS_STANDBY)
		group_set_state(g, GS_STANDBY, "%s", g->j.owner == NODE_NONE ? "nobody owns the group" : "");
	hand_over_if_owed(g);
}

static void stand_down(struct group_core *g, int64_t now, const char *why)
{
	group_set_state(g, GS_STANDING_DOWN, "%s", why);
	program_start(g, now, PURPOSE_STANDDOWN, program_standdown, true);
}

void group_adopt_peer_owner(struct group_core *g, int64_t now, uint64_t epoch, const char *why)
{
	struct err e;

	group_journal(g, "owner", epoch, group_peer_index(g), why);
	g->wait_resume = false;
	g->awaiting_done = false;
	g->send_done = false;
	g->src = SRC_NONE;
	err_set(&e, ERR_PEER, ESTALE, "epoch", "%s owns the group under the newer epoch %llu",
		group_node_name(g, group_peer_index(g)), (unsigned long long)epoch);
	request_reply_open(g, false, &e, "");
	group_finish_log(g, now, RESULT_FAILED, &e);
	if (g->state != GS_STANDBY)
		stand_down(g, now, why);
	else
		group_send_hello(g);
}

static void resume_if_agreed(struct group_core *g, int64_t now)
{
	if (!g->wait_resume || !g->peer_up || !g->peer_hello || g->j.owner != g->cfg.self)
		return;
	if (g->state != GS_STANDBY || g->peer.epoch > g->j.epoch || g->peer.serving)
		return;
	g->wait_resume = false;
	if (g->prog.purpose != PURPOSE_NONE)
		program_stop(g);
	group_begin_log(g, SWITCH_RESUME, g->j.epoch, NODE_NONE, g->cfg.self, now, "nasd");
	activate(g, now, true, "the peer agrees that this node owns the group");
}

void group_program_done(struct group_core *g, int64_t now, enum purpose purpose)
{
	switch (purpose) {
	case PURPOSE_WARM:
		target_warmed(g, now);
		return;
	case PURPOSE_PRESYNC:
		source_presynced(g, now);
		return;
	case PURPOSE_RELEASE:
		source_released(g, now);
		return;
	case PURPOSE_ACTIVATE:
		target_activated(g, now);
		return;
	case PURPOSE_CONFIRM:
		target_confirmed(g, now);
		return;
	case PURPOSE_STANDDOWN:
	case PURPOSE_REWARM:
		save_late(g);
		if (g->state != GS_STANDBY && g->state != GS_STANDING_DOWN)
			return;
		group_enter_standby(g, now);
		if (g->awaiting_done)
			return;
		if (g->detail[0] && g->state == GS_STANDBY)
			group_set_state(g, GS_STANDBY, "%s", g->j.owner == NODE_NONE ? "nobody owns the group" :
					g->wait_resume ? "waiting for the peer's word before it serves again" : "");
		resume_if_agreed(g, now);
		return;
	case PURPOSE_NONE:
		return;
	}
}

void group_start(struct group_core *g, int64_t now, const struct journal_state *journal)
{
	g->j = *journal;
	g->next_monitor = now;
	if (g->j.phase == TXN_SOURCE)
		group_journal(g, "abort", g->j.txn_epoch, NODE_NONE, "nasd restarted before the commitment");
	if (g->j.phase == TXN_PREPARED) {
		g->txn_epoch = g->j.txn_epoch;
		group_begin_log(g, SWITCH_SWITCHOVER, g->txn_epoch, group_peer_index(g), g->cfg.self, now,
				 "restarted in between");
		group_set_state(g, GS_PREPARED, "reserved before the restart; the source decides");
		return;
	}
	if (g->j.owner == g->cfg.self && !strcmp(g->j.active_boot, g->cfg.boot_id)) {
		group_begin_log(g, SWITCH_RESUME, g->j.epoch, NODE_NONE, g->cfg.self, now, "nasd restarted");
		activate(g, now, true, "nasd restarted, the group is this node's");
		return;
	}
	if (g->j.owner == group_peer_index(g)) {
		stand_down(g, now, "the group is the peer's");
		return;
	}
	g->wait_resume = g->j.owner == g->cfg.self;
	group_set_state(g, GS_STANDBY, "%s", g->wait_resume ? "waiting for the peer's word before it serves again" :
			"nobody owns the group");
	program_start(g, now, PURPOSE_REWARM, program_rewarm, true);
}

/* ---- the peer */

void group_peer_up(struct group_core *g, int64_t now, bool config_same, bool version_same)
{
	(void)now;
	g->peer_up = true;
	g->config_same = config_same;
	g->version_same = version_same;
	g->peer_hello = false;
	group_send_hello(g);
	g->next_monitor = now;
}

void group_peer_down(struct group_core *g, int64_t now, const char *reason)
{
	struct err e;

	g->peer_up = false;
	g->peer_hello = false;
	g->facts[group_peer_index(g)].valid = false;
	err_set(&e, ERR_PEER, ENOTCONN, "peer", "the link to %s was lost: %s",
		group_node_name(g, group_peer_index(g)), reason);
	err_remedy(&e, "check nasd on that node and the network between the nodes");
	if (g->state == GS_SWITCHING)
		source_abort(g, now, &e);
	else if (g->state == GS_CLAIMING)
		claim_refused(g, now, g->txn_epoch, &e);
	else if (g->req_open && g->forwarded)
		request_reply_open(g, false, &e, "");
}

static void hello(struct group_core *g, int64_t now, const struct msg_hello *h)
{
	int peer = group_peer_index(g);

	g->peer = *h;
	g->peer_hello = true;
	if (h->max_epoch > g->j.max_epoch)
		g->j.max_epoch = h->max_epoch;
	if (h->epoch > g->j.epoch && h->owner == peer) {
		group_adopt_peer_owner(g, now, h->epoch, "the peer owns a newer epoch");
		return;
	}
	if (h->epoch == g->j.epoch && h->epoch && h->owner != g->j.owner) {
		group_set_state(g, g->state, "both nodes claim epoch %llu: an operator must decide",
				(unsigned long long)h->epoch);
		return;
	}
	if (g->state == GS_PREPARED && h->epoch < g->txn_epoch &&
	    !(h->phase == TXN_SOURCE && h->txn_epoch == g->txn_epoch)) {
		target_abort(g, now, g->txn_epoch, "the source knows of no such transaction");
		return;
	}
	hand_over_if_owed(g);
	resume_if_agreed(g, now);
}

static void facts_request(struct group_core *g)
{
	struct action *a = group_push(g, ACT_FACTS);

	if (a) {
		a->u.facts.tag = FACTS_FOR_PEER;
		a->u.facts.probe = true;
	}
}

static void peer_report(struct group_core *g, const struct step_report *r)
{
	struct action *a;

	if (g->log.kind == SWITCH_NONE || g->log.result != RESULT_RUNNING)
		return;
	switch_log_add(&g->log, r);
	a = group_push(g, ACT_REPORT);
	if (a)
		a->u.report.report = *r;
}

static void remote_request(struct group_core *g, int64_t now, const struct peer_msg *m)
{
	struct group_request r = { .id = m->u.answer.request, .target = m->u.answer.target, .remote = true };

	r.kind = r.target == g->cfg.self ? REQUEST_TAKEOVER : REQUEST_SWITCHOVER;
	snprintf(r.by, sizeof(r.by), "%s", group_node_name(g, group_peer_index(g)));
	group_request(g, now, &r);
}

static void remote_reply(struct group_core *g, const struct peer_msg *m)
{
	if (!g->req_open || !g->req.id || g->req.id != m->u.answer.request)
		return;
	request_reply_open(g, m->u.answer.ok, &m->u.answer.err, "");
}

void group_message(struct group_core *g, int64_t now, const struct peer_msg *m)
{
	switch (m->type) {
	case MSG_HELLO: hello(g, now, &m->u.hello); break;
	case MSG_FACTS_REQ: facts_request(g); break;
	case MSG_FACTS:
		g->facts[group_peer_index(g)] = m->u.facts;
		request_facts(g, now, group_peer_index(g));
		break;
	case MSG_PREPARE: target_prepare(g, now, m->epoch); break;
	case MSG_PREPARED: source_prepared(g, now, m->epoch); break;
	case MSG_REFUSED:
		if (g->state == GS_CLAIMING)
			claim_refused(g, now, m->epoch, &m->u.answer.err);
		else
			source_refused(g, now, m->epoch, &m->u.answer.err);
		break;
	case MSG_COMMIT: target_commit(g, now, m->epoch); break;
	case MSG_ABORT: target_abort(g, now, m->epoch, m->u.answer.err.msg); break;
	case MSG_DONE: source_done(g, now, m); break;
	case MSG_STEP: peer_report(g, &m->u.step); break;
	case MSG_CLAIM: claim_received(g, now, m->epoch); break;
	case MSG_CLAIMED: claim_agreed(g, now, m->epoch); break;
	case MSG_REQUEST: remote_request(g, now, m); break;
	case MSG_REPLY: remote_reply(g, m); break;
	case MSG_INTRO:
	case MSG_HEARTBEAT:
	case MSG_CLIENTS:
	case MSG_CLIENTS_ACK:
		break; /* the link's and the engine's */
	}
}

/* ---- answers */

void group_step_done(struct group_core *g, int64_t now, const struct step_report *r, enum step_op op,
		     const struct err *e)
{
	program_step_done(g, now, r, op, e);
}

/* A promise to the peer whose record could not be written is not made. */
static void drop_queued(struct group_core *g, enum msg_type type)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->q_len; i++)
		if (g->queue[i].type != ACT_SEND || g->queue[i].u.msg.type != type)
			g->queue[kept++] = g->queue[i];
	g->q_len = kept;
}

static void journal_lost(struct group_core *g, int64_t now, const struct journal_rec *rec, const struct err *e)
{
	group_set_state(g, g->state, "the journal cannot be written: %.150s", e->msg);
	if (g->state == GS_SWITCHING && !strcmp(rec->kind, "begin")) {
		drop_queued(g, MSG_PREPARE);
		source_abort(g, now, e);
	} else if (g->state == GS_PREPARED && !strcmp(rec->kind, "prepared")) {
		drop_queued(g, MSG_PREPARED);
		target_warm_failed(g, now, e);
	}
}

void group_journaled(struct group_core *g, int64_t now, const struct journal_rec *rec, bool ok,
		     const struct err *e)
{
	if (g->state == GS_SWITCHING && g->src == SRC_COMMIT && !strcmp(rec->kind, "owner"))
		source_commit_written(g, now, ok, e);
	else if (!ok)
		journal_lost(g, now, rec, e);
}

void group_facts(struct group_core *g, int64_t now, enum facts_tag tag, const struct facts *f)
{
	size_t before = g->q_len;

	g->facts[g->cfg.self] = *f;
	switch (tag) {
	case FACTS_GATHER:
		request_facts(g, now, g->cfg.self);
		return;
	case FACTS_MONITOR:
	case FACTS_FOR_PEER:
		break;
	}
	group_send(g, MSG_FACTS, g->j.epoch);
	if (g->q_len > before)
		g->queue[g->q_len - 1].u.msg.u.facts = *f;
	/* the standby's server is repaired long before it is needed */
	if (tag == FACTS_MONITOR && g->state == GS_ACTIVE && f->server == SERVER_DOWN)
		group_server_died(g, now, "ganesha has died; starting it again in place");
	if (tag == FACTS_MONITOR && g->state == GS_STANDBY && g->prog.purpose == PURPOSE_NONE &&
	    f->server == SERVER_DOWN && !f->mounted)
		program_start(g, now, PURPOSE_REWARM, program_rewarm, true);
}

void group_clients_synced(struct group_core *g, int64_t now, bool ok, const struct err *e)
{
	source_clients_synced(g, now, ok, e);
}

void group_server_died(struct group_core *g, int64_t now, const char *reason)
{
	if (g->state == GS_ACTIVE) {
		group_begin_log(g, SWITCH_RESUME, g->j.epoch, NODE_NONE, g->cfg.self, now, "nasd: server died");
		activate(g, now, true, reason);
	} else if (g->state == GS_STANDBY && g->prog.purpose == PURPOSE_NONE) {
		program_start(g, now, PURPOSE_REWARM, program_rewarm, true);
	}
}

/* ---- time */

void group_tick(struct group_core *g, int64_t now)
{
	struct action *a;

	program_tick(g, now);
	source_tick(g, now);
	claim_tick(g, now);
	request_tick(g, now);
	if (now < g->next_monitor)
		return;
	g->next_monitor = now + g->cfg.monitor_us;
	if (g->state != GS_STANDBY && g->state != GS_ACTIVE)
		return; /* a move has better use for the time */
	a = group_push(g, ACT_FACTS);
	if (a)
		a->u.facts.tag = FACTS_MONITOR;
}

static void sooner(int64_t *t, int64_t when)
{
	if (when && when < *t)
		*t = when;
}

int64_t group_next_tick(const struct group_core *g)
{
	int64_t t = g->next_monitor;

	sooner(&t, g->prog.retry_at);
	if (g->prog.in_flight && !g->prog.overdue)
		sooner(&t, g->prog.step_began +
			       (int64_t)step_row(g->prog.steps[g->prog.index])->deadline_ms * 1000 + 1);
	if (g->gather.active)
		sooner(&t, g->gather.deadline);
	sooner(&t, g->phase_deadline);
	return t;
}

void group_look(const struct group_core *g, struct group_view *v)
{
	int peer = group_peer_index(g);

	memset(v, 0, sizeof(*v));
	v->state = g->state;
	v->detail = g->detail;
	v->epoch = g->j.epoch;
	v->owner = g->j.owner;
	v->peer_up = g->peer_up;
	v->first_activation = !g->j.active_boot[0];
	if (g->prog.in_flight) {
		v->step = g->prog.steps[g->prog.index];
		v->step_since_us = g->prog.step_began;
	}
	v->local = g->facts[g->cfg.self].valid ? &g->facts[g->cfg.self] : NULL;
	v->peer = g->facts[peer].valid ? &g->facts[peer] : NULL;
	v->log = g->log.kind != SWITCH_NONE ? &g->log : NULL;
}
