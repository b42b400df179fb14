/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Link state (RTM_GETLINK) and a watch on links and addresses (RTNLGRP_LINK,
 * RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR; rtnetlink(7)).
 */
#ifndef NASD_NETLINK_LINK_H
#define NASD_NETLINK_LINK_H

#include <stdbool.h>

#include "addr.h"

struct net_link {
	unsigned ifindex; /* 0 when the interface does not exist */
	bool up;          /* IFF_UP: somebody wants it up */
	bool running;     /* IFF_LOWER_UP: carrier */
	unsigned char mac[NET_MAC_LEN]; /* zero when it has no Ethernet address */
};

/* A missing interface is success with ifindex 0. */
int net_link_get(const char *ifname, struct net_link *out, struct err *e);

enum net_event_kind {
	NET_EVENT_LINK,         /* changed or appeared: ifname, link */
	NET_EVENT_LINK_GONE,    /* ifname */
	NET_EVENT_ADDR_ADDED,   /* ifname, addr */
	NET_EVENT_ADDR_REMOVED, /* ifname, addr */
	NET_EVENT_LOST          /* the kernel dropped events: query again what you rely on */
};

struct net_event {
	enum net_event_kind kind;
	char ifname[NET_IFNAME_MAX]; /* "" when the interface is gone already */
	unsigned ifindex;
	struct net_link link; /* NET_EVENT_LINK */
	struct net_addr addr; /* NET_EVENT_ADDR_*; its ifname is filled in too */
};

struct net_watch;

/* Opens a watch; nothing is reported about the state before. */
int net_watch_open(struct net_watch **watch, struct err *e);

/* Readable (EPOLLIN) when there are events; the watch keeps owning it. */
int net_watch_fd(const struct net_watch *watch);

/*
 * Reads all that is there without blocking and calls fn for each event; event
 * is valid during the call only. fn must not close the watch.
 */
int net_watch_read(struct net_watch *watch, void (*fn)(const struct net_event *event, void *arg),
		   void *arg, struct err *e);

/* NULL is allowed. */
void net_watch_close(struct net_watch *watch);

#endif
