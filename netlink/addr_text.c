/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int bad(const char *text, struct err *e, const char *why)
{
	return err_set(e, ERR_INPUT, EINVAL, "address", "\"%.60s\": %s", text, why);
}

static int check_ifname(const char *ifname, struct err *e)
{
	size_t len = strlen(ifname);

	if (len == 0 || len >= NET_IFNAME_MAX || strpbrk(ifname, "/: \t\n") || !strcmp(ifname, ".") ||
	    !strcmp(ifname, ".."))
		return err_set(e, ERR_INPUT, EINVAL, "address", "\"%.40s\" is no interface name", ifname);
	return 0;
}

static const char *unfit4(const unsigned char *ip, unsigned prefixlen)
{
	uint32_t a = (uint32_t)ip[0] << 24 | (uint32_t)ip[1] << 16 | (uint32_t)ip[2] << 8 | ip[3];
	uint32_t host = prefixlen >= 32 ? 0 : UINT32_MAX >> prefixlen;

	if (ip[0] == 0 || ip[0] == 127 || ip[0] >= 224)
		return "no host can hold this address";
	if (prefixlen < 31 && (a & host) == 0)
		return "this is the network's address, not a host's";
	if (prefixlen < 31 && (a & host) == host)
		return "this is the network's broadcast address";
	return NULL;
}

static const char *unfit6(const unsigned char *ip)
{
	struct in6_addr a;

	memcpy(&a, ip, sizeof(a));
	if (IN6_IS_ADDR_UNSPECIFIED(&a) || IN6_IS_ADDR_LOOPBACK(&a) || IN6_IS_ADDR_MULTICAST(&a))
		return "no host can hold this address";
	if (IN6_IS_ADDR_V4MAPPED(&a))
		return "write a v4-mapped address as IPv4";
	if (IN6_IS_ADDR_LINKLOCAL(&a))
		return "a link-local address cannot float";
	return NULL;
}

static int parse_prefixlen(const char *text, unsigned max, unsigned *out)
{
	char *end;
	unsigned long n;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || n == 0 || n > max)
		return -EINVAL;
	*out = (unsigned)n;
	return 0;
}

int net_addr_parse(const char *text, const char *ifname, struct net_addr *out, struct err *e)
{
	struct net_addr a = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };
	const char *slash = strchr(text, '/');
	char ip[INET6_ADDRSTRLEN];
	const char *why;
	int ret = check_ifname(ifname, e);

	if (ret)
		return ret;
	if (!slash)
		return bad(text, e, "the prefix length is missing (such as /24)");
	if ((size_t)(slash - text) >= sizeof(ip))
		return bad(text, e, "not an address");
	memcpy(ip, text, (size_t)(slash - text));
	ip[slash - text] = 0;
	if (inet_pton(a.family, ip, a.ip) != 1)
		return bad(text, e, "not an address");
	if (parse_prefixlen(slash + 1, a.family == AF_INET ? 32 : 128, &a.prefixlen))
		return bad(text, e, "the prefix length is out of range");
	why = a.family == AF_INET ? unfit4(a.ip, a.prefixlen) : unfit6(a.ip);
	if (why)
		return bad(text, e, why);
	snprintf(a.ifname, sizeof(a.ifname), "%s", ifname);
	*out = a;
	return 0;
}

char *net_addr_format_ip(int family, const unsigned char *ip, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(family, ip, text, sizeof(text)))
		snprintf(text, sizeof(text), "?");
	snprintf(buf, size, "%s", text);
	return buf;
}

char *net_addr_format(const struct net_addr *addr, char *buf, size_t size)
{
	char ip[INET6_ADDRSTRLEN];

	snprintf(buf, size, "%s/%u", net_addr_format_ip(addr->family, addr->ip, ip, sizeof(ip)),
		 addr->prefixlen);
	return buf;
}

bool net_same_subnet(const unsigned char *a, const unsigned char *b, unsigned prefixlen)
{
	unsigned bytes = prefixlen / 8, bits = prefixlen % 8;

	return memcmp(a, b, bytes) == 0 && (!bits || (a[bytes] ^ b[bytes]) >> (8 - bits) == 0);
}
