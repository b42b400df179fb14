/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this node sees of the group: effects_facts of effects.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clocks.h"
#include "drbd_dev.h"
#include "dup.h"
#include "effects_int.h"
#include "link.h"
#include "sockdiag.h"

enum {
	PROBE_MS = 500,
	THEFT_PROBE_MS = 150,
	THEFT_EVERY_US = 30000000,
	THEFT_AGAIN_US = 5000000, /* while somebody else has one */
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
	if (!out->drbd_known)
		return;
	if (strcmp(out->drbd_peer_role, "Unknown") != 0)
		fx->alone_since_us = 0;
	else if (!fx->alone_since_us)
		fx->alone_since_us = wall_us();
	out->drbd_alone_wall_us = fx->alone_since_us;
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
	/* what waits for DRBD has no answer */
	out->fs_readonly = st.readonly || (!out->drbd_suspended && filesystem_broken(&fx->fs, &st));
	if (st.mounted)
		filesystem_room(&fx->fs, &out->fs_size_bytes, &out->fs_free_bytes);
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
	unsigned limit_ms;
	const struct net_addr *addr;
	bool in_use;
	unsigned char mac[NET_MAC_LEN];
};

static void *probe_main(void *data)
{
	struct probe *p = data;

	if (net_dup_probe(p->addr, p->limit_ms, NULL, &p->in_use, p->mac, NULL) < 0)
		p->in_use = false;
	return NULL;
}

/* All at once: each takes limit_ms when nobody answers. */
static void probe_all(struct effects *fx, unsigned limit_ms, struct facts *out)
{
	struct probe probes[GROUP_ADDRS_MAX] = { 0 };

	for (unsigned i = 0; i < out->n_addresses; i++) {
		probes[i].addr = &fx->addrs[i];
		probes[i].limit_ms = limit_ms;
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

static bool has_address(const struct facts *f)
{
	for (unsigned i = 0; i < f->n_addresses; i++)
		if (f->addresses[i].present)
			return true;
	return false;
}

/* A host that has taken a floating address of this node gets its clients: looked
 * for now and then, and answered by an announcement. */
static void look_for_thefts(struct effects *fx, struct facts *out)
{
	int64_t now = monotonic_us();
	bool seen = false;

	for (unsigned i = 0; i < out->n_addresses; i++)
		seen |= fx->thefts[i].seen;
	if (!has_address(out)) {
		memset(fx->thefts, 0, sizeof(fx->thefts));
		return;
	}
	if (now - fx->theft_at >= (seen ? THEFT_AGAIN_US : THEFT_EVERY_US)) {
		fx->theft_at = now;
		probe_all(fx, THEFT_PROBE_MS, out);
		seen = false;
		for (unsigned i = 0; i < out->n_addresses; i++) {
			struct theft *t = &fx->thefts[i];

			t->seen = out->addresses[i].present && out->addresses[i].answered;
			memcpy(t->mac, out->addresses[i].answered_mac, sizeof(t->mac));
			seen |= t->seen;
		}
		if (seen)
			effects_announce_again(fx, NULL);
	}
	for (unsigned i = 0; i < out->n_addresses; i++) {
		out->addresses[i].answered = fx->thefts[i].seen;
		memcpy(out->addresses[i].answered_mac, fx->thefts[i].mac, sizeof(fx->thefts[i].mac));
	}
}

void effects_facts(struct effects *fx, bool probe_addresses, struct facts *out)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->group, sizeof(out->group), "%s", fx->group->name);
	collect_drbd(fx, out);
	collect_filesystem(fx, out);
	for (size_t i = 0; i < fx->n_addrs && i < GROUP_ADDRS_MAX; i++)
		collect_address(&fx->addrs[i], &out->addresses[out->n_addresses++]);
	facts_server(fx, out);
	collect_connections(fx, out);
	if (probe_addresses)
		probe_all(fx, PROBE_MS, out);
	else
		look_for_thefts(fx, out);
	out->collected_us = monotonic_us();
	out->valid = true;
}
