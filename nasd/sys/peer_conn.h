/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection of the peer link: connect, TLS handshake, frames, messages.
 * Who may speak, and which connection counts, is the link's business
 * (peer_link.c).
 */
#ifndef NASD_SYS_PEER_CONN_H
#define NASD_SYS_PEER_CONN_H

#include <stdint.h>
#include <sys/socket.h>

#include <systemd/sd-event.h>

#include "conf.h"
#include "err.h"
#include "model.h"
#include "tls.h"

struct peer_conn;

struct peer_conn_ops {
	/* The handshake is done: the other end holds the key. */
	void (*secured)(struct peer_conn *conn, void *data);
	void (*message)(struct peer_conn *conn, const struct peer_msg *msg, void *data);
	/* It broke. Called once, from the loop's top; the owner frees it here. */
	void (*closed)(struct peer_conn *conn, const char *reason, void *data);
};

struct peer_conn_spec {
	struct tls_creds *creds;
	bool server;              /* fd was accepted; else a connect is under way */
	uint64_t connect_us;      /* to be connected by then, from now */
	uint64_t deadline_us;     /* to be introduced by then, from being connected */
	uint64_t dead_after_us;   /* unacknowledged bytes break the connection */
	const struct peer_conn_ops *ops;
	void *data;
};

/* Takes *fd over (also on failure), a non-blocking TCP socket. 0 or -ENOMEM. */
int peer_conn_new(sd_event *event, const struct peer_conn_spec *spec, int *fd,
		  const struct sockaddr *addr, struct peer_conn **out);

/* No callback any more; not from within this connection's own. NULL is fine. */
void peer_conn_free(struct peer_conn *c);

/* Queues one message and sends what the socket takes: 0, -EINVAL (cannot be
 * encoded), -ENOBUFS (the connection is broken by it), -ENOTCONN. */
int peer_conn_send(struct peer_conn *c, const struct peer_msg *msg);

/* Breaks it; closed is called a turn of the loop later. */
void peer_conn_fail(struct peer_conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* It is introduced: the deadline no longer counts. */
void peer_conn_settled(struct peer_conn *c);

bool peer_conn_is_secured(const struct peer_conn *c);
bool peer_conn_is_broken(const struct peer_conn *c);

/* Bytes that the kernel has not taken yet. */
size_t peer_conn_queued(const struct peer_conn *c);
const char *peer_conn_address(const struct peer_conn *c); /* the other end's, no port */

#endif
