/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gap recorder.  Pure: the times come in as arguments.
 *
 * Definitions, used by every tool and report of the lab:
 *
 *   interval  the time between the completions of two successive events
 *             (acknowledged writes, or heartbeats that arrived);
 *   pace      the time that is meant to lie between them;
 *   gap       interval - pace, or 0 when the interval is not longer.  It
 *             begins at the previous completion + pace, the moment the next
 *             one was due, and ends with the completion that was late.
 *
 * So a steady stream has gaps near 0, and a service that stood still for 500 ms
 * shows as a gap of 500 ms, give or take one pace.  Where the stricter figure
 * is wanted, the interval is reported as well.
 *
 * A guest's clock stands still while a live move has stopped the guest: the
 * gaps it sees itself do not contain that pause.  The viewer (view.h) records
 * its heartbeats from outside and does see it.
 */
#ifndef PROBE_GAPS_H
#define PROBE_GAPS_H

#include <stdbool.h>
#include <stdint.h>

#include "hist.h"

#define GAPS_LIMITS 5U

struct gaps {
	uint64_t pace_ns;
	uint64_t report_ns; /* gaps longer than this are events of their own */
	uint64_t last_mono_ns;
	uint64_t last_wall_ns;
	bool started;
	struct hist gap;
	struct hist interval;
	uint64_t over[GAPS_LIMITS]; /* gaps longer than gaps_limit_ms[i] */
	uint64_t longest_ns;
	uint64_t longest_wall_ns;
};

/* One gap worth reporting. */
struct gap {
	uint64_t length_ns;
	uint64_t interval_ns;
	uint64_t begin_mono_ns;
	uint64_t begin_wall_ns;
};

extern const unsigned gaps_limit_ms[GAPS_LIMITS];

void gaps_init(struct gaps *g, uint64_t pace_ns, uint64_t report_ns);

/* Forget the figures; the next event is still measured from the last one. */
void gaps_clear(struct gaps *g);

/* An event completed now.  True, with *out filled, when the gap is to be reported. */
bool gaps_note(struct gaps *g, uint64_t mono_ns, uint64_t wall_ns, struct gap *out);

#endif
