/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static log_sink the_sink;
static void *the_data;

void log_set_sink(log_sink sink, void *data)
{
	the_sink = sink;
	the_data = data;
}

void log_write(enum log_priority prio, const struct log_fields *fields, const char *fmt, ...)
{
	static const struct log_fields none;
	char message[1024];
	va_list ap;

	if (!the_sink)
		return;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	the_sink(prio, fields ? fields : &none, message, the_data);
}
