/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef FSAL_EXPIRE_H
#define FSAL_EXPIRE_H

#include "fault.h"
#include "ganesha_api.h"

/*
 * Lets the leases of all clients at the address end now: ganesha's own reaper frees
 * their opens and locks, and removes their records, as if their time had run out. The
 * caller vouches that they are dead. Waits for nothing: -EINPROGRESS until all is free,
 * so it is to be called again. -EAGAIN: one of them was heard a moment ago, or
 * has a request that runs, and is not touched, nor are the others; or nobody was, since
 * the process stood still. states: the table
 * of stateids; NULL: not known, then all is taken to be free when the clients are gone.
 * *released: how many are gone since it was called first. One thread.
 */
int expire_clients(struct hash_table *states, const char *address, size_t *released, struct fault *fault);

/* The server runs: to be called by that thread each time it wakes, and again within so
 * many ms as it returns. */
int expire_tick(void);

#endif
