/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where log lines go: to journald with the fields NASD_GROUP, NASD_STEP,
 * NASD_EPOCH and NASD_NODE when systemd started us (JOURNAL_STREAM names our
 * standard error), else one line each on standard error:
 *
 *     2026-11-22T06:14:03.123Z notice [vmstore drbd-primary 7] text
 */
#ifndef NASD_SYS_LOGSINK_H
#define NASD_SYS_LOGSINK_H

#include "log.h"

struct logsink {
	char node[64];             /* NASD_NODE; may be empty */
	enum log_priority max;     /* lines less urgent than this are dropped */
	int fd;                    /* where lines are written; standard error */
	int journald;              /* non-zero: sd_journal_send */
};

/* Fills *s for this process; node may be NULL. */
void logsink_init(struct logsink *s, const char *node, enum log_priority max);

/* For log_set_sink(logsink_write, &sink). Thread-safe: one write per line. */
void logsink_write(enum log_priority prio, const struct log_fields *fields, const char *message,
		   void *sink);

/* The same, of a line that was made at at_us (CLOCK_REALTIME), whatever its priority.
 * May block as long as what takes the lines does. fields may be NULL. */
void logsink_put(const struct logsink *s, int64_t at_us, enum log_priority prio,
		 const struct log_fields *fields, const char *message);

#endif
