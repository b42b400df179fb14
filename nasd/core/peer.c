/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The link to the peer, and its messages: who owns the group, by both nodes. */
#include "group_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a node that stands by owes the peer: the group, if it is the peer's. */
void group_hand_over_if_owed(struct group_core *g)
{
	if (g->state == GS_STANDBY && g->peer_up && g->peer_hello && g->j.owner == group_peer_index(g) &&
	    g->j.epoch > g->peer.epoch && !g->n_unwritten) {
		group_send(g, MSG_COMMIT, g->j.epoch);
		g->peer.epoch = g->j.epoch; /* once per HELLO */
	}
}

void group_resume_if_agreed(struct group_core *g, int64_t now)
{
	if (!g->wait_resume || !g->peer_up || !g->peer_hello || g->j.owner != g->cfg.self)
		return;
	if (g->state != GS_STANDBY || g->peer.epoch > g->j.epoch || g->peer.serving)
		return;
	group_begin_log(g, now, SWITCH_RESUME, g->j.epoch, NODE_NONE, g->cfg.self, "nasd");
	activate(g, now, true, "the peer agrees that this node owns the group");
}

/* owner: the peer, or nobody: it has released the group. */
static void adopt_owner(struct group_core *g, int64_t now, uint64_t epoch, int owner)
{
	const char *why = owner == NODE_NONE ? "the peer has released the group" : "the peer owns a newer epoch";
	struct err e;

	group_journal(g, "owner", epoch, owner, why);
	g->wait_resume = false;
	err_set(&e, ERR_PEER, ESTALE, "epoch", "%s %s under the newer epoch %llu", group_peer_name(g),
		owner == NODE_NONE ? "has released the group" : "owns the group", (unsigned long long)epoch);
	err_remedy(&e, "see 'nasctl status' there; 'nasctl switchover' moves the group back");
	if (!asked_open(g))
		request_reply_open(g, false, &e, "");
	group_finish_log(g, now, RESULT_FAILED, &e);
	if (g->state != GS_STANDBY) {
		group_stand_down(g, now, why);
		return;
	}
	g->awaiting_done = false;
	group_say_standby(g);
	group_send_hello(g);
}

void group_peer_up(struct group_core *g, int64_t now, bool config_same, bool version_same)
{
	g->peer_up = true;
	g->config_same = config_same;
	g->version_same = version_same;
	g->peer_hello = false;
	group_send_hello(g);
	g->next_monitor = now;
	takeover_think(g, now);
}

void group_peer_down(struct group_core *g, int64_t now, const char *reason)
{
	struct err e;

	g->peer_up = false;
	g->peer_hello = false;
	g->facts[group_peer_index(g)].valid = false;
	err_set(&e, ERR_PEER, ENOTCONN, "peer", "the link to %s was lost: %s",
		group_peer_name(g), reason);
	err_remedy(&e, "check nasd on that node and the network between the nodes");
	request_peer_down(g, now, &e);
	if (g->state == GS_SWITCHING)
		source_abort(g, now, &e);
	else if (g->state == GS_CLAIMING)
		claim_refused(g, now, g->txn_epoch, &e);
	takeover_think(g, now);
}

/* It released the group unheard, was proven dead, and this node serves since. */
static bool outlives_release(struct group_core *g, const struct msg_hello *h)
{
	bool served = g->j.active_boot[0];

	if (h->owner != NODE_NONE || h->serving || g->j.owner != g->cfg.self ||
	    (g->state != GS_ACTIVE && g->state != GS_ACTIVATING))
		return false;
	group_journal(g, "owner", group_new_epoch(g), g->cfg.self, "the peer has released the group");
	if (served)
		group_journal(g, "active", g->j.epoch, g->cfg.self, "");
	group_send_hello(g);
	return true;
}

static void hello(struct group_core *g, int64_t now, const struct msg_hello *h)
{
	int peer = group_peer_index(g);
	bool first = !g->peer_hello;

	g->peer = *h;
	g->peer_hello = true;
	g->t.met = true;
	if (h->serving)
		g->t.claimed_us = now;
	if (h->max_epoch > g->j.max_epoch)
		g->j.max_epoch = h->max_epoch;
	if (h->epoch > g->j.epoch && (h->owner == peer || (h->owner == NODE_NONE && !outlives_release(g, h)))) {
		adopt_owner(g, now, h->epoch, h->owner);
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
	/* on the disk, for a nasd that is started again: takeover.c */
	if (h->epoch == g->j.epoch && g->j.owner == peer && strcmp(g->j.owner_boot, g->cfg.boot_id) != 0)
		group_journal(g, "owner", g->j.epoch, peer, "it says so in this boot");
	/* its DONE may have been lost with the last connection: asked for again */
	if (first && g->awaiting_done && h->epoch == g->j.epoch)
		group_send(g, MSG_COMMIT, g->j.epoch);
	group_hand_over_if_owed(g);
	group_resume_if_agreed(g, now);
}

static void facts_request(struct group_core *g)
{
	struct action *a = group_push(g, ACT_FACTS);

	if (a) {
		a->u.facts.tag = FACTS_FOR_PEER;
		a->u.facts.probe = true;
	}
}

static void remote_request(struct group_core *g, int64_t now, const struct peer_msg *m)
{
	struct group_request r = { .id = m->u.answer.request, .target = m->u.answer.target, .remote = true };

	r.kind = r.target == g->cfg.self ? REQUEST_TAKEOVER : REQUEST_SWITCHOVER;
	snprintf(r.by, sizeof(r.by), "%s", group_peer_name(g));
	group_request(g, now, &r);
}

static void remote_reply(struct group_core *g, const struct peer_msg *m)
{
	if (g->req_open && g->forwarded && g->req.id == m->u.answer.request)
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
	case MSG_STEP:
		if (group_log_running(g))
			group_report(g, &m->u.step, false);
		break;
	case MSG_CLAIM: claim_received(g, now, m->epoch); break;
	case MSG_CLAIMED: claim_agreed(g, now, m->epoch); break;
	case MSG_REQUEST: remote_request(g, now, m); break;
	case MSG_REPLY: remote_reply(g, m); break;
	case MSG_OUTDATE: held_outdate_asked(g, m); break;
	case MSG_OUTDATED: held_outdated(g, now, m); break;
	case MSG_INTRO:
	case MSG_HEARTBEAT:
	case MSG_CLIENTS:
	case MSG_CLIENTS_ACK:
	case MSG_STATE:
	case MSG_STATE_ACK:
		break; /* the link's and the engine's */
	}
	takeover_think(g, now);
}
