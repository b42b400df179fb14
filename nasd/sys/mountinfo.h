/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/PID/mountinfo (proc(5)), line by line. Pure.
 */
#ifndef NASD_SYS_MOUNTINFO_H
#define NASD_SYS_MOUNTINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { MOUNTINFO_PATH_MAX = 1024, MOUNTINFO_WORD_MAX = 256 };

struct mountinfo {
	unsigned id, parent;
	dev_t dev;
	char root[MOUNTINFO_PATH_MAX];  /* within the filesystem: "/" unless bound */
	char point[MOUNTINFO_PATH_MAX]; /* where, escapes decoded */
	char options[MOUNTINFO_WORD_MAX]; /* of this mount: "rw,relatime" */
	char type[MOUNTINFO_WORD_MAX];
	char source[MOUNTINFO_PATH_MAX];
	char super[MOUNTINFO_WORD_MAX]; /* of the filesystem: "ro" after an error; may be cut */
};

/*
 * Reads one line (without or with its newline, not necessarily terminated).
 * False: malformed, or a path longer than its field; out is then undefined.
 */
bool mountinfo_parse(const char *line, size_t len, struct mountinfo *out);

/* Whether the comma-separated options have this word. */
bool mountinfo_has_option(const char *options, const char *word);

/* Whether path is dir itself or below it; both absolute, without a trailing '/'. */
bool mountinfo_within(const char *dir, const char *path);

#endif
