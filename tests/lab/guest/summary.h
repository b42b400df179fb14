/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The figures of a section or of a whole run as one line of JSON. */
#ifndef PROBE_SUMMARY_H
#define PROBE_SUMMARY_H

#include <stddef.h>

struct gaps;
struct hist;
struct writer;
struct writer_stats;

/* Kind is "summary" (the last line of a run), "report" (so far) or "section". */
void summary_report(struct writer *w, const char *kind, const struct writer_stats *s);

/* "name":{"n":..,"p50":..,"p99":..,"max":..} in milliseconds; 192 bytes hold it. */
void summary_put_hist(char *buf, size_t size, const char *name, const struct hist *h);

/* "20":N,"30":N,...: how many gaps were longer than so many ms; 160 bytes hold it. */
void summary_put_over(char *buf, size_t size, const struct gaps *g);

#endif
