/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "witness.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dup.h"

static const struct conf_address *link_of(const struct conf_group *g, int family, const unsigned char *ip)
{
	size_t len = family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < g->n_addresses; i++)
		if (g->addresses[i].net.ip.family == family && !memcmp(g->addresses[i].net.ip.bytes, ip, len))
			return NULL;
	for (size_t i = 0; i < g->n_addresses; i++)
		if (g->addresses[i].net.ip.family == family &&
		    net_same_subnet(g->addresses[i].net.ip.bytes, ip, g->addresses[i].net.prefix))
			return &g->addresses[i];
	return NULL;
}

void witnesses_add(struct witnesses *w, const struct conf_group *g, const char *ip)
{
	struct net_addr a = { .family = strchr(ip, ':') ? AF_INET6 : AF_INET };
	const struct conf_address *l;

	if (w->n == WITNESSES_MAX || inet_pton(a.family, ip, a.ip) != 1)
		return;
	l = link_of(g, a.family, a.ip);
	if (!l)
		return;
	a.prefixlen = l->net.prefix;
	snprintf(a.ifname, sizeof(a.ifname), "%s", l->interface);
	for (size_t i = 0; i < w->n; i++)
		if (w->addrs[i].family == a.family && !memcmp(w->addrs[i].ip, a.ip, sizeof(a.ip)))
			return;
	w->addrs[w->n++] = a;
}

struct asking {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned running, holders;
	bool answered;
};

struct ask {
	struct asking *all;
	struct net_addr addr;
};

static void leave(struct asking *a)
{
	bool last;

	pthread_mutex_lock(&a->lock);
	last = --a->holders == 0;
	pthread_mutex_unlock(&a->lock);
	if (!last)
		return;
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static void *ask_main(void *data)
{
	struct ask *q = data;
	unsigned char mac[NET_MAC_LEN];
	bool in_use = false;

	if (net_dup_probe(&q->addr, WITNESS_MS, NULL, &in_use, mac, NULL) < 0)
		in_use = false;
	pthread_mutex_lock(&q->all->lock);
	q->all->running--;
	q->all->answered = q->all->answered || in_use;
	pthread_cond_signal(&q->all->changed);
	pthread_mutex_unlock(&q->all->lock);
	leave(q->all);
	free(q);
	return NULL;
}

static void begin(struct asking *a, const struct net_addr *addr, const pthread_attr_t *attr)
{
	struct ask *q = calloc(1, sizeof(*q));
	pthread_t t;

	if (!q)
		return;
	q->all = a;
	q->addr = *addr;
	pthread_mutex_lock(&a->lock);
	if (pthread_create(&t, attr, ask_main, q) == 0) {
		a->running++;
		a->holders++;
	} else {
		free(q);
	}
	pthread_mutex_unlock(&a->lock);
}

/* The first answer is enough: the other threads end by themselves. */
enum witness witnesses_ask(const struct witnesses *w)
{
	struct asking *a = w->n ? calloc(1, sizeof(*a)) : NULL;
	pthread_attr_t attr;
	bool answered;

	if (!a)
		return WITNESS_NONE;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	a->holders = 1;
	for (size_t i = 0; i < w->n; i++)
		begin(a, &w->addrs[i], &attr);
	pthread_attr_destroy(&attr);
	pthread_mutex_lock(&a->lock);
	while (!a->answered && a->running)
		pthread_cond_wait(&a->changed, &a->lock);
	answered = a->answered;
	pthread_mutex_unlock(&a->lock);
	leave(a);
	return answered ? WITNESS_ANSWERS : WITNESS_SILENT;
}
