/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DRBD has lost the peer and holds our writes, or a promotion: what it may be
 * told, and when that holds no longer. It goes on with whatever it is told, so
 * nothing counts that is from before its last connection, and nothing is told of
 * a copy of our own that may be the older one.
 */
#include "group_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	OUTDATE_AGAIN_US = 300000,
	RESUME_WAIT_US = 2000000,   /* DRBD goes on by itself after its handler's answer */
	FACTS_WAIT_US = 2000000,
};

/* ---- what is the case */

bool held_replicating(const struct facts *f)
{
	return f->valid && f->drbd_known && strcmp(f->drbd_cstate, "StandAlone") != 0 &&
	       strcmp(f->drbd_peer_role, "Unknown") != 0;
}

/* The group is ours, and a write may be waiting for it to go on. */
bool held_serves(const struct group_core *g)
{
	return g->j.owner == g->cfg.self &&
	       (g->state == GS_ACTIVE || g->state == GS_ACTIVATING || g->state == GS_SWITCHING);
}

bool held_now(const struct group_core *g)
{
	return g->t.asked || (g->t.frozen && held_serves(g));
}

/* The node's last sign of life; DRBD's connection is one. */
int64_t held_alive_us(const struct group_core *g)
{
	return g->t.life.heard_us > g->t.linked_us ? g->t.life.heard_us : g->t.linked_us;
}

/* What DRBD may be told of the peer's copy holds until DRBD is connected to it
 * again; that the peer is off, also until it is heard, or may have been. */
bool held_may_tell(const struct group_core *g)
{
	const struct takeover *t = &g->t;

	if (t->told == FENCE_PEER_NO_PROOF || t->told_epoch != g->j.epoch || t->told_at <= t->linked_us)
		return false;
	if (!t->asked && t->told_at < t->frozen_at)
		return false; /* of an earlier loss; the question about this one is on its way */
	return t->told == FENCE_PEER_OUTDATED || (held_alive_us(g) < t->told_at && t->life.paused_us < t->told_at);
}

bool held_unanswered(const struct group_core *g)
{
	return held_now(g) && held_serves(g) && !held_may_tell(g);
}

/* DRBD asks because of a promotion here; else it was connected until just now. */
static bool promotes(const struct group_core *g)
{
	return g->state == GS_ACTIVATING && strcmp(g->facts[g->cfg.self].drbd_role, "Primary") != 0 &&
	       (!g->prog.steps || g->prog.steps[g->prog.index] == STEP_DRBD_PRIMARY);
}

/*
 * Nothing goes on without the peer on a copy that may be the worse one: DRBD takes
 * our word for it that the peer's is. A Primary's copy may be incomplete; one that
 * is to be promoted has to be the newest beyond doubt.
 */
bool held_copy_good(const struct group_core *g)
{
	const struct facts *f = &g->facts[g->cfg.self];
	bool known = f->valid && f->drbd_known;

	if (promotes(g))
		return known && !strcmp(f->drbd_disk, "UpToDate");
	return !known || !strcmp(f->drbd_disk, "UpToDate") || !strcmp(f->drbd_disk, "Consistent");
}

/* ---- DRBD's writes */

void held_look(struct group_core *g)
{
	struct action *a = group_push(g, ACT_FACTS);

	if (a)
		a->u.facts.tag = FACTS_MONITOR;
}

static void tell_drbd(struct group_core *g, enum fence_peer_answer answer, const char *why)
{
	struct action *a = group_push(g, ACT_DRBD_ANSWER);

	g->t.asked = false;
	if (!a)
		return;
	a->u.drbd.answer = answer;
	snprintf(a->u.drbd.reason, sizeof(a->u.drbd.reason), "%s", why);
}

void held_may_be_told(struct group_core *g, int64_t now, enum fence_peer_answer answer, uint64_t epoch, const char *why)
{
	g->t.told = answer;
	g->t.told_epoch = epoch;
	g->t.told_at = now;
	snprintf(g->t.told_why, sizeof(g->t.told_why), "%s", why);
}

static void let_io_go_on(struct group_core *g, int64_t now)
{
	struct takeover *t = &g->t;

	if (t->asked) {
		tell_drbd(g, t->told, t->told_why);
		t->frozen = false; /* or facts from now on will show it */
		held_look(g);
		t->resume_at = now + RESUME_WAIT_US;
	} else if (!t->resuming && now >= t->resume_at && !t->resume_looked) {
		t->resume_looked = true; /* a last look: it may have been lost anew since */
		t->resume_at = now + FACTS_WAIT_US;
		held_look(g);
	} else if (!t->resuming && now >= t->resume_at) {
		t->resuming = group_push(g, ACT_RESUME_IO) != NULL;
	}
}

void held_settle(struct group_core *g, int64_t now)
{
	struct takeover *t = &g->t;

	if (!held_now(g)) {
		t->frozen_at = 0;
		t->resume_looked = false;
		t->trouble[0] = '\0';
		return;
	}
	if (!t->frozen_at) {
		t->frozen_at = now;
		t->witness_again = now;
	}
	if (!held_serves(g)) {
		bool theirs = g->peer_up && g->peer_hello && g->peer.serving;

		tell_drbd(g, theirs ? FENCE_PEER_PRIMARY : FENCE_PEER_NO_PROOF,
			  "this node does not own the group: nasctl status");
		return;
	}
	/* looked at since the writes are held; facts that do not come are not waited for */
	t->copy_seen = promotes(g) || t->facts_at >= t->frozen_at || now - t->frozen_at > FACTS_WAIT_US;
	if (!held_copy_good(g)) {
		if (t->asked && t->facts_at >= t->frozen_at)
			tell_drbd(g, FENCE_PEER_NO_PROOF, "this node's copy of the data is not known to be the newest");
	} else if (!t->copy_seen) {
		return;
	} else if (held_may_tell(g)) {
		let_io_go_on(g, now);
	} else if (g->peer_up && g->peer_hello && now >= t->outdate_at) {
		t->outdate_at = now + OUTDATE_AGAIN_US;
		group_send(g, MSG_OUTDATE, g->j.epoch);
	}
}

/* The owner has lost our copy, and we stand by: ours is outdated from now on. */
void held_outdate_asked(struct group_core *g, const struct peer_msg *m)
{
	const char *why = NULL;
	struct err e;

	if (g->state != GS_STANDBY || g->j.owner != group_peer_index(g))
		why = group_state_name(g->state);
	else if (m->epoch != g->j.epoch)
		why = "under another epoch";
	else if (group_may_serve(g))
		why = "not free of the service";
	if (!why) {
		g->t.outdate_epoch = m->epoch;
		if (!g->t.outdating)
			g->t.outdating = group_push(g, ACT_OUTDATE) != NULL;
		return;
	}
	err_set(&e, ERR_REFUSED, EBUSY, "outdate", "%s is %s", group_node_name(g, g->cfg.self), why);
	err_remedy(&e, "see 'nasctl status' there");
	group_send_err(g, MSG_OUTDATED, m->epoch, &e);
}

void group_outdated(struct group_core *g, int64_t now, bool ok, const struct err *e)
{
	g->t.outdating = false;
	g->facts[g->cfg.self].valid = false; /* of the time before */
	held_look(g);
	group_send_err(g, MSG_OUTDATED, g->t.outdate_epoch, ok ? NULL : e);
	takeover_think(g, now);
}

void held_outdated(struct group_core *g, int64_t now, const struct peer_msg *m)
{
	char why[FENCE_EXPLAIN_MAX];

	if (m->epoch != g->j.epoch || !held_serves(g) || !held_now(g))
		return;
	if (!m->u.answer.ok) {
		snprintf(g->t.trouble, sizeof(g->t.trouble), "%s does not mark its copy outdated: %.150s", group_peer_name(g),
			 m->u.answer.err.msg);
		held_look(g); /* DRBD may be connected again */
		return;
	}
	snprintf(why, sizeof(why), "%s stands by and has marked its copy outdated", group_peer_name(g));
	held_may_be_told(g, now, FENCE_PEER_OUTDATED, g->j.epoch, why);
}

void group_drbd_asks(struct group_core *g, int64_t now)
{
	if (!promotes(g))
		g->t.linked_us = now;
	else if (g->t.told == FENCE_PEER_OUTDATED)
		g->t.told = FENCE_PEER_NO_PROOF; /* it costs little to ask the peer once more */
	g->t.alone = true;
	g->t.asked = true;
	held_look(g);
	takeover_think(g, now);
}

void group_io_resumed(struct group_core *g, int64_t now, bool ok, const struct err *e)
{
	g->t.resuming = g->t.resume_looked = false;
	g->t.resume_at = now + RESUME_WAIT_US;
	held_look(g);
	if (ok)
		g->t.frozen = false;
	else
		snprintf(g->t.trouble, sizeof(g->t.trouble), "they cannot be resumed: %.150s", e->msg);
	takeover_think(g, now);
}

void held_facts(struct group_core *g, int64_t now, const struct facts *f)
{
	struct takeover *t = &g->t;
	bool frozen = f->drbd_known && f->drbd_suspended && !held_replicating(f);

	t->facts_at = now;
	if (frozen && !t->frozen && !t->asked)
		t->linked_us = now; /* it freezes when it loses a peer: however briefly, there was one */
	t->frozen = frozen;
	if (t->looked && t->run_at > now)
		t->run_at = now;
	if (t->resume_looked && t->resume_at > now)
		t->resume_at = now;
	if (f->drbd_known && !held_replicating(f)) {
		t->alone = true;
	} else if (held_replicating(f) && t->alone) {
		t->alone = false;
		t->linked_us = now;
	}
	if (held_replicating(f) && t->asked)
		tell_drbd(g, FENCE_PEER_NO_PROOF, "DRBD is connected again");
}

int64_t held_next_tick(const struct group_core *g)
{
	const struct takeover *t = &g->t;

	if (!held_copy_good(g))
		return 0;
	if (!t->copy_seen)
		return t->frozen_at + FACTS_WAIT_US + 1;
	if (held_may_tell(g))
		return t->asked || t->resuming ? 0 : t->resume_at;
	return g->peer_up && g->peer_hello ? t->outdate_at : 0;
}
