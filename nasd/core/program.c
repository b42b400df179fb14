/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a program: row after row, with the three outcomes. Nothing else in the
 * core starts a step.
 *
 *   run -> done    next row
 *       -> failed  the program has failed
 *       -> unknown verify -> done: next row; failed: the program has failed;
 *                            unknown: look again, until the row's deadline
 *
 * A program that looks first runs only the rows that are not in place. Before
 * it rebuilds the service in that way it makes sure that no floating address is
 * left: a server that comes up under one answers before its exports are there.
 */
#include "group_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_AGAIN_US = 200000, RETRY_MIN_US = 100000, RETRY_MAX_US = 5000000 };

enum step_id program_step(const struct group_core *g)
{
	if (!g->prog.steps)
		return STEP_NONE;
	return g->prog.guarding ? STEP_ADDRESS_DEL : g->prog.steps[g->prog.index];
}

static int64_t deadline_us(enum step_id step)
{
	return (int64_t)step_row(step)->deadline_ms * 1000;
}

static void emit(struct group_core *g, int64_t now, enum step_op op)
{
	struct action *a = group_push(g, ACT_RUN);
	enum step_id step = program_step(g);

	g->prog.op = op;
	g->prog.in_flight = true;
	if (op == OP_RUN && !g->prog.unknown) {
		g->prog.step_began = now;
		g->prog.overdue = false;
	}
	if (!a)
		return;
	a->u.run.step = step;
	a->u.run.op = op;
	a->u.run.has_rec = op == OP_RUN;
	if (a->u.run.has_rec) {
		uint64_t epoch = g->j.phase != TXN_NONE ? g->j.txn_epoch : g->j.epoch;

		group_fill_rec(g, &a->u.run.rec, "intent", epoch, g->j.owner);
		snprintf(a->u.run.rec.step, sizeof(a->u.run.rec.step), "%s", step_name(step));
		journal_fold(&g->j, &a->u.run.rec);
	}
}

static void next(struct group_core *g, int64_t now)
{
	enum purpose purpose = g->prog.purpose;

	if (program_step(g) == STEP_NONE) {
		g->prog.steps = NULL;
		g->prog.purpose = PURPOSE_NONE;
		group_program_done(g, now, purpose);
		return;
	}
	g->prog.step_began = now;
	g->prog.overdue = false;
	emit(g, now, g->prog.verify_first ? OP_VERIFY : OP_RUN);
}

/* A step that was not handed out yet is not run; of one that was, the answer
 * will come and must not be taken for that of a later one. */
static void give_up(struct group_core *g)
{
	if (g->prog.in_flight && !group_drop_run(g))
		g->stale++;
	g->prog.in_flight = false;
}

void program_start(struct group_core *g, int64_t now, enum purpose purpose, const enum step_id *steps,
		   bool verify_first)
{
	unsigned attempts = g->prog.purpose == purpose ? g->prog.attempts : 0;

	program_stop(g);
	g->prog.purpose = purpose;
	g->prog.steps = steps;
	g->prog.verify_first = verify_first;
	g->prog.attempts = attempts;
	if (purpose == PURPOSE_ACTIVATE && g->n_unwritten)
		program_hold(g, now);
	else
		next(g, now);
}

void program_stop(struct group_core *g)
{
	give_up(g);
	memset(&g->prog, 0, sizeof(g->prog));
}

static void failed(struct group_core *g, int64_t now, const struct err *e)
{
	enum purpose purpose = g->prog.purpose;

	g->prog.steps = NULL;
	g->prog.unknown = false;
	g->prog.guarding = false;
	group_program_failed(g, now, purpose, e);
}

/* Only before the commitment is there a way back. */
static bool can_abort(const struct group_core *g)
{
	return g->prog.purpose == PURPOSE_PRESYNC || g->prog.purpose == PURPOSE_RELEASE;
}

/* The step's effect is in place: on to the next row, or back if that was asked for. */
static void in_place(struct group_core *g, int64_t now)
{
	g->prog.unknown = false;
	if (g->abort_pending && can_abort(g)) {
		struct err e = g->abort_err;

		failed(g, now, &e);
		return;
	}
	if (g->prog.guarding) {
		g->prog.guarding = false;
		emit(g, now, OP_RUN); /* the row that it was for */
		return;
	}
	g->prog.index++;
	next(g, now);
}

/* Looked first: it has to be done. */
static void not_in_place(struct group_core *g, int64_t now)
{
	bool rebuilds = g->prog.purpose == PURPOSE_ACTIVATE &&
			step_row(program_step(g))->stage == STAGE_ACQUIRE;

	if (!rebuilds || g->prog.guarded) {
		emit(g, now, OP_RUN);
		return;
	}
	g->prog.guarded = true;
	g->prog.guarding = true;
	emit(g, now, OP_VERIFY);
}

static void look_again(struct group_core *g, int64_t now, const struct step_report *r)
{
	struct err e;

	if (now - g->prog.step_began <= deadline_us(r->step)) {
		g->prog.retry_at = now + LOOK_AGAIN_US;
		return;
	}
	group_report(g, g->prog.unknown ? &g->prog.unknown_report : r, true);
	err_set(&e, ERR_TIMEOUT, ETIMEDOUT, step_name(r->step), "cannot be told whether it is in place: %s",
		r->message);
	err_remedy(&e, "see the log of nasd for what does not answer");
	failed(g, now, &e);
}

/* After an unknown outcome the world has said which it was. */
static void known(struct group_core *g, int64_t now, const struct step_report *r)
{
	struct step_report rep = g->prog.unknown_report;
	struct err e;

	rep.outcome = r->outcome;
	if (r->outcome == OUTCOME_DONE)
		rep.duration_us = r->start_us + r->duration_us - rep.start_us;
	group_report(g, &rep, true);
	if (r->outcome == OUTCOME_DONE) {
		in_place(g, now);
		return;
	}
	err_set(&e, ERR_SYSTEM, EIO, step_name(r->step), "its outcome was unknown, and it is not in place%s%s",
		rep.message[0] ? ": " : "", rep.message);
	failed(g, now, &e);
}

static void verified(struct group_core *g, int64_t now, const struct step_report *r)
{
	struct step_report rep = *r;

	if (r->outcome == OUTCOME_UNKNOWN) {
		look_again(g, now, r);
	} else if (g->prog.unknown) {
		known(g, now, r);
	} else if (r->outcome == OUTCOME_FAILED) {
		not_in_place(g, now);
	} else {
		rep.skipped = true;
		if (!g->prog.guarding)
			group_report(g, &rep, true);
		in_place(g, now);
	}
}

void program_step_done(struct group_core *g, int64_t now, const struct step_report *r, enum step_op op,
		       const struct err *e)
{
	struct err fail;

	if (g->stale) {
		g->stale--; /* of a program that was given up */
		return;
	}
	if (!g->prog.in_flight || r->step != program_step(g) || op != g->prog.op)
		return;
	g->prog.in_flight = false;
	if (op == OP_VERIFY) {
		verified(g, now, r);
		return;
	}
	switch (r->outcome) {
	case OUTCOME_DONE:
		group_report(g, r, true);
		in_place(g, now);
		return;
	case OUTCOME_FAILED:
		group_report(g, r, true);
		fail = *e;
		failed(g, now, &fail);
		return;
	case OUTCOME_UNKNOWN:
		g->prog.unknown = true;
		g->prog.unknown_report = *r;
		emit(g, now, OP_VERIFY);
		return;
	}
}

static const enum step_id *program_of(const struct group_core *g, enum purpose p)
{
	switch (p) {
	case PURPOSE_ACTIVATE: return server_rows(g);
	case PURPOSE_STANDDOWN: return program_standdown;
	case PURPOSE_REWARM: return program_rewarm;
	case PURPOSE_CONFIRM: return program_confirm;
	case PURPOSE_NONE:
	case PURPOSE_WARM:
	case PURPOSE_PRESYNC:
	case PURPOSE_RELEASE: return NULL;
	}
	return NULL;
}

/* A program that must get there in the end is tried again, later each time. */
static void retry_later(struct group_core *g, int64_t now)
{
	int64_t wait = RETRY_MIN_US;

	for (unsigned i = 0; i < g->prog.attempts && wait < RETRY_MAX_US; i++)
		wait *= 2;
	g->prog.attempts++;
	g->prog.retry_at = now + (wait < RETRY_MAX_US ? wait : RETRY_MAX_US);
}

void group_program_failed(struct group_core *g, int64_t now, enum purpose purpose, const struct err *e)
{
	char text[ERR_MSG_MAX + ERR_WHERE_MAX + ERR_REMEDY_MAX];

	err_format(e, text, sizeof(text));
	switch (purpose) {
	case PURPOSE_WARM:
		target_warm_failed(g, now, e);
		return;
	case PURPOSE_PRESYNC:
	case PURPOSE_RELEASE:
		source_abort(g, now, e);
		return;
	case PURPOSE_ACTIVATE:
	case PURPOSE_STANDDOWN:
	case PURPOSE_REWARM:
		group_set_state(g, g->state, "trying again after: %.180s", text);
		retry_later(g, now);
		if (purpose == PURPOSE_ACTIVATE)
			server_restart_failed(g, now, e);
		return;
	case PURPOSE_CONFIRM:
		g->prog.purpose = PURPOSE_NONE;
		target_confirmed(g, now);
		return;
	case PURPOSE_NONE:
		return;
	}
}

void program_hold(struct group_core *g, int64_t now)
{
	if (g->prog.purpose != PURPOSE_ACTIVATE || (g->prog.in_flight && !group_drop_run(g)))
		return; /* what has been handed out ends by itself */
	g->prog.in_flight = false;
	g->prog.unknown = false;
	g->prog.guarding = false;
	g->prog.steps = NULL;
	retry_later(g, now);
}

void program_unhold(struct group_core *g, int64_t now)
{
	if (g->prog.purpose == PURPOSE_ACTIVATE && !g->prog.steps)
		g->prog.retry_at = now;
}

static void overdue(struct group_core *g, int64_t now)
{
	enum step_id step = program_step(g);
	struct err e;

	g->prog.overdue = true;
	group_set_state(g, g->state, "step %s is overdue (deadline %u ms)", step_name(step),
			step_row(step)->deadline_ms);
	err_set(&e, ERR_TIMEOUT, ETIMEDOUT, step_name(step), "took longer than its deadline of %u ms",
		step_row(step)->deadline_ms);
	err_remedy(&e, "see the log of nasd for what it waited for");
	if (g->state == GS_SWITCHING)
		source_abort(g, now, &e);
	else if (g->prog.purpose == PURPOSE_WARM)
		target_warm_failed(g, now, &e);
}

static void retry(struct group_core *g, int64_t now)
{
	const enum step_id *steps = program_of(g, g->prog.purpose);

	g->prog.retry_at = 0;
	if (g->prog.steps) /* the world has not said yet */
		emit(g, now, OP_VERIFY);
	else if (steps)
		program_start(g, now, g->prog.purpose, steps, true);
}

void program_start_later(struct group_core *g, int64_t at, enum purpose purpose)
{
	program_stop(g);
	g->prog.purpose = purpose;
	g->prog.retry_at = at;
}

void program_tick(struct group_core *g, int64_t now)
{
	if (g->prog.in_flight) {
		if (!g->prog.overdue && now - g->prog.step_began > deadline_us(program_step(g)))
			overdue(g, now);
	} else if (g->prog.retry_at && now >= g->prog.retry_at) {
		retry(g, now);
	}
}

int64_t program_next_tick(const struct group_core *g)
{
	if (g->prog.in_flight)
		return g->prog.overdue ? 0 : g->prog.step_began + deadline_us(program_step(g)) + 1;
	return g->prog.retry_at;
}
