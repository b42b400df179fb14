/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The end of a grace period when its time is over (ganesha's reaper looks every 10 s
 * only), or before, without the clients that are given up (giveup.h). By the thread
 * of the socket.
 */
#ifndef FSAL_GRACE_H
#define FSAL_GRACE_H

#include "discover.h"

/* wait_us 0: nobody is given up. Before the first request. */
void grace_configure(int64_t wait_us);

/* A grace period may have begun: to be looked at from now on. */
void grace_begins(void);

/* A look. How long until the next one, in ms; -1: none is due. */
int grace_tick(const struct private_parts *parts);

/* How many grace periods have been ended without somebody. */
uint64_t grace_given_up(void);

#endif
