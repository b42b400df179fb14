/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold of the hypervisors: guests are found by where an export is mounted. */
#include <string.h>

#include "conf_check.h"

static bool is_export(const struct conf *c, const char *name)
{
	for (size_t g = 0; g < c->n_groups; g++)
		for (size_t i = 0; i < c->groups[g].n_exports; i++)
			if (!strcmp(c->groups[g].exports[i].name, name))
				return true;
	return false;
}

static int check_mounts(const struct checker *k, const struct conf_hypervisor *h, struct conf_place at)
{
	at.key = "mounts";
	if (!h->n_mounts)
		return FAIL(k, &at, "name each export that is mounted there: mounts = { \"EXPORT=/mnt/EXPORT\" }",
			    "no export is mounted there");
	for (size_t i = 0; i < h->n_mounts; i++) {
		const struct conf_fence_option *m = &h->mounts[i];
		size_t len = strlen(m->value);

		if (!is_export(k->c, m->key))
			return FAIL(k, &at, "name an export of one of the groups", "there is no export `%s'", m->key);
		if (m->value[0] != '/' || len < 2 || m->value[len - 1] == '/' || strstr(m->value, "//") || strchr(m->value, '"'))
			return FAIL(k, &at, "write the path where the hypervisor has it mounted, as /mnt/vm",
				    "`%s' is no absolute path of a mount point", m->value);
		for (size_t j = 0; j < i; j++)
			if (!strcmp(h->mounts[j].key, m->key))
				return FAIL(k, &at, "give each export once", "export `%s' is given twice", m->key);
	}
	return 0;
}

int conf_check_hypervisors(const struct checker *k)
{
	for (size_t i = 0; i < k->c->n_hypervisors; i++) {
		const struct conf_hypervisor *h = &k->c->hypervisors[i];
		struct conf_place at = { .sec1 = "hypervisor", .i1 = i, .key = "uri" };
		int r;

		if (strncmp(h->uri, "qemu", 4) != 0)
			return FAIL(k, &at, "name the system connection of libvirt's qemu driver: qemu+ssh://root@HOST/system",
				    "`%s' is not of libvirt's qemu driver", h->uri);
		for (size_t j = 0; j < i; j++)
			if (!strcmp(k->c->hypervisors[j].uri, h->uri))
				return FAIL(k, &at, "give each hypervisor its own", "is also that of hypervisor %s",
					    k->c->hypervisors[j].name);
		r = check_mounts(k, h, at);
		if (r)
			return r;
	}
	return 0;
}
