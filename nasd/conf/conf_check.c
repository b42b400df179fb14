/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf_check.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "conf_value.h"

static bool same_ip(const struct conf_ip *a, const struct conf_ip *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* Is path the directory dir, or below it? */
static bool path_inside(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (path[n] == '\0' || path[n] == '/');
}

static struct conf_place group_at(size_t g, const char *section, const char *key)
{
	return (struct conf_place){ .sec1 = "group", .i1 = g, .sec2 = section, .key = key };
}

static int check_tls(struct checker *k)
{
	const struct conf_cluster *cl = &k->c->cluster;
	struct conf_place at = { .sec1 = "cluster" };
	int certs = !!*cl->tls_cert + !!*cl->tls_key + !!*cl->tls_ca;

	if (*cl->secret_file && certs) {
		at.key = "secret-file";
		return FAIL(k, &at, "keep either secret-file or the three tls- options",
			    "a shared secret and certificates exclude each other");
	}
	if (!*cl->secret_file && certs == 0)
		return FAIL(k, &at, "give secret-file, or tls-cert, tls-key and tls-ca",
			    "nothing says how the nodes authenticate each other");
	if (certs != 0 && certs != 3)
		return FAIL(k, &at, "give the three options tls-cert, tls-key and tls-ca",
			    "certificates need tls-cert, tls-key and tls-ca together");
	return 0;
}

static int check_cluster(struct checker *k)
{
	const struct conf_cluster *cl = &k->c->cluster;
	struct conf_place at = { .sec1 = "cluster", .key = "dead-after" };

	if (cl->dead_after_us < 2 * cl->heartbeat_interval_us)
		return FAIL(k, &at, "raise dead-after, or lower heartbeat-interval",
			    "must be at least twice the heartbeat-interval");
	return check_tls(k);
}

static int check_nodes(struct checker *k)
{
	const struct conf_node *n = k->c->nodes;
	struct conf_place at = { .sec1 = "node", .i1 = 1 };

	if (!strcmp(n[0].name, n[1].name))
		return FAIL(k, &at, "use the two host names", "both nodes have the same name");
	for (size_t i = 0; i < CONF_NODES; i++) {
		for (size_t a = 0; a < n[i].n_addresses; a++) {
			for (size_t j = 0; j <= i; j++) {
				size_t end = j == i ? a : n[j].n_addresses;

				at = (struct conf_place){ .sec1 = "node", .i1 = i, .key = "addresses" };
				for (size_t b = 0; b < end; b++)
					if (same_ip(&n[i].addresses[a], &n[j].addresses[b]))
						return FAIL(k, &at, "give each address once",
							    "address %s is given twice", n[i].addresses[a].text);
			}
		}
	}
	return 0;
}

static int check_fs(struct checker *k, size_t i)
{
	const struct conf_group *g = &k->c->groups[i];
	struct conf_place at = group_at(i, "filesystem", "options");
	char options[CONF_OPTIONS_MAX + 2];

	snprintf(options, sizeof(options), ",%s,", g->fs.options);
	if (strstr(options, ",remount,") || strstr(options, ",bind,") || strstr(options, ",noauto,"))
		return FAIL(k, &at, "remove it; nasd decides when to mount",
			    "remount, bind and noauto are not possible here");
	if (strstr(options, ",ro,"))
		return FAIL(k, &at, "remove it, and give the export `access = ro' instead",
			    "ro is not possible: the journal of the file system must be replayed after a crash");
	return 0;
}

static int check_export(struct checker *k, size_t i, size_t j)
{
	const struct conf_group *g = &k->c->groups[i];
	const struct conf_export *e = &g->exports[j];
	struct conf_place at = group_at(i, "export", "path");

	at.i2 = j;
	if (!path_inside(e->path, g->fs.mount))
		return FAIL(k, &at, "an export is the mount point or a directory below it",
			    "%s is not inside the mount %s", e->path, g->fs.mount);
	at.key = "clients";
	for (size_t a = 0; a < e->n_clients; a++) {
		if (!value_host_bits(&e->clients[a], 0))
			return FAIL(k, &at, "clear the bits beyond the prefix, or use the full prefix for one host",
				    "%s is not a network: it has host bits", e->clients[a].text);
		for (size_t b = 0; b < a; b++)
			if (!strcmp(e->clients[a].text, e->clients[b].text))
				return FAIL(k, &at, "give each network once", "network %s is given twice",
					    e->clients[a].text);
	}
	return 0;
}

/* One floating address by itself and against the nodes' addresses. */
static int check_address(struct checker *k, size_t i, size_t j)
{
	const struct conf_net *net = &k->c->groups[i].addresses[j].net;
	struct conf_place at = group_at(i, "address", NULL);
	size_t bits = value_ip_len(&net->ip) * 8;
	struct conf_ip ip;

	at.i2 = j;
	const char *bad = value_ip(net->ip.text, &ip);
	if (bad)
		return FAIL(k, &at, "use an address of the clients' network", "%s", bad);
	if (net->ip.family == AF_INET ? net->ip.bytes[0] == 127
				      : !strcmp(net->ip.text, "::1"))
		return FAIL(k, &at, "use an address of the clients' network",
			    "must not be a loopback address");
	if (net->prefix < 8)
		return FAIL(k, &at, "give the prefix length of the clients' network",
			    "prefix length %u is too short", net->prefix);
	if (net->prefix + 1U < bits && value_host_bits(net, 0))
		return FAIL(k, &at, "use an address inside the network", "is the network's own address");
	if (net->ip.family == AF_INET && net->prefix + 1U < bits && value_host_bits(net, 1))
		return FAIL(k, &at, "use an address inside the network", "is the network's broadcast address");
	for (size_t n = 0; n < CONF_NODES; n++)
		for (size_t a = 0; a < k->c->nodes[n].n_addresses; a++)
			if (same_ip(&k->c->nodes[n].addresses[a], &net->ip))
				return FAIL(k, &at, "a floating address moves: it must belong to no node",
					    "is an address of node %s", k->c->nodes[n].name);
	return 0;
}

enum { RECLAIM_WAIT_LEAST_US = 5000000 };

/* A client tries to reconnect again after some seconds only. */
static int check_reclaim_wait(struct checker *k, size_t i)
{
	const struct conf_nfs *n = &k->c->groups[i].nfs;
	struct conf_place at = group_at(i, "nfs", "reclaim-wait");

	if (n->reclaim_wait_us && n->reclaim_wait_us < RECLAIM_WAIT_LEAST_US)
		return FAIL(k, &at, "give at least 5s: a live client may take that long to reconnect; 0s waits as long as grace",
			    "is too short for clients to come back in");
	if (n->reclaim_wait_us > n->grace_us)
		return FAIL(k, &at, "lower reclaim-wait, or leave it out: nobody is waited for beyond grace",
			    "must not be longer than grace");
	return 0;
}

enum { HUNG_LEAST_US = 2000000 };

/* A busy server is slow. */
static int check_hung_after(struct checker *k, size_t i)
{
	uint64_t us = k->c->groups[i].nfs.hung_after_us;
	struct conf_place at = group_at(i, "nfs", "hung-after");

	if (us && us < HUNG_LEAST_US)
		return FAIL(k, &at, "give at least 2s: a busy server is slow to answer; 0s never replaces one that hangs",
			    "is too short to tell a server that hangs from a busy one");
	return 0;
}

static int check_nfs(struct checker *k, size_t i)
{
	const struct conf_group *g = &k->c->groups[i];
	struct conf_place at = group_at(i, "nfs", "grace");

	if (check_reclaim_wait(k, i) < 0 || check_hung_after(k, i) < 0)
		return -1;
	if (g->nfs.grace_us < g->nfs.lease_us)
		return FAIL(k, &at, "raise grace: a client notices a restart only when it renews its lease",
			    "must not be shorter than the lease");
	at.key = "port";
	if (g->nfs.port == k->c->cluster.peer_port)
		return FAIL(k, &at, "choose another port, or another peer-port",
			    "%u is also the cluster's peer-port", g->nfs.port);
	at.key = "bind-address";
	if (!g->nfs.bind.family)
		return 0;
	for (size_t a = 0; a < g->n_addresses; a++)
		if (same_ip(&g->addresses[a].net.ip, &g->nfs.bind))
			return 0;
	return FAIL(k, &at, "use one of the group's floating addresses: the file is the same on both nodes",
		    "%s is no floating address of the group", g->nfs.bind.text);
}

static int check_limits(struct checker *k, size_t i)
{
	const struct conf_group *g = &k->c->groups[i];
	const struct conf_limits *l = &g->limits;
	struct conf_place at = group_at(i, "limits", "freeze");

	if (l->freeze_us >= g->nfs.lease_us)
		return FAIL(k, &at, "lower freeze (8s if it is not given), or raise the lease",
			    "must be shorter than the lease: after it, rolling back would find expired clients");
	if (l->freeze_us > l->switchover_us)
		return FAIL(k, &at, "lower freeze, or raise switchover", "must not be longer than switchover");
	at.key = "precopy";
	if (l->precopy_us > l->switchover_us)
		return FAIL(k, &at, "lower precopy, or raise switchover", "must not be longer than switchover");
	at.key = "step";
	if (l->step_us > l->switchover_us)
		return FAIL(k, &at, "lower step, or raise switchover", "must not be longer than switchover");
	return 0;
}

/* Group i against group j, which stands before it in the file. */
static int check_pair(struct checker *k, size_t i, size_t j)
{
	const struct conf_group *g = &k->c->groups[i], *o = &k->c->groups[j];
	struct conf_place at = group_at(i, NULL, "id");
	static const char differ[] = "choose another: two groups cannot share it";

	if (g->id == o->id)
		return FAIL(k, &at, differ, "%u is also the id of group %s", g->id, o->name);
	at = group_at(i, "drbd", "resource");
	if (!strcmp(g->drbd.resource, o->drbd.resource))
		return FAIL(k, &at, differ, "%s is also the resource of group %s", g->drbd.resource, o->name);
	at.key = "device";
	if (g->drbd.minor == o->drbd.minor)
		return FAIL(k, &at, differ, "%s is also the device of group %s", g->drbd.device, o->name);
	at = group_at(i, "filesystem", "mount");
	if (path_inside(g->fs.mount, o->fs.mount) || path_inside(o->fs.mount, g->fs.mount))
		return FAIL(k, &at, "mount the groups beside each other: they move separately",
			    "%s and the mount %s of group %s are the same or one is inside the other",
			    g->fs.mount, o->fs.mount, o->name);
	at.key = "uuid";
	if (!strcmp(g->fs.uuid, o->fs.uuid))
		return FAIL(k, &at, differ, "is also the uuid of group %s", o->name);
	at = group_at(i, "nfs", "port");
	if (g->nfs.port == o->nfs.port &&
	    (!g->nfs.bind.family || !o->nfs.bind.family || same_ip(&g->nfs.bind, &o->nfs.bind)))
		return FAIL(k, &at, "give each group a bind-address of its own, or another port",
			    "groups %s and %s use port %u without distinct bind-addresses", g->name, o->name, g->nfs.port);
	return 0;
}

/* Export (i, j) against export (p, q), which stands before it. */
static int check_export_pair(struct checker *k, size_t i, size_t j, size_t p, size_t q)
{
	const struct conf_export *e = &k->c->groups[i].exports[j], *o = &k->c->groups[p].exports[q];
	struct conf_place at = group_at(i, "export", "id");

	at.i2 = j;
	if (e->id == o->id)
		return FAIL(k, &at, "ids are part of file handles: choose another, unique in the whole file",
			    "%u is also the id of export %s", e->id, o->name);
	at.key = "pseudo";
	if (!strcmp(e->pseudo, o->pseudo))
		return FAIL(k, &at, "choose another, unique in the whole file", "%s is also the pseudo path of export %s",
			    e->pseudo, o->name);
	at.key = "path";
	if (!strcmp(e->path, o->path))
		return FAIL(k, &at, "export a directory once, with all its clients",
			    "%s is also the path of export %s", e->path, o->name);
	at.key = NULL;
	if (!strcmp(e->name, o->name))
		return FAIL(k, &at, "choose another, unique in the whole file", "there is another export of this name");
	return 0;
}

static int check_exports_unique(struct checker *k, size_t i, size_t j)
{
	int r = 0;

	for (size_t p = 0; p <= i && !r; p++)
		for (size_t q = 0; q < (p == i ? j : k->c->groups[p].n_exports) && !r; q++)
			r = check_export_pair(k, i, j, p, q);
	return r;
}

static int check_address_unique(struct checker *k, size_t i, size_t j)
{
	const struct conf_ip *ip = &k->c->groups[i].addresses[j].net.ip;
	struct conf_place at = group_at(i, "address", NULL);

	at.i2 = j;
	for (size_t p = 0; p <= i; p++)
		for (size_t q = 0; q < (p == i ? j : k->c->groups[p].n_addresses); q++)
			if (same_ip(ip, &k->c->groups[p].addresses[q].net.ip))
				return FAIL(k, &at, "give each floating address once",
					    "%s is given twice (also in group %s)", ip->text, k->c->groups[p].name);
	return 0;
}

static int check_group(struct checker *k, size_t i)
{
	const struct conf_group *g = &k->c->groups[i];
	int r = check_fs(k, i);

	for (size_t j = 0; j < g->n_exports && !r; j++)
		r = check_export(k, i, j);
	for (size_t j = 0; j < g->n_addresses && !r; j++)
		r = check_address(k, i, j);
	if (!r)
		r = check_nfs(k, i);
	if (!r)
		r = check_limits(k, i);
	for (size_t j = 0; j < i && !r; j++)
		r = check_pair(k, i, j);
	for (size_t j = 0; j < g->n_exports && !r; j++)
		r = check_exports_unique(k, i, j);
	for (size_t j = 0; j < g->n_addresses && !r; j++)
		r = check_address_unique(k, i, j);
	return r;
}

int conf_check(const struct conf *c, const struct conf_scan *s, struct err *err)
{
	struct checker k = { .c = c, .scan = s, .err = err };
	int r = check_cluster(&k);

	if (!r)
		r = check_nodes(&k);
	if (!r)
		r = conf_check_fences(&k);
	if (!r)
		r = conf_check_hypervisors(&k);
	for (size_t i = 0; i < c->n_groups && !r; i++)
		r = check_group(&k, i);
	return r;
}
