/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulated connection between the two nasd: one FIFO per direction. A
 * message is lost only with the connection; each end learns of that in its own
 * time, and a new connection begins when both have.
 */
#ifndef TESTS_SIM_SIM_LINK_H
#define TESTS_SIM_SIM_LINK_H

#include <stddef.h>

#include "model.h"
#include "prng.h"

struct link_msg {
	int64_t due;
	struct peer_msg msg;
};

struct link_fifo {
	struct link_msg **at;
	size_t n, cap;
};

struct sim_link {
	bool cut;              /* no connection can be made */
	bool no_network;       /* the same, for want of one */
	int over;              /* the network that it uses */
	int64_t stalled_due;   /* given up then, unless both ends run; 0: none */
	unsigned known_life[2]; /* of the peer's nasd, as introduced to each end */
	bool connected;
	bool up[2];            /* what each end believes */
	int64_t up_due[2];     /* 0: none */
	int64_t down_due[2];
	int64_t delay_max;     /* microseconds per message */
	struct link_fifo fifo[2]; /* by sender */
};

void link_init(struct sim_link *l);
void link_free(struct sim_link *l);

/* Begins a connection when nothing stands against it. alive: the processes. */
void link_try(struct sim_link *l, struct prng *r, int64_t now, const bool alive[2]);
/* The connection is lost, with all that was under way; but what has reached the
 * sockets of a node that stands still (-1: none) is there when it goes on. */
void link_break(struct sim_link *l, struct prng *r, int64_t now, int stopped);
/* The process at this end has gone: it notices nothing any more. */
void link_end_died(struct sim_link *l, int node);
void link_send(struct sim_link *l, struct prng *r, int64_t now, int from, const struct peer_msg *m);
/* When the next message from this node arrives; INT64_MAX: none. */
int64_t link_due(const struct sim_link *l, int from);
/* Takes it out; the caller frees it. */
struct link_msg *link_take(struct sim_link *l, int from);

#endif
