/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fault.h"

#include <stdarg.h>
#include <stdio.h>

int fault_set(struct fault *f, int errnum, const char *fmt, ...)
{
	va_list ap;

	if (f) {
		f->errnum = errnum;
		va_start(ap, fmt);
		vsnprintf(f->text, sizeof(f->text), fmt, ap);
		va_end(ap);
	}
	return -errnum;
}
