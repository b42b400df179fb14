/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The group's filesystem: looked at, mounted, unmounted, written back. System
 * calls only, no program is run. Functions return 0 or a negative errno value
 * and then fill e (may be NULL).
 */
#ifndef NASD_SYS_FILESYSTEM_H
#define NASD_SYS_FILESYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

struct filesystem {
	const char *device;  /* block device */
	const char *point;   /* mount point, absolute, no trailing '/' */
	const char *type;    /* "ext4", "xfs" */
	const char *options; /* as mount -o takes them; may be "" */
	const char *uuid;    /* lower case; "" accepts any */
};

enum { FS_UUID_MAX = 40, FS_WHERE_MAX = 256 };

/* Where the device is mounted, in this process's mount namespace. */
struct filesystem_state {
	bool device_exists;         /* the node is there and a block device */
	dev_t dev;                  /* its number; 0 when not there */
	bool point_exists;          /* and is a directory */
	bool mounted;               /* our device is what one sees at the mount point */
	bool covered;               /* our device is there, under something else */
	bool point_busy;            /* something else is what one sees there */
	char busy_source[FS_WHERE_MAX]; /* what: its source */
	bool elsewhere;             /* our device is mounted at another place (too) */
	char elsewhere_point[FS_WHERE_MAX];
	bool readonly;              /* mounted read-only, or became so after an error */
};
int filesystem_look(const struct filesystem *fs, struct filesystem_state *out, struct err *e);

/*
 * The UUID of the filesystem of that type on a block device (blkid's low-level
 * probe; other signatures, such as DRBD's own metadata, are not looked at).
 * -ENODATA: no such filesystem there; -EMEDIUMTYPE and others: cannot be opened
 * (DRBD's Secondary: ask its lower disk).
 */
int filesystem_uuid(const char *device, const char *type, char uuid[FS_UUID_MAX], struct err *e);

/*
 * Mounts it after comparing the UUID (ERR_REFUSED, -ENXIO when another
 * filesystem is there). Mounted already is success and sets *already. Refused
 * (-EBUSY) when something else sits on the mount point. Never falls back to
 * read-only.
 */
int filesystem_mount(const struct filesystem *fs, bool *already, struct err *e);

/*
 * Unmounts it, neither lazily nor by force; not mounted is success and sets
 * *already. While it is busy it tries again for wait_us (a killed server's
 * descriptors close a little after it). -EBUSY: still busy; e names the holders.
 * after (may be NULL): as it was looked at last.
 */
int filesystem_unmount(const struct filesystem *fs, int64_t wait_us, bool *already,
		       struct filesystem_state *after, struct err *e);

/*
 * Lets go of the cached pages of its larger files (256 at most) that process pid has
 * open. To unmount throws them away one by one, while clients wait. After a sync;
 * best effort, and what is read meanwhile is read from the disk.
 */
void filesystem_shed(const struct filesystem *fs, int pid);

/* syncfs(2) of the mounted filesystem; refused when it is not mounted. */
int filesystem_sync(const struct filesystem *fs, struct err *e);

/*
 * Whether an error has ended all writing to the mounted filesystem, also where the
 * mount options still say rw (ext4 since Linux 6.12 and its stable relatives, xfs
 * that has shut down). Tries a write, which may block, only where the kernel has
 * counted errors.
 */
bool filesystem_broken(const struct filesystem *fs, const struct filesystem_state *st);

/* Size and what is free of the mounted filesystem, bytes; untouched on error. */
void filesystem_room(const struct filesystem *fs, uint64_t *size, uint64_t *unused);

/* Dirty and Writeback of /proc/meminfo, bytes, of the whole system. */
int filesystem_dirty(uint64_t *bytes, struct err *e);

/* Pure: the same from the file's text; false when a value is missing. */
bool filesystem_parse_dirty(const char *text, uint64_t *bytes);

/*
 * Pure but for libmount's tables: splits "noatime,discard,_netdev" into mount(2)
 * flags and the filesystem's own data ("discard"); options for userspace only
 * (x-*, _netdev, nofail) are dropped. *data is the caller's to free, may be NULL.
 */
int filesystem_split_options(const char *options, unsigned long *flags, char **data,
			     struct err *e);

#endif
