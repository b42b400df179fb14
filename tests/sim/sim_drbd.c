/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim_drbd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	NOTICE_MIN_US = 100000, NOTICE_MAX_US = 1500000,     /* ping-int, ping-timeout */
	CONNECT_MIN_US = 200000, CONNECT_MAX_US = 1500000,
	RESYNC_MIN_US = 100000, RESYNC_MAX_US = 3000000,
	HANDLER_MIN_US = 20000, HANDLER_MAX_US = 150000,     /* a program is started */
};

static void broken(struct sim_drbd *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void broken(struct sim_drbd *d, const char *fmt, ...)
{
	va_list ap;

	if (d->broken[0] || d->lies)
		return;
	va_start(ap, fmt);
	vsnprintf(d->broken, sizeof(d->broken), fmt, ap);
	va_end(ap);
}

void drbd_init(struct sim_drbd *d)
{
	memset(d, 0, sizeof(*d));
	d->generations = 1;
	for (int i = 0; i < 2; i++) {
		d->e[i].disk = DISK_UPTODATE;
		d->e[i].peer_disk = DISK_UNKNOWN;
		d->e[i].current = 1;
	}
}

/* ---- sets of writes */

static bool any_without(const uint64_t *set, const uint64_t *without)
{
	for (size_t i = 0; i < WRITES_WORDS; i++)
		if (set[i] & ~without[i])
			return true;
	return false;
}

static void add_all(uint64_t *to, const uint64_t *set)
{
	for (size_t i = 0; i < WRITES_WORDS; i++)
		to[i] |= set[i];
}

bool drbd_held(const struct sim_drbd *d, int node)
{
	const struct drbd_end *e = &d->e[node];

	return e->suspended || (e->connected && (!d->reach || !d->e[1 - node].connected));
}

bool drbd_complete(const struct sim_drbd *d, int node)
{
	const struct drbd_end *e = &d->e[node];

	if (e->disk == DISK_INCONSISTENT && e->connected)
		node = 1 - node; /* it reads what it lacks over there */
	return !any_without(d->acked, d->e[node].data);
}

/* A write is acknowledged that is on this disk alone: nobody may think that the
 * other one is as good. */
static void alone(struct sim_drbd *d, int node)
{
	const struct drbd_end *o = &d->e[1 - node];

	if (d->stonith && o->attached && o->disk == DISK_UPTODATE && !o->connected)
		broken(d, "node %d writes alone while the other's copy still counts as the newest", node);
}

static void acknowledge(struct sim_drbd *d, int node)
{
	struct drbd_end *e = &d->e[node];
	const uint64_t none[WRITES_WORDS] = { 0 };

	if (!any_without(e->pending, none))
		return;
	add_all(e->data, e->pending);
	add_all(d->acked, e->pending);
	if (e->connected)
		add_all(d->e[1 - node].data, e->pending);
	else
		alone(d, node);
	memset(e->pending, 0, sizeof(e->pending));
}

void drbd_write(struct sim_drbd *d, int node)
{
	struct drbd_end *e = &d->e[node], *o = &d->e[1 - node];
	unsigned n = d->n_writes;
	uint64_t bit = (uint64_t)1 << (n % 64);

	if (n == WRITES_MAX || !e->primary || e->disk == DISK_INCONSISTENT)
		return;
	d->n_writes++;
	e->pending[n / 64] |= bit;
	if (e->suspended)
		return; /* held */
	e->data[n / 64] |= bit;
	if (e->connected && d->reach && o->connected)
		acknowledge(d, node);
	else if (!e->connected)
		acknowledge(d, node);
}

/* ---- generations */

static void remember(struct drbd_end *e, unsigned g)
{
	memmove(e->history + 1, e->history, sizeof(e->history) - sizeof(e->history[0]));
	e->history[0] = g;
}

static void new_generation(struct sim_drbd *d, int node)
{
	struct drbd_end *e = &d->e[node];

	e->generation_due = false;
	if (e->bitmap)
		return; /* the peer has missed something before already */
	e->bitmap = e->current;
	e->current = ++d->generations;
}

static bool knows(const struct drbd_end *e, unsigned g)
{
	if (e->bitmap == g)
		return true;
	for (size_t i = 0; i < GENERATIONS_MAX; i++)
		if (e->history[i] && e->history[i] == g)
			return true;
	return false;
}

/* ---- on and off */

void drbd_attach(struct sim_drbd *d, int node)
{
	struct drbd_end *e = &d->e[node];

	e->attached = true;
	e->peer_disk = e->peer_outdated ? DISK_OUTDATED : DISK_UNKNOWN;
	if (e->disk == DISK_UPTODATE || e->disk == DISK_CONSISTENT)
		e->disk = e->peer_outdated || !d->stonith ? DISK_UPTODATE : DISK_CONSISTENT;
}

void drbd_detach(struct sim_drbd *d, int node)
{
	struct drbd_end *e = &d->e[node];

	e->crashed_primary = e->crashed_primary || e->primary;
	e->attached = e->primary = e->suspended = e->connected = e->standalone = false;
	e->asks_loss = e->asks_promotion = false;
	e->generation_due = false;
	e->ask_due = e->lost_due = 0;
	memset(e->pending, 0, sizeof(e->pending)); /* never acknowledged: the clients send them again */
}

void drbd_reach(struct sim_drbd *d, struct prng *r, int64_t now, bool reach)
{
	bool one = d->e[0].connected != d->e[1].connected;

	d->reach = reach;
	if (!reach)
		d->connect_due = 0;
	for (int i = 0; i < 2; i++) {
		struct drbd_end *e = &d->e[i];

		if (e->connected && (!reach || one)) {
			if (!e->lost_due)
				e->lost_due = now + prng_range(r, NOTICE_MIN_US, NOTICE_MAX_US);
		} else if (e->connected) {
			e->lost_due = 0; /* it was not noticed */
			if (e->primary)
				acknowledge(d, i);
		}
	}
	if (reach && !d->e[0].connected && !d->e[1].connected && d->e[0].attached && d->e[1].attached &&
	    !d->e[0].standalone && !d->e[1].standalone && !d->connect_due)
		d->connect_due = now + prng_range(r, CONNECT_MIN_US, CONNECT_MAX_US);
}

static void ask(struct sim_drbd *d, struct prng *r, int64_t now, int node)
{
	struct drbd_end *e = &d->e[node];

	e->asked_at = e->connections;
	e->ask_due = now + prng_range(r, HANDLER_MIN_US, HANDLER_MAX_US);
}

void drbd_lost(struct sim_drbd *d, struct prng *r, int64_t now, int node)
{
	struct drbd_end *e = &d->e[node];

	e->lost_due = 0;
	e->connected = false;
	e->peer_disk = DISK_UNKNOWN;
	d->synced_due = 0;
	if (e->primary && d->stonith) {
		e->suspended = true;
		e->generation_due = true;
		e->asks_loss = true;
		ask(d, r, now, node);
	} else if (e->primary) {
		new_generation(d, node);
		acknowledge(d, node);
	}
	drbd_reach(d, r, now, d->reach);
}

/* ---- connecting */

static void split_brain(struct sim_drbd *d, const char *why)
{
	d->e[0].standalone = d->e[1].standalone = true;
	broken(d, "split brain: %s", why);
}

static void begin_resync(struct sim_drbd *d, struct prng *r, int64_t now, int source)
{
	struct drbd_end *s = &d->e[source], *t = &d->e[1 - source];

	if (d->stonith && any_without(d->acked, s->data))
		broken(d, "a resync from node %d throws acknowledged writes away", source);
	d->source = source;
	s->disk = t->peer_disk = DISK_UPTODATE;
	t->disk = s->peer_disk = DISK_INCONSISTENT;
	d->synced_due = now + prng_range(r, RESYNC_MIN_US, RESYNC_MAX_US);
}

/* Who is newer: 0 or 1; -1: neither; -2: both. */
static int newer(const struct sim_drbd *d)
{
	const struct drbd_end *a = &d->e[0], *b = &d->e[1];

	if (a->current == b->current) {
		if (a->crashed_primary != b->crashed_primary)
			return a->crashed_primary ? 0 : 1;
		if (a->disk == DISK_INCONSISTENT || b->disk == DISK_INCONSISTENT)
			return a->disk == DISK_INCONSISTENT ? 1 : 0;
		return -1;
	}
	if (knows(a, b->current))
		return 0;
	return knows(b, a->current) ? 1 : -2;
}

static void resend(struct sim_drbd *d, int node)
{
	struct drbd_end *e = &d->e[node];

	e->suspended = false;
	e->generation_due = false;
	acknowledge(d, node);
}

void drbd_connect(struct sim_drbd *d, struct prng *r, int64_t now)
{
	int source = newer(d);

	d->connect_due = 0;
	if (!d->reach)
		return;
	if (source == -2 && !d->stonith) /* an operator resolves it */
		source = d->e[0].primary || (!d->e[1].primary && d->e[0].current > d->e[1].current) ? 0 : 1;
	if (source == -2 || (d->e[0].primary && d->e[1].primary) ||
	    (source >= 0 && d->e[1 - source].primary && d->e[1 - source].disk >= DISK_CONSISTENT)) {
		split_brain(d, source == -2 ? "both have gone on" : "the older copy is in use");
		return;
	}
	for (int i = 0; i < 2; i++) {
		d->e[i].connected = true;
		d->e[i].connections++;
		d->e[i].connected_at = now;
		d->e[i].peer_outdated = false;
		d->e[i].crashed_primary = false;
	}
	if (source < 0) {
		for (int i = 0; i < 2; i++)
			d->e[i].disk = d->e[i].peer_disk = DISK_UPTODATE;
	} else {
		begin_resync(d, r, now, source);
	}
	for (int i = 0; i < 2; i++)
		if (d->e[i].primary)
			resend(d, i);
	if (source < 0 && !d->e[0].primary && !d->e[1].primary && d->stonith &&
	    memcmp(d->e[0].data, d->e[1].data, sizeof(d->e[0].data)))
		broken(d, "the copies differ under one generation");
}

void drbd_synced(struct sim_drbd *d)
{
	struct drbd_end *s = &d->e[d->source], *t = &d->e[1 - d->source];

	d->synced_due = 0;
	memcpy(t->data, s->data, sizeof(t->data));
	remember(t, t->current);
	if (s->bitmap)
		remember(s, s->bitmap);
	s->bitmap = t->bitmap = 0;
	t->current = s->current;
	t->disk = s->peer_disk = DISK_UPTODATE;
}

bool drbd_whole(const struct sim_drbd *d)
{
	return d->e[0].connected && d->e[1].connected && !d->synced_due && !d->e[0].suspended && !d->e[1].suspended;
}

/* ---- roles */

static void become_primary(struct sim_drbd *d, int node)
{
	struct drbd_end *e = &d->e[node];

	if (e->connected ? false : d->e[1 - node].attached && d->e[1 - node].primary)
		broken(d, "node %d is promoted while the other is Primary", node);
	e->primary = true;
	if (!e->connected)
		new_generation(d, node);
}

enum drbd_promoted drbd_promote(struct sim_drbd *d, struct prng *r, int64_t now, int node)
{
	struct drbd_end *e = &d->e[node];

	if (e->primary)
		return DRBD_PROMOTED;
	if (e->asks_promotion)
		return DRBD_ASKS;
	if (e->connected) {
		if (drbd_held(d, node) || d->e[1 - node].primary ||
		    (e->disk != DISK_UPTODATE && e->peer_disk != DISK_UPTODATE))
			return DRBD_REFUSED;
		become_primary(d, node);
		return DRBD_PROMOTED;
	}
	if (e->disk <= DISK_OUTDATED)
		return DRBD_REFUSED;
	if (!d->stonith || (e->peer_disk <= DISK_OUTDATED && e->disk == DISK_UPTODATE)) {
		become_primary(d, node);
		return DRBD_PROMOTED;
	}
	e->asks_promotion = true;
	ask(d, r, now, node);
	return DRBD_ASKS;
}

void drbd_demote(struct sim_drbd *d, int node)
{
	struct drbd_end *e = &d->e[node];

	e->primary = e->suspended = e->generation_due = false;
	memset(e->pending, 0, sizeof(e->pending));
}

/* What the handler's exit status does to the states. */
static void mark(struct drbd_end *e, enum fence_peer_answer a)
{
	switch (a) {
	case FENCE_PEER_INCONSISTENT:
		e->peer_disk = DISK_INCONSISTENT;
		return;
	case FENCE_PEER_DOWN:
		if (e->disk != DISK_UPTODATE)
			return;
		/* fall through */
	case FENCE_PEER_OUTDATED:
	case FENCE_PEER_FENCED:
		e->peer_disk = DISK_OUTDATED;
		e->peer_outdated = true;
		return;
	case FENCE_PEER_PRIMARY:
		if (!e->primary && e->disk > DISK_OUTDATED)
			e->disk = DISK_OUTDATED;
		return;
	case FENCE_PEER_NO_PROOF:
	case FENCE_PEER_ANSWER_COUNT: return;
	}
}

static void go_on(struct sim_drbd *d, int node)
{
	struct drbd_end *e = &d->e[node];

	if (e->disk < DISK_OUTDATED)
		broken(d, "node %d goes on alone with a copy that is not whole", node);
	if (e->generation_due)
		new_generation(d, node);
	e->suspended = false;
	acknowledge(d, node);
}

void drbd_answer(struct sim_drbd *d, int node, enum fence_peer_answer a)
{
	struct drbd_end *e = &d->e[node];
	bool promotion = e->asks_promotion;

	if (!e->asks_loss && !promotion)
		return;
	e->asks_loss = e->asks_promotion = false;
	e->ask_due = 0;
	if (e->connected || e->asked_at != e->connections)
		return; /* the exit status is ignored */
	mark(e, a);
	if (e->suspended && e->peer_disk <= DISK_OUTDATED)
		go_on(d, node);
	if (!promotion || e->primary || e->peer_disk > DISK_OUTDATED || e->disk <= DISK_OUTDATED)
		return;
	e->disk = DISK_UPTODATE;
	become_primary(d, node);
}

void drbd_resume(struct sim_drbd *d, int node)
{
	if (d->e[node].suspended)
		go_on(d, node);
}

bool drbd_mark_outdated(struct sim_drbd *d, int node, const char **why)
{
	struct drbd_end *e = &d->e[node];

	*why = e->primary ? "it is Primary" : e->connected ? "it is connected" : NULL;
	if (*why)
		return false;
	if (e->disk > DISK_OUTDATED)
		e->disk = DISK_OUTDATED;
	return true;
}

/* ---- looking */

static const char *disk_name(enum disk_state s)
{
	static const char *const names[] = { "Inconsistent", "Outdated", "DUnknown", "Consistent", "UpToDate" };

	return names[s];
}

static const char *connection_name(const struct sim_drbd *d, int node)
{
	const struct drbd_end *e = &d->e[node];

	if (!e->connected)
		return e->standalone ? "StandAlone" : "WFConnection";
	if (!d->synced_due)
		return "Connected";
	return d->source == node ? "SyncSource" : "SyncTarget";
}

void drbd_sim_facts(const struct sim_drbd *d, int node, struct facts *f)
{
	const struct drbd_end *e = &d->e[node];

	f->drbd_known = true;
	snprintf(f->drbd_role, sizeof(f->drbd_role), "%s", e->primary ? "Primary" : "Secondary");
	snprintf(f->drbd_cstate, sizeof(f->drbd_cstate), "%s", connection_name(d, node));
	snprintf(f->drbd_peer_role, sizeof(f->drbd_peer_role), "%s",
		 !e->connected ? "Unknown" : d->e[1 - node].primary ? "Primary" : "Secondary");
	snprintf(f->drbd_disk, sizeof(f->drbd_disk), "%s", disk_name(e->disk));
	snprintf(f->drbd_peer_disk, sizeof(f->drbd_peer_disk), "%s", disk_name(e->peer_disk));
	snprintf(f->drbd_fencing, sizeof(f->drbd_fencing), "%s", d->stonith ? "resource-and-stonith" : "dont-care");
	f->drbd_suspended = e->suspended;
}
