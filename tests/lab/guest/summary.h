/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The figures of a section or of a whole run as one line of JSON. */
#ifndef PROBE_SUMMARY_H
#define PROBE_SUMMARY_H

struct writer;
struct writer_stats;

/* Kind is "summary" (the last line of a run), "report" (so far) or "section". */
void summary_report(struct writer *w, const char *kind, const struct writer_stats *s);

#endif
