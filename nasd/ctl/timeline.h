/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the time of a move went, from its history entry: as text bars and as
 * an SVG. Pure. Times are microseconds since the move began.
 */
#ifndef NASD_CTL_TIMELINE_H
#define NASD_CTL_TIMELINE_H

#include "view.h"

enum { TIMELINE_STEPS_MAX = 128 };

struct timeline_step {
	const char *name, *stage, *node, *message; /* of the entry, "" where missing */
	const char *outcome;
	bool done, skipped;
	int node_index;         /* 0: the source, 1: the target, 2: anything else */
	int64_t start, end;     /* within [from, to] of the timeline */
	int64_t duration;       /* as reported */
};

struct timeline {
	const json_t *entry;    /* not owned; must outlive this */
	struct timeline_step steps[TIMELINE_STEPS_MAX]; /* by start */
	size_t n;
	int64_t from, to;       /* the window; to > from */
	int64_t freeze_from, freeze_to; /* equal: no freeze */
	bool freeze_open;       /* this record does not tell when it ended */
	int64_t commit;         /* when the group changed hands; -1: not in the window */
};

/*
 * The steps of the entry; freeze_only leaves those that touch the freeze, with
 * a little before and after. 0, or -EINVAL when there is nothing to draw.
 */
int timeline_read(struct timeline *t, const json_t *entry, bool freeze_only);

/* The distance between the ticks of an axis over span, of which at most `most`
 * fit: 1, 2 or 5 times a power of ten, 0.1 ms or more. */
int64_t timeline_tick(int64_t span, int most);

void timeline_text(FILE *out, const struct view *v, const struct timeline *t);
void timeline_svg(FILE *out, const struct timeline *t);

#endif
