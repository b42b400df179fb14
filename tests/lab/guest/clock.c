/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clock.h"

#include <errno.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_SEC),
				  .tv_nsec = (long)(ns % NS_PER_SEC) };
}

uint64_t clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

void clock_sleep_until(uint64_t mono_ns)
{
	struct timespec ts = to_timespec(mono_ns);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

struct clock_pace clock_pace_begin(uint64_t pace_ns, uint64_t seconds)
{
	uint64_t now = clock_mono_ns();

	return (struct clock_pace){ pace_ns, now, seconds ? now + seconds * NS_PER_SEC : UINT64_MAX };
}

bool clock_pace_wait(struct clock_pace *p)
{
	uint64_t now = clock_mono_ns();

	if (now >= p->end_ns)
		return false;
	p->due_ns += p->pace_ns;
	if (p->due_ns + p->pace_ns < now)
		p->due_ns = now;
	clock_sleep_until(p->due_ns);
	return true;
}

int clock_set_wall(uint64_t wall_ns)
{
	struct timespec ts = to_timespec(wall_ns);

	return clock_settime(CLOCK_REALTIME, &ts) ? -errno : 0;
}
