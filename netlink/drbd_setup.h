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

/*
 * "drbdsetup VERB OBJECT [OPTION]"; option may be NULL. Errors as drbd_primary's,
 * with where.
 */
int drbd_setup_change(const char *verb, const char *object, const char *option, unsigned timeout_ms,
		      const char *where, struct err *e);
/* As drbd_query, in the same errors; fencing stays unknown. */
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
 * The fencing policy of DRBD 9: "drbdsetup show --show-defaults RESOURCE", some
 * milliseconds. With several connections the weakest one counts.
 */
int drbd_setup_fencing(const char *resource, enum drbd_fencing *fencing, struct err *e);

/* The policy in the text of "drbdsetup show". Pure. */
enum drbd_fencing drbd_setup_fencing_parse(const char *text);

/*
 * Runs argv[0] (absolute path) and collects what it prints on both streams in
 * out (cut at size, always terminated). *exit_code is its exit status.
 * -ETIMEDOUT: it was killed; -EIO: it died of a signal; others: not started.
 */
int drbd_setup_run(const char *const argv[], unsigned timeout_ms, char *out, size_t size,
		   int *exit_code, struct err *e);

#endif
