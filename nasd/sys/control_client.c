/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client of the control socket.
 *
 * Life: reading -> (request running: not reading) -> reading -> ... -> closing
 * (what is queued is still sent) -> dead. Whatever ends a client only marks it;
 * the `work` source, a turn of the loop later, tells and frees. So no function
 * that the daemon calls can pull the client away under its feet.
 */
#include "control_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"

enum { WHO_SIZE = 64, SEND_AT_ONCE = 256 * 1024 };

struct ctl_client {
	struct listener *listener;
	struct ctl_client *prev, *next;
	int fd;
	sd_event_source *io, *work;
	char who[WHO_SIZE];
	/* the request */
	struct ctl_request req;
	bool running, told;       /* told: the daemon knows this handle */
	bool in_callback;
	/* the conversation's end */
	bool eof, closing, dead;
	/* bytes */
	char in[CTL_REQUEST_MAX + 1];
	size_t in_len;
	char *out;
	size_t out_start, out_len, out_room;
};

static void update_events(struct ctl_client *c)
{
	uint32_t events = 0;

	if (!c->running && !c->eof && !c->closing)
		events |= EPOLLIN;
	if (c->out_len)
		events |= EPOLLOUT;
	sd_event_source_set_io_events(c->io, events);
}

static void arm_work(struct ctl_client *c)
{
	sd_event_source_set_enabled(c->work, SD_EVENT_ONESHOT);
}

static void client_kill(struct ctl_client *c)
{
	if (c->dead)
		return;
	c->dead = true;
	sd_event_source_set_enabled(c->io, SD_EVENT_OFF);
	arm_work(c);
}

/* Nothing more to say and nothing more to hear? */
static void client_settle(struct ctl_client *c)
{
	if (c->dead)
		return;
	if (!c->running && !c->out_len && (c->closing || c->eof))
		client_kill(c);
	else
		update_events(c);
}

static bool make_room(struct ctl_client *c, size_t more)
{
	size_t room = c->out_room ? c->out_room : 4096;
	char *bigger;

	if (c->out_start) {
		memmove(c->out, c->out + c->out_start, c->out_len);
		c->out_start = 0;
	}
	while (room < c->out_len + more)
		room *= 2;
	if (room == c->out_room)
		return true;
	bigger = realloc(c->out, room);
	if (!bigger)
		return false;
	c->out = bigger;
	c->out_room = room;
	return true;
}

static void queue_text(struct ctl_client *c, const char *text, size_t len)
{
	if (c->dead)
		return;
	if (c->out_len + len + 1 > c->listener->server->queue_max) {
		log_warn("%s: client %s does not read its answers, dropped", c->listener->path, c->who);
		client_kill(c);
		return;
	}
	if (!make_room(c, len + 1)) {
		log_warn("%s: no memory for client %s, dropped", c->listener->path, c->who);
		client_kill(c);
		return;
	}
	memcpy(c->out + c->out_len, text, len);
	c->out[c->out_len + len] = '\n';
	c->out_len += len + 1;
	update_events(c);
}

/* False: the object is too long for a line (or memory is out); nothing queued. */
static bool queue_json(struct ctl_client *c, const json_t *obj)
{
	AUTO_FREE char *text = json_dumps(obj, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0;

	if (!text || len >= CTL_LINE_MAX)
		return false;
	queue_text(c, text, len);
	return true;
}

static void queue_error(struct ctl_client *c, const struct err *e, json_t *findings)
{
	json_t *obj = json_pack("{s:s, s:o}", "result", "error", "error", ctl_error_json(e));

	if (obj && findings)
		json_object_set(obj, "findings", findings);
	if (!obj || !queue_json(c, obj))
		client_kill(c);
	json_decref(obj);
}

/* ---- requests */

static void run_line(struct ctl_client *c, const char *line, size_t len)
{
	struct control_server *s = c->listener->server;
	struct err e;

	err_clear(&e);
	if (ctl_request_parse(line, len, &c->req, &e) < 0) {
		queue_error(c, &e, NULL);
		return;
	}
	if (c->listener->read_only && !ctl_cmd_is_public(c->req.cmd)) {
		err_set(&e, ERR_REFUSED, EPERM, ctl_cmd_name(c->req.cmd),
			"not allowed on the read-only socket");
		err_remedy(&e, "use the control socket, as root");
		queue_error(c, &e, NULL);
		return;
	}
	c->running = true;
	c->told = true;
	c->in_callback = true;
	s->ops.on_request(c, &c->req, c->who, s->data);
	c->in_callback = false;
}

static void refuse_long_line(struct ctl_client *c)
{
	struct err e;

	err_clear(&e);
	err_set(&e, ERR_INPUT, EMSGSIZE, "request", "longer than %d bytes", (int)CTL_REQUEST_MAX);
	queue_error(c, &e, NULL);
	c->closing = true;
}

/* Runs whole lines until one is left running. */
static void run_lines(struct ctl_client *c)
{
	while (!c->dead && !c->closing && !c->running) {
		char line[CTL_REQUEST_MAX + 1];
		char *end = memchr(c->in, '\n', c->in_len);
		size_t len = end ? (size_t)(end - c->in) : 0;

		if (!end) {
			if (c->in_len == sizeof(c->in))
				refuse_long_line(c);
			break;
		}
		memcpy(line, c->in, len);
		line[len] = '\0';
		c->in_len -= len + 1;
		memmove(c->in, end + 1, c->in_len);
		run_line(c, line, len);
	}
	client_settle(c);
}

static void client_read(struct ctl_client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_kill(c);
		return;
	}
	/* It may have shut down only its sending side and wait for the answer. */
	if (n == 0)
		c->eof = true;
	c->in_len += (size_t)n;
	run_lines(c);
}

static void client_write(struct ctl_client *c)
{
	size_t len = c->out_len < SEND_AT_ONCE ? c->out_len : SEND_AT_ONCE;
	ssize_t n = send(c->fd, c->out + c->out_start, len, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_kill(c);
		return;
	}
	c->out_start += (size_t)n;
	c->out_len -= (size_t)n;
	if (!c->out_len)
		c->out_start = 0;
	client_settle(c);
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct ctl_client *c = data;

	(void)source;
	(void)fd;
	if (revents & EPOLLOUT && !c->dead)
		client_write(c);
	if (revents & EPOLLIN && !c->dead)
		client_read(c);
	/* Both directions are closed. What it sent before may still be worth
	 * running, but nobody is there for the answer. */
	if (revents & (EPOLLHUP | EPOLLERR) && !(revents & EPOLLIN))
		client_kill(c);
	return 0;
}

static int on_work(sd_event_source *source, void *data)
{
	struct ctl_client *c = data;

	(void)source;
	if (c->dead)
		client_destroy(c);
	else
		run_lines(c);
	return 0;
}

/* ---- life */

static int watch(struct ctl_client *c)
{
	sd_event *event = c->listener->server->event;
	int ret = sd_event_add_io(event, &c->io, c->fd, EPOLLIN, on_io, c);

	if (ret >= 0)
		ret = sd_event_add_defer(event, &c->work, on_work, c);
	if (ret >= 0)
		ret = sd_event_source_set_enabled(c->work, SD_EVENT_OFF);
	return ret;
}

static void turn_away(struct ctl_client *c)
{
	struct err e;

	err_clear(&e);
	err_set(&e, ERR_REFUSED, EACCES, c->listener->path, "%s may not use the control socket", c->who);
	err_remedy(&e, "run as root or as a member of its group; for looking use the status socket");
	log_warn("%s: %s turned away", c->listener->path, c->who);
	queue_error(c, &e, NULL);
	c->closing = true;
	client_settle(c);
}

int client_new(struct listener *l, int *fd, const struct ucred *cred, bool allowed)
{
	struct ctl_client *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	c->listener = l;
	c->fd = take_fd(fd);
	snprintf(c->who, sizeof(c->who), "uid %u pid %d", cred->uid, cred->pid);
	c->next = l->clients;
	if (c->next)
		c->next->prev = c;
	l->clients = c;
	l->n_clients++;
	ret = watch(c);
	if (ret < 0) {
		client_destroy(c);
		return ret;
	}
	if (!allowed)
		turn_away(c);
	return 0;
}

void client_destroy(struct ctl_client *c)
{
	struct listener *l = c->listener;

	c->dead = true;
	if (c->told)
		l->server->ops.on_gone(c, l->server->data);
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->work);
	close(c->fd);
	if (c->prev)
		c->prev->next = c->next;
	else
		l->clients = c->next;
	if (c->next)
		c->next->prev = c->prev;
	l->n_clients--;
	free(c->out);
	free(c);
}

/* ---- what the daemon calls */

void ctl_client_event(struct ctl_client *c, json_t *event)
{
	if (!c->running || c->dead)
		return;
	if (!queue_json(c, event))
		log_warn("%s: an event for client %s is too long, left out", c->listener->path, c->who);
}

static void request_over(struct ctl_client *c)
{
	c->running = false;
	if (c->dead)
		return;
	/* Within on_request the loop over the lines goes on by itself. */
	if (!c->in_callback)
		arm_work(c);
}

void ctl_client_result_ok(struct ctl_client *c, json_t *data)
{
	json_t *obj;
	struct err e;

	if (!c->running)
		return;
	obj = json_pack("{s:s, s:O}", "result", "ok", "data", data ? data : json_null());
	if (!obj || !queue_json(c, obj)) {
		err_clear(&e);
		err_set(&e, ERR_INTERNAL, EMSGSIZE, ctl_cmd_name(c->req.cmd),
			"the answer does not fit a line of %d bytes", (int)CTL_LINE_MAX);
		err_remedy(&e, "ask for less (a group, a limit)");
		queue_error(c, &e, NULL);
	}
	json_decref(obj);
	request_over(c);
}

void ctl_client_result_error(struct ctl_client *c, const struct err *e, json_t *findings)
{
	if (!c->running)
		return;
	queue_error(c, e, findings);
	request_over(c);
}

const struct ctl_request *ctl_client_request(const struct ctl_client *c)
{
	return c->running ? &c->req : NULL;
}

bool ctl_client_may_change(const struct ctl_client *c)
{
	return !c->listener->read_only;
}
