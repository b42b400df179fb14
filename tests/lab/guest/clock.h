/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two clocks of the probe: monotonic for measuring, wall for people. */
#ifndef PROBE_CLOCK_H
#define PROBE_CLOCK_H

#include <stdint.h>

#define NS_PER_US  UINT64_C(1000)
#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_SEC UINT64_C(1000000000)

uint64_t clock_mono_ns(void);
uint64_t clock_wall_ns(void);

/* Sleep until this monotonic time; signals do not shorten it. */
void clock_sleep_until(uint64_t mono_ns);

/* Set the wall clock, ns since the epoch; guests only.  0 or -errno. */
int clock_set_wall(uint64_t wall_ns);

#endif
