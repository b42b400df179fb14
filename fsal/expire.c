/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The reaper (MainNFSD/nfs_reaper_thread.c:45) takes out whoever has no valid lease:
 * cid_last_renew is too long ago, and no request has it reserved (SAL/nfs4_lease.c:51).
 * It comes by every REAPER_DELAY seconds, and when reaper_wake() says so.
 *
 * It takes a client out of the table first (SAL/nfs4_clientid.c:870), then frees the locks
 * of each owner, and takes out each lock's stateid behind that (SAL/state_lock.c): when
 * there is no stateid of his any more, his locks are free.
 */
#include "expire.h"

#include <errno.h>
#include <stdlib.h>

#include "clients.h"
#include "clock.h"
#include "lease_time.h"
#include "nfs_core.h"

/* Shorter than the second that may be lost where SILENT_S is counted in whole ones. */
enum { SILENT_S = 2, TICK_MS = 250, STILL_US = 800000 };

static struct { /* the control thread's */
	int64_t at;   /* when it was seen to run */
	time_t since; /* since when it has, without a rest: 0: always */
} awake;

int expire_tick(void)
{
	int64_t now = clock_now_us();

	if (awake.at && now - awake.at > STILL_US)
		awake.since = lease_time();
	awake.at = now;
	return TICK_MS;
}

/* Whose leases were ended, and what they held is not known to be free yet. */
struct ending {
	uint64_t id;
	char address[INET6_ADDRSTRLEN];
};

static struct { /* the control thread's */
	struct ending *list;
	size_t n;
} endings;

static bool is_ending(uint64_t id)
{
	for (size_t i = 0; i < endings.n; i++)
		if (endings.list[i].id == id)
			return true;
	return false;
}

static int note(uint64_t id, const char *address)
{
	struct ending *more = is_ending(id) ? endings.list : realloc(endings.list, (endings.n + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	endings.list = more;
	if (is_ending(id))
		return 0;
	more[endings.n].id = id;
	snprintf(more[endings.n++].address, sizeof(more->address), "%s", address);
	return 0;
}

/* How many they were. */
static size_t forget(const char *address)
{
	size_t kept = 0, n = endings.n;

	for (size_t i = 0; i < n; i++)
		if (strcmp(endings.list[i].address, address))
			endings.list[kept++] = endings.list[i];
	endings.n = kept;
	return n - kept;
}

struct look {
	const char *address;
	size_t found, alive;
	bool end; /* their leases, instead of only looking */
};

static int look_at(nfs_client_id_t *c, void *data)
{
	struct look *look = data;
	int ret = 0;

	if (!client_is_at(c, look->address))
		return 0;
	PTHREAD_MUTEX_lock(&c->cid_mutex);
	look->found++;
	if (c->cid_lease_reservations || c->cid_last_renew + SILENT_S > lease_time())
		look->alive++;
	else if (look->end && (ret = note(c->cid_clientid, look->address)) == 0)
		c->cid_last_renew = 0;
	PTHREAD_MUTEX_unlock(&c->cid_mutex);
	return ret;
}

static int look_around(struct look *look)
{
	look->found = look->alive = 0;
	return clients_each(ht_confirmed_client_id, look_at, look);
}

/* A stateid begins with its client's id (SAL/nfs4_state_id.c, nfs4_BuildStateId_Other). */
static size_t states_left(hash_table_t *states, const char *address)
{
	size_t left = 0;

	for (uint32_t i = 0; i < states->parameter.index_size; i++) {
		struct hash_partition *p = &states->partitions[i];
		struct rbt_node *node;

		pthread_rwlock_rdlock(&p->lock);
		for (node = p->rbt.leftmost; node; RBT_INCREMENT(node)) {
			const struct hash_data *entry = RBT_OPAQ(node);
			uint64_t id;

			memcpy(&id, entry->key.addr, sizeof(id));
			for (size_t k = 0; k < endings.n; k++)
				left += endings.list[k].id == id && !strcmp(endings.list[k].address, address);
		}
		pthread_rwlock_unlock(&p->lock);
	}
	return left;
}

int expire_clients(hash_table_t *states, const char *address, size_t *released, struct fault *fault)
{
	struct look look = {.address = address};
	size_t left;

	*released = 0;
	expire_tick();
	if (awake.since + SILENT_S > lease_time())
		return fault_set(fault, EAGAIN, "the server itself stood still less than %d s ago: whom it has not heard may live", SILENT_S);
	look_around(&look);
	if (look.alive)
		return fault_set(fault, EAGAIN, "it was heard less than %d s ago: what is dead says nothing", SILENT_S);
	if (look.found) {
		look.end = true;
		if (look_around(&look) < 0)
			return fault_set(fault, ENOMEM, "out of memory");
		reaper_wake();
		return fault_set(fault, EINPROGRESS, "ganesha has not let go of %zu of them yet", look.found);
	}
	left = states ? states_left(states, address) : 0;
	if (left)
		return fault_set(fault, EINPROGRESS, "ganesha has not freed %zu of their opens and locks yet", left);
	*released = forget(address);
	if (*released)
		LogEvent(COMPONENT_FSAL, "NASD: %zu clients at %s are dead: what they held is free", *released, address);
	return 0;
}
