/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writer: one numbered block after the other at a steady pace, each
 * acknowledged (O_DSYNC) before the next, some read back at once, all of them
 * at the end.  Its completions feed the gap recorder.
 *
 * Pace: a write is due one pace after the last one was due; when that moment
 * has passed by more than a pace, the schedule starts anew from now, so a
 * stand-still is not followed by a burst.
 */
#ifndef PROBE_WRITER_H
#define PROBE_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "block.h"
#include "control.h"
#include "gaps.h"
#include "hist.h"
#include "lock.h"
#include "options.h"
#include "report.h"

/* What one section (from the start, or from a mark) has seen. */
struct writer_stats {
	struct gaps gaps;
	struct hist write;
	struct hist read;
	uint64_t writes;
	uint64_t reads;
	uint64_t write_errors;
	uint64_t read_errors;
	uint64_t bad_blocks;
	uint64_t begin_mono_ns;
};

struct writer {
	const struct options *opt;
	struct report *report;
	struct control *control;
	struct lock_watch *locks; /* or NULL */
	struct block_codec codec;
	int fd;
	unsigned char *buf;  /* one block, aligned */
	unsigned char *bulk; /* BULK bytes, aligned, for the final verification */
	uint64_t run;
	uint64_t blocks;
	struct writer_stats section; /* since the last mark */
	struct writer_stats total;
};

/* Open the file or device and take the lock.  0, or -errno after an event. */
int writer_open(struct writer *w, const struct options *opt, struct report *report,
		struct control *control, struct lock_watch *locks);

/* Write until told to stop or the time is up; then verify everything. */
void writer_run(struct writer *w);

/* True when nothing went wrong: no error, no bad block, no lost lock. */
bool writer_clean(const struct writer *w);

#endif
