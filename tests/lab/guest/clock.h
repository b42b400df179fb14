/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two clocks of the probe: monotonic for measuring, wall for people. */
#ifndef PROBE_CLOCK_H
#define PROBE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_US  UINT64_C(1000)
#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_SEC UINT64_C(1000000000)

uint64_t clock_mono_ns(void);
uint64_t clock_wall_ns(void);

/* Sleep until this monotonic time; signals do not shorten it. */
void clock_sleep_until(uint64_t mono_ns);

/* A series of times, pace apart. */
struct clock_pace {
	uint64_t pace_ns;
	uint64_t due_ns;
	uint64_t end_ns; /* UINT64_MAX: never */
};

/* The first time is now; seconds 0: it does not end. */
struct clock_pace clock_pace_begin(uint64_t pace_ns, uint64_t seconds);

/* Sleeps until the next; what is late by more than a pace is not made up for.
 * False, and no sleep: it has ended. */
bool clock_pace_wait(struct clock_pace *p);

/* Set the wall clock, ns since the epoch; guests only.  0 or -errno. */
int clock_set_wall(uint64_t wall_ns);

#endif
