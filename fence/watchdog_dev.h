/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watchdog device (linux/watchdog.h, Documentation/watchdog/watchdog-api.rst).
 * A FIFO or plain file in its place gets the same bytes, for tests: "." for each
 * feed, "V" before the closing that disarms.
 */
#ifndef FENCE_WATCHDOG_DEV_H
#define FENCE_WATCHDOG_DEV_H

#include <stdbool.h>

#include "err.h"

struct watchdog_dev {
	int fd;               /* -1: closed */
	bool can_disarm;      /* magic close works: supported, and no nowayout */
	unsigned timeout_s;   /* what the device has settled for; 0: it does not say */
	char identity[33];
};

/* Opens (which arms it) and sets the timeout. 0 or a negative errno. A device
 * that settles for another timeout is no failure. */
int watchdog_dev_open(struct watchdog_dev *d, const char *path, unsigned timeout_s, struct err *err);

int watchdog_dev_feed(struct watchdog_dev *d, struct err *err);

/* Magic close. On failure the device stays open. */
int watchdog_dev_disarm(struct watchdog_dev *d, struct err *err);

/* Closes without disarming: it resets the node unless somebody feeds it in time. */
void watchdog_dev_abandon(struct watchdog_dev *d);

#endif
