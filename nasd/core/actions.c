/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queue of actions, and what is put into it: messages, records, reports. */
#include "group_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the queue: q[q_head .. q_end) */

static bool make_room(struct group_core *g)
{
	struct action *q;
	size_t cap;

	if (g->q_end < g->q_cap)
		return true;
	if (g->q_head) {
		g->q_end -= g->q_head;
		memmove(g->queue, g->queue + g->q_head, g->q_end * sizeof(*g->queue));
		g->q_head = 0;
		return true;
	}
	cap = g->q_cap ? g->q_cap * 2 : 16;
	q = realloc(g->queue, cap * sizeof(*q));
	if (!q)
		return false;
	g->queue = q;
	g->q_cap = cap;
	return true;
}

struct action *group_push(struct group_core *g, enum action_type type)
{
	struct action *a;

	if (!make_room(g)) {
		g->q_failed = true;
		return NULL;
	}
	a = &g->queue[g->q_end++];
	memset(a, 0, sizeof(*a));
	a->type = type;
	return a;
}

bool group_next_action(struct group_core *g, struct action *a)
{
	if (g->q_failed)
		abort(); /* an action lost would be a promise broken */
	if (g->q_head == g->q_end)
		return false;
	*a = g->queue[g->q_head++];
	if (g->q_head == g->q_end)
		g->q_head = g->q_end = 0;
	return true;
}

static void take_out(struct group_core *g, size_t i)
{
	memmove(g->queue + i, g->queue + i + 1, (--g->q_end - i) * sizeof(*g->queue));
}

bool group_drop_message(struct group_core *g, enum msg_type type)
{
	bool dropped = false;

	for (size_t i = g->q_head; i < g->q_end;) {
		if (g->queue[i].type != ACT_SEND || g->queue[i].u.msg.type != type) {
			i++;
			continue;
		}
		take_out(g, i);
		dropped = true;
	}
	return dropped;
}

bool group_drop_run(struct group_core *g)
{
	for (size_t i = g->q_head; i < g->q_end; i++) {
		if (g->queue[i].type != ACT_RUN)
			continue;
		take_out(g, i);
		return true;
	}
	return false;
}

/* ---- state */

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
	if (old == s)
		return;
	g->phase_deadline = 0; /* a deadline belongs to the state that set it */
	group_send_hello(g);
}

/* ---- messages */

struct peer_msg *group_send(struct group_core *g, enum msg_type type, uint64_t epoch)
{
	struct action *a;

	if (!g->peer_up)
		return NULL;
	a = group_push(g, ACT_SEND);
	if (!a)
		return NULL;
	a->u.msg.type = type;
	a->u.msg.epoch = epoch;
	snprintf(a->u.msg.group, sizeof(a->u.msg.group), "%s", g->cfg.name);
	return &a->u.msg;
}

struct peer_msg *group_send_err(struct group_core *g, enum msg_type type, uint64_t epoch, const struct err *e)
{
	struct peer_msg *m = group_send(g, type, epoch);

	if (!m)
		return NULL;
	m->u.answer.ok = !e;
	if (e)
		m->u.answer.err = *e;
	return m;
}

bool group_may_serve(const struct group_core *g)
{
	const struct facts *f = &g->facts[g->cfg.self];

	if (g->state != GS_STANDBY && g->state != GS_PREPARED && g->state != GS_CLAIMING)
		return true;
	if (!f->valid)
		return false;
	for (unsigned i = 0; i < f->n_addresses && i < GROUP_ADDRS_MAX; i++)
		if (f->addresses[i].present)
			return true;
	return f->mounted || !strcmp(f->drbd_role, "Primary");
}

void group_send_hello(struct group_core *g)
{
	struct peer_msg *m = group_send(g, MSG_HELLO, g->j.epoch);
	struct msg_hello *h;

	if (!m)
		return;
	h = &m->u.hello;
	h->epoch = g->j.epoch;
	h->max_epoch = g->j.max_epoch;
	h->owner = g->j.owner;
	h->phase = g->j.phase;
	h->txn_epoch = g->j.txn_epoch;
	h->serving = g->said_serving = group_may_serve(g);
	h->active = g->state == GS_ACTIVE || g->state == GS_SWITCHING;
}

/* ---- records */

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

uint64_t group_new_epoch(const struct group_core *g)
{
	uint64_t e = g->j.max_epoch + 1;

	return (e & 1) == (uint64_t)g->cfg.self ? e : e + 1;
}

/* ---- the log of a move */

static void hand_out_log(struct group_core *g, bool provisional)
{
	struct action *a = group_push(g, ACT_FINISHED);

	g->log_unsaved = provisional;
	if (!a)
		return;
	a->u.finished.provisional = provisional;
	a->u.finished.log = g->log;
}

void group_core_report(struct group_core *g, enum step_id step, int64_t start, int64_t now,
		       enum outcome outcome, const char *message)
{
	struct step_report r = { .step = step, .node = g->cfg.self, .outcome = outcome,
				 .start_us = start, .duration_us = now - start };

	snprintf(r.message, sizeof(r.message), "%s", message);
	group_report(g, &r, true);
}

void group_report(struct group_core *g, const struct step_report *r, bool local)
{
	struct action *a = group_push(g, ACT_REPORT);

	switch_log_add(&g->log, r);
	if (!a)
		return;
	a->u.report.report = *r;
	a->u.report.local = local;
}

bool group_log_running(const struct group_core *g)
{
	return g->log.kind != SWITCH_NONE && g->log.result == RESULT_RUNNING;
}

void group_begin_log(struct group_core *g, int64_t now, enum switch_kind kind, uint64_t epoch, int source,
		     int target, const char *by)
{
	struct err e;

	err_set(&e, ERR_PEER, 0, "nasd", "given up for another move, under epoch %llu", (unsigned long long)epoch);
	group_finish_log(g, now, RESULT_FAILED, &e);
	g->log_unsaved = false; /* its warm start was given up; the provisional entry stands */
	switch_log_begin(&g->log, kind, epoch, source, target, now, by);
}

void group_finish_log(struct group_core *g, int64_t now, enum switch_result result, const struct err *e)
{
	if (!group_log_running(g))
		return;
	g->log.result = result;
	g->log.ended_us = now;
	if (result == RESULT_DONE && g->log.target == g->cfg.self && g->log.kind != SWITCH_RESUME)
		g->moved_at = now;
	if (e)
		g->log.error = *e;
	hand_out_log(g, g->prog.purpose == PURPOSE_REWARM);
}

void group_save_log(struct group_core *g)
{
	if (g->log_unsaved)
		hand_out_log(g, false);
}
