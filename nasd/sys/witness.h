/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is this node cut off from the clients? Asked of machines that should answer:
 * the clients themselves, and addresses that the configuration names (a router,
 * say). By ARP and neighbour solicitation (netlink/dup.h), so only of machines on
 * the floating addresses' own links, which need not answer pings.
 */
#ifndef NASD_SYS_WITNESS_H
#define NASD_SYS_WITNESS_H

#include <stddef.h>

#include "addr.h"
#include "conf.h"
#include "liveness.h"

enum { WITNESSES_MAX = 8, WITNESS_MS = 450 };

struct witnesses {
	size_t n;
	struct net_addr addrs[WITNESSES_MAX];
};

/*
 * Adds an address ("10.77.1.22") when it is on the link of one of the group's
 * floating addresses, is none of them, and there is room. Anything else is
 * passed over.
 */
void witnesses_add(struct witnesses *w, const struct conf_group *g, const char *ip);

/* Asks all at once; blocks until one answers, or for WITNESS_MS: for lanes. */
enum witness witnesses_ask(const struct witnesses *w);

#endif
