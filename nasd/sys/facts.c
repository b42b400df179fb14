/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this node sees of the group: effects_facts of effects.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drbd_dev.h"
#include "dup.h"
#include "effects_int.h"
#include "link.h"
#include "sockdiag.h"

enum {
	SERVER_ASK_US = 200000, /* one D-Bus call; a step may be waiting for the lock */
	PROBE_MS = 500,
};

/* ---- DRBD */

static void collect_drbd(struct effects *fx, struct facts *out)
{
	struct drbd_policy policy;

	pthread_mutex_lock(&fx->data_lock);
	policy = fx->policy;
	pthread_mutex_unlock(&fx->data_lock);
	drbd_dev_facts(&fx->group->drbd, &policy, out);
	pthread_mutex_lock(&fx->data_lock);
	fx->policy = policy;
	pthread_mutex_unlock(&fx->data_lock);
}

/* ---- filesystem */

/* From the lower disk where sysfs names it: the Secondary cannot be opened, and
 * the Primary must not be, or it could not become Secondary meanwhile. */
static void collect_uuid(struct effects *fx, struct facts *out)
{
	char lower[FS_WHERE_MAX], uuid[FS_UUID_MAX];
	const char *device = fx->fs.device;

	if (drbd_dev_lower_disk(&fx->group->drbd, lower, sizeof(lower)))
		device = lower;
	if (filesystem_uuid(device, fx->fs.type, uuid, NULL) == 0)
		snprintf(out->fs_uuid, sizeof(out->fs_uuid), "%s", uuid);
}

static void collect_filesystem(struct effects *fx, struct facts *out)
{
	struct filesystem_state st;

	filesystem_dirty(&out->dirty_bytes, NULL);
	collect_uuid(fx, out);
	if (filesystem_look(&fx->fs, &st, NULL) < 0)
		return;
	out->mount_dir_exists = st.point_exists;
	out->mounted = st.mounted;
	out->mount_dir_busy = st.point_busy;
	out->device_mounted_elsewhere = st.elsewhere || st.covered;
	out->fs_readonly = st.readonly;
}

/* ---- server */

static void say_server_error(struct facts *out, const char *text)
{
	if (!out->server_error[0])
		snprintf(out->server_error, sizeof(out->server_error), "%.159s", text);
}

/* Asks a serving server; the lock is held. */
static void ask_server(struct effects *fx, struct facts *out)
{
	struct err e = { 0 };
	unsigned exports = 0;
	bool grace = false;

	if (ganesha_exports_present(fx->ganesha, &exports, SERVER_ASK_US, &e) != OUTCOME_DONE ||
	    ganesha_grace_active(fx->ganesha, &grace, SERVER_ASK_US, &e) != OUTCOME_DONE) {
		say_server_error(out, e.msg);
		return;
	}
	pthread_mutex_lock(&fx->data_lock);
	fx->last_exports = exports;
	fx->last_grace = grace;
	pthread_mutex_unlock(&fx->data_lock);
}

/* The module in a server that is warm or serving; the lock is held. */
static void ask_module(struct effects *fx)
{
	struct ganesha_module m;

	ganesha_module_look(fx->ganesha, &m);
	pthread_mutex_lock(&fx->data_lock);
	fx->last_module = m;
	pthread_mutex_unlock(&fx->data_lock);
}

static void collect_server(struct effects *fx, struct facts *out)
{
	struct ganesha_state st;

	ganesha_state(fx->ganesha, &st);
	out->server = st.state;
	out->server_pid = st.pid;
	out->exports_wanted = (unsigned)fx->group->n_exports;
	say_server_error(out, st.reason);
	if (st.state != SERVER_SERVING && st.state != SERVER_WARM) {
		snprintf(out->state_reason, sizeof(out->state_reason), "ganesha is %s", server_state_name(st.state));
		return;
	}
	/* While a step uses the server, what was last seen must do. */
	if (pthread_mutex_trylock(&fx->server_lock) == 0) {
		if (st.state == SERVER_SERVING)
			ask_server(fx, out);
		ask_module(fx);
		pthread_mutex_unlock(&fx->server_lock);
	}
	pthread_mutex_lock(&fx->data_lock);
	out->exports_present = st.state == SERVER_SERVING ? fx->last_exports : 0;
	out->in_grace = st.state == SERVER_SERVING && fx->last_grace;
	out->state_moves = fx->last_module.moves;
	snprintf(out->state_reason, sizeof(out->state_reason), "%s", fx->last_module.reason);
	pthread_mutex_unlock(&fx->data_lock);
}

static void collect_connections(struct effects *fx, struct facts *out)
{
	struct net_conn *conns = NULL;
	size_t n = 0;

	if (net_conn_list(fx->addrs, fx->n_addrs, fx->group->nfs.port, &conns, &n, NULL) < 0)
		return;
	net_conn_free(conns);
	out->connections = (unsigned)n;
}

/* ---- addresses */

static void collect_address(const struct net_addr *addr, struct facts_address *out)
{
	struct net_link link;

	net_addr_format(addr, out->text, sizeof(out->text));
	snprintf(out->ifname, sizeof(out->ifname), "%s", addr->ifname);
	net_addr_present(addr, &out->present, NULL);
	if (net_link_get(addr->ifname, &link, NULL) == 0)
		out->link_up = link.ifindex != 0 && link.up && link.running;
}

struct probe {
	pthread_t thread;
	bool started;
	const struct net_addr *addr;
	bool in_use;
	unsigned char mac[NET_MAC_LEN];
};

static void *probe_main(void *data)
{
	struct probe *p = data;

	if (net_dup_probe(p->addr, PROBE_MS, NULL, &p->in_use, p->mac, NULL) < 0)
		p->in_use = false;
	return NULL;
}

/* All at once: each takes PROBE_MS when nobody answers. */
static void probe_all(struct effects *fx, struct facts *out)
{
	struct probe probes[GROUP_ADDRS_MAX] = { 0 };

	for (unsigned i = 0; i < out->n_addresses; i++) {
		probes[i].addr = &fx->addrs[i];
		probes[i].started = out->addresses[i].link_up &&
				    pthread_create(&probes[i].thread, NULL, probe_main, &probes[i]) == 0;
	}
	for (unsigned i = 0; i < out->n_addresses; i++) {
		struct facts_address *a = &out->addresses[i];
		const unsigned char *m = probes[i].mac;

		if (!probes[i].started || pthread_join(probes[i].thread, NULL) != 0 ||
		    !probes[i].in_use)
			continue;
		a->answered = true;
		snprintf(a->answered_mac, sizeof(a->answered_mac), "%02x:%02x:%02x:%02x:%02x:%02x",
			 m[0], m[1], m[2], m[3], m[4], m[5]);
	}
}

void effects_facts(struct effects *fx, bool probe_addresses, struct facts *out)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->group, sizeof(out->group), "%s", fx->group->name);
	collect_drbd(fx, out);
	collect_filesystem(fx, out);
	collect_server(fx, out);
	collect_connections(fx, out);
	for (size_t i = 0; i < fx->n_addrs && i < GROUP_ADDRS_MAX; i++)
		collect_address(&fx->addrs[i], &out->addresses[out->n_addresses++]);
	if (probe_addresses)
		probe_all(fx, out);
	out->collected_us = effects_now_us();
	out->valid = true;
}
