/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strict reading that precedes libconfuse's. Pure.
 *
 * libconfuse 3.3 by itself lets an unclosed section end with the file, takes
 * the last of two equal options, expands ${VARIABLES}, skips stray characters,
 * miscounts lines with comments and leaks on unterminated ones. conf_scan refuses all of that, and notes
 * the line of every section and option, which libconfuse forgets.
 *
 * Accepted: `name = value`, `name = { value, value }`, `name [title] { ... }`;
 * a value or title is a word of [A-Za-z0-9_.:%-] or a "string" of printable
 * ASCII on one line without backslash and `$`; `#` begins a comment.
 */
#ifndef NASD_CONF_SCAN_H
#define NASD_CONF_SCAN_H

#include <stddef.h>

struct err;

enum {
	CONF_SCAN_ENTRIES_MAX = 4096,
	CONF_SCAN_NAME_MAX = 32,
	CONF_SCAN_TITLE_MAX = 64,
	CONF_SCAN_STRING_MAX = 512,
	CONF_SCAN_DEPTH_MAX = 4,
};

/* A section or an option. */
struct conf_scan_entry {
	int parent;  /* index of the section it is in; -1 at the top */
	int ordinal; /* how many of this name came before it in that section */
	int line;
	char name[CONF_SCAN_NAME_MAX];
	char title[CONF_SCAN_TITLE_MAX]; /* sections only; as written */
};

struct conf_scan {
	char file[96]; /* for errors: the end of a long name */
	struct conf_scan_entry *entries;
	size_t n, cap;
};

/* A place in the file, by position: "the option `key` of the i2-th `sec2` of
 * the i1-th `sec1`". sec2 and key may be NULL. */
struct conf_place {
	const char *sec1;
	size_t i1;
	const char *sec2;
	size_t i2;
	const char *key;
};

/* 0, or an error with its line in *err. Call conf_scan_free in either case. */
int conf_scan(struct conf_scan *s, const char *file, const char *text, size_t len,
	      struct err *err);
void conf_scan_free(struct conf_scan *s);

/*
 * Fills *err (ERR_INPUT, "file:line", the sections' names before the message)
 * and returns -EINVAL. The line is that of the option, or of the innermost
 * section of the place that is in the file.
 */
int conf_scan_fail(const struct conf_scan *s, struct err *err, const struct conf_place *at,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The same for a bare line number. */
int conf_scan_fail_line(const struct conf_scan *s, struct err *err, int line, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
