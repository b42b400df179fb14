/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Duplicate detection before a floating address is taken: does any other
 * machine on the link answer for it? IPv4: ARP probe with sender address
 * 0.0.0.0 (RFC 5227 2.1.1). IPv6: neighbour solicitation from the unspecified
 * address (RFC 4862 5.4.2). Over AF_PACKET, so neither this node's addresses
 * nor its neighbour tables are touched.
 */
#ifndef NASD_NETLINK_DUP_H
#define NASD_NETLINK_DUP_H

#include <stdbool.h>

#include "addr.h"

/*
 * Sends three probes spread over timeout_ms (1..10000) and returns as soon as
 * somebody answers; so "free" costs timeout_ms and "in use" one round trip.
 * *in_use says whether someone did, and mac then holds its hardware address,
 * so that a caller can tell the legitimate holder (the active node, before a
 * switchover) from a stranger. Answers from ignore_mac (may be NULL) and from
 * this interface itself do not count. Another machine's probe for the same
 * address counts as use (RFC 5227 2.1.1). -ENODEV, -ENETDOWN: interface
 * missing or down; nothing is known then.
 */
int net_dup_probe(const struct net_addr *addr, unsigned timeout_ms,
		  const unsigned char *ignore_mac, bool *in_use,
		  unsigned char mac[NET_MAC_LEN], struct err *e);

#endif
