/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim_link.h"

#include <stdlib.h>
#include <string.h>

enum { CONNECT_MIN_US = 1000, CONNECT_MAX_US = 300000, NOTICE_MAX_US = 900000, DELAY_MIN_US = 50 };

void link_init(struct sim_link *l)
{
	memset(l, 0, sizeof(*l));
	l->delay_max = 2000;
}

static void drop_all(struct link_fifo *f)
{
	while (f->n)
		free(f->at[--f->n]);
}

void link_free(struct sim_link *l)
{
	for (int i = 0; i < 2; i++) {
		drop_all(&l->fifo[i]);
		free(l->fifo[i].at);
	}
}

void link_try(struct sim_link *l, struct prng *r, int64_t now, const bool alive[2])
{
	if (l->cut || l->no_network || l->connected || !alive[0] || !alive[1])
		return;
	for (int i = 0; i < 2; i++)
		if (l->up[i] || l->down_due[i] || l->fifo[i].n)
			return;
	l->connected = true;
	for (int i = 0; i < 2; i++)
		l->up_due[i] = now + prng_range(r, CONNECT_MIN_US, CONNECT_MAX_US);
}

/* Of messages in a row, those that have arrived. */
static void keep_arrived(struct link_fifo *f, int64_t now)
{
	while (f->n && f->at[f->n - 1]->due > now)
		free(f->at[--f->n]);
}

void link_break(struct sim_link *l, struct prng *r, int64_t now, int stopped)
{
	l->connected = false;
	l->stalled_due = 0;
	for (int i = 0; i < 2; i++) {
		if (stopped == 1 - i)
			keep_arrived(&l->fifo[i], now);
		else
			drop_all(&l->fifo[i]);
		l->up_due[i] = 0;
		if (l->up[i] && !l->down_due[i])
			l->down_due[i] = now + prng_range(r, 1, NOTICE_MAX_US);
	}
}

void link_end_died(struct sim_link *l, int node)
{
	l->up[node] = false;
	l->down_due[node] = 0;
	drop_all(&l->fifo[1 - node]);
}

void link_send(struct sim_link *l, struct prng *r, int64_t now, int from, const struct peer_msg *m)
{
	struct link_fifo *f = &l->fifo[from];
	struct link_msg *lm;

	if (!l->connected || !l->up[from])
		return;
	if (f->n == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 16;
		f->at = realloc(f->at, f->cap * sizeof(f->at[0]));
		if (!f->at)
			abort();
	}
	lm = malloc(sizeof(*lm));
	if (!lm)
		abort();
	lm->msg = *m;
	lm->due = now + prng_range(r, DELAY_MIN_US, l->delay_max);
	if (f->n && f->at[f->n - 1]->due > lm->due)
		lm->due = f->at[f->n - 1]->due;
	f->at[f->n++] = lm;
}

int64_t link_due(const struct sim_link *l, int from)
{
	const struct link_fifo *f = &l->fifo[from];
	int to = 1 - from;

	if (!f->n)
		return INT64_MAX;
	if (l->connected && !l->up[to])
		return INT64_MAX; /* the other end is still saying hello */
	return f->at[0]->due;
}

struct link_msg *link_take(struct sim_link *l, int from)
{
	struct link_fifo *f = &l->fifo[from];
	struct link_msg *lm = f->at[0];

	f->n--;
	memmove(f->at, f->at + 1, f->n * sizeof(f->at[0]));
	return lm;
}
