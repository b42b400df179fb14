/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "report.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"

static int open_tcp(const char *where)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	char host[64];
	const char *colon = strrchr(where, ':');
	int fd, one = 1;

	if (!colon || (size_t)(colon - where) >= sizeof(host))
		return -EINVAL;
	memcpy(host, where, (size_t)(colon - where));
	host[colon - where] = '\0';
	to.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, host, &to.sin_addr) != 1 || to.sin_port == 0)
		return -EINVAL;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to))) {
		int err = -errno;

		close(fd);
		return err;
	}
	/* A heartbeat that waits for the last one's ACK is no heartbeat. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

static int open_device(const char *path)
{
	struct termios tio;
	int fd = -1;

	/* A virtio port's node is there a moment before the port is (ENXIO). */
	for (unsigned tries = 0; fd < 0 && tries < 200; tries++) {
		if (tries)
			clock_sleep_until(clock_mono_ns() + 5 * NS_PER_MS);
		fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0 && errno != ENXIO)
			break;
	}
	if (fd < 0)
		return -errno;
	/* On a tty (ttyS0): no echo, so that commands do not come back as lines. */
	if (tcgetattr(fd, &tio) == 0) {
		cfmakeraw(&tio);
		tio.c_oflag |= OPOST | ONLCR;
		(void)tcsetattr(fd, TCSANOW, &tio);
	}
	return fd;
}

int report_open(struct report *r, const char *where)
{
	int fd;

	pthread_mutex_init(&r->lock, NULL);
	r->used = 0;
	r->dropped = 0;
	r->input_used = 0;
	if (strcmp(where, "-") == 0) {
		r->in = STDIN_FILENO;
		r->out = STDOUT_FILENO;
		return 0;
	}
	fd = strncmp(where, "tcp:", 4) == 0 ? open_tcp(where + 4) : open_device(where);
	if (fd < 0)
		return fd;
	r->in = fd;
	r->out = fd;
	return 0;
}

/* Send what can be sent now.  Lock held. */
static void flush_locked(struct report *r)
{
	while (r->used > 0) {
		ssize_t n = write(r->out, r->queue, r->used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* EAGAIN, or nobody there: it stays queued */
		r->used -= (size_t)n;
		memmove(r->queue, r->queue + n, r->used);
	}
}

static void send_line(struct report *r, size_t limit, const char *fmt, va_list ap)
{
	char line[REPORT_LINE];
	int n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	size_t len;

	if (n < 0)
		return;
	len = (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
	line[len++] = '\n';
	pthread_mutex_lock(&r->lock);
	flush_locked(r);
	if (r->used + len <= limit) {
		memcpy(r->queue + r->used, line, len);
		r->used += len;
		flush_locked(r);
	} else {
		r->dropped++;
	}
	pthread_mutex_unlock(&r->lock);
}

void report_event(struct report *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	send_line(r, REPORT_QUEUE, fmt, ap);
	va_end(ap);
}

void report_beat(struct report *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	send_line(r, REPORT_QUEUE / 8, fmt, ap);
	va_end(ap);
}

/* Take one whole line out of what has been read so far. */
static bool take_line(struct report *r, char *buf, size_t size)
{
	char *end = memchr(r->input, '\n', r->input_used);
	size_t len, take;

	if (!end) {
		if (r->input_used == sizeof(r->input))
			r->input_used = 0; /* no command is that long: noise */
		return false;
	}
	len = (size_t)(end - r->input);
	take = len < size - 1 ? len : size - 1;
	memcpy(buf, r->input, take);
	while (take > 0 && buf[take - 1] == '\r')
		take--;
	buf[take] = '\0';
	r->input_used -= len + 1;
	memmove(r->input, end + 1, r->input_used);
	return true;
}

bool report_command(struct report *r, uint64_t until_mono_ns, char *buf, size_t size)
{
	for (;;) {
		uint64_t now = clock_mono_ns();
		uint64_t left = until_mono_ns > now ? until_mono_ns - now : 0;
		struct timespec ts = { .tv_sec = (time_t)(left / NS_PER_SEC),
				       .tv_nsec = (long)(left % NS_PER_SEC) };
		struct pollfd p = { .fd = r->in, .events = POLLIN };
		ssize_t n;

		if (take_line(r, buf, size))
			return true;
		if (ppoll(&p, 1, &ts, NULL) <= 0) {
			if (clock_mono_ns() >= until_mono_ns)
				return false;
			continue;
		}
		n = read(r->in, r->input + r->input_used, sizeof(r->input) - r->input_used);
		if (n > 0) {
			r->input_used += (size_t)n;
			continue;
		}
		if (n == 0 && (r->in == r->out || r->in == STDIN_FILENO)) {
			/*
			 * A virtio port without a viewer reads as end of file
			 * until one comes; so does a closed standard input, for
			 * good.  Neither may turn this into a busy loop.
			 */
			if (r->in == STDIN_FILENO)
				r->in = -1;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			r->in = -1;
		}
		clock_sleep_until(until_mono_ns);
		return false;
	}
}

bool report_drain(struct report *r, unsigned timeout_ms)
{
	uint64_t end = clock_mono_ns() + timeout_ms * NS_PER_MS;

	for (;;) {
		struct pollfd p = { .fd = r->out, .events = POLLOUT };
		bool empty;

		pthread_mutex_lock(&r->lock);
		flush_locked(r);
		empty = r->used == 0;
		pthread_mutex_unlock(&r->lock);
		if (empty || clock_mono_ns() >= end)
			return empty;
		(void)poll(&p, 1, 20);
	}
}
