/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is connected: NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY (linux/inet_diag.h,
 * sock_diag(7)).
 */
#ifndef NASD_NETLINK_SOCKDIAG_H
#define NASD_NETLINK_SOCKDIAG_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "flow.h"

struct net_conn {
	struct net_flow flow; /* v4-mapped sockets appear as AF_INET */
	uint32_t rqueue;      /* bytes received and not yet read by the server */
	uint32_t wqueue;      /* bytes written and not yet acknowledged by the client */
	uint8_t state;        /* TCP_ESTABLISHED (1) as in netinet/tcp.h */
};

/*
 * Lists the established TCP connections with local port port (host order) and
 * a local address among the n_locals addresses (prefix and interface are
 * ignored; n_locals 0: any address), but for those of an address to itself, which
 * are no client's. *conns is the caller's, for net_conn_free(); NULL when *count is 0.
 */
int net_conn_list(const struct net_addr *locals, size_t n_locals, uint16_t port,
		  struct net_conn **conns, size_t *count, struct err *e);

void net_conn_free(struct net_conn *conns);

#endif
