/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Somebody else decides when a node is to serve (Pacemaker, keepalived) and when it
 * is not to; how, and whether it is safe, is decided here.
 *
 *   asked to serve, and the peer serves:      it is moved here by a switchover; where
 *                                             asked_moves is not, refused: the peer has not asked
 *                   nobody serves:            the peer agrees, as to any takeover
 *                   the peer is silent:       takeover.c, which waits for proof
 *                   none of these:            refused, after a while, with the reason
 *   asked to stop:  the service is taken down, and nobody owns the group
 */
#include "group_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PATIENCE_US = 5000000 }; /* for what may still come by itself */

static void refuse(struct group_core *g, const struct group_request *req, const char *msg, const char *remedy)
{
	request_refuse(g, req, EBUSY, req->kind == REQUEST_RELEASE ? "release" : "takeover", msg, remedy);
}

/* ---- to serve */

bool asked_open(const struct group_core *g)
{
	return g->req_open && g->req.kind == REQUEST_ASKED && !g->forwarded;
}

static bool waits(const struct group_core *g)
{
	return asked_open(g) && (g->state == GS_STANDBY || g->state == GS_PREPARED);
}

/* Nothing is under way that could bring proof. */
static bool idle(const struct group_core *g)
{
	return g->t.need != NEED_TAKEOVER || !g->cfg.can_fence;
}

static bool serves(const struct group_core *g)
{
	return g->state == GS_ACTIVE && g->prog.purpose != PURPOSE_CONFIRM;
}

/* What may still come by itself has had its time; a peer that is waited for, its own. */
static int64_t patience_ends(const struct group_core *g)
{
	int64_t at = g->asked_at + PATIENCE_US, met = takeover_unmet_until(g);

	return met > at ? met : at;
}

/* Why it does not get anywhere. */
static const char *obstacle(const struct group_core *g, int64_t now)
{
	if (g->t.need == NEED_TAKEOVER)
		return "there is nothing to switch the other node off with";
	if (g->peer_up && g->peer_hello && g->peer.active)
		return "it serves and is heard, and has not asked to be relieved";
	if (g->peer_up)
		return "the other node holds parts of the service, and does not serve";
	if (!g->t.silent_at)
		return "the other node is heard, but its nasd is not connected";
	if (g->j.owner == g->cfg.self)
		return "this node was off: it cannot know whether the other one got the group meanwhile";
	return takeover_unfit(g, now);
}

static void give_up(struct group_core *g, const char *why)
{
	struct err e;

	err_set(&e, ERR_REFUSED, EBUSY, "takeover", "not taken over from %s: %.180s", group_peer_name(g), why ? why : "");
	err_remedy(&e, "see 'nasctl status' and 'nasctl fence status'; it may be asked again at any time");
	request_reply_open(g, false, &e, "");
}

/* The peer is there, and can be talked to. */
static void by_agreement(struct group_core *g, int64_t now)
{
	struct group_request req = g->req;

	if (g->j.owner == group_peer_index(g) && g->peer.active) {
		if (g->cfg.asked_moves)
			request_forward(g, now, &req);
	} else if (!g->peer.serving && g->state == GS_STANDBY && !g->awaiting_done && !g->n_unwritten) {
		g->req_open = false; /* claim_begin opens it anew, or answers */
		claim_begin(g, now, &req);
	}
}

void asked_think(struct group_core *g, int64_t now)
{
	if (asked_open(g) && serves(g))
		request_reply_open(g, true, NULL, "");
	if (!waits(g))
		return;
	if (g->peer_up && g->peer_hello && g->state == GS_STANDBY)
		by_agreement(g, now);
	if (waits(g) && idle(g) && now >= patience_ends(g))
		give_up(g, obstacle(g, now));
}

int64_t asked_next_tick(const struct group_core *g)
{
	return waits(g) && idle(g) ? patience_ends(g) : 0;
}

void asked_begin(struct group_core *g, int64_t now, const struct group_request *req)
{
	if (g->cfg.trigger != TRIGGER_ASKED || req->target != g->cfg.self) {
		refuse(g, req, req->target == g->cfg.self ? "another trigger is in force" : "only the node that is to serve can be asked",
		       "see `trigger' in nasd.conf(5)");
		return;
	}
	if (serves(g)) {
		request_reply(g, req, true, NULL, "it is active here already", false);
		return;
	}
	request_open(g, now, req);
	g->req_deadline = now + g->cfg.asked_us;
	g->asked_at = now;
	takeover_think(g, now);
}

/* The peer was to hand the group over, and is gone: what next? */
void asked_peer_down(struct group_core *g, int64_t now)
{
	g->forwarded = false;
	g->req_deadline = now + g->cfg.asked_us;
	g->asked_at = now;
}

void asked_not_proven(struct group_core *g, const char *why)
{
	if (waits(g) && g->t.need == NEED_TAKEOVER && !g->t.running && !g->t.proven_at)
		give_up(g, why);
}

/* ---- to stop */

static void written(struct group_core *g, int64_t now)
{
	g->release_epoch = 0;
	group_finish_log(g, now, RESULT_DONE, NULL);
	if (g->req_open && g->req.kind == REQUEST_RELEASE)
		request_reply_open(g, true, NULL, "");
}

void release_stood_down(struct group_core *g)
{
	if (!g->release_epoch || g->j.epoch >= g->release_epoch)
		return;
	g->wait_resume = false;
	group_journal(g, "owner", g->release_epoch, NODE_NONE, "released");
}

void release_journaled(struct group_core *g, int64_t now, const struct journal_rec *rec)
{
	if (g->release_epoch && rec->epoch == g->release_epoch && !strcmp(rec->kind, "owner"))
		written(g, now);
}

static void open_release(struct group_core *g, int64_t now, const struct group_request *req)
{
	uint64_t epoch = group_new_epoch(g);

	request_open(g, now, req);
	g->txn_epoch = epoch;
	group_begin_log(g, now, SWITCH_RELEASE, epoch, g->cfg.self, NODE_NONE, req->by);
	if (g->state == GS_STANDBY) {
		g->release_epoch = epoch;
		release_stood_down(g);
		group_say_standby(g);
		return;
	}
	group_stand_down(g, now, "told to stop serving");
	g->release_epoch = epoch;
}

void release_begin(struct group_core *g, int64_t now, const struct group_request *req)
{
	if (req->target != g->cfg.self) {
		refuse(g, req, "a node stops serving when it is told so itself", "ask on that node");
		return;
	}
	switch (g->state) {
	case GS_ACTIVE:
	case GS_ACTIVATING:
		open_release(g, now, req);
		return;
	case GS_STANDBY:
		if (g->j.owner == g->cfg.self)
			open_release(g, now, req);
		else
			request_reply(g, req, true, NULL, "it does not serve the group", false);
		return;
	case GS_STARTING:
	case GS_STANDING_DOWN:
	case GS_SWITCHING:
	case GS_PREPARED:
	case GS_CLAIMING:
		break;
	}
	refuse(g, req, "another transaction is running here", "wait for it to end: nasctl status");
}

/* Who is to stop is not kept waiting by who was told to begin. */
void asked_dropped(struct group_core *g)
{
	struct err e;

	if (!g->req_open || g->req.kind != REQUEST_ASKED)
		return;
	err_set(&e, ERR_REFUSED, ECANCELED, "takeover", "the node was told to stop serving meanwhile");
	err_remedy(&e, "see 'nasctl history'");
	request_reply_open(g, false, &e, "");
}
