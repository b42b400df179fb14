// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The packet sockets of a node's network interfaces (packet(7)). User-Mode
 * Linux opens two for each: one bound to every protocol, which it reads, and one
 * that it only sends on. Left alone, the first sees each frame that the second
 * has sent as well, and has room for a few frames only when these came merged:
 * what does not fit is lost, and the peer sends it again 200 ms later.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sup.h"

#define ROOM (8 << 20)		/* bytes of frames that wait for the node */

static int is_packet_socket(int fd, int *reads)
{
	struct sockaddr_ll ll;
	socklen_t len = sizeof(ll);
	int domain = 0;
	socklen_t dlen = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &dlen) ||
	    domain != AF_PACKET || getsockname(fd, (struct sockaddr *)&ll, &len))
		return 0;
	*reads = ll.sll_protocol == htons(ETH_P_ALL);
	return 1;
}

static void tune(int fd, int reads)
{
	struct sock_filter none[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog drop = { .len = 1, .filter = none };
	int one = 1, room = ROOM;

	if (reads) {
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	} else {
		setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &drop, sizeof(drop));
	}
}

void sup_net_tune(pid_t uml)
{
	char path[64];
	struct dirent *e;
	int fd, reads, pidfd = (int)syscall(SYS_pidfd_open, uml, 0);
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)uml);
	d = opendir(path);
	while (pidfd >= 0 && d && (e = readdir(d))) {
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(e->d_name), 0);
		if (fd < 0)
			continue;
		if (e->d_name[0] != '.' && is_packet_socket(fd, &reads))
			tune(fd, reads);
		close(fd);
	}
	if (d)
		closedir(d);
	if (pidfd >= 0)
		close(pidfd);
}
