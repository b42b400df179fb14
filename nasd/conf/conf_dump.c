/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The canonical text, and looking things up. */
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "conf_buf.h"
#include "conf_schema.h"

static void indent(struct buf *b, int depth)
{
	for (int i = 0; i < depth; i++)
		buf_add(b, "\t");
}

struct dump {
	struct buf buf;
	bool masked;
};

static void print_fields(struct dump *d, const struct section *s, const void *base, int depth)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		indent(&d->buf, depth);
		field_print(&s->fields[i], base, d->masked, &d->buf);
		buf_add(&d->buf, "\n");
	}
}

static void open_section(struct dump *d, const struct section *s, const char *title, int depth)
{
	indent(&d->buf, depth);
	if (title)
		buf_add(&d->buf, "%s \"%s\" {\n", s->name, title);
	else
		buf_add(&d->buf, "%s {\n", s->name);
}

static void print_section(struct dump *d, const struct section *s, const char *title,
			  const void *base, int depth)
{
	open_section(d, s, title, depth);
	print_fields(d, s, base, depth + 1);
	indent(&d->buf, depth);
	buf_add(&d->buf, "}\n");
}

static void print_group(struct dump *d, const struct conf_group *g)
{
	open_section(d, &conf_group_section, g->name, 0);
	print_fields(d, &conf_group_section, g, 1);
	print_section(d, &conf_drbd_section, NULL, &g->drbd, 1);
	print_section(d, &conf_fs_section, NULL, &g->fs, 1);
	for (size_t i = 0; i < g->n_exports; i++)
		print_section(d, &conf_export_section, g->exports[i].name, &g->exports[i], 1);
	for (size_t i = 0; i < g->n_addresses; i++)
		print_section(d, &conf_address_section, g->addresses[i].net.text, &g->addresses[i], 1);
	print_section(d, &conf_nfs_section, NULL, &g->nfs, 1);
	print_section(d, &conf_limits_section, NULL, &g->limits, 1);
	buf_add(&d->buf, "}\n");
}

static char *print_conf(const struct conf *c, bool masked)
{
	struct dump d = { .masked = masked };

	if (masked && conf_has_secrets(c))
		buf_add(&d.buf, "# secrets are shown as ***\n");
	print_section(&d, &conf_cluster_section, NULL, &c->cluster, 0);
	for (size_t i = 0; i < CONF_NODES; i++)
		print_section(&d, &conf_node_section, c->nodes[i].name, &c->nodes[i], 0);
	for (size_t i = 0; i < c->n_fences; i++)
		print_section(&d, &conf_fence_section, c->fences[i].name, &c->fences[i], 0);
	for (size_t i = 0; i < c->n_hypervisors; i++)
		print_section(&d, &conf_hypervisor_section, c->hypervisors[i].name, &c->hypervisors[i], 0);
	for (size_t i = 0; i < c->n_groups; i++)
		print_group(&d, &c->groups[i]);
	if (!d.buf.failed)
		return d.buf.text;
	free(d.buf.text);
	return NULL;
}

char *conf_dump(const struct conf *c)
{
	return print_conf(c, false);
}

char *conf_dump_shown(const struct conf *c)
{
	return print_conf(c, true);
}

int conf_node_index(const struct conf *c, const char *hostname)
{
	for (int i = 0; i < CONF_NODES; i++)
		if (!strcmp(c->nodes[i].name, hostname))
			return i;
	return -1;
}

const struct conf_hypervisor *conf_hypervisor_find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_hypervisors; i++)
		if (!strcmp(c->hypervisors[i].name, name))
			return &c->hypervisors[i];
	return NULL;
}

const struct conf_group *conf_group_find(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->n_groups; i++)
		if (!strcmp(c->groups[i].name, name))
			return &c->groups[i];
	return NULL;
}

const struct conf_group *conf_group_find_id(const struct conf *c, uint16_t id)
{
	for (size_t i = 0; i < c->n_groups; i++)
		if (c->groups[i].id == id)
			return &c->groups[i];
	return NULL;
}
