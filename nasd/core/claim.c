/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takeover: a node that does not own the group comes to own it without being
 * given it. Only with proof: the peer's own agreement (nobody owns the group and
 * it does not serve), or an operator's word that the peer is off.
 */
#include "group_internal.h"
#include "split.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CLAIM_TIMEOUT_US = 5000000 };

static void reply_error(struct group_core *g, const struct group_request *req, const char *msg, const char *remedy)
{
	request_refuse(g, req, EPERM, "takeover", msg, remedy);
}

void claim_own(struct group_core *g, int64_t now, uint64_t epoch, const char *proof)
{
	group_journal(g, "owner", epoch, g->cfg.self, proof);
	activate(g, now, true, proof);
}

static void open_claim(struct group_core *g, int64_t now, const struct group_request *req, uint64_t epoch)
{
	request_open(g, now, req);
	g->awaiting_done = false;
	g->txn_epoch = epoch;
	g->phase_began = now;
	group_begin_log(g, now, SWITCH_TAKEOVER, epoch, NODE_NONE, g->cfg.self, req->by);
}

static bool may_be_old(const struct group_core *g)
{
	const struct facts *f = &g->facts[g->cfg.self];

	return f->valid && f->drbd_known && !strcmp(f->drbd_disk, "Consistent");
}

void claim_begin(struct group_core *g, int64_t now, const struct group_request *req)
{
	uint64_t epoch = group_new_epoch(g);

	if (g->state == GS_ACTIVE && g->j.owner == g->cfg.self) {
		request_reply(g, req, true, NULL, "it is active here already", false);
		return;
	}
	if (g->state != GS_STANDBY && g->state != GS_PREPARED) {
		reply_error(g, req, "another transaction is running here", "wait for it to end: nasctl status");
		return;
	}
	if (g->j.owner != g->cfg.self && split_brain(&g->facts[0], &g->facts[1])) {
		reply_error(g, req, "split brain: this copy has been changed apart from the owner's",
			    "choose whose changes are lost first: nasctl status; SPLIT BRAIN in nasd(8)");
		return;
	}
	if (g->peer_up) {
		if (req->peer_confirmed_dead) {
			reply_error(g, req, "the peer is not dead: its nasd is connected",
				    "use 'nasctl switchover', or 'nasctl takeover' without the confirmation");
			return;
		}
		if (g->state == GS_PREPARED || (g->j.owner == group_peer_index(g) && g->peer.serving)) {
			reply_error(g, req, "the peer owns the group and is connected", "use 'nasctl switchover'");
			return;
		}
		open_claim(g, now, req, epoch);
		group_set_state(g, GS_CLAIMING, "asking the peer to agree to epoch %llu", (unsigned long long)epoch);
		g->phase_deadline = now + CLAIM_TIMEOUT_US;
		group_send(g, MSG_CLAIM, epoch);
		return;
	}
	if (!req->peer_confirmed_dead) {
		reply_error(g, req, "the peer cannot be asked, and silence is no proof that it is off",
			    "start nasd there; or, when you have seen that the node is off: --peer-confirmed-dead NODE");
		return;
	}
	if (takeover_peer_heard(g)) {
		reply_error(g, req, "the peer is not dead: its heartbeats arrive", "check the link between the two nasd: nasctl status");
		return;
	}
	if (g->j.owner != g->cfg.self && split_stands_alone(&g->facts[g->cfg.self]) && !req->accept_old_copy) {
		reply_error(g, req, "this node's copy lacks what the other was told since DRBD here stands alone (SPLIT BRAIN in nasd(8))",
			    "bring the other node back; or, when it is lost for good: --accept-old-copy");
		return;
	}
	if (may_be_old(g) && !req->accept_old_copy) {
		reply_error(g, req, "this node's copy of the data may be old: it was not connected to the other since it started",
			    "bring the other node back; or, when it is lost for good: --accept-old-copy");
		return;
	}
	open_claim(g, now, req, epoch);
	claim_own(g, now, epoch, "an operator confirmed that the peer is off");
	takeover_trusted(g, now, req);
}

/* Why this node does not agree to a claim; NULL: it does. */
static const char *objection(const struct group_core *g, uint64_t epoch)
{
	if (g->state != GS_STANDBY)
		return group_state_name(g->state);
	if (group_may_serve(g))
		return "not free of the service";
	return epoch <= g->j.max_epoch ? "past that epoch" : NULL;
}

static void agree(struct group_core *g, uint64_t epoch)
{
	g->wait_resume = false;
	group_journal(g, "owner", epoch, group_peer_index(g), "agreed to the peer's claim");
	group_send(g, MSG_CLAIMED, epoch);
	g->peer.epoch = epoch;
	group_say_standby(g);
}

/* Both ask at the same time: node 0 gets it. Its own claim is refused there. */
static void yield(struct group_core *g, int64_t now, uint64_t epoch)
{
	struct err e;

	err_set(&e, ERR_REFUSED, EBUSY, "takeover", "%s asked for it at the same time",
		group_peer_name(g));
	err_remedy(&e, "see 'nasctl status' there");
	group_say_standby(g);
	group_finish_log(g, now, RESULT_REFUSED, &e);
	request_reply_open(g, false, &e, "");
	agree(g, epoch);
}

void claim_received(struct group_core *g, int64_t now, uint64_t epoch)
{
	const char *why = objection(g, epoch);
	struct err e;

	if (!why) {
		agree(g, epoch);
		return;
	}
	if (g->state == GS_CLAIMING && g->cfg.self == 1 && epoch > g->j.epoch) {
		yield(g, now, epoch);
		return;
	}
	err_set(&e, ERR_REFUSED, EBUSY, "takeover", "%s does not agree: it is %s", group_node_name(g, g->cfg.self),
		why);
	err_remedy(&e, "see 'nasctl status' there; 'nasctl switchover' moves a group that is served");
	group_send_err(g, MSG_REFUSED, epoch, &e);
}

void claim_agreed(struct group_core *g, int64_t now, uint64_t epoch)
{
	if (g->state == GS_CLAIMING && epoch == g->txn_epoch)
		claim_own(g, now, epoch, "the peer agreed");
}

void claim_refused(struct group_core *g, int64_t now, uint64_t epoch, const struct err *e)
{
	if (g->state != GS_CLAIMING || epoch != g->txn_epoch)
		return;
	/* the epoch may have been agreed to and the answer lost: it stays used */
	if (epoch > g->j.max_epoch)
		g->j.max_epoch = epoch;
	group_say_standby(g);
	group_finish_log(g, now, RESULT_REFUSED, e);
	if (asked_open(g) && !g->peer_up)
		asked_peer_down(g, now);
	else
		request_reply_open(g, false, e, "");
	/* what the peer has said meanwhile */
	group_hand_over_if_owed(g);
	group_resume_if_agreed(g, now);
}

void claim_tick(struct group_core *g, int64_t now)
{
	struct err e;

	if (g->state != GS_CLAIMING || !g->phase_deadline || now < g->phase_deadline)
		return;
	err_set(&e, ERR_TIMEOUT, ETIMEDOUT, "takeover", "the peer did not answer in time");
	err_remedy(&e, "see nasd's log there");
	claim_refused(g, now, g->txn_epoch, &e);
}
