/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sockdiag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sock.h"

struct list {
	const struct net_addr *locals;
	size_t n_locals;
	uint16_t port;
	struct net_conn *conns;
	size_t count, room;
	bool no_memory;
};

/* Copies an address, undoing the v4-mapped form (RFC 4291 2.5.5.2). */
static int normalise(int family, const void *addr, unsigned char *out)
{
	static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET) {
		memcpy(out, addr, 4);
		return AF_INET;
	}
	if (memcmp(addr, mapped, sizeof(mapped)) != 0) {
		memcpy(out, addr, 16);
		return AF_INET6;
	}
	memcpy(out, (const unsigned char *)addr + 12, 4);
	return AF_INET;
}

static bool wanted(const struct list *l, const struct net_flow *flow)
{
	if (l->n_locals == 0)
		return true;
	if (!memcmp(flow->local, flow->remote, flow->family == AF_INET ? 4 : 16))
		return false;
	for (size_t i = 0; i < l->n_locals; i++)
		if (l->locals[i].family == flow->family &&
		    memcmp(l->locals[i].ip, flow->local, flow->family == AF_INET ? 4 : 16) == 0)
			return true;
	return false;
}

static void append(struct list *l, const struct net_conn *conn)
{
	if (l->count == l->room) {
		size_t room = l->room ? l->room * 2 : 64;
		struct net_conn *grown = reallocarray(l->conns, room, sizeof(*grown));

		if (!grown) {
			l->no_memory = true;
			return;
		}
		l->conns = grown;
		l->room = room;
	}
	l->conns[l->count++] = *conn;
}

static void on_socket(struct nlmsghdr *nlh, void *arg)
{
	struct list *l = arg;
	const struct inet_diag_msg *d = nlmsg_data(nlh);
	struct net_conn conn = { 0 };

	if (nlh->nlmsg_type != SOCK_DIAG_BY_FAMILY || nlmsg_datalen(nlh) < (int)sizeof(*d) ||
	    d->idiag_state != TCP_ESTABLISHED || ntohs(d->id.idiag_sport) != l->port)
		return;
	conn.flow.family = normalise(d->idiag_family, d->id.idiag_src, conn.flow.local);
	if (normalise(d->idiag_family, d->id.idiag_dst, conn.flow.remote) != conn.flow.family)
		return;
	conn.flow.local_port = l->port;
	conn.flow.remote_port = ntohs(d->id.idiag_dport);
	conn.rqueue = d->idiag_rqueue;
	conn.wqueue = d->idiag_wqueue;
	conn.state = d->idiag_state;
	if (wanted(l, &conn.flow))
		append(l, &conn);
}

static int dump(struct nl_sock *sock, int family, struct list *l)
{
	size_t before = l->count;
	int ret = -EINTR;

	for (int i = 0; i < 5 && ret == -EINTR; i++) {
		AUTO_NL_MSG struct nl_msg *msg = nlmsg_alloc_simple(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
		struct inet_diag_req_v2 req = {
			.sdiag_family = (unsigned char)family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1u << TCP_ESTABLISHED,
			.id.idiag_sport = htons(l->port),
		};

		l->count = before;
		if (!msg || nlmsg_append(msg, &req, sizeof(req), NLMSG_ALIGNTO) < 0)
			return -ENOMEM;
		ret = net_sock_request(sock, msg, NET_SOCK_TIMEOUT_MS, on_socket, l);
	}
	return ret ? ret : l->no_memory ? -ENOMEM : 0;
}

static int fail(int ret, struct err *e)
{
	if (ret == -ETIMEDOUT)
		return err_set(e, ERR_TIMEOUT, ETIMEDOUT, "clients", "no answer from the kernel");
	err_set(e, ERR_SYSTEM, -ret, "clients", "cannot list the TCP connections");
	if (ret == -ENOENT)
		err_remedy(e, "modprobe tcp_diag");
	return ret;
}

int net_conn_list(const struct net_addr *locals, size_t n_locals, uint16_t port,
		  struct net_conn **conns, size_t *count, struct err *e)
{
	struct list l = { .locals = locals, .n_locals = n_locals, .port = port };
	AUTO_NL_SOCK struct nl_sock *sock = net_sock_open(NETLINK_SOCK_DIAG, "clients", e);
	int ret;

	if (!sock)
		return -EIO;
	ret = dump(sock, AF_INET, &l);
	if (!ret)
		ret = dump(sock, AF_INET6, &l);
	if (ret || l.count == 0) {
		free(l.conns);
		l.conns = NULL;
	}
	if (ret)
		return fail(ret, e);
	*conns = l.conns;
	*count = l.count;
	return 0;
}

void net_conn_free(struct net_conn *conns)
{
	free(conns);
}
