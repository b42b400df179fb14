/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that others wrote, before a terminal sees it. Pure. */
#ifndef NASD_CTL_PRINTABLE_H
#define NASD_CTL_PRINTABLE_H

#include <stdbool.h>

#include <jansson.h>

/*
 * Takes out, in place, what a terminal might act on or what would mislead a
 * reader: C0 and C1 control characters, DEL, bidirectional overrides, and bytes
 * that are not UTF-8. Newlines and tabs stay when lines is true; otherwise a tab
 * becomes a space.
 */
void printable(char *text, bool lines);

/* A copy of the value with all strings printable (one line each); a new
 * reference, NULL: no memory. Keys are left as they are: they are not printed. */
json_t *json_printable(const json_t *value);

#endif
