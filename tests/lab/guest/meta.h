/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The metadata client: one operation after the other on a directory of its own,
 * each judged by what the directory must hold (dirmodel.h).  An operation that
 * shows that one was executed twice, or not at all, is a violation:
 *
 *   ev=bad op=OP name=N [to=N] what=WHAT errno=E text="..." ms=MS wall_us=US
 *
 * WHAT is replayed (EEXIST or ENOENT that nobody else can have caused), or what
 * stat or the listing have wrong.  Any other error is ev=error, with the same
 * keys.  After either, the names concerned are looked at and taken as they are,
 * so that one fault is counted once.
 *
 * It works in DIR/NAME.RUN, which it makes and removes; DIR too, if it was not
 * there.  Pace and gaps as in writer.h, with an operation in place of a write.
 */
#ifndef PROBE_META_H
#define PROBE_META_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "dirmodel.h"
#include "gaps.h"
#include "hist.h"
#include "options.h"
#include "report.h"

/* What one section (from the start, or from a mark) has seen. */
struct meta_stats {
	struct gaps gaps;
	struct hist op;
	uint64_t done[DIRMODEL_VERBS];
	uint64_t errors;
	uint64_t violations;
	uint64_t longest_ns;
	uint64_t longest_wall_ns; /* when it began */
	enum dirmodel_verb longest_verb;
	uint64_t begin_mono_ns;
};

struct meta {
	const struct options *opt;
	struct report *report;
	struct control *control;
	struct dirmodel model;
	uint64_t run;
	uint64_t random;
	int parent_fd; /* DIR */
	int dir_fd;    /* DIR/NAME.RUN */
	bool made_parent;
	char dir_name[96];
	struct meta_stats section; /* since the last mark */
	struct meta_stats total;
};

/* Make the directory.  0, or -errno after an event. */
int meta_open(struct meta *m, const struct options *opt, struct report *report, struct control *control);

/* Work until told to stop or the time is up; then check everything and remove it. */
void meta_run(struct meta *m);

/* True when nothing went wrong. */
bool meta_clean(const struct meta *m);

/* The figures as one line of JSON; kinds as in summary.h. */
void meta_report(struct meta *m, const char *kind, const struct meta_stats *s);

#endif
