/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * ganesha measures its clients' leases with time(2), the wall clock: set it forward
 * by a lease, and all that the clients hold counts as expired. Loaded before libc
 * (LD_PRELOAD), this time() starts at the wall clock and then goes on as time
 * passes, suspended time included (CLOCK_BOOTTIME), whatever the wall clock is set to.
 */
#include <time.h>

static time_t start;
static struct timespec since;

__attribute__((constructor)) static void begin(void)
{
	struct timespec wall;

	clock_gettime(CLOCK_BOOTTIME, &since);
	clock_gettime(CLOCK_REALTIME, &wall);
	start = wall.tv_sec;
}

time_t time(time_t *t)
{
	struct timespec now;
	time_t s;

	clock_gettime(CLOCK_BOOTTIME, &now);
	s = start + (now.tv_sec - since.tv_sec) - (now.tv_nsec < since.tv_nsec);
	if (t)
		*t = s;
	return s;
}
