/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NASD_WAIT_FD_H
#define NASD_WAIT_FD_H

#include <errno.h>
#include <poll.h>
#include <stdint.h>

#include "clocks.h"

/* Waits for these events of poll(2) until the monotonic deadline (microseconds):
 * 0, -ETIMEDOUT, or poll's own -errno. A signal does not end it. */
static inline int wait_fd(int fd, short events, int64_t deadline_us)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;

	while ((left = deadline_us - monotonic_us()) > 0) {
		struct timespec t = timespec_of_us(left);
		int n = ppoll(&p, 1, &t, NULL);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

#endif
