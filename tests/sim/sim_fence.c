/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fence devices, and what DRBD asks and is told, as sys/engine_fence.c and
 * sys/engine_actions.c do it.
 */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum {
	START_MIN_US = 30000, START_MAX_US = 150000,      /* a program is started */
	OFF_MAX_US = 1500000, STATUS_MAX_US = 300000,
	PATIENCE_US = 8000000,                            /* for an agent that hangs */
	DRBD_MIN_US = 500, DRBD_MAX_US = 60000,
	STALL_MAX_US = 8000000,                           /* nasd stands still, the kernel does not */
};

const char *device_name(enum device_kind k)
{
	static const char *const names[DEVICE_KINDS] = { "works", "fails", "hangs", "unknown",
							 "says failed, switches off", "hangs, switches off" };

	return (unsigned)k < DEVICE_KINDS ? names[k] : "invalid";
}

/* ---- switching off */

static void begin(struct sim *s, int node)
{
	struct sim_run *r = &s->n[node].run;
	int64_t acts = s->now + prng_range(&s->r, START_MIN_US, START_MAX_US);

	*r = (struct sim_run){ .on = true, .how = s->device[1 - node] };
	switch (r->how) {
	case DEVICE_WORKS:
	case DEVICE_FAILS_OFF:
	case DEVICE_HANGS_OFF:
		r->off_due = acts + (prng_chance(&s->r, 70) ? prng_range(&s->r, 1000, 50000) :
							      prng_range(&s->r, 1000, OFF_MAX_US));
		acts = r->off_due;
		break;
	case DEVICE_FAILS:
	case DEVICE_HANGS:
	case DEVICE_UNKNOWN:
	case DEVICE_KINDS: break;
	}
	r->done_due = acts + prng_range(&s->r, 1000, STATUS_MAX_US);
	if (r->how == DEVICE_HANGS || r->how == DEVICE_HANGS_OFF)
		r->done_due += PATIENCE_US;
	s->fence_runs++;
}

void sim_fence(struct sim *s, int node, const struct action *a)
{
	struct sim_run *r = &s->n[node].run;

	sim_say(s, node, "%s: %s", a->u.fence.start ? "FENCE" : "fencing is called off", a->u.fence.reason);
	if (!a->u.fence.start) {
		if (!r->on || r->called_off)
			return;
		r->called_off = true;
		r->done_due = s->now + 1000;
		return;
	}
	promises_fence(s, node);
	if (r->on)
		sim_broken(s, "node %d begins a fence run beside another", node);
	begin(s, node);
}

/* The device acts: the other node's power is off. */
void sim_fence_off(struct sim *s, int node)
{
	struct sim_run *r = &s->n[node].run;
	int peer = 1 - node;

	r->off_due = 0;
	r->status_at = sim_clock(s, node);
	if (!s->n[peer].powered)
		return;
	sim_say(s, node, "switches the other node off");
	s->fence_offs++;
	sim_kill_now(s, peer, true, prng_chance(&s->r, 50));
	s->n[peer].fenced = true;
	s->n[peer].restart_at = 0;
}

static void evidence_of(const struct sim *s, int node, struct fence_evidence *e)
{
	const struct sim_run *r = &s->n[node].run;
	bool off = !s->n[1 - node].powered;

	memset(e, 0, sizeof(*e));
	e->source = FENCE_BY_AGENT;
	e->said = FENCE_SAID_FAILED;
	snprintf(e->node, sizeof(e->node), "%s", node ? "nas1" : "nas2");
	snprintf(e->who, sizeof(e->who), "switch");
	e->at_us = sim_clock(s, node);
	switch (r->how) {
	case DEVICE_WORKS:
		e->said = off ? FENCE_SAID_OFF : FENCE_SAID_ON; /* somebody may have booted it */
		e->acted = true;
		e->verified = off;
		e->at_us = r->status_at;
		return;
	case DEVICE_HANGS:
	case DEVICE_HANGS_OFF: e->said = FENCE_SAID_TIMEOUT; return;
	case DEVICE_UNKNOWN: e->said = FENCE_SAID_UNKNOWN; return;
	case DEVICE_FAILS:
	case DEVICE_FAILS_OFF:
	case DEVICE_KINDS: return;
	}
}

void sim_fence_done(struct sim *s, int node)
{
	struct sim_run *r = &s->n[node].run;
	struct fence_evidence e;

	evidence_of(s, node, &e);
	r->on = false;
	r->done_due = 0;
	sim_say(s, node, "the fence run ends: %s%s", fence_said_name(e.said), r->called_off ? ", called off" : "");
	sim_life_told(s, node);
	group_fenced(s->n[node].core, sim_clock(s, node), r->called_off ? NULL : &e);
}

/* nasd dies, and its agent with it or not. */
void sim_fence_dies(struct sim *s, int node)
{
	struct sim_run *r = &s->n[node].run;

	if (!s->n[node].powered || prng_chance(&s->r, 50))
		r->off_due = 0;
	r->on = false;
	r->done_due = 0;
}

/* ---- who is cut off? */

void sim_ask_witness(struct sim *s, int node)
{
	s->n[node].witness_due = s->now + prng_range(&s->r, 1000, s->leg_cut[node] ? 500000 : 30000);
}

void sim_witness(struct sim *s, int node)
{
	enum witness w = s->no_witness ? WITNESS_NONE : s->leg_cut[node] ? WITNESS_SILENT : WITNESS_ANSWERS;

	s->n[node].witness_due = 0;
	if (w == WITNESS_SILENT)
		sim_say(s, node, "none of the clients answers");
	group_witness(s->n[node].core, sim_clock(s, node), w);
}

/* ---- DRBD */

void sim_drbd_changed(struct sim *s)
{
	for (int i = 0; i < 2; i++) {
		struct sim_node *n = &s->n[i];
		struct sim_job *j = &n->lane[0];

		if (n->n_lane && j->waits && !(j->step == STEP_DRBD_PRIMARY ? s->w.d.e[i].asks_promotion :
									       drbd_held(&s->w.d, i)))
			j->end = s->now;
	}
}

void sim_drbd_asks(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];

	s->w.d.e[node].ask_due = 0;
	sim_say(s, node, "DRBD asks what became of the peer%s", n->core ? "" : ", but no nasd runs");
	if (n->core)
		group_drbd_asks(n->core, sim_clock(s, node));
	else
		sim_drbd_answer(s, node, FENCE_PEER_NO_PROOF);
}

void sim_drbd_answer(struct sim *s, int node, enum fence_peer_answer a)
{
	struct drbd_end *e = &s->w.d.e[node];

	if (e->ask_due)
		return; /* its handler has not asked yet */
	sim_say(s, node, "DRBD is told: %s", fence_peer_answer_name(a));
	if (e->asks_loss || e->asks_promotion) {
		s->drbd_told += a != FENCE_PEER_NO_PROOF;
		if (a != FENCE_PEER_NO_PROOF && a != FENCE_PEER_PRIMARY && !e->connected && e->asked_at == e->connections)
			promises_told(s, node);
	}
	drbd_answer(&s->w.d, node, a);
	sim_drbd_changed(s);
}

void sim_outdate(struct sim *s, int node)
{
	s->n[node].outdate_due = s->now + prng_range(&s->r, DRBD_MIN_US, DRBD_MAX_US);
}

void sim_outdated(struct sim *s, int node)
{
	struct err e = { .cls = ERR_REFUSED };
	const char *why = "";
	bool ok = drbd_mark_outdated(&s->w.d, node, &why);

	s->n[node].outdate_due = 0;
	sim_say(s, node, "its copy is %s%s", ok ? "marked outdated" : "not marked outdated: ", ok ? "" : why);
	if (!ok)
		err_set(&e, ERR_REFUSED, 0, "outdate", "%s", why);
	group_outdated(s->n[node].core, sim_clock(s, node), ok, ok ? NULL : &e);
}

void sim_resume_io(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];

	n->resume_asked = sim_clock(s, node);
	n->resume_due = s->now + prng_range(&s->r, DRBD_MIN_US, prng_chance(&s->r, 30) ? STALL_MAX_US : DRBD_MAX_US);
}

void sim_io_resumed(struct sim *s, int node)
{
	struct err late = { .cls = ERR_TIMEOUT, .msg = "too late" };

	s->n[node].resume_due = 0;
	if (sim_clock(s, node) - s->n[node].resume_asked > RESUME_WITHIN_US) {
		sim_say(s, node, "too late to let held writes go on");
		group_io_resumed(s->n[node].core, sim_clock(s, node), false, &late);
		return;
	}
	sim_say(s, node, "held writes go on");
	if (s->w.d.e[node].suspended)
		promises_told(s, node);
	drbd_resume(&s->w.d, node);
	sim_drbd_changed(s);
	group_io_resumed(s->n[node].core, sim_clock(s, node), true, NULL);
}
