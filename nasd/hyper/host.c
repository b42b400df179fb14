/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hyper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "clocks.h"
#include "cond.h"

enum { KEEPALIVE_S = 5, KEEPALIVE_COUNT = 6 };

static void no_message(void *data, virErrorPtr e)
{
	(void)data;
	(void)e;
}

static void *run_events(void *arg)
{
	for (;;)
		if (virEventRunDefaultImpl() < 0)
			return arg;
}

int hyper_begin(struct err *err)
{
	pthread_t thread;
	int r;

	virSetErrorFunc(NULL, no_message);
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
		return host_error(err, "libvirt", "cannot be used");
	r = pthread_create(&thread, NULL, run_events, NULL);
	if (r)
		return err_set(err, ERR_SYSTEM, r, "libvirt", "no thread for its events");
	pthread_detach(thread);
	return 0;
}

int host_error(struct err *err, const char *where, const char *what)
{
	virErrorPtr e = virGetLastError();

	err_set(err, ERR_PEER, EIO, where, "%s: %.240s", what, e && e->message ? e->message : "libvirt does not say why");
	return -EIO;
}

bool host_no_domain(void)
{
	virErrorPtr e = virGetLastError();

	return e && e->code == VIR_ERR_NO_DOMAIN;
}

int host_open(struct host *h, const struct conf_hypervisor *conf)
{
	memset(h, 0, sizeof(*h));
	h->conf = conf;
	h->conn = virConnectOpen(conf->uri);
	if (!h->conn) {
		host_error(&h->err, conf->name, "libvirt cannot be reached");
		err_remedy(&h->err, "on this node: virsh -c %.150s version", conf->uri);
		return -EIO;
	}
	if (virConnectSetKeepAlive(h->conn, KEEPALIVE_S, KEEPALIVE_COUNT) < 0) {
		host_error(&h->err, conf->name, "the connection cannot be kept alive");
		err_remedy(&h->err, "use a libvirtd of version 1.0 or newer");
		return -EIO;
	}
	return 0;
}

/* libvirt's own connecting has no limit: whoever waited may have gone when it ends. */
struct opening {
	struct conf_hypervisor conf;
	struct host h;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	bool done, forsaken;
};

static void opening_free(struct opening *o)
{
	pthread_mutex_destroy(&o->lock);
	pthread_cond_destroy(&o->changed);
	free(o);
}

static void *open_it(void *arg)
{
	struct opening *o = arg;
	bool forsaken;

	host_open(&o->h, &o->conf);
	pthread_mutex_lock(&o->lock);
	o->done = true;
	forsaken = o->forsaken;
	pthread_cond_signal(&o->changed);
	pthread_mutex_unlock(&o->lock);
	if (forsaken) {
		host_close(&o->h);
		opening_free(o);
	}
	return NULL;
}

static struct opening *opening_begin(const struct conf_hypervisor *conf)
{
	struct opening *o = calloc(1, sizeof(*o));
	pthread_t thread;

	if (!o)
		return NULL;
	o->conf = *conf;
	pthread_mutex_init(&o->lock, NULL);
	cond_init_monotonic(&o->changed);
	if (pthread_create(&thread, NULL, open_it, o) == 0) {
		pthread_detach(thread);
		return o;
	}
	opening_free(o);
	return NULL;
}

int host_open_within(struct host *h, const struct conf_hypervisor *conf, int64_t us)
{
	struct timespec until = timespec_of_us(monotonic_us() + us);
	struct opening *o = opening_begin(conf);
	bool done;

	memset(h, 0, sizeof(*h));
	h->conf = conf;
	if (!o)
		return err_set(&h->err, ERR_SYSTEM, EAGAIN, conf->name, "no thread to connect in");
	pthread_mutex_lock(&o->lock);
	while (!o->done && pthread_cond_timedwait(&o->changed, &o->lock, &until) == 0)
		;
	done = o->done;
	o->forsaken = !done;
	pthread_mutex_unlock(&o->lock);
	if (!done)
		return err_set(&h->err, ERR_TIMEOUT, ETIMEDOUT, conf->name, "libvirt does not answer");
	*h = o->h;
	h->conf = conf;
	opening_free(o);
	return h->conn && h->err.cls == ERR_NONE ? 0 : -EIO;
}

void host_close(struct host *h)
{
	if (h->conn)
		virConnectClose(h->conn);
	h->conn = NULL;
}

unsigned long long host_free_kib(virConnectPtr conn)
{
	unsigned long long sum = 0;
	virNodeMemoryStatsPtr stats;
	int n = 0;

	if (virNodeGetMemoryStats(conn, VIR_NODE_MEMORY_STATS_ALL_CELLS, NULL, &n, 0) < 0 || n <= 0)
		return virNodeGetFreeMemory(conn) / 1024;
	stats = calloc((size_t)n, sizeof(*stats));
	if (stats && virNodeGetMemoryStats(conn, VIR_NODE_MEMORY_STATS_ALL_CELLS, stats, &n, 0) == 0)
		for (int i = 0; i < n; i++)
			if (strcmp(stats[i].field, VIR_NODE_MEMORY_STATS_TOTAL) != 0)
				sum += stats[i].value; /* free, buffers, cached */
	free(stats);
	return sum;
}
