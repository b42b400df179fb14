/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ganesha_conf.h"

#include <errno.h>
#include <inttypes.h>

#include "conf.h"
#include "conf_buf.h"

static int finish(const struct buf *b)
{
	if (b->failed) {
		if (b->size)
			b->text[0] = '\0';
		return -ENOSPC;
	}
	return (int)b->len;
}

/*
 * NFSv4 over TCP only: no NLM, rquota or UDP (each would want rpcbind, and NLM
 * keeps the grace period from being lifted early), no Kerberos (its contexts
 * live in the process and cannot move). Connections: all that ganesha allows.
 */
static void add_core(struct buf *b, const struct conf_group *g, const struct ganesha_paths *p)
{
	buf_add(b, "NFS_CORE_PARAM {\n"
		   "\tNFS_Port = %u;\n"
		   "\tProtocols = 4;\n"
		   "\tEnable_NLM = false;\n"
		   "\tEnable_RQUOTA = false;\n"
		   "\tEnable_UDP = false;\n"
		   "\tClustered = true;\n"
		   "\tfsid_device = false;\n"
		   "\tRPC_Max_Connections = 10000;\n",
		g->nfs.port);
	if (g->nfs.bind.family)
		buf_add(b, "\tBind_Addr = %s;\n", g->nfs.bind.text);
	if (p && p->plugins_dir)
		buf_add(b, "\tPlugins_Dir = \"%s\";\n", p->plugins_dir);
	if (p && p->dbus_prefix)
		buf_add(b, "\tDbus_Name_Prefix = \"%s\";\n", p->dbus_prefix);
	buf_add(b, "}\n\nNFS_KRB5 {\n\tActive_krb5 = false;\n}\n\n");
}

/* No delegations: a back channel that has just moved cannot recall them. */
static void add_v4(struct buf *b, const struct conf_group *g, const struct ganesha_paths *p)
{
	const char *state = p && p->state_dir ? p->state_dir : GANESHA_STATE_DIR;

	buf_add(b, "NFSV4 {\n"
		   "\tMinor_Versions = 1, 2;\n"
		   "\tLease_Lifetime = %" PRIu64 ";\n"
		   "\tGrace_Period = %" PRIu64 ";\n"
		   "\tGraceless = false;\n"
		   "\tDelegations = false;\n"
		   "\tPNFS_MDS = false;\n"
		   "\tPNFS_DS = false;\n"
		   "\tSlot_Table_Size = 64;\n"
		   "\tAllow_Numeric_Owners = true;\n"
		   "\tOnly_Numeric_Owners = true;\n",
		g->nfs.lease_us / 1000000, g->nfs.grace_us / 1000000);
	buf_add(b, "\tServer_Owner = \"nasd-%s-%u\";\n\tServer_Scope = \"nasd-%s-%u\";\n", g->name,
		g->id, g->name, g->id);
	buf_add(b, "\tRecoveryBackend = fs;\n"
		   "\tRecoveryRoot = \"%s/%s\";\n"
		   "\tRecoveryDir = \"" GANESHA_RECOV_DIR "\";\n"
		   "\tRecoveryOldDir = \"v4old\";\n}\n",
		state, g->name);
}

int ganesha_conf_core(const struct conf_group *g, int node, const struct ganesha_paths *paths,
		      char *buf, size_t size)
{
	struct buf b = { .text = buf, .size = size, .fixed = true };

	buf_add(&b, "# Written by nasd for group %s on node %d: changes are lost.\n\n", g->name, node);
	add_core(&b, g, paths);
	add_v4(&b, g, paths);
	if (paths && paths->module_socket)
		buf_add(&b, "\nNASD {\n\tSocket = \"%s\";\n\tRecord_Wait = %" PRIu64 ";\n\tReclaim_Wait = %" PRIu64 ";\n}\n",
			paths->module_socket, g->nfs.record_wait_us / 1000, g->nfs.reclaim_wait_us / 1000);
	return finish(&b);
}

static const char over_vfs[] = "\tFSAL {\n\t\tName = NASD;\n\t\tFSAL {\n\t\t\tName = VFS;\n\t\t}\n\t}\n}\n";

static int nobodys_export(unsigned id, const char *path, const char *fsal, char *buf, size_t size)
{
	struct buf b = { .text = buf, .size = size, .fixed = true };

	buf_add(&b, "\n# Nobody's: see ganesha_conf.h of nasd.\n"
		    "EXPORT {\n"
		    "\tExport_Id = %u;\n"
		    "\tPath = \"%s\";\n"
		    "\tPseudo = \"/.nasd-%u\";\n"
		    "\tAccess_Type = NONE;\n"
		    "\tProtocols = 4;\n"
		    "\tTransports = TCP;\n"
		    "\tSecType = sys;\n"
		    "%s", id, path, id, fsal);
	return finish(&b);
}

int ganesha_conf_no_export(char *buf, size_t size)
{
	return nobodys_export(GANESHA_NO_EXPORT_ID, "/run", "\tFSAL {\n\t\tName = NASD;\n\t}\n}\n", buf, size);
}

int ganesha_conf_rehearsal(const char *path, char *buf, size_t size)
{
	return nobodys_export(GANESHA_REHEARSAL_ID, path, over_vfs, buf, size);
}

static const char *squash_word(enum conf_squash s)
{
	switch (s) {
	case CONF_SQUASH_NO_ROOT:
		return "No_Root_Squash";
	case CONF_SQUASH_ROOT:
		return "Root_Squash";
	case CONF_SQUASH_ALL:
		return "All_Squash";
	}
	return "All_Squash";
}

/* Nobody has access but the clients that are listed. */
int ganesha_conf_export(const struct conf_group *g, const struct conf_export *e, bool module, char *buf,
			size_t size)
{
	struct buf b = { .text = buf, .size = size, .fixed = true };

	buf_add(&b, "# Written by nasd for group %s: changes are lost.\n\n"
		    "EXPORT {\n"
		    "\tExport_Id = %u;\n"
		    "\tPath = \"%s\";\n"
		    "\tPseudo = \"%s\";\n"
		    "\tProtocols = 4;\n"
		    "\tTransports = TCP;\n"
		    "\tSecType = sys;\n"
		    "\tAccess_Type = NONE;\n"
		    "\tSquash = %s;\n",
		g->name, e->id, e->path, e->pseudo, squash_word(e->squash));
	buf_add(&b, "\tCLIENT {\n\t\tClients = ");
	for (size_t i = 0; i < e->n_clients; i++)
		buf_add(&b, "%s%s", i ? ", " : "", e->clients[i].text);
	buf_add(&b, ";\n\t\tProtocols = 4;\n\t\tTransports = TCP;\n\t\tSecType = sys;\n\t\tAccess_Type = %s;\n\t\tSquash = %s;\n\t}\n",
		e->access == CONF_ACCESS_RW ? "RW" : "RO", squash_word(e->squash));
	buf_add(&b, "%s", module ? over_vfs : "\tFSAL {\n\t\tName = VFS;\n\t}\n}\n");
	return finish(&b);
}
