/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The source of a switchover. It owns the group until its "owner" record that
 * names the target is in the journal; so it alone decides, up to then, to go
 * back.
 *
 *   PREPARE -> PRESYNC (-> HOLD) -> CLIENTS -> RELEASE -> COMMIT -> (standby, awaiting DONE)
 */
#include "group_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PREPARE_TIMEOUT_US = 15000000, CLIENTS_TIMEOUT_US = 5000000, REWARM_AFTER_US = 1000000, SETTLE_US = 500000 };

static const enum step_id program_presync[] = { STEP_PRESYNC, STEP_NONE };

static void enter(struct group_core *g, int64_t now, enum source_phase phase, int64_t timeout)
{
	g->src = phase;
	g->phase_began = now;
	g->phase_deadline = timeout ? now + timeout : 0;
}

void source_begin(struct group_core *g, int64_t now, const struct group_request *req)
{
	int64_t check_began = g->gather.began;

	if (g->prog.purpose == PURPOSE_ACTIVATE)
		program_stop(g); /* it cannot be had here */
	request_open(g, check_began, req);
	g->abort_pending = false;
	g->freeze_began = 0;
	g->commit_tried = false;
	g->txn_epoch = group_new_epoch(g);
	group_begin_log(g, check_began, SWITCH_SWITCHOVER, g->txn_epoch, g->cfg.self, req->target, req->by);
	group_core_report(g, STEP_CHECK, check_began, now, OUTCOME_DONE, "every precondition holds");
	group_journal(g, "begin", g->txn_epoch, req->target, req->by);
	group_set_state(g, GS_SWITCHING, "to %s under epoch %llu", group_node_name(g, req->target),
			(unsigned long long)g->txn_epoch);
	group_send(g, MSG_PREPARE, g->txn_epoch);
	enter(g, now, SRC_PREPARE, PREPARE_TIMEOUT_US);
}

/* The target's timeline starts with what happened before it was asked. */
static void repeat_reports(struct group_core *g)
{
	for (size_t i = 0; i < g->log.n_steps; i++) {
		struct peer_msg *m;

		if (g->log.steps[i].node != g->cfg.self)
			continue;
		m = group_send(g, MSG_STEP, g->txn_epoch);
		if (m)
			m->u.step = g->log.steps[i];
	}
}

void source_prepared(struct group_core *g, int64_t now, uint64_t epoch)
{
	if (g->state != GS_SWITCHING || g->src != SRC_PREPARE || epoch != g->txn_epoch)
		return;
	repeat_reports(g);
	group_core_report(g, STEP_RESERVE, g->phase_began, now, OUTCOME_DONE, "");
	enter(g, now, SRC_PRESYNC, 0);
	program_start(g, now, PURPOSE_PRESYNC, program_presync, false);
}

void source_refused(struct group_core *g, int64_t now, uint64_t epoch, const struct err *e)
{
	if (g->state != GS_SWITCHING || g->src != SRC_PREPARE || epoch != g->txn_epoch)
		return;
	source_abort(g, now, e);
}

static void send_clients(struct group_core *g, int64_t now)
{
	enter(g, now, SRC_CLIENTS, CLIENTS_TIMEOUT_US);
	group_push(g, ACT_SYNC_CLIENTS);
}

void source_presynced(struct group_core *g, int64_t now)
{
	if (!g->req.hold_us) {
		send_clients(g, now);
		return;
	}
	enter(g, now, SRC_HOLD, g->req.hold_us);
	g->next_monitor = now; /* the facts of the preflight grow old */
	group_push(g, ACT_HELD);
}

/* ---- held: the service runs on, and may be in need of something else than a move */

bool source_held(const struct group_core *g)
{
	return g->state == GS_SWITCHING && g->src == SRC_HOLD;
}

bool group_go(struct group_core *g, int64_t now)
{
	if (!source_held(g))
		return false;
	group_core_report(g, STEP_HOLD, g->phase_began, now, OUTCOME_DONE, "");
	send_clients(g, now);
	return true;
}

static void hold_broken(struct group_core *g, int64_t now, const char *where, const char *why)
{
	struct err e;

	group_core_report(g, STEP_HOLD, g->phase_began, now, OUTCOME_FAILED, why);
	err_set(&e, ERR_REFUSED, ECANCELED, where, "while the move was held: %s", why);
	err_remedy(&e, "see 'nasctl check', then begin anew");
	source_abort(g, now, &e);
}

void source_hold_facts(struct group_core *g, int64_t now, const struct facts *f)
{
	if (!source_held(g) || !f->valid)
		return;
	if (!f->drbd_known || !facts_drbd_connected(f) || strcmp(f->drbd_peer_disk, "UpToDate") || f->drbd_suspended)
		hold_broken(g, now, "drbd-connected", "DRBD does not replicate to a copy that is UpToDate any more");
	else if (f->server != SERVER_SERVING)
		hold_broken(g, now, "ganesha", "ganesha does not serve any more");
	else if (!f->journal_ok)
		hold_broken(g, now, "journal", "the journal cannot be written");
}

void source_hold_lost_server(struct group_core *g, int64_t now, const char *reason)
{
	if (source_held(g))
		hold_broken(g, now, "ganesha", reason);
}

void group_forsaken(struct group_core *g, int64_t now, uint64_t id)
{
	struct err e;

	err_set(&e, ERR_REFUSED, ECANCELED, "hold", "who asked for the move has gone");
	err_remedy(&e, "ask again; the service is where it was");
	if (g->gather.active && g->gather.req.id == id && !g->gather.req.remote && g->gather.req.hold_us) {
		g->gather.active = false;
		request_reply(g, &g->gather.req, false, &e, "", false);
		return;
	}
	if (g->state != GS_SWITCHING || g->req.id != id || g->req.remote || !g->req.hold_us)
		return;
	if (g->src == SRC_HOLD)
		group_core_report(g, STEP_HOLD, g->phase_began, now, OUTCOME_FAILED, e.msg);
	if (g->src == SRC_PREPARE || g->src == SRC_PRESYNC || g->src == SRC_HOLD)
		source_abort(g, now, &e);
}

void source_clients_synced(struct group_core *g, int64_t now, bool ok, const struct err *e)
{
	if (g->state != GS_SWITCHING || g->src != SRC_CLIENTS)
		return;
	group_core_report(g, STEP_CLIENTS, g->phase_began, now, ok ? OUTCOME_DONE : OUTCOME_FAILED,
			  ok ? "" : e->msg);
	if (!ok) {
		source_abort(g, now, e);
		return;
	}
	enter(g, now, SRC_RELEASE, g->cfg.freeze_us);
	g->freeze_began = now;
	program_start(g, now, PURPOSE_RELEASE, program_release, false);
}

void source_released(struct group_core *g, int64_t now)
{
	struct err e;

	if (now - g->freeze_began > g->cfg.freeze_us) {
		err_set(&e, ERR_TIMEOUT, ETIMEDOUT, "freeze", "releasing took %lld ms, more than limits.freeze allows",
			(long long)(now - g->freeze_began) / 1000);
		err_remedy(&e, "see the timeline for the slow step: nasctl timeline");
		source_abort(g, now, &e);
		return;
	}
	enter(g, now, SRC_COMMIT, 0);
	group_journal(g, "owner", g->txn_epoch, group_peer_index(g), "switchover");
}

/* Whether the record will be read after a restart is open; so it is taken back
 * in writing, and nothing is activated before that is on the disk. A nasd that
 * is restarted before it got so far goes forward. */
static void commit_failed(struct group_core *g, int64_t now, const struct err *e)
{
	g->src = SRC_RELEASE;
	g->commit_tried = true;
	source_abort(g, now, e);
}

void source_commit_written(struct group_core *g, int64_t now, bool ok, const struct err *e)
{
	if (!ok) {
		commit_failed(g, now, e);
		return;
	}
	group_core_report(g, STEP_COMMIT, g->phase_began, now, OUTCOME_DONE, "");
	g->src = SRC_NONE;
	g->awaiting_done = true;
	g->facts[g->cfg.self].valid = false; /* of the time before */
	server_left(g);
	group_send(g, MSG_COMMIT, g->txn_epoch);
	g->peer.epoch = g->txn_epoch;
	group_set_state(g, GS_STANDBY, "handed over, waiting for %s to serve",
			group_peer_name(g));
	/* The server is started warm when the target serves, or does not say so soon:
	 * what that takes of the disks, the network and a shared host, the clients
	 * would wait for. */
	program_start_later(g, now + REWARM_AFTER_US, PURPOSE_REWARM);
}

void source_done(struct group_core *g, int64_t now, const struct peer_msg *m)
{
	if (!g->awaiting_done || m->epoch != g->j.epoch)
		return;
	g->awaiting_done = false;
	/* not yet: the clients are coming back just now */
	if (g->prog.purpose == PURPOSE_REWARM && !g->prog.steps && g->prog.retry_at)
		program_start_later(g, now + SETTLE_US, PURPOSE_REWARM);
	group_finish_log(g, now, RESULT_DONE, NULL);
	request_reply_open(g, true, NULL, "");
	if (g->state == GS_STANDBY && g->prog.purpose == PURPOSE_NONE)
		group_say_standby(g);
}

/* Before the freeze the service was never touched. */
static void call_off(struct group_core *g, int64_t now, const struct err *e)
{
	program_stop(g);
	group_set_state(g, GS_ACTIVE, "%s", "");
	group_finish_log(g, now, RESULT_REFUSED, e);
	request_reply_open(g, false, e, "");
}

void source_abort(struct group_core *g, int64_t now, const struct err *e)
{
	if (g->state != GS_SWITCHING || g->src == SRC_COMMIT)
		return; /* the record is on its way to the disk: forward */
	if (!g->abort_pending)
		g->abort_err = *e;
	g->abort_pending = true;
	if (g->prog.in_flight) /* never undo beside a running step */
		return;
	g->abort_pending = false;
	g->src = SRC_NONE;
	group_journal(g, "abort", g->txn_epoch, NODE_NONE, g->abort_err.msg);
	group_send_err(g, MSG_ABORT, g->txn_epoch, &g->abort_err);
	if (!g->freeze_began) {
		call_off(g, now, &g->abort_err);
		return;
	}
	g->rolling_back = true;
	activate(g, now, true, "rolling back the switchover");
}

void source_tick(struct group_core *g, int64_t now)
{
	struct err e;

	if (g->state != GS_SWITCHING || !g->phase_deadline || now < g->phase_deadline)
		return;
	g->phase_deadline = 0;
	if (g->src == SRC_RELEASE) { /* back as soon as the step that hangs has returned */
		err_set(&e, ERR_TIMEOUT, ETIMEDOUT, "freeze", "releasing takes longer than limits.freeze allows");
		err_remedy(&e, "see the timeline for the slow step: nasctl timeline");
	} else if (g->src == SRC_HOLD) {
		hold_broken(g, now, "hold", "nobody said in time that the freeze may begin");
		return;
	} else {
		err_set(&e, ERR_TIMEOUT, ETIMEDOUT, g->src == SRC_PREPARE ? "reserve" : "clients",
			"%s did not answer in time", group_peer_name(g));
		err_remedy(&e, "see nasd's log there");
	}
	source_abort(g, now, &e);
}
