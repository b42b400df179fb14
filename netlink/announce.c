/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "announce.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "ether.h"
#include "packet.h"

static int announce4(int fd, const struct net_addr *addr, const unsigned char *mac, struct err *e)
{
	unsigned char frame[NET_PACKET_MAX];
	size_t len = net_packet_arp_announce(frame, sizeof(frame), NET_GARP_REQUEST, mac, addr->ip);
	int ret = net_ether_send(fd, addr->ifname, frame, len, e);

	if (ret)
		return ret;
	len = net_packet_arp_announce(frame, sizeof(frame), NET_GARP_REPLY, mac, addr->ip);
	return net_ether_send(fd, addr->ifname, frame, len, e);
}

static int announce(int fd, const struct net_addr *addr, const unsigned char *mac, struct err *e)
{
	unsigned char frame[NET_PACKET_MAX];

	if (addr->family == AF_INET)
		return announce4(fd, addr, mac, e);
	return net_ether_send(fd, addr->ifname, frame,
			      net_packet_na_announce(frame, sizeof(frame), mac, addr->ip), e);
}

int net_announce_all(const struct net_addr *addrs, size_t n, size_t *sent, struct err *e)
{
	unsigned char mac[NET_MAC_LEN];
	struct err one = { 0 };
	int first = 0, fd = -1;

	*sent = 0;
	for (size_t i = 0; i < n; i++) {
		int ret;

		if (fd < 0 || strcmp(addrs[i].ifname, addrs[i - 1].ifname) != 0) {
			net_ether_cleanup(&fd);
			fd = net_ether_open(addrs[i].ifname, 0, mac, &one);
		}
		ret = fd < 0 ? fd : announce(fd, &addrs[i], mac, &one);
		*sent += ret == 0;
		if (ret < 0 && first == 0) {
			first = ret;
			if (e)
				*e = one;
		}
	}
	net_ether_cleanup(&fd);
	return first;
}

int net_announce_send(const struct net_addr *addr, struct err *e)
{
	size_t sent;

	return net_announce_all(addr, 1, &sent, e);
}

bool net_announce_due(unsigned n, uint64_t *at_us)
{
	static const uint64_t due_ms[] = { 0, 50, 200, 1000, 2000, 5000, 15000, 60000 };

	if (n >= sizeof(due_ms) / sizeof(due_ms[0]))
		return false;
	*at_us = due_ms[n] * 1000;
	return true;
}
