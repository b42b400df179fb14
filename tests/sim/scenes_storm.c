/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The random schedule of a pair that fences: what scenes.c has, and networks that
 * are cut, lose and repeat, nodes that stand still, devices that fail, operators
 * who look before they speak.
 */
#include "scenes.h"

#include <stdio.h>

enum { ACTS_MIN = 3, ACTS_MAX = 14 };

static int some_node(struct sim *s)
{
	return (int)prng_below(&s->r, 2);
}

static void boot(struct sim *s, int node)
{
	if (!s->n[node].core)
		sim_start(s, node);
}

static void boot_later(struct sim *s, int node)
{
	sim_at(s, prng_range(&s->r, 3000000, 30000000), boot, node);
}

/* ---- networks */

static void heal_net(struct sim *s, int net)
{
	sim_net_heal(s, net);
}

static void cut_net(struct sim *s, struct scene_tally *t)
{
	int net = (int)prng_below(&s->r, SIM_NETS), from = prng_chance(&s->r, 35) ? some_node(s) : -1;
	bool both = prng_chance(&s->r, 40);
	int64_t us = prng_chance(&s->r, 50) ? prng_range(&s->r, 50000, 2500000) : prng_range(&s->r, 2000000, 30000000);

	for (int i = 0; i < SIM_NETS; i++)
		if (both || i == net) {
			sim_net_cut(s, i, from);
			sim_at(s, us + (prng_chance(&s->r, 50) ? prng_range(&s->r, 0, 2000000) : 0), heal_net, i);
		}
	t->cuts++;
}

static void reach_clients(struct sim *s, int node)
{
	sim_leg(s, node, false);
}

static void cut_leg(struct sim *s, struct scene_tally *t)
{
	int node = some_node(s);

	sim_leg(s, node, true);
	sim_at(s, prng_range(&s->r, 100000, 20000000), reach_clients, node);
	t->cuts++;
}

static void flap(struct sim *s, struct scene_tally *t)
{
	int net = (int)prng_below(&s->r, SIM_NETS);

	for (unsigned i = 3 + prng_below(&s->r, 6); i && !s->broken[0]; i--) {
		sim_net_cut(s, net, -1);
		sim_run(s, prng_range(&s->r, 50000, 2000000));
		sim_net_heal(s, net);
		sim_run(s, prng_range(&s->r, 50000, 3000000));
	}
	t->cuts++;
}

static void bad_net(struct sim *s)
{
	struct sim_net *n = &s->net[prng_below(&s->r, SIM_NETS)];

	n->loss = prng_below(&s->r, 60);
	n->dup = prng_below(&s->r, 30);
	n->delay_max = prng_range(&s->r, 1000, 900000);
}

/* ---- nodes */

static void crash(struct sim *s, int node, struct scene_tally *t)
{
	if (!s->n[node].powered)
		return;
	sim_kill_now(s, node, true, prng_chance(&s->r, 50));
	if (prng_chance(&s->r, 30))
		s->n[node].restart_at = s->now + prng_range(&s->r, 1500000, 8000000); /* it reboots by itself */
	else
		boot_later(s, node);
	t->crashes++;
}

static void kill_nasd(struct sim *s, int node, struct scene_tally *t)
{
	if (!s->n[node].core || s->n[node].paused_until)
		return;
	sim_kill_now(s, node, false, prng_chance(&s->r, 50));
	s->n[node].restart_at = s->now + prng_range(&s->r, 1000, prng_chance(&s->r, 70) ? 3000000 : 20000000);
	t->kills++;
}

static void stand_still(struct sim *s, int node, struct scene_tally *t)
{
	int64_t us = prng_chance(&s->r, 50) ? prng_range(&s->r, 50000, 1500000) : prng_range(&s->r, 1000000, 30000000);

	sim_pause(s, node, us, prng_chance(&s->r, 25));
	t->pauses++;
}

/* ---- operators */

/* True words, on a node that does not know what it has missed: DRBD does. */
static void take_over(struct sim *s, int node)
{
	struct journal_state own, other;

	sim_fold(s, node, &own);
	sim_fold(s, 1 - node, &other);
	s->n[node].behind = own.epoch < other.epoch;
	sim_request(s, node, REQUEST_TAKEOVER, node, true);
}

/* To serve or to stop, whatever the node is at. */
static void one_manager(struct sim *s, struct scene_tally *t)
{
	enum request_kind kind = prng_chance(&s->r, 65) ? REQUEST_ASKED : REQUEST_RELEASE;
	int node = some_node(s);

	t->asked += sim_request(s, node, kind, prng_chance(&s->r, 95) ? node : 1 - node, false) >= 0;
}

/* On the node that serves, mostly; the guest's half may fail before and after it is held. */
static void one_guest(struct sim *s, struct scene_tally *t)
{
	int active = sim_active(s), node = active != NODE_NONE && prng_chance(&s->r, 90) ? active : some_node(s);
	int64_t hold = prng_chance(&s->r, 70) ? prng_range(&s->r, 3000000, 30000000) : prng_range(&s->r, 1000000, 4000000);
	int asked;

	s->when_held = prng_chance(&s->r, 80) ? HELD_WILL_GO : HELD_WAITS;
	asked = sim_request_held(s, node, REQUEST_SWITCHOVER, prng_chance(&s->r, 95) ? 1 - node : node, false, hold);
	if (asked >= 0 && prng_chance(&s->r, 35))
		sim_at(s, prng_range(&s->r, 0, prng_chance(&s->r, 40) ? 1500000 : 10000000), sim_forsake, asked);
	t->requests += asked >= 0;
}

static void one_operator(struct sim *s, struct scene_tally *t)
{
	int node = some_node(s), target = some_node(s);
	bool off = !s->n[1 - node].powered;
	unsigned what = prng_below(&s->r, 100);
	int asked;

	if (what < 45) {
		asked = sim_request(s, node, REQUEST_SWITCHOVER, target, false);
	} else if (what < 55) {
		asked = sim_request(s, node, REQUEST_TAKEOVER, target, false);
	} else if (what < 60) {
		asked = sim_request(s, node, REQUEST_CHECK, target, false);
	} else if (what < 85) {
		if (!off)
			return;
		asked = sim_request(s, node, REQUEST_CONFIRM, 1 - node, false);
		t->confirmed++;
	} else {
		if (!off)
			return;
		take_over(s, node);
		asked = 0;
		t->confirmed++;
	}
	t->requests += asked >= 0;
}

static void operators_boot(struct sim *s, struct scene_tally *t)
{
	(void)t;
	for (int i = 0; i < 2; i++)
		if (!s->n[i].powered && !s->n[i].restart_at && prng_chance(&s->r, 60))
			boot_later(s, i);
}

/* ---- parts that fail */

static void arm_fault(struct sim *s, struct scene_tally *t)
{
	enum step_id step = (enum step_id)(1 + prng_below(&s->r, STEP_COUNT - 1));

	if (step != STEP_DETECT && step != STEP_FENCE &&
	    sim_fault(s, some_node(s), step, (enum fault_kind)(1 + prng_below(&s->r, FAULT_VERIFY_UNKNOWN))))
		t->faults++;
}

static void kill_later(struct sim *s, struct scene_tally *t)
{
	bool power = prng_chance(&s->r, 50);
	int node = some_node(s);

	sim_kill_at(s, node, prng_below(&s->r, 60), (enum kill_when)prng_below(&s->r, 3), power);
	*(power ? &t->crashes : &t->kills) += 1;
}

static void break_device(struct sim *s, struct scene_tally *t)
{
	s->device[some_node(s)] = (enum device_kind)prng_below(&s->r, DEVICE_KINDS);
	t->devices++;
}

static void act(struct sim *s, struct scene_tally *t)
{
	unsigned what = prng_below(&s->r, 100);

	if (s->asked && prng_chance(&s->r, 35))
		one_manager(s, t);
	else if (s->guests && prng_chance(&s->r, 35))
		one_guest(s, t);
	else if (what < 22)
		one_operator(s, t);
	else if (what < 33)
		cut_net(s, t);
	else if (what < 36)
		cut_leg(s, t);
	else if (what < 40)
		flap(s, t);
	else if (what < 44)
		bad_net(s);
	else if (what < 56)
		crash(s, some_node(s), t);
	else if (what < 62)
		kill_nasd(s, some_node(s), t);
	else if (what < 72)
		stand_still(s, some_node(s), t);
	else if (what < 78)
		kill_later(s, t);
	else if (what < 86)
		break_device(s, t);
	else if (what < 92)
		arm_fault(s, t);
	else if (what < 93)
		s->n[some_node(s)].bad_writes = 1 + prng_below(&s->r, 5), t->bad_writes++;
	else if (what < 96)
		sim_server_dies(s, some_node(s)), t->server_deaths++;
	else if (what < 98)
		s->cut_at_msg = (int)prng_below(&s->r, 30);
	else
		sim_heal(s);
	operators_boot(s, t);
}

static void set_up(struct sim *s)
{
	int owner = (int)prng_below(&s->r, 20);

	sim_heartbeats(s);
	s->no_devices = prng_chance(&s->r, 7);
	s->manual = prng_chance(&s->r, 7);
	s->no_witness = prng_chance(&s->r, 10);
	s->link.delay_max = prng_chance(&s->r, 30) ? 60000 : 2000;
	s->step_us = prng_chance(&s->r, 20) ? 400000 : 30000;
	for (int i = 0; i < 2; i++)
		sim_clock_set(s, i, prng_range(&s->r, 1000000, 9000000000), (int)prng_range(&s->r, -2000, 2000));
	if (owner < 19)
		sim_own(s, owner % 2, 1);
	sim_start(s, 0);
	sim_start(s, 1);
	sim_run(s, prng_chance(&s->r, 80) ? 8000000 : prng_range(&s->r, 0, 6000000));
}

enum who { OPERATORS_ONLY, ONE_WHO_ASKS, GUESTS };

static bool storm(uint64_t seed, enum who who, struct sim **out, struct scene_tally *t)
{
	struct sim *s = sim_new(seed);
	unsigned acts = ACTS_MIN + prng_below(&s->r, ACTS_MAX - ACTS_MIN);
	struct journal_state before, after;

	*out = s;
	s->asked = who == ONE_WHO_ASKS;
	s->guests = who == GUESTS;
	set_up(s);
	sim_fold(s, 0, &before);
	for (unsigned i = 0; i < acts && !s->broken[0]; i++) {
		act(s, t);
		sim_run(s, prng_chance(&s->r, 60) ? prng_range(&s->r, 0, 500000) : prng_range(&s->r, 0, 10000000));
	}
	sim_settle(s);
	sim_fold(s, 0, &after);
	t->moves += after.epoch != before.epoch;
	t->events += s->events;
	t->fence_runs += s->fence_runs;
	t->fence_offs += s->fence_offs;
	t->takeovers += s->takeovers;
	t->told += s->drbd_told;
	t->recovered += s->recovered;
	t->excused += s->excused;
	t->writes += s->w.d.n_writes;
	t->locks += s->w.c.granted;
	t->reclaims += s->w.c.reclaimed;
	t->held += s->held;
	t->went += s->went;
	return !s->broken[0];
}

bool scene_storm(uint64_t seed, struct sim **out, struct scene_tally *t)
{
	return storm(seed, OPERATORS_ONLY, out, t);
}

bool scene_storm_asked(uint64_t seed, struct sim **out, struct scene_tally *t)
{
	return storm(seed, ONE_WHO_ASKS, out, t);
}

bool scene_storm_guests(uint64_t seed, struct sim **out, struct scene_tally *t)
{
	return storm(seed, GUESTS, out, t);
}
