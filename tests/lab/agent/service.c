// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The services of a node: programs that PID 1 starts, and starts again 200 ms
 * after they ended (what systemd would do with Restart=always). Requests come
 * over a local socket as one line of words, answered with one line:
 *   list | add NAME LOG CMD ARG... | remove NAME | start|stop|restart|kill NAME
 * "stop" answers when the program has gone.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node.h"
#include "proto.h"

#define MAX_SERVICES 16
#define STOP_KILL_MS 10000

struct service {
	char *name, *log, **argv;
	pid_t pid;
	int want;		/* 1: keep it running */
	int starts;
	int last_status;
	int64_t due;		/* when to start it, while pid is 0 */
	int64_t kill_at;	/* when a stop loses its patience, or 0 */
	int waiter;		/* who asked to stop it, or -1 */
	int again;		/* start when stopped: a restart */
};

static struct service services[MAX_SERVICES];

static struct service *find(const char *name)
{
	for (int i = 0; i < MAX_SERVICES; i++)
		if (services[i].name && !strcmp(services[i].name, name))
			return &services[i];
	return NULL;
}

int service_add(int argc, char **argv)
{
	struct service *s = NULL;

	if (argc < 3 || find(argv[0])) {
		errno = EINVAL;
		return -1;
	}
	for (int i = 0; i < MAX_SERVICES && !s; i++)
		if (!services[i].name)
			s = &services[i];
	if (!s) {
		errno = ENOSPC;
		return -1;
	}
	memset(s, 0, sizeof(*s));
	s->name = strdup(argv[0]);
	s->log = strdup(argv[1]);
	s->argv = calloc((size_t)argc, sizeof(char *));
	if (!s->name || !s->log || !s->argv)
		return -1;
	for (int i = 2; i < argc; i++)
		s->argv[i - 2] = strdup(argv[i]);
	s->want = 1;
	s->waiter = -1;
	s->due = lab_now_ms();
	return 0;
}

static void start(struct service *s)
{
	sigset_t none;

	s->pid = fork();
	if (s->pid < 0) {
		s->pid = 0;
		s->due = lab_now_ms() + SVC_RESPAWN_MS;
		return;
	}
	if (s->pid) {
		s->starts++;
		return;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	int fd = open(s->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
	int nul = open("/dev/null", O_RDWR);

	dup2(nul, 0);
	dup2(fd < 0 ? nul : fd, 1);
	dup2(fd < 0 ? nul : fd, 2);
	close_range(3, ~0U, 0);
	execvp(s->argv[0], s->argv);
	dprintf(2, "%s: %s\n", s->argv[0], strerror(errno));
	_exit(127);
}

static void answer(int fd, const char *text)
{
	lab_write_all(fd, text, strlen(text));
	close(fd);
}

void service_reaped(pid_t pid, int status)
{
	for (int i = 0; i < MAX_SERVICES; i++) {
		struct service *s = &services[i];

		if (!s->name || s->pid != pid)
			continue;
		s->pid = 0;
		s->last_status = status;
		s->due = lab_now_ms() + SVC_RESPAWN_MS;
		if (!s->want)
			kill(-pid, SIGKILL);	/* what it left behind */
		if (s->again) {
			s->again = 0;
			s->want = 1;
			s->due = lab_now_ms();
		}
		s->kill_at = 0;
		if (s->waiter >= 0)
			answer(s->waiter, "ok\n");
		s->waiter = -1;
	}
}

int service_tick(void)
{
	int64_t now = lab_now_ms(), next = -1;

	for (int i = 0; i < MAX_SERVICES; i++) {
		struct service *s = &services[i];
		int64_t at = -1;

		if (!s->name)
			continue;
		if (s->pid && s->kill_at) {
			if (s->kill_at <= now) {
				kill(-s->pid, SIGKILL);
				s->kill_at = 0;
			} else {
				at = s->kill_at;
			}
		} else if (!s->pid && s->want) {
			if (s->due <= now)
				start(s);
			else
				at = s->due;
		}
		if (at >= 0 && (next < 0 || at - now < next))
			next = at - now;
	}
	return (int)next;
}

int service_listen(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = SVC_SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    listen(fd, 16))
		boot_fail("%s: %s", SVC_SOCKET, strerror(errno));
	return fd;
}

static void list(int fd)
{
	for (int i = 0; i < MAX_SERVICES; i++) {
		struct service *s = &services[i];

		if (s->name)
			dprintf(fd, "%s %s pid=%d starts=%d last_status=%d\n",
				s->name, s->pid ? "running" :
				s->want ? "waiting" : "stopped", (int)s->pid,
				s->starts, s->last_status);
	}
	close(fd);
}

static void stop(struct service *s, int fd, int again)
{
	s->want = 0;
	if (!s->pid) {
		s->want = again;
		s->due = lab_now_ms();
		answer(fd, "ok\n");
		return;
	}
	if (s->waiter >= 0)
		answer(s->waiter, "error: another request took over\n");
	s->waiter = fd;
	s->again = again;
	s->kill_at = lab_now_ms() + STOP_KILL_MS;
	kill(s->pid, SIGTERM);
}

static void request(int fd, int n, char **w)
{
	struct service *s = n > 1 ? find(w[1]) : NULL;

	if (n == 1 && !strcmp(w[0], "list"))
		list(fd);
	else if (n >= 4 && !strcmp(w[0], "add"))
		answer(fd, service_add(n - 1, w + 1) ?
		       "error: name taken or table full\n" : "ok\n");
	else if (!s)
		answer(fd, "error: no such service\n");
	else if (!strcmp(w[0], "start")) {
		if (!s->want)
			s->due = lab_now_ms();
		s->want = 1;
		service_tick();
		answer(fd, "ok\n");
	} else if (!strcmp(w[0], "stop") || !strcmp(w[0], "restart")) {
		stop(s, fd, w[0][0] == 'r');
	} else if (!strcmp(w[0], "kill")) {
		if (s->pid) {
			s->waiter = fd;
			kill(s->pid, SIGKILL);
		} else {
			answer(fd, "error: it does not run\n");
		}
	} else if (!strcmp(w[0], "remove") && !s->pid) {
		free(s->name);
		s->name = NULL;
		answer(fd, "ok\n");
	} else {
		answer(fd, "error: unknown request, or it still runs\n");
	}
}

void service_accept(int lfd)
{
	int fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);
	struct timeval tv = { .tv_sec = 1 };
	char buf[4096], *w[64];
	ssize_t len;
	int n = 0;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	len = recv(fd, buf, sizeof(buf) - 1, 0);
	if (len <= 0) {
		close(fd);
		return;
	}
	buf[len] = 0;
	for (char *p = buf; p < buf + len && n < 63; p += strlen(p) + 1)
		w[n++] = p;
	w[n] = NULL;
	request(fd, n, w);
}

int service_client(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = SVC_SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc = 0;
	char buf[4096];
	size_t len = 0;
	ssize_t n;

	for (int i = 0; i < argc; i++) {
		size_t l = strlen(argv[i]) + 1;

		if (len + l > sizeof(buf))
			lab_die("service: too many words");
		memcpy(buf + len, argv[i], l);
		len += l;
	}
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    lab_write_all(fd, buf, len))
		lab_die("service: %s: %s", SVC_SOCKET, strerror(errno));
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (!strncmp(buf, "error", 5)) {
			rc = 1;
			lab_write_all(2, buf, (size_t)n);
		} else if (n != 3 || memcmp(buf, "ok\n", 3) != 0) {
			lab_write_all(1, buf, (size_t)n);
		}
	}
	return rc;
}
