/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *     CONNECTING -> HANDSHAKE -> OPEN
 *          \____________\_________\__-> BROKEN -> closed()
 *
 * Nothing frees a connection from inside: BROKEN is told by a deferred source.
 */
#include "peer_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "frame.h"
#include "log.h"
#include "peer_msg.h"

enum {
	QUEUE_MAX = 4 * 1024 * 1024,
	QUEUE_KEEP = 256 * 1024,  /* memory kept when the queue is empty */
	READ_SIZE = 16384,        /* a whole TLS record: gnutls keeps no rest */
	READS_PER_TURN = 8,       /* a flood shares the loop with everything else */
	WRITES_PER_TURN = 16,
	WHY_SIZE = 256,
};

enum conn_state { CONN_CONNECTING, CONN_HANDSHAKE, CONN_OPEN, CONN_BROKEN };

struct peer_conn {
	const struct peer_conn_ops *ops;
	void *data;
	int fd;
	enum conn_state state;
	struct tls_session *tls;
	sd_event_source *io, *deadline, *broken;
	uint64_t deadline_us;
	char address[CONF_IP_MAX];
	char why[WHY_SIZE];
	/* sending */
	uint64_t seq;
	unsigned char *out;
	size_t out_start, out_len, out_room;
	char payload[PEER_MSG_MAX];
	/* receiving */
	struct frame_decoder decoder;
	unsigned char in[READ_SIZE];
};

void peer_conn_fail(struct peer_conn *c, const char *fmt, ...)
{
	va_list ap;

	if (c->state == CONN_BROKEN)
		return;
	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	c->state = CONN_BROKEN;
	sd_event_source_set_enabled(c->io, SD_EVENT_OFF);
	sd_event_source_set_enabled(c->deadline, SD_EVENT_OFF);
	sd_event_source_set_enabled(c->broken, SD_EVENT_ONESHOT);
}

static int on_broken(sd_event_source *source, void *data)
{
	struct peer_conn *c = data;

	(void)source;
	c->ops->closed(c, c->why, c->data);
	return 0;
}

static void update_events(struct peer_conn *c)
{
	uint32_t events = 0;

	switch (c->state) {
	case CONN_CONNECTING:
		events = EPOLLOUT;
		break;
	case CONN_HANDSHAKE:
		events = tls_session_wants_write(c->tls) ? EPOLLOUT : EPOLLIN;
		break;
	case CONN_OPEN:
		events = c->out_len ? EPOLLIN | EPOLLOUT : EPOLLIN;
		break;
	case CONN_BROKEN:
		return;
	}
	sd_event_source_set_io_events(c->io, events);
}

/* ---- connect and handshake */

static void finish_connect(struct peer_conn *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		peer_conn_fail(c, "cannot connect: %s", strerror(error));
	else
		c->state = CONN_HANDSHAKE;
	sd_event_source_set_time_relative(c->deadline, c->deadline_us);
}

static void handshake(struct peer_conn *c)
{
	char why[WHY_SIZE];
	int ret = tls_session_handshake(c->tls, why, sizeof(why));

	if (ret == -EAGAIN)
		return;
	if (ret < 0) {
		peer_conn_fail(c, "%s", why);
		return;
	}
	c->state = CONN_OPEN;
	c->ops->secured(c, c->data);
}

/* ---- sending */

static void flush(struct peer_conn *c)
{
	char why[WHY_SIZE];
	ssize_t n;
	int i;

	for (i = 0; i < WRITES_PER_TURN && c->out_len && c->state == CONN_OPEN; i++) {
		n = tls_session_send(c->tls, c->out + c->out_start, c->out_len, why, sizeof(why));
		if (n == -EAGAIN)
			break;
		if (n < 0) {
			peer_conn_fail(c, "%s", why);
			return;
		}
		c->out_start += (size_t)n;
		c->out_len -= (size_t)n;
	}
	if (c->out_len)
		return;
	c->out_start = 0;
	if (c->out_room > QUEUE_KEEP) {
		free(c->out);
		c->out = NULL;
		c->out_room = 0;
	}
}

static bool make_room(struct peer_conn *c, size_t more)
{
	size_t room = c->out_room ? c->out_room : 4096;
	unsigned char *bigger;

	/* Moving is paid for by what was sent since: never more than that. */
	if (c->out_start && c->out_start >= c->out_len) {
		memmove(c->out, c->out + c->out_start, c->out_len);
		c->out_start = 0;
	}
	while (room < c->out_start + c->out_len + more)
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

int peer_conn_send(struct peer_conn *c, const struct peer_msg *msg)
{
	size_t need;
	struct err e;
	int len;

	if (c->state != CONN_OPEN)
		return -ENOTCONN;
	err_clear(&e);
	len = peer_msg_encode(msg, c->payload, sizeof(c->payload), &e);
	if (len < 0) {
		log_err("a message to the peer cannot be sent, report this bug: %s: %s", e.where, e.msg);
		return -EINVAL;
	}
	need = (size_t)len + FRAME_HEADER_LEN;
	if (c->out_len + need > QUEUE_MAX || !make_room(c, need)) {
		peer_conn_fail(c, "it does not take what is sent to it");
		return -ENOBUFS;
	}
	len = frame_encode((uint8_t)msg->type, c->seq + 1, c->payload, (size_t)len,
			   c->out + c->out_start + c->out_len, need, NULL);
	if (len < 0)
		return -EINVAL;
	c->seq++;
	c->out_len += (size_t)len;
	flush(c);
	update_events(c);
	return 0;
}

/* ---- receiving */

/* Hands on what is whole; false when the stream is broken. */
static bool take_frames(struct peer_conn *c)
{
	struct peer_msg msg;
	struct frame frame;
	struct err e;
	int ret = 0;

	err_clear(&e);
	while (c->state == CONN_OPEN && (ret = frame_next(&c->decoder, &frame, &e)) > 0) {
		ret = peer_msg_decode(frame.type, frame.payload, frame.len, &msg, &e);
		if (ret < 0)
			break;
		c->ops->message(c, &msg, c->data);
	}
	if (c->state != CONN_OPEN)
		return false;
	if (ret < 0) {
		peer_conn_fail(c, "it sent a malformed message: %s", e.msg);
		return false;
	}
	return true;
}

static bool feed(struct peer_conn *c, const unsigned char *p, size_t len)
{
	size_t took;

	while (len) {
		took = frame_feed(&c->decoder, p, len);
		p += took;
		len -= took;
		if (!take_frames(c))
			return false;
	}
	return true;
}

static void receive(struct peer_conn *c)
{
	char why[WHY_SIZE];
	ssize_t n;
	int i;

	for (i = 0; i < READS_PER_TURN && c->state == CONN_OPEN; i++) {
		n = tls_session_recv(c->tls, c->in, sizeof(c->in), why, sizeof(why));
		if (n == -EAGAIN)
			return;
		if (n < 0)
			peer_conn_fail(c, "%s", why);
		else if (n == 0)
			peer_conn_fail(c, "it closed the connection");
		else if (!feed(c, c->in, (size_t)n))
			return;
	}
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct peer_conn *c = data;

	(void)source;
	(void)fd;
	if (c->state == CONN_CONNECTING)
		finish_connect(c);
	if (c->state == CONN_HANDSHAKE) {
		handshake(c);
	} else if (c->state == CONN_OPEN) {
		if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
			receive(c);
		if (revents & EPOLLOUT && c->state == CONN_OPEN)
			flush(c);
	}
	update_events(c);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *data)
{
	static const char *const stage[] = {
		[CONN_CONNECTING] = "no answer to the connect",
		[CONN_HANDSHAKE] = "TLS handshake not finished in time",
		[CONN_OPEN] = "it did not introduce itself in time",
		[CONN_BROKEN] = "broken",
	};
	struct peer_conn *c = data;

	(void)source;
	(void)usec;
	peer_conn_fail(c, "%s", stage[c->state]);
	return 0;
}

/* ---- life */

static void set_tcp_options(int fd, uint64_t dead_after_us)
{
	unsigned ms = (unsigned)(dead_after_us / 1000);
	int one = 1;

	/* Both only make things faster: heartbeats notice what these would. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

static void set_address(struct peer_conn *c, const struct sockaddr *sa)
{
	const void *raw;

	if (sa->sa_family == AF_INET6)
		raw = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	else
		raw = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;
	inet_ntop(sa->sa_family, raw, c->address, sizeof(c->address));
}

static int watch(struct peer_conn *c, sd_event *event, const struct peer_conn_spec *spec)
{
	int ret = sd_event_add_io(event, &c->io, c->fd, 0, on_io, c);

	if (ret >= 0)
		ret = sd_event_add_time_relative(event, &c->deadline, CLOCK_MONOTONIC,
						 spec->server ? spec->deadline_us : spec->connect_us,
						 1000, on_deadline, c);
	if (ret >= 0)
		ret = sd_event_add_defer(event, &c->broken, on_broken, c);
	if (ret >= 0)
		ret = sd_event_source_set_enabled(c->broken, SD_EVENT_OFF);
	return ret;
}

int peer_conn_new(sd_event *event, const struct peer_conn_spec *spec, int *fd,
		  const struct sockaddr *addr, struct peer_conn **out)
{
	AUTO_CLOSE int owned = take_fd(fd);
	struct peer_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->fd = take_fd(&owned);
	c->ops = spec->ops;
	c->data = spec->data;
	c->deadline_us = spec->deadline_us;
	c->state = spec->server ? CONN_HANDSHAKE : CONN_CONNECTING;
	set_address(c, addr);
	set_tcp_options(c->fd, spec->dead_after_us);
	frame_decoder_init(&c->decoder);
	if (watch(c, event, spec) < 0 ||
	    tls_session_new(spec->creds, c->fd, spec->server, &c->tls) < 0) {
		peer_conn_free(c);
		return -ENOMEM;
	}
	update_events(c);
	*out = c;
	return 0;
}

void peer_conn_free(struct peer_conn *c)
{
	if (!c)
		return;
	tls_session_free(c->tls);
	sd_event_source_disable_unref(c->io);
	sd_event_source_disable_unref(c->deadline);
	sd_event_source_disable_unref(c->broken);
	close(c->fd);
	free(c->out);
	free(c);
}

size_t peer_conn_queued(const struct peer_conn *c)
{
	return c->out_len;
}

void peer_conn_settled(struct peer_conn *c)
{
	sd_event_source_set_enabled(c->deadline, SD_EVENT_OFF);
}

bool peer_conn_is_secured(const struct peer_conn *c)
{
	return c->state == CONN_OPEN;
}

bool peer_conn_is_broken(const struct peer_conn *c)
{
	return c->state == CONN_BROKEN;
}

const char *peer_conn_address(const struct peer_conn *c)
{
	return c->address;
}
