/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pure builders of the few packets netlink/ sends. Each writes to buf and
 * returns the length in bytes, or 0 when size is too small or the family does
 * not fit. NET_PACKET_MAX is always enough.
 */
#ifndef NASD_NETLINK_PACKET_H
#define NASD_NETLINK_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "flow.h"

enum {
	NET_PACKET_MAX = 128,
	NET_ETH_LEN = 14,  /* Ethernet header */
	NET_ARP_LEN = 42,  /* Ethernet frame with an ARP packet, not padded */
	NET_ND_LEN = 86,   /* Ethernet frame, IPv6, NS or NA with one option */
	NET_NSDAD_LEN = 78 /* Ethernet frame, IPv6, NS without option */
};

/* ARP probe: request, sender address 0.0.0.0, broadcast (RFC 5227 2.1.1). */
size_t net_packet_arp_probe(void *buf, size_t size, const unsigned char mac[NET_MAC_LEN],
			    const unsigned char ip[4]);

enum net_garp_form { NET_GARP_REQUEST, NET_GARP_REPLY };

/* Gratuitous ARP: sender and target address are ip, broadcast. */
size_t net_packet_arp_announce(void *buf, size_t size, enum net_garp_form form,
			       const unsigned char mac[NET_MAC_LEN], const unsigned char ip[4]);

/* DAD solicitation: from :: to ip's solicited-node group (RFC 4862 5.4.2). */
size_t net_packet_ns_dad(void *buf, size_t size, const unsigned char mac[NET_MAC_LEN],
			 const unsigned char ip[16]);

/* Unsolicited advertisement to ff02::1, flags O only (RFC 4861 4.4, 7.2.6). */
size_t net_packet_na_announce(void *buf, size_t size, const unsigned char mac[NET_MAC_LEN],
			      const unsigned char ip[16]);

/*
 * A bare ACK from flow.local to flow.remote, IP header included, without
 * link-layer header: sequence numbers seq and ack, window 1024 (RFC 9293 3.1).
 * IPv4: 40 bytes; IPv6: 60.
 */
size_t net_packet_tcp_ack(void *buf, size_t size, const struct net_flow *flow, uint32_t seq,
			  uint32_t ack);

/* What an answer to a probe or solicitation says. */
enum net_claim {
	NET_CLAIM_NONE,  /* not about ip, or malformed */
	NET_CLAIM_HELD,  /* the sender holds ip */
	NET_CLAIM_PROBED /* the sender is probing for ip as well */
};

/*
 * Reads a received Ethernet frame: what does it claim about ip (family decides
 * whether ARP or ICMPv6 is looked at), and which hardware address says so?
 * Never reads beyond len; checks hop limit 255 and the ICMPv6 checksum.
 */
enum net_claim net_packet_claim(const void *frame, size_t len, int family,
				const unsigned char *ip, unsigned char mac[NET_MAC_LEN]);

#endif
