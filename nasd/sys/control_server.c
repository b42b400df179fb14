/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The listening side: sockets, who may connect. What a client says and gets is
 * in control_client.c.
 */
#include "control_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "control_client.h"
#include "log.h"

enum {
	BACKLOG = 64,
	CLIENTS_MAX_DEFAULT = 64,
	QUEUE_MAX_DEFAULT = 4 * 1024 * 1024,
	GROUPS_MAX = 256,
	PAUSE_US = 1000 * 1000,
};

static int set_address(const char *path, struct sockaddr_un *sa, struct err *err)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sa->sun_path))
		return err_set(err, ERR_INPUT, ENAMETOOLONG, path, "too long for a socket's path");
	strcpy(sa->sun_path, path);
	return 0;
}

/* Removes what a dead nasd left behind, and nothing else. */
static int remove_stale(const char *path, const struct sockaddr_un *sa, struct err *err)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_set(err, ERR_SYSTEM, errno, path, "cannot look at it");
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, ERR_REFUSED, EEXIST, path, "exists and is not a socket");
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot make a socket");
	/* EAGAIN: its backlog is full, so somebody listens. */
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 || errno == EAGAIN) {
		err_set(err, ERR_REFUSED, EADDRINUSE, path, "another nasd answers there");
		err_remedy(err, "stop that one first (systemctl stop nasd)");
		return -EADDRINUSE;
	}
	if (unlink(path) < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot remove the stale socket");
	return 0;
}

static int listener_bind(struct listener *l, struct err *err)
{
	const char *path = l->path;
	struct sockaddr_un sa;
	int ret = set_address(path, &sa, err);

	if (ret == 0)
		ret = remove_stale(path, &sa, err);
	if (ret < 0)
		return ret;
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (l->fd < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot make a socket");
	if (bind(l->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot bind the socket");
	l->bound = true;
	/* Nobody can connect before listen, so there is no moment with a wrong mode.
	 * Who is not root cannot give the group; the check of each client stands. */
	if (!l->read_only && lchown(path, (uid_t)-1, l->server->group) < 0 && errno != EPERM)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot set the socket's group");
	if (chmod(path, l->read_only ? 0666 : 0660) < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot set the socket's mode");
	if (listen(l->fd, BACKLOG) < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot listen");
	return 0;
}

/* Whether the process at the other end is of this group, as it was when it connected. */
static bool in_group(int fd, const struct ucred *cred, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);
	size_t i;

	if (cred->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (i = 0; i < len / sizeof(gid_t); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static void accept_one(struct listener *l, int raw)
{
	AUTO_CLOSE int fd = raw;
	struct ucred cred;
	socklen_t len = sizeof(cred);
	bool allowed;

	if (l->n_clients >= l->server->clients_max) {
		log_warn("%s: more than %zu clients, one turned away", l->path,
			 l->server->clients_max);
		return;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		log_warn("%s: a client without credentials turned away", l->path);
		return;
	}
	allowed = l->read_only || cred.uid == 0 || in_group(fd, &cred, l->server->group);
	if (client_new(l, &fd, &cred, allowed) < 0)
		log_warn("%s: no memory for a client", l->path);
}

static int on_listener(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct listener *l = data;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (client >= 0) {
		accept_one(l, client);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
		/* The client stays in the backlog: without a pause we would spin. */
		log_warn("%s: cannot accept a client: %s", l->path, strerror(errno));
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		if (sd_event_source_set_time_relative(l->pause, PAUSE_US) >= 0)
			sd_event_source_set_enabled(l->pause, SD_EVENT_ONESHOT);
	}
	return 0;
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *data)
{
	struct listener *l = data;

	(void)source;
	(void)usec;
	sd_event_source_set_enabled(l->source, SD_EVENT_ON);
	return 0;
}

static int listener_open(struct listener *l, struct err *err)
{
	sd_event *event = l->server->event;
	int ret;

	if (!l->path)
		return 0;
	ret = listener_bind(l, err);
	if (ret < 0)
		return ret;
	ret = sd_event_add_io(event, &l->source, l->fd, EPOLLIN, on_listener, l);
	if (ret >= 0)
		ret = sd_event_add_time_relative(event, &l->pause, CLOCK_MONOTONIC, PAUSE_US, 0,
						 on_pause_over, l);
	if (ret >= 0)
		ret = sd_event_source_set_enabled(l->pause, SD_EVENT_OFF);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, l->path, "cannot watch the socket");
	return 0;
}

static void listener_close(struct listener *l)
{
	while (l->clients)
		client_destroy(l->clients);
	sd_event_source_disable_unref(l->source);
	sd_event_source_disable_unref(l->pause);
	if (l->bound)
		unlink(l->path);
	if (l->fd >= 0)
		close(l->fd);
	free(l->path);
}

static int listener_init(struct listener *l, struct control_server *s, const char *path, bool ro)
{
	l->server = s;
	l->fd = -1;
	l->read_only = ro;
	if (!path)
		return 0;
	l->path = strdup(path);
	return l->path ? 0 : -ENOMEM;
}

int control_server_new(sd_event *event, const struct control_server_spec *spec,
		       const struct control_server_ops *ops, void *data,
		       struct control_server **out, struct err *err)
{
	struct control_server *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return err_set(err, ERR_SYSTEM, ENOMEM, "control socket", "cannot be made");
	s->event = sd_event_ref(event);
	s->ops = *ops;
	s->data = data;
	s->group = spec->group;
	s->queue_max = spec->queue_max ? spec->queue_max : QUEUE_MAX_DEFAULT;
	s->clients_max = spec->clients_max ? spec->clients_max : CLIENTS_MAX_DEFAULT;
	ret = listener_init(&s->control, s, spec->control_path, false);
	if (listener_init(&s->status, s, spec->status_path, true) < 0 || ret < 0)
		ret = err_set(err, ERR_SYSTEM, ENOMEM, "control socket", "cannot be made");
	if (ret == 0)
		ret = listener_open(&s->control, err);
	if (ret == 0)
		ret = listener_open(&s->status, err);
	if (ret < 0) {
		control_server_free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void control_server_free(struct control_server *s)
{
	if (!s)
		return;
	listener_close(&s->control);
	listener_close(&s->status);
	sd_event_unref(s->event);
	free(s);
}
