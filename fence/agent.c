/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fence_agent {
	struct fence_plan plan;
	struct fence_run run;
	struct fence_agent_ops ops;
	void *data;
	unsigned call;            /* number of the latest */
	bool running;             /* it was started, its end was not told */
	bool killed;              /* we are ending it */
	bool told;                /* done was called */
	int64_t call_until_us, kill_until_us;
};

struct fence_agent *fence_agent_start(const struct fence_plan *plan, enum fence_goal goal, unsigned level,
				      uint64_t random, int64_t now_us, const struct fence_agent_ops *ops,
				      void *data, struct err *err)
{
	struct fence_agent *a;

	if (fence_plan_check(plan, err))
		return NULL;
	a = calloc(1, sizeof(*a));
	if (!a) {
		err_set(err, ERR_SYSTEM, ENOMEM, "fence", "cannot begin to fence %s", plan->node);
		return NULL;
	}
	a->plan = *plan;
	a->ops = *ops;
	a->data = data;
	fence_run_begin(&a->run, &a->plan, goal, level, random, now_us);
	a->ops.wake_at(data, now_us);
	return a;
}

/* Runs the program of step; false: it did not start, and the run knows. */
static bool start_call(struct fence_agent *a, const struct fence_step *step, int64_t now_us)
{
	const struct fence_device *d = &a->plan.devices[step->device];
	char input[FENCE_INPUT_MAX];
	int r = fence_call_input(d, a->plan.node, step->action, input, sizeof(input));

	a->call++;
	if (r >= 0)
		r = a->ops.run(a->data, a->call, d->path, input, (size_t)r);
	explicit_bzero(input, sizeof(input));
	if (r < 0) {
		struct fence_ended ended = { .end = FENCE_NOT_RUN, .code = -r };

		fence_run_ended(&a->run, &ended, now_us);
		return false;
	}
	a->running = true;
	a->killed = false;
	a->call_until_us = step->until_us;
	a->ops.wake_at(a->data, step->until_us);
	return true;
}

/* Goes on until something has to be waited for. The agent may be gone after it. */
static void go_on(struct fence_agent *a, int64_t now_us)
{
	struct fence_step step;

	for (;;) {
		fence_run_next(&a->run, now_us, &step);
		switch (step.kind) {
		case FENCE_STEP_CALL:
			if (start_call(a, &step, now_us))
				return;
			break;
		case FENCE_STEP_BUSY:
			return;
		case FENCE_STEP_WAIT:
			a->ops.wake_at(a->data, step.until_us);
			return;
		case FENCE_STEP_DONE:
			if (!a->told) {
				a->told = true;
				a->ops.done(a->data, a);
			}
			return;
		}
	}
}

void fence_agent_ended(struct fence_agent *a, unsigned call, const struct fence_ended *ended, int64_t now_us)
{
	struct fence_ended timed_out = { .end = FENCE_TIMED_OUT };

	if (!a->running || call != a->call)
		return;
	a->running = false;
	/* What a killed program did is not known, however it ended. */
	fence_run_ended(&a->run, a->killed ? &timed_out : ended, now_us);
	go_on(a, now_us);
}

static void kill_call(struct fence_agent *a, int64_t now_us)
{
	a->killed = true;
	a->kill_until_us = now_us + FENCE_KILL_WAIT_US;
	a->ops.kill(a->data, a->call);
	a->ops.wake_at(a->data, a->kill_until_us);
}

void fence_agent_timer(struct fence_agent *a, int64_t now_us)
{
	struct fence_ended timed_out = { .end = FENCE_TIMED_OUT };

	if (a->running && !a->run.finished) {
		if (!a->killed && now_us >= a->call_until_us) {
			kill_call(a, now_us);
			return;
		}
		if (!a->killed || now_us < a->kill_until_us) {
			a->ops.wake_at(a->data, a->killed ? a->kill_until_us : a->call_until_us);
			return;
		}
		a->running = false;
		fence_run_ended(&a->run, &timed_out, now_us);
	}
	go_on(a, now_us);
}

void fence_agent_cancel(struct fence_agent *a, const char *why, int64_t now_us)
{
	if (a->run.finished)
		return;
	fence_run_cancel(&a->run, why, now_us);
	if (a->running && !a->killed)
		a->ops.kill(a->data, a->call);
	a->running = false;
	a->ops.wake_at(a->data, now_us);
}

const struct fence_run *fence_agent_result(const struct fence_agent *a)
{
	return &a->run;
}

void fence_agent_free(struct fence_agent *a)
{
	if (!a)
		return;
	if (a->running && !a->killed)
		a->ops.kill(a->data, a->call);
	explicit_bzero(&a->plan, sizeof(a->plan));
	free(a);
}
