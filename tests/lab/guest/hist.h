/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A histogram of durations with a bounded relative error (under 1.6 %) and a
 * fixed size, so that a run of days costs no more than one of seconds.  Pure.
 */
#ifndef PROBE_HIST_H
#define PROBE_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 6U /* 64 buckets for each power of two */
#define HIST_BUCKETS  ((64U - HIST_SUB_BITS + 1U) << HIST_SUB_BITS)

struct hist {
	uint64_t count;
	uint64_t max; /* exact, ns */
	uint32_t bucket[HIST_BUCKETS];
};

void hist_reset(struct hist *h);
void hist_add(struct hist *h, uint64_t ns);

/*
 * The smallest value that permille thousandths of the samples do not exceed,
 * rounded up to its bucket's upper end but never above the true maximum; 0
 * without samples.
 */
uint64_t hist_permille(const struct hist *h, unsigned permille);

#endif
