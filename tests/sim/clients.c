/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clients.h"

#include <stdio.h>
#include <string.h>

static const struct lock_table all_free = { { -1, -1, -1 } };

void clients_init(struct clients *c)
{
	memset(c, 0, sizeof(*c));
	c->table[0] = c->table[1] = c->dump = all_free;
	c->dumped = -1;
}

void clients_dumped(struct clients *c, int node)
{
	if (!c->tenure[node] || c->grace[node])
		return; /* a grace is not handed over */
	c->dump = c->table[node];
	c->dumped = node;
}

void clients_gate_opens(struct clients *c, int node)
{
	if (c->dumped == node)
		c->dumped = -1;
}

void clients_server_starts(struct clients *c, int node)
{
	bool dump = c->dumped >= 0;

	c->tenure[node] = ++c->tenures;
	c->table[node] = dump ? c->dump : all_free;
	c->grace[node] = !dump;
	c->back[node] = 0;
	c->dumped = -1;
	c->migrated += dump;
}

/* What it has dumped holds: it was behind the gate since. */
void clients_server_died(struct clients *c, int node)
{
	c->tenure[node] = 0;
}

static void broken(struct clients *c, const char *what, int client, int lock)
{
	if (!c->broken[0])
		snprintf(c->broken, sizeof(c->broken), "%s: client %d, lock %d", what, client, lock);
}

static void reclaim(struct clients *c, int node, int client)
{
	struct lock_table *t = &c->table[node];

	for (int l = 0; l < LOCKS; l++) {
		if (!c->has[client][l])
			continue;
		if (c->grace[node] && t->holder[l] < 0)
			t->holder[l] = client, c->reclaimed++;
		else if (t->holder[l] != client)
			broken(c, "a lock is lost", client, l);
	}
	c->knows[client] = c->tenure[node];
	c->back[node] |= 1u << client;
	if (c->back[node] == (1u << CLIENTS) - 1)
		c->grace[node] = false;
}

static void lock(struct clients *c, int node, int client, int l)
{
	struct lock_table *t = &c->table[node];

	if (c->grace[node] || (t->holder[l] >= 0 && t->holder[l] != client)) {
		c->denied++;
		return;
	}
	if (c->has[1 - client][l])
		broken(c, "a lock is stolen", client, l);
	t->holder[l] = client;
	c->has[client][l] = true;
	c->granted++;
}

void clients_act(struct clients *c, struct prng *r, int node)
{
	int client = (int)prng_below(r, CLIENTS), l = (int)prng_below(r, LOCKS);

	if (!c->tenure[node])
		return;
	if (c->knows[client] != c->tenure[node])
		reclaim(c, node, client);
	else if (!c->has[client][l])
		lock(c, node, client, l);
	else if (prng_chance(r, 30) && !c->grace[node])
		c->table[node].holder[l] = -1, c->has[client][l] = false;
	if (c->table[node].holder[l] != client && c->has[client][l])
		broken(c, "a lock is lost", client, l);
}
