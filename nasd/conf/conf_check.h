/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold between the options of a decoded configuration. Pure. */
#ifndef NASD_CONF_CHECK_H
#define NASD_CONF_CHECK_H

struct conf;
struct conf_scan;
struct err;

/* 0, or the first violation with its line (from the scan) and a remedy. */
int conf_check(const struct conf *c, const struct conf_scan *s, struct err *err);

#endif
