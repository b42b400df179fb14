/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Within netlink/ only: one request and its answer on a socket of its own.
 */
#ifndef NASD_NETLINK_SOCK_H
#define NASD_NETLINK_SOCK_H

#include <stdint.h>

#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "err.h"

enum { NET_SOCK_TIMEOUT_MS = 2000 };

/* Opens a non-blocking netlink socket. NULL: e is filled. */
struct nl_sock *net_sock_open(int protocol, const char *where, struct err *e);

static inline void net_sock_cleanup(struct nl_sock **s)
{
	nl_socket_free(*s);
}
#define AUTO_NL_SOCK __attribute__((cleanup(net_sock_cleanup)))

static inline void net_msg_cleanup(struct nl_msg **m)
{
	nlmsg_free(*m);
}
#define AUTO_NL_MSG __attribute__((cleanup(net_msg_cleanup)))

/*
 * Sends msg and reads until the kernel's acknowledgement or the end of the
 * dump; on_msg (may be NULL) sees each message before that. Returns 0, the
 * kernel's negative errno, -ETIMEDOUT after timeout_ms, or -EINTR when a dump
 * was disturbed by a change and must be done again.
 */
int net_sock_request(struct nl_sock *s, struct nl_msg *msg, unsigned timeout_ms,
		     void (*on_msg)(struct nlmsghdr *nlh, void *arg), void *arg);

/* CLOCK_MONOTONIC in milliseconds. */
int64_t net_now_ms(void);

#endif
