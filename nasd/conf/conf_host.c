/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What only the host can tell about a configuration. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf.h"
#include "err.h"

/* A file that must be there; secret ones must be nobody else's to read. */
static int check_file(const char *where, const char *path, int secret, struct err *err)
{
	struct stat st;

	if (!*path)
		return 0;
	if (stat(path, &st) < 0) {
		int r = err_set(err, ERR_REFUSED, errno, where, "%s: %s", path,
				errno == ENOENT ? "there is no such file" : "cannot be examined");

		err_remedy(err, secret ? "create it with mode 0600, the same on both nodes" : "install it");
		return r;
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REFUSED, EINVAL, where, "%s is not a regular file", path);
	if (st.st_size == 0)
		return err_set(err, ERR_REFUSED, EINVAL, where, "%s is empty", path);
	if (!secret)
		return 0;
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		err_set(err, ERR_REFUSED, EPERM, where, "%s belongs to user %u", path, (unsigned)st.st_uid);
		err_remedy(err, "run: chown root:root %s", path);
		return -EPERM;
	}
	if (st.st_mode & 077) {
		err_set(err, ERR_REFUSED, EPERM, where, "%s has mode %04o: others may read or write it", path,
			(unsigned)(st.st_mode & 07777));
		err_remedy(err, "run: chmod 0600 %s", path);
		return -EPERM;
	}
	return 0;
}

static int check_group(const struct conf_group *g, struct err *err)
{
	char where[ERR_WHERE_MAX];
	struct stat st;

	snprintf(where, sizeof(where), "group %s", g->name);
	if (stat(g->fs.mount, &st) < 0 || !S_ISDIR(st.st_mode)) {
		err_set(err, ERR_REFUSED, ENOTDIR, where, "the mount point %s is not a directory", g->fs.mount);
		err_remedy(err, "run: mkdir -p %s", g->fs.mount);
		return -ENOTDIR;
	}
	for (size_t i = 0; i < g->n_addresses; i++) {
		const struct conf_address *a = &g->addresses[i];

		if (if_nametoindex(a->interface))
			continue;
		err_set(err, ERR_REFUSED, ENODEV, where, "address %s: there is no interface %s", a->net.text,
			a->interface);
		err_remedy(err, "correct `interface'; `ip link' lists what there is");
		return -ENODEV;
	}
	return 0;
}

/* The last part of a path. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The agent runs as root: nobody else may change what it is. */
static int check_agent(const char *device, const char *agent, const char *remedy, struct err *err)
{
	char where[ERR_WHERE_MAX];
	struct stat st;

	snprintf(where, sizeof(where), "fence %s", device);
	if (stat(agent, &st) < 0) {
		int r = err_set(err, ERR_REFUSED, errno, where, "%s: %s", agent,
				errno == ENOENT ? "there is no such program" : "cannot be examined");

		err_remedy(err, "%s", remedy);
		return r;
	}
	if (!S_ISREG(st.st_mode) || !(st.st_mode & 0111)) {
		err_set(err, ERR_REFUSED, EACCES, where, "%s is not an executable program", agent);
		err_remedy(err, "name the fence agent itself, and let root execute it");
		return -EACCES;
	}
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022)) {
		err_set(err, ERR_REFUSED, EPERM, where, "%s can be changed by others than root", agent);
		err_remedy(err, "run: chown root:root %s; chmod go-w %s", agent, agent);
		return -EPERM;
	}
	return 0;
}

static int check_device(const struct conf_fence *f, struct err *err)
{
	const char *name = base_name(f->agent);
	char remedy[ERR_REMEDY_MAX];

	snprintf(remedy, sizeof(remedy), "install the package fence-agents (Debian) or fence-agents-%.60s (Red Hat), or "
		 "correct `agent'", strncmp(name, "fence_", 6) ? "all" : name + 6);
	return check_agent(f->name, f->agent, remedy, err);
}

int conf_check_host(const struct conf *c, int node, const char *file, struct err *err)
{
	const struct conf_cluster *cl = &c->cluster;

	if (node < 0 || node >= CONF_NODES) {
		err_set(err, ERR_REFUSED, EINVAL, "configuration", "this host is neither node %s nor node %s",
			c->nodes[0].name, c->nodes[1].name);
		err_remedy(err, "the title of a section `node' must be the host name (hostname(1))");
		return -EINVAL;
	}
	int r = check_file("cluster: secret-file", cl->secret_file, 1, err);
	if (!r)
		r = check_file("cluster: tls-key", cl->tls_key, 1, err);
	if (!r)
		r = check_file("cluster: tls-cert", cl->tls_cert, 0, err);
	if (!r)
		r = check_file("cluster: tls-ca", cl->tls_ca, 0, err);
	if (!r && file && conf_has_secrets(c))
		r = check_file("fence options with passwords", file, 1, err);
	for (size_t i = 0; i < c->n_fences && !r; i++)
		if (c->fences[i].node != node)
			r = check_device(&c->fences[i], err);
	if (!r && cl->trigger == CONF_TRIGGER_PACEMAKER)
		r = check_agent("pacemaker", CONF_PACEMAKER_AGENT, "it comes with nasd: run make install again", err);
	for (size_t i = 0; i < c->n_groups && !r; i++)
		r = check_group(&c->groups[i], err);
	return r;
}
