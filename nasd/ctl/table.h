/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text in columns: rows first, then one print that aligns them. Cells may
 * contain UTF-8 and SGR sequences; both are measured as a terminal shows them.
 */
#ifndef NASD_CTL_TABLE_H
#define NASD_CTL_TABLE_H

#include <stddef.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 10 };

struct table {
	char **rows;
	size_t n, room;
};

/* One row; cells are separated by tabs. Without memory the row is left out. */
void table_add(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints the rows, each after indent, and frees them. */
void table_print(struct table *t, FILE *out, const char *indent);

/* Columns that text takes on a terminal. */
int text_width(const char *text, size_t len);

#endif
