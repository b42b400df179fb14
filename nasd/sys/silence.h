/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Since when has a server not answered? Of what it was asked, told one by one:
 * pure, times are microseconds of a monotonic clock.
 *
 * A question that took far longer than it may says that this node stood still,
 * and nothing of the server; so does a long time without a question. After either
 * the server is given all of its time again.
 */
#ifndef NASD_SYS_SILENCE_H
#define NASD_SYS_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

struct silence {
	uint64_t tenure;  /* of the server that was asked */
	int64_t since_us; /* the first question in a row without an answer; 0: it has answered */
	int64_t last_us;  /* the end of the newest question */
};

/* limit_us: how long the question may have taken. */
void silence_note(struct silence *a, uint64_t tenure, int64_t began_us, int64_t ended_us, int64_t limit_us,
		  bool answered);

/* Nothing is known: it was not asked, or must not be. */
void silence_forget(struct silence *a);

/* For how long it has not answered; 0: it has, or is not known. */
int64_t silence_us(const struct silence *a);

#endif
