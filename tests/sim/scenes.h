/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Openings that the tests of the core share, and the random schedule. */
#ifndef TESTS_SIM_SCENES_H
#define TESTS_SIM_SCENES_H

#include "sim.h"

/* Both nodes up and at rest; owner active (NODE_NONE: nobody owns the group). */
struct sim *scene_pair(uint64_t seed, int owner);
/* The same with trigger = heartbeat. */
struct sim *scene_fencing_pair(uint64_t seed, int owner);

/* What a random schedule has done, summed over many. */
struct scene_tally {
	unsigned asked, requests, kills, crashes, cuts, faults, bad_writes, server_deaths, confirmed, moves;
	/* of storms only */
	unsigned pauses, devices, fence_runs, fence_offs, takeovers, told, recovered, excused, locks, reclaims;
	unsigned held, went;
	uint64_t writes;
	uint64_t events;
};

/*
 * One random schedule: requests, faults, kills, crashes, cuts and heals, an
 * operator's word when the node is really off; then settles. False: a promise
 * was broken, s->broken says which. *out is the caller's to free.
 */
bool scene_random(uint64_t seed, struct sim **out, struct scene_tally *t);

/* The same with trigger = heartbeat, DRBD's fencing, devices, pauses, two networks. */
bool scene_storm(uint64_t seed, struct sim **out, struct scene_tally *t);
/* The same with a trigger that asks: to serve, and to stop. */
bool scene_storm_asked(uint64_t seed, struct sim **out, struct scene_tally *t);
/* The same with moves that guests go along with: held, let go, forsaken. */
bool scene_storm_guests(uint64_t seed, struct sim **out, struct scene_tally *t);

#endif
