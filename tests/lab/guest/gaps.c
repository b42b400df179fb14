/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gaps.h"

#include <string.h>

#define NS_PER_MS UINT64_C(1000000)

const unsigned gaps_limit_ms[GAPS_LIMITS] = { 20, 30, 80, 200, 1000 };

void gaps_init(struct gaps *g, uint64_t pace_ns, uint64_t report_ns)
{
	memset(g, 0, sizeof(*g));
	g->pace_ns = pace_ns;
	g->report_ns = report_ns;
}

void gaps_clear(struct gaps *g)
{
	hist_reset(&g->gap);
	hist_reset(&g->interval);
	memset(g->over, 0, sizeof(g->over));
	g->longest_ns = 0;
	g->longest_wall_ns = 0;
}

bool gaps_note(struct gaps *g, uint64_t mono_ns, uint64_t wall_ns, struct gap *out)
{
	uint64_t interval, length, wall_due;
	bool first = !g->started;

	/* A clock that went back is no gap; monotonic ones only do in tests. */
	interval = mono_ns > g->last_mono_ns ? mono_ns - g->last_mono_ns : 0;
	length = interval > g->pace_ns ? interval - g->pace_ns : 0;
	wall_due = g->last_wall_ns + g->pace_ns;
	out->length_ns = length;
	out->interval_ns = interval;
	out->begin_mono_ns = g->last_mono_ns + g->pace_ns;
	out->begin_wall_ns = wall_due;
	g->last_mono_ns = mono_ns;
	g->last_wall_ns = wall_ns;
	g->started = true;
	if (first)
		return false;

	hist_add(&g->interval, interval);
	hist_add(&g->gap, length);
	for (unsigned i = 0; i < GAPS_LIMITS; i++)
		if (length > gaps_limit_ms[i] * NS_PER_MS)
			g->over[i]++;
	if (length > g->longest_ns) {
		g->longest_ns = length;
		g->longest_wall_ns = wall_due;
	}
	return length > g->report_ns;
}
