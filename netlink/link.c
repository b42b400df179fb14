/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "link.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/attr.h>

#include "sock.h"

struct net_watch {
	struct nl_sock *sock;
};

static void read_link(const struct ifinfomsg *ifi, struct nlattr *const *tb, struct net_link *link)
{
	*link = (struct net_link){
		.ifindex = (unsigned)ifi->ifi_index,
		.up = ifi->ifi_flags & IFF_UP,
		.running = ifi->ifi_flags & (1u << 16), /* IFF_LOWER_UP, linux/if.h */
	};
	if (ifi->ifi_type == ARPHRD_ETHER && tb[IFLA_ADDRESS] &&
	    nla_len(tb[IFLA_ADDRESS]) == NET_MAC_LEN)
		memcpy(link->mac, nla_data(tb[IFLA_ADDRESS]), NET_MAC_LEN);
}

static void on_link(struct nlmsghdr *nlh, void *arg)
{
	struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *ifi = nlmsg_data(nlh);

	if (nlh->nlmsg_type == RTM_NEWLINK && nlmsg_parse(nlh, sizeof(*ifi), tb, IFLA_MAX, NULL) >= 0)
		read_link(ifi, tb, arg);
}

int net_link_get(const char *ifname, struct net_link *out, struct err *e)
{
	AUTO_NL_SOCK struct nl_sock *sock = net_sock_open(NETLINK_ROUTE, ifname, e);
	AUTO_NL_MSG struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETLINK, 0);
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct net_link link = { 0 };
	int ret;

	if (!sock)
		return -EIO;
	if (!msg || nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(msg, IFLA_IFNAME, ifname) < 0)
		return err_set(e, ERR_SYSTEM, ENOMEM, ifname, "no memory for a netlink message");
	ret = net_sock_request(sock, msg, NET_SOCK_TIMEOUT_MS, on_link, &link);
	if (ret && ret != -ENODEV)
		return err_set(e, ret == -ETIMEDOUT ? ERR_TIMEOUT : ERR_SYSTEM, -ret, ifname,
			       "cannot read the state of the interface");
	*out = link;
	return 0;
}

int net_watch_open(struct net_watch **watch, struct err *e)
{
	struct net_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return err_set(e, ERR_SYSTEM, ENOMEM, "link watch", "no memory");
	w->sock = net_sock_open(NETLINK_ROUTE, "link watch", e);
	if (!w->sock) {
		free(w);
		return -EIO;
	}
	nl_socket_set_buffer_size(w->sock, 1 << 20, 0);
	if (nl_socket_add_memberships(w->sock, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				      0)) {
		net_watch_close(w);
		return err_set(e, ERR_SYSTEM, EPROTO, "link watch", "cannot subscribe to link events");
	}
	*watch = w;
	return 0;
}

void net_watch_close(struct net_watch *watch)
{
	if (watch)
		nl_socket_free(watch->sock);
	free(watch);
}

int net_watch_fd(const struct net_watch *watch)
{
	return nl_socket_get_fd(watch->sock);
}

static bool link_event(struct nlmsghdr *nlh, struct net_event *ev)
{
	struct nlattr *tb[IFLA_MAX + 1];
	const struct ifinfomsg *ifi = nlmsg_data(nlh);

	if (nlmsg_parse(nlh, sizeof(*ifi), tb, IFLA_MAX, NULL) < 0 || ifi->ifi_family != AF_UNSPEC)
		return false; /* AF_BRIDGE: a port's settings */
	ev->kind = nlh->nlmsg_type == RTM_NEWLINK ? NET_EVENT_LINK : NET_EVENT_LINK_GONE;
	ev->ifindex = (unsigned)ifi->ifi_index;
	read_link(ifi, tb, &ev->link);
	if (tb[IFLA_IFNAME])
		snprintf(ev->ifname, sizeof(ev->ifname), "%s", nla_get_string(tb[IFLA_IFNAME]));
	return true;
}

static bool addr_event(struct nlmsghdr *nlh, struct net_event *ev)
{
	struct nlattr *tb[IFA_MAX + 1], *ip;
	const struct ifaddrmsg *ifa = nlmsg_data(nlh);
	char name[IF_NAMESIZE];

	if (nlmsg_parse(nlh, sizeof(*ifa), tb, IFA_MAX, NULL) < 0)
		return false;
	ip = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!ip || nla_len(ip) != (ifa->ifa_family == AF_INET ? 4 : 16))
		return false;
	ev->kind = nlh->nlmsg_type == RTM_NEWADDR ? NET_EVENT_ADDR_ADDED : NET_EVENT_ADDR_REMOVED;
	ev->ifindex = ifa->ifa_index;
	ev->addr.family = ifa->ifa_family;
	ev->addr.prefixlen = ifa->ifa_prefixlen;
	memcpy(ev->addr.ip, nla_data(ip), (size_t)nla_len(ip));
	if (if_indextoname(ifa->ifa_index, name)) {
		memcpy(ev->ifname, name, sizeof(ev->ifname));
		memcpy(ev->addr.ifname, name, sizeof(ev->addr.ifname));
	}
	return true;
}

static bool to_event(struct nlmsghdr *nlh, struct net_event *ev)
{
	*ev = (struct net_event){ 0 };
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK: return link_event(nlh, ev);
	case RTM_NEWADDR:
	case RTM_DELADDR: return addr_event(nlh, ev);
	default: return false;
	}
}

int net_watch_read(struct net_watch *watch, void (*fn)(const struct net_event *event, void *arg), void *arg,
		   struct err *e)
{
	struct net_event ev = { .kind = NET_EVENT_LOST };
	struct sockaddr_nl from;
	unsigned char *buf;
	int n;

	for (;;) {
		buf = NULL;
		n = nl_recv(watch->sock, &from, &buf, NULL);
		if (n == 0 || n == -NLE_AGAIN)
			return 0;
		if (n == -NLE_NOMEM) { /* ENOBUFS */
			ev = (struct net_event){ .kind = NET_EVENT_LOST };
			fn(&ev, arg);
			continue;
		}
		if (n < 0)
			return err_set(e, ERR_SYSTEM, EIO, "link watch", "%s", nl_geterror(n));
		struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)buf;

		for (int left = n; from.nl_pid == 0 && nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left))
			if (to_event(nlh, &ev))
				fn(&ev, arg);
		free(buf);
	}
}
