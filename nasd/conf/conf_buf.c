/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf_buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static bool buf_grow(struct buf *b, size_t need)
{
	size_t size = b->size ? b->size : 1024;

	if (b->fixed)
		return false;
	while (size < need)
		size *= 2;
	char *more = realloc(b->text, size);
	if (!more)
		return false;
	b->text = more;
	b->size = size;
	return true;
}

void buf_add(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	for (int round = 0; !b->failed; round++) {
		size_t room = b->size - b->len;

		va_start(ap, fmt);
		int n = vsnprintf(room ? b->text + b->len : NULL, room, fmt, ap);
		va_end(ap);
		if (n >= 0 && (size_t)n < room) {
			b->len += (size_t)n;
			return;
		}
		if (n < 0 || round > 0 || !buf_grow(b, b->len + (size_t)n + 1))
			b->failed = true;
	}
}
