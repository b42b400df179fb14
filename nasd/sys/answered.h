/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a client has had an answer: established connections to the floating
 * addresses on which data that we sent has been acknowledged (NETLINK_SOCK_DIAG
 * with INET_DIAG_INFO, tcpi_bytes_acked of linux/tcp.h).
 */
#ifndef NASD_SYS_ANSWERED_H
#define NASD_SYS_ANSWERED_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "flow.h"

/*
 * Collects at most max of them in flows and says in *n how many there are.
 * Blocks for at most a second.
 */
int answered_list(const struct net_addr *locals, size_t n_locals, uint16_t port,
		  struct net_flow *flows, size_t max, size_t *n, struct err *e);

#endif
