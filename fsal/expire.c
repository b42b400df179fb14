/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The reaper (MainNFSD/nfs_reaper_thread.c:45) takes out whoever has no valid lease:
 * cid_last_renew is too long ago, and no request has it reserved (SAL/nfs4_lease.c:51).
 * It comes by every REAPER_DELAY seconds, and when reaper_wake() says so.
 */
#include "expire.h"

#include <errno.h>
#include <time.h>

#include "clients.h"
#include "lease_time.h"
#include "nfs_core.h"

enum { SILENT_S = 2, TRIES = 60, PAUSE_NS = 5000000 };

struct look {
	const char *address;
	size_t found, alive;
	bool end; /* their leases, instead of only looking */
};

static int look_at(nfs_client_id_t *c, void *data)
{
	struct look *look = data;

	if (!client_is_at(c, look->address))
		return 0;
	PTHREAD_MUTEX_lock(&c->cid_mutex);
	look->found++;
	if (c->cid_lease_reservations || c->cid_last_renew + SILENT_S > lease_time())
		look->alive++;
	else if (look->end)
		c->cid_last_renew = 0;
	PTHREAD_MUTEX_unlock(&c->cid_mutex);
	return 0;
}

static void look_around(struct look *look)
{
	look->found = look->alive = 0;
	clients_each(ht_confirmed_client_id, look_at, look);
}

int expire_clients(const char *address, size_t *released, struct fault *fault)
{
	struct look look = {.address = address};
	size_t found;

	*released = 0;
	look_around(&look);
	found = look.found;
	if (look.alive)
		return fault_set(fault, EAGAIN, "it was heard less than %d s ago: what is dead says nothing", SILENT_S);
	look.end = true;
	look_around(&look);
	for (int i = 0; i < TRIES && look.found; i++) {
		reaper_wake();
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
		look.end = false;
		look_around(&look);
	}
	*released = found > look.found ? found - look.found : 0;
	if (look.found)
		return fault_set(fault, ETIMEDOUT, "ganesha has not let go of %zu of them yet", look.found);
	if (found)
		LogEvent(COMPONENT_FSAL, "NASD: %zu clients at %s are dead: what they held is free", found, address);
	return 0;
}
