/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core's actions carried out, as sys/engine_actions.c does it. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STALL_EXTRA_US = 500000, RECORD_MIN_US = 200, RECORD_MAX_US = 8000, DRAIN_MAX = 5000,
       PROMOTE_PATIENCE_US = 5000000, NEVER_US = 1000000000 };

/* ---- faults */

static bool strikes(const struct sim_fault *f, int node, enum step_id step, bool verify)
{
	return f->kind != FAULT_NONE && f->node == node && f->step == step &&
	       verify == (f->kind == FAULT_VERIFY_UNKNOWN);
}

enum fault_kind sim_take_fault(struct sim *s, int node, enum step_id step, bool verify)
{
	for (size_t i = 0; i < SIM_FAULTS_MAX; i++) {
		struct sim_fault *f = &s->faults[i];
		enum fault_kind kind = f->kind;

		if (!strikes(f, node, step, verify))
			continue;
		if (--f->times == 0)
			f->kind = FAULT_NONE;
		sim_say(s, node, "fault at %s: %s", step_name(step), fault_name(kind));
		return kind;
	}
	return FAULT_NONE;
}

/* ---- the journal */

void sim_record_durable(struct sim *s, int node, const struct journal_rec *r)
{
	sim_record_written(s, node, r);
	s->n[node].n_synced = s->n[node].n_disk;
}

void sim_record_written(struct sim *s, int node, const struct journal_rec *r)
{
	struct sim_node *n = &s->n[node];

	if (n->n_disk == n->cap_disk) {
		n->cap_disk = n->cap_disk ? n->cap_disk * 2 : 64;
		n->disk = realloc(n->disk, n->cap_disk * sizeof(n->disk[0]));
		if (!n->disk)
			abort();
	}
	n->disk[n->n_disk++] = *r;
	promises_record(s, node, r);
}

/* A full disk, for some writes. */
static bool write_fails(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];

	if (!n->bad_writes)
		return false;
	n->bad_writes--;
	sim_say(s, node, "a write to the journal fails");
	return true;
}

static enum step_id step_of_record(const struct journal_rec *r)
{
	if (!strcmp(r->kind, "begin") || !strcmp(r->kind, "prepared"))
		return STEP_RESERVE;
	return !strcmp(r->kind, "owner") ? STEP_COMMIT : STEP_NONE;
}

static void write_record(struct sim *s, int node, const struct journal_rec *r)
{
	struct sim_node *n = &s->n[node];
	enum step_id step = step_of_record(r);

	sim_say(s, node, "journal %s %llu %d", r->kind, (unsigned long long)r->epoch, r->owner);
	n->rec = *r;
	n->rec.wall_us = sim_wall(s);
	n->journal_wait = true;
	n->journal_fault = step == STEP_NONE ? FAULT_NONE : sim_take_fault(s, node, step, false);
	n->journal_due = s->now + prng_range(&s->r, RECORD_MIN_US, RECORD_MAX_US);
	if (n->journal_fault == FAULT_STALL)
		n->journal_due += (int64_t)step_row(step)->deadline_ms * 1000 + STALL_EXTRA_US;
}

static void restart_soon(struct sim *s, int node)
{
	(void)node;
	for (int i = 0; i < 2; i++)
		if (s->n[i].poisoned)
			sim_kill_now(s, i, false, true), s->n[i].restart_at = s->now + 100000;
}

/* A failed sync: whether the record will be read after a restart is open, and
 * nothing more can be written until then. */
static void poison(struct sim *s, int node, bool kept)
{
	struct sim_node *n = &s->n[node];

	if (kept)
		sim_record_durable(s, node, &n->rec);
	n->poisoned = true;
	sim_say(s, node, "the journal fails (%s)", kept ? "kept" : "lost");
	sim_at(s, 3000000, restart_soon, node);
}

void sim_journal_finished(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];
	struct err e = { .cls = ERR_SYSTEM, .where = "journal", .msg = "cannot be written" };
	struct journal_rec rec = n->rec;
	bool ok = false;

	n->journal_wait = false;
	if (!n->poisoned && !write_fails(s, node)) {
		switch (n->journal_fault) {
		case FAULT_FAIL: break;
		case FAULT_UNKNOWN_DONE: poison(s, node, true); break;
		case FAULT_UNKNOWN_NOT: poison(s, node, false); break;
		case FAULT_NONE:
		case FAULT_STALL:
		case FAULT_VERIFY_UNKNOWN:
			sim_record_durable(s, node, &rec);
			ok = true;
			break;
		}
	}
	group_journaled(n->core, sim_clock(s, node), &rec, ok, ok ? NULL : &e);
}

/* ---- the lane */

void sim_lane_next(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];
	struct sim_job *j = &n->lane[0];

	if (!n->n_lane || j->end)
		return;
	j->start = sim_clock(s, node);
	j->end = s->now + prng_range(&s->r, 100, s->step_us);
	j->fault = sim_take_fault(s, node, j->step, j->op == OP_VERIFY);
	if (j->fault == FAULT_STALL)
		j->end += (int64_t)step_row(j->step)->deadline_ms * 1000 + STALL_EXTRA_US;
}

static void submit(struct sim *s, int node, const struct action *a)
{
	struct sim_node *n = &s->n[node];

	sim_say(s, node, "%s %s", a->u.run.op == OP_RUN ? "run" : "verify", step_name(a->u.run.step));
	if (a->u.run.op == OP_RUN)
		promises_before_run(s, node, a->u.run.step);
	if (n->n_lane == SIM_LANE_MAX) {
		sim_broken(s, "node %d submits steps without end", node);
		return;
	}
	n->lane[n->n_lane++] = (struct sim_job){ .step = a->u.run.step, .op = a->u.run.op,
						 .has_rec = a->u.run.has_rec, .rec = a->u.run.rec };
	sim_lane_next(s, node);
}

/* The rows that end only when DRBD lets them: a promotion that asks the handler,
 * a mount and an unmount with writes that are held. */
static bool held_up(struct sim *s, int node, struct sim_job *j)
{
	bool waits, writes = j->step == STEP_UNMOUNT ? s->w.m[node].mounted : j->step == STEP_MOUNT;

	if (j->op == OP_VERIFY || j->fault == FAULT_FAIL || j->fault == FAULT_UNKNOWN_NOT || j->waits)
		return false;
	if (writes)
		waits = drbd_held(&s->w.d, node);
	else
		waits = j->step == STEP_DRBD_PRIMARY && drbd_promote(&s->w.d, &s->r, s->now, node) == DRBD_ASKS;
	if (!waits)
		return false;
	j->waits = true;
	j->end = s->now + (writes ? NEVER_US : PROMOTE_PATIENCE_US);
	return true;
}

static enum outcome promoted(struct sim *s, int node, const struct sim_job *j, char *msg)
{
	if (s->w.d.e[node].asks_promotion)
		return OUTCOME_UNKNOWN;
	if (j->waits ? s->w.d.e[node].primary : drbd_promote(&s->w.d, &s->r, s->now, node) == DRBD_PROMOTED)
		return OUTCOME_DONE;
	snprintf(msg, 200, "DRBD refuses");
	return OUTCOME_FAILED;
}

static enum outcome run_job(struct sim *s, int node, struct sim_job *j, char *msg, struct err *e)
{
	enum outcome o = OUTCOME_DONE;

	if (j->fault == FAULT_FAIL || j->fault == FAULT_UNKNOWN_NOT || j->fault == FAULT_VERIFY_UNKNOWN) {
		err_set(e, ERR_SYSTEM, 0, step_name(j->step), "injected");
		return j->fault == FAULT_FAIL ? OUTCOME_FAILED : OUTCOME_UNKNOWN;
	}
	if (j->op == OP_VERIFY)
		return world_verify(&s->w, node, j->step);
	if (j->has_rec && (s->n[node].poisoned || write_fails(s, node))) {
		err_set(e, ERR_SYSTEM, 0, "journal", "cannot be written");
		return OUTCOME_FAILED;
	}
	if (j->has_rec)
		sim_record_written(s, node, &j->rec);
	o = j->step == STEP_DRBD_PRIMARY ? promoted(s, node, j, msg) : world_run(&s->w, node, j->step, msg);
	if (o == OUTCOME_UNKNOWN)
		err_set(e, ERR_TIMEOUT, 0, step_name(j->step), "DRBD has not answered");
	else if (o == OUTCOME_FAILED)
		err_set(e, ERR_SYSTEM, 0, step_name(j->step), "%s", msg);
	return j->fault == FAULT_UNKNOWN_DONE && o == OUTCOME_DONE ? OUTCOME_UNKNOWN : o;
}

void sim_lane_finished(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];
	struct sim_job j = n->lane[0];
	struct step_report r = { .step = j.step, .node = node };
	struct err e = { .cls = ERR_NONE };

	if (held_up(s, node, &n->lane[0]))
		return;
	r.outcome = run_job(s, node, &j, r.message, &e);
	promises_answered(s, node, &j, r.outcome);
	r.start_us = j.start;
	r.duration_us = sim_clock(s, node) - j.start;
	sim_drbd_changed(s);
	n->n_lane--;
	memmove(n->lane, n->lane + 1, n->n_lane * sizeof(n->lane[0]));
	sim_say(s, node, "%s %s: %s %s", j.op == OP_RUN ? "ran" : "verified", step_name(j.step),
		outcome_name(r.outcome), r.message);
	sim_lane_next(s, node);
	group_step_done(n->core, sim_clock(s, node), &r, j.op, &e);
}

/* ---- the rest */

static void send_msg(struct sim *s, int node, const struct peer_msg *m)
{
	if (!s->link.up[node])
		return;
	sim_say(s, node, "sends %s %llu", msg_type_name(m->type), (unsigned long long)m->epoch);
	promises_before_send(s, node, m);
	link_send(&s->link, &s->r, s->now, node, m);
	s->messages++;
	if (s->cut_at_msg < 0 || --s->cut_at_msg >= 0)
		return;
	s->cut_struck = true;
	sim_cut(s, false);
}

static void report(struct sim *s, int node, const struct action *a)
{
	struct peer_msg m = { .type = MSG_STEP, .u.step = a->u.report.report };

	if (!a->u.report.local)
		return;
	if (a->u.report.report.step == STEP_FENCE && a->u.report.report.outcome == OUTCOME_DONE)
		promises_takeover(s, node);
	snprintf(m.group, sizeof(m.group), "vmstore");
	send_msg(s, node, &m);
}

static void collect(struct sim *s, int node, const struct action *a)
{
	struct sim_node *n = &s->n[node];

	/* one collector: of two that are asked for, the later one answers */
	n->seen[a->u.facts.tag].valid = false;
	if (prng_chance(&s->r, 50)) /* early, or late in the time that it takes */
		world_facts(&s->w, node, &n->seen[a->u.facts.tag]);
	n->seen[a->u.facts.tag].collected_us = sim_clock(s, node);
	n->facts_due[a->u.facts.tag] = s->now + prng_range(&s->r, 300, a->u.facts.probe ? 600000 : 20000);
	if (a->u.facts.tag == FACTS_MONITOR)
		return;
	for (size_t i = 0; i < SIM_FAULTS_MAX; i++)
		if (strikes(&s->faults[i], node, STEP_CHECK, false) && s->faults[i].kind == FAULT_STALL) {
			sim_take_fault(s, node, STEP_CHECK, false);
			n->facts_due[a->u.facts.tag] += 5500000;
		}
}

static void sync_clients(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];
	enum fault_kind k = sim_take_fault(s, node, STEP_CLIENTS, false);

	n->sync_due = s->now + prng_range(&s->r, 300, 30000);
	n->sync_ok = s->link.up[node] && (k == FAULT_NONE || k == FAULT_STALL);
	if (k == FAULT_STALL)
		n->sync_due += 5500000;
}

static void reply(struct sim *s, int node, const struct action *a)
{
	struct sim_reply *p;

	sim_say(s, node, "reply %llu: %s %s", (unsigned long long)a->u.reply.id, a->u.reply.ok ? "ok" : "no",
		a->u.reply.err.msg);
	if (!a->u.reply.id)
		return; /* nasd asked itself */
	if (a->u.reply.id > s->n_replies) {
		sim_broken(s, "node %d answers request %llu, which nobody made", node, (unsigned long long)a->u.reply.id);
		return;
	}
	p = &s->replies[a->u.reply.id - 1];
	if (p->node != node || p->life != s->n[node].life)
		sim_broken(s, "node %d answers request %llu of another", node, (unsigned long long)a->u.reply.id);
	if (++p->replies > 1)
		sim_broken(s, "request %llu is answered twice", (unsigned long long)a->u.reply.id);
	p->answered = s->now;
	s->n[node].waits_for_go = s->n[node].waits_for_go && !p->hold_us;
	p->ok = a->u.reply.ok;
	p->err = a->u.reply.err;
	p->n_findings = a->u.reply.n_findings;
	if (!p->ok && (!p->err.msg[0] || !p->err.remedy[0]))
		sim_broken(s, "request %llu fails without a word or a remedy: '%.100s'", (unsigned long long)p->id,
			   p->err.msg);
}

static void held(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];

	sim_say(s, node, "held");
	s->held++;
	n->waits_for_go = true;
	switch (s->when_held) {
	case HELD_WAITS: break;
	case HELD_GOES: sim_go(s, node); break;
	case HELD_LEAVES: group_forsaken(n->core, sim_clock(s, node), s->n_replies); break;
	case HELD_WILL_GO: sim_at(s, prng_range(&s->r, 0, prng_chance(&s->r, 50) ? 300000 : 12000000), sim_go, node); break;
	}
}

static void perform(struct sim *s, int node, const struct action *a)
{
	switch (a->type) {
	case ACT_RUN: submit(s, node, a); break;
	case ACT_JOURNAL: write_record(s, node, &a->u.rec); break;
	case ACT_SEND: send_msg(s, node, &a->u.msg); break;
	case ACT_FACTS: collect(s, node, a); break;
	case ACT_SYNC_CLIENTS: sync_clients(s, node); break;
	case ACT_REPORT: report(s, node, a); break;
	case ACT_HELD: held(s, node); break;
	case ACT_REPLY: reply(s, node, a); break;
	case ACT_STATE:
		sim_say(s, node, "state %s -> %s: %s", group_state_name(a->u.state.old),
			group_state_name(a->u.state.now), a->u.state.reason);
		break;
	case ACT_FINISHED:
		s->n[node].finished++;
		s->takeovers += a->u.finished.log.kind == SWITCH_TAKEOVER && a->u.finished.log.result == RESULT_DONE;
		break;
	case ACT_FENCE: sim_fence(s, node, a); break;
	case ACT_WITNESS: sim_ask_witness(s, node); break;
	case ACT_OUTDATE: sim_outdate(s, node); break;
	case ACT_RESUME_IO: sim_resume_io(s, node); break;
	case ACT_DRBD_ANSWER: sim_drbd_answer(s, node, a->u.drbd.answer); break;
	}
}

/* The armed kill, when its moment has come. */
static bool struck(struct sim *s, int node, bool after)
{
	struct sim_kill *k = &s->kill;

	if (!k->armed || k->node != node || s->n[node].actions != k->index + (after ? 1 : 0) ||
	    after == (k->when == KILL_BEFORE))
		return false;
	k->armed = false;
	s->killed = true;
	sim_kill_now(s, node, k->power, k->when == KILL_KEPT);
	s->n[node].restart_at = s->now + k->restart_after;
	return true;
}

void sim_drain(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];
	struct action *a = malloc(sizeof(*a));
	unsigned budget = DRAIN_MAX;

	if (!a)
		abort();
	while (n->core && !n->journal_wait && !s->broken[0] && group_next_action(n->core, a)) {
		if (struck(s, node, false))
			break;
		perform(s, node, a);
		n->actions++;
		if (struck(s, node, true))
			break;
		if (--budget == 0)
			sim_broken(s, "node %d acts without end", node);
	}
	free(a);
}
