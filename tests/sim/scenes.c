/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scenes.h"

#include <stdio.h>

enum { REST_US = 4000000, COME_UP_US = 20000000, ACTS_MIN = 4, ACTS_MAX = 16 };

static struct sim *come_up(struct sim *s, int owner)
{
	if (owner != NODE_NONE)
		sim_own(s, owner, 1);
	sim_start(s, 0);
	sim_start(s, 1);
	sim_run(s, REST_US);
	while (!drbd_whole(&s->w.d) && s->now < COME_UP_US && sim_run(s, 100000))
		;
	if (owner != NODE_NONE && sim_active(s) != owner)
		sim_broken(s, "the pair does not come up");
	return s;
}

struct sim *scene_pair(uint64_t seed, int owner)
{
	return come_up(sim_new(seed), owner);
}

struct sim *scene_fencing_pair(uint64_t seed, int owner)
{
	struct sim *s = sim_new(seed);

	sim_heartbeats(s);
	return come_up(s, owner);
}

/* ---- the random schedule */

static const enum step_id effects[] = {
	STEP_CHECK, STEP_WARM, STEP_RESERVE, STEP_PRESYNC, STEP_CLIENTS, STEP_GATE, STEP_ADDRESS_DEL, 
	STEP_SERVER_STOP, STEP_UNMOUNT, STEP_DRBD_SECONDARY, STEP_COMMIT, STEP_DRBD_PRIMARY, STEP_MOUNT, STEP_EXPORT,
	STEP_ADDRESS_ADD, STEP_ANNOUNCE, STEP_CONFIRM, STEP_REWARM,
};

static int some_node(struct sim *s)
{
	return (int)prng_below(&s->r, 2);
}

/* The operator's word is given only about a node that is really off, on one that
 * has not missed a takeover (its disk would be outdated): lies are tested on
 * their own. */
static bool may_confirm(struct sim *s, int node)
{
	struct journal_state own, other;

	sim_fold(s, node, &own);
	sim_fold(s, 1 - node, &other);
	return !s->n[1 - node].powered && own.epoch >= other.epoch;
}

static void ask(struct sim *s, struct scene_tally *t)
{
	int node = some_node(s), target = some_node(s);
	enum request_kind kind = REQUEST_SWITCHOVER;
	bool dead = may_confirm(s, node) && prng_chance(&s->r, 60);

	if (dead || prng_chance(&s->r, 25))
		kind = REQUEST_TAKEOVER;
	else if (prng_chance(&s->r, 10))
		kind = REQUEST_CHECK;
	if (kind == REQUEST_TAKEOVER && dead) {
		target = node;
		t->confirmed++;
		/* it stays off until the takeover has written its epoch */
		s->n[1 - node].restart_at = s->now + prng_range(&s->r, 20000000, 30000000);
	}
	if (sim_request(s, node, kind, target, dead) >= 0)
		t->requests++;
}

static void arm_fault(struct sim *s, struct scene_tally *t)
{
	enum step_id step = effects[prng_below(&s->r, sizeof(effects) / sizeof(effects[0]))];

	if (sim_fault(s, some_node(s), step, (enum fault_kind)(1 + prng_below(&s->r, FAULT_VERIFY_UNKNOWN))))
		t->faults++;
}

static void kill_now(struct sim *s, int node, bool power, struct scene_tally *t)
{
	if (!s->n[node].core || (power && !s->n[1 - node].powered && prng_chance(&s->r, 70)))
		return;
	sim_kill_now(s, node, power, prng_chance(&s->r, 50));
	s->n[node].restart_at = s->now + prng_range(&s->r, 1000, power ? 20000000 : 4000000);
	*(power ? &t->crashes : &t->kills) += 1;
}

static void kill_later(struct sim *s, struct scene_tally *t)
{
	bool power = prng_chance(&s->r, 40);

	sim_kill_at(s, some_node(s), prng_below(&s->r, 60), (enum kill_when)prng_below(&s->r, 3), power);
	*(power ? &t->crashes : &t->kills) += 1;
}

static void act(struct sim *s, struct scene_tally *t)
{
	unsigned what = prng_below(&s->r, 100);

	if (what < 43) {
		ask(s, t);
	} else if (what < 45) {
		s->n[some_node(s)].bad_writes = 1 + prng_below(&s->r, 5);
		t->bad_writes++;
	} else if (what < 60) {
		arm_fault(s, t);
	} else if (what < 70) {
		kill_later(s, t);
	} else if (what < 78) {
		kill_now(s, some_node(s), prng_chance(&s->r, 50), t);
	} else if (what < 84) {
		s->cut_at_msg = (int)prng_below(&s->r, 30);
		t->cuts++;
	} else if (what < 89) {
		sim_cut(s, prng_chance(&s->r, 30));
		t->cuts++;
	} else if (what < 97) {
		sim_heal(s);
	} else {
		sim_server_dies(s, some_node(s));
		t->server_deaths++;
	}
}

bool scene_random(uint64_t seed, struct sim **out, struct scene_tally *t)
{
	struct sim *s = sim_new(seed);
	int owner = (int)prng_below(&s->r, 4);
	unsigned acts = ACTS_MIN + prng_below(&s->r, ACTS_MAX - ACTS_MIN);
	struct journal_state before, after;

	*out = s;
	s->link.delay_max = prng_chance(&s->r, 30) ? 60000 : 2000;
	s->step_us = prng_chance(&s->r, 20) ? 400000 : 30000;
	if (owner < 2)
		sim_own(s, owner, 1);
	sim_start(s, 0);
	if (prng_chance(&s->r, 90))
		sim_start(s, 1);
	sim_run(s, prng_range(&s->r, 0, 3000000));
	sim_fold(s, 0, &before);
	for (unsigned i = 0; i < acts && !s->broken[0]; i++) {
		act(s, t);
		sim_run(s, prng_chance(&s->r, 60) ? prng_range(&s->r, 0, 300000) : prng_range(&s->r, 0, 8000000));
	}
	sim_settle(s);
	sim_fold(s, 0, &after);
	t->moves += after.epoch != before.epoch;
	t->events += s->events;
	return !s->broken[0];
}
