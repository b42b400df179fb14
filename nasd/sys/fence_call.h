/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One program of a fence agent, run in a lane, that can be ended early. */
#ifndef NASD_SYS_FENCE_CALL_H
#define NASD_SYS_FENCE_CALL_H

#include <stddef.h>
#include <stdint.h>

#include "agent_call.h"
#include "lane.h"

struct fence_call;

struct fence_call_spec {
	const char *path;          /* copied, as is the input */
	const void *input;         /* not for logs: wiped afterwards */
	size_t input_len;
	uint64_t timeout_us;
	unsigned run, call;        /* come back in done */
	/* In the event loop, once; c is gone after it. */
	void (*done)(void *data, struct fence_call *c, unsigned run, unsigned call, const struct fence_ended *ended);
	void *data;
};

/* NULL: no memory, and nothing was begun. */
struct fence_call *fence_call_start(struct lane *lane, const struct fence_call_spec *spec);
/* Ends the program: TERM to its group, KILL soon after; one that has not begun never
 * will. done comes all the same. */
void fence_call_end(struct fence_call *c);

#endif
