/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Clients that hold locks over moves and takeovers. Both are known to both nodes
 * from the beginning, and live for ever: a lock that one has must stay its own.
 *
 * A server that starts takes the state that its predecessor has dumped behind the
 * closed gate, or else has a grace: locks are reclaimed, and no new ones given,
 * until both clients have been back.
 */
#ifndef TESTS_SIM_CLIENTS_H
#define TESTS_SIM_CLIENTS_H

#include <stdbool.h>

#include "prng.h"

enum { CLIENTS = 2, LOCKS = 3 };

struct lock_table {
	int holder[LOCKS];        /* client; -1: free */
};

struct clients {
	/* what the servers know: one of each node */
	struct lock_table table[2];
	unsigned tenure[2];       /* which server it is; 0: none */
	unsigned back[2];         /* bit per client: has been there in this tenure */
	bool grace[2];
	/* the dump of a server behind its gate */
	struct lock_table dump;
	int dumped;               /* node; -1: none that holds */
	unsigned tenures;
	/* what the clients know */
	bool has[CLIENTS][LOCKS];
	unsigned knows[CLIENTS];  /* tenure */
	unsigned granted, denied, reclaimed, migrated;
	char broken[120];         /* the first lock lost or stolen; empty: none */
};

void clients_init(struct clients *c);
void clients_dumped(struct clients *c, int node);
/* The gate is opened again in front of the same server: its dump is void. */
void clients_gate_opens(struct clients *c, int node);
void clients_server_starts(struct clients *c, int node);
void clients_server_died(struct clients *c, int node);
/* One of them does something at the server of this node, which answers. */
void clients_act(struct clients *c, struct prng *r, int node);

#endif
