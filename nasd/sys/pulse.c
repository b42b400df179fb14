/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets are connected: the kernel drops what comes from elsewhere, and a
 * flood of it does not reach the loop. They are read at the common priority for
 * the same reason.
 */
#include "pulse.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/ip.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "cleanup.h"
#include "clocks.h"
#include "log.h"
#include "sock_addr.h"

enum {
	BEAT_PRIORITY = SD_EVENT_PRIORITY_NORMAL - 20,
	BEAT_ACCURACY_US = 1000,
	READS_PER_TURN = 16,
	SEND_TRIES = 2,
	OPEN_AGAIN_US = 500 * 1000,
	SAY_AGAIN_US = 60 * 1000 * 1000,
	SOCKET_PRIORITY = 6,      /* TC_PRIO_INTERACTIVE; 7 would need CAP_NET_ADMIN */
};

_Static_assert((int)PULSE_PATHS_MAX >= (int)CONF_NODE_ADDRESSES_MAX, "a path for each address");

struct path {
	struct pulse *p;
	unsigned index;
	int fd;                   /* -1: not open */
	sd_event_source *io;
	int open_errno, send_errno; /* said last; 0: all is well */
	int64_t heard_us;         /* -1: never */
	uint64_t last_seq;        /* in the peer's present session; 0: none */
	uint64_t sent, received, send_errors;
};

struct pulse {
	sd_event *event;
	const struct conf *conf;
	int self;
	struct pulse_ops ops;
	void *data;
	sd_event_source *beat;
	int64_t opened_us;        /* tried to, last */
	int64_t refused_us;       /* -1: never */
	bool keyed;
	unsigned char own_key[PULSE_KEY_SIZE], peer_key[PULSE_KEY_SIZE];
	uint64_t own_session, peer_session, seq;
	unsigned n_paths;
	struct path paths[PULSE_PATHS_MAX];
	int64_t said_us;          /* 0: never */
	uint32_t told_ms[PULSE_PATHS_MAX]; /* what the peer's newest pulse says it heard of us */
	int64_t told_us;          /* when that came; -1: none in this session */
	uint64_t told_seq;        /* of that pulse: another path may be slower */
	uint64_t verdicts[PULSE_VERDICTS];
};

static const struct conf_ip *own_ip(const struct path *w)
{
	return &w->p->conf->nodes[w->p->self].addresses[w->index];
}

static const struct conf_ip *peer_ip(const struct path *w)
{
	return &w->p->conf->nodes[!w->p->self].addresses[w->index];
}

/* ---- receiving */

/* One line a minute at most: who sends such things chooses how many. */
static void say_dropped(struct path *w, enum pulse_verdict v, int64_t now)
{
	struct pulse *p = w->p;

	if (v == PULSE_GOOD || v == PULSE_NO_KEY || v == PULSE_BAD_SESSION || v == PULSE_REPLAY)
		return;
	if (p->said_us && now - p->said_us < SAY_AGAIN_US)
		return;
	p->said_us = now;
	log_warn("a datagram from %s that is no pulse of %s was dropped (%s); %" PRIu64 " of this kind so far",
		 peer_ip(w)->text, p->conf->nodes[!p->self].name, pulse_verdict_name(v), p->verdicts[v]);
}

static void take(struct path *w, const void *datagram, size_t len, int64_t now)
{
	struct pulse *p = w->p;
	struct pulse_expect expect = { .node = (unsigned)!p->self, .path = w->index, .session = p->peer_session,
				       .key = p->keyed ? p->peer_key : NULL, .last_seq = w->last_seq };
	struct pulse_msg m;
	enum pulse_verdict v = pulse_decode(datagram, len, &expect, &m);

	p->verdicts[v]++;
	say_dropped(w, v, now);
	if (v != PULSE_GOOD)
		return;
	w->last_seq = m.seq;
	w->heard_us = now;
	w->received++;
	if (p->told_us < 0 || m.seq > p->told_seq) {
		memcpy(p->told_ms, m.heard_ms, sizeof(p->told_ms));
		p->told_us = now;
		p->told_seq = m.seq;
	}
	p->ops.heard(w->index, now, p->data);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct path *w = data;
	unsigned char buf[PULSE_LEN + 1]; /* one more, so that a longer one is seen */
	int64_t now = monotonic_us();

	(void)source;
	(void)revents;
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

		if (n >= 0)
			take(w, buf, (size_t)n, now);
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		else if (errno == ECONNREFUSED)
			w->p->refused_us = now;
		/* other ICMP errors about what we sent: reading them has cleared them */
	}
	return 0;
}

/* ---- sockets */

/* Only make things better: what fails here is passed over. */
static void set_precedence(int fd, int family)
{
	int tos = IPTOS_CLASS_CS6, priority = SOCKET_PRIORITY, one = 1;

	if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
		setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	} else {
		setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	}
	setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)); /* IP_TOS sets it, too */
}

static int open_path(struct path *w)
{
	const struct conf_ip *own = own_ip(w), *peer = peer_ip(w);
	uint16_t port = w->p->conf->cluster.peer_port;
	AUTO_CLOSE int fd = socket(own->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	union sock_addr a;
	socklen_t len = sock_addr_make(own, port, &a);
	int ret;

	if (fd < 0)
		return -errno;
	set_precedence(fd, own->family);
	if (bind(fd, &a.sa, len) < 0)
		return -errno;
	len = sock_addr_make(peer, port, &a);
	if (connect(fd, &a.sa, len) < 0)
		return -errno;
	ret = sd_event_add_io(w->p->event, &w->io, fd, EPOLLIN, on_readable, w);
	if (ret < 0)
		return ret;
	w->fd = take_fd(&fd);
	return 0;
}

static void open_paths(struct pulse *p, int64_t now)
{
	p->opened_us = now;
	for (unsigned i = 0; i < p->n_paths; i++) {
		struct path *w = &p->paths[i];
		int ret = w->fd >= 0 ? 0 : open_path(w);

		if (ret < 0 && ret != w->open_errno)
			log_warn("no heartbeats from %s to %s, port %u: %s; trying again", own_ip(w)->text,
				 peer_ip(w)->text, p->conf->cluster.peer_port, strerror(-ret));
		else if (ret == 0 && w->open_errno)
			log_notice("heartbeats go from %s to %s now", own_ip(w)->text, peer_ip(w)->text);
		w->open_errno = ret;
	}
}

static bool all_open(const struct pulse *p)
{
	for (unsigned i = 0; i < p->n_paths; i++)
		if (p->paths[i].fd < 0)
			return false;
	return true;
}

/* ---- sending */

/* A refusal is about an earlier datagram, and this one was not sent for it. */
static int send_datagram(struct path *w, const unsigned char *datagram, int64_t now)
{
	ssize_t n = -1;

	for (int i = 0; i < SEND_TRIES && n < 0; i++) {
		n = send(w->fd, datagram, PULSE_LEN, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != ECONNREFUSED)
			return -errno;
		if (n < 0)
			w->p->refused_us = now;
	}
	return n < 0 ? -ECONNREFUSED : 0;
}

static void send_pulse(struct path *w, struct pulse_msg *m)
{
	unsigned char datagram[PULSE_LEN];
	int ret;

	m->path = w->index;
	m->seq = ++w->p->seq;
	ret = pulse_encode(m, w->p->own_key, datagram);
	if (ret == 0)
		ret = send_datagram(w, datagram, m->sent_us);
	if (ret == 0)
		w->sent++;
	else
		w->send_errors++;
	if (ret == -ECONNREFUSED) /* nobody listens there: the link says what there is to say */
		return;
	if (ret < 0 && ret != w->send_errno)
		log_warn("heartbeats from %s to %s cannot be sent: %s; trying again", own_ip(w)->text,
			 peer_ip(w)->text, strerror(-ret));
	else if (ret == 0 && w->send_errno)
		log_notice("heartbeats from %s to %s are sent again", own_ip(w)->text, peer_ip(w)->text);
	w->send_errno = ret;
}

static uint32_t heard_ago_ms(const struct path *w, int64_t now)
{
	int64_t ms = w->heard_us < 0 ? -1 : (now - w->heard_us) / 1000;

	return ms < 0 || ms >= PULSE_NEVER ? PULSE_NEVER : (uint32_t)ms;
}

static void send_pulses(struct pulse *p, int64_t now)
{
	struct pulse_msg m = { .node = (unsigned)p->self, .n_paths = p->n_paths, .session = p->own_session,
			       .sent_us = now };

	for (unsigned i = 0; i < PULSE_PATHS_MAX; i++)
		m.heard_ms[i] = i < p->n_paths ? heard_ago_ms(&p->paths[i], now) : PULSE_NEVER;
	for (unsigned i = 0; i < p->n_paths; i++)
		if (p->paths[i].fd >= 0)
			send_pulse(&p->paths[i], &m);
}

static int on_beat(sd_event_source *source, uint64_t usec, void *data)
{
	struct pulse *p = data;
	int64_t now = monotonic_us();

	(void)usec;
	if (!all_open(p) && now - p->opened_us >= OPEN_AGAIN_US)
		open_paths(p, now);
	if (p->keyed)
		send_pulses(p, now);
	sd_event_source_set_time_relative(source, p->conf->cluster.heartbeat_interval_us);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- the interface */

int pulse_keys(struct pulse *p, const struct peer_intro *own, const struct peer_intro *peer)
{
	unsigned char own_key[PULSE_KEY_SIZE], peer_key[PULSE_KEY_SIZE];

	if (pulse_key_parse(own->pulse_key, own_key) < 0 || pulse_key_parse(peer->pulse_key, peer_key) < 0)
		return -EINVAL;
	/* The same nasd again: what it has sent before stays sent. */
	if (!p->keyed || p->peer_session != peer->pulse_session ||
	    gnutls_memcmp(p->peer_key, peer_key, sizeof(peer_key)) != 0) {
		for (unsigned i = 0; i < p->n_paths; i++)
			p->paths[i].last_seq = 0;
		p->told_us = -1;
	}
	memcpy(p->own_key, own_key, sizeof(own_key));
	memcpy(p->peer_key, peer_key, sizeof(peer_key));
	gnutls_memset(own_key, 0, sizeof(own_key));
	gnutls_memset(peer_key, 0, sizeof(peer_key));
	p->own_session = own->pulse_session;
	p->peer_session = peer->pulse_session;
	p->keyed = true;
	sd_event_source_set_time_relative(p->beat, 0);
	return 0;
}

int pulse_new(sd_event *event, const struct conf *conf, int self, const struct pulse_ops *ops,
	      void *data, struct pulse **out, struct err *err)
{
	size_t own = conf->nodes[self].n_addresses, peer = conf->nodes[!self].n_addresses;
	struct pulse *p = calloc(1, sizeof(*p));
	int ret;

	if (!p)
		return err_set(err, ERR_SYSTEM, ENOMEM, "heartbeats", "cannot be started");
	p->event = sd_event_ref(event);
	p->conf = conf;
	p->self = self;
	p->ops = *ops;
	p->data = data;
	p->told_us = p->refused_us = -1;
	p->n_paths = (unsigned)(own < peer ? own : peer);
	for (unsigned i = 0; i < p->n_paths; i++)
		p->paths[i] = (struct path){ .p = p, .index = i, .fd = -1, .heard_us = -1 };
	ret = sd_event_add_time_relative(event, &p->beat, CLOCK_MONOTONIC, conf->cluster.heartbeat_interval_us,
					 BEAT_ACCURACY_US, on_beat, p);
	if (ret >= 0)
		ret = sd_event_source_set_priority(p->beat, BEAT_PRIORITY);
	if (ret < 0) {
		pulse_free(p);
		return err_set(err, ERR_SYSTEM, -ret, "heartbeats", "cannot be started");
	}
	open_paths(p, monotonic_us());
	*out = p;
	return 0;
}

void pulse_free(struct pulse *p)
{
	if (!p)
		return;
	sd_event_source_disable_unref(p->beat);
	for (unsigned i = 0; i < p->n_paths; i++) {
		sd_event_source_disable_unref(p->paths[i].io);
		if (p->paths[i].fd >= 0)
			close(p->paths[i].fd);
	}
	sd_event_unref(p->event);
	gnutls_memset(p->own_key, 0, sizeof(p->own_key));
	gnutls_memset(p->peer_key, 0, sizeof(p->peer_key));
	free(p);
}

unsigned pulse_paths(const struct pulse *p)
{
	return p->n_paths;
}

int64_t pulse_refused_us(const struct pulse *p)
{
	return p->refused_us;
}

void pulse_status(const struct pulse *p, int64_t now, struct pulse_status *out)
{
	memset(out, 0, sizeof(*out));
	out->keyed = p->keyed;
	out->n_paths = p->n_paths;
	memcpy(out->verdicts, p->verdicts, sizeof(out->verdicts));
	for (unsigned i = 0; i < p->n_paths; i++) {
		const struct path *w = &p->paths[i];
		struct pulse_path_status *s = &out->paths[i];

		memcpy(s->address, own_ip(w)->text, sizeof(s->address));
		memcpy(s->peer_address, peer_ip(w)->text, sizeof(s->peer_address));
		s->open = w->fd >= 0;
		s->heard_us = w->heard_us;
		s->peer_heard_us = p->told_us < 0 || p->told_ms[i] == PULSE_NEVER ?
					   -1 :
					   now - p->told_us + (int64_t)p->told_ms[i] * 1000;
		s->sent = w->sent;
		s->received = w->received;
		s->send_errors = w->send_errors;
	}
}
