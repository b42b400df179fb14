/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drbd_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "child_spawn.h"
#include "cleanup.h"
#include "clocks.h"
#include "log.h"

enum {
	READ_SIZE = 4096,
	READS_AT_ONCE = 8,        /* then other events have their turn */
	RETRY_US = 1000000,
	IDLE_US = 30000000,
	KILL_US = 1000000,
	ACCURACY_US = 50000,
	WHY_MAX = 240,
};

static const char default_program[] = "/usr/sbin/drbdsetup";

/* Whatever ends nasd ends it too. Without it the program would stay until it
 * next has something to say to the closed pipe. */
static const char leash[] = "/usr/bin/setpriv";

struct drbd_watch {
	sd_event *event;
	char *program;
	uint64_t retry_us, idle_us;
	uint64_t wait_us;         /* the next pause after it was live */
	int64_t began;            /* monotonic */
	const struct drbd_watch_ops *ops;
	void *data;

	sd_event_source *timer, *out_io, *end_io;
	int out, complaints, pidfd; /* -1: not running */
	struct drbd_events parser;
	struct drbd_model model;  /* as the stream says */
	struct drbd_model known;  /* as reported */
	bool ever;                /* known is more than the beginning */
	bool live;
	char why[WHY_MAX];        /* the stream was given up for this; "" */
	char warned[WHY_MAX];     /* the last warning, not repeated */
};

/* ---- the stream */

static void go_live(struct drbd_watch *w)
{
	w->live = true;
	if (w->ever)
		drbd_model_diff(&w->known, &w->model, w->ops->change, w->data);
	w->known = w->model;
	w->ever = true;
	if (w->ops->live)
		w->ops->live(true, "", w->data);
}

static void take_event(struct drbd_watch *w, const struct drbd_event *ev, struct err *err)
{
	int ret = drbd_model_apply(&w->model, ev, err);

	if (ret <= 0 || !w->model.complete)
		return;
	if (!w->live)
		go_live(w);
	else if (drbd_model_diff(&w->known, &w->model, w->ops->change, w->data))
		w->known = w->model;
}

static void give_up(struct drbd_watch *w, const char *why)
{
	if (!w->why[0])
		snprintf(w->why, sizeof(w->why), "%s", why);
	sd_event_source_set_enabled(w->out_io, SD_EVENT_OFF);
	pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0);
}

/* False: the stream is at its end or was given up. */
static bool feed(struct drbd_watch *w, const char *bytes, size_t len)
{
	struct drbd_event ev;
	struct err err;
	size_t used;
	int ret;

	while (len) {
		err_clear(&err);
		ret = drbd_events_feed(&w->parser, bytes, len, &used, &ev, &err);
		bytes += used;
		len -= used;
		if (ret > 0)
			take_event(w, &ev, &err);
		if (err.cls != ERR_NONE) {
			char why[WHY_MAX];

			snprintf(why, sizeof(why), "%.60s: %.160s", err.where, err.msg);
			give_up(w, why);
			return false;
		}
	}
	return true;
}

static void read_some(struct drbd_watch *w, unsigned times)
{
	char bytes[READ_SIZE];
	ssize_t n;

	while (times--) {
		n = read(w->out, bytes, sizeof(bytes));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) { /* it is ending, or is of no use any more */
			sd_event_source_set_enabled(w->out_io, SD_EVENT_OFF);
			pidfd_send_signal(w->pidfd, SIGTERM, NULL, 0);
			return;
		}
		if (!feed(w, bytes, (size_t)n) || (size_t)n < sizeof(bytes))
			return;
	}
}

static int on_output(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	(void)s;
	(void)fd;
	(void)revents;
	read_some(data, READS_AT_ONCE);
	return 0;
}

/* ---- the program's life */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_all(struct drbd_watch *w)
{
	w->out_io = sd_event_source_disable_unref(w->out_io);
	w->end_io = sd_event_source_disable_unref(w->end_io);
	close_fd(&w->out);
	close_fd(&w->complaints);
	close_fd(&w->pidfd);
}

/* Once per reason, until it has worked for a while. */
static void warn_once(struct drbd_watch *w, const char *why)
{
	if (!strcmp(w->warned, why))
		return;
	snprintf(w->warned, sizeof(w->warned), "%s", why);
	log_warn("the events of DRBD are not followed: %s. This is tried again by itself; until it works DRBD is "
		 "looked at now and then",
		 why);
}

static void stopped(struct drbd_watch *w, const char *why)
{
	bool was_live = w->live;
	uint64_t wait = w->idle_us;

	close_all(w);
	w->live = false;
	if (was_live && monotonic_us() - w->began >= (int64_t)w->idle_us) {
		w->wait_us = w->retry_us;
		w->warned[0] = '\0';
	}
	warn_once(w, why);
	if (was_live) {
		wait = w->wait_us;
		w->wait_us = wait * 2 < w->idle_us ? wait * 2 : w->idle_us;
	}
	sd_event_source_set_time_relative(w->timer, wait);
	sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
	if (was_live && w->ops->live)
		w->ops->live(false, why, w->data);
}

/* What it said on stderr last, without control characters; "" when nothing. */
static void last_complaint(struct drbd_watch *w, char *buf, size_t size)
{
	char text[READ_SIZE];
	ssize_t n = read(w->complaints, text, sizeof(text) - 1);
	char *line;

	text[n > 0 ? n : 0] = '\0';
	for (n = (ssize_t)strlen(text); n > 0 && strchr(" \t\r\n", text[n - 1]); n--)
		text[n - 1] = '\0';
	line = strrchr(text, '\n');
	line = line ? line + 1 : text;
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	snprintf(buf, size, "%.150s", line);
}

static int on_end(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct drbd_watch *w = data;
	char why[WHY_MAX], said[160];
	int status = 0;

	(void)s;
	(void)fd;
	(void)revents;
	if (!w->why[0])
		read_some(w, READS_AT_ONCE); /* its last words */
	if (child_reap(w->pidfd, &status) == -EAGAIN)
		return 0;
	last_complaint(w, said, sizeof(said));
	snprintf(why, sizeof(why), "%s", w->why);
	if (!why[0])
		snprintf(why, sizeof(why), "%.60s ended with status %d%s%s", w->program, status, said[0] ? ": " : "",
			 said);
	stopped(w, why);
	return 0;
}

static int make_pipe(int *ours, int *its, int flags)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | flags) < 0)
		return -errno;
	*ours = ends[0];
	*its = ends[1];
	return fcntl(*ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int spawn(struct drbd_watch *w, struct err *err)
{
	AUTO_CLOSE int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int out = -1, complaints = -1;
	const char *const argv[] = { leash, "--pdeathsig", "KILL", w->program, "events2", NULL };
	bool leashed = access(leash, X_OK) == 0;
	struct spawn_request req = { .path = leashed ? leash : w->program, .argv = leashed ? argv : argv + 3 };
	pid_t pid;
	int ret;

	if (access(w->program, X_OK) < 0)
		return err_set(err, ERR_SYSTEM, errno, w->program, "cannot be run");
	ret = make_pipe(&w->out, &out, 0);
	if (ret == 0) /* what nobody reads in time is not worth waiting for */
		ret = make_pipe(&w->complaints, &complaints, O_NONBLOCK);
	if (ret < 0 || in < 0)
		return err_set(err, ERR_SYSTEM, ret < 0 ? -ret : EIO, w->program, "no descriptors for it");
	req.fds[0] = in;
	req.fds[1] = out;
	req.fds[2] = complaints;
	return child_spawn(&req, &pid, &w->pidfd, err);
}

static int start(struct drbd_watch *w, struct err *err)
{
	int ret;

	drbd_events_init(&w->parser);
	drbd_model_flush(&w->model);
	w->why[0] = '\0';
	w->began = monotonic_us();
	ret = spawn(w, err);
	if (ret < 0)
		return ret;
	ret = sd_event_add_io(w->event, &w->out_io, w->out, EPOLLIN, on_output, w);
	if (ret >= 0)
		ret = sd_event_add_io(w->event, &w->end_io, w->pidfd, EPOLLIN, on_end, w);
	if (ret >= 0)
		return 0;
	child_kill(w->pidfd, SIGKILL, KILL_US, NULL);
	return err_set(err, ERR_SYSTEM, -ret, w->program, "cannot be watched");
}

static int on_timer(sd_event_source *s, uint64_t usec, void *data)
{
	struct drbd_watch *w = data;
	struct err err;
	char why[WHY_MAX];

	(void)s;
	(void)usec;
	err_clear(&err);
	if (start(w, &err) < 0)
		stopped(w, err_format(&err, why, sizeof(why)));
	return 0;
}

/* ---- the handle */

struct drbd_watch *drbd_watch_new(sd_event *event, const struct drbd_watch_spec *spec,
				  const struct drbd_watch_ops *ops, void *data, struct err *err)
{
	struct drbd_watch *w = calloc(1, sizeof(*w));
	int ret;

	if (w)
		w->program = strdup(spec->program ? spec->program : default_program);
	if (!w || !w->program) {
		free(w);
		err_set(err, ERR_SYSTEM, ENOMEM, "drbd events", "no memory");
		return NULL;
	}
	w->event = event;
	w->ops = ops;
	w->data = data;
	w->out = w->complaints = w->pidfd = -1;
	w->retry_us = w->wait_us = spec->retry_us ? spec->retry_us : RETRY_US;
	w->idle_us = spec->idle_us ? spec->idle_us : IDLE_US;
	ret = sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC, 0, ACCURACY_US, on_timer, w);
	if (ret < 0) {
		err_set(err, ERR_SYSTEM, -ret, "drbd events", "timer");
		drbd_watch_free(w);
		return NULL;
	}
	return w;
}

void drbd_watch_free(struct drbd_watch *w)
{
	if (!w)
		return;
	sd_event_source_disable_unref(w->timer);
	if (w->pidfd >= 0)
		child_kill(w->pidfd, SIGKILL, KILL_US, NULL);
	close_all(w);
	free(w->program);
	free(w);
}

bool drbd_watch_live(const struct drbd_watch *w)
{
	return w->live;
}

const struct drbd_resource *drbd_watch_find(const struct drbd_watch *w, const char *resource)
{
	return drbd_model_find(&w->known, resource);
}
