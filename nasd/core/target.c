/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The target of a switchover, and activation, which is the same by whatever
 * way a node comes to serve: hand-over, takeover, roll-back or restart.
 */
#include "group_internal.h"

#include <errno.h>
#include <string.h>

static void refuse(struct group_core *g, uint64_t epoch, const char *where, const char *msg, const char *remedy)
{
	struct err e;

	err_set(&e, ERR_REFUSED, EBUSY, where, "%s: %s", group_node_name(g, g->cfg.self), msg);
	err_remedy(&e, "%s", remedy);
	group_send_err(g, MSG_REFUSED, epoch, &e);
}

void target_prepare(struct group_core *g, int64_t now, uint64_t epoch)
{
	if (g->state != GS_STANDBY || g->j.owner == g->cfg.self) {
		refuse(g, epoch, "reserve", "not standing by", "see 'nasctl status' there");
		return;
	}
	/* its own HELLO may have shown us this very epoch already */
	if (epoch <= g->j.epoch || epoch < g->j.max_epoch) {
		refuse(g, epoch, "reserve", "the epoch has been used already", "try again");
		return;
	}
	g->txn_epoch = epoch;
	g->phase_began = now;
	g->awaiting_done = false;
	g->send_done = false;
	group_begin_log(g, now, SWITCH_SWITCHOVER, epoch, group_peer_index(g), g->cfg.self,
			group_peer_name(g));
	group_set_state(g, GS_PREPARED, "reserving for epoch %llu", (unsigned long long)epoch);
	program_start(g, now, PURPOSE_WARM, program_warm, false);
}

void target_warmed(struct group_core *g, int64_t now)
{
	(void)now;
	if (g->state != GS_PREPARED)
		return;
	group_journal(g, "prepared", g->txn_epoch, group_peer_index(g), "");
	/* sent after the record: the engine keeps the order of actions */
	group_send(g, MSG_PREPARED, g->txn_epoch);
}

/* Back to standing by, the server warm again. */
static void leave_prepared(struct group_core *g, int64_t now, const char *why)
{
	if (g->j.phase == TXN_PREPARED)
		group_journal(g, "abort", g->txn_epoch, NODE_NONE, why);
	group_set_state(g, GS_STANDBY, "%.180s", why);
	program_start(g, now, PURPOSE_REWARM, program_rewarm, true);
	group_hand_over_if_owed(g);
}

void target_warm_failed(struct group_core *g, int64_t now, const struct err *e)
{
	if (g->state != GS_PREPARED)
		return;
	group_send_err(g, MSG_REFUSED, g->txn_epoch, e);
	group_finish_log(g, now, RESULT_REFUSED, e);
	leave_prepared(g, now, e->msg);
}

void target_abort(struct group_core *g, int64_t now, uint64_t epoch, const char *why)
{
	struct err e;

	if (g->state != GS_PREPARED || epoch != g->txn_epoch)
		return;
	err_set(&e, ERR_PEER, ECANCELED, "source", "%s", why);
	err_remedy(&e, "see 'nasctl history' on the other node");
	group_finish_log(g, now, RESULT_ROLLED_BACK, &e);
	leave_prepared(g, now, why);
}

/* Said again: the peer does not know yet that we have it. */
static void commit_again(struct group_core *g, uint64_t epoch)
{
	if (g->state == GS_ACTIVE && g->prog.purpose != PURPOSE_CONFIRM)
		group_send(g, MSG_DONE, epoch);
	else
		g->send_done = true;
}

void target_commit(struct group_core *g, int64_t now, uint64_t epoch)
{
	bool prepared = g->state == GS_PREPARED && epoch == g->txn_epoch;

	if (epoch == g->j.epoch && g->j.owner == g->cfg.self) {
		commit_again(g, epoch);
		return;
	}
	if (epoch <= g->j.epoch || g->state == GS_SWITCHING)
		return; /* the past, or not ours to take now: HELLO sorts it out */
	if (!prepared && g->state != GS_ACTIVE)
		group_begin_log(g, now, SWITCH_SWITCHOVER, epoch, group_peer_index(g), g->cfg.self,
				group_peer_name(g));
	group_journal(g, "owner", epoch, g->cfg.self, "given by the peer");
	if (g->state == GS_ACTIVE) { /* a claim agreed to twice: it serves already */
		group_journal(g, "active", epoch, g->cfg.self, "");
		group_send_hello(g);
		commit_again(g, epoch);
		return;
	}
	group_core_report(g, STEP_COMMIT, now, now, OUTCOME_DONE, "");
	g->send_done = true;
	activate(g, now, !prepared, "the group is this node's");
}

void activate(struct group_core *g, int64_t now, bool verify_first, const char *why)
{
	g->wait_resume = false;
	g->awaiting_done = false;
	group_set_state(g, GS_ACTIVATING, "%s", why);
	program_start(g, now, PURPOSE_ACTIVATE, server_rows(g), verify_first);
}

void target_activated(struct group_core *g, int64_t now)
{
	if (strcmp(g->j.active_boot, g->cfg.boot_id))
		group_journal(g, "active", g->j.epoch, g->cfg.self, "");
	server_activated(g);
	group_set_state(g, GS_ACTIVE, "%s", "");
	program_start(g, now, PURPOSE_CONFIRM, program_confirm, false);
}

void target_confirmed(struct group_core *g, int64_t now)
{
	bool back = g->rolling_back;

	g->rolling_back = false;
	if (g->detail[0] && !g->n_unwritten)
		group_set_state(g, GS_ACTIVE, "%s", "");
	if (g->send_done) {
		g->send_done = false;
		group_send(g, MSG_DONE, g->j.epoch);
	}
	group_finish_log(g, now, back ? RESULT_ROLLED_BACK : RESULT_DONE, back ? &g->abort_err : NULL);
	request_reply_open(g, !back, back ? &g->abort_err : NULL, "");
}
