/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core's actions carried out. */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "announce.h"
#include "clocks.h"
#include "log.h"

/* For the records of a move: the journal's, the clients', the server's epoch. */
enum { STATE_ROOM_MIN = 4 << 20, STATE_FILES_MIN = 512 };

/* So long the loop may wait for a row: less than any of its timers is worth. */
enum { AWAIT_US = 30000 };

/* ---- steps */

struct step_job {
	struct egroup *g;
	enum step_id step;
	enum step_op op;
	bool has_rec, replica;
	struct journal_rec rec;
	struct step_report report;
	struct err err;
};

static enum outcome injected(struct step_job *j, bool after, enum outcome o)
{
	switch (egroup_inject(j->g, j->step, after)) {
	case INJECT_NONE:
	case INJECT_KILL:
	case INJECT_RESET:
	case INJECT_STALL:
		return o;
	case INJECT_FAIL:
		err_set(&j->err, ERR_SYSTEM, EIO, step_name(j->step), "injected failure");
		return OUTCOME_FAILED;
	case INJECT_UNKNOWN:
		err_set(&j->err, ERR_TIMEOUT, ETIMEDOUT, step_name(j->step), "injected loss of the answer");
		return OUTCOME_UNKNOWN;
	}
	return o;
}

static enum outcome run_effect(struct step_job *j)
{
	enum outcome o = OUTCOME_DONE;

	if (j->op == OP_RUN)
		o = injected(j, false, o);
	if (o != OUTCOME_DONE)
		return o;
	/* An intent is for people: after a restart the world is looked at, so a
	 * journal that cannot be written must not keep a node from standing down or
	 * from rolling back. The records that count are the core's own. */
	if (j->has_rec && engine_journal_write(j->g->e, &j->rec, &j->err) < 0) {
		log_warn("%s: the intent to %s was not written: %s", j->g->conf->name, step_name(j->step), j->err.msg);
		err_clear(&j->err);
	}
	/* Also where the exports are only seen to be in place: a nasd that was
	 * started again in between must not tickle whom it cut off long ago. */
	if (j->step == STEP_EXPORT && (j->op == OP_RUN || j->replica) &&
	    egroup_clients_choose(j->g, j->replica, &j->err) < 0)
		return OUTCOME_FAILED;
	o = effects_run(j->g->fx, j->step, j->op, j->report.message, &j->err);
	if (j->op == OP_RUN && o == OUTCOME_DONE)
		o = injected(j, true, o);
	return o;
}

static void step_fn(void *arg)
{
	struct step_job *j = arg;

	j->report.start_us = monotonic_us();
	j->report.outcome = run_effect(j);
	j->report.duration_us = monotonic_us() - j->report.start_us;
	if (j->report.outcome != OUTCOME_DONE && j->err.cls != ERR_NONE) {
		char text[ERR_MSG_MAX + ERR_WHERE_MAX + ERR_REMEDY_MAX];

		err_format(&j->err, text, sizeof(text));
		snprintf(j->report.message, sizeof(j->report.message), "%s", text);
	}
}

static void announce_begin(struct egroup *g, int64_t at);

static void end_step(struct step_job *j);

static void step_done(void *arg)
{
	struct step_job *j = arg;

	if ((j->step == STEP_GATE || j->step == STEP_PRESYNC) && j->op == OP_RUN && j->report.outcome == OUTCOME_DONE &&
	    egroup_state_hand_over(j->g, j->step, j))
		return;
	end_step(j);
}

void egroup_gate_done(struct egroup *g, struct step_job *j, bool reclaim, const char *more)
{
	char *text = j->report.message;
	size_t len = strlen(text), size = sizeof(j->report.message);

	(void)g;
	if (reclaim)
		snprintf(text, size, "skipped, clients will reclaim: %.150s", more);
	else
		snprintf(text + len, size - len, "%s", more);
	j->report.duration_us = monotonic_us() - j->report.start_us;
	end_step(j);
}

static void end_step(struct step_job *j)
{
	struct egroup *g = j->g;

	if (j->step == STEP_ANNOUNCE && j->report.outcome == OUTCOME_DONE)
		announce_begin(g, j->report.start_us);
	group_step_done(g->core, monotonic_us(), &j->report, j->op, &j->err);
	free(j);
	egroup_settle(g);
	engine_journal_compact(g->e);
}

/* After these rows the core decides by what has come in meanwhile. */
static bool last_word(enum step_id step)
{
	return step == STEP_DRBD_SECONDARY || step == STEP_ANNOUNCE || step == STEP_CONFIRM;
}

static void run_step(struct egroup *g, const struct action *a)
{
	struct step_job *j = calloc(1, sizeof(*j));
	struct group_view v;

	if (!j)
		abort();
	group_look(g->core, &v);
	j->g = g;
	j->step = a->u.run.step;
	j->op = a->u.run.op;
	j->has_rec = a->u.run.has_rec;
	j->rec = a->u.run.rec;
	j->replica = v.first_activation;
	j->report.step = j->step;
	j->report.node = g->e->spec.self;
	log_debug("%s: %s %s", g->conf->name, j->op == OP_RUN ? "run" : "look at", step_name(j->step));
	if (j->op == OP_RUN)
		egroup_state_before(g, j->step);
	if (j->step == STEP_ADDRESS_DEL || j->step == STEP_GATE)
		egroup_announce_stop(g);
	if (egroup_clients_wait(j->step) && j->op == OP_RUN)
		egroup_hush(g);
	if (lane_submit(g->steps, step_fn, step_done, j) < 0)
		abort();
	if (g->hushed && !last_word(a->u.run.step))
		lane_await(g->steps, AWAIT_US);
}

/* ---- records */

struct rec_job {
	struct egroup *g;
	struct journal_rec rec;
	int ret;
	struct err err;
};

/* The step that a record stands for, where faults can be injected. */
static enum step_id step_of_record(const struct journal_rec *r)
{
	if (!strcmp(r->kind, "begin") || !strcmp(r->kind, "prepared"))
		return STEP_RESERVE;
	return !strcmp(r->kind, "owner") ? STEP_COMMIT : STEP_NONE;
}

static void rec_fn(void *arg)
{
	struct rec_job *j = arg;
	enum step_id step = step_of_record(&j->rec);
	enum inject_what what = step == STEP_NONE ? INJECT_NONE : egroup_inject(j->g, step, false);

	if (what != INJECT_FAIL && what != INJECT_UNKNOWN) {
		j->ret = engine_journal_write(j->g->e, &j->rec, &j->err);
		what = step == STEP_NONE || j->ret < 0 ? INJECT_NONE : egroup_inject(j->g, step, true);
	}
	if (what == INJECT_FAIL || what == INJECT_UNKNOWN)
		j->ret = err_set(&j->err, ERR_SYSTEM, EIO, "journal", "injected failure");
}

static void rec_done(void *arg)
{
	struct rec_job *j = arg;
	struct egroup *g = j->g;

	g->journal_wait = false;
	group_journaled(g->core, monotonic_us(), &j->rec, j->ret == 0, &j->err);
	free(j);
	egroup_settle(g);
}

static void write_record(struct egroup *g, const struct action *a)
{
	struct rec_job *j = calloc(1, sizeof(*j));

	if (!j)
		abort();
	j->g = g;
	j->rec = a->u.rec;
	g->journal_wait = true;
	if (step_of_record(&j->rec) == STEP_COMMIT)
		egroup_hush(g);
	if (lane_submit(g->e->journal_lane, rec_fn, rec_done, j) < 0)
		abort();
	if (g->hushed)
		lane_await(g->e->journal_lane, AWAIT_US);
}

/* ---- facts */

struct facts_job {
	struct egroup *g;
	enum facts_tag tag;
	bool probe, monitor;
	unsigned long state_changes; /* when it was asked for */
	struct facts facts;
};

/* A move that finds out in the freeze that there is no room could go neither way. */
static bool room_for_state(const struct engine *e, char *buf, size_t size)
{
	struct statvfs st;
	uint64_t left;

	if (statvfs(e->spec.state_dir, &st) < 0)
		return true; /* a write will tell */
	left = (uint64_t)st.f_bfree * st.f_frsize;
	if (left < STATE_ROOM_MIN)
		snprintf(buf, size, "only %llu KiB are free in %.80s", (unsigned long long)left >> 10, e->spec.state_dir);
	else if (st.f_files && st.f_ffree < STATE_FILES_MIN)
		snprintf(buf, size, "only %llu files can be made in %.80s", (unsigned long long)st.f_ffree,
			 e->spec.state_dir);
	else
		return true;
	return false;
}

static void look_at_journal(struct engine *e, struct facts *f)
{
	f->journal_ok = !atomic_load(&e->journal_bad);
	if (!f->journal_ok)
		snprintf(f->journal_error, sizeof(f->journal_error), "the last write failed%s",
			 journal_file_poisoned(e->journal) ? "; restart nasd" : "");
	else
		f->journal_ok = room_for_state(e, f->journal_error, sizeof(f->journal_error));
}

static void facts_fn(void *arg)
{
	struct facts_job *j = arg;

	/* what an operator asked for; the monitor's own looks are no step */
	bool step = j->tag == FACTS_GATHER || j->tag == FACTS_FOR_PEER;
	enum inject_what what = step ? egroup_inject(j->g, STEP_CHECK, false) : INJECT_NONE;
	int64_t began = monotonic_us();

	effects_facts(j->g->fx, j->probe, &j->facts);
	if (step && what == INJECT_NONE)
		what = egroup_inject(j->g, STEP_CHECK, true);
	j->facts.valid = what != INJECT_FAIL && what != INJECT_UNKNOWN;
	j->facts.collected_us = began;
	snprintf(j->facts.group, sizeof(j->facts.group), "%s", j->g->conf->name);
	look_at_journal(j->g->e, &j->facts);
}

static void collect_facts(struct egroup *g, enum facts_tag tag, bool probe);

/* What was asked for meanwhile may be about something that happened meanwhile. */
static void monitored(struct egroup *g, enum group_state state)
{
	bool again = g->monitor_again && (state == GS_STANDBY || state == GS_ACTIVE);

	g->monitoring = g->monitor_again = false;
	if (again)
		collect_facts(g, FACTS_MONITOR, false);
}

static void facts_done(void *arg)
{
	struct facts_job *j = arg;
	struct egroup *g = j->g;
	struct group_view v;

	group_look(g->core, &v);
	j->facts.clients = v.state == GS_ACTIVE ? (unsigned)client_set_count(&g->current, CLIENT_RECORD) :
						  atomic_load(&g->replicated);
	/* Seen before a change of state, they must not be judged by the new one: a
	 * server that a step had stopped has not died. */
	if (j->tag == FACTS_MONITOR && j->state_changes != g->state_changes)
		j->tag = FACTS_FOR_PEER;
	group_facts(g->core, monotonic_us(), j->tag, &j->facts);
	egroup_alarms(g, &j->facts);
	if (j->tag == FACTS_MONITOR)
		egroup_watch_facts(g, &j->facts);
	if (j->monitor)
		monitored(g, v.state);
	free(j);
	engine_control_changed(g->e);
	egroup_settle(g);
}

static void collect_facts(struct egroup *g, enum facts_tag tag, bool probe)
{
	struct facts_job *j;

	/* nobody waits for the monitor's; in a lane that is stuck they must not pile up */
	if (tag == FACTS_MONITOR && g->monitoring) {
		g->monitor_again = true;
		return;
	}
	j = calloc(1, sizeof(*j));
	if (!j)
		abort();
	j->g = g;
	j->tag = tag;
	j->probe = probe;
	j->monitor = tag == FACTS_MONITOR;
	g->monitoring |= j->monitor;
	j->state_changes = g->state_changes;
	if (lane_submit(g->side, facts_fn, facts_done, j) < 0)
		abort();
}

void egroup_facts_monitor(struct egroup *g)
{
	collect_facts(g, FACTS_MONITOR, false);
}

/* ---- announcements, repeated for a while after activation */

static void announce_fn(void *arg)
{
	struct egroup *g = arg;
	struct err e;

	err_clear(&e);
	if (effects_announce_again(g->fx, &e) < 0)
		log_warn("announcing again failed: %s", e.msg);
}

static int announce_due(sd_event_source *s, uint64_t usec, void *data)
{
	struct egroup *g = data;
	uint64_t at;

	(void)s;
	(void)usec;
	lane_submit(g->side, announce_fn, NULL, g);
	if (net_announce_due(++g->announce_n, &at))
		sd_event_source_set_time(g->announce_timer, (uint64_t)g->announce_began + at);
	else
		egroup_announce_stop(g);
	return 0;
}

void egroup_announce_stop(struct egroup *g)
{
	if (g->announce_timer)
		sd_event_source_set_enabled(g->announce_timer, SD_EVENT_OFF);
}

static void announce_begin(struct egroup *g, int64_t at)
{
	uint64_t due;

	g->announce_began = at;
	g->announce_n = 1; /* the step itself was the first */
	if (!net_announce_due(1, &due))
		return;
	if (!g->announce_timer &&
	    sd_event_add_time(g->e->event, &g->announce_timer, CLOCK_MONOTONIC, 0, 10000, announce_due, g) < 0)
		return;
	sd_event_source_set_time(g->announce_timer, (uint64_t)at + due);
	sd_event_source_set_enabled(g->announce_timer, SD_EVENT_ON);
}

/* ---- DRBD told to do something: beside the steps */

struct drbd_job {
	struct egroup *g;
	bool outdate; /* else resume */
	int64_t asked_us;
	int ret;
	struct err err;
};

static void drbd_fn(void *arg)
{
	struct drbd_job *j = arg;

	if (!j->outdate && monotonic_us() - j->asked_us > RESUME_WITHIN_US) {
		j->ret = err_set(&j->err, ERR_TIMEOUT, ESTALE, "resume-io", "too late: DRBD is looked at once more");
		return;
	}
	j->ret = (j->outdate ? effects_outdate(j->g->fx, &j->err) : effects_resume_io(j->g->fx, &j->err)) == OUTCOME_DONE ? 0 : -EIO;
}

static void drbd_done(void *arg)
{
	struct drbd_job *j = arg;
	struct egroup *g = j->g;
	bool ok = j->ret == 0;

	log_write(ok ? LOGP_NOTICE : LOGP_ERR, &(struct log_fields){ .group = g->conf->name }, "DRBD %s: %s%s%s",
		  g->conf->drbd.resource, j->outdate ? "this copy is marked outdated" : "held writes go on",
		  ok ? "" : ": FAILED: ", ok ? "" : j->err.msg);
	if (j->outdate)
		group_outdated(g->core, monotonic_us(), ok, &j->err);
	else
		group_io_resumed(g->core, monotonic_us(), ok, &j->err);
	free(j);
	egroup_settle(g);
}

void egroup_drbd_do(struct egroup *g, bool outdate)
{
	struct drbd_job *j = calloc(1, sizeof(*j));

	if (!j)
		abort();
	j->g = g;
	j->outdate = outdate;
	j->asked_us = monotonic_us();
	if (lane_submit(g->side, drbd_fn, drbd_done, j) < 0)
		abort();
}

/* ---- the rest */

static void state_changed(struct egroup *g, const struct action *a)
{
	struct group_view v;
	struct log_fields f = { g->conf->name, NULL, 0 };

	g->state_changes++;
	g->state_changed_at = monotonic_us();
	group_look(g->core, &v);
	f.epoch = v.epoch;
	log_write(LOGP_NOTICE, &f, "state %s -> %s%s%s", group_state_name(a->u.state.old),
		  group_state_name(a->u.state.now), a->u.state.reason[0] ? ": " : "", a->u.state.reason);
	if (a->u.state.old == GS_SWITCHING && a->u.state.now == GS_STANDBY)
		egroup_clients_handed_over(g);
	if (a->u.state.now != GS_ACTIVE)
		egroup_announce_stop(g);
	else
		egroup_clients_active(g);
	if (!g->hushed)
		engine_control_changed(g->e);
}

static void finished(struct egroup *g, const struct action *a)
{
	/* the core may be at its next move already: the log is the action's */
	engine_history_add(g, &a->u.finished.log, a->u.finished.provisional);
	engine_control_changed(g->e);
}

static void send_message(struct egroup *g, const struct action *a)
{
	log_debug("%s: to the peer: %s, epoch %llu", g->conf->name, msg_type_name(a->u.msg.type),
		  (unsigned long long)a->u.msg.epoch);
	peer_link_send(g->e->link, &a->u.msg);
}

static void carry_out(struct egroup *g, const struct action *a)
{
	switch (a->type) {
	case ACT_RUN: run_step(g, a); break;
	case ACT_JOURNAL: write_record(g, a); break;
	case ACT_SEND: send_message(g, a); break;
	case ACT_FACTS: collect_facts(g, a->u.facts.tag, a->u.facts.probe); break;
	case ACT_SYNC_CLIENTS: egroup_clients_sync(g); break;
	case ACT_REPORT: break; /* the caller's */
	case ACT_HELD: engine_control_held(g); break;
	case ACT_REPLY: engine_control_reply(g, a); break;
	case ACT_STATE: state_changed(g, a); break;
	case ACT_FINISHED: finished(g, a); break;
	case ACT_OUTDATE: egroup_drbd_do(g, true); break;
	case ACT_RESUME_IO: egroup_drbd_do(g, false); break;
	case ACT_FENCE: egroup_fence(g, a); break;
	case ACT_WITNESS: egroup_witness(g); break;
	case ACT_DRBD_ANSWER: egroup_drbd_answer(g, a); break;
	}
}

/* What comes after the rows that are told late must be told after them; and the
 * message that lets the peer begin, before. */
static bool ends_hush(const struct action *a)
{
	return a->type == ACT_FINISHED || a->type == ACT_REPLY ||
	       (a->type == ACT_SEND && (a->u.msg.type == MSG_DONE || a->u.msg.type == MSG_ABORT));
}

/* In their order; but neither the next step nor, in a freeze, any other is kept
 * waiting for what is told about the last one. */
void egroup_drain(struct egroup *g)
{
	struct action *a = malloc(sizeof(*a)); /* large; one at a time */

	if (!a)
		abort();
	while (!g->journal_wait && group_next_action(g->core, a)) {
		if (ends_hush(a))
			egroup_unhush(g);
		if (g->n_late == LATE_MAX || (!g->hushed && a->type != ACT_REPORT && a->type != ACT_RUN))
			egroup_tell_late(g);
		if (a->type == ACT_REPORT)
			g->late[g->n_late++] = (struct late_report){ a->u.report.report, a->u.report.local };
		else
			carry_out(g, a);
		if (a->type == ACT_SEND && a->u.msg.type == MSG_COMMIT)
			egroup_unhush(g);
	}
	if (!g->hushed)
		egroup_tell_late(g);
	free(a);
}
