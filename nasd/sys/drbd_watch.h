/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DRBD watched: one `drbdsetup events2` for all resources, its lines taken in
 * by the event loop. It is started again whenever it ends or says something
 * that cannot be; then it begins with a dump, the model is built afresh, and
 * what changed in between is reported as if it had been seen. Nothing depends
 * on it: without DRBD or drbdsetup there is one warning, and a try now and then.
 */
#ifndef NASD_SYS_DRBD_WATCH_H
#define NASD_SYS_DRBD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "drbd_events.h"
#include "err.h"

struct drbd_watch;

struct drbd_watch_ops {
	/* A change that was seen. */
	void (*change)(const struct drbd_diff *diff, void *data);
	/* The model is known and followed from now on, or no more: why then says
	 * so. May be NULL. */
	void (*live)(bool live, const char *why, void *data);
};

struct drbd_watch_spec {
	const char *program;  /* NULL: /usr/sbin/drbdsetup; it is given "events2" */
	uint64_t retry_us;    /* after an end that came unexpected, doubled up to... 0: 1 s */
	uint64_t idle_us;     /* ...this, which is also the wait where there is no DRBD. 0: 30 s */
};

/* Starts the program from the event loop. The callbacks must not free the watch. NULL: err is filled. */
struct drbd_watch *drbd_watch_new(sd_event *event, const struct drbd_watch_spec *spec,
				  const struct drbd_watch_ops *ops, void *data, struct err *err);

/* Ends the program and waits for that. w may be NULL. */
void drbd_watch_free(struct drbd_watch *w);

/* Whether the stream runs and its dump is complete. */
bool drbd_watch_live(const struct drbd_watch *w);

/* What was last known, also while the stream is down; NULL: no such resource. */
const struct drbd_resource *drbd_watch_find(const struct drbd_watch *w, const char *resource);

#endif
