/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "clocks.h"
#include "log.h"
#include "peer_link_int.h"
#include "sock_addr.h"

enum { LISTEN_BACKLOG = 16 };

/* ---- the node that connects */

static void dial(struct peer_link *l)
{
	const struct conf_node *peer = &l->conf->nodes[!l->self];
	size_t slot = l->next_attempt % peer->n_addresses;
	const struct conf_ip *ip = &peer->addresses[slot];
	AUTO_CLOSE int fd = -1;
	union sock_addr a;
	socklen_t len = sock_addr_make(ip, l->conf->cluster.peer_port, &a);
	size_t i;

	l->next_attempt = slot + 1;
	l->dialled_us = monotonic_us();
	/* One that has got through is about to introduce itself: let it. */
	for (i = 0; i < LINK_ATTEMPTS; i++)
		if (l->attempts[i] && peer_conn_is_secured(l->attempts[i]))
			return;
	if (l->attempts[slot])
		return;
	fd = socket(ip->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		log_warn("peer link: cannot make a socket: %s", strerror(errno));
		return;
	}
	/* A failure at once (no route) is told like a later one, by the socket's
	 * error: the connection asks for it. */
	if (connect(fd, &a.sa, len) < 0 && errno != EINPROGRESS) {
		int errnum = errno;

		if (peer_link_attempt(l, slot, &fd, &a.sa) == 0)
			peer_conn_fail(l->attempts[slot], "cannot connect: %s", strerror(errnum));
		return;
	}
	if (peer_link_attempt(l, slot, &fd, &a.sa) < 0)
		log_warn("peer link: no memory for a connection");
}

/* ---- the node that listens */

/* The first empty slot; with none, the oldest attempt makes room: a real peer
 * is through in milliseconds, who sits there is not one. */
static size_t room_for_attempt(struct peer_link *l)
{
	size_t slot;

	for (slot = 0; slot < LINK_ATTEMPTS; slot++)
		if (!l->attempts[slot])
			return slot;
	slot = l->next_attempt++ % LINK_ATTEMPTS;
	peer_conn_free(l->attempts[slot]);
	l->attempts[slot] = NULL;
	l->refused++;
	return slot;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct peer_link *l = data;
	AUTO_CLOSE int conn = -1;
	union sock_addr a;
	socklen_t len = sizeof(a);

	(void)revents;
	conn = accept4(fd, &a.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (conn >= 0) {
		if (peer_link_attempt(l, room_for_attempt(l), &conn, &a.sa) < 0)
			log_warn("peer link: no memory for a connection");
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		/* It stays in the backlog; without a pause we would spin. */
		log_warn("peer link: cannot accept a connection: %s", strerror(errno));
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		peer_dial_schedule(l, LINK_FLAP_US);
	}
	return 0;
}

static int open_listener(struct peer_link *l, size_t i)
{
	const struct conf_ip *ip = &l->conf->nodes[l->self].addresses[i];
	AUTO_CLOSE int fd = socket(ip->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	union sock_addr a;
	socklen_t len = sock_addr_make(ip, l->conf->cluster.peer_port, &a);
	int one = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* The address may come later than we do (IP_FREEBIND is for both families). */
	setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	if (ip->family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (bind(fd, &a.sa, len) < 0 || listen(fd, LISTEN_BACKLOG) < 0)
		return -errno;
	if (sd_event_add_io(l->event, &l->listeners[i].source, fd, EPOLLIN, on_accept, l) < 0)
		return -ENOMEM;
	l->listeners[i].fd = take_fd(&fd);
	return 0;
}

/* True when all listen. */
static bool open_listeners(struct peer_link *l)
{
	const struct conf_node *self = &l->conf->nodes[l->self];
	bool all = true;
	size_t i;
	int ret;

	for (i = 0; i < self->n_addresses; i++) {
		struct link_listener *li = &l->listeners[i];

		if (li->fd >= 0) {
			sd_event_source_set_enabled(li->source, SD_EVENT_ON);
			continue;
		}
		ret = open_listener(l, i);
		if (ret < 0) {
			all = false;
			if (li->said_errno != ret)
				log_err("peer link: cannot listen on %s port %u: %s; trying again",
					self->addresses[i].text, l->conf->cluster.peer_port,
					strerror(-ret));
		}
		li->said_errno = ret;
	}
	return all;
}

/* ---- both */

static int on_dial(sd_event_source *source, uint64_t usec, void *data)
{
	struct peer_link *l = data;
	bool more;

	(void)source;
	(void)usec;
	if (l->self == LISTENING_NODE) {
		more = !open_listeners(l);
	} else {
		more = !l->in_use;
		if (more)
			dial(l);
	}
	if (more)
		peer_dial_schedule(l, l->self == LISTENING_NODE ? LINK_FLAP_US : LINK_DIAL_US);
	return 0;
}

void peer_dial_schedule(struct peer_link *l, int64_t delay_us)
{
	int64_t pace = l->dialled_us + LINK_DIAL_US - monotonic_us();

	if (l->self != LISTENING_NODE && delay_us < pace)
		delay_us = pace;
	sd_event_source_set_time_relative(l->dial, (uint64_t)delay_us);
	sd_event_source_set_enabled(l->dial, SD_EVENT_ONESHOT);
}

void peer_dial_init(struct peer_link *l)
{
	size_t i;

	for (i = 0; i < CONF_NODE_ADDRESSES_MAX; i++)
		l->listeners[i].fd = -1;
}

int peer_dial_start(struct peer_link *l)
{
	int ret = sd_event_add_time_relative(l->event, &l->dial, CLOCK_MONOTONIC, 0, 1000, on_dial, l);

	/* The listeners at once: who starts us may tell the peer that we are there. */
	if (ret >= 0 && l->self == LISTENING_NODE && open_listeners(l))
		return sd_event_source_set_enabled(l->dial, SD_EVENT_OFF);
	return ret;
}

void peer_dial_stop(struct peer_link *l)
{
	size_t i;

	sd_event_source_disable_unref(l->dial);
	for (i = 0; i < CONF_NODE_ADDRESSES_MAX; i++) {
		sd_event_source_disable_unref(l->listeners[i].source);
		if (l->listeners[i].fd >= 0)
			close(l->listeners[i].fd);
	}
}
