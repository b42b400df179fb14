/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packet.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

enum {
	ETHERTYPE_ARP_ = 0x0806,
	ETHERTYPE_IPV6_ = 0x86dd,
	IPV4_HLEN = 20,
	IPV6_HLEN = 40,
	TCP_HLEN = 20,
	PROTO_TCP = 6,
	PROTO_ICMP6 = 58,
	ND_LEN = 24, /* NS or NA without options */
	ND_NS = 135,
	ND_NA = 136,
	ND_OPT_TARGET_LL = 2,
	ND_HOP_LIMIT = 255, /* RFC 4861 7.1: never forwarded */
	TCP_ACK = 0x10,
};

static const unsigned char BROADCAST[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static void put16(unsigned char *p, unsigned v)
{
	p[0] = (unsigned char)(v >> 8);
	p[1] = (unsigned char)v;
}

static void put32(unsigned char *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static unsigned get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The sum of RFC 1071, not yet folded. */
static uint32_t sum16(uint32_t sum, const unsigned char *p, size_t len)
{
	for (; len > 1; p += 2, len -= 2)
		sum += get16(p);
	if (len)
		sum += (uint32_t)p[0] << 8;
	return sum;
}

static unsigned fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

/* Checksum of a payload with the pseudo header of RFC 9293 3.1 or RFC 8200 8.1. */
static unsigned pseudo_checksum(const unsigned char *src, const unsigned char *dst, size_t ip_len,
				unsigned proto, const unsigned char *payload, size_t len)
{
	uint32_t sum = proto + (uint32_t)len;

	sum = sum16(sum, src, ip_len);
	sum = sum16(sum, dst, ip_len);
	return fold(sum16(sum, payload, len));
}

static void put_eth(unsigned char *p, const unsigned char *dst, const unsigned char *src, unsigned type)
{
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	put16(p + 12, type);
}

static size_t put_arp(void *buf, size_t size, unsigned op, const unsigned char *mac,
		      const unsigned char *sender_ip, const unsigned char *target_mac,
		      const unsigned char *target_ip)
{
	unsigned char *p = buf;

	if (size < NET_ARP_LEN)
		return 0;
	put_eth(p, BROADCAST, mac, ETHERTYPE_ARP_);
	put16(p + 14, 1);      /* Ethernet */
	put16(p + 16, 0x0800); /* IPv4 */
	p[18] = 6;
	p[19] = 4;
	put16(p + 20, op);
	memcpy(p + 22, mac, 6);
	memcpy(p + 28, sender_ip, 4);
	memcpy(p + 32, target_mac, 6);
	memcpy(p + 38, target_ip, 4);
	return NET_ARP_LEN;
}

size_t net_packet_arp_probe(void *buf, size_t size, const unsigned char mac[NET_MAC_LEN],
			    const unsigned char ip[4])
{
	static const unsigned char zero[6];

	return put_arp(buf, size, 1, mac, zero, zero, ip);
}

size_t net_packet_arp_announce(void *buf, size_t size, enum net_garp_form form,
			       const unsigned char mac[NET_MAC_LEN], const unsigned char ip[4])
{
	static const unsigned char zero[6];

	switch (form) {
	case NET_GARP_REQUEST: return put_arp(buf, size, 1, mac, ip, zero, ip);
	case NET_GARP_REPLY: return put_arp(buf, size, 2, mac, ip, BROADCAST, ip);
	}
	return 0;
}

static void put_ipv6(unsigned char *p, size_t payload, unsigned proto, unsigned hops,
		     const unsigned char *src, const unsigned char *dst)
{
	put32(p, 6u << 28);
	put16(p + 4, (unsigned)payload);
	p[6] = (unsigned char)proto;
	p[7] = (unsigned char)hops;
	memcpy(p + 8, src, 16);
	memcpy(p + 24, dst, 16);
}

/* An NS or NA frame; option is 0 or the type of a link-layer address option. */
static size_t put_nd(unsigned char *p, unsigned type, uint32_t flags, const unsigned char *mac,
		     const unsigned char *src, const unsigned char *dst, const unsigned char *target,
		     unsigned option)
{
	const unsigned char eth_dst[6] = { 0x33, 0x33, dst[12], dst[13], dst[14], dst[15] };
	unsigned char *ip = p + NET_ETH_LEN, *nd = ip + IPV6_HLEN;
	size_t len = option ? ND_LEN + 8 : ND_LEN;

	put_eth(p, eth_dst, mac, ETHERTYPE_IPV6_);
	put_ipv6(ip, len, PROTO_ICMP6, ND_HOP_LIMIT, src, dst);
	memset(nd, 0, len);
	nd[0] = (unsigned char)type;
	put32(nd + 4, flags);
	memcpy(nd + 8, target, 16);
	if (option) {
		nd[24] = (unsigned char)option;
		nd[25] = 1; /* in units of 8 bytes */
		memcpy(nd + 26, mac, 6);
	}
	put16(nd + 2, pseudo_checksum(src, dst, 16, PROTO_ICMP6, nd, len));
	return NET_ETH_LEN + IPV6_HLEN + len;
}

size_t net_packet_ns_dad(void *buf, size_t size, const unsigned char mac[NET_MAC_LEN],
			 const unsigned char ip[16])
{
	static const unsigned char unspecified[16];
	unsigned char group[16] = { 0xff, 0x02, [11] = 1, [12] = 0xff };

	if (size < NET_NSDAD_LEN)
		return 0;
	memcpy(group + 13, ip + 13, 3); /* RFC 4291 2.7.1 */
	return put_nd(buf, ND_NS, 0, mac, unspecified, group, ip, 0);
}

size_t net_packet_na_announce(void *buf, size_t size, const unsigned char mac[NET_MAC_LEN],
			      const unsigned char ip[16])
{
	static const unsigned char all_nodes[16] = { 0xff, 0x02, [15] = 1 };
	const uint32_t override = 1u << 29;

	if (size < NET_ND_LEN)
		return 0;
	return put_nd(buf, ND_NA, override, mac, ip, all_nodes, ip, ND_OPT_TARGET_LL);
}

static void put_ipv4(unsigned char *p, size_t total, unsigned proto, const unsigned char *src,
		     const unsigned char *dst)
{
	memset(p, 0, IPV4_HLEN);
	p[0] = 0x45;
	put16(p + 2, (unsigned)total);
	p[6] = 0x40; /* don't fragment */
	p[8] = 64;
	p[9] = (unsigned char)proto;
	memcpy(p + 12, src, 4);
	memcpy(p + 16, dst, 4);
	put16(p + 10, fold(sum16(0, p, IPV4_HLEN)));
}

size_t net_packet_tcp_ack(void *buf, size_t size, const struct net_flow *flow, uint32_t seq,
			  uint32_t ack)
{
	bool v4 = flow->family == AF_INET;
	size_t ip_hlen = v4 ? IPV4_HLEN : IPV6_HLEN;
	unsigned char *ip = buf, *tcp = ip + ip_hlen;

	if ((!v4 && flow->family != AF_INET6) || size < ip_hlen + TCP_HLEN)
		return 0;
	if (v4)
		put_ipv4(ip, IPV4_HLEN + TCP_HLEN, PROTO_TCP, flow->local, flow->remote);
	else
		put_ipv6(ip, TCP_HLEN, PROTO_TCP, 64, flow->local, flow->remote);
	memset(tcp, 0, TCP_HLEN);
	put16(tcp, flow->local_port);
	put16(tcp + 2, flow->remote_port);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = (TCP_HLEN / 4) << 4;
	tcp[13] = TCP_ACK;
	put16(tcp + 14, 1024);
	put16(tcp + 16, pseudo_checksum(flow->local, flow->remote, v4 ? 4 : 16, PROTO_TCP, tcp, TCP_HLEN));
	return ip_hlen + TCP_HLEN;
}

static enum net_claim claim_arp(const unsigned char *f, size_t len, const unsigned char *ip,
				unsigned char *mac)
{
	static const unsigned char zero[4], head[6] = { 0, 1, 8, 0, 6, 4 };
	unsigned op;

	if (len < NET_ARP_LEN || get16(f + 12) != ETHERTYPE_ARP_ || memcmp(f + 14, head, 6) != 0)
		return NET_CLAIM_NONE;
	op = get16(f + 20);
	if (op != 1 && op != 2)
		return NET_CLAIM_NONE;
	memcpy(mac, f + 22, 6);
	if (memcmp(f + 28, ip, 4) == 0)
		return NET_CLAIM_HELD;
	if (op == 1 && memcmp(f + 28, zero, 4) == 0 && memcmp(f + 38, ip, 4) == 0)
		return NET_CLAIM_PROBED;
	return NET_CLAIM_NONE;
}

/* The target's hardware address from an advertisement's options, if told. */
static void na_target_mac(const unsigned char *nd, size_t len, unsigned char *mac)
{
	for (size_t at = ND_LEN; at + 8 <= len && nd[at + 1]; at += (size_t)nd[at + 1] * 8)
		if (nd[at] == ND_OPT_TARGET_LL && nd[at + 1] == 1)
			memcpy(mac, nd + at + 2, 6);
}

static enum net_claim claim_nd(const unsigned char *f, size_t len, const unsigned char *ip,
			       unsigned char *mac)
{
	static const unsigned char unspecified[16];
	const unsigned char *v6 = f + NET_ETH_LEN, *src = v6 + 8, *nd = v6 + IPV6_HLEN;
	size_t payload;

	if (len < NET_NSDAD_LEN || get16(f + 12) != ETHERTYPE_IPV6_ || v6[0] >> 4 != 6 ||
	    v6[6] != PROTO_ICMP6 || v6[7] != ND_HOP_LIMIT)
		return NET_CLAIM_NONE;
	payload = get16(v6 + 4);
	if (payload < ND_LEN || payload > len - NET_ETH_LEN - IPV6_HLEN || nd[1] != 0 ||
	    pseudo_checksum(src, v6 + 24, 16, PROTO_ICMP6, nd, payload) != 0)
		return NET_CLAIM_NONE;
	memcpy(mac, f + 6, 6);
	if (nd[0] == ND_NA && memcmp(nd + 8, ip, 16) == 0) {
		na_target_mac(nd, payload, mac);
		return NET_CLAIM_HELD;
	}
	if (nd[0] != ND_NS)
		return NET_CLAIM_NONE;
	if (memcmp(src, ip, 16) == 0)
		return NET_CLAIM_HELD;
	return memcmp(src, unspecified, 16) == 0 && memcmp(nd + 8, ip, 16) == 0 ? NET_CLAIM_PROBED :
										  NET_CLAIM_NONE;
}

enum net_claim net_packet_claim(const void *frame, size_t len, int family, const unsigned char *ip,
				unsigned char mac[NET_MAC_LEN])
{
	unsigned char from[NET_MAC_LEN];
	enum net_claim claim = NET_CLAIM_NONE;

	if (family == AF_INET)
		claim = claim_arp(frame, len, ip, from);
	else if (family == AF_INET6)
		claim = claim_nd(frame, len, ip, from);
	if (claim != NET_CLAIM_NONE)
		memcpy(mac, from, NET_MAC_LEN);
	return claim;
}
