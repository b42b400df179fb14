/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "commands.h"
#include "ganesha_api.h"
#include "msg.h"
#include "records.h"

enum { CLIENTS_MAX = 8, SEND_TIMEOUT_MS = 1000 };

struct client {
	int fd; /* -1: free */
	size_t used;
	char line[MSG_LINE_MAX];
	char *body; /* that the first line announces; NULL: none */
	size_t body_len, body_used;
};

static struct {
	struct sockaddr_un addr;
	int listener;
	struct client clients[CLIENTS_MAX];
	bool started;
} server = {.listener = -1};

static int open_listener(struct fault *fault)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fault_set(fault, errno, "socket: %s", strerror(errno));
	unlink(server.addr.sun_path);
	/* no umask: it is the whole process's. Nobody can connect before listen(). */
	if (bind(fd, (const struct sockaddr *)&server.addr, sizeof(server.addr)) < 0 ||
	    chmod(server.addr.sun_path, 0600) < 0 || listen(fd, CLIENTS_MAX) < 0) {
		int ret = fault_set(fault, errno, "%s: %s", server.addr.sun_path, strerror(errno));

		close(fd);
		return ret;
	}
	server.listener = fd;
	return 0;
}

static void drop_client(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->body);
	*c = (struct client){.fd = -1};
}

static void accept_client(void)
{
	int fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (size_t i = 0; fd >= 0 && i < CLIENTS_MAX; i++)
		if (server.clients[i].fd < 0) {
			server.clients[i] = (struct client){.fd = fd};
			return;
		}
	if (fd >= 0)
		close(fd);
}

/* A reader that does not read is dropped; it must not stop the gate's clock. */
static bool send_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
		struct pollfd p = {.fd = fd, .events = POLLOUT};

		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			return false;
		} else if (poll(&p, 1, SEND_TIMEOUT_MS) <= 0) {
			return false;
		}
	}
	return true;
}

/* Carries out a request. False: to be dropped, or gone. */
static bool run_request(struct client *c, size_t len)
{
	struct commands_answer a;
	bool sent;

	commands_run(c->line, len, &c->body, c->body_len, &a);
	sent = a.line && send_all(c->fd, a.line, strlen(a.line)) &&
	       (!a.body || send_all(c->fd, a.body, a.body_len));
	free(a.line);
	free(a.body);
	free(c->body);
	c->body = NULL;
	if (sent && a.records && records_listen(c->fd, NULL) == 0) {
		c->fd = -1; /* not ours any more */
		return false;
	}
	return sent;
}

/* What is behind the line begins its body, and the rest will come. */
static bool begin_body(struct client *c, size_t len, size_t bytes)
{
	size_t have = c->used - len - 1;

	c->body = malloc(bytes);
	if (!c->body)
		return false;
	c->body_len = bytes;
	c->body_used = have < bytes ? have : bytes;
	memcpy(c->body, c->line + len + 1, c->body_used);
	c->used -= c->body_used;
	memmove(c->line + len + 1, c->line + len + 1 + c->body_used, c->used - len - 1);
	return true;
}

/*
 * Carries out the requests that are there as a whole. False: to be dropped. (A
 * line that announces a body and is no request cannot be told from one without:
 * what follows is refused line by line.)
 */
static bool run_requests(struct client *c)
{
	char *end;

	while ((end = memchr(c->line, '\n', c->used))) {
		size_t len = (size_t)(end - c->line);
		size_t bytes = c->body ? 0 : commands_body(c->line, len);

		if (bytes && !begin_body(c, len, bytes))
			return false;
		if (c->body && c->body_used < c->body_len)
			return true;
		if (!run_request(c, len))
			return false;
		c->used -= len + 1;
		memmove(c->line, end + 1, c->used);
	}
	return c->used < sizeof(c->line); /* a line without an end */
}

static void serve_client(struct client *c)
{
	bool in_body = c->body && c->body_used < c->body_len;
	char *to = in_body ? c->body + c->body_used : c->line + c->used;
	size_t room = in_body ? c->body_len - c->body_used : sizeof(c->line) - c->used;
	ssize_t n = recv(c->fd, to, room, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && in_body)
		c->body_used += (size_t)n;
	else if (n > 0)
		c->used += (size_t)n;
	if (n <= 0 || !run_requests(c))
		drop_client(c);
}

static void serve(void)
{
	struct pollfd p[1 + CLIENTS_MAX];

	p[0] = (struct pollfd){.fd = server.listener, .events = POLLIN};
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		p[1 + i] = (struct pollfd){.fd = server.clients[i].fd, .events = POLLIN};
	if (poll(p, 1 + CLIENTS_MAX, commands_tick()) <= 0)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (p[1 + i].revents)
			serve_client(&server.clients[i]);
	if (p[0].revents)
		accept_client();
}

static void *server_main(void *unused)
{
	struct fault fault = {0};

	(void)unused;
	SetNameFunction("nasd");
	nfs_init_wait();
	commands_started();
	if (open_listener(&fault) < 0) {
		LogCrit(COMPONENT_FSAL, "NASD: no socket: %s", fault.text);
		return NULL;
	}
	LogEvent(COMPONENT_FSAL, "NASD: listens on %s", server.addr.sun_path);
	for (;;)
		serve();
}

int server_start(const char *path, struct fault *fault)
{
	pthread_t thread;
	int ret;

	if (server.started)
		return 0;
	server.addr.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(server.addr.sun_path))
		return fault_set(fault, ENAMETOOLONG, "a path too long for a socket: %.120s", path);
	strcpy(server.addr.sun_path, path);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		server.clients[i].fd = -1;
	commands_load();
	ret = pthread_create(&thread, NULL, server_main, NULL);
	if (ret)
		return fault_set(fault, ret, "no thread: %s", strerror(ret));
	pthread_detach(thread);
	server.started = true;
	return 0;
}
