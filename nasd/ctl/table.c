/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2 };

int text_width(const char *text, size_t len)
{
	int width = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\033') {
			while (i < len && text[i] != 'm')
				i++;
			continue;
		}
		if (((unsigned char)text[i] & 0xc0) != 0x80)
			width++;
	}
	return width;
}

void table_add(struct table *t, const char *fmt, ...)
{
	va_list ap;
	char *row;
	int n;

	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 16;
		char **rows = realloc(t->rows, room * sizeof(*rows));

		if (!rows)
			return;
		t->rows = rows;
		t->room = room;
	}
	va_start(ap, fmt);
	n = vasprintf(&row, fmt, ap);
	va_end(ap);
	if (n >= 0)
		t->rows[t->n++] = row;
}

static void measure(const struct table *t, int widths[TABLE_COLUMNS_MAX])
{
	memset(widths, 0, TABLE_COLUMNS_MAX * sizeof(*widths));
	for (size_t i = 0; i < t->n; i++) {
		const char *cell = t->rows[i];

		for (int col = 0; col < TABLE_COLUMNS_MAX; col++) {
			size_t len = strcspn(cell, "\t");
			int width = text_width(cell, len);

			if (width > widths[col])
				widths[col] = width;
			if (!cell[len])
				break;
			cell += len + 1;
		}
	}
}

static void print_row(const char *cell, const int widths[TABLE_COLUMNS_MAX], FILE *out)
{
	int owed = 0; /* spaces before the next text: none at the end of a line */

	for (int col = 0; col < TABLE_COLUMNS_MAX; col++) {
		size_t len = strcspn(cell, "\t");

		if (len)
			fprintf(out, "%*s%.*s", owed, "", (int)len, cell);
		if (!cell[len])
			break;
		owed = (len ? 0 : owed) + widths[col] - text_width(cell, len) + GAP;
		cell += len + 1;
	}
	fputc('\n', out);
}

void table_print(struct table *t, FILE *out, const char *indent)
{
	int widths[TABLE_COLUMNS_MAX];

	measure(t, widths);
	for (size_t i = 0; i < t->n; i++) {
		fputs(indent, out);
		print_row(t->rows[i], widths, out);
		free(t->rows[i]);
	}
	free(t->rows);
	memset(t, 0, sizeof(*t));
}
