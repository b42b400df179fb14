/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NASD_CLOCKS_H
#define NASD_CLOCKS_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_us(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A duration, or a time of one of these clocks, as the kernel and pthreads take it; us >= 0. */
static inline struct timespec timespec_of_us(int64_t us)
{
	return (struct timespec){ .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };
}

/* CLOCK_MONOTONIC, microseconds: for every duration and deadline. */
static inline int64_t monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

/* CLOCK_REALTIME, microseconds since the epoch: only to show to people. */
static inline int64_t wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

#endif
