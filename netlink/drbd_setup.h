/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fallback for kernels whose DRBD speaks another netlink API (DRBD 9):
 * runs /usr/sbin/drbdsetup with argv, a clean environment, all descriptors
 * closed, in a process group of its own; killed and reaped at the timeout.
 * Needs no shell. drbd.h has the functions everybody else uses.
 */
#ifndef NASD_NETLINK_DRBD_SETUP_H
#define NASD_NETLINK_DRBD_SETUP_H

#include <stddef.h>

#include "drbd.h"

/* As drbd_primary (force too), drbd_secondary and drbd_query; in the same errors. */
int drbd_setup_role(const char *resource, enum drbd_role role, bool force, unsigned timeout_ms,
		    struct err *e);
int drbd_setup_query(unsigned minor, const char *resource, struct drbd_status *status,
		     struct err *e);

/*
 * Reads the text of "drbdsetup events2 --now --statistics" (DRBD 9) and picks
 * the device with this minor, or, when resource is not NULL, this resource's
 * first volume. With several peers the worst one counts. Pure.
 * -ENODEV: not in there.
 */
int drbd_setup_parse(const char *text, size_t len, unsigned minor, const char *resource,
		     struct drbd_status *status, struct err *e);

/*
 * Runs argv[0] (absolute path) and collects what it prints on both streams in
 * out (cut at size, always terminated). *exit_code is its exit status.
 * -ETIMEDOUT: it was killed; -EIO: it died of a signal; others: not started.
 */
int drbd_setup_run(const char *const argv[], unsigned timeout_ms, char *out, size_t size,
		   int *exit_code, struct err *e);

#endif
