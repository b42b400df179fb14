/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clocks.h"
#include "control.h"

static const char not_running[] = "is nasd running? systemctl status nasd; journalctl -u nasd";

static int connect_to(struct conn *c, const char *path, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int ret;

	snprintf(c->path, sizeof(c->path), "%s", path);
	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(err, ERR_INPUT, ENAMETOOLONG, c->path, "too long for a socket's path");
	strcpy(sa.sun_path, path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot make a socket");
	if (connect(c->fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0)
		return 0;
	ret = -errno;
	close(c->fd);
	c->fd = -1;
	err_set(err, ERR_SYSTEM, -ret, path, "cannot reach nasd");
	err_remedy(err, "%s", not_running);
	return ret;
}

int conn_open(struct conn *c, const char *path, bool fall_back, struct err *err)
{
	const char *name = strrchr(path, '/');
	char beside[sizeof(c->path)];
	int ret;

	memset(c, 0, sizeof(*c));
	c->fd = -1;
	ret = connect_to(c, path, err);
	if (ret != -EACCES && ret != -EPERM)
		return ret;
	if (fall_back) {
		int dir = name ? (int)(name - path) + 1 : 0;

		snprintf(beside, sizeof(beside), "%.*sstatus.sock", dir, path);
		return connect_to(c, beside, err);
	}
	err_set(err, ERR_REFUSED, -ret, path, "you may not use it (%s)", strerror(-ret));
	err_remedy(err, "run this as root");
	return ret;
}

void conn_close(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	free(c->buf);
	c->buf = NULL;
}

/* 0 when the socket is ready. */
static int wait_for(struct conn *c, short events, int64_t deadline_us, struct err *err)
{
	for (;;) {
		struct pollfd p = { .fd = c->fd, .events = events };
		int64_t left = deadline_us ? deadline_us - monotonic_us() : -1;
		int n = poll(&p, 1, !deadline_us ? -1 : left <= 0 ? 0 : (int)(left / 1000 + 1));

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_set(err, ERR_SYSTEM, errno, c->path, "cannot wait for nasd");
		if (deadline_us && monotonic_us() >= deadline_us) {
			err_set(err, ERR_TIMEOUT, ETIMEDOUT, c->path, "nasd does not answer in time");
			err_remedy(err, "what was asked may still happen: look at 'nasctl status'");
			return -ETIMEDOUT;
		}
	}
}

int conn_send(struct conn *c, const char *text, int64_t deadline_us, struct err *err)
{
	size_t len = strlen(text);

	while (len) {
		ssize_t n;
		int ret = wait_for(c, POLLOUT, deadline_us, err);

		if (ret < 0)
			return ret;
		n = send(c->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return err_set(err, ERR_SYSTEM, errno, c->path, "cannot send to nasd");
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static int make_room(struct conn *c, struct err *err)
{
	size_t room = c->room ? 2 * c->room : 16384;
	char *buf;

	if (c->len + 1 < c->room)
		return 0;
	if (c->len > CTL_LINE_MAX)
		return err_set(err, ERR_INPUT, EMSGSIZE, c->path, "nasd's answer is too long");
	buf = realloc(c->buf, room);
	if (!buf)
		return err_set(err, ERR_SYSTEM, ENOMEM, c->path, "no memory");
	c->buf = buf;
	c->room = room;
	return 0;
}

static int read_more(struct conn *c, int64_t deadline_us, struct err *err)
{
	int ret = make_room(c, err);
	ssize_t n;

	if (ret == 0)
		ret = wait_for(c, POLLIN, deadline_us, err);
	if (ret < 0)
		return ret;
	n = recv(c->fd, c->buf + c->len, c->room - c->len - 1, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		err_set(err, ERR_PEER, ECONNRESET, c->path, "nasd hung up before it answered");
		err_remedy(err, "%s", not_running);
		return -ECONNRESET;
	}
	c->len += (size_t)n;
	return 0;
}

int conn_line(struct conn *c, int64_t deadline_us, char **line, size_t *len, struct err *err)
{
	size_t seen = 0;

	if (c->used) {
		memmove(c->buf, c->buf + c->used, c->len - c->used);
		c->len -= c->used;
		c->used = 0;
	}
	for (;;) {
		char *end = c->len > seen ? memchr(c->buf + seen, '\n', c->len - seen) : NULL;
		int ret;

		if (end) {
			*end = '\0';
			*line = c->buf;
			*len = (size_t)(end - c->buf);
			c->used = *len + 1;
			return 0;
		}
		seen = c->len;
		ret = read_more(c, deadline_us, err);
		if (ret < 0)
			return ret;
	}
}
