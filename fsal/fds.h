/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Lets go of a filesystem without closing descriptors: each descriptor of this
 * process that is on it is replaced, under its own number, by one that can do
 * nothing (O_PATH on an anonymous file: reads and writes through it fail with
 * EBADF, so no stray write is ever taken for done). The filesystem can be
 * unmounted then, while those who know the numbers keep them; after a new mount
 * the same files are opened again under the same numbers, with the same open
 * file description locks.
 *
 * Knows nothing of ganesha. The caller sees to it that nobody uses or opens
 * descriptors of the filesystem meanwhile (gate closed and drained). One that its
 * owner closes while released is left closed.
 */
#ifndef FSAL_FDS_H
#define FSAL_FDS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "fault.h"

struct fds_entry;

struct fds {
	bool released;
	dev_t dev, hole_dev;
	ino_t hole_ino;
	int hole;                  /* what the numbers stand for while released */
	struct fds_entry *entries;
	size_t n, room;
	dev_t *noted;              /* by number; 0: not known */
	size_t n_noted;
};

/*
 * Has the kernel's table of this process hold descriptors up to n (or to what the
 * process may have). It grows by doubling, and each time a process with threads
 * waits for an RCU grace period, some 10 ms: better at the start than in a load.
 */
void fds_make_room(int n);

void fds_init(struct fds *f);

/*
 * Replaces all descriptors on the filesystem mounted at dir. Nothing has changed
 * when it fails. -EPERM: released already.
 */
int fds_release(struct fds *f, const char *dir, struct fault *fault);

/*
 * Notes which filesystem each descriptor is on, for fds_drop: while requests run, and
 * best shortly before it.
 */
void fds_note(struct fds *f);

/*
 * Closes all descriptors on the filesystem mounted at dir, for good: only in a process
 * that serves nobody any more and is ended next. A number that was noted on it and has
 * been given to something else since is closed as well. Returns how many numbers were
 * closed, or a negative errno with nothing closed. -EPERM: released, not to be dropped.
 */
int fds_drop(struct fds *f, const char *dir, struct fault *fault);

/*
 * Opens them again below dir. *lost counts those that could not be opened, or
 * whose locks could not be had again: they stay replaced, and 0 is returned only
 * when there are none (-ESTALE then). *kept counts what is as before.
 */
int fds_restore(struct fds *f, const char *dir, size_t *kept, size_t *lost, struct fault *fault);

/* Forgets them, after the commitment: the numbers stay replaced. */
void fds_forget(struct fds *f);

/*
 * Reads a line of /proc/self/fdinfo: true when it is an open file description
 * lock, "lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:12 0 EOF".
 */
bool fds_parse_lock(const char *line, struct flock *out);

#endif
