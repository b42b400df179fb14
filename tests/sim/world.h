/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated machines under the two cores: DRBD, filesystem, server and
 * address, with the orders that the real effects refuse (sys/effects.h).
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "clients.h"
#include "sim_drbd.h"

struct machine {
	bool mounted, address;
	enum server_state server; /* SERVING: with every export */
	bool gated;               /* the server holds every request */
	bool server_fell;         /* by itself; the address may stay until nasd has acted */
};

struct world {
	struct machine m[2];
	struct sim_drbd d;
	struct clients c;
	char broken[160];         /* the first thing done that must never be; empty: none */
};

extern const char world_uuid[];

void world_init(struct world *w);

/* Any part of the service in place on this node? */
bool world_serves(const struct world *w, int node);

/* Clients' requests come through to it. */
bool world_answers(const struct world *w, int node);

/* The effect of a step but DRBD_PRIMARY (drbd_promote), or whether it is in place; msg tells why not (200 bytes). */
enum outcome world_run(struct world *w, int node, enum step_id step, char *msg);
enum outcome world_verify(struct world *w, int node, enum step_id step);

void world_power_on(struct world *w, int node);
void world_power_off(struct world *w, int node);
void world_server_dies(struct world *w, int node);
void world_facts(const struct world *w, int node, struct facts *f);

#endif
