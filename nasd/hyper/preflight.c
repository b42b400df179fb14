/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * May this guest move there? What libvirt itself would refuse in the middle is
 * said before anything is begun. Nothing is changed, but that the target is asked
 * about the disks by a storage pool that exists for the moment of the question.
 */
#include "hyper.h"

#include <netdb.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libvirt/virterror.h>

#include "ask.h"
#include "clocks.h"

enum { CLIENT_WAIT_US = 5000000, CLIENT_LOOK_US = 250000 };

struct judge {
	const struct move *m;
	json_t *list;
	bool ready;
	bool reached; /* the target has opened a disk on the export, just now */
};

__attribute__((format(printf, 5, 6)))
static bool say(struct judge *j, bool ok, const char *check, const char *node, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(j->list, json_pack("{s:s, s:s, s:b, s:s, s:s}", "check", check, "node", node, "ok", (int)ok,
						 "message", text, "remedy", ""));
	j->ready = j->ready && ok;
	return ok;
}

__attribute__((format(printf, 2, 3)))
static void remedy(struct judge *j, const char *fmt, ...)
{
	json_t *last = json_array_get(j->list, json_array_size(j->list) - 1);
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_object_set_new(last, "remedy", json_string(text));
}

/* ---- the guest, and room for it */

static void judge_guest(struct judge *j)
{
	const struct guest *g = &j->m->g;
	const char *from = j->m->from.conf->name;

	if (postcopy_state(g->state, g->reason)) {
		say(j, false, "guest", from, "%s " POSTCOPY_BETWEEN, g->name);
		remedy(j, POSTCOPY_WAIT, g->name);
	} else if (!say(j, g->state == VIR_DOMAIN_RUNNING || g->state == VIR_DOMAIN_BLOCKED, "guest", from, "%s is %s", g->name,
			guest_state_name(g)))
		remedy(j, "only a guest that runs is moved live: virsh resume %.100s, or start it on %.40s", g->name,
		       j->m->to.conf->name);
	if (g->more && !say(j, false, "devices", from, "it has more disks or interfaces than can be judged"))
		remedy(j, "move it with virsh migrate");
}

static void judge_version(struct judge *j)
{
	unsigned long from = 0, to = 0;

	if (virConnectGetVersion(j->m->from.conn, &from) < 0 || virConnectGetVersion(j->m->to.conn, &to) < 0) {
		say(j, false, "qemu-version", j->m->to.conf->name, "the versions of QEMU cannot be told");
		remedy(j, "virsh -c %.150s version", j->m->to.conf->uri);
		return;
	}
	if (!say(j, to >= from, "qemu-version", j->m->to.conf->name, "QEMU %lu.%lu.%lu, the source's is %lu.%lu.%lu",
		 to / 1000000, to / 1000 % 1000, to % 1000, from / 1000000, from / 1000 % 1000, from % 1000))
		remedy(j, "install a QEMU there that is at least as new; an older one may not understand what it is sent");
}

/* Whether the target's kernel lets QEMU have userfaultfd, libvirt says when the move begins: before anything has moved. */
static void judge_postcopy(struct judge *j)
{
	const struct move *m = j->m;
	const struct host *hosts[2] = { &m->from, &m->to };
	bool file = !strcmp(m->g.memory_source, "file"), ok = !file;

	for (int i = 0; i < 2; i++) {
		unsigned long version = 0;

		if (virConnectGetLibVersion(hosts[i]->conn, &version) == 0 && version >= POSTCOPY_LIBVIRT)
			continue;
		ok = say(j, false, "post-copy", hosts[i]->conf->name, "libvirt %lu.%lu.%lu cannot take up a post-copy that breaks off",
			 version / 1000000, version / 1000 % 1000, version % 1000);
		remedy(j, "install libvirt 8.5 or newer there, or leave --postcopy away");
	}
	if (file) {
		say(j, false, "post-copy", m->from.conf->name, "the guest's memory lies in a file");
		remedy(j, "QEMU cannot fetch what is missing of a file: set <source type='memfd'/> (virsh edit), and start the guest anew");
	}
	if (ok)
		say(j, true, "post-copy", m->to.conf->name, POSTCOPY_RISK);
}

static void judge_memory(struct judge *j)
{
	unsigned long long have = host_free_kib(j->m->to.conn), want = j->m->g.memory_kib;

	if (!say(j, have >= want, "memory", j->m->to.conf->name, "%llu MiB free, the guest has %llu", have >> 10, want >> 10))
		remedy(j, "move or stop another guest there first");
}

static void judge_name(struct judge *j)
{
	const char *to = j->m->to.conf->name, *name = j->m->g.name;
	virDomainPtr d = virDomainLookupByName(j->m->to.conn, name);
	char uuid[VIR_UUID_STRING_BUFLEN] = "";

	if (!d) {
		say(j, true, "name", to, "no other guest is called %s", name);
		return;
	}
	virDomainGetUUIDString(d, uuid);
	if (virDomainIsActive(d) == 1) {
		say(j, false, "name", to, "a guest called %s runs there already", name);
		remedy(j, "NEVER run both on one disk: find out which of them is the right one, and stop the other");
	} else if (strcmp(uuid, j->m->g.uuid) != 0) {
		say(j, false, "name", to, "another guest called %s is defined there", name);
		remedy(j, "rename one of the two: virsh domrename");
	} else {
		say(j, true, "name", to, "%s is defined there, and off: its definition is replaced", name);
	}
	virDomainFree(d);
}

static void judge_cpu(struct judge *j)
{
	const struct guest *g = &j->m->g;
	const char *to = j->m->to.conf->name;
	char *cpu;
	int r = VIR_CPU_COMPARE_ERROR;

	if (strcmp(g->type, "kvm") != 0) {
		say(j, true, "cpu", to, "emulated (%s)", g->type);
		return;
	}
	cpu = guest_cpu_xml(j->m->dom);
	if (cpu)
		r = virConnectCompareHypervisorCPU(j->m->to.conn, NULL, NULL, NULL, NULL, cpu, 0);
	free(cpu);
	if (!say(j, r == VIR_CPU_COMPARE_IDENTICAL || r == VIR_CPU_COMPARE_SUPERSET, "cpu", to,
		 r == VIR_CPU_COMPARE_ERROR ? "the guest's CPU cannot be compared" :
		 r == VIR_CPU_COMPARE_INCOMPATIBLE ? "the guest's CPU cannot be had there" : "the guest's CPU can be had there"))
		remedy(j, "give the guest a CPU model that both have (virsh hypervisor-cpu-baseline), and start it anew");
}

/* ---- disks */

/* The size of a file as the hypervisor sees it; 0: it does not. */
static unsigned long long volume_size(virConnectPtr conn, const char *path)
{
	virStorageVolPtr v = virStorageVolLookupByPath(conn, path);
	virStorageVolInfo info = { 0 };

	if (v && virStorageVolGetInfo(v, &info) < 0)
		info.capacity = 0;
	if (v)
		virStorageVolFree(v);
	return info.capacity;
}

/* Asked through a pool of the directory: the operator's own, or one of ours for that moment. */
static unsigned long long size_by_pool(virConnectPtr conn, const char *path)
{
	char *dir = strdup(path), *xml = NULL, *clean;
	virStoragePoolPtr pool;
	unsigned long long size = 0;

	if (!dir || !strrchr(dir, '/'))
		return free(dir), 0;
	*strrchr(dir, '/') = '\0';
	pool = virStoragePoolLookupByTargetPath(conn, dir);
	if (pool) {
		if (virStoragePoolRefresh(pool, 0) == 0)
			size = volume_size(conn, path);
		virStoragePoolFree(pool);
		return free(dir), size;
	}
	clean = guest_xml_text(dir);
	if (clean && asprintf(&xml, "<pool type='dir'><name>nasd-preflight-%d</name><target><path>%s</path></target></pool>",
			      (int)getpid(), clean) < 0)
		xml = NULL;
	pool = xml ? virStoragePoolCreateXML(conn, xml, 0) : NULL;
	if (pool) {
		size = volume_size(conn, path);
		virStoragePoolDestroy(pool);
		virStoragePoolFree(pool);
	}
	free(clean);
	free(xml);
	free(dir);
	return size;
}

/* Again, when another program's pool of that directory came or went meanwhile. */
static unsigned long long size_there(virConnectPtr conn, const char *path)
{
	unsigned long long size = 0;

	for (int i = 0; i < 3 && !size; i++) {
		if (i)
			usleep(300000);
		size = size_by_pool(conn, path);
	}
	return size;
}

static bool same_mount(const struct move *m, const char *export)
{
	const char *at[2] = { NULL, NULL };
	const struct conf_hypervisor *h[2] = { m->from.conf, m->to.conf };

	for (int k = 0; k < 2; k++)
		for (size_t i = 0; i < h[k]->n_mounts; i++)
			if (!strcmp(h[k]->mounts[i].key, export))
				at[k] = h[k]->mounts[i].value;
	return at[0] && at[1] && !strcmp(at[0], at[1]);
}

static void judge_disk(struct judge *j, const struct guest_disk *d)
{
	const char *from = j->m->from.conf->name, *to = j->m->to.conf->name;
	virDomainBlockInfo info = { 0 };
	unsigned long long there;

	if (!d->export) {
		say(j, false, "disk-place", from, "%s (%s) is on no export that nasd.conf names", d->target,
		    d->path[0] ? d->path : "not a file");
		remedy(j, "it would stay behind: put it onto an export, or take it off the guest");
		return;
	}
	if (j->m->o->with_nas && d->group != j->m->g.group) {
		say(j, false, "one-group", from, "%s is of group %s, the first disk of %s", d->target, d->group->name, j->m->g.group->name);
		remedy(j, "move the groups one by one with nasctl switchover, then the guest without --with-nas");
	}
	if (strcmp(d->cache, "none") != 0 && strcmp(d->cache, "directsync") != 0) {
		say(j, false, "disk-cache", from, "%s has cache mode %s", d->target, d->cache[0] ? d->cache : "default");
		remedy(j, "the target could read what the source has not written yet: set cache='none' (virsh edit), and start the guest anew");
	}
	if (!strcmp(d->error_policy, "ignore")) {
		say(j, false, "disk-errors", from, "%s has error policy ignore", d->target);
		remedy(j, "a write that fails would be taken for done: set error_policy='stop' or 'report' (virsh edit), and start the guest anew");
	}
	if (d->shareable) {
		say(j, false, "disk-lock", from, "%s is shareable", d->target);
		remedy(j, "nothing keeps a second guest from writing to it: take <shareable/> out (virsh edit), and start the guest anew");
	}
	if (!same_mount(j->m, d->export->name)) {
		say(j, false, "mount-path", to, "export %s is not mounted at the same path as on %s", d->export->name, from);
		remedy(j, "mount it there at the same path, and name it in nasd.conf's section `hypervisor %s'", to);
		return;
	}
	virDomainGetBlockInfo(j->m->dom, d->path, &info, 0);
	there = size_there(j->m->to.conn, d->path);
	if (!say(j, there && there == info.capacity, "disk-seen", to, there ? "%s is %s, %llu MiB" : "%s: %s is not there",
		 d->target, d->path, there >> 20))
		remedy(j, "mount the export there at that path: mount -t nfs4 -o vers=4.2,hard,proto=tcp %s:%.80s MOUNT-POINT",
		       d->group->addresses[0].net.ip.text, d->export->pseudo);
	j->reached = j->reached || there;
}

static void judge_nic(struct judge *j, const struct guest_nic *n)
{
	const char *to = j->m->to.conf->name;
	virConnectPtr conn = j->m->to.conn;
	bool ok = true;

	if (n->network[0]) {
		virNetworkPtr net = virNetworkLookupByName(conn, n->network);

		ok = net && virNetworkIsActive(net) == 1;
		if (net)
			virNetworkFree(net);
		if (!say(j, ok, "network", to, "network %s is %s", n->network, ok ? "active" : "not active there"))
			remedy(j, "define and start it there: virsh net-start %.60s", n->network);
	} else if (n->bridge[0]) {
		virInterfacePtr i = virInterfaceLookupByName(conn, n->bridge);
		virErrorPtr e = i ? NULL : virGetLastError();

		if (i)
			virInterfaceFree(i);
		ok = i || (e && e->code == VIR_ERR_NO_SUPPORT); /* then libvirt itself will tell */
		if (!say(j, ok, "network", to, i ? "bridge %s is there" : "bridge %s cannot be seen", n->bridge))
			remedy(j, "make a bridge of that name there, in the same network");
	}
}

/* ---- the storage */

static bool is_address_of(const char *address, const char *host)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
	char text[64];
	bool found = false;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return false;
	for (struct addrinfo *a = list; a && !found; a = a->ai_next)
		found = getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0 &&
			!strcmp(text, address);
	freeaddrinfo(list);
	return found;
}

/* The host of "qemu+ssh://root@HOST:22/system". */
static void host_of(const char *uri, char *out, size_t size)
{
	const char *at = strstr(uri, "://"), *user;

	snprintf(out, size, "%s", at ? at + 3 : "");
	out[strcspn(out, "/")] = '\0';
	user = strchr(out, '@');
	if (user)
		memmove(out, user + 1, strlen(user));
	if (out[0] == '[') {
		memmove(out, out + 1, strlen(out));
		out[strcspn(out, "]")] = '\0';
	} else {
		out[strcspn(out, ":?")] = '\0';
	}
}

static bool is_client(const json_t *group, const struct conf_hypervisor *h)
{
	const json_t *clients = json_object_get(group, "clients");
	char by_uri[CONF_URI_MAX], by_migrate[CONF_URI_MAX];

	host_of(h->uri, by_uri, sizeof(by_uri));
	host_of(h->migrate_uri, by_migrate, sizeof(by_migrate));
	for (size_t i = 0; i < json_array_size(clients); i++) {
		const char *address = js_text(json_array_get(clients, i), "address");

		if (is_address_of(address, h->name) || (by_uri[0] && is_address_of(address, by_uri)) ||
		    (by_migrate[0] && is_address_of(address, by_migrate)))
			return true;
	}
	return false;
}

static const json_t *find_group(const json_t *status, const char *name)
{
	const json_t *groups = json_object_get(status, "groups");

	for (size_t i = 0; i < json_array_size(groups); i++)
		if (!strcmp(js_text(json_array_get(groups, i), "name"), name))
			return json_array_get(groups, i);
	return NULL;
}

static void judge_group(struct judge *j, const json_t *status)
{
	const json_t *g = find_group(status, j->m->g.group->name);
	const char *name = j->m->g.group->name, *self = js_text(status, "node"), *to = j->m->to.conf->name;
	bool here;

	if (!say(j, g && js_text(g, "owner")[0], "storage", self, "group %s is %s here, and %s's", name, js_text(g, "state"),
		 js_text(g, "owner")))
		remedy(j, "nasctl status");
	here = !strcmp(js_text(g, "state"), "active");
	if (!here)
		return; /* who the clients are, only the other node knows */
	if (!say(j, is_client(g, j->m->to.conf), "client", to, is_client(g, j->m->to.conf) ?
		 "has a connection to the floating address, as NFSv4.1 or 4.2" : "has no connection to the floating address"))
		remedy(j, "mount the export there: mount -t nfs4 -o vers=4.2,hard,proto=tcp %s:%.80s MOUNT-POINT",
		       j->m->g.group->addresses[0].net.ip.text, j->m->g.group->exports[0].pseudo);
}

static bool shows_client(const struct judge *j, const json_t *status)
{
	const json_t *g = find_group(status, j->m->g.group->name);

	return strcmp(js_text(g, "state"), "active") != 0 || is_client(g, j->m->to.conf);
}

/* An idle client connects again when it is asked for a file, as it has been just now, and nasd
 * looks at the connections every second. */
static void ask_status(const struct judge *j, struct answer *a)
{
	struct ctl_request req = { .cmd = CTL_STATUS };
	int64_t until = monotonic_us() + CLIENT_WAIT_US;

	ask(&j->m->o->cli, &req, NULL, NULL, a);
	while (!a->error && j->reached && !shows_client(j, a->data) && monotonic_us() < until) {
		answer_free(a);
		usleep(CLIENT_LOOK_US);
		ask(&j->m->o->cli, &req, NULL, NULL, a);
	}
}

/* nasd's own preflight goes into the list as it is. */
static void judge_nas(struct judge *j)
{
	struct ctl_request check = { .cmd = CTL_CHECK };
	const struct hyper_options *o = j->m->o;
	struct answer a, b;

	ask_status(j, &a);
	if (a.error) {
		say(j, false, "storage", "", "nasd does not answer: %.200s", js_text(a.error, "message"));
		remedy(j, "%.300s", js_text(a.error, "remedy"));
	} else {
		judge_group(j, a.data);
	}
	if (!a.error && o->with_nas && strcmp(js_text(find_group(a.data, j->m->g.group->name), "owner"), o->with_nas)) {
		snprintf(check.group, sizeof(check.group), "%s", j->m->g.group->name);
		snprintf(check.node, sizeof(check.node), "%s", o->with_nas);
		ask(&o->cli, &check, NULL, NULL, &b);
		if (b.error) {
			say(j, false, "switchover", o->with_nas, "%.300s", js_text(b.error, "message"));
			remedy(j, "%.300s", js_text(b.error, "remedy"));
		} else {
			json_array_extend(j->list, json_object_get(b.data, "findings"));
			j->ready = j->ready && js_true(b.data, "ready");
		}
		answer_free(&b);
	}
	answer_free(&a);
}

json_t *preflight(const struct move *m, bool *ready)
{
	struct judge j = { m, json_array(), true, false };

	judge_guest(&j);
	if (postcopy_state(m->g.state, m->g.reason)) { /* the other half would look like a second guest */
		*ready = false;
		return j.list;
	}
	judge_version(&j);
	if (m->o->postcopy)
		judge_postcopy(&j);
	judge_memory(&j);
	judge_name(&j);
	judge_cpu(&j);
	for (size_t i = 0; i < m->g.n_disks; i++)
		judge_disk(&j, &m->g.disks[i]);
	for (size_t i = 0; i < m->g.n_nics; i++)
		judge_nic(&j, &m->g.nics[i]);
	judge_nas(&j);
	*ready = j.ready;
	return j.list;
}
