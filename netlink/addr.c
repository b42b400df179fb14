/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "addr.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <netlink/attr.h>

#include "cleanup.h"
#include "sock.h"

/* What is on this node already, seen from the address in question. */
struct scan {
	const struct net_addr *want;
	unsigned ifindex;   /* of want's interface */
	bool present;       /* exactly this one */
	bool other_prefix;  /* the same address, another prefix length */
	unsigned elsewhere; /* index of another interface that has it */
	bool secondary;     /* of the one that is present */
	bool dad_failed;
	bool has_followers; /* other addresses of the same subnet on the interface */
};

static size_t ip_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

static void scan_one(struct scan *s, const struct ifaddrmsg *ifa, const unsigned char *ip,
		     uint32_t flags)
{
	bool here = ifa->ifa_index == s->ifindex;

	if (memcmp(ip, s->want->ip, ip_size(s->want->family)) != 0) {
		if (here && ifa->ifa_prefixlen == s->want->prefixlen &&
		    net_same_subnet(ip, s->want->ip, s->want->prefixlen))
			s->has_followers = true;
	} else if (!here) {
		s->elsewhere = ifa->ifa_index;
	} else if (ifa->ifa_prefixlen != s->want->prefixlen) {
		s->other_prefix = true;
	} else {
		s->present = true;
		s->secondary = flags & IFA_F_SECONDARY;
		s->dad_failed = s->want->family == AF_INET6 && flags & IFA_F_DADFAILED;
	}
}

static void on_addr(struct nlmsghdr *nlh, void *arg)
{
	struct scan *s = arg;
	struct nlattr *tb[IFA_MAX + 1], *ip;
	const struct ifaddrmsg *ifa = nlmsg_data(nlh);

	if (nlh->nlmsg_type != RTM_NEWADDR ||
	    nlmsg_parse(nlh, sizeof(*ifa), tb, IFA_MAX, NULL) < 0 ||
	    ifa->ifa_family != s->want->family)
		return;
	ip = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	if (!ip || (size_t)nla_len(ip) < ip_size(s->want->family))
		return;
	scan_one(s, ifa, nla_data(ip), tb[IFA_FLAGS] ? nla_get_u32(tb[IFA_FLAGS]) : ifa->ifa_flags);
}

static int scan(struct nl_sock *sock, const struct net_addr *addr, unsigned ifindex, struct scan *s)
{
	int ret = -EINTR;

	for (int i = 0; i < 5 && ret == -EINTR; i++) {
		AUTO_NL_MSG struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETADDR, NLM_F_DUMP);
		struct ifaddrmsg ifa = { .ifa_family = (unsigned char)addr->family };

		*s = (struct scan){ .want = addr, .ifindex = ifindex };
		if (!msg || nlmsg_append(msg, &ifa, sizeof(ifa), NLMSG_ALIGNTO) < 0)
			return -ENOMEM;
		ret = net_sock_request(sock, msg, NET_SOCK_TIMEOUT_MS, on_addr, s);
	}
	return ret;
}

static int change(struct nl_sock *sock, const struct net_addr *addr, unsigned ifindex, int type, int flags)
{
	AUTO_NL_MSG struct nl_msg *msg = nlmsg_alloc_simple(type, flags);
	bool v6 = addr->family == AF_INET6;
	struct ifaddrmsg ifa = {
		.ifa_family = (unsigned char)addr->family,
		.ifa_prefixlen = (unsigned char)addr->prefixlen,
		.ifa_index = ifindex,
	};
	struct ifa_cacheinfo deprecated = { .ifa_prefered = 0, .ifa_valid = UINT32_MAX };
	int size = (int)ip_size(addr->family);

	if (!msg || nlmsg_append(msg, &ifa, sizeof(ifa), NLMSG_ALIGNTO) < 0 ||
	    nla_put(msg, IFA_LOCAL, size, addr->ip) < 0 ||
	    nla_put(msg, IFA_ADDRESS, size, addr->ip) < 0)
		return -ENOMEM;
	if (v6 && type == RTM_NEWADDR &&
	    (nla_put_u32(msg, IFA_FLAGS, IFA_F_NODAD) < 0 ||
	     nla_put(msg, IFA_CACHEINFO, sizeof(deprecated), &deprecated) < 0))
		return -ENOMEM;
	return net_sock_request(sock, msg, NET_SOCK_TIMEOUT_MS, NULL, NULL);
}

/*
 * The rule "from ADDR blackhole" of addr.h (IPv6 only). Several copies would
 * be possible, so it is created exclusively.
 */
static int source_rule(struct nl_sock *sock, const struct net_addr *addr, bool wanted)
{
	AUTO_NL_MSG struct nl_msg *msg = nlmsg_alloc_simple(
		wanted ? RTM_NEWRULE : RTM_DELRULE, wanted ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct fib_rule_hdr hdr = {
		.family = AF_INET6,
		.src_len = 128,
		.action = FR_ACT_BLACKHOLE,
	};
	int ret;

	if (addr->family != AF_INET6)
		return 0;
	if (!msg || nlmsg_append(msg, &hdr, sizeof(hdr), NLMSG_ALIGNTO) < 0 ||
	    nla_put(msg, FRA_SRC, 16, addr->ip) < 0 ||
	    nla_put_u32(msg, FRA_PRIORITY, NET_ADDR_RULE_PREF) < 0)
		return -ENOMEM;
	ret = net_sock_request(sock, msg, NET_SOCK_TIMEOUT_MS, NULL, NULL);
	if (wanted ? ret == -EEXIST : ret == -ENOENT)
		ret = 0;
	return ret == -EOPNOTSUPP || ret == -EAFNOSUPPORT ? 0 : ret; /* kernel without policy rules */
}

static int fail(const struct net_addr *addr, int ret, const char *what, struct err *e)
{
	char where[ERR_WHERE_MAX], text[NET_ADDR_TEXT_MAX];

	snprintf(where, sizeof(where), "address %s on %s",
		 net_addr_format(addr, text, sizeof(text)), addr->ifname);
	if (ret == -ETIMEDOUT)
		err_set(e, ERR_TIMEOUT, ETIMEDOUT, where, "%s: no answer from the kernel", what);
	else
		err_set(e, ERR_SYSTEM, -ret, where, "%s", what);
	if (ret == -EPERM)
		err_remedy(e, "run as root, or with CAP_NET_ADMIN");
	else if (ret == -EACCES && addr->family == AF_INET6)
		err_remedy(e, "set net.ipv6.conf.%s.disable_ipv6 to 0", addr->ifname);
	return ret;
}

static int no_interface(const struct net_addr *addr, struct err *e)
{
	err_set(e, ERR_REFUSED, ENODEV, "address", "this node has no interface \"%s\"", addr->ifname);
	err_remedy(e, "create the interface, or correct its name in the configuration");
	return -ENODEV;
}

static int refuse_conflict(const struct net_addr *addr, const struct scan *s, struct err *e)
{
	char text[NET_ADDR_TEXT_MAX], other[IF_NAMESIZE] = "?";

	net_addr_format(addr, text, sizeof(text));
	if (s->elsewhere) {
		if_indextoname(s->elsewhere, other);
		err_set(e, ERR_REFUSED, EEXIST, "address", "%s is on interface %s already, not on %s",
			text, other, addr->ifname);
		err_remedy(e, "remove it there: ip addr del %s dev %s", text, other);
	} else {
		err_set(e, ERR_REFUSED, EEXIST, "address",
			"the address of %s is on %s with another prefix length", text, addr->ifname);
		err_remedy(e, "remove it, or configure the same prefix length");
	}
	return -EEXIST;
}

static void on_route(struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *route = nlmsg_data(nlh);

	if (nlh->nlmsg_type == RTM_NEWROUTE && route->rtm_type == RTN_LOCAL)
		*(bool *)arg = true;
}

/*
 * IPv6: the kernel confirms a new address and makes the route that delivers to
 * it afterwards, in a work queue, on a busy node many milliseconds later. What
 * arrives until then is dropped; and that would be the client's answer to the
 * tickle, which is not sent again.
 */
static void await_delivery(struct nl_sock *sock, const struct net_addr *addr)
{
	const struct timespec pause = { .tv_nsec = 500 * 1000 };
	bool local = addr->family != AF_INET6;
	int64_t end = 0;

	while (!local) {
		AUTO_NL_MSG struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETROUTE, 0);
		struct rtmsg hdr = { .rtm_family = AF_INET6, .rtm_dst_len = 128 };

		if (!msg || nlmsg_append(msg, &hdr, sizeof(hdr), NLMSG_ALIGNTO) < 0 ||
		    nla_put(msg, RTA_DST, 16, addr->ip) < 0)
			return;
		net_sock_request(sock, msg, NET_SOCK_TIMEOUT_MS, on_route, &local);
		if (local || (end && net_now_ms() >= end))
			return;
		if (!end)
			end = net_now_ms() + NET_ADDR_DELIVERY_MS;
		nanosleep(&pause, NULL);
	}
}

/* One socket for a series of addresses, and the index of the interface of the last. */
struct session {
	struct nl_sock *sock;
	const char *ifname;
	unsigned ifindex;
};

static unsigned index_of(struct session *w, const char *ifname)
{
	if (!w->ifname || strcmp(w->ifname, ifname) != 0)
		w->ifindex = if_nametoindex(ifname);
	w->ifname = ifname;
	return w->ifindex;
}

static int add_one(struct session *w, const struct net_addr *addr, struct err *e)
{
	unsigned ifindex = index_of(w, addr->ifname);
	struct scan s;
	int ret;

	if (!ifindex)
		return no_interface(addr, e);
	ret = scan(w->sock, addr, ifindex, &s);
	if (ret)
		return fail(addr, ret, "cannot list the addresses", e);
	if (s.elsewhere || s.other_prefix)
		return refuse_conflict(addr, &s, e);
	if (s.dad_failed) /* put there by somebody else, with DAD: dead as it is */
		change(w->sock, addr, ifindex, RTM_DELADDR, 0);
	if (!s.present || s.dad_failed)
		ret = change(w->sock, addr, ifindex, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	if (ret && ret != -EEXIST)
		return fail(addr, ret, "cannot add the address", e);
	ret = source_rule(w->sock, addr, false);
	if (ret)
		return fail(addr, ret, "cannot remove the rule that silences the address", e);
	return 0;
}

/* Best effort: what fails here shows when the address is removed. */
static void promote_secondaries(const char *ifname)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/promote_secondaries", ifname);
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1", 1) != 1)
		return;
}

static int del_one(struct session *w, const struct net_addr *addr, struct err *e)
{
	unsigned ifindex = index_of(w, addr->ifname);
	struct scan s;
	int ret = scan(w->sock, addr, ifindex, &s);

	if (ret)
		return fail(addr, ret, "cannot list the addresses", e);
	if (s.other_prefix)
		return refuse_conflict(addr, &s, e);
	ret = s.elsewhere ? 0 : source_rule(w->sock, addr, true);
	if (ret)
		return fail(addr, ret, "cannot add the rule that silences the address", e);
	if (!s.present)
		return 0;
	if (addr->family == AF_INET && !s.secondary && s.has_followers)
		promote_secondaries(addr->ifname);
	ret = change(w->sock, addr, ifindex, RTM_DELADDR, 0);
	if (ret && ret != -EADDRNOTAVAIL && ret != -ENODEV)
		return fail(addr, ret, "cannot remove the address", e);
	return 0;
}

static int look_at_one(struct session *w, const struct net_addr *addr, bool *present, struct err *e)
{
	unsigned ifindex = index_of(w, addr->ifname);
	struct scan s;
	int ret;

	*present = false;
	if (!ifindex)
		return 0;
	ret = scan(w->sock, addr, ifindex, &s);
	if (ret)
		return fail(addr, ret, "cannot list the addresses", e);
	*present = s.present && !s.dad_failed;
	return 0;
}

int net_addr_add_all(const struct net_addr *addrs, size_t n, struct err *e)
{
	AUTO_NL_SOCK struct nl_sock *sock = net_sock_open(NETLINK_ROUTE, "address", e);
	struct session w = { .sock = sock };
	int ret = sock ? 0 : -EIO;

	for (size_t i = 0; ret == 0 && i < n; i++)
		ret = add_one(&w, &addrs[i], e);
	for (size_t i = 0; ret == 0 && i < n; i++)
		await_delivery(sock, &addrs[i]);
	return ret;
}

int net_addr_del_all(const struct net_addr *addrs, size_t n, struct err *e)
{
	AUTO_NL_SOCK struct nl_sock *sock = net_sock_open(NETLINK_ROUTE, "address", e);
	struct session w = { .sock = sock };
	int ret = sock ? 0 : -EIO;

	for (size_t i = 0; ret == 0 && i < n; i++)
		ret = del_one(&w, &addrs[i], e);
	return ret;
}

int net_addr_present_all(const struct net_addr *addrs, size_t n, bool *present, struct err *e)
{
	AUTO_NL_SOCK struct nl_sock *sock = net_sock_open(NETLINK_ROUTE, "address", e);
	struct session w = { .sock = sock };
	int ret = sock ? 0 : -EIO;

	for (size_t i = 0; ret == 0 && i < n; i++)
		ret = look_at_one(&w, &addrs[i], &present[i], e);
	return ret;
}

int net_addr_add(const struct net_addr *addr, struct err *e)
{
	return net_addr_add_all(addr, 1, e);
}

int net_addr_del(const struct net_addr *addr, struct err *e)
{
	return net_addr_del_all(addr, 1, e);
}

int net_addr_present(const struct net_addr *addr, bool *present, struct err *e)
{
	return net_addr_present_all(addr, 1, present, e);
}
