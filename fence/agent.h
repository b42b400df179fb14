/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fences a node by running agents: what agent_run.h decides, done by callbacks.
 * Nothing here blocks, and nothing here runs a program or keeps a clock: the
 * caller does, in its own event loop.
 *
 *     fence_agent_start()   -> ops->run(call 1)
 *     the program ended     -> fence_agent_ended(call 1) -> ops->run(call 2) ...
 *     the timer expired     -> fence_agent_timer()       -> ops->kill(call n)
 *                           -> ops->done()
 *
 * One program at a time. A program that outlives its time is to be killed with
 * its process group; the caller tells of its end as of any other. When not even
 * that comes within FENCE_KILL_WAIT_US (a program in uninterruptible sleep), the
 * call counts as timed out, and what is told of it later is ignored.
 */
#ifndef FENCE_AGENT_H
#define FENCE_AGENT_H

#include "agent_run.h"

enum { FENCE_KILL_WAIT_US = 3000000 };

struct fence_agent;

struct fence_agent_ops {
	/*
	 * Runs path with itself as the only argument, and input (input_len bytes,
	 * valid during the call only, not for logs) on its standard input. Returns
	 * at once: 0, or a negative errno when it could not be started (nothing is
	 * told of it later). Must not call back from within.
	 */
	int (*run)(void *data, unsigned call, const char *path, const void *input, size_t input_len);
	/* Ends it: TERM to its process group, KILL soon after. */
	void (*kill)(void *data, unsigned call);
	/* fence_agent_timer is to be called at this time; replaces an earlier wish. */
	void (*wake_at)(void *data, int64_t at_us);
	/* The run is over, see fence_agent_result(). Called once, never from within
	 * fence_agent_start(); the agent may be freed in it. */
	void (*done)(void *data, struct fence_agent *a);
};

/*
 * Begins a run (see fence_run_begin). The plan is copied. NULL with err filled
 * when the plan is not usable or there is no memory. Ends by itself; the first
 * thing may be a wish to be woken at once.
 */
struct fence_agent *fence_agent_start(const struct fence_plan *plan, enum fence_goal goal, unsigned level,
				      uint64_t random, int64_t now_us, const struct fence_agent_ops *ops,
				      void *data, struct err *err);

/* The program of this call ended. */
void fence_agent_ended(struct fence_agent *a, unsigned call, const struct fence_ended *ended, int64_t now_us);

/* It is time (or earlier: then nothing happens). */
void fence_agent_timer(struct fence_agent *a, int64_t now_us);

/* Gives up: kills what runs and, from within the next timer, calls done. */
void fence_agent_cancel(struct fence_agent *a, const char *why, int64_t now_us);

/* What is known so far, or what came of it. */
const struct fence_run *fence_agent_result(const struct fence_agent *a);

/* Frees; kills what runs. done is not called any more. */
void fence_agent_free(struct fence_agent *a);

#endif
