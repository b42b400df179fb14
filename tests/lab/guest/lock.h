/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Byte-range locks: the holder, which keeps one and watches that it stays
 * held, and the tester, which runs on another host and must never get it.
 *
 * What the holder can see for itself:
 *   - its own kernel's table: a second open file (another lock owner) must be
 *     told that the range is taken;
 *   - the kernel log: the NFS client says so there when a lock could not be
 *     reclaimed;
 *   - its writes: the NFS client fails them with EIO once the lock that covers
 *     them is lost (the writer counts those).
 * What the server believes only the tester can see.
 */
#ifndef PROBE_LOCK_H
#define PROBE_LOCK_H

#include <stdint.h>

#include "options.h"

struct lock_watch {
	int probe_fd; /* a second open of the file; never closed, see lock.c */
	int kmsg_fd;  /* or -1 */
	struct range range;
	uint64_t checks;
	uint64_t lost;      /* the range was free for another owner */
	uint64_t reclaim;   /* the kernel reported a failed reclaim */
	uint64_t failures;  /* the check itself failed */
};

/* Take the write lock on fd without waiting.  0 or -errno. */
int lock_take(int fd, const struct range *range);

/* Prepare to watch the lock on path.  0 or -errno. */
int lock_watch_open(struct lock_watch *w, const char *path, const struct range *range);

/* One look; NULL when all is well, else what is wrong. */
const char *lock_watch_check(struct lock_watch *w);

/*
 * `probe lock-test --file F --range A-B [--count N | --seconds S] [--pace MS]`
 * Exit status: 0 every attempt was refused, 1 the lock was got at least once,
 * 2 wrong usage or the file could not be opened, 3 attempts failed otherwise.
 */
int lock_test_main(int argc, char **argv);

#endif
