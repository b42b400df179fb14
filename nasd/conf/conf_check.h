/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold between the options of a decoded configuration. Pure. */
#ifndef NASD_CONF_CHECK_H
#define NASD_CONF_CHECK_H

#include <errno.h>

#include "conf.h"
#include "conf_scan.h"
#include "err.h"

struct checker {
	const struct conf *c;
	const struct conf_scan *scan;
	struct err *err;
};

#define FAIL(k, at, remedy, ...)                                          \
	(conf_scan_fail((k)->scan, (k)->err, (at), __VA_ARGS__),          \
	 err_remedy((k)->err, "%s", (remedy)), -EINVAL)

/* 0, or the first violation with its line (from the scan) and a remedy. */
int conf_check(const struct conf *c, const struct conf_scan *s, struct err *err);

/* The part that is about hypervisors (conf_hyper.c). */
int conf_check_hypervisors(const struct checker *k);

/* The part that is about fencing (conf_fence.c). */
int conf_check_fences(const struct checker *k);

#endif
