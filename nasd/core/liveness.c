/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "liveness.h"

void liveness_init(struct liveness *l, const struct liveness_rules *rules, int64_t now)
{
	*l = (struct liveness){ .rules = *rules, .ticked_us = now, .patient_us = now, .paused_us = -1 };
	for (unsigned i = 0; i < LIVENESS_PATHS_MAX; i++)
		l->heard_us[i] = -1;
}

void liveness_heard(struct liveness *l, unsigned path, int64_t now)
{
	if (path < l->rules.n_paths)
		l->heard_us[path] = now;
}

/* How late a tick at now would be; at most 0: it is in time. */
static int64_t lateness(const struct liveness *l, int64_t now)
{
	return now - l->ticked_us - l->rules.interval_us;
}

static bool is_pause(const struct liveness *l, int64_t now)
{
	int64_t limit = l->rules.dead_after_us / 2;

	if (limit < l->rules.interval_us)
		limit = l->rules.interval_us;
	return now < l->ticked_us || lateness(l, now) > limit;
}

/* Times of a clock that has gone back since: no later than now. */
static void bring_back(struct liveness *l, int64_t now)
{
	for (unsigned i = 0; i < l->rules.n_paths; i++)
		if (l->heard_us[i] > now)
			l->heard_us[i] = now;
}

bool liveness_tick(struct liveness *l, int64_t now)
{
	bool paused = is_pause(l, now);

	if (paused) {
		l->pauses++;
		l->pause_us = now < l->ticked_us ? 0 : lateness(l, now);
		if (l->pause_us > l->longest_us)
			l->longest_us = l->pause_us;
		l->paused_us = l->patient_us = now;
		bring_back(l, now);
	}
	l->ticked_us = now;
	return paused;
}

/* From when on a path that was last heard then is silent. */
static int64_t silent_from(const struct liveness *l, int64_t heard)
{
	return (heard > l->patient_us ? heard : l->patient_us) + l->rules.dead_after_us;
}

bool liveness_silent(const struct liveness *l, int64_t now)
{
	return !is_pause(l, now) && now >= silent_from(l, liveness_heard_us(l));
}

bool liveness_path_silent(const struct liveness *l, unsigned path, int64_t now)
{
	return path >= l->rules.n_paths || (!is_pause(l, now) && now >= silent_from(l, l->heard_us[path]));
}

int64_t liveness_heard_us(const struct liveness *l)
{
	int64_t last = -1;

	for (unsigned i = 0; i < l->rules.n_paths; i++)
		if (l->heard_us[i] > last)
			last = l->heard_us[i];
	return last;
}

bool liveness_ever_heard(const struct liveness *l)
{
	return liveness_heard_us(l) >= 0;
}

int64_t liveness_paused_us(const struct liveness *l)
{
	return l->paused_us;
}

int64_t liveness_next(const struct liveness *l, int64_t now)
{
	int64_t next = now + l->rules.interval_us;

	for (unsigned i = 0; i < l->rules.n_paths; i++) {
		int64_t t = silent_from(l, l->heard_us[i]);

		if (t > now && t < next)
			next = t;
	}
	return next;
}
