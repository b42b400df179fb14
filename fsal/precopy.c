/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "precopy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clients.h"
#include "clock.h"
#include "dump_int.h"

enum {
	CHUNK = 200,         /* states under a client's mutex, which each of its requests wants */
	TRIES_MAX = 500,     /* in a row, for a lock that somebody has */
	TRY_AGAIN_NS = 200000,
};

struct copied {
	uint64_t id, sum;
	struct state_counts counts;
};

/* Of the last text, by id. One thread. */
static struct {
	uint64_t base; /* 0: none */
	struct copied *clients;
	size_t n, room;
} last;

/* ---- sums */

static uint64_t mix(uint64_t sum, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (uint64_t word; len; len -= len < sizeof(word) ? len : sizeof(word)) {
		size_t n = len < sizeof(word) ? len : sizeof(word);

		word = 0;
		memcpy(&word, bytes, n);
		bytes += n;
		sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		sum ^= sum >> 29;
	}
	return sum;
}

static uint64_t mix_number(uint64_t sum, uint64_t n)
{
	return mix(sum, &n, sizeof(n));
}

/* All that a row has but the handle, which belongs to the id. */
static uint64_t sum_state(uint64_t sum, const state_owner_t *owner, const state_t *s, struct state_counts *counts)
{
	const struct state_share *share = &s->state_data.share;
	struct glist_head *g;

	sum = mix_number(mix(sum, s->stateid_other, STATE_OTHER), (uint64_t)s->state_type << 32 | s->state_seqid);
	sum = mix(sum, owner->so_owner_val, (size_t)owner->so_owner_len);
	if (s->state_type != STATE_TYPE_LOCK) {
		counts->opens++;
		sum = mix_number(sum, (uint64_t)share->share_access << 32 | share->share_deny);
		return mix_number(sum, (uint64_t)share->share_access_prev << 32 | share->share_deny_prev);
	}
	counts->locks++;
	sum = mix(sum, s->state_data.lock.openstate_key, STATE_OTHER);
	glist_for_each(g, &s->state_data.lock.state_locklist) {
		const state_lock_entry_t *e = glist_entry(g, state_lock_entry_t, sle_state_locks);

		counts->ranges++;
		sum = mix_number(sum, (uint64_t)e->sle_lock.lock_type << 32 | (uint64_t)e->sle_blocked);
		sum = mix_number(mix_number(sum, e->sle_lock.lock_start), e->sle_lock.lock_length);
	}
	return sum;
}

/* ---- while requests run. Below a client's mutex locks are only tried: ganesha
 * takes them in other orders. */

struct cursor {
	bool locks;  /* the owners of locks, after those of opens */
	size_t done; /* states of these */
	struct copied sum;
};

/* A state on its owner's list, whose mutex we have, exists; its file does while it
 * says which. */
static int copy_state(struct dumping *d, const state_owner_t *owner, state_t *s, struct cursor *at)
{
	struct state_hdl *file;
	int ret = -EAGAIN;

	if (pthread_mutex_trylock(&s->state_mutex))
		return -EAGAIN;
	file = s->state_obj ? s->state_obj->state_hdl : NULL;
	if (file && pthread_mutex_trylock(&file->st_lock) == 0) {
		ret = dump_state_row(d, owner, s);
		if (ret == 0)
			at->sum.sum = sum_state(at->sum.sum, owner, s, &at->sum.counts);
		pthread_mutex_unlock(&file->st_lock);
	}
	pthread_mutex_unlock(&s->state_mutex);
	return ret;
}

/* From where the cursor is: 0 all; 1 a chunk; -EAGAIN a lock was taken. */
static int copy_owners(struct dumping *d, struct glist_head *owners, struct cursor *at)
{
	struct glist_head *g, *s;
	size_t seen = 0, to = at->done + CHUNK;
	int ret = 0;

	glist_for_each(g, owners) {
		state_owner_t *owner = glist_entry(g, state_owner_t, so_owner.so_nfs4_owner.so_perclient);

		if (pthread_mutex_trylock(&owner->so_mutex))
			return -EAGAIN;
		glist_for_each(s, &owner->so_owner.so_nfs4_owner.so_state_list) {
			if (seen++ < at->done)
				continue;
			ret = at->done == to ? 1 : copy_state(d, owner, glist_entry(s, state_t, state_owner_list), at);
			if (ret)
				break;
			at->done++;
		}
		pthread_mutex_unlock(&owner->so_mutex);
		if (ret)
			return ret;
	}
	return 0;
}

static int copy_some(struct dumping *d, nfs_client_id_t *c, struct cursor *at)
{
	int ret = copy_owners(d, at->locks ? &c->cid_lockowners : &c->cid_openowners, at);

	if (ret || at->locks)
		return ret;
	at->locks = true;
	at->done = 0;
	return 1;
}

/* The partition's lock, which a look-up takes, keeps the client from being taken out. */
static int with_client(struct dumping *d, uint64_t id, bool first, struct cursor *at)
{
	struct gsh_buffdesc key = {.addr = &id, .len = sizeof(id)}, value;
	struct hash_latch latch;
	hash_error_t found = hashtable_getlatch(ht_confirmed_client_id, &key, &value, false, &latch);
	int ret = -ENOENT;

	if (found == HASHTABLE_SUCCESS) {
		nfs_client_id_t *c = value.addr;

		pthread_mutex_lock(&c->cid_mutex);
		ret = first ? dump_client_row(d, c) : 0;
		if (ret == 0)
			ret = copy_some(d, c, at);
		pthread_mutex_unlock(&c->cid_mutex);
	}
	if (found == HASHTABLE_SUCCESS || found == HASHTABLE_ERROR_NO_SUCH_KEY)
		hashtable_releaselatched(ht_confirmed_client_id, &latch);
	return ret;
}

/* One that goes meanwhile is not in the next dump either. */
static int copy_client(struct dumping *d, struct copied *c)
{
	struct cursor at = {.sum = {.id = c->id}};
	int ret = with_client(d, c->id, true, &at);

	for (int tries = 0; ret == 1 || (ret == -EAGAIN && tries < TRIES_MAX); ret = with_client(d, c->id, false, &at)) {
		tries = ret == 1 ? 0 : tries + 1;
		if (ret == -EAGAIN)
			nanosleep(&(struct timespec){.tv_nsec = TRY_AGAIN_NS}, NULL);
	}
	if (ret == -EAGAIN)
		return fault_set(d->fault, EBUSY, "a client's state is in use all the time");
	*c = at.sum;
	return ret == -ENOENT ? 0 : ret;
}

/* ---- all of them */

static int note(nfs_client_id_t *c, void *data)
{
	if (last.n == last.room) {
		size_t room = last.room ? 2 * last.room : 64;
		struct copied *clients = realloc(last.clients, room * sizeof(*clients));

		if (!clients)
			return fault_set(data, ENOMEM, "out of memory");
		last.clients = clients;
		last.room = room;
	}
	last.clients[last.n++] = (struct copied){.id = c->cid_clientid};
	return 0;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct copied *)a)->id, y = ((const struct copied *)b)->id;

	return x < y ? -1 : x > y;
}

int precopy_dump(const struct private_parts *parts, struct state_text *text, uint64_t *base,
		 struct fault *fault)
{
	struct dumping d = {.text = text, .fault = fault};
	int ret = dump_begin(parts, text, fault);

	last.base = 0;
	last.n = 0;
	if (ret == 0)
		ret = clients_each(ht_confirmed_client_id, note, fault);
	if (last.n)
		qsort(last.clients, last.n, sizeof(*last.clients), by_id);
	for (size_t i = 0; ret == 0 && i < last.n; i++)
		ret = copy_client(&d, &last.clients[i]);
	if (ret == 0)
		ret = state_end(text, fault);
	free(d.ranges);
	if (ret == 0)
		last.base = (uint64_t)clock_now_us() | 1;
	*base = last.base;
	return ret;
}

bool precopy_is(uint64_t base)
{
	return base && last.base == base;
}

static uint64_t sum_owners(uint64_t sum, struct glist_head *owners, struct state_counts *counts)
{
	struct glist_head *g, *s;

	glist_for_each(g, owners) {
		state_owner_t *owner = glist_entry(g, state_owner_t, so_owner.so_nfs4_owner.so_perclient);

		pthread_mutex_lock(&owner->so_mutex);
		glist_for_each(s, &owner->so_owner.so_nfs4_owner.so_state_list)
			sum = sum_state(sum, owner, glist_entry(s, state_t, state_owner_list), counts);
		pthread_mutex_unlock(&owner->so_mutex);
	}
	return sum;
}

bool precopy_same(nfs_client_id_t *c, struct state_counts *counts)
{
	struct copied key = {.id = c->cid_clientid}, now = {0};
	const struct copied *then = last.n ? bsearch(&key, last.clients, last.n, sizeof(key), by_id) : NULL;

	if (!then)
		return false;
	now.sum = sum_owners(0, &c->cid_openowners, &now.counts);
	now.sum = sum_owners(now.sum, &c->cid_lockowners, &now.counts);
	if (now.sum != then->sum || now.counts.opens != then->counts.opens || now.counts.locks != then->counts.locks)
		return false;
	counts->opens += now.counts.opens;
	counts->locks += now.counts.locks;
	counts->ranges += now.counts.ranges;
	return true;
}
