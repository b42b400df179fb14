/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent_run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- the plan */

static int64_t worst_of_device(const struct fence_device *d)
{
	int64_t once = d->timeout_us;

	/* The last status query begins just before the limit. */
	if (d->verify)
		once += d->verify_limit_us + d->timeout_us;
	return once * ((int64_t)d->retries + 1) + d->retry_wait_us * (int64_t)d->retries;
}

int64_t fence_plan_worst_us(const struct fence_plan *p)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < p->n_devices && i < FENCE_DEVICES_MAX; i++)
		sum += worst_of_device(&p->devices[i]);
	return sum;
}

static int check_levels(const struct fence_plan *p, struct err *err)
{
	unsigned level = 1;

	for (unsigned i = 0; i < p->n_devices; i++) {
		const struct fence_device *d = &p->devices[i];

		if (d->level != level && (i == 0 || d->level != level + 1))
			return err_set(err, ERR_INPUT, EINVAL, d->name,
				       "level %u does not follow level %u: levels are 1, 2, ... in order",
				       d->level, i ? level : 0);
		level = d->level;
	}
	return 0;
}

int fence_plan_check(const struct fence_plan *p, struct err *err)
{
	int64_t worst;
	int r = 0;

	if (!p->node[0] || !p->n_devices || p->n_devices > FENCE_DEVICES_MAX)
		return err_set(err, ERR_INPUT, EINVAL, "fence", "a node and 1 to %d devices are needed",
			       FENCE_DEVICES_MAX);
	if (p->delay_us < 0 || p->delay_random_us < 0)
		return err_set(err, ERR_INPUT, EINVAL, "fence", "a delay cannot be negative");
	for (unsigned i = 0; !r && i < p->n_devices; i++)
		r = fence_device_check(&p->devices[i], err);
	if (!r)
		r = check_levels(p, err);
	if (r)
		return r;
	worst = fence_plan_worst_us(p);
	if (p->total_us < worst) {
		err_set(err, ERR_INPUT, EINVAL, "fence",
			"the total limit of %lld ms is less than the %lld ms that the devices may take",
			(long long)(p->total_us / 1000), (long long)(worst / 1000));
		err_remedy(err, "raise the limit, or lower timeouts and retries, so that each level gets its turn");
		return -EINVAL;
	}
	return 0;
}

/* ---- the story */

static void tell(struct fence_run *r, int64_t now_us, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void tell(struct fence_run *r, int64_t now_us, const char *fmt, ...)
{
	size_t n = strlen(r->story);
	va_list ap;

	if (n + 1 >= sizeof(r->story))
		return;
	snprintf(r->story + n, sizeof(r->story) - n, "%s+%lld ms ", n ? "\n" : "",
		 (long long)((now_us - r->began_us) / 1000));
	n = strlen(r->story);
	va_start(ap, fmt);
	vsnprintf(r->story + n, sizeof(r->story) - n, fmt, ap);
	va_end(ap);
}

/* ---- the run */

static const struct fence_device *device(const struct fence_run *r)
{
	return &r->plan->devices[r->at];
}

static void finish(struct fence_run *r, bool success, int64_t now_us)
{
	r->phase = FENCE_PH_END;
	r->busy = false;
	r->finished = true;
	r->success = success;
	r->ended_us = now_us;
}

/* Begins with the device at `at`, or ends the run after the last. */
static void begin_device(struct fence_run *r)
{
	r->phase = r->goal == FENCE_GOAL_LOOK ? FENCE_PH_VERIFY : FENCE_PH_ACT;
	r->level = device(r)->level;
}

void fence_run_begin(struct fence_run *r, const struct fence_plan *plan, enum fence_goal goal, unsigned level,
		     uint64_t random, int64_t now_us)
{
	int64_t delay = 0;

	memset(r, 0, sizeof(*r));
	r->plan = plan;
	r->goal = goal;
	r->began_us = now_us;
	while (r->at < plan->n_devices && goal == FENCE_GOAL_ON && level && device(r)->level != level)
		r->at++;
	if (r->at >= plan->n_devices) {
		tell(r, now_us, "no fence device to ask");
		finish(r, false, now_us);
		return;
	}
	if (goal == FENCE_GOAL_OFF)
		delay = plan->delay_us + (int64_t)(random % ((uint64_t)plan->delay_random_us + 1));
	r->limit_us = now_us + delay + plan->total_us;
	r->pause_until_us = now_us + delay;
	begin_device(r);
	if (delay) {
		r->phase = FENCE_PH_DELAY;
		tell(r, now_us, "waiting %lld ms, so that the other side may be first", (long long)(delay / 1000));
	}
}

/* ON of a level ends with that level; the others go through all devices. */
static bool another_device(struct fence_run *r)
{
	unsigned next = r->at + 1;

	if (next >= r->plan->n_devices)
		return false;
	if (r->goal == FENCE_GOAL_ON && r->plan->devices[next].level != r->level)
		return false;
	r->at = next;
	begin_device(r);
	return true;
}

static bool all_done(const struct fence_run *r)
{
	for (unsigned i = 0; i < r->plan->n_devices; i++)
		if (r->state[i].tried && !r->state[i].done)
			return false;
	return true;
}

static void device_done(struct fence_run *r, int64_t now_us)
{
	unsigned level = r->level;
	bool last = r->at + 1 >= r->plan->n_devices || r->plan->devices[r->at + 1].level != level;

	r->state[r->at].done = true;
	if (r->goal == FENCE_GOAL_OFF && last) {
		tell(r, now_us, "%s is fenced by level %u", r->plan->node, level);
		finish(r, true, now_us);
		return;
	}
	if (!another_device(r))
		finish(r, all_done(r), now_us);
}

/* The device will not do it: the rest of its level is left alone. */
static void device_failed(struct fence_run *r, int64_t now_us)
{
	unsigned level = r->level;

	if (r->goal == FENCE_GOAL_OFF) {
		while (r->at + 1 < r->plan->n_devices && r->plan->devices[r->at + 1].level == level)
			r->at++;
		tell(r, now_us, "level %u has failed", level);
	}
	if (!another_device(r))
		finish(r, false, now_us);
}

static void try_again(struct fence_run *r, int64_t now_us)
{
	if (r->state[r->at].attempts > device(r)->retries) {
		device_failed(r, now_us);
		return;
	}
	r->phase = FENCE_PH_PAUSE;
	r->pause_until_us = now_us + device(r)->retry_wait_us;
}

/* ---- what comes of the calls */

static void acted(struct fence_run *r, enum fence_said said, int64_t now_us)
{
	struct fence_device_state *s = &r->state[r->at];

	if (said != (r->goal == FENCE_GOAL_OFF ? FENCE_SAID_OFF : FENCE_SAID_ON)) {
		try_again(r, now_us);
		return;
	}
	s->acted = true;
	if (r->goal != FENCE_GOAL_OFF || !device(r)->verify) {
		device_done(r, now_us);
		return;
	}
	r->phase = FENCE_PH_VERIFY;
	r->verify_until_us = now_us + device(r)->verify_limit_us;
}

static void looked(struct fence_run *r, enum fence_said said, int64_t now_us)
{
	struct fence_device_state *s = &r->state[r->at];

	if (r->goal == FENCE_GOAL_LOOK) {
		if (said == FENCE_SAID_ON || said == FENCE_SAID_OFF)
			device_done(r, now_us);
		else
			device_failed(r, now_us);
		return;
	}
	if (said == FENCE_SAID_OFF) {
		s->verified = true;
		device_done(r, now_us);
		return;
	}
	if (now_us + device(r)->verify_every_us >= r->verify_until_us) {
		tell(r, now_us, "%s: the off state could not be verified", device(r)->name);
		try_again(r, now_us);
		return;
	}
	r->phase = FENCE_PH_VERIFY_PAUSE;
	r->pause_until_us = now_us + device(r)->verify_every_us;
}

static void out_of_time(struct fence_run *r, int64_t now_us)
{
	tell(r, now_us, "the limit of %lld ms is reached", (long long)(r->plan->total_us / 1000));
	finish(r, false, now_us);
}

void fence_run_ended(struct fence_run *r, const struct fence_ended *ended, int64_t now_us)
{
	struct fence_device_state *s = &r->state[r->at];
	char before[FENCE_TEXT_LEN];
	enum fence_said said;

	if (!r->busy)
		return;
	r->busy = false;
	memcpy(before, s->text, sizeof(before));
	said = fence_call_judge(r->action, ended, s->text);
	s->said = said;
	s->at_us = r->call_began_us;
	/* A status that is asked for again and again is told once. */
	if (r->action != FENCE_STATUS || strcmp(before, s->text))
		tell(r, now_us, "%s: %s", device(r)->name, s->text);
	if (r->action == FENCE_STATUS)
		looked(r, said, now_us);
	else
		acted(r, said, now_us);
}

void fence_run_cancel(struct fence_run *r, const char *why, int64_t now_us)
{
	if (r->finished)
		return;
	tell(r, now_us, "given up: %s", why);
	if (r->busy && r->action == FENCE_OFF)
		tell(r, now_us, "%s was at work and is ended: its 'off' may happen, or not", device(r)->name);
	r->cancelled = true;
	finish(r, false, now_us);
}

/* ---- what to do next */

static void call(struct fence_run *r, enum fence_action a, int64_t now_us, struct fence_step *step)
{
	struct fence_device_state *s = &r->state[r->at];

	s->tried = true;
	if (a != FENCE_STATUS)
		s->attempts++;
	r->busy = true;
	r->action = a;
	r->call_began_us = now_us;
	r->call_until_us = now_us + device(r)->timeout_us;
	if (r->call_until_us > r->limit_us)
		r->call_until_us = r->limit_us;
	*step = (struct fence_step){ FENCE_STEP_CALL, r->at, a, r->call_until_us };
}

static void wait_until(struct fence_run *r, int64_t until_us, struct fence_step *step)
{
	if (until_us > r->limit_us)
		until_us = r->limit_us;
	*step = (struct fence_step){ FENCE_STEP_WAIT, r->at, r->action, until_us };
}

void fence_run_next(struct fence_run *r, int64_t now_us, struct fence_step *step)
{
	enum fence_action act = r->goal == FENCE_GOAL_ON ? FENCE_ON : FENCE_OFF;

	if (!r->finished && !r->busy && now_us >= r->limit_us)
		out_of_time(r, now_us);
	if (r->finished) {
		*step = (struct fence_step){ FENCE_STEP_DONE, r->at, r->action, now_us };
		return;
	}
	if (r->busy) {
		*step = (struct fence_step){ FENCE_STEP_BUSY, r->at, r->action, r->call_until_us };
		return;
	}
	switch (r->phase) {
	case FENCE_PH_DELAY:
		if (now_us < r->pause_until_us) {
			wait_until(r, r->pause_until_us, step);
			return;
		}
		r->phase = FENCE_PH_ACT;
		break;
	case FENCE_PH_PAUSE:
	case FENCE_PH_VERIFY_PAUSE:
		if (now_us < r->pause_until_us) {
			wait_until(r, r->pause_until_us, step);
			return;
		}
		r->phase = r->phase == FENCE_PH_PAUSE ? FENCE_PH_ACT : FENCE_PH_VERIFY;
		break;
	case FENCE_PH_ACT:
	case FENCE_PH_VERIFY:
	case FENCE_PH_END:
		break;
	}
	call(r, r->phase == FENCE_PH_VERIFY ? FENCE_STATUS : act, now_us, step);
}

/* ---- what it proves */

void fence_run_evidence(const struct fence_run *r, uint64_t epoch, const char *boot_id,
			struct fence_evidence *e)
{
	bool fenced = r->finished && r->success && r->goal == FENCE_GOAL_OFF;
	const struct fence_device_state *last = &r->state[r->at];

	memset(e, 0, sizeof(*e));
	e->source = FENCE_BY_AGENT;
	e->epoch = epoch;
	e->at_us = last->at_us;
	e->acted = e->verified = fenced;
	e->said = fenced ? FENCE_SAID_OFF : last->said == FENCE_SAID_OFF ? FENCE_SAID_UNKNOWN : last->said;
	if (!last->tried)
		e->said = FENCE_SAID_UNKNOWN;
	for (unsigned i = 0; i < r->plan->n_devices; i++) {
		if (r->plan->devices[i].level != r->level)
			continue;
		e->acted = e->acted && r->state[i].acted;
		e->verified = e->verified && r->state[i].verified;
	}
	snprintf(e->node, sizeof(e->node), "%s", r->plan->node);
	snprintf(e->boot_id, sizeof(e->boot_id), "%s", boot_id);
	snprintf(e->who, sizeof(e->who), "%s", r->at < r->plan->n_devices ? r->plan->devices[r->at].name : "");
}
