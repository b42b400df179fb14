/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting a program, for child.c and child_daemon.c. */
#ifndef NASD_SYS_CHILD_SPAWN_H
#define NASD_SYS_CHILD_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "err.h"

struct spawn_request {
	const char *path;         /* absolute */
	const char *const *argv;
	const char *const *envp;  /* NULL: PATH and LC_ALL=C */
	int fds[3];               /* what becomes 0, 1 and 2; all close-on-exec */
	bool session;             /* a session of its own, not only a process group */
};

/*
 * posix_spawn tells a failed exec from everything the program does itself: the
 * child shares our memory until exec and leaves its errno behind, which serves
 * as the close-on-exec pipe would. 0 with *pid and *pidfd (close-on-exec), or a
 * negative errno with err filled and nothing left to reap.
 */
int child_spawn(const struct spawn_request *req, pid_t *pid, int *pidfd, struct err *err);

#endif
