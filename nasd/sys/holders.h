/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who keeps a filesystem or a block device busy: processes (descriptors,
 * working and root directory, program and mapped files), nested mounts, mounts
 * in other namespaces, swap, loop devices and kernel holders (device mapper).
 * For error messages: a look at /proc and /sys that changes nothing, some ms
 * per hundred processes.
 */
#ifndef NASD_SYS_HOLDERS_H
#define NASD_SYS_HOLDERS_H

#include <stddef.h>
#include <sys/types.h>

enum { HOLDERS_MAX = 16, HOLDER_WHAT_MAX = 160 };

struct holder {
	int pid;                    /* 0: not a process */
	char name[32];              /* of the process; "mount", "loop0" */
	char what[HOLDER_WHAT_MAX]; /* "/srv/vol0/a (open)", "/srv/vol0 (working directory)" */
};

struct holders {
	struct holder at[HOLDERS_MAX];
	size_t n;     /* filled in: at most one per process, the first that was found */
	size_t total; /* found */
};

/* Who uses the filesystem with this device number, mounted at point. */
void holders_of_filesystem(dev_t dev, const char *point, struct holders *out);

/* Who has this block device itself open, or mounted in whatever namespace. */
void holders_of_device(dev_t dev, struct holders *out);

/* "qemu (pid 12): /srv/vol0/a (open), bash (pid 7): ..., and 3 more"; "" when
 * none was found. Always terminated; returns buf. */
char *holders_format(const struct holders *h, char *buf, size_t size);

#endif
