/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The simulator's only source of chance: the same seed gives the same run. */
#ifndef TESTS_SIM_PRNG_H
#define TESTS_SIM_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
	uint64_t s;
};

/* splitmix64 */
static inline uint64_t prng_next(struct prng *p)
{
	uint64_t z = (p->s += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 .. n-1; n > 0 */
static inline unsigned prng_below(struct prng *p, unsigned n)
{
	return (unsigned)(prng_next(p) % n);
}

/* lo .. hi */
static inline int64_t prng_range(struct prng *p, int64_t lo, int64_t hi)
{
	return lo + (int64_t)(prng_next(p) % (uint64_t)(hi - lo + 1));
}

static inline bool prng_chance(struct prng *p, unsigned percent)
{
	return prng_below(p, 100) < percent;
}

#endif
