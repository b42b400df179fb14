/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Within netlink/ only: an AF_PACKET socket on one Ethernet interface. */
#ifndef NASD_NETLINK_ETHER_H
#define NASD_NETLINK_ETHER_H

#include <stddef.h>

#include "addr.h"

/*
 * Opens a non-blocking raw socket bound to the interface; protocol (host
 * order) 0 is for sending only. Fills mac with the interface's address.
 * Returns the descriptor or a negative errno.
 */
int net_ether_open(const char *ifname, unsigned protocol, unsigned char mac[NET_MAC_LEN],
		   struct err *e);

/*
 * Closes it without waiting: close() of a packet socket waits for an RCU grace
 * period (15 ms and more), which is left to a thread of its own.
 */
void net_ether_close(int fd);

static inline void net_ether_cleanup(const int *fd)
{
	if (*fd >= 0)
		net_ether_close(*fd);
}
#define AUTO_ETHER __attribute__((cleanup(net_ether_cleanup)))

/* Joins an Ethernet multicast group for as long as the socket is open. */
int net_ether_join(int fd, const char *ifname, const unsigned char group[NET_MAC_LEN], struct err *e);

/* Sends one whole frame. */
int net_ether_send(int fd, const char *ifname, const void *frame, size_t len, struct err *e);

#endif
