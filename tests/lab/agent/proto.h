/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the three lab programs share: the exec channel's frames, the ports on
 * the control network, and a few helpers.
 *
 * Exec channel, host client <-> node agent, one TCP connection per command.
 * A frame is one type byte, a big-endian 32-bit length, and that many bytes.
 *   client: C  the command: one flags byte, then NUL-terminated arguments
 *           i  bytes for its standard input; an empty frame is end of file
 *   agent:  o, e  bytes from its standard output and error
 *           x  one status byte; the connection ends after it
 *           E  text: the command could not be started
 * A closed connection without 'x' means to the client that the node is gone,
 * and to the agent that the client is: it kills the command's process group.
 */
#ifndef LAB_PROTO_H
#define LAB_PROTO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LAB_HOST_ADDR "10.77.9.1"
#define LAB_PORT_POWER 7700	/* supervisor: on|off|reboot|status NODE */
#define LAB_PORT_READY 7701	/* supervisor: ready|failed NODE TEXT */
#define LAB_PORT_AGENT 7702	/* node: exec channel */

#define LAB_FRAME_MAX 65536
#define LAB_HDR 5

void lab_die(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
int64_t lab_now_ms(void);			/* CLOCK_MONOTONIC */
int lab_write_all(int fd, const void *buf, size_t len);	/* 0 or -errno */
int lab_read_all(int fd, void *buf, size_t len);	/* 0 or -errno */
int lab_send_frame(int fd, char type, const void *buf, size_t len);
/* Reads one whole frame; returns its length, or a negative errno. */
ssize_t lab_read_frame(int fd, char *type, uint8_t *buf, size_t cap);
uint32_t lab_get32(const uint8_t *p);
void lab_put32(uint8_t *p, uint32_t v);
int lab_nonblock(int fd, int on);

#endif
