/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TCP connection as seen from this side. */
#ifndef NASD_NETLINK_FLOW_H
#define NASD_NETLINK_FLOW_H

#include <stdint.h>

struct net_flow {
	int family;               /* AF_INET or AF_INET6; never v4-mapped */
	unsigned char local[16];  /* network order; 4 bytes for AF_INET */
	unsigned char remote[16];
	uint16_t local_port;      /* host order */
	uint16_t remote_port;
};

#endif
