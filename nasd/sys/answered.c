/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "answered.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"

enum { STATE_ESTABLISHED = 1 }; /* TCP_ESTABLISHED; netinet/tcp.h clashes with linux/tcp.h */

struct found {
	const struct net_addr *locals;
	size_t n_locals;
	uint16_t port;
	struct net_flow *flows;
	size_t max, n;
};

/* Copies an address, undoing the v4-mapped form (RFC 4291 2.5.5.2). */
static int unmap(int family, const void *addr, unsigned char *out)
{
	if (family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr)) {
		memcpy(out, addr, 16);
		return AF_INET6;
	}
	memcpy(out, (const unsigned char *)addr + (family == AF_INET6 ? 12 : 0), 4);
	return AF_INET;
}

static uint64_t bytes_acked(const struct nlmsghdr *nlh)
{
	const struct inet_diag_msg *d = NLMSG_DATA(nlh);
	size_t left = nlh->nlmsg_len - NLMSG_LENGTH(sizeof(*d));
	const struct rtattr *a = (const void *)(d + 1);
	struct tcp_info info;

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		size_t len = RTA_PAYLOAD(a);

		if (a->rta_type != INET_DIAG_INFO)
			continue;
		memset(&info, 0, sizeof(info));
		memcpy(&info, RTA_DATA(a), len < sizeof(info) ? len : sizeof(info));
		return info.tcpi_bytes_acked;
	}
	return 0;
}

static void on_socket(struct found *f, const struct nlmsghdr *nlh)
{
	const struct inet_diag_msg *d = NLMSG_DATA(nlh);
	struct net_flow flow = { 0 };
	size_t len;

	/* The kernel counts a SYN as one byte on some paths. */
	if (nlh->nlmsg_len < NLMSG_LENGTH(sizeof(*d)) || ntohs(d->id.idiag_sport) != f->port ||
	    d->idiag_state != STATE_ESTABLISHED || bytes_acked(nlh) <= 1)
		return;
	flow.family = unmap(d->idiag_family, d->id.idiag_src, flow.local);
	unmap(d->idiag_family, d->id.idiag_dst, flow.remote);
	flow.local_port = ntohs(d->id.idiag_sport);
	flow.remote_port = ntohs(d->id.idiag_dport);
	len = flow.family == AF_INET ? 4 : 16;
	if (!memcmp(flow.local, flow.remote, len))
		return; /* nasd's own question */
	for (size_t i = 0; i < f->n_locals; i++) {
		if (f->locals[i].family != flow.family || memcmp(f->locals[i].ip, flow.local, len) != 0)
			continue;
		if (f->n < f->max)
			f->flows[f->n] = flow;
		f->n++;
		return;
	}
}

/* 1: goes on, 0: done, negative: error. */
static int read_answer(int fd, struct found *f)
{
	_Alignas(struct nlmsghdr) char buf[32768];
	ssize_t got = recv(fd, buf, sizeof(buf), 0);
	size_t left;

	if (got < 0)
		return errno == EINTR ? 1 : -errno;
	left = (size_t)got;
	for (const struct nlmsghdr *nlh = (const void *)buf; NLMSG_OK(nlh, left);
	     nlh = NLMSG_NEXT(nlh, left)) {
		if (nlh->nlmsg_type == NLMSG_DONE)
			return 0;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			return -EIO;
		on_socket(f, nlh);
	}
	return 1;
}

static int dump(int fd, int family, struct found *f)
{
	struct {
		struct nlmsghdr nlh;
		struct inet_diag_req_v2 req;
	} m = {
		.nlh = { .nlmsg_len = sizeof(m), .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.req = { .sdiag_family = (uint8_t)family, .sdiag_protocol = IPPROTO_TCP,
			 .idiag_ext = 1 << (INET_DIAG_INFO - 1),
			 .idiag_states = 1u << STATE_ESTABLISHED },
	};
	int r;

	m.req.id.idiag_sport = htons(f->port);
	if (send(fd, &m, sizeof(m), 0) != (ssize_t)sizeof(m))
		return -errno;
	while ((r = read_answer(fd, f)) > 0)
		;
	return r;
}

int answered_list(const struct net_addr *locals, size_t n_locals, uint16_t port,
		  struct net_flow *flows, size_t max, size_t *n, struct err *e)
{
	struct found f = { locals, n_locals, port, flows, max, 0 };
	AUTO_CLOSE int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct timeval patience = { .tv_usec = 500000 };
	int r;

	*n = 0;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return err_set(e, ERR_SYSTEM, errno, "clients", "no socket diagnosis");
	r = dump(fd, AF_INET, &f);
	if (r == 0)
		r = dump(fd, AF_INET6, &f);
	if (r < 0)
		return err_set(e, ERR_SYSTEM, -r, "clients", "cannot list the TCP connections");
	*n = f.n;
	return 0;
}
