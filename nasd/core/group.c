/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The group's state: how it starts, what the end of a program leads to, time. */
#include "group_internal.h"
#include "split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REWRITE_US = 1000000 };

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
	takeover_init(g);
	return g;
}

void group_free(struct group_core *g)
{
	if (!g)
		return;
	free(g->queue);
	free(g);
}

/* ---- converging */

void group_say_standby(struct group_core *g)
{
	const char *text = "";

	if (g->j.owner == NODE_NONE)
		text = "nobody owns the group";
	else if (g->wait_resume)
		text = "waiting for the peer's word before it serves again; when the peer is off for good: nasctl takeover --peer-confirmed-dead";
	else if (g->t.text[0])
		text = g->t.text;
	if (g->state != GS_STANDBY || strcmp(g->detail, text))
		group_set_state(g, GS_STANDBY, "%s", text);
}

void group_stand_down(struct group_core *g, int64_t now, const char *why)
{
	g->src = SRC_NONE;
	g->abort_pending = false;
	g->rolling_back = false;
	g->awaiting_done = false;
	g->send_done = false;
	g->release_epoch = 0;
	server_left(g);
	group_set_state(g, GS_STANDING_DOWN, "%s", why);
	program_start(g, now, PURPOSE_STANDDOWN, program_standdown, true);
}

/* The service has left this node; what its server still needs can wait. */
static void stood_down(struct group_core *g, int64_t now)
{
	g->facts[g->cfg.self].valid = false; /* of the time before */
	release_stood_down(g);
	group_say_standby(g);
	program_start(g, now, PURPOSE_REWARM, program_rewarm, true);
	group_hand_over_if_owed(g);
	group_resume_if_agreed(g, now);
}

static void rewarmed(struct group_core *g, int64_t now)
{
	group_save_log(g);
	if (g->state != GS_STANDBY)
		return;
	if (!g->awaiting_done)
		group_say_standby(g);
	group_hand_over_if_owed(g);
	group_resume_if_agreed(g, now);
}

void group_program_done(struct group_core *g, int64_t now, enum purpose purpose)
{
	switch (purpose) {
	case PURPOSE_WARM: target_warmed(g, now); return;
	case PURPOSE_PRESYNC: source_presynced(g, now); return;
	case PURPOSE_RELEASE: source_released(g, now); return;
	case PURPOSE_ACTIVATE: target_activated(g, now); return;
	case PURPOSE_CONFIRM: target_confirmed(g, now); return;
	case PURPOSE_STANDDOWN: stood_down(g, now); return;
	case PURPOSE_REWARM: rewarmed(g, now); return;
	case PURPOSE_NONE: return;
	}
}

static void start_prepared(struct group_core *g, int64_t now)
{
	g->txn_epoch = g->j.txn_epoch;
	group_begin_log(g, now, SWITCH_SWITCHOVER, g->txn_epoch, group_peer_index(g), g->cfg.self,
			"restarted in between");
	group_set_state(g, GS_PREPARED, "reserved before the restart; the source decides");
}

/* Since this boot got the group, nobody else can have got it from us. */
static bool owned_in_this_boot(const struct group_core *g)
{
	return g->j.owner == g->cfg.self && (!strcmp(g->j.active_boot, g->cfg.boot_id) ||
					     !strcmp(g->j.owner_boot, g->cfg.boot_id));
}

/* `hold-down' goes on over a restart, by the wall clock: one that was set back makes it whole again. */
static void resume_hold_down(struct group_core *g, int64_t now)
{
	int64_t since = g->cfg.wall_us - g->j.owner_wall_us;

	if (g->j.owner == g->cfg.self && g->cfg.wall_us && g->j.owner_wall_us && since < g->cfg.hold_down_us)
		g->moved_at = now - (since > 0 ? since : 0);
}

void group_start(struct group_core *g, int64_t now, const struct journal_state *journal)
{
	g->j = *journal;
	g->next_monitor = g->t.started_at = now;
	resume_hold_down(g, now);
	if (g->j.phase == TXN_SOURCE)
		group_journal(g, "abort", g->j.txn_epoch, NODE_NONE, "nasd restarted before the commitment");
	if (g->j.phase == TXN_PREPARED) {
		start_prepared(g, now);
		return;
	}
	if (owned_in_this_boot(g)) {
		group_begin_log(g, now, SWITCH_RESUME, g->j.epoch, NODE_NONE, g->cfg.self, "nasd restarted");
		activate(g, now, true, "nasd restarted, the group is this node's");
		return;
	}
	if (g->j.owner == group_peer_index(g)) {
		group_stand_down(g, now, "the group is the peer's");
		return;
	}
	g->wait_resume = g->j.owner == g->cfg.self;
	group_say_standby(g);
	program_start(g, now, PURPOSE_REWARM, program_rewarm, true);
}

/* ---- answers */

void group_step_done(struct group_core *g, int64_t now, const struct step_report *r, enum step_op op,
		     const struct err *e)
{
	if (r->step == STEP_SERVER_STOP && r->outcome == OUTCOME_DONE)
		server_stopped(g);
	program_step_done(g, now, r, op, e);
	takeover_think(g, now);
}

/* ---- records that say whose the group is must get to the disk in the end */

static struct journal_rec *find_unwritten(struct group_core *g, const struct journal_rec *rec)
{
	for (size_t i = 0; i < g->n_unwritten; i++)
		if (!strcmp(g->unwritten[i].kind, rec->kind) && g->unwritten[i].epoch == rec->epoch)
			return &g->unwritten[i];
	return NULL;
}

static void forget_unwritten(struct group_core *g, struct journal_rec *u)
{
	memmove(u, u + 1, (size_t)(&g->unwritten[--g->n_unwritten] - u) * sizeof(*u));
}

static void keep_unwritten(struct group_core *g, int64_t now, const struct journal_rec *rec)
{
	bool claimed, commit;

	g->rewrite_at = now + REWRITE_US;
	if (!find_unwritten(g, rec)) {
		if (g->n_unwritten == UNWRITTEN_MAX) /* the newest counts */
			forget_unwritten(g, &g->unwritten[0]);
		g->unwritten[g->n_unwritten++] = *rec;
	}
	program_hold(g, now);
	/* a promise to the peer whose record could not be written is not made yet */
	claimed = group_drop_message(g, MSG_CLAIMED);
	commit = group_drop_message(g, MSG_COMMIT);
	if (claimed || commit)
		g->peer.epoch = 0;
}

static void rewrite(struct group_core *g, int64_t now)
{
	if (!g->n_unwritten || !g->rewrite_at || now < g->rewrite_at)
		return;
	g->rewrite_at = 0; /* until the answers have come */
	for (size_t i = 0; i < g->n_unwritten; i++) {
		struct action *a = group_push(g, ACT_JOURNAL);

		if (a)
			a->u.rec = g->unwritten[i];
	}
}

static void written(struct group_core *g, int64_t now, const struct journal_rec *rec)
{
	struct journal_rec *u = find_unwritten(g, rec);

	if (!u)
		return;
	forget_unwritten(g, u);
	if (g->n_unwritten)
		return;
	if (g->state == GS_ACTIVE)
		group_set_state(g, GS_ACTIVE, "%s", "");
	else if (g->state == GS_STANDBY)
		group_say_standby(g);
	program_unhold(g, now);
	group_hand_over_if_owed(g);
}

static void journal_lost(struct group_core *g, int64_t now, const struct journal_rec *rec, const struct err *e)
{
	group_set_state(g, g->state, "the journal cannot be written: %.150s", e->msg);
	if (g->state == GS_SWITCHING && !strcmp(rec->kind, "begin")) {
		group_drop_message(g, MSG_PREPARE);
		source_abort(g, now, e);
	} else if (g->state == GS_PREPARED && !strcmp(rec->kind, "prepared")) {
		group_drop_message(g, MSG_PREPARED);
		target_warm_failed(g, now, e);
	} else if (!strcmp(rec->kind, "owner") || !strcmp(rec->kind, "active") ||
		   (!strcmp(rec->kind, "abort") && g->commit_tried)) {
		/* an abort that no commitment went before is presumed anyway */
		keep_unwritten(g, now, rec);
	}
}

void group_journaled(struct group_core *g, int64_t now, const struct journal_rec *rec, bool ok,
		     const struct err *e)
{
	if (g->state == GS_SWITCHING && g->src == SRC_COMMIT && !strcmp(rec->kind, "owner")) {
		source_commit_written(g, now, ok, e);
	} else if (!ok) {
		journal_lost(g, now, rec, e);
	} else {
		written(g, now, rec);
		release_journaled(g, now, rec);
	}
}

/* The standby's server is repaired long before it is needed. */
static void monitored(struct group_core *g, int64_t now, const struct facts *f)
{
	source_hold_facts(g, now, f);
	if (g->state == GS_ACTIVE)
		server_monitored(g, now, f);
	else if (g->state == GS_STANDBY && g->prog.purpose == PURPOSE_NONE && f->server == SERVER_DOWN && !f->mounted)
		program_start(g, now, PURPOSE_REWARM, program_rewarm, true);
}

void group_facts(struct group_core *g, int64_t now, enum facts_tag tag, const struct facts *f)
{
	struct peer_msg *m;

	g->facts[g->cfg.self] = *f;
	held_facts(g, now, f);
	if (g->state == GS_STANDBY && group_may_serve(g) != g->said_serving)
		group_send_hello(g); /* the peer may be waiting for that */
	switch (tag) {
	case FACTS_GATHER:
		request_facts(g, now, g->cfg.self);
		return;
	case FACTS_MONITOR:
		monitored(g, now, f);
		break;
	case FACTS_FOR_PEER:
		break;
	}
	m = group_send(g, MSG_FACTS, g->j.epoch);
	if (m)
		m->u.facts = *f;
	takeover_think(g, now);
}

void group_clients_synced(struct group_core *g, int64_t now, bool ok, const struct err *e)
{
	source_clients_synced(g, now, ok, e);
}

/* ---- time */

void group_tick(struct group_core *g, int64_t now)
{
	struct action *a;

	rewrite(g, now);
	program_tick(g, now);
	source_tick(g, now);
	claim_tick(g, now);
	request_tick(g, now);
	takeover_think(g, now);
	if (now < g->next_monitor)
		return;
	g->next_monitor = now + g->cfg.monitor_us;
	if (g->state != GS_STANDBY && g->state != GS_ACTIVE && !source_held(g) &&
	    !(g->state == GS_PREPARED && g->t.silent_at))
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

	sooner(&t, program_next_tick(g));
	sooner(&t, g->n_unwritten ? g->rewrite_at : 0);
	sooner(&t, g->gather.active ? g->gather.deadline : 0);
	sooner(&t, g->req_open ? g->req_deadline : 0);
	sooner(&t, g->phase_deadline);
	sooner(&t, takeover_next_tick(g));
	return t;
}

void group_look(const struct group_core *g, struct group_view *v)
{
	int peer = group_peer_index(g);

	memset(v, 0, sizeof(*v));
	v->state = g->state;
	v->detail = g->detail;
	v->epoch = g->j.epoch;
	v->txn_epoch = g->txn_epoch;
	v->owner = g->j.owner;
	v->peer_owner = g->peer_hello ? g->peer.owner : NODE_NONE;
	v->peer_epoch = g->peer_hello ? g->peer.epoch : 0;
	v->split_brain = split_brain(&g->facts[0], &g->facts[1]);
	v->peer_up = g->peer_up;
	v->held = source_held(g);
	v->under_way = !v->held && ((g->state != GS_STARTING && g->state != GS_STANDBY && g->state != GS_ACTIVE) ||
				    (g->req_open && g->req.kind == REQUEST_SWITCHOVER));
	v->may_serve = group_may_serve(g);
	v->first_activation = !g->j.active_boot[0];
	if (g->prog.in_flight) {
		v->step = program_step(g);
		v->step_since_us = g->prog.step_began;
	}
	v->local = g->facts[g->cfg.self].valid ? &g->facts[g->cfg.self] : NULL;
	v->peer = g->facts[peer].valid ? &g->facts[peer] : NULL;
	v->log = g->log.kind != SWITCH_NONE ? &g->log : NULL;
	v->fence_wanted = g->t.need != NEED_NONE;
	v->fence_running = g->t.running;
	v->fence_text = g->t.text;
}
