/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ether.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "link.h"

static int check_link(const char *ifname, const struct net_link *link, struct err *e)
{
	static const unsigned char zero[NET_MAC_LEN];

	if (!link->ifindex) {
		err_set(e, ERR_REFUSED, ENODEV, ifname, "this node has no such interface");
		err_remedy(e, "create the interface, or correct its name in the configuration");
		return -ENODEV;
	}
	if (!link->up) {
		err_set(e, ERR_REFUSED, ENETDOWN, ifname, "the interface is down");
		err_remedy(e, "ip link set %s up", ifname);
		return -ENETDOWN;
	}
	if (memcmp(link->mac, zero, sizeof(zero)) == 0)
		return err_set(e, ERR_REFUSED, ENOTSUP, ifname, "the interface has no Ethernet address");
	return 0;
}

int net_ether_open(const char *ifname, unsigned protocol, unsigned char mac[NET_MAC_LEN], struct err *e)
{
	struct net_link link;
	struct sockaddr_ll ll = { .sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol) };
	AUTO_CLOSE int fd = -1;
	int ret = net_link_get(ifname, &link, e);

	if (!ret)
		ret = check_link(ifname, &link, e);
	if (ret)
		return ret;
	ll.sll_ifindex = (int)link.ifindex;
	/* Protocol 0 receives nothing before the bind, so no stray frame is queued. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&ll, sizeof(ll)) < 0) {
		ret = err_set(e, ERR_SYSTEM, errno, ifname, "cannot open a packet socket");
		if (ret == -EPERM)
			err_remedy(e, "run as root, or with CAP_NET_RAW");
		return ret;
	}
	memcpy(mac, link.mac, NET_MAC_LEN);
	return take_fd(&fd);
}

static void *close_thread(void *arg)
{
	close((int)(intptr_t)arg);
	return NULL;
}

void net_ether_close(int fd)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, close_thread, (void *)(intptr_t)fd) == 0)
		pthread_detach(thread);
	else
		close(fd);
}

int net_ether_join(int fd, const char *ifname, const unsigned char group[NET_MAC_LEN], struct err *e)
{
	struct packet_mreq mreq = {
		.mr_ifindex = (int)if_nametoindex(ifname),
		.mr_type = PACKET_MR_MULTICAST,
		.mr_alen = NET_MAC_LEN,
	};

	memcpy(mreq.mr_address, group, NET_MAC_LEN);
	if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq)) < 0)
		return err_set(e, ERR_SYSTEM, errno, ifname, "cannot join an Ethernet multicast group");
	return 0;
}

int net_ether_send(int fd, const char *ifname, const void *frame, size_t len, struct err *e)
{
	ssize_t n;

	do
		n = send(fd, frame, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 || (size_t)n != len) {
		int ret = err_set(e, ERR_SYSTEM, n < 0 ? errno : EIO, ifname, "cannot send a frame");

		err_remedy(e, "is the link up? see: ip link show %s", ifname);
		return ret;
	}
	return 0;
}
