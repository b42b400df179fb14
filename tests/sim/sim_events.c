/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order of events: the earliest one happens, of several chance picks one. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICKS_AT_ONCE_MAX = 50, CLIENT_MIN_US = 10000, CLIENT_MAX_US = 400000 };

enum event_kind {
	EV_TICK, EV_JOB, EV_JOURNAL, EV_FACTS, EV_SYNC, EV_UP, EV_DOWN, EV_MESSAGE, EV_RESTART, EV_SCRIPT,
	EV_RESUME, EV_BEAT, EV_PULSES, EV_PULSE, EV_STALLED, EV_OFF, EV_FENCED, EV_OUTDATED, EV_IO, EV_WITNESS, EV_ASK,
	EV_LOST, EV_CONNECT, EV_SYNCED, EV_CLIENT, EV_NOTHING,
};

struct event {
	enum event_kind kind;
	int node;
	size_t arg;
	int64_t at;
};

struct choice {
	struct event best;
	unsigned ties;
};

/* Of events at the same time, chance picks one. */
static void offer(struct sim *s, struct choice *c, enum event_kind kind, int node, size_t arg, int64_t at)
{
	if (at < s->now)
		at = s->now;
	if (c->ties && at > c->best.at)
		return;
	if (c->ties && at == c->best.at) {
		if (prng_below(&s->r, ++c->ties))
			return;
	} else {
		c->ties = 1;
	}
	c->best = (struct event){ kind, node, arg, at };
}

static void offer_if(struct sim *s, struct choice *c, enum event_kind kind, int node, int64_t at)
{
	if (at)
		offer(s, c, kind, node, 0, at);
}

static void offer_link(struct sim *s, struct choice *c, int i)
{
	int64_t due = link_due(&s->link, 1 - i);

	offer_if(s, c, EV_UP, i, s->link.up_due[i]);
	if (due != INT64_MAX)
		offer(s, c, EV_MESSAGE, i, 0, due);
	else
		offer_if(s, c, EV_DOWN, i, s->link.down_due[i]);
}

/* Sockets are read before the tick that judges who is silent. */
static void offer_life(struct sim *s, struct choice *c, int i)
{
	bool unread = link_due(&s->link, 1 - i) <= s->now;

	for (size_t p = 0; p < s->n_pulses && !unread; p++)
		unread = s->pulses[p].to == i && s->pulses[p].due <= s->now;
	if (!unread)
		offer(s, c, EV_BEAT, i, 0, sim_when(s, i, s->n[i].beat_due));
	offer(s, c, EV_PULSES, i, 0, s->n[i].pulse_due);
	offer_if(s, c, EV_FENCED, i, s->n[i].run.done_due);
	offer_if(s, c, EV_OUTDATED, i, s->n[i].outdate_due);
	offer_if(s, c, EV_IO, i, s->n[i].resume_due);
	offer_if(s, c, EV_WITNESS, i, s->n[i].witness_due);
}

static void offer_nasd(struct sim *s, struct choice *c, int i)
{
	struct sim_node *n = &s->n[i];

	offer(s, c, EV_TICK, i, 0, sim_when(s, i, group_next_tick(n->core)));
	if (n->n_lane)
		offer(s, c, EV_JOB, i, 0, n->lane[0].end);
	if (n->journal_wait)
		offer(s, c, EV_JOURNAL, i, 0, n->journal_due);
	for (size_t t = 0; t < 3; t++)
		if (n->facts_due[t])
			offer(s, c, EV_FACTS, i, t, n->facts_due[t]);
	offer_if(s, c, EV_SYNC, i, n->sync_due);
	offer_link(s, c, i);
	if (s->heartbeat)
		offer_life(s, c, i);
}

static void offer_node(struct sim *s, struct choice *c, int i)
{
	struct sim_node *n = &s->n[i];

	if (n->paused_until) {
		offer(s, c, EV_RESUME, i, 0, n->paused_until);
		return;
	}
	offer_if(s, c, EV_RESTART, i, n->restart_at);
	offer_if(s, c, EV_OFF, i, n->run.off_due);
	offer_if(s, c, EV_LOST, i, s->w.d.e[i].lost_due);
	offer_if(s, c, EV_ASK, i, s->w.d.e[i].ask_due);
	if (n->core)
		offer_nasd(s, c, i);
}

static void offer_world(struct sim *s, struct choice *c)
{
	for (size_t i = 0; i < s->n_pulses; i++)
		if (!s->n[s->pulses[i].to].paused_until)
			offer(s, c, EV_PULSE, s->pulses[i].to, i, s->pulses[i].due);
	for (size_t i = 0; i < s->n_script; i++)
		offer(s, c, EV_SCRIPT, 0, i, s->script[i].at);
	offer_if(s, c, EV_STALLED, 0, s->link.stalled_due);
	offer_if(s, c, EV_CONNECT, 0, s->w.d.connect_due);
	offer_if(s, c, EV_SYNCED, 0, s->w.d.synced_due);
	offer_if(s, c, EV_CLIENT, 0, s->client_due);
}

static struct event next_event(struct sim *s)
{
	struct choice c = { .ties = 0 };
	const bool alive[2] = { s->n[0].core && sim_runs(s, 0), s->n[1].core && sim_runs(s, 1) };

	link_try(&s->link, &s->r, s->now, alive);
	for (int i = 0; i < 2; i++)
		offer_node(s, &c, i);
	offer_world(s, &c);
	if (!c.ties) /* both off, nothing planned */
		c.best = (struct event){ EV_NOTHING, 0, 0, s->now + 1000000 };
	return c.best;
}

static void tick(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];

	if (n->ticks_at != s->now)
		n->ticks_here = 0;
	n->ticks_at = s->now;
	if (++n->ticks_here > TICKS_AT_ONCE_MAX)
		sim_broken(s, "node %d ticks without end at one time", node);
	group_tick(n->core, sim_clock(s, node));
}

static void link_event(struct sim *s, enum event_kind kind, int node)
{
	if (kind == EV_UP) {
		s->link.up_due[node] = 0;
		s->link.up[node] = true;
		sim_say(s, node, "peer up");
		s->link.known_life[node] = s->n[1 - node].life;
		memcpy(s->n[node].peer_boot, s->n[1 - node].boot_text, sizeof(s->n[node].peer_boot));
		sim_heard_link(s, node);
		group_peer_up(s->n[node].core, sim_clock(s, node), true, true);
	} else {
		s->link.down_due[node] = 0;
		s->link.up[node] = false;
		if (s->n[node].sync_due) { /* as engine_clients.c */
			struct err e;

			s->n[node].sync_due = 0;
			err_set(&e, ERR_PEER, 0, "clients", "the link to the peer was lost");
			group_clients_synced(s->n[node].core, sim_clock(s, node), false, &e);
		}
		sim_say(s, node, "peer down");
		group_peer_down(s->n[node].core, sim_clock(s, node), "cut");
	}
}

static void message(struct sim *s, int node)
{
	struct link_msg *lm = link_take(&s->link, 1 - node);

	sim_say(s, node, "gets %s %llu", msg_type_name(lm->msg.type), (unsigned long long)lm->msg.epoch);
	s->n[node].met = s->n[node].met || lm->msg.type == MSG_HELLO;
	sim_heard_link(s, node);
	group_message(s->n[node].core, sim_clock(s, node), &lm->msg);
	free(lm);
}

static void facts(struct sim *s, int node, enum facts_tag tag)
{
	struct facts f = s->n[node].seen[tag];
	int64_t began = f.collected_us;

	s->n[node].facts_due[tag] = 0;
	if (!f.valid)
		world_facts(&s->w, node, &f);
	f.collected_us = began;
	if (sim_take_fault(s, node, STEP_CHECK, false) == FAULT_FAIL)
		snprintf(f.drbd_cstate, sizeof(f.drbd_cstate), "WFConnection");
	group_facts(s->n[node].core, sim_clock(s, node), tag, &f);
}

static void clients_synced(struct sim *s, int node)
{
	struct err e = { .cls = ERR_PEER, .msg = "an entry could not be sent" };

	s->n[node].sync_due = 0;
	group_clients_synced(s->n[node].core, sim_clock(s, node), s->n[node].sync_ok, s->n[node].sync_ok ? NULL : &e);
}

static void run_script(struct sim *s, size_t i)
{
	sim_fn fn = s->script[i].fn;
	int arg = s->script[i].arg;

	s->script[i] = s->script[--s->n_script];
	fn(s, arg);
}

/* A client writes, and one does something with a lock. */
static void client(struct sim *s)
{
	s->client_due = s->now + prng_range(&s->r, CLIENT_MIN_US, CLIENT_MAX_US);
	for (int i = 0; i < 2; i++) {
		if (!sim_runs(s, i) || !world_answers(&s->w, i) || s->leg_cut[i] || s->w.d.e[i].suspended)
			continue;
		promises_served(s, i);
		drbd_write(&s->w.d, i);
		clients_act(&s->w.c, &s->r, i);
	}
}

/* True: the core of the node may have something to do. */
static bool world_event(struct sim *s, const struct event *e)
{
	switch (e->kind) {
	case EV_RESUME: sim_resumed(s, e->node); return false;
	case EV_PULSE: sim_pulse_in(s, e->arg); return true;
	case EV_PULSES: sim_pulses_out(s, e->node); return false;
	case EV_STALLED:
		s->link.stalled_due = 0;
		if (!sim_runs(s, 0) || !sim_runs(s, 1))
			link_break(&s->link, &s->r, s->now, sim_runs(s, 0) ? 1 : 0);
		return false;
	case EV_OFF: sim_fence_off(s, e->node); return false;
	case EV_LOST: drbd_lost(&s->w.d, &s->r, s->now, e->node); break;
	case EV_CONNECT: drbd_connect(&s->w.d, &s->r, s->now); break;
	case EV_SYNCED: drbd_synced(&s->w.d); break;
	case EV_CLIENT: client(s); return false;
	case EV_RESTART: sim_start(s, e->node); return false;
	case EV_SCRIPT: run_script(s, e->arg); return false;
	case EV_ASK: sim_drbd_asks(s, e->node); return true;
	case EV_NOTHING:
	case EV_TICK:
	case EV_JOB:
	case EV_JOURNAL:
	case EV_FACTS:
	case EV_SYNC:
	case EV_UP:
	case EV_DOWN:
	case EV_MESSAGE:
	case EV_BEAT:
	case EV_FENCED:
	case EV_OUTDATED:
	case EV_IO:
	case EV_WITNESS: return false;
	}
	sim_drbd_changed(s);
	return false;
}

static void dispatch(struct sim *s, const struct event *e)
{
	switch (e->kind) {
	case EV_TICK: tick(s, e->node); break;
	case EV_JOB: sim_lane_finished(s, e->node); break;
	case EV_JOURNAL: sim_journal_finished(s, e->node); break;
	case EV_FACTS: facts(s, e->node, (enum facts_tag)e->arg); break;
	case EV_SYNC: clients_synced(s, e->node); break;
	case EV_UP:
	case EV_DOWN: link_event(s, e->kind, e->node); break;
	case EV_MESSAGE: message(s, e->node); break;
	case EV_BEAT: sim_beat(s, e->node); break;
	case EV_FENCED: sim_fence_done(s, e->node); break;
	case EV_OUTDATED: sim_outdated(s, e->node); break;
	case EV_IO: sim_io_resumed(s, e->node); break;
	case EV_WITNESS: sim_witness(s, e->node); break;
	case EV_RESTART:
	case EV_SCRIPT:
	case EV_RESUME:
	case EV_PULSES:
	case EV_PULSE:
	case EV_STALLED:
	case EV_OFF:
	case EV_ASK:
	case EV_LOST:
	case EV_CONNECT:
	case EV_SYNCED:
	case EV_CLIENT:
	case EV_NOTHING:
		if (!world_event(s, e))
			return;
		break;
	}
	sim_drain(s, e->node);
}

static void happen(struct sim *s, const struct event *e)
{
	s->now = e->at;
	s->events++;
	dispatch(s, e);
	promises_always(s);
}

bool sim_step(struct sim *s)
{
	struct event e;

	if (s->broken[0])
		return false;
	e = next_event(s);
	happen(s, &e);
	return !s->broken[0];
}

bool sim_run(struct sim *s, int64_t us)
{
	int64_t until = s->now + us;

	while (!s->broken[0]) {
		struct event e = next_event(s);

		if (e.at > until) {
			s->now = until;
			return true;
		}
		happen(s, &e);
	}
	return false;
}
