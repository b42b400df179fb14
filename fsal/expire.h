/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef FSAL_EXPIRE_H
#define FSAL_EXPIRE_H

#include "fault.h"
#include "ganesha_api.h"

/*
 * Lets the leases of all clients at the address end now: ganesha's own reaper frees
 * their opens and locks, and removes their records, as if their time had run out. The
 * caller vouches that they are dead. -EAGAIN: one of them was heard a moment ago, or
 * has a request that runs, and is not touched; nor are the others. -ETIMEDOUT: the
 * reaper has not come by yet. *released: how many are gone.
 */
int expire_clients(const char *address, size_t *released, struct fault *fault);

#endif
