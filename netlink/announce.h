/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells the link that a floating address lives here now. IPv4: gratuitous ARP
 * in both forms, request and reply (RFC 5227 3, RFC 826), because switches and
 * hosts differ in which one they heed. IPv6: unsolicited neighbour
 * advertisement to all nodes, override set, router and solicited clear
 * (RFC 4861 7.2.6).
 */
#ifndef NASD_NETLINK_ANNOUNCE_H
#define NASD_NETLINK_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

/*
 * Announces once, through AF_PACKET. The address must be on the interface
 * already, or this node would draw traffic that it refuses; that is the
 * caller's order of steps and not checked here.
 */
int net_announce_send(const struct net_addr *addr, struct err *e);

/*
 * All of them; those on one interface, next to each other, share a socket. *sent says
 * how many were; with fewer than n, the first error is returned.
 */
int net_announce_all(const struct net_addr *addrs, size_t n, size_t *sent, struct err *e);

/*
 * When the n-th announcement (from 0) is due, in microseconds after the first
 * one: 0, 50 ms, 200 ms, 1 s, 2 s, 5 s, 15 s, 60 s. False when the schedule
 * is over. Pure; the caller keeps the time, and sends none before the address
 * is active or after it has left.
 */
bool net_announce_due(unsigned n, uint64_t *at_us);

#endif
