/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "silence.h"

#include <string.h>

enum {
	LATE_US = 500000,  /* beyond the limit: the node's fault */
	APART_US = 6000000, /* three of the monitor's looks */
};

void silence_forget(struct silence *a)
{
	memset(a, 0, sizeof(*a));
}

void silence_note(struct silence *a, uint64_t tenure, int64_t began_us, int64_t ended_us, int64_t limit_us,
		  bool answered)
{
	bool stood_still = ended_us - began_us > limit_us + LATE_US;

	if (answered || stood_still || tenure != a->tenure || began_us - a->last_us > APART_US)
		silence_forget(a);
	a->tenure = tenure;
	a->last_us = ended_us;
	if (!answered && !stood_still && !a->since_us)
		a->since_us = began_us;
}

int64_t silence_us(const struct silence *a)
{
	return a->since_us ? a->last_us - a->since_us : 0;
}
