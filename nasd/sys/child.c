/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * child_run: a program run to its end. The input is a memfd, so there is no
 * pipe to feed and no SIGPIPE; the output comes through two pipes, polled
 * together with the pidfd. The child is reaped last: as long as it is a zombie
 * its process group cannot be anybody else's.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

#include "child_spawn.h"
#include "cleanup.h"
#include "clocks.h"

enum {
	OUTPUT_MAX_DEFAULT = 64 * 1024,
	TIMEOUT_DEFAULT_US = 10 * 1000 * 1000,
	KILL_AFTER_DEFAULT_US = 1000 * 1000,
	READ_SIZE = 4096,
	DRAIN_US = 100 * 1000,
};

struct stream {
	int fd;                   /* our end; -1 at its end */
	char *buf;
	size_t len, room, max;
};

struct run {
	pid_t pid;
	int pidfd;
	struct stream out, err;
	bool truncated, termed, killed;
	int64_t began, deadline;
	uint64_t kill_after_us;
	int cancel_fd;            /* -1: none */
};

static int make_input(const struct child_spec *spec)
{
	AUTO_CLOSE int fd = -1;
	const char *p = spec->input;
	size_t left = spec->input_len;
	ssize_t n;

	if (!p)
		return open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = memfd_create("nasd-input", MFD_CLOEXEC);
	if (fd < 0)
		return -1;
	for (; left; p += n, left -= (size_t)n) {
		n = write(fd, p, left);
		if (n <= 0)
			return -1;
	}
	return lseek(fd, 0, SEEK_SET) < 0 ? -1 : take_fd(&fd);
}

/* Keeps what fits; false when memory is out (the rest is dropped as well). */
static bool stream_keep(struct stream *s, const char *data, size_t n)
{
	size_t take = n < s->max - s->len ? n : s->max - s->len;

	if (s->len + take + 1 > s->room) {
		size_t room = s->room ? s->room * 2 : READ_SIZE;
		char *bigger;

		while (room < s->len + take + 1)
			room *= 2;
		bigger = realloc(s->buf, room);
		if (!bigger)
			return false;
		s->buf = bigger;
		s->room = room;
	}
	memcpy(s->buf + s->len, data, take);
	s->len += take;
	s->buf[s->len] = '\0';
	return take == n;
}

/* Reads what is there; at the stream's end its descriptor is closed. */
static void stream_read(struct run *r, struct stream *s)
{
	char data[READ_SIZE];
	ssize_t n;

	while (s->fd >= 0) {
		n = read(s->fd, data, sizeof(data));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close(s->fd);
			s->fd = -1;
			return;
		}
		if (!stream_keep(s, data, (size_t)n))
			r->truncated = true;
		if ((size_t)n < sizeof(data) || monotonic_us() >= r->deadline)
			return;
	}
}

/* The deadline has come: TERM first, later KILL, to the whole group. */
static void run_overdue(struct run *r)
{
	kill(-r->pid, r->termed ? SIGKILL : SIGTERM);
	if (r->termed)
		r->killed = true;
	r->termed = true;
	/* After KILL nothing but a stuck kernel keeps it; look again each period. */
	r->deadline = monotonic_us() + (int64_t)r->kill_after_us;
}

static void run_wait(struct run *r)
{
	struct pollfd p[4];
	struct timespec ts;
	int64_t left;

	for (;;) {
		left = r->deadline - monotonic_us();
		if (left <= 0) {
			run_overdue(r);
			continue;
		}
		p[0] = (struct pollfd){ .fd = r->pidfd, .events = POLLIN };
		p[1] = (struct pollfd){ .fd = r->out.fd, .events = POLLIN };
		p[2] = (struct pollfd){ .fd = r->err.fd, .events = POLLIN };
		p[3] = (struct pollfd){ .fd = r->termed ? -1 : r->cancel_fd, .events = POLLIN };
		ts = timespec_of_us(left);
		if (ppoll(p, 4, &ts, NULL) < 0)
			continue;
		if (p[3].revents)
			run_overdue(r);
		if (p[1].revents)
			stream_read(r, &r->out);
		if (p[2].revents)
			stream_read(r, &r->err);
		if (p[0].revents)
			return;
	}
}

/* It has ended: what it left behind in its group goes too, then it is reaped. */
static void run_finish(struct run *r, struct child_result *res)
{
	siginfo_t si = { 0 };

	kill(-r->pid, SIGKILL);
	/* Somebody outside the group may hold the pipes and write for ever. */
	r->deadline = monotonic_us() + DRAIN_US;
	stream_read(r, &r->out);
	stream_read(r, &r->err);
	while (waitid(P_PIDFD, (id_t)r->pidfd, &si, WEXITED) < 0 && errno == EINTR)
		continue;
	res->code = si.si_status;
	if (si.si_code == CLD_EXITED)
		res->end = CHILD_EXITED;
	else
		res->end = CHILD_SIGNALLED;
	/* An exit in answer to TERM is still an interrupted program. */
	if (r->termed)
		res->end = CHILD_TIMED_OUT;
}

static int run_start(struct run *r, const struct child_spec *spec, struct err *err)
{
	AUTO_CLOSE int in = make_input(spec);
	AUTO_CLOSE int out_end = -1;
	AUTO_CLOSE int err_end = -1;
	struct spawn_request req = { .path = spec->path, .argv = spec->argv, .envp = spec->envp };
	int fds[2], ret;

	if (in < 0)
		return err_set(err, ERR_SYSTEM, errno, spec->path, "cannot prepare its input");
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, ERR_SYSTEM, errno, spec->path, "cannot make a pipe");
	r->out.fd = fds[0];
	out_end = fds[1];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(err, ERR_SYSTEM, errno, spec->path, "cannot make a pipe");
	r->err.fd = fds[0];
	err_end = fds[1];
	fcntl(r->out.fd, F_SETFL, O_NONBLOCK);
	fcntl(r->err.fd, F_SETFL, O_NONBLOCK);
	req.fds[0] = in;
	req.fds[1] = out_end;
	req.fds[2] = err_end;
	ret = child_spawn(&req, &r->pid, &r->pidfd, err);
	r->began = monotonic_us();
	return ret;
}

/* The last line that says something, for the error message. */
static void last_line(const char *text, char *buf, size_t size)
{
	size_t end = strlen(text), start;

	while (end && strchr(" \t\r\n", text[end - 1]))
		end--;
	for (start = end; start && text[start - 1] != '\n'; start--)
		continue;
	snprintf(buf, size, "%.*s", (int)(end - start), text + start);
}

static bool called_off(const struct child_spec *spec)
{
	struct pollfd p = { .fd = spec->cancel_fd, .events = POLLIN };

	return spec->cancel_fd && poll(&p, 1, 0) > 0;
}

static int judge(const struct child_spec *spec, const struct child_result *res, struct err *err)
{
	char line[200];

	last_line(res->err_len ? res->err_out : res->out, line, sizeof(line));
	switch (res->end) {
	case CHILD_EXITED:
		if (res->code == 0)
			return 0;
		err_set(err, ERR_SYSTEM, 0, spec->path, "failed with exit status %d%s%s",
			res->code, *line ? ": " : "", line);
		return -EIO;
	case CHILD_SIGNALLED:
		err_set(err, ERR_SYSTEM, 0, spec->path, "killed by signal %d (%s)%s%s", res->code,
			strsignal(res->code), *line ? ": " : "", line);
		return -EIO;
	case CHILD_TIMED_OUT:
		if (called_off(spec))
			return err_set(err, ERR_TIMEOUT, ETIMEDOUT, spec->path, "was ended by its caller%s%s",
				       *line ? ": " : "", line);
		return err_set(err, ERR_TIMEOUT, ETIMEDOUT, spec->path, "did not end within %llu ms and was ended%s%s",
			       (unsigned long long)((spec->timeout_us ? spec->timeout_us :
						     TIMEOUT_DEFAULT_US) / 1000),
			       *line ? ": " : "", line);
	case CHILD_NOT_RUN:
		break;
	}
	return -EIO;
}

static char *stream_take(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	return s->buf ? s->buf : strdup("");
}

int child_run(const struct child_spec *spec, struct child_result *res, struct err *err)
{
	size_t max = spec->output_max ? spec->output_max : OUTPUT_MAX_DEFAULT;
	struct run r = { .pid = -1, .pidfd = -1, .out = { .fd = -1, .max = max },
			 .err = { .fd = -1, .max = max } };
	int ret = 0;

	memset(res, 0, sizeof(*res));
	res->end = CHILD_NOT_RUN;
	if (called_off(spec))
		ret = err_set(err, ERR_REFUSED, ECANCELED, spec->path, "was called off before it was started");
	r.kill_after_us = spec->kill_after_us ? spec->kill_after_us : KILL_AFTER_DEFAULT_US;
	r.cancel_fd = spec->cancel_fd ? spec->cancel_fd : -1;
	if (ret == 0)
		ret = run_start(&r, spec, err);
	if (ret == 0) {
		r.deadline = r.began + (int64_t)(spec->timeout_us ? spec->timeout_us :
								    TIMEOUT_DEFAULT_US);
		run_wait(&r);
		run_finish(&r, res);
		res->duration_us = (uint64_t)(monotonic_us() - r.began);
		close(r.pidfd);
	}
	res->truncated = r.truncated;
	res->out_len = r.out.len;
	res->err_len = r.err.len;
	res->out = stream_take(&r.out);
	res->err_out = stream_take(&r.err);
	if (!res->out || !res->err_out) {
		child_result_free(res);
		return err_set(err, ERR_SYSTEM, ENOMEM, spec->path, "no memory for its output");
	}
	return ret < 0 ? ret : judge(spec, res, err);
}

void child_result_free(struct child_result *r)
{
	free(r->out);
	free(r->err_out);
	r->out = r->err_out = NULL;
	r->out_len = r->err_len = 0;
}
