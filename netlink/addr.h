/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Floating addresses over rtnetlink (RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR;
 * linux/if_addr.h).
 *
 * All functions of netlink/ that talk to the kernel block for a bounded time,
 * use a socket of their own (so that any thread may call them), return 0 or a
 * negative errno value, and then fill e (may be NULL) with place and remedy.
 * The prefix is net_, because nl_ belongs to libnl.
 */
#ifndef NASD_NETLINK_ADDR_H
#define NASD_NETLINK_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

enum {
	NET_IFNAME_MAX = 16,    /* IFNAMSIZ, with the terminating zero */
	NET_ADDR_TEXT_MAX = 52, /* INET6_ADDRSTRLEN and "/128" */
	NET_MAC_LEN = 6,
};

struct net_addr {
	int family;           /* AF_INET or AF_INET6 */
	unsigned char ip[16]; /* network order; the first 4 bytes for AF_INET */
	unsigned prefixlen;   /* bits */
	char ifname[NET_IFNAME_MAX];
};

/*
 * Parses "10.77.1.100/24" or "fd00::100/64"; the prefix length is required.
 * Refuses (-EINVAL) what no host can hold: unspecified, loopback, multicast,
 * v4-mapped, network and broadcast addresses. Pure: ifname is copied and
 * checked for its form only.
 */
int net_addr_parse(const char *text, const char *ifname, struct net_addr *out, struct err *e);

/* "10.77.1.100/24", without the interface; returns buf, always terminated. */
char *net_addr_format(const struct net_addr *addr, char *buf, size_t size);

/* The same without the prefix length. */
char *net_addr_format_ip(int family, const unsigned char *ip, char *buf, size_t size);

/* Both in network order and of one family: are their first prefixlen bits equal? */
bool net_same_subnet(const unsigned char *a, const unsigned char *b, unsigned prefixlen);

/*
 * Adds the address to its interface. An identical address that is there
 * already is success. -ENODEV: no such interface; -EEXIST: the same address
 * is on this interface with another prefix length, or on another interface of
 * this node. Nothing is probed (see dup.h) and nothing announced (announce.h).
 *
 * IPv4: an address within the subnet of the interface's own address becomes a
 * secondary one, so it adds no route and is no default source address.
 * IPv6: added without kernel DAD (IFA_F_NODAD), or it would be unusable for a
 * second, and with a preferred lifetime of 0 (RFC 4862 5.5.4 "deprecated"),
 * so that this node's own connections do not pick it as their source. When 0
 * is returned, packets to the address are taken, which the kernel does some time
 * after it has confirmed the address; should that take longer than
 * NET_ADDR_DELIVERY_MS, it is not waited for, and 0 is returned all the same.
 */
int net_addr_add(const struct net_addr *addr, struct err *e);

enum { NET_ADDR_DELIVERY_MS = 200 };

/*
 * Removes the address; one that is not there (or whose interface is gone) is
 * success. When 0 is returned, no socket of this node sends packets from the
 * address any more. IPv4: should the address be the primary one of its
 * subnet, promote_secondaries is switched on for the interface first, or the
 * kernel would remove the node's own addresses with it. IPv6: the kernel does
 * not check the source of connected sockets, so a routing rule "from ADDR
 * blackhole" (preference NET_ADDR_RULE_PREF) stays until the address is added
 * again.
 */
int net_addr_del(const struct net_addr *addr, struct err *e);

enum { NET_ADDR_RULE_PREF = 77 };

/* Whether exactly this address (interface and prefix length too) is there. */
int net_addr_present(const struct net_addr *addr, bool *present, struct err *e);

/*
 * The same for n of them, at a fraction of the cost: one socket, asked once. Up to
 * the first that fails; present has n elements.
 */
int net_addr_add_all(const struct net_addr *addrs, size_t n, struct err *e);
int net_addr_del_all(const struct net_addr *addrs, size_t n, struct err *e);
int net_addr_present_all(const struct net_addr *addrs, size_t n, bool *present, struct err *e);

#endif
