/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sock.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>

#include "clocks.h"

enum { ANSWER_MAX = 32 * 1024 };

struct request {
	void (*on_msg)(struct nlmsghdr *nlh, void *arg);
	void *arg;
	uint32_t seq;
	bool done;
	bool disturbed;
	int result;
};

int64_t net_now_ms(void)
{
	return monotonic_us() / 1000;
}

struct nl_sock *net_sock_open(int protocol, const char *where, struct err *e)
{
	struct nl_sock *s = nl_socket_alloc();
	int ret;

	if (!s) {
		err_set(e, ERR_SYSTEM, ENOMEM, where, "no memory for a netlink socket");
		return NULL;
	}
	/* An answer has at most the size that the kernel's dumps have; no look at its size first. */
	nl_socket_disable_msg_peek(s);
	nl_socket_set_msg_buf_size(s, ANSWER_MAX);
	ret = nl_connect(s, protocol);
	if (ret || nl_socket_set_nonblocking(s)) {
		err_set(e, ERR_SYSTEM, errno ? errno : EPROTO, where, "cannot open a netlink socket: %s",
			nl_geterror(ret));
		nl_socket_free(s);
		return NULL;
	}
	return s;
}

/* Handles one message; a stray one (another sequence number) is passed over. */
static void take(struct request *r, struct nlmsghdr *nlh)
{
	if (nlh->nlmsg_seq != r->seq || r->done)
		return;
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		r->disturbed = true;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = nlmsg_data(nlh);

		r->result = nlmsg_datalen(nlh) >= (int)sizeof(int) ? error->error : -EBADMSG;
		r->done = true;
	} else if (nlh->nlmsg_type == NLMSG_DONE) {
		r->done = true;
	} else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && r->on_msg) {
		r->on_msg(nlh, r->arg);
	}
}

/* 0, or 1 when nothing is there. */
static int receive(struct nl_sock *s, struct request *r)
{
	struct sockaddr_nl from;
	unsigned char *buf = NULL;
	int n = nl_recv(s, &from, &buf, NULL);

	if (n == 0 || n == -NLE_AGAIN)
		return 1;
	if (n < 0)
		return n == -NLE_INTR ? 0 : -EIO;
	if (from.nl_pid == 0) { /* the kernel, nobody else */
		struct nlmsghdr *nlh = (struct nlmsghdr *)(void *)buf;

		for (int left = n; nlmsg_ok(nlh, left); nlh = nlmsg_next(nlh, &left))
			take(r, nlh);
	}
	free(buf);
	return 0;
}

static int wait_for_more(struct nl_sock *s, int64_t *until, unsigned timeout_ms)
{
	struct pollfd pfd = { .fd = nl_socket_get_fd(s), .events = POLLIN };
	int64_t now = net_now_ms();

	if (!*until)
		*until = now + timeout_ms;
	if (now >= *until)
		return -ETIMEDOUT;
	return poll(&pfd, 1, (int)(*until - now)) < 0 && errno != EINTR ? -errno : 0;
}

int net_sock_request(struct nl_sock *s, struct nl_msg *msg, unsigned timeout_ms,
		     void (*on_msg)(struct nlmsghdr *nlh, void *arg), void *arg)
{
	struct request r = { .on_msg = on_msg, .arg = arg };
	int64_t until = 0;
	int ret;

	nl_complete_msg(s, msg); /* sequence number, port, NLM_F_REQUEST and NLM_F_ACK */
	r.seq = nlmsg_hdr(msg)->nlmsg_seq;
	ret = nl_send(s, msg);
	if (ret < 0)
		return ret == -NLE_PERM ? -EPERM : -EIO;
	/* Mostly the kernel has answered by now, so it is looked for first. */
	while (!r.done) {
		ret = receive(s, &r);
		if (ret > 0)
			ret = wait_for_more(s, &until, timeout_ms);
		if (ret < 0)
			return ret;
	}
	if (r.result == 0 && r.disturbed)
		return -EINTR;
	return r.result;
}
