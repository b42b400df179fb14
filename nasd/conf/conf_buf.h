/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that grows. After a failure (memory, or a fixed buffer's end) it stays
 * failed, so that only the end needs a check. */
#ifndef NASD_CONF_BUF_H
#define NASD_CONF_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *text; /* terminated once anything was added */
	size_t len, size;
	bool fixed; /* text is the caller's */
	bool failed;
};

void buf_add(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
