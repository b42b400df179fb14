/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hist.h"

#include <string.h>

#define SUB (1U << HIST_SUB_BITS)

void hist_reset(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

/*
 * Values below SUB have a bucket each.  Above, the row is the power of two and
 * the column the SUB_BITS bits after the leading one.
 */
static unsigned bucket_of(uint64_t v)
{
	unsigned top, shift;

	if (v < SUB)
		return (unsigned)v;
	top = 63U - (unsigned)__builtin_clzll(v);
	shift = top - HIST_SUB_BITS;
	return ((shift + 1U) << HIST_SUB_BITS) + (unsigned)((v >> shift) & (SUB - 1U));
}

static uint64_t bucket_end(unsigned b)
{
	unsigned row = b >> HIST_SUB_BITS;
	uint64_t base = SUB + (b & (SUB - 1U));

	if (row == 0)
		return b;
	return (base << (row - 1U)) + ((1ULL << (row - 1U)) - 1U);
}

void hist_add(struct hist *h, uint64_t ns)
{
	h->count++;
	if (ns > h->max)
		h->max = ns;
	h->bucket[bucket_of(ns)]++;
}

uint64_t hist_permille(const struct hist *h, unsigned permille)
{
	uint64_t need, seen = 0;

	if (h->count == 0)
		return 0;
	need = (h->count * permille + 999U) / 1000U;
	if (need == 0)
		need = 1;
	for (unsigned b = 0; b < HIST_BUCKETS; b++) {
		seen += h->bucket[b];
		if (seen >= need)
			return bucket_end(b) < h->max ? bucket_end(b) : h->max;
	}
	return h->max;
}
