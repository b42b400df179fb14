/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP tickles: an ACK from a floating address to a client that was connected
 * to it. The client's kernel answers with a challenge ACK (RFC 5961 5.2), our
 * kernel, which does not know the connection, answers that with RST
 * (RFC 9293 3.10.7.1), and the client reconnects at once instead of after its
 * retransmission timeout. Over raw sockets (raw(7), IP_HDRINCL; ipv6(7)).
 */
#ifndef NASD_NETLINK_TICKLE_H
#define NASD_NETLINK_TICKLE_H

#include <stddef.h>

#include "err.h"
#include "flow.h"

/*
 * Sends one tickle per flow and never waits for an answer. The local addresses
 * must be on this node already, and the server must be listening: a client
 * that is reset before that backs off. *sent (may be NULL) counts the tickles
 * handed to the kernel; when it is less than n, the return value and e tell
 * of the first failure, and the others were sent all the same.
 */
int net_tickle_send(const struct net_flow *flows, size_t n, size_t *sent, struct err *e);

#endif
