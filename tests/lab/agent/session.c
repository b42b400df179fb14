// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One command on the exec channel. Runs in a process of its own, the parent
 * of the command. It ends when the command has ended and what it wrote by then
 * is sent: background children that keep its descriptors do not hold it up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node.h"
#include "proto.h"

#define KILL_GRACE_MS 300

struct session {
	int sock;
	pid_t pid;
	int in, out, err;	/* our ends of the pipes, -1 when closed */
	int sfd;
	uint8_t buf[LAB_HDR + LAB_FRAME_MAX];	/* from the client */
	size_t have;
	size_t sent;	/* of the 'i' frame at the front of buf */
};

static void exec_child(int i, int o, int e, char **argv)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	dup2(i, 0);
	dup2(o, 1);
	dup2(e, 2);
	close_range(3, ~0U, 0);
	execvp(argv[0], argv);
	dprintf(2, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int spawn(struct session *s, char **argv)
{
	int i[2], o[2], e[2];

	if (pipe2(i, O_CLOEXEC) || pipe2(o, O_CLOEXEC) || pipe2(e, O_CLOEXEC))
		return -errno;
	s->pid = fork();
	if (s->pid < 0)
		return -errno;
	if (!s->pid)
		exec_child(i[0], o[1], e[1], argv);
	setpgid(s->pid, s->pid);
	close(i[0]);
	close(o[1]);
	close(e[1]);
	s->in = i[1];
	s->out = o[0];
	s->err = e[0];
	lab_nonblock(s->in, 1);
	lab_nonblock(s->out, 1);
	lab_nonblock(s->err, 1);
	return 0;
}

static void client_gone(struct session *s)
{
	struct pollfd p = { .fd = s->sfd, .events = POLLIN };

	kill(-s->pid, SIGTERM);
	poll(&p, 1, KILL_GRACE_MS);
	kill(-s->pid, SIGKILL);
	_exit(0);
}

/* Sends what is in the pipe; 1 at its end. */
static int pump(struct session *s, int *fd, char type)
{
	char buf[LAB_FRAME_MAX];
	ssize_t n = read(*fd, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 1;
	if (n <= 0) {
		close(*fd);
		*fd = -1;
		return 1;
	}
	if (lab_send_frame(s->sock, type, buf, (size_t)n))
		client_gone(s);
	return 0;
}

/* Takes whole frames off the front of the buffer, as far as stdin accepts. */
static void feed(struct session *s)
{
	while (s->have >= LAB_HDR) {
		size_t len = lab_get32(s->buf + 1);

		if (len > LAB_FRAME_MAX || s->buf[0] != 'i')
			client_gone(s);
		if (s->have < LAB_HDR + len)
			return;
		if (len == 0 && s->in >= 0) {
			close(s->in);
			s->in = -1;
		}
		while (s->in >= 0 && s->sent < len) {
			ssize_t n = write(s->in, s->buf + LAB_HDR + s->sent,
					  len - s->sent);
			if (n < 0 && errno == EINTR)
				continue;
			if (n < 0 && errno == EAGAIN)
				return;
			if (n < 0) {
				close(s->in);
				s->in = -1;
				break;
			}
			s->sent += (size_t)n;
		}
		s->have -= LAB_HDR + len;
		memmove(s->buf, s->buf + LAB_HDR + len, s->have);
		s->sent = 0;
	}
}

/* A socket that is closed with input unread in it is reset, and what is still to be
 * sent is lost: the client closes first, when it has the last frame. */
static void let_client_close(struct session *s)
{
	shutdown(s->sock, SHUT_WR);
	while (read(s->sock, s->buf, sizeof(s->buf)) > 0)
		;
}

static void finish(struct session *s)
{
	uint8_t st;
	int status;

	if (waitpid(s->pid, &status, WNOHANG) != s->pid)
		return;
	while (s->out >= 0 && !pump(s, &s->out, 'o'))
		;
	while (s->err >= 0 && !pump(s, &s->err, 'e'))
		;
	st = WIFEXITED(status) ? (uint8_t)WEXITSTATUS(status) :
				 (uint8_t)(128 + WTERMSIG(status));
	lab_send_frame(s->sock, 'x', &st, 1);
	let_client_close(s);
	_exit(0);
}

static void loop(struct session *s)
{
	for (;;) {
		int room = s->have < sizeof(s->buf);
		int stuck = s->have >= LAB_HDR &&
			    s->have >= LAB_HDR + lab_get32(s->buf + 1);
		struct pollfd p[5] = {
			{ .fd = s->sock, .events = (short)(POLLRDHUP | (room ? POLLIN : 0)) },
			{ .fd = s->out, .events = POLLIN },
			{ .fd = s->err, .events = POLLIN },
			{ .fd = s->sfd, .events = POLLIN },
			{ .fd = stuck ? s->in : -1, .events = POLLOUT },
		};

		if (poll(p, 5, -1) < 0)
			continue;
		if (p[0].revents & (POLLRDHUP | POLLHUP | POLLERR))
			client_gone(s);
		if (p[0].revents & POLLIN) {
			ssize_t n = read(s->sock, s->buf + s->have,
					 sizeof(s->buf) - s->have);
			if (n <= 0)
				client_gone(s);
			s->have += (size_t)n;
		}
		if (p[1].revents)
			pump(s, &s->out, 'o');
		if (p[2].revents)
			pump(s, &s->err, 'e');
		feed(s);
		if (p[3].revents) {
			struct signalfd_siginfo si;

			if (read(s->sfd, &si, sizeof(si)) > 0)
				finish(s);
		}
	}
}

void session_run(int sock)
{
	static struct session s;
	static uint8_t cmd[LAB_FRAME_MAX];
	char type, *argv[1024];
	sigset_t chld;
	ssize_t len;
	int n = 0, rc;

	s.sock = sock;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_SETMASK, &chld, NULL);
	s.sfd = signalfd(-1, &chld, SFD_CLOEXEC);
	len = lab_read_frame(sock, &type, cmd, sizeof(cmd) - 1);
	if (len < 2 || type != 'C')
		_exit(1);
	cmd[len] = 0;
	for (char *p = (char *)cmd + 1; p < (char *)cmd + len && n < 1023;
	     p += strlen(p) + 1)
		argv[n++] = p;
	argv[n] = NULL;
	signal(SIGPIPE, SIG_DFL);
	rc = spawn(&s, argv);
	signal(SIGPIPE, SIG_IGN);
	if (rc) {
		const char *t = strerror(-rc);

		lab_send_frame(sock, 'E', t, strlen(t));
		_exit(1);
	}
	loop(&s);
	_exit(1);
}
