/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls to ganesha over its D-Bus (4.3: org.ganesha.nfsd), on a connection of
 * our own to a private bus. For sys/ganesha*.c; one thread at a time.
 *
 * Outcomes: DONE; FAILED: the bus or ganesha said no, nothing was done; UNKNOWN
 * (ERR_TIMEOUT): no answer in time, or ganesha went away with the question.
 */
#ifndef NASD_SYS_GANESHA_DBUS_H
#define NASD_SYS_GANESHA_DBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

struct sd_bus;

/*
 * Connects to the bus at that socket, when *bus is NULL or has been cut, and
 * waits for its greeting. -ETIMEDOUT (ERR_TIMEOUT): it did not answer in time.
 */
int ganesha_dbus_open(struct sd_bus **bus, const char *socket_path, int64_t timeout_us,
		      struct err *err);
void ganesha_dbus_close(struct sd_bus **bus);

/* "event:argument", e.g. "4:1": grace with the records of node id 1. */
enum outcome ganesha_dbus_grace(struct sd_bus *bus, const char *what, int64_t timeout_us,
				struct err *err);
enum outcome ganesha_dbus_get_grace(struct sd_bus *bus, bool *active, int64_t timeout_us,
				    struct err *err);

/* Adds the export of that id from the file. *busy: somebody else was at it. */
enum outcome ganesha_dbus_add_export(struct sd_bus *bus, const char *file, unsigned id, bool *busy,
				     int64_t timeout_us, struct err *err);

/* The ids of the exports there are; *n at most max. */
enum outcome ganesha_dbus_exports(struct sd_bus *bus, uint16_t *ids, size_t max, size_t *n,
				  int64_t timeout_us, struct err *err);
enum outcome ganesha_dbus_clients(struct sd_bus *bus, unsigned *n, int64_t timeout_us,
				  struct err *err);

#endif
