/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scope-bound release of descriptors and memory:
 *
 *     AUTO_CLOSE int fd = open(...);
 *     AUTO_FREE char *text = strdup(...);
 */
#ifndef NASD_BASE_CLEANUP_H
#define NASD_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

#define AUTO_CLOSE __attribute__((cleanup(cleanup_close)))
#define AUTO_FREE __attribute__((cleanup(cleanup_free)))

/* Hands a descriptor out of its AUTO_CLOSE scope. */
static inline int take_fd(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

#endif
