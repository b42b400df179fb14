/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structured log lines: a message for people plus fields for journald
 * (NASD_GROUP, NASD_EPOCH, NASD_STEP, NASD_NODE). Where they go is decided by
 * the sink that main installs (journald, or standard error as "key=value").
 */
#ifndef NASD_BASE_LOG_H
#define NASD_BASE_LOG_H

#include <stdint.h>

/* Priorities as in syslog(3), so that they can be handed on as they are. */
enum log_priority { LOGP_ERR = 3, LOGP_WARNING = 4, LOGP_NOTICE = 5, LOGP_INFO = 6, LOGP_DEBUG = 7 };

/* The fields that a line may carry; NULL or 0 leaves one out. */
struct log_fields {
	const char *group;
	const char *step;
	uint64_t epoch;
};

typedef void (*log_sink)(enum log_priority prio, const struct log_fields *fields, const char *message, void *data);

/* Installs the sink; call once, before any thread. NULL: lines are dropped. */
void log_set_sink(log_sink sink, void *data);

/* Writes one line; thread-safe when the sink is. fields may be NULL. */
void log_write(enum log_priority prio, const struct log_fields *fields, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_err(...) log_write(LOGP_ERR, NULL, __VA_ARGS__)
#define log_warn(...) log_write(LOGP_WARNING, NULL, __VA_ARGS__)
#define log_notice(...) log_write(LOGP_NOTICE, NULL, __VA_ARGS__)
#define log_info(...) log_write(LOGP_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_write(LOGP_DEBUG, NULL, __VA_ARGS__)

#endif
