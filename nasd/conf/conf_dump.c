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

static void print_fields(struct buf *b, const struct section *s, const void *base, int depth)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		indent(b, depth);
		field_print(&s->fields[i], base, b);
		buf_add(b, "\n");
	}
}

static void open_section(struct buf *b, const struct section *s, const char *title, int depth)
{
	indent(b, depth);
	if (title)
		buf_add(b, "%s \"%s\" {\n", s->name, title);
	else
		buf_add(b, "%s {\n", s->name);
}

static void print_section(struct buf *b, const struct section *s, const char *title,
			  const void *base, int depth)
{
	open_section(b, s, title, depth);
	print_fields(b, s, base, depth + 1);
	indent(b, depth);
	buf_add(b, "}\n");
}

static void print_group(struct buf *b, const struct conf_group *g)
{
	open_section(b, &conf_group_section, g->name, 0);
	print_fields(b, &conf_group_section, g, 1);
	print_section(b, &conf_drbd_section, NULL, &g->drbd, 1);
	print_section(b, &conf_fs_section, NULL, &g->fs, 1);
	for (size_t i = 0; i < g->n_exports; i++)
		print_section(b, &conf_export_section, g->exports[i].name, &g->exports[i], 1);
	for (size_t i = 0; i < g->n_addresses; i++)
		print_section(b, &conf_address_section, g->addresses[i].net.text, &g->addresses[i], 1);
	print_section(b, &conf_nfs_section, NULL, &g->nfs, 1);
	print_section(b, &conf_limits_section, NULL, &g->limits, 1);
	buf_add(b, "}\n");
}

char *conf_dump(const struct conf *c)
{
	struct buf b = { 0 };

	print_section(&b, &conf_cluster_section, NULL, &c->cluster, 0);
	for (size_t i = 0; i < CONF_NODES; i++)
		print_section(&b, &conf_node_section, c->nodes[i].name, &c->nodes[i], 0);
	for (size_t i = 0; i < c->n_groups; i++)
		print_group(&b, &c->groups[i]);
	if (!b.failed)
		return b.text;
	free(b.text);
	return NULL;
}

int conf_node_index(const struct conf *c, const char *hostname)
{
	for (int i = 0; i < CONF_NODES; i++)
		if (!strcmp(c->nodes[i].name, hostname))
			return i;
	return -1;
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
