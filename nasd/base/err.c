/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void err_clear(struct err *e)
{
	if (e)
		memset(e, 0, sizeof(*e));
}

int err_set(struct err *e, enum err_class cls, int errnum, const char *where, const char *fmt, ...)
{
	int ret = errnum > 0 ? -errnum : -EINVAL;
	va_list ap;

	if (!e)
		return ret;
	err_clear(e);
	e->cls = cls;
	e->errnum = errnum > 0 ? errnum : 0;
	snprintf(e->where, sizeof(e->where), "%s", where ? where : "");
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	return ret;
}

void err_remedy(struct err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	vsnprintf(e->remedy, sizeof(e->remedy), fmt, ap);
	va_end(ap);
}

char *err_format(const struct err *e, char *buf, unsigned long size)
{
	if (!e || e->cls == ERR_NONE) {
		snprintf(buf, size, "no error");
		return buf;
	}
	snprintf(buf, size, "%s%s%s%s%s%s%s%s", e->where, e->where[0] ? ": " : "", e->msg,
		 e->cls == ERR_SYSTEM && e->errnum ? " (" : "",
		 e->cls == ERR_SYSTEM && e->errnum ? strerror(e->errnum) : "",
		 e->cls == ERR_SYSTEM && e->errnum ? ")" : "", e->remedy[0] ? "; " : "", e->remedy);
	return buf;
}

const char *err_class_name(enum err_class cls)
{
	switch (cls) {
	case ERR_NONE: return "none";
	case ERR_INPUT: return "input";
	case ERR_REFUSED: return "refused";
	case ERR_SYSTEM: return "system";
	case ERR_TIMEOUT: return "timeout";
	case ERR_PEER: return "peer";
	case ERR_INTERNAL: return "internal";
	}
	return "invalid";
}
