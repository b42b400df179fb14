/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a program: row after row, with the three outcomes. Nothing else in the
 * core starts a step.
 *
 *   run -> done    next row
 *       -> failed  the program has failed
 *       -> unknown verify -> done: next row; failed: the program has failed;
 *                            unknown: look again, until the row's deadline
 */
#include "group_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LOOK_AGAIN_US = 200000, RETRY_MIN_US = 100000, RETRY_MAX_US = 5000000 };

static enum step_id current(const struct group_core *g)
{
	return g->prog.steps ? g->prog.steps[g->prog.index] : STEP_NONE;
}

static void emit(struct group_core *g, int64_t now, enum step_op op)
{
	struct action *a = group_push(g, ACT_RUN);
	enum step_id step = current(g);

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

	g->prog.unknown = false;
	if (current(g) == STEP_NONE) {
		g->prog.steps = NULL;
		g->prog.purpose = PURPOSE_NONE;
		group_program_done(g, now, purpose);
		return;
	}
	g->prog.step_began = now;
	g->prog.overdue = false;
	emit(g, now, g->prog.verify_first ? OP_VERIFY : OP_RUN);
}

void program_start(struct group_core *g, int64_t now, enum purpose purpose, const enum step_id *steps,
		   bool verify_first)
{
	bool again = g->prog.purpose == purpose;
	unsigned attempts = again ? g->prog.attempts : 0;

	memset(&g->prog, 0, sizeof(g->prog));
	g->prog.purpose = purpose;
	g->prog.steps = steps;
	g->prog.verify_first = verify_first;
	g->prog.attempts = attempts;
	g->prog.began = now;
	next(g, now);
}

void program_stop(struct group_core *g)
{
	memset(&g->prog, 0, sizeof(g->prog));
}

static void failed(struct group_core *g, int64_t now, const struct err *e)
{
	enum purpose purpose = g->prog.purpose;

	g->prog.steps = NULL;
	g->prog.unknown = false;
	group_program_failed(g, now, purpose, e);
}

static void add_report(struct group_core *g, const struct step_report *r)
{
	struct action *a = group_push(g, ACT_REPORT);

	switch_log_add(&g->log, r);
	if (a) {
		a->u.report.report = *r;
		a->u.report.local = true;
	}
}

/* The step's effect is in place: on to the next row, or back if that was asked for. */
static void in_place(struct group_core *g, int64_t now)
{
	g->prog.unknown = false;
	g->prog.index++;
	if (g->abort_pending && g->prog.purpose != PURPOSE_ACTIVATE) {
		struct err e = g->abort_err;

		g->abort_pending = false;
		failed(g, now, &e);
		return;
	}
	next(g, now);
}

static void verified(struct group_core *g, int64_t now, const struct step_report *r)
{
	struct step_report rep = *r;
	struct err e;

	switch (r->outcome) {
	case OUTCOME_DONE:
		if (g->prog.unknown) {
			rep = g->prog.unknown_report;
			rep.outcome = OUTCOME_DONE;
			rep.duration_us = r->start_us + r->duration_us - rep.start_us;
		} else {
			rep.skipped = true;
		}
		add_report(g, &rep);
		in_place(g, now);
		return;
	case OUTCOME_FAILED:
		if (!g->prog.unknown) { /* verify first: it has to be done */
			emit(g, now, OP_RUN);
			return;
		}
		rep = g->prog.unknown_report;
		rep.outcome = OUTCOME_FAILED;
		add_report(g, &rep);
		err_set(&e, ERR_SYSTEM, EIO, step_name(r->step), "%s", rep.message);
		failed(g, now, &e);
		return;
	case OUTCOME_UNKNOWN:
		break;
	}
	if (now - g->prog.step_began > (int64_t)step_row(r->step)->deadline_ms * 1000) {
		add_report(g, &rep);
		err_set(&e, ERR_TIMEOUT, ETIMEDOUT, step_name(r->step), "cannot be told whether it is in place: %s",
			r->message);
		failed(g, now, &e);
		return;
	}
	g->prog.unknown = true;
	g->prog.unknown_report = rep;
	g->prog.retry_at = now + LOOK_AGAIN_US;
}

void program_step_done(struct group_core *g, int64_t now, const struct step_report *r, enum step_op op,
		       const struct err *e)
{
	struct err fail;

	if (!g->prog.in_flight || r->step != current(g) || op != g->prog.op)
		return; /* of a program that was given up */
	g->prog.in_flight = false;
	if (op == OP_VERIFY) {
		verified(g, now, r);
		return;
	}
	switch (r->outcome) {
	case OUTCOME_DONE:
		add_report(g, r);
		in_place(g, now);
		return;
	case OUTCOME_FAILED:
		add_report(g, r);
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

static const enum step_id *program_of(enum purpose p)
{
	switch (p) {
	case PURPOSE_ACTIVATE: return program_activate;
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
		return;
	case PURPOSE_CONFIRM:
		g->prog.purpose = PURPOSE_NONE;
		target_confirmed(g, now);
		return;
	case PURPOSE_NONE:
		return;
	}
}

void program_tick(struct group_core *g, int64_t now)
{
	if (g->prog.in_flight) {
		enum step_id step = current(g);

		if (!g->prog.overdue && now - g->prog.step_began > (int64_t)step_row(step)->deadline_ms * 1000) {
			g->prog.overdue = true;
			group_set_state(g, g->state, "step %s is overdue (deadline %u ms)", step_name(step),
					step_row(step)->deadline_ms);
			if (g->state == GS_SWITCHING && !g->abort_pending) {
				g->abort_pending = true;
				err_set(&g->abort_err, ERR_TIMEOUT, ETIMEDOUT, step_name(step),
					"took longer than its deadline of %u ms", step_row(step)->deadline_ms);
				err_remedy(&g->abort_err, "see the log of nasd for what it waited for");
			}
		}
		return;
	}
	if (!g->prog.retry_at || now < g->prog.retry_at)
		return;
	g->prog.retry_at = 0;
	if (g->prog.unknown) {
		emit(g, now, OP_VERIFY);
	} else {
		const enum step_id *steps = program_of(g->prog.purpose);

		if (steps)
			program_start(g, now, g->prog.purpose, steps, true);
	}
}
