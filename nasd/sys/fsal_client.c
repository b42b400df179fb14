/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsal_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "clocks.h"
#include "wait_fd.h"

static const char *where = "ganesha's module";

static int sys_error(struct err *err, int errnum, const char *what)
{
	return err_set(err, ERR_SYSTEM, errnum ? errnum : EIO, where, "%s", what);
}

int fsal_client_open(struct fsal_client *c, const char *path, pid_t pid, struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct ucred who = { 0 };
	socklen_t len = sizeof(who);
	AUTO_CLOSE int fd = -1;

	c->fd = -1;
	c->used = 0;
	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(err, ERR_INPUT, ENAMETOOLONG, where, "the socket's path is too long");
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return sys_error(err, errno, "no socket");
	/* a backlog that is full is a module that hangs: EAGAIN */
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return sys_error(err, errno, "does not listen");
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 || who.pid != pid)
		return sys_error(err, ESRCH, "another process listens in its place");
	c->fd = take_fd(&fd);
	return 0;
}

void fsal_client_close(struct fsal_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* Waits until it is readable or writable; -ETIMEDOUT. */
static int wait_for(struct fsal_client *c, short events, int64_t deadline, struct err *err)
{
	int ret = wait_fd(c->fd, events, deadline);

	if (ret == -ETIMEDOUT)
		return err_set(err, ERR_TIMEOUT, ETIMEDOUT, where, "does not answer");
	return ret < 0 ? sys_error(err, -ret, "cannot be waited for") : 0;
}

static int send_all(struct fsal_client *c, const char *p, size_t len, int64_t deadline, struct err *err)
{
	int ret = 0;

	while (ret == 0 && len) {
		ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			ret = wait_for(c, POLLOUT, deadline, err);
		} else if (errno != EINTR) {
			ret = sys_error(err, errno, "does not take what it is sent");
		}
	}
	return ret;
}

/* What has come, at most len bytes: their number. */
static ssize_t receive(struct fsal_client *c, char *p, size_t len, int64_t deadline, struct err *err)
{
	for (;;) {
		ssize_t n = recv(c->fd, p, len, 0);

		if (n > 0)
			return n;
		if (n == 0)
			return sys_error(err, ECONNRESET, "has closed the connection");
		if (errno == EAGAIN) {
			int ret = wait_for(c, POLLIN, deadline, err);

			if (ret < 0)
				return ret;
		} else if (errno != EINTR) {
			return sys_error(err, errno, "cannot be read from");
		}
	}
}

/* The length of the first line, its newline included. */
static ssize_t read_line(struct fsal_client *c, int64_t deadline, struct err *err)
{
	const char *end;

	while (!(end = memchr(c->line, '\n', c->used))) {
		ssize_t n;

		if (c->used == sizeof(c->line))
			return err_set(err, ERR_INPUT, EPROTO, where, "an answer without an end");
		n = receive(c, c->line + c->used, sizeof(c->line) - c->used, deadline, err);
		if (n < 0)
			return n;
		c->used += (size_t)n;
	}
	return end - c->line + 1;
}

static void consume(struct fsal_client *c, size_t len)
{
	c->used -= len;
	memmove(c->line, c->line + len, c->used);
}

static int hear(struct fsal_client *c, enum fsal_op op, int64_t deadline, struct fsal_answer *answer,
		struct err *err)
{
	ssize_t n = read_line(c, deadline, err);
	int ret = n < 0 ? (int)n : fsal_answer_decode(op, c->line, (size_t)n - 1, answer, err);

	if (ret == 0)
		consume(c, (size_t)n);
	else
		fsal_client_close(c);
	return ret;
}

int fsal_client_ask(struct fsal_client *c, const struct fsal_request *req, const char *body,
		    int64_t timeout_us, struct fsal_answer *answer, struct err *err)
{
	int64_t deadline = monotonic_us() + timeout_us;
	char line[FSAL_LINE_MAX];
	int ret, len;

	memset(answer, 0, sizeof(*answer));
	if (c->fd < 0)
		return sys_error(err, ENOTCONN, "is not connected");
	len = fsal_request_encode(req, line, sizeof(line), err);
	ret = len < 0 ? len : send_all(c, line, (size_t)len, deadline, err);
	if (ret == 0 && req->op == FSAL_LOAD)
		ret = send_all(c, body, (size_t)req->number, deadline, err);
	if (ret < 0) {
		fsal_client_close(c);
		return ret;
	}
	return hear(c, req->op, deadline, answer, err);
}

static int refusal(enum fsal_op op, const struct fsal_answer *answer, struct err *err)
{
	if (answer->ok)
		return 0;
	return err_set(err, ERR_REFUSED, EPERM, where, "%s: %s", fsal_op_name(op), answer->error);
}

int fsal_client_send(struct fsal_client *c, const struct fsal_request *reqs, size_t n, int64_t timeout_us,
		     struct err *err)
{
	char lines[FSAL_LINE_MAX];
	size_t used = 0;
	int ret = 0;

	if (c->fd < 0)
		return sys_error(err, ENOTCONN, "is not connected");
	for (size_t i = 0; ret >= 0 && i < n; i++) {
		ret = fsal_request_encode(&reqs[i], lines + used, sizeof(lines) - used, err);
		used += ret < 0 ? 0 : (size_t)ret;
	}
	if (ret >= 0)
		ret = send_all(c, lines, used, monotonic_us() + timeout_us, err);
	if (ret < 0)
		fsal_client_close(c);
	return ret;
}

int fsal_client_hear(struct fsal_client *c, enum fsal_op op, int64_t timeout_us, struct fsal_answer *answer,
		     struct err *err)
{
	int ret;

	memset(answer, 0, sizeof(*answer));
	if (c->fd < 0)
		return sys_error(err, ENOTCONN, "is not connected");
	ret = hear(c, op, monotonic_us() + timeout_us, answer, err);
	return ret < 0 ? ret : refusal(op, answer, err);
}

int fsal_client_do(struct fsal_client *c, const struct fsal_request *req, const char *body,
		   int64_t timeout_us, struct fsal_answer *answer, struct err *err)
{
	int ret = fsal_client_ask(c, req, body, timeout_us, answer, err);

	return ret < 0 ? ret : refusal(req->op, answer, err);
}

int fsal_client_body(struct fsal_client *c, size_t len, int64_t timeout_us, char **out, struct err *err)
{
	int64_t deadline = monotonic_us() + timeout_us;
	AUTO_FREE char *text = malloc(len + 1);
	size_t have = c->used < len ? c->used : len;

	if (!text)
		return sys_error(err, ENOMEM, "no memory for what it says");
	memcpy(text, c->line, have);
	consume(c, have);
	while (have < len) {
		ssize_t n = receive(c, text + have, len - have, deadline, err);

		if (n < 0) {
			fsal_client_close(c);
			return (int)n;
		}
		have += (size_t)n;
	}
	text[len] = '\0';
	*out = text;
	text = NULL;
	return 0;
}
