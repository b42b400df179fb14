/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DRBD: state and role changes. DRBD 8.4 (generic netlink family "drbd",
 * version 1; linux/drbd_genl.h of the kernel) is spoken to directly: a message
 * costs well under a millisecond, running drbdsetup some milliseconds. With
 * DRBD 9 (version 2 of the family) drbdsetup is run instead (drbd_setup.h);
 * the functions below choose by themselves.
 */
#ifndef NASD_NETLINK_DRBD_H
#define NASD_NETLINK_DRBD_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

enum { DRBD_NAME_MAX = 128 };

/* The values are the kernel's (linux/drbd.h). */
enum drbd_role { DRBD_ROLE_UNKNOWN = 0, DRBD_PRIMARY = 1, DRBD_SECONDARY = 2 };

enum drbd_conn {
	DRBD_STANDALONE = 0,
	DRBD_DISCONNECTING,
	DRBD_UNCONNECTED,
	DRBD_CONN_TIMEOUT,
	DRBD_BROKEN_PIPE,
	DRBD_NETWORK_FAILURE,
	DRBD_PROTOCOL_ERROR,
	DRBD_TEAR_DOWN,
	DRBD_CONNECTING, /* WFConnection in 8.4, Connecting in 9 */
	DRBD_WF_REPORT_PARAMS,
	DRBD_CONNECTED,
	DRBD_STARTING_SYNC_S,
	DRBD_STARTING_SYNC_T,
	DRBD_WF_BITMAP_S,
	DRBD_WF_BITMAP_T,
	DRBD_WF_SYNC_UUID,
	DRBD_SYNC_SOURCE,
	DRBD_SYNC_TARGET,
	DRBD_VERIFY_S,
	DRBD_VERIFY_T,
	DRBD_PAUSED_SYNC_S,
	DRBD_PAUSED_SYNC_T,
	DRBD_AHEAD,
	DRBD_BEHIND,
};

enum drbd_disk {
	DRBD_DISKLESS = 0,
	DRBD_ATTACHING,
	DRBD_FAILED,
	DRBD_NEGOTIATING,
	DRBD_INCONSISTENT,
	DRBD_OUTDATED,
	DRBD_DISK_UNKNOWN, /* of the peer only: DUnknown */
	DRBD_CONSISTENT,
	DRBD_UPTODATE,
};

/* What a Primary does that has lost its peer ("fencing" in DRBD's configuration). */
enum drbd_fencing {
	DRBD_FENCING_UNKNOWN = 0, /* no disk attached, or not asked (DRBD 9: drbd_setup_fencing) */
	DRBD_FENCING_DONT_CARE,
	DRBD_FENCING_RESOURCE,    /* calls the fence-peer handler, and writes on meanwhile */
	DRBD_FENCING_STONITH,     /* I/O is frozen until the handler has answered */
};

struct drbd_status {
	unsigned minor;
	char resource[DRBD_NAME_MAX];
	unsigned volume;
	enum drbd_role role;
	enum drbd_role peer_role;
	enum drbd_conn conn;
	enum drbd_disk disk;
	enum drbd_disk peer_disk;
	bool suspended_user;    /* I/O suspended by drbdadm suspend-io */
	bool suspended_nodata;  /* ... because no up-to-date disk can be reached */
	bool suspended_fencing; /* ... until the fence-peer handler has answered */
	enum drbd_fencing fencing;
	uint64_t size;          /* bytes */
	uint64_t out_of_sync;   /* bytes that differ from the peer's */
	bool changed_alone;     /* written to since it lost the peer, not resynced yet (DRBD 9: not told) */
	int resync_percent;     /* 0..100 while a resync or verify runs, else -1 */
	int open;               /* 1 opened, 0 not opened, -1 not told (DRBD 8.4) */
	uint32_t writes_pending; /* requests not yet acknowledged by the peer */
	int api;                /* 8 or 9 */
};

/*
 * The minor number of a DRBD device (/dev/drbd0, /dev/drbd/by-res/r0/0) from
 * its device node. -EINVAL: not a DRBD device.
 */
int drbd_minor_of(const char *device, unsigned *minor, struct err *e);

/*
 * Asks for one device. -ENODEV: DRBD is not loaded, or has no such device.
 * Up to 2 s.
 */
int drbd_query(unsigned minor, struct drbd_status *status, struct err *e);

/* The same by resource name; its first volume. */
int drbd_query_resource(const char *resource, struct drbd_status *status, struct err *e);

/*
 * Changes the role and returns when the kernel has answered, that is when the
 * change is complete (with the peer's consent when connected). The role it has
 * already is success. Errors:
 *   ERR_REFUSED: DRBD said no and changed nothing: -EBUSY the device is held
 *      open; -EALREADY the peer is Primary; -ENODATA no up-to-date disk;
 *      -EPERM others, such as a peer that would have to be outdated first;
 *      -EAGAIN a state change is under way, try again.
 *   ERR_TIMEOUT, -ETIMEDOUT: no answer within timeout_ms; the outcome is
 *      UNKNOWN: query before doing anything else. (Becoming Primary without a
 *      connection runs the fence-peer handler, and waits for it.)
 * The kernel cannot be told to give up: after a timeout a detached thread of
 * this process stays until DRBD has answered.
 * force allows becoming Primary with inconsistent or outdated data (never part
 * of an automatic decision).
 */
int drbd_primary(unsigned minor, bool force, unsigned timeout_ms, struct err *e);
int drbd_secondary(unsigned minor, unsigned timeout_ms, struct err *e);

/*
 * Marks this node's disk as outdated: it will not become Primary before it has
 * been resynced. Only of a Secondary that is not connected; outdated already is
 * success. Errors as above: -EBUSY it is Primary; -EISCONN it is connected;
 * -ENODATA the disk is worse than outdated, or there is none.
 */
int drbd_outdate(unsigned minor, unsigned timeout_ms, struct err *e);

/*
 * Lets I/O go on that is suspended for whatever reason (drbd_status.suspended_*).
 * Of a Primary without its peer: from here on the peer's disk is the older one.
 * Nothing suspended is success. Errors as above.
 */
int drbd_resume_io(unsigned minor, unsigned timeout_ms, struct err *e);

/* DRBD's own words: "Primary", "WFConnection", "UpToDate". */
const char *drbd_role_name(enum drbd_role role);
const char *drbd_conn_name(enum drbd_conn conn);
const char *drbd_disk_name(enum drbd_disk disk);
/* "dont-care", "resource-only", "resource-and-stonith"; "" when unknown. */
const char *drbd_fencing_name(enum drbd_fencing fencing);

#endif
