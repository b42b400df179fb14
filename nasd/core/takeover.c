/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is done about a silent peer, and about a DRBD that holds our writes
 * because it has lost it. Silence is never proof: either way the peer is fenced,
 * or agrees, or an operator gives his word, before anything goes on.
 *
 *   the peer owns the group, is silent on every path, and our copy is the newest:
 *       wait takeover-delay -> fence run -> proof -> own a new epoch, serve
 *   we own it, and DRBD has lost the peer and holds our writes:
 *       the link is up:   the peer marks its copy outdated, and DRBD is told so
 *       it is not:        fence run at once -> proof -> DRBD is told so
 *
 * A run is called off when the peer is heard, and begun again when it failed.
 */
#include "group_internal.h"
#include "split.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	LINK_WAIT_US = 1000000,     /* for the link, before a peer that we cannot ask is fenced */
	AGREE_WAIT_US = 5000000,    /* for the peer's agreement, before it is fenced */
	WITNESS_AGAIN_US = 1000000,
	UNMET_WAIT_US = 10000000,   /* for a peer that this nasd has not met yet */
	LOOK_AGAIN_US = 2000000,    /* facts that do not come are asked for again */
	LOOK_WAIT_US = 300000,      /* for facts, before a run: DRBD may be connected again */
};

static const char cut_off_from_clients[] = "none of the clients answers: this node seems cut off from them";

void takeover_init(struct group_core *g)
{
	g->t.life.heard_us = -1;
	g->t.life.paused_us = -1;
	g->t.claimed_us = -1;
	g->t.linked_us = -1;
}

/* ---- what is the case */

/* Not known to be cut off from the clients, by an answer since then. */
static bool in_touch(const struct group_core *g, int64_t since)
{
	return g->t.witness_at >= since && (g->t.witness == WITNESS_ANSWERS || g->t.witness == WITNESS_NONE);
}

/* This boot of the node has known whose the group is: a nasd of it has met the
 * other one, or given it the group. While the node runs, nobody has proof against
 * it, so no newer epoch can have begun without it. */
static bool knows_the_epoch(const struct group_core *g)
{
	return g->t.met || !strcmp(g->j.owner_boot, g->cfg.boot_id);
}

int64_t takeover_unmet_until(const struct group_core *g)
{
	return g->t.met ? 0 : g->t.started_at + UNMET_WAIT_US;
}

/* A nasd that has not met the other one since it was started: the link and the
 * heartbeats' keys take their time, and DRBD must have lost the other one too. */
static bool too_early(const struct group_core *g, int64_t now, const struct facts *f)
{
	return !g->t.met && (now < takeover_unmet_until(g) || (f->valid && held_replicating(f)));
}

const char *takeover_unfit(const struct group_core *g, int64_t now)
{
	const struct facts *f = &g->facts[g->cfg.self];

	if (g->cfg.trigger == TRIGGER_MANUAL)
		return "trigger = manual: 'nasctl takeover' is an operator's to say";
	if (g->cfg.trigger == TRIGGER_ASKED && !asked_open(g))
		return "it has not been asked to: who decides that is `trigger' in nasd.conf";
	if (!knows_the_epoch(g))
		return "not heard since this node was booted: it may have got a newer epoch meanwhile";
	if (too_early(g, now, f))
		return "not heard since nasd was started here: it is given more time";
	if (g->t.life.node_answers)
		return "its node answers: only its nasd is gone; start it there";
	if (!f->valid || g->t.facts_at < g->t.silent_at || g->t.outdating)
		return "looking at this node first";
	if (!in_touch(g, g->t.silent_at))
		return g->t.witness == WITNESS_SILENT ? cut_off_from_clients :
							       "asking whether the clients answer";
	if (!f->drbd_known)
		return "DRBD cannot be asked here";
	/* else the other may have written on alone before it died */
	if (strcmp(f->drbd_fencing, "resource-and-stonith") != 0)
		return "DRBD's fencing policy is not resource-and-stonith: the newest writes may be missing here";
	if (split_stands_alone(f))
		return "DRBD here has given up on the other copy: nasd(8), SPLIT BRAIN";
	if (strcmp(f->drbd_disk, "UpToDate") != 0)
		return "this node's copy of the data is not known to be the newest";
	return NULL;
}

static bool stands_by_for_peer(const struct group_core *g)
{
	bool may_be_theirs = g->j.owner == group_peer_index(g) || (g->j.owner == NODE_NONE && asked_open(g));

	return may_be_theirs && (g->state == GS_STANDBY || g->state == GS_PREPARED) &&
	       !g->peer_up;
}

/* From when on the peer has had its time to agree: a peer that is heard again, and
 * a link that has just come or gone, are given all of it anew. */
static int64_t held_since(const struct group_core *g)
{
	return g->t.frozen_at > g->t.touch_at ? g->t.frozen_at : g->t.touch_at;
}

static enum fence_need need_now(const struct group_core *g, int64_t now)
{
	int64_t held = g->t.frozen_at ? now - held_since(g) : 0;

	if (g->t.silent_at && stands_by_for_peer(g) && !takeover_unfit(g, now))
		return NEED_TAKEOVER;
	if (!held_unanswered(g) || !held_copy_good(g) || !in_touch(g, g->t.frozen_at))
		return NEED_NONE;
	if (g->peer_up ? held >= AGREE_WAIT_US : g->t.silent_at || held >= LINK_WAIT_US)
		return NEED_IO;
	return NEED_NONE;
}

static void view_of(const struct group_core *g, int64_t now, struct fence_view *v)
{
	const struct takeover *t = &g->t;

	memset(v, 0, sizeof(*v));
	snprintf(v->node, sizeof(v->node), "%s", group_peer_name(g));
	v->epoch = g->j.epoch;
	snprintf(v->boot_id, sizeof(v->boot_id), "%s", t->life.boot_id);
	v->heard_us = held_alive_us(g);
	v->claimed_us = t->claimed_us;
	v->paused_us = t->life.paused_us;
	v->now_us = now;
	v->replicating = held_replicating(&g->facts[g->cfg.self]);
	v->need_verified = g->cfg.need_verified;
}

/* ---- proof */

static void call_off(struct group_core *g)
{
	struct takeover *t = &g->t;
	struct action *a;

	if (t->need == NEED_NONE)
		return;
	t->need = NEED_NONE;
	t->run_at = 0;
	a = t->running ? group_push(g, ACT_FENCE) : NULL;
	if (a)
		snprintf(a->u.fence.reason, sizeof(a->u.fence.reason), "%s",
			 t->silent_at ? "it is not needed any more" : "the node is heard again");
}

static void take_over(struct group_core *g, int64_t now, enum fence_peer_answer answer, const char *why)
{
	struct takeover *t = &g->t;
	int64_t heard = t->life.heard_us > 0 ? t->life.heard_us : t->silent_at;
	uint64_t epoch = group_new_epoch(g);
	char text[200];
	struct err e;

	err_set(&e, ERR_PEER, EHOSTDOWN, "peer", "%s died meanwhile; this node takes the group over", group_peer_name(g));
	err_remedy(&e, "see 'nasctl history'");
	if (!asked_open(g))
		request_reply_open(g, false, &e, "");
	g->awaiting_done = false;
	g->wait_resume = false;
	g->txn_epoch = epoch;
	group_begin_log(g, heard, SWITCH_TAKEOVER, epoch, group_peer_index(g), g->cfg.self,
			asked_open(g) ? g->req.by : "nasd");
	snprintf(text, sizeof(text), "nothing heard of %s", group_peer_name(g));
	group_core_report(g, STEP_DETECT, heard, t->silent_at, OUTCOME_DONE, text);
	group_core_report(g, STEP_FENCE, t->silent_at, now, OUTCOME_DONE, why);
	held_may_be_told(g, now, answer, epoch, why);
	claim_own(g, now, epoch, why);
}

static void proven(struct group_core *g, int64_t now, enum fence_need need, const struct fence_evidence *proof,
		   const struct fence_view *v)
{
	enum fence_peer_answer answer = fence_peer_answer_of(proof, false);
	char why[FENCE_EXPLAIN_MAX];

	fence_book_explain(&g->t.book, v, why, sizeof(why));
	call_off(g); /* or the node is switched off again after somebody has switched it on */
	if (need == NEED_TAKEOVER) {
		take_over(g, now, answer, why);
		return;
	}
	held_may_be_told(g, now, answer, g->j.epoch, why);
	held_settle(g, now);
}

/* DRBD takes an old copy for the newest only when the peer is said to be fenced. */
void takeover_trusted(struct group_core *g, int64_t now, const struct group_request *req)
{
	char why[200];

	snprintf(why, sizeof(why), "%.80s has confirmed that %s is off%s", req->by, group_peer_name(g),
		 req->accept_old_copy ? ", and accepts that this copy may be old" : "");
	held_may_be_told(g, now, req->accept_old_copy ? FENCE_PEER_FENCED : FENCE_PEER_DOWN, g->j.epoch, why);
}

/* ---- the run */

static void begin_run(struct group_core *g)
{
	struct takeover *t = &g->t;
	struct action *a = group_push(g, ACT_FENCE);

	if (!a)
		return;
	t->running = true;
	t->looked = false;
	t->run_at = 0;
	t->run_epoch = g->j.epoch;
	memcpy(t->run_boot, t->life.boot_id, sizeof(t->run_boot));
	a->u.fence.start = true;
	snprintf(a->u.fence.reason, sizeof(a->u.fence.reason), "%s", t->need == NEED_TAKEOVER ?
		 "it is silent, and this node is to take the group over" :
		 "DRBD has lost it and holds the writes");
}

/* A last look: this node's copy may have changed while the other was being switched
 * off, if DRBD was connected for a moment. Who gives his word speaks of a node that
 * was off before. */
static bool seen_since_proof(struct group_core *g, int64_t now, const struct fence_evidence *proof)
{
	struct takeover *t = &g->t;

	if (proof->source != FENCE_BY_AGENT)
		return true;
	if (t->proven_at && g->facts[g->cfg.self].collected_us >= t->proven_at)
		return true;
	if (t->proven_at && now < t->run_at)
		return false;
	if (!t->proven_at)
		t->proven_at = now;
	t->need = NEED_TAKEOVER;
	t->run_at = now + LOOK_AGAIN_US;
	held_look(g);
	return false;
}

static void pursue(struct group_core *g, int64_t now, enum fence_need need)
{
	struct takeover *t = &g->t;
	const struct fence_evidence *proof;
	struct fence_view v;

	view_of(g, now, &v);
	proof = fence_book_proof(&t->book, &v);
	if (proof) {
		if (need != NEED_TAKEOVER || seen_since_proof(g, now, proof))
			proven(g, now, need, proof, &v);
		return;
	}
	t->proven_at = 0;
	if (t->need != need) {
		t->need = need;
		t->run_at = now + (need == NEED_TAKEOVER ? g->cfg.takeover_delay_us : 0);
		t->looked = false;
	}
	if (t->running || !t->run_at || now < t->run_at || !g->cfg.can_fence)
		return;
	if (need == NEED_IO && !t->looked) {
		t->looked = true;
		t->run_at = now + LOOK_WAIT_US; /* or when the facts are there */
		held_look(g);
		return;
	}
	begin_run(g);
}

void group_fenced(struct group_core *g, int64_t now, const struct fence_evidence *e)
{
	struct takeover *t = &g->t;
	char text[FENCE_EXPLAIN_MAX];
	struct fence_view v;

	t->running = false;
	if (e) {
		struct fence_evidence own = *e;

		own.epoch = t->run_epoch;
		memcpy(own.boot_id, t->run_boot, sizeof(own.boot_id));
		fence_book_add(&t->book, &own, now);
	}
	if (t->need != NEED_NONE && !t->run_at) /* else wanted anew since it was called off */
		t->run_at = now + g->cfg.fence_retry_us;
	takeover_think(g, now);
	view_of(g, now, &v);
	asked_not_proven(g, e ? fence_book_explain(&t->book, &v, text, sizeof(text)) : "it cannot be fenced: see the log");
}

/* ---- an operator's word */

static void refuse_confirm(struct group_core *g, int64_t now, const struct group_request *req)
{
	struct err e;

	err_set(&e, ERR_REFUSED, EBUSY, "fence", "%s is not off: its nasd was heard %lld ms ago", group_peer_name(g),
		(long long)(now - g->t.life.heard_us) / 1000);
	err_remedy(&e, "use 'nasctl switchover' to move the group away from a node that runs");
	request_reply(g, req, false, &e, "", false);
}

bool takeover_peer_heard(const struct group_core *g)
{
	return !g->t.silent_at && g->t.life.heard_us >= 0;
}

void takeover_confirm(struct group_core *g, int64_t now, const struct group_request *req)
{
	struct fence_evidence e = { .source = FENCE_BY_OPERATOR, .said = FENCE_SAID_OFF, .epoch = g->j.epoch,
				    .at_us = now };
	const char *note = "noted; nothing waits for it";

	if (g->peer_up || takeover_peer_heard(g)) {
		refuse_confirm(g, now, req);
		return;
	}
	snprintf(e.node, sizeof(e.node), "%s", group_peer_name(g));
	snprintf(e.typed, sizeof(e.typed), "%s", group_peer_name(g));
	snprintf(e.who, sizeof(e.who), "%.60s", req->by);
	memcpy(e.boot_id, g->t.life.boot_id, sizeof(e.boot_id));
	fence_book_add(&g->t.book, &e, now);
	switch (need_now(g, now)) {
	case NEED_TAKEOVER: note = "this node takes the group over"; break;
	case NEED_IO: note = "the writes that DRBD held go on"; break;
	case NEED_NONE:
		if (g->j.owner == group_peer_index(g))
			note = "noted; this node does not take the group over by itself: nasctl takeover";
		break;
	}
	request_reply(g, req, true, NULL, note, false);
	takeover_think(g, now);
}

/* ---- who is cut off? */

static bool wants_witness(const struct group_core *g)
{
	const struct takeover *t = &g->t;

	return (t->silent_at && stands_by_for_peer(g)) || held_unanswered(g);
}

static void ask_witness(struct group_core *g, int64_t now)
{
	struct takeover *t = &g->t;

	if (t->witness_asked || now < t->witness_again || !wants_witness(g))
		return;
	t->witness_again = now + WITNESS_AGAIN_US;
	t->witness_asked = group_push(g, ACT_WITNESS) != NULL;
}

void group_witness(struct group_core *g, int64_t now, enum witness w)
{
	g->t.witness_asked = false;
	g->t.witness = w;
	g->t.witness_at = now;
	takeover_think(g, now);
}

/* ---- all together */

static void say(struct group_core *g, int64_t now)
{
	struct takeover *t = &g->t;
	const char *why = g->t.silent_at && stands_by_for_peer(g) ? takeover_unfit(g, now) : NULL;
	bool cut_off = held_unanswered(g) && t->witness == WITNESS_SILENT;
	char text[sizeof(t->text)] = "";
	struct fence_view v;
	size_t n;

	if (t->silent_at && stands_by_for_peer(g))
		snprintf(text, sizeof(text), "%s is silent", group_peer_name(g));
	else if (t->need == NEED_IO || t->trouble[0] || cut_off)
		snprintf(text, sizeof(text), "DRBD has lost %s and holds the writes%s%s", group_peer_name(g),
			 t->trouble[0] || cut_off ? "; " : "", cut_off ? cut_off_from_clients : t->trouble);
	n = strlen(text);
	if (why) {
		snprintf(text + n, sizeof(text) - n, "; not taken over: %s", why);
	} else if (n && t->running) {
		snprintf(text + n, sizeof(text) - n, "; it is being fenced");
	} else if (n && t->need != NEED_NONE && (t->book.has[FENCE_BY_AGENT] || !g->cfg.can_fence)) {
		view_of(g, now, &v);
		snprintf(text + n, sizeof(text) - n, "; ");
		fence_book_explain(&t->book, &v, text + n + 2, sizeof(text) - n - 2);
	}
	if (!strcmp(text, t->text))
		return;
	snprintf(t->text, sizeof(t->text), "%s", text);
	if (g->state == GS_STANDBY)
		group_say_standby(g);
	else if (g->state == GS_ACTIVE && !g->n_unwritten)
		group_set_state(g, GS_ACTIVE, "%.190s", text);
}

void takeover_think(struct group_core *g, int64_t now)
{
	struct takeover *t = &g->t;
	enum fence_need need;

	if (t->linked != g->peer_up || t->heard != !t->silent_at) {
		t->linked = g->peer_up;
		t->heard = !t->silent_at;
		t->touch_at = now;
	}
	held_settle(g, now);
	ask_witness(g, now);
	need = need_now(g, now);
	if (need == NEED_NONE) {
		t->proven_at = 0;
		call_off(g);
	} else {
		pursue(g, now, need);
	}
	asked_think(g, now);
	say(g, now);
}

static void sooner(int64_t *t, int64_t when)
{
	if (when && (!*t || when < *t))
		*t = when;
}

int64_t takeover_next_tick(const struct group_core *g)
{
	const struct takeover *t = &g->t;
	int64_t at = 0;

	if (t->need != NEED_NONE && !t->running && g->cfg.can_fence)
		sooner(&at, t->run_at);
	if (wants_witness(g) && !t->witness_asked)
		sooner(&at, t->witness_again);
	if (held_now(g) && held_serves(g))
		sooner(&at, held_next_tick(g));
	if (held_unanswered(g) && t->need == NEED_NONE && held_copy_good(g) && t->copy_seen &&
	    in_touch(g, t->frozen_at))
		sooner(&at, held_since(g) + (g->peer_up ? AGREE_WAIT_US : LINK_WAIT_US));
	sooner(&at, asked_next_tick(g));
	return at;
}

void group_peer_life(struct group_core *g, int64_t now, const struct peer_life *life)
{
	struct takeover *t = &g->t;

	t->life = *life;
	if (!life->silent != !t->silent_at)
		t->witness_again = now;
	if (!life->silent) {
		t->silent_at = 0;
	} else if (!t->silent_at) {
		t->silent_at = now;
		held_look(g);
	}
	takeover_think(g, now);
}
