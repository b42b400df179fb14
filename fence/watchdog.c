/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watchdog.h"

#include <errno.h>
#include <string.h>

void watchdog_init(struct watchdog *w, const struct watchdog_rules *rules)
{
	memset(w, 0, sizeof(*w));
	w->rules = *rules;
}

static int reject(struct err *err, const char *why)
{
	err_set(err, ERR_INPUT, EPROTO, "beat", "%s", why);
	return -EPROTO;
}

int watchdog_beat(struct watchdog *w, const struct fence_beat *b, int64_t now_us, struct err *err)
{
	if (b->mono_us > now_us)
		return reject(err, "it is dated in the future");
	if (now_us - b->mono_us > w->rules.stale_us)
		return reject(err, "it is too old to vouch for anything");
	if (w->heard && b->session < w->last.session)
		return reject(err, "it is from an earlier nasd");
	if (w->heard && b->session == w->last.session && b->seq <= w->last.seq)
		return reject(err, "it was here before");
	if (w->heard && b->mono_us <= w->last.mono_us)
		return reject(err, "it is not newer than the last one");
	/* What could not be opened or fed is tried anew with a change of mind. */
	if (w->heard && b->active != w->last.active)
		w->next_us = now_us;
	w->last = *b;
	w->heard = true;
	return 0;
}

static bool fresh(const struct watchdog *w, int64_t now_us)
{
	return w->heard && now_us >= w->last.mono_us && now_us - w->last.mono_us <= w->rules.stale_us;
}

enum watchdog_do watchdog_next(const struct watchdog *w, int64_t now_us)
{
	bool due = now_us >= w->next_us;

	if (!w->heard || w->rules.no_device)
		return WATCHDOG_REST;
	if (!w->last.active) {
		if (!w->open)
			return WATCHDOG_REST;
		if (w->can_disarm)
			return WATCHDOG_DISARM;
		return due ? WATCHDOG_FEED : WATCHDOG_REST;
	}
	if (!due || !fresh(w, now_us))
		return WATCHDOG_REST;
	return w->open ? WATCHDOG_FEED : WATCHDOG_OPEN;
}

void watchdog_done(struct watchdog *w, enum watchdog_do what, bool ok, bool can_disarm, int64_t now_us)
{
	w->failed = !ok;
	switch (what) {
	case WATCHDOG_OPEN:
		w->open = ok;
		w->can_disarm = ok && can_disarm;
		w->next_us = ok ? now_us : now_us + w->rules.retry_us;
		break;
	case WATCHDOG_FEED:
		w->next_us = now_us + w->rules.feed_us;
		break;
	case WATCHDOG_DISARM:
		if (ok)
			w->open = false;
		else
			w->can_disarm = false;
		w->next_us = now_us;
		break;
	case WATCHDOG_REST:
		break;
	}
}

int64_t watchdog_wake_us(const struct watchdog *w, int64_t now_us)
{
	bool feeds = w->open || (w->heard && w->last.active);

	if (!w->heard || w->rules.no_device || !feeds)
		return -1;
	if (w->last.active && !fresh(w, now_us))
		return -1;
	return w->next_us > now_us ? w->next_us : now_us;
}

enum dog_state watchdog_state(const struct watchdog *w, int64_t now_us)
{
	if (w->rules.no_device)
		return DOG_NONE;
	if (w->failed && (w->open || w->last.active))
		return DOG_FAILED;
	if (!w->open)
		return DOG_CLOSED;
	if (!w->last.active)
		return DOG_KEPT;
	return fresh(w, now_us) ? DOG_ARMED : DOG_STARVING;
}

int64_t watchdog_worst_us(const struct watchdog_rules *rules, int64_t timeout_us)
{
	return rules->stale_us + timeout_us;
}
