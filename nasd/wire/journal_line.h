/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal's lines: 8 lower-case hex digits (CRC-32 of the JSON text), a
 * space, one compact JSON object, a newline. A line holds no other newline.
 *
 *     {"seq","kind","group","epoch","owner","step","boot_id","wall_us","text"}
 */
#ifndef NASD_WIRE_JOURNAL_LINE_H
#define NASD_WIRE_JOURNAL_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "journal_rec.h"

enum { JOURNAL_LINE_MAX = 2048 }; /* with its newline */

/*
 * Writes the line with its newline to buf (not terminated) and returns its
 * length, or a negative errno with err filled. In text, what is not printable
 * UTF-8 becomes '?'; in the names it is refused.
 */
int journal_line_encode(const struct journal_rec *rec, char *buf, size_t size, struct err *err);

/* Reads one line without its newline: 0, or -EBADMSG with err filled. */
int journal_line_decode(const char *line, size_t len, struct journal_rec *rec, struct err *err);

/* Goes through the whole text of a journal. */
struct journal_scan {
	const char *text;
	size_t len;
	size_t off;         /* of the line that comes next */
	unsigned long line; /* its number - 1, so: of the line read last */
	uint64_t last_seq;
	bool torn;          /* set at the end: the last line is no good */
	size_t torn_at;     /* its offset: cut the file here before appending */
};

void journal_scan_init(struct journal_scan *scan, const char *text, size_t len);

/*
 * The next record: 1 with rec filled, 0 at the end, or -EBADMSG with err filled
 * for a line in the middle that is no good or whose seq does not grow.
 * A last line that is cut short or bad is what a power cut during a write
 * leaves: the effect it announced was never begun. It ends the scan with 0 and
 * scan->torn.
 */
int journal_scan_next(struct journal_scan *scan, struct journal_rec *rec, struct err *err);

#endif
