/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A lane: one worker thread with a queue, so that the event loop can have
 * blocking work done in order. Jobs of one lane run one after the other; jobs
 * of different lanes run side by side.
 */
#ifndef NASD_SYS_LANE_H
#define NASD_SYS_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "err.h"

struct lane;

/*
 * Starts the thread, named `name` (15 characters are shown by ps). NULL with
 * err filled when it cannot. The thread blocks all signals.
 */
struct lane *lane_new(sd_event *event, const char *name, struct err *err);

/*
 * Queues a job: fn(arg) runs in the lane's thread and may block; afterwards
 * done(arg) runs in the event loop, in the order of submission. done may be
 * NULL. Callable from the event loop's thread only; done may submit and may
 * free the lane. arg belongs to the job until done has returned. 0, or -ENOMEM
 * (nothing queued, neither function is ever called).
 */
int lane_submit(struct lane *lane, void (*fn)(void *arg), void (*done)(void *arg), void *arg);

/*
 * Waits, in the loop's thread, until a job has ended, and calls the done of it and
 * of all that have ended with it: without a turn of the loop, for moments in which
 * nothing else shall run. False: none has ended within timeout_us (or the lane has
 * none), and the loop takes over. The lane may be gone afterwards, as after a done.
 */
bool lane_await(struct lane *lane, uint64_t timeout_us);

/* True while a job is queued, running, or waits for its done. */
bool lane_busy(const struct lane *lane);

/* How many jobs lane_busy speaks of. */
size_t lane_pending(const struct lane *lane);

/*
 * Ends the lane. The job that runs is waited for, at most timeout_us; jobs
 * still queued are not begun. No done is called any more: an arg that only its
 * done would free is lost, so a caller who cares empties the lane first.
 * Returns 0; or -ETIMEDOUT when the running job is stuck (a dead disk, a hung
 * mount): the thread is detached and keeps what it needs, the memory of its
 * arg must stay valid, and it ends quietly if the job ever returns.
 * lane may be NULL.
 */
int lane_free(struct lane *lane, uint64_t timeout_us);

#endif
