// SPDX-License-Identifier: GPL-2.0-or-later
/* Helpers of the lab programs: whole reads and writes, frames, time. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto.h"

void lab_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("lab: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(125);
}

int64_t lab_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void wait_fd(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	poll(&p, 1, -1);
}

int lab_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			wait_fd(fd, POLLOUT);
			continue;
		}
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int lab_read_all(int fd, void *buf, size_t len)
{
	char *p = buf;

	while (len) {
		ssize_t n = read(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			wait_fd(fd, POLLIN);
			continue;
		}
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EPIPE;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

void lab_put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

uint32_t lab_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

int lab_send_frame(int fd, char type, const void *buf, size_t len)
{
	uint8_t small[LAB_HDR + 4096];
	int rc;

	small[0] = (uint8_t)type;
	lab_put32(small + 1, (uint32_t)len);
	if (len <= sizeof(small) - LAB_HDR) {
		if (len)
			memcpy(small + LAB_HDR, buf, len);
		return lab_write_all(fd, small, LAB_HDR + len);
	}
	rc = lab_write_all(fd, small, LAB_HDR);
	return rc ? rc : lab_write_all(fd, buf, len);
}

ssize_t lab_read_frame(int fd, char *type, uint8_t *buf, size_t cap)
{
	uint8_t hdr[LAB_HDR];
	int rc = lab_read_all(fd, hdr, sizeof(hdr));
	uint32_t len;

	if (rc)
		return rc;
	len = lab_get32(hdr + 1);
	if (len > cap)
		return -EMSGSIZE;
	*type = (char)hdr[0];
	rc = lab_read_all(fd, buf, len);
	return rc ? rc : (ssize_t)len;
}

int lab_nonblock(int fd, int on)
{
	int fl = fcntl(fd, F_GETFL);

	if (fl < 0)
		return -errno;
	fl = on ? fl | O_NONBLOCK : fl & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, fl) < 0 ? -errno : 0;
}
