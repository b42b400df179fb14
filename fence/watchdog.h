/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When the watchdog device is opened, fed, left to starve and disarmed. Pure; the
 * program (watchdog/main.c) does it.
 *
 * - The device is opened with the first fresh "active" beat; opening arms it.
 * - It is fed only while the newest beat is fresh (no older than stale_us). When
 *   nasd hangs, dies for good, or is starved of CPU while active, feeding ends and
 *   the device resets the node: at most watchdog_worst_us() after the moment for
 *   which the last beat vouched. A nasd that is back before that is fed for again.
 * - With "idle" it is disarmed (magic close). Where that cannot be done (nowayout)
 *   it is fed from then on whatever happens to nasd, until the next "active".
 * - A beat counts when its session is not an earlier one, its number and its time
 *   are newer than the last, and its time is neither in the future nor stale: what
 *   waited in a queue, or is played again, feeds nothing.
 *
 * A node's reset by its own watchdog is no proof for the peer: silence looks the
 * same. It makes the zombie harmless that a fence device cannot reach.
 */
#ifndef FENCE_WATCHDOG_H
#define FENCE_WATCHDOG_H

#include "beat.h"

struct watchdog_rules {
	int64_t stale_us;     /* how long a beat vouches for nasd */
	int64_t feed_us;      /* how often the device is fed */
	int64_t retry_us;     /* how often opening it is tried again */
	bool no_device;       /* configured without one */
};

enum watchdog_do { WATCHDOG_REST, WATCHDOG_OPEN, WATCHDOG_FEED, WATCHDOG_DISARM };

struct watchdog {
	struct watchdog_rules rules;
	bool heard;           /* any beat that counted */
	struct fence_beat last;
	bool open, can_disarm;
	bool failed;          /* the device did not do the last thing asked of it */
	int64_t next_us;      /* when to feed, or to try again */
};

void watchdog_init(struct watchdog *w, const struct watchdog_rules *rules);

/* A beat has come. 0: it counts. -EPROTO with err filled: it does not. */
int watchdog_beat(struct watchdog *w, const struct fence_beat *b, int64_t now_us, struct err *err);

/* What is to be done now; the caller does it and reports. */
enum watchdog_do watchdog_next(const struct watchdog *w, int64_t now_us);

/* It was done, or not. can_disarm matters for OPEN; a DISARM that did not work
 * leaves the device open, and it is not tried again before the next OPEN. */
void watchdog_done(struct watchdog *w, enum watchdog_do what, bool ok, bool can_disarm, int64_t now_us);

/* When to call watchdog_next again at the latest; -1: with the next beat. */
int64_t watchdog_wake_us(const struct watchdog *w, int64_t now_us);

enum dog_state watchdog_state(const struct watchdog *w, int64_t now_us);

/* From the last healthy moment to the reset, with this timeout of the device. */
int64_t watchdog_worst_us(const struct watchdog_rules *rules, int64_t timeout_us);

#endif
