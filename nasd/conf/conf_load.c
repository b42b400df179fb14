/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From text to struct conf: conf_scan (form, duplicates, lines), libconfuse
 * (which options and sections exist), the schema's rows (values), conf_check
 * (what must hold between them).
 */
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "conf.h"
#include "conf_check.h"
#include "conf_scan.h"
#include "conf_schema.h"
#include "conf_value.h"
#include "err.h"

enum { SUBSECTIONS_MAX = 6, OPTS_MAX = FIELDS_MAX + SUBSECTIONS_MAX + 1 };

struct loader {
	struct conf_scan scan;
	struct err *err;
	struct conf *conf;
};

/* libconfuse hands its error function no pointer of ours. */
static _Thread_local struct loader *reporting;

static void list_known(const cfg_t *cfg, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (const cfg_opt_t *o = cfg->opts; o && o->name && used < size; o++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? ", " : "", o->name);
}

static void on_confuse_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char msg[160], known[200];

	if (!reporting || (reporting->err && reporting->err->cls != ERR_NONE))
		return;
	vsnprintf(msg, sizeof(msg), fmt, ap);
	list_known(cfg, known, sizeof(known));
	int root = !strcmp(cfg->name, "root");
	conf_scan_fail_line(&reporting->scan, reporting->err, cfg->line, "%s%s%s%s%s",
			    root ? "" : cfg->name, cfg->title ? " " : "", cfg->title ? cfg->title : "",
			    root ? "" : ": ", msg);
	err_remedy(reporting->err, "known here: %s", known);
}

static void add_fields(cfg_opt_t *opts, const struct section *s)
{
	size_t n = 0;

	while (opts[n].name)
		n++;
	for (size_t i = 0; i < s->n_fields; i++, n++) {
		cfg_opt_t one = CFG_STR(NULL, NULL, CFGF_NODEFAULT);
		cfg_opt_t list = CFG_STR_LIST(NULL, NULL, CFGF_NODEFAULT);

		opts[n] = field_is_list(&s->fields[i]) ? list : one;
		opts[n].name = s->fields[i].key;
	}
	opts[n] = (cfg_opt_t)CFG_END();
}

static void add_section(cfg_opt_t *opts, const struct section *s, cfg_opt_t *sub, int titled)
{
	cfg_opt_t sec = CFG_SEC(NULL, sub, CFGF_MULTI | CFGF_NODEFAULT);
	size_t n = 0;

	while (opts[n].name)
		n++;
	sec.name = s->name;
	if (titled)
		sec.flags |= CFGF_TITLE | CFGF_NO_TITLE_DUPES;
	opts[n] = sec;
	opts[n + 1] = (cfg_opt_t)CFG_END();
}

/* NULL when the parser found no more to say than err has. */
static cfg_t *confuse_parse(struct loader *l, const char *text)
{
	cfg_opt_t root[OPTS_MAX] = { CFG_END() }, cluster[OPTS_MAX] = { CFG_END() };
	cfg_opt_t node[OPTS_MAX] = { CFG_END() }, group[OPTS_MAX] = { CFG_END() };
	cfg_opt_t drbd[OPTS_MAX] = { CFG_END() }, fs[OPTS_MAX] = { CFG_END() };
	cfg_opt_t export[OPTS_MAX] = { CFG_END() }, address[OPTS_MAX] = { CFG_END() };
	cfg_opt_t nfs[OPTS_MAX] = { CFG_END() }, limits[OPTS_MAX] = { CFG_END() };
	cfg_opt_t fence[OPTS_MAX] = { CFG_END() }, hypervisor[OPTS_MAX] = { CFG_END() };

	add_fields(cluster, &conf_cluster_section);
	add_fields(node, &conf_node_section);
	add_fields(group, &conf_group_section);
	add_fields(drbd, &conf_drbd_section);
	add_fields(fs, &conf_fs_section);
	add_fields(export, &conf_export_section);
	add_fields(address, &conf_address_section);
	add_fields(nfs, &conf_nfs_section);
	add_fields(limits, &conf_limits_section);
	add_fields(fence, &conf_fence_section);
	add_fields(hypervisor, &conf_hypervisor_section);
	add_section(group, &conf_drbd_section, drbd, 0);
	add_section(group, &conf_fs_section, fs, 0);
	add_section(group, &conf_export_section, export, 1);
	add_section(group, &conf_address_section, address, 1);
	add_section(group, &conf_nfs_section, nfs, 0);
	add_section(group, &conf_limits_section, limits, 0);
	add_section(root, &conf_cluster_section, cluster, 0);
	add_section(root, &conf_node_section, node, 1);
	add_section(root, &conf_fence_section, fence, 1);
	add_section(root, &conf_hypervisor_section, hypervisor, 1);
	add_section(root, &conf_group_section, group, 1);

	cfg_t *cfg = cfg_init(root, CFGF_NONE);
	if (!cfg)
		return NULL;
	cfg_set_error_function(cfg, on_confuse_error);
	reporting = l;
	int r = cfg_parse_buf(cfg, text);
	reporting = NULL;
	if (r == CFG_SUCCESS)
		return cfg;
	cfg_free(cfg);
	return NULL;
}

/* Decodes a section's own options; at without key names the section. sec is
 * NULL for a section that is absent and has only defaults. */
static int decode_section(struct loader *l, const struct section *s, cfg_t *sec, void *base,
			  struct conf_place at)
{
	const char *values[CONF_CLIENTS_MAX];
	char msg[256];

	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];
		unsigned int n = sec ? cfg_size(sec, f->key) : 0;

		at.key = f->key;
		if (n > CONF_CLIENTS_MAX) {
			conf_scan_fail(&l->scan, l->err, &at, "has more than %d values", CONF_CLIENTS_MAX);
			err_remedy(l->err, "give fewer; nasd.conf(5) describes the option %s", f->key);
			return -EINVAL;
		}
		for (unsigned int v = 0; v < n; v++)
			values[v] = cfg_getnstr(sec, f->key, v);
		if (n == 0 && f->def && !field_is_list(f)) {
			values[0] = f->def;
			n = 1;
		} else if (n == 0 && !field_is_list(f)) {
			conf_scan_fail(&l->scan, l->err, &at, "is required and missing");
			err_remedy(l->err, "add `%s = ...' to section %s; nasd.conf(5) explains it", f->key, s->name);
			return -EINVAL;
		}
		if (field_decode(f, base, values, n, msg, sizeof(msg))) {
			if (n == 1 && !field_is_list(f))
				conf_scan_fail(&l->scan, l->err, &at, "`%.80s' %s", values[0], msg);
			else
				conf_scan_fail(&l->scan, l->err, &at, "%s", msg);
			err_remedy(l->err, "nasd.conf(5) describes the option %s", f->key);
			return -EINVAL;
		}
	}
	return 0;
}

/* A section of which there may be one (required or not) inside another. */
static int decode_single(struct loader *l, const struct section *s, cfg_t *parent, void *base,
			 struct conf_place at, int required)
{
	if (cfg_size(parent, s->name) == 0 && required) {
		conf_scan_fail(&l->scan, l->err, &at, "section `%s' is required and missing", s->name);
		err_remedy(l->err, "add `%s { ... }'; nasd.conf(5) explains it", s->name);
		return -EINVAL;
	}
	if (at.sec1)
		at.sec2 = s->name;
	else
		at.sec1 = s->name;
	return decode_section(l, s, cfg_getsec(parent, s->name), base, at);
}

static int check_title(struct loader *l, struct conf_place at, const char *bad, const char *title)
{
	if (!bad)
		return 0;
	conf_scan_fail(&l->scan, l->err, &at, "the title `%.60s' %s", title, bad);
	err_remedy(l->err, "change the word after `%s'", at.sec2 ? at.sec2 : at.sec1);
	return -EINVAL;
}

static int too_many(struct loader *l, struct conf_place at, const char *what, size_t n, size_t max)
{
	conf_scan_fail(&l->scan, l->err, &at, "%zu sections `%s', between 1 and %zu are possible", n, what, max);
	err_remedy(l->err, "write at least one section `%s NAME { ... }', and no more than %zu", what, max);
	return -EINVAL;
}

static int decode_exports(struct loader *l, cfg_t *sec, struct conf_group *g, struct conf_place at)
{
	g->n_exports = cfg_size(sec, "export");
	if (g->n_exports == 0 || g->n_exports > CONF_EXPORTS_MAX)
		return too_many(l, at, "export", g->n_exports, CONF_EXPORTS_MAX);
	at.sec2 = "export";
	for (at.i2 = 0; at.i2 < g->n_exports; at.i2++) {
		cfg_t *one = cfg_getnsec(sec, "export", (unsigned int)at.i2);
		struct conf_export *e = &g->exports[at.i2];
		const char *title = cfg_title(one);
		int r = check_title(l, at, value_check_name(title), title);

		if (r)
			return r;
		snprintf(e->name, sizeof(e->name), "%s", title);
		r = decode_section(l, &conf_export_section, one, e, at);
		if (r)
			return r;
	}
	return 0;
}

static int decode_addresses(struct loader *l, cfg_t *sec, struct conf_group *g, struct conf_place at)
{
	g->n_addresses = cfg_size(sec, "address");
	if (g->n_addresses == 0 || g->n_addresses > CONF_ADDRESSES_MAX)
		return too_many(l, at, "address", g->n_addresses, CONF_ADDRESSES_MAX);
	at.sec2 = "address";
	for (at.i2 = 0; at.i2 < g->n_addresses; at.i2++) {
		cfg_t *one = cfg_getnsec(sec, "address", (unsigned int)at.i2);
		struct conf_address *a = &g->addresses[at.i2];
		const char *title = cfg_title(one);
		int r = check_title(l, at, value_net(title, &a->net), title);

		if (!r)
			r = decode_section(l, &conf_address_section, one, a, at);
		if (r)
			return r;
	}
	return 0;
}

static int decode_group(struct loader *l, cfg_t *sec, size_t i)
{
	struct conf_group *g = &l->conf->groups[i];
	struct conf_place at = { .sec1 = "group", .i1 = i };
	int r = check_title(l, at, value_check_name(cfg_title(sec)), cfg_title(sec));

	if (r)
		return r;
	snprintf(g->name, sizeof(g->name), "%s", cfg_title(sec));
	r = decode_section(l, &conf_group_section, sec, g, at);
	if (!r)
		r = decode_single(l, &conf_drbd_section, sec, &g->drbd, at, 1);
	if (!r)
		r = decode_single(l, &conf_fs_section, sec, &g->fs, at, 1);
	if (!r)
		r = decode_exports(l, sec, g, at);
	if (!r)
		r = decode_addresses(l, sec, g, at);
	if (!r)
		r = decode_single(l, &conf_nfs_section, sec, &g->nfs, at, 1);
	if (!r)
		r = decode_single(l, &conf_limits_section, sec, &g->limits, at, 0);
	if (!r)
		value_device(g->drbd.device, &g->drbd.minor);
	return r;
}

static int decode_nodes(struct loader *l, cfg_t *cfg)
{
	struct conf_place at = { .sec1 = "node", .i1 = CONF_NODES };
	size_t n = cfg_size(cfg, "node");

	if (n != CONF_NODES) {
		if (n < CONF_NODES)
			at.sec1 = NULL;
		conf_scan_fail(&l->scan, l->err, &at, "%zu sections `node', exactly two are needed", n);
		err_remedy(l->err, "write one section `node HOSTNAME { ... }' for each of the two nodes");
		return -EINVAL;
	}
	for (at.i1 = 0; at.i1 < CONF_NODES; at.i1++) {
		cfg_t *one = cfg_getnsec(cfg, "node", (unsigned int)at.i1);
		struct conf_node *node = &l->conf->nodes[at.i1];
		int r = check_title(l, at, value_check_host(cfg_title(one)), cfg_title(one));

		if (r)
			return r;
		snprintf(node->name, sizeof(node->name), "%s", cfg_title(one));
		r = decode_section(l, &conf_node_section, one, node, at);
		if (r)
			return r;
	}
	return 0;
}

static int decode_fences(struct loader *l, cfg_t *cfg)
{
	struct conf *c = l->conf;
	struct conf_place at = { .sec1 = "fence", .i1 = CONF_FENCES_MAX };

	c->n_fences = cfg_size(cfg, "fence");
	if (c->n_fences > CONF_FENCES_MAX) {
		conf_scan_fail(&l->scan, l->err, &at, "%zu sections `fence', at most %d are possible", c->n_fences,
			       CONF_FENCES_MAX);
		err_remedy(l->err, "keep the devices that are needed to switch each node off");
		return -EINVAL;
	}
	for (at.i1 = 0; at.i1 < c->n_fences; at.i1++) {
		cfg_t *one = cfg_getnsec(cfg, "fence", (unsigned int)at.i1);
		struct conf_fence *f = &c->fences[at.i1];
		int r = check_title(l, at, value_check_name(cfg_title(one)), cfg_title(one));

		if (r)
			return r;
		snprintf(f->name, sizeof(f->name), "%s", cfg_title(one));
		r = decode_section(l, &conf_fence_section, one, f, at);
		if (r)
			return r;
		f->node = conf_node_index(c, f->node_name);
	}
	return 0;
}

static int decode_hypervisors(struct loader *l, cfg_t *cfg)
{
	struct conf *c = l->conf;
	struct conf_place at = { .sec1 = "hypervisor", .i1 = CONF_HYPERVISORS_MAX };

	c->n_hypervisors = cfg_size(cfg, "hypervisor");
	if (c->n_hypervisors > CONF_HYPERVISORS_MAX)
		return too_many(l, at, "hypervisor", c->n_hypervisors, CONF_HYPERVISORS_MAX);
	for (at.i1 = 0; at.i1 < c->n_hypervisors; at.i1++) {
		cfg_t *one = cfg_getnsec(cfg, "hypervisor", (unsigned int)at.i1);
		struct conf_hypervisor *h = &c->hypervisors[at.i1];
		int r = check_title(l, at, value_check_host(cfg_title(one)), cfg_title(one));

		if (r)
			return r;
		snprintf(h->name, sizeof(h->name), "%s", cfg_title(one));
		r = decode_section(l, &conf_hypervisor_section, one, h, at);
		if (r)
			return r;
	}
	return 0;
}

static int decode_all(struct loader *l, cfg_t *cfg)
{
	struct conf_place top = { 0 };
	int r = decode_single(l, &conf_cluster_section, cfg, &l->conf->cluster, top, 1);

	if (!r)
		r = decode_nodes(l, cfg);
	if (!r)
		r = decode_fences(l, cfg);
	if (!r)
		r = decode_hypervisors(l, cfg);
	if (r)
		return r;
	size_t n = cfg_size(cfg, "group");
	if (n == 0 || n > CONF_GROUPS_MAX)
		return too_many(l, top, "group", n, CONF_GROUPS_MAX);
	l->conf->n_groups = n;
	for (size_t i = 0; i < n && !r; i++)
		r = decode_group(l, cfg_getnsec(cfg, "group", (unsigned int)i), i);
	return r;
}

static int hash_conf(struct conf *c, const char *name, struct err *err)
{
	unsigned char digest[32];
	AUTO_FREE char *text = conf_dump(c);

	if (!text)
		return err_set(err, ERR_SYSTEM, ENOMEM, name, "dumping the configuration");
	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), digest) < 0)
		return err_set(err, ERR_SYSTEM, EIO, name, "GnuTLS cannot compute SHA-256");
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(c->hash + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static int load(struct loader *l, const char *text)
{
	cfg_t *cfg = confuse_parse(l, text);

	if (!cfg && l->err->cls != ERR_NONE)
		return -EINVAL;
	if (!cfg)
		return err_set(l->err, ERR_SYSTEM, errno ? errno : ENOMEM, l->scan.file, "libconfuse failed");
	int r = decode_all(l, cfg);
	cfg_free(cfg);
	if (!r)
		r = conf_check(l->conf, &l->scan, l->err);
	return r ? r : hash_conf(l->conf, l->scan.file, l->err);
}

/*
 * libconfuse counts a line with a comment more than once: it gets no comments.
 * text has passed the scan, so a string has neither escapes nor line ends in it.
 */
static void blank_comments(char *text)
{
	bool string = false;

	for (char *p = text; *p; p++) {
		if (*p == '"')
			string = !string;
		else if (*p == '#' && !string)
			for (; *p && *p != '\n'; p++)
				*p = ' ';
		if (!*p)
			break;
	}
}

int conf_load_text(const char *name, const char *text, size_t len, struct conf **out, struct err *err)
{
	struct err local;
	struct loader l = { .err = err ? err : &local };

	err_clear(l.err);
	*out = NULL;
	int r = conf_scan(&l.scan, name, text, len, l.err);
	if (r) {
		conf_scan_free(&l.scan);
		return r;
	}
	AUTO_FREE char *copy = strndup(text, len); /* the scan has found no NUL in it */
	if (copy)
		blank_comments(copy);
	l.conf = calloc(1, sizeof(*l.conf));
	r = copy && l.conf ? load(&l, copy)
			   : err_set(l.err, ERR_SYSTEM, ENOMEM, l.scan.file, "reading the configuration");
	conf_scan_free(&l.scan);
	if (r)
		conf_free(l.conf);
	else
		*out = l.conf;
	return r;
}

/* Reads at most one byte more than a configuration may have. */
static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t r = read(fd, buf + n, size - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	return (ssize_t)n;
}

int conf_load_file(const char *path, struct conf **out, struct err *err)
{
	struct stat st;

	*out = NULL;
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int r = err_set(err, ERR_SYSTEM, errno, path, "cannot open the configuration");

		err_remedy(err, "write it (nasd.conf(5)), or name another file");
		return r;
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_INPUT, EINVAL, path, "is not a regular file");
	AUTO_FREE char *text = malloc(CONF_FILE_MAX + 1);
	if (!text)
		return err_set(err, ERR_SYSTEM, ENOMEM, path, "reading the configuration");
	ssize_t n = read_all(fd, text, CONF_FILE_MAX + 1);
	if (n < 0)
		return err_set(err, ERR_SYSTEM, (int)-n, path, "cannot read the configuration");
	return conf_load_text(path, text, (size_t)n, out, err);
}

void conf_free(struct conf *c)
{
	free(c);
}
