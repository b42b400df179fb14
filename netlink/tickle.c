/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tickle.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "addr.h"
#include "cleanup.h"
#include "packet.h"

/* Protocol IPPROTO_RAW: the packet brings its own IP header, in both families. */
static int open_raw(int *fd, int family)
{
	if (*fd < 0)
		*fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	return *fd < 0 ? -errno : 0;
}

static int send_one(int fd, const struct net_flow *flow, uint32_t seq)
{
	unsigned char packet[NET_PACKET_MAX];
	size_t len = net_packet_tcp_ack(packet, sizeof(packet), flow, seq, seq + 1);
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	bool v4 = flow->family == AF_INET;
	ssize_t n;

	memcpy(&in.sin_addr, flow->remote, 4);
	memcpy(&in6.sin6_addr, flow->remote, 16);
	do
		n = sendto(fd, packet, len, MSG_NOSIGNAL,
			   v4 ? (const struct sockaddr *)&in : (const struct sockaddr *)&in6,
			   v4 ? sizeof(in) : sizeof(in6));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int fail(const struct net_flow *flow, int ret, struct err *e)
{
	char text[NET_ADDR_TEXT_MAX];

	err_set(e, ERR_SYSTEM, -ret, "tickle", "cannot send to client %s port %u",
		net_addr_format_ip(flow->family, flow->remote, text, sizeof(text)), flow->remote_port);
	if (ret == -EPERM)
		err_remedy(e, "run as root, or with CAP_NET_RAW");
	else
		err_remedy(e, "the client reconnects by itself, but later; is there a route to it?");
	return ret;
}

int net_tickle_send(const struct net_flow *flows, size_t n, size_t *sent, struct err *e)
{
	AUTO_CLOSE int fd4 = -1;
	AUTO_CLOSE int fd6 = -1;
	uint32_t seq = 0;
	size_t good = 0;
	int first = 0;

	/* Any number will do: outside the window it provokes a challenge ACK. */
	if (getrandom(&seq, sizeof(seq), GRND_NONBLOCK) < 0)
		seq = 0;
	for (size_t i = 0; i < n; i++) {
		int ret = -EAFNOSUPPORT;
		bool v4 = flows[i].family == AF_INET;

		if (v4 || flows[i].family == AF_INET6)
			ret = open_raw(v4 ? &fd4 : &fd6, flows[i].family);
		if (!ret)
			ret = send_one(v4 ? fd4 : fd6, &flows[i], seq);
		if (!ret)
			good++;
		else if (!first)
			first = fail(&flows[i], ret, e);
	}
	if (sent)
		*sent = good;
	return first;
}
