/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by peer_link.c (which connection counts) and peer_dial.c (where they
 * come from: listening and connecting). */
#ifndef NASD_SYS_PEER_LINK_INT_H
#define NASD_SYS_PEER_LINK_INT_H

#include "liveness.h"
#include "peer_clock.h"
#include "peer_conn.h"
#include "peer_link.h"

enum {
	LISTENING_NODE = 0,
	LINK_ATTEMPTS = 8,                /* connections not introduced yet */
	LINK_DIAL_US = 200 * 1000,
	LINK_FLAP_US = 1000 * 1000,
	LINK_CONNECT_US = 600 * 1000,     /* then anew: faster than SYN is repeated */
	LINK_DEADLINE_US = 3 * 1000 * 1000, /* handshake and introduction */
	LINK_SAY_AGAIN_US = 60 * 1000 * 1000,
};

_Static_assert((int)LINK_ATTEMPTS >= (int)CONF_NODE_ADDRESSES_MAX, "one attempt per address");

struct link_said {
	char reason[256];
	int64_t at_us;
};

struct link_listener {
	int fd;                   /* -1: not bound yet */
	sd_event_source *source;
	int said_errno;           /* the failure logged last */
};

struct peer_link {
	sd_event *event;
	const struct conf *conf;
	int self;
	struct peer_link_ops ops;
	void *data;
	struct tls_creds *creds;
	struct peer_intro own;
	/* connections */
	struct peer_conn *in_use;
	struct peer_conn *attempts[LINK_ATTEMPTS]; /* connecting: one per address */
	size_t next_attempt;      /* accepting: the oldest; connecting: the next address */
	struct link_listener listeners[CONF_NODE_ADDRESSES_MAX];
	sd_event_source *dial, *beat, *silence;
	int64_t dialled_us;
	/* what is known */
	struct peer_clock clock;
	struct liveness life;     /* of the connection in use */
	int64_t up_at_us, since_wall_us, last_heard_us;
	uint64_t connects, refused;
	char version[32];
	bool config_same;
	char last_error[256];
	struct link_said said[LINK_ATTEMPTS];
};

/* A new connection in this (empty) slot; takes *fd over. */
int peer_link_attempt(struct peer_link *l, size_t slot, int *fd, const struct sockaddr *addr);

/* peer_dial.c: listening or connecting, by our place in the configuration. */
void peer_dial_init(struct peer_link *l);
int peer_dial_start(struct peer_link *l);
void peer_dial_stop(struct peer_link *l);

/* The next attempt, delay_us from now but no sooner than the pace allows. */
void peer_dial_schedule(struct peer_link *l, int64_t delay_us);

#endif
