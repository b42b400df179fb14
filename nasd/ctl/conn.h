/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection to nasd's control socket: lines out, lines in, with a deadline. */
#ifndef NASD_CTL_CONN_H
#define NASD_CTL_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct conn {
	int fd;
	char *buf;
	size_t len, room, used; /* used: bytes of the line that was given last */
	char path[128];         /* of the socket that answered */
};

/*
 * Connects to path. With fall_back, where that one is not permitted, to
 * status.sock beside it. 0, or a negative errno with err filled.
 */
int conn_open(struct conn *c, const char *path, bool fall_back, struct err *err);
void conn_close(struct conn *c);

/* All of text, or a negative errno. */
int conn_send(struct conn *c, const char *text, int64_t deadline_us, struct err *err);

/*
 * The next line, without its newline, terminated, valid until the next call.
 * -ETIMEDOUT, -ECONNRESET (hung up), -EMSGSIZE (longer than CTL_LINE_MAX) or
 * another negative errno. deadline_us 0: waits for ever.
 */
int conn_line(struct conn *c, int64_t deadline_us, char **line, size_t *len, struct err *err);

#endif
