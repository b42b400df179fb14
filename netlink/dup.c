/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dup.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "ether.h"
#include "packet.h"
#include "sock.h"

enum { PROBES = 3 };

struct probe {
	const struct net_addr *addr;
	const unsigned char *ignore_mac;
	unsigned char own_mac[NET_MAC_LEN];
	int fd;
	unsigned char frame[NET_PACKET_MAX];
	size_t len;
};

/* Only neighbour discovery: the socket must not see the whole IPv6 traffic. */
static int filter_nd(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6), /* next header */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 58, 0, 4),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 40), /* ICMPv6 type */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 135, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 136, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

/* Answers go to all nodes, other probes to the solicited-node group. */
static int prepare6(struct probe *p, struct err *e)
{
	const unsigned char all_nodes[NET_MAC_LEN] = { 0x33, 0x33, 0, 0, 0, 1 };
	unsigned char group[NET_MAC_LEN] = { 0x33, 0x33, 0xff };
	int ret = filter_nd(p->fd);

	if (ret)
		return err_set(e, ERR_SYSTEM, -ret, p->addr->ifname, "cannot attach a packet filter");
	memcpy(group + 3, p->addr->ip + 13, 3);
	ret = net_ether_join(p->fd, p->addr->ifname, all_nodes, e);
	if (!ret)
		ret = net_ether_join(p->fd, p->addr->ifname, group, e);
	p->len = net_packet_ns_dad(p->frame, sizeof(p->frame), p->own_mac, p->addr->ip);
	return ret;
}

static int prepare(struct probe *p, struct err *e)
{
	bool v6 = p->addr->family == AF_INET6;

	p->fd = net_ether_open(p->addr->ifname, v6 ? ETH_P_IPV6 : ETH_P_ARP, p->own_mac, e);
	if (p->fd < 0)
		return p->fd;
	if (v6)
		return prepare6(p, e);
	p->len = net_packet_arp_probe(p->frame, sizeof(p->frame), p->own_mac, p->addr->ip);
	return 0;
}

/* Reads what has arrived; true when somebody (mac) claims the address. */
static bool claimed(struct probe *p, unsigned char *mac)
{
	unsigned char frame[1024];
	ssize_t n;

	while ((n = recv(p->fd, frame, sizeof(frame), MSG_DONTWAIT)) >= 0) {
		/* A probe (NET_CLAIM_PROBED) is no claim: the two nodes of a pair
		 * check at the same time, and one of them holds the address. */
		if (net_packet_claim(frame, (size_t)n, p->addr->family, p->addr->ip, mac) !=
		    NET_CLAIM_HELD)
			continue;
		if (memcmp(mac, p->own_mac, NET_MAC_LEN) != 0 &&
		    (!p->ignore_mac || memcmp(mac, p->ignore_mac, NET_MAC_LEN) != 0))
			return true;
	}
	return false;
}

/* Waits for a claim until the given time (net_now_ms). */
static bool await_claim(struct probe *p, int64_t until, unsigned char *mac)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
	int64_t left;

	while ((left = until - net_now_ms()) > 0) {
		if (poll(&pfd, 1, (int)left) < 0 && errno != EINTR)
			return false;
		if (claimed(p, mac))
			return true;
	}
	return false;
}

int net_dup_probe(const struct net_addr *addr, unsigned timeout_ms, const unsigned char *ignore_mac,
		  bool *in_use, unsigned char mac[NET_MAC_LEN], struct err *e)
{
	struct probe p = { .addr = addr, .ignore_mac = ignore_mac, .fd = -1 };
	int64_t start = net_now_ms();
	int ret;

	if (timeout_ms < 1 || timeout_ms > 10000)
		return err_set(e, ERR_INPUT, EINVAL, "duplicate detection",
			       "a timeout of %u ms is out of range (1 to 10000)", timeout_ms);
	ret = prepare(&p, e);
	*in_use = false;
	for (unsigned i = 0; !ret && !*in_use && i < PROBES; i++) {
		ret = net_ether_send(p.fd, addr->ifname, p.frame, p.len, e);
		if (!ret)
			*in_use = await_claim(&p, start + (int64_t)timeout_ms * (i + 1) / PROBES, mac);
	}
	if (p.fd >= 0)
		net_ether_close(p.fd);
	return ret;
}
