/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Big-endian numbers of n bytes (1 to 8) in a buffer. Private to nasd/wire. */
#ifndef NASD_WIRE_BE_H
#define NASD_WIRE_BE_H

#include <stddef.h>
#include <stdint.h>

static inline void put_be(unsigned char *p, size_t n, uint64_t v)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(v >> (8 * (n - 1 - i)));
}

static inline uint64_t get_be(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

#endif
