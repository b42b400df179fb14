/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What ganesha offers over D-Bus, called in the process: no bus, no daemon, and
 * no wait for ganesha's D-Bus thread. The methods are found by their names; each
 * takes a message that never leaves this function.
 */
#ifndef FSAL_ADMIN_H
#define FSAL_ADMIN_H

#include <stdbool.h>

#include "discover.h"
#include "fault.h"

/* Adds the export with that id from a configuration file, which has to be read
 * by ganesha's own parser. -EBUSY: another such operation runs; try again. */
int admin_export_add(const struct private_parts *parts, const char *file, unsigned id,
		     struct fault *fault);

/* Its opens, locks and layouts go with it. -ENOENT when there is none. */
int admin_export_remove(const struct private_parts *parts, unsigned id, struct fault *fault);

/* Whether the server is in its grace period. */
int admin_in_grace(const struct private_parts *parts, bool *in_grace, struct fault *fault);

/* Enters grace with the client records of that node (EVENT_TAKE_NODEID). */
int admin_grace_start(unsigned node_id, struct fault *fault);

/* Ends grace if all who may reclaim have. */
void admin_grace_lift(void);

#endif
