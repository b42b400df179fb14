/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log lines written by a thread of their own: a journald that hangs, or the disk
 * below a redirected standard error, must not stop the event loop, whose silence
 * the peer would take for death. Lines that find the queue full are dropped, and
 * counted in the next one that is written.
 */
#ifndef NASD_SYS_LOGQUEUE_H
#define NASD_SYS_LOGQUEUE_H

#include "err.h"
#include "logsink.h"

enum { LOGQUEUE_LINES = 256 };

struct logqueue;

/* Starts the thread. to must stay as long as the process, as the thread may outlive
 * logqueue_end. */
int logqueue_begin(const struct logsink *to, struct logqueue **out, struct err *err);

/* For log_set_sink(logqueue_write, queue). Thread-safe; never blocks on the log. */
void logqueue_write(enum log_priority prio, const struct log_fields *fields, const char *message, void *queue);

/* Waits, at most so long, until all is written; then the thread ends and q is freed.
 * A thread that hangs in its write keeps q. -ETIMEDOUT then. NULL is fine. */
int logqueue_end(struct logqueue *q, int64_t limit_us);

#endif
