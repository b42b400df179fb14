/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is this node cut off from the clients? Asked in a lane of its own. */
#include "engine_internal.h"

#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "log.h"
#include "witness.h"

struct witness_job {
	struct egroup *g;
	struct witnesses w;
	enum witness answer;
};

/* The address that a connection's entry begins with. */
static void add_clients(struct witnesses *w, const struct conf_group *c, const struct client_set *set)
{
	char ip[CONF_IP_MAX];

	for (size_t i = 0; i < set->n; i++) {
		size_t len = strcspn(set->entries[i]->text, " ");

		if (set->entries[i]->kind != CLIENT_CONNECTION || len >= sizeof(ip))
			continue;
		memcpy(ip, set->entries[i]->text, len);
		ip[len] = '\0';
		witnesses_add(w, c, ip);
	}
}

static void witness_fn(void *arg)
{
	struct witness_job *j = arg;

	j->answer = witnesses_ask(&j->w);
}

static void witness_done(void *arg)
{
	struct witness_job *j = arg;
	struct egroup *g = j->g;

	if (j->answer == WITNESS_SILENT)
		log_warn("%s: none of %zu machines on the clients' network answers", g->conf->name, j->w.n);
	group_witness(g->core, monotonic_us(), j->answer);
	free(j);
	egroup_settle(g);
}

void egroup_witness(struct egroup *g)
{
	const struct conf_cluster *c = &g->e->conf->cluster;
	struct witness_job *j = calloc(1, sizeof(*j));

	if (!j)
		abort();
	j->g = g;
	for (size_t i = 0; i < c->n_witness; i++)
		witnesses_add(&j->w, g->conf, c->witness[i].text);
	add_clients(&j->w, g->conf, &g->current);
	pthread_mutex_lock(&g->rep_lock);
	add_clients(&j->w, g->conf, clients_replica_set(g->rep));
	pthread_mutex_unlock(&g->rep_lock);
	if (lane_submit(g->e->witness_lane, witness_fn, witness_done, j) < 0)
		abort();
}
