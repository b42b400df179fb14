/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The link to the other nasd: TLS 1.3, both sides authenticated, one
 * connection in use at a time, reconnecting by itself for ever. Node index 0
 * listens, node index 1 connects. INTRO and HEARTBEAT messages are the link's
 * own and never reach the message callback. Everything runs in the event loop;
 * no function here blocks.
 */
#ifndef NASD_SYS_PEER_LINK_H
#define NASD_SYS_PEER_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <systemd/sd-event.h>

#include "conf.h"
#include "err.h"
#include "model.h"

struct peer_link;

/*
 * up and down alternate, up first. A connection that replaces one in use gives
 * down and then up. message comes only between up and down. The callbacks may
 * call peer_link_send and peer_link_status (address, config_same), not
 * peer_link_free.
 */
struct peer_link_ops {
	void (*up)(const struct peer_intro *intro, void *data);
	void (*down)(const char *reason, void *data);
	void (*message)(const struct peer_msg *msg, void *data);
};

/*
 * Reads the key material and starts listening or connecting. conf must outlive
 * the link; self is our index in it. Errors: no or bad key material
 * (ERR_REFUSED), a listening address that cannot be bound is logged and tried
 * again, not an error.
 */
int peer_link_new(sd_event *event, const struct conf *conf, int self,
		  const struct peer_link_ops *ops, void *data, struct peer_link **out,
		  struct err *err);

/* Closes everything; no callback is called any more. link may be NULL. */
void peer_link_free(struct peer_link *link);

/*
 * Queues a message. 0; -ENOTCONN when down; -EINVAL when it cannot be encoded;
 * -ENOBUFS when the peer does not take what is queued already (the link then
 * goes down, from the event loop, and comes back by itself). Messages arrive in
 * order, once, or the link goes down: after a down nobody knows which of the
 * last ones arrived.
 */
int peer_link_send(struct peer_link *link, const struct peer_msg *msg);

bool peer_link_is_up(const struct peer_link *link);

/* When anything came over the link last, monotonic; 0: never. */
int64_t peer_link_heard_us(const struct peer_link *link);

/* How we introduce ourselves; as long as the link lives. */
const struct peer_intro *peer_link_own_intro(const struct peer_link *link);

/* Bytes that the kernel has not taken yet: who has much to say, waits with more. */
size_t peer_link_queued(const struct peer_link *link);

/*
 * The peer's monotonic clock minus ours, in microseconds, from the exchange
 * with the least round trip of the last 16. False while there is none; the
 * error is at most half of *rtt_us. It survives a down until the first exchange
 * of the next connection.
 */
bool peer_link_clock_offset_us(const struct peer_link *link, int64_t *offset_us, int64_t *rtt_us);

struct peer_link_status {
	char node[CONF_HOST_MAX];  /* the peer's name in the configuration */
	bool connected;            /* introduced, in use */
	char address[CONF_IP_MAX]; /* of the connection in use */
	int64_t since_wall_us;     /* up or down since, CLOCK_REALTIME */
	int64_t rtt_us;            /* the newest exchange; -1: unknown */
	int64_t last_heard_us;     /* monotonic; 0: never */
	char version[32];          /* empty until introduced once */
	bool config_same;
	uint64_t connects;         /* times the link came up */
	uint64_t refused;          /* connections turned away for any reason */
	char last_error[256];      /* why it is or was last down; empty: never */
};

void peer_link_status(const struct peer_link *link, struct peer_link_status *out);

#endif
