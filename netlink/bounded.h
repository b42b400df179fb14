/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Within netlink/ only: a deadline for what has none. The kernel runs a
 * generic netlink command within the caller's sendmsg(), so a DRBD role change
 * that waits (for a peer, for the fence-peer handler) cannot be given up by
 * the thread that asked for it.
 */
#ifndef NASD_NETLINK_BOUNDED_H
#define NASD_NETLINK_BOUNDED_H

#include <stddef.h>

#include "err.h"

/*
 * Runs fn(arg, err) in another thread on a copy of arg (size bytes) and
 * returns its result, with e filled by it. After timeout_ms: -ETIMEDOUT, with
 * e untouched; fn then runs on unobserved to its end.
 */
int net_bounded_run(int (*fn)(const void *arg, struct err *e), const void *arg, size_t size,
		    unsigned timeout_ms, struct err *e);

#endif
