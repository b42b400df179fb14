/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal.h"

#include <stdio.h>
#include <string.h>

void journal_state_init(struct journal_state *s)
{
	memset(s, 0, sizeof(*s));
	s->owner = NODE_NONE;
	s->txn_peer = NODE_NONE;
}

static void close_txn(struct journal_state *s)
{
	s->phase = TXN_NONE;
	s->txn_epoch = 0;
	s->txn_peer = NODE_NONE;
	s->last_intent = STEP_NONE;
}

static void open_txn(struct journal_state *s, const struct journal_rec *r, enum txn_phase phase)
{
	s->phase = phase;
	s->txn_epoch = r->epoch;
	s->txn_peer = r->owner;
	s->last_intent = STEP_NONE;
}

static void keep_before(struct journal_state *s)
{
	s->before.valid = true;
	s->before.epoch = s->epoch;
	s->before.owner = s->owner;
	memcpy(s->before.active_boot, s->active_boot, sizeof(s->active_boot));
	memcpy(s->before.owner_boot, s->owner_boot, sizeof(s->owner_boot));
	s->before.owner_wall_us = s->owner_wall_us;
}

static void new_owner(struct journal_state *s, const struct journal_rec *r)
{
	if (r->epoch < s->epoch)
		return; /* the past does not speak */
	if (r->epoch > s->epoch) {
		s->before.valid = false;
		if (s->phase == TXN_SOURCE && s->txn_epoch == r->epoch)
			keep_before(s);
		s->active_boot[0] = '\0';
		s->owner_wall_us = r->wall_us;
	}
	s->epoch = r->epoch;
	s->owner = r->owner;
	memcpy(s->owner_boot, r->boot_id, sizeof(s->owner_boot));
	if (s->phase != TXN_NONE && s->txn_epoch <= r->epoch)
		close_txn(s);
}

static void take_back(struct journal_state *s)
{
	s->epoch = s->before.epoch;
	s->owner = s->before.owner;
	memcpy(s->active_boot, s->before.active_boot, sizeof(s->active_boot));
	memcpy(s->owner_boot, s->before.owner_boot, sizeof(s->owner_boot));
	s->owner_wall_us = s->before.owner_wall_us;
	s->before.valid = false;
}

void journal_fold(struct journal_state *s, const struct journal_rec *r)
{
	if (r->epoch > s->max_epoch)
		s->max_epoch = r->epoch;
	if (!strcmp(r->kind, "owner")) {
		new_owner(s, r);
	} else if (!strcmp(r->kind, "begin")) {
		open_txn(s, r, TXN_SOURCE);
	} else if (!strcmp(r->kind, "prepared")) {
		open_txn(s, r, TXN_PREPARED);
	} else if (!strcmp(r->kind, "abort")) {
		if (s->phase != TXN_NONE && s->txn_epoch == r->epoch)
			close_txn(s);
		else if (s->before.valid && s->epoch == r->epoch)
			take_back(s);
	} else if (!strcmp(r->kind, "intent")) {
		if (s->phase != TXN_NONE)
			s->last_intent = step_by_name(r->step);
	} else if (!strcmp(r->kind, "active")) {
		if (r->epoch == s->epoch)
			snprintf(s->active_boot, sizeof(s->active_boot), "%s", r->boot_id);
	}
}

static struct journal_rec *put(struct journal_rec *out, size_t *n, const char *kind, const char *group,
			       uint64_t epoch, int owner)
{
	struct journal_rec *r = &out[(*n)++];

	memset(r, 0, sizeof(*r));
	snprintf(r->kind, sizeof(r->kind), "%s", kind);
	snprintf(r->group, sizeof(r->group), "%s", group);
	r->epoch = epoch;
	r->owner = owner;
	return r;
}

size_t journal_summary(const struct journal_state *s, const char *group, struct journal_rec *out)
{
	size_t n = 0;
	struct journal_rec *r;

	if (s->max_epoch > s->epoch) /* an aborted epoch must stay used */
		put(out, &n, "abort", group, s->max_epoch, NODE_NONE);
	if (s->epoch) {
		r = put(out, &n, "owner", group, s->epoch, s->owner);
		memcpy(r->boot_id, s->owner_boot, sizeof(r->boot_id));
		r->wall_us = s->owner_wall_us;
	}
	if (s->epoch && s->active_boot[0]) {
		r = put(out, &n, "active", group, s->epoch, s->owner);
		snprintf(r->boot_id, sizeof(r->boot_id), "%s", s->active_boot);
	}
	if (s->phase == TXN_SOURCE || s->phase == TXN_PREPARED)
		put(out, &n, s->phase == TXN_SOURCE ? "begin" : "prepared", group, s->txn_epoch, s->txn_peer);
	return n;
}
