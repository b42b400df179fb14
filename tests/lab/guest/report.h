/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report channel: lines out, commands in, over one descriptor (a serial
 * port of a guest, a TCP connection, or standard input and output).
 *
 * Lines are "ev=NAME key=value ..."; a summary is one line of JSON.  Reporting
 * never delays the caller: what the channel does not take at once is queued,
 * and heartbeats are the first thing to be dropped when the queue grows, so
 * that a viewer that is away costs a stand-still in the stream and no gap.
 * Every function may be called from any thread.
 */
#ifndef PROBE_REPORT_H
#define PROBE_REPORT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_QUEUE 65536U
#define REPORT_LINE  2048U

struct report {
	pthread_mutex_t lock;
	int in;  /* commands, or -1 */
	int out;
	size_t used;
	uint64_t dropped;
	char queue[REPORT_QUEUE];
	char input[256];
	size_t input_used;
};

/*
 * Where is "-" for standard input and output, "tcp:ADDRESS:PORT" to connect,
 * or the path of a character device.  0 or -errno.
 */
int report_open(struct report *r, const char *where);

/* Queue one line (the newline is added) and send what the channel takes. */
__attribute__((format(printf, 2, 3))) void report_event(struct report *r, const char *fmt, ...);

/* The same, but dropped rather than queued once an eighth of the queue is used. */
__attribute__((format(printf, 2, 3))) void report_beat(struct report *r, const char *fmt, ...);

/*
 * Wait until the monotonic time given for a command line.  True, with the line
 * in buf, when one came; false when the time was up.
 */
bool report_command(struct report *r, uint64_t until_mono_ns, char *buf, size_t size);

/* Wait up to timeout_ms for the queue to empty; false when it did not. */
bool report_drain(struct report *r, unsigned timeout_ms);

#endif
