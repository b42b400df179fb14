/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An address of the configuration as the socket calls want it. */
#ifndef NASD_SYS_SOCK_ADDR_H
#define NASD_SYS_SOCK_ADDR_H

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "conf.h"

union sock_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room;
};

/* Returns its length; port in host order. */
static inline socklen_t sock_addr_make(const struct conf_ip *ip, uint16_t port, union sock_addr *a)
{
	memset(a, 0, sizeof(*a));
	a->sa.sa_family = (sa_family_t)ip->family;
	if (ip->family == AF_INET6) {
		a->in6.sin6_port = htons(port);
		memcpy(&a->in6.sin6_addr, ip->bytes, sizeof(a->in6.sin6_addr));
		return sizeof(a->in6);
	}
	a->in.sin_port = htons(port);
	memcpy(&a->in.sin_addr, ip->bytes, sizeof(a->in.sin_addr));
	return sizeof(a->in);
}

#endif
