/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "grace.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "admin.h"
#include "clients.h"
#include "clock.h"
#include "conns.h"
#include "giveup.h"

enum { LOOK_MS = 250, END_TRIES = 200, END_PAUSE_NS = 1000000 };

static struct {
	struct giveup giveup;
	bool watching;
	uint64_t given_up;
	uint32_t length; /* the configured one, while it is set aside; 0: it is not */
} grace;

void grace_configure(int64_t wait_us)
{
	grace.giveup.wait_us = wait_us;
	grace.watching = true;
}

void grace_begins(void)
{
	grace.watching = true;
}

uint64_t grace_given_up(void)
{
	return grace.given_up;
}

/* ---- who is there */

static int count_client(nfs_client_id_t *c, void *data)
{
	struct giveup_look *look = data;

	if (c->cid_confirmed != CONFIRMED_CLIENT_ID)
		look->coming++;
	else if (c->cid_minorversion == 0 || !c->cid_cb.v41.cid_reclaim_complete)
		look->reclaiming++;
	else if (c->cid_allow_reclaim)
		look->back++;
	return 0;
}

static int has_address(nfs_client_id_t *c, void *data)
{
	return client_is_at(c, data);
}

static bool address_text(const struct sockaddr_storage *a, char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)a;
	const unsigned char *bytes = v6->sin6_addr.s6_addr;

	if (a->ss_family == AF_INET)
		return inet_ntop(AF_INET, &v4->sin_addr, text, INET6_ADDRSTRLEN) != NULL;
	if (a->ss_family != AF_INET6)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return inet_ntop(AF_INET, bytes + 12, text, INET6_ADDRSTRLEN) != NULL;
	return inet_ntop(AF_INET6, bytes, text, INET6_ADDRSTRLEN) != NULL;
}

/* nasd's own, from this host, are no client on its way. */
static void count_connection(const struct sockaddr_storage *peer, void *data)
{
	struct giveup_look *look = data;
	char address[INET6_ADDRSTRLEN];

	if (!address_text(peer, address) || !strncmp(address, "127.", 4) || !strcmp(address, "::1"))
		return;
	look->coming += !clients_each(ht_confirmed_client_id, has_address, address);
}

static void look_around(const struct private_parts *parts, struct giveup_look *look)
{
	*look = (struct giveup_look){0};
	if (admin_in_grace(parts, &look->in_grace, NULL) < 0 || !look->in_grace)
		return;
	clients_each(ht_confirmed_client_id, count_client, look);
	clients_each(parts->unconfirmed, count_client, look);
	if (grace.giveup.wait_us && look->back && !look->reclaiming && !look->coming)
		conns_each(count_connection, look);
}

/* ---- the end */

/*
 * nfs_try_lift_grace() (SAL/nfs4_recovery.c:472) ends a period that is over: with a
 * length of 0 it is. While requests hold the state of grace it only asks for the
 * change, which from then on nobody but another try completes: so the length stays
 * 0 until it has ended.
 */
static bool end_now(const struct private_parts *parts)
{
	bool in_grace = true;

	if (!grace.length)
		grace.length = nfs_param.nfsv4_param.grace_period;
	nfs_param.nfsv4_param.grace_period = 0;
	for (int i = 0; i < END_TRIES && in_grace; i++) {
		if (i)
			nanosleep(&(struct timespec){.tv_nsec = END_PAUSE_NS}, NULL);
		admin_grace_lift();
		if (admin_in_grace(parts, &in_grace, NULL) < 0)
			in_grace = true;
	}
	if (!in_grace) {
		nfs_param.nfsv4_param.grace_period = grace.length;
		grace.length = 0;
	}
	return !in_grace;
}

int grace_tick(const struct private_parts *parts)
{
	struct giveup_look look;
	enum giveup_word word;

	if (!grace.watching)
		return -1;
	look_around(parts, &look);
	if (!grace.length)
		grace.giveup.length_us = nfs_param.nfsv4_param.grace_period * 1000000LL;
	word = giveup_judge(&grace.giveup, clock_now_us(), &look);
	if (word == GIVEUP_OVER)
		admin_grace_lift();
	if (word == GIVEUP_NOW && end_now(parts)) {
		grace.given_up++;
		LogEvent(COMPONENT_FSAL, "NASD: grace ends: %zu clients have reclaimed, whoever has not come back in %lld s is given up",
			 look.back, (long long)grace.giveup.wait_us / 1000000);
	}
	grace.watching = word != GIVEUP_IDLE;
	return grace.watching ? LOOK_MS : -1;
}
