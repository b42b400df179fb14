/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "heartbeat.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* Setting a clock that is right already would only add jitter to it. */
#define CLOCK_TOLERANCE_NS (5 * NS_PER_MS)

static void obey_time(struct heartbeat *hb, const char *text)
{
	uint64_t want = strtoull(text, NULL, 10) * NS_PER_US;
	uint64_t have = clock_wall_ns();
	uint64_t off = want > have ? want - have : have - want;

	if (!hb->set_clock || want == 0 || off < CLOCK_TOLERANCE_NS)
		return;
	report_event(hb->report, "ev=clock step_ms=%.3f rc=%d", ((double)want - (double)have) / 1e6,
		     clock_set_wall(want));
}

static void obey(struct heartbeat *hb, const char *line)
{
	if (strcmp(line, "stop") == 0)
		atomic_store(&hb->control->stop, true);
	else if (strcmp(line, "mark") == 0)
		atomic_store(&hb->control->mark, true);
	else if (strcmp(line, "report") == 0)
		atomic_store(&hb->control->show, true);
	else if (strncmp(line, "time ", 5) == 0)
		obey_time(hb, line + 5);
	else if (*line)
		report_event(hb->report, "ev=unknown-command");
}

void *heartbeat_thread(void *arg)
{
	struct heartbeat *hb = arg;
	uint64_t n = 0, due = clock_mono_ns();
	char line[128];

	while (!atomic_load(&hb->end)) {
		uint64_t now;

		due += hb->pace_ns;
		while (report_command(hb->report, due, line, sizeof(line)))
			obey(hb, line);
		now = clock_mono_ns();
		report_beat(hb->report, "ev=hb n=%" PRIu64 " acked=%" PRIu64 " mono_us=%" PRIu64
			    " wall_us=%" PRIu64, ++n, atomic_load(&hb->control->acked),
			    now / NS_PER_US, clock_wall_ns() / NS_PER_US);
		if (due + hb->pace_ns < now)
			due = now; /* late: no burst */
	}
	return NULL;
}
