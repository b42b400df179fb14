/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * FSAL_NASD for nfs-ganesha. In the configuration it stands over another FSAL:
 *
 *     NASD { Socket = "/run/nasd/vms/fsal.sock"; }
 *     EXPORT { ... FSAL { Name = NASD; FSAL { Name = VFS; } } }
 *
 * At run time it stands nowhere: its create_export has the FSAL below create its
 * export right under MDCACHE, so each file operation takes the way that it takes
 * without us; only the write verifier is ours. What the module does, it does at
 * the beginning of a compound (hooks.c) and through its socket.
 */
#include "ganesha_api.h"

#include <errno.h>

#include <FSAL/fsal_commonlib.h>
#include <FSAL/fsal_config.h>
#include <FSAL/fsal_init.h>
#include "grace.h"
#include "records.h"
#include "server.h"
#include "verifier.h"

static struct fsal_module module;

/* ---- the block NASD */

struct nasd_params {
	char *socket;
	uint32_t record_wait;  /* ms; 0: no answer is held */
	uint32_t reclaim_wait; /* ms; 0: nobody is given up */
};

static struct config_item nasd_items[] = {
	CONF_MAND_PATH("Socket", 1, MAXPATHLEN, NULL, nasd_params, socket),
	CONF_ITEM_UI32("Record_Wait", 0, 60000, 0, nasd_params, record_wait),
	CONF_ITEM_UI32("Reclaim_Wait", 0, 600000, 0, nasd_params, reclaim_wait),
	CONFIG_EOL
};

static struct config_block nasd_block = {
	.dbus_interface_name = "org.ganesha.nfsd.config.nasd",
	.blk_desc.name = "NASD",
	.blk_desc.type = CONFIG_BLOCK,
	.blk_desc.flags = CONFIG_UNIQUE,
	.blk_desc.u.blk.init = noop_conf_init,
	.blk_desc.u.blk.params = nasd_items,
	.blk_desc.u.blk.commit = noop_conf_commit,
};

static fsal_status_t init_config(struct fsal_module *self, config_file_t config,
				 struct config_error_type *err_type)
{
	static struct nasd_params params; /* the parser keeps its strings */
	struct fault fault = {0};

	(void)self;
	load_config_from_parse(config, &nasd_block, &params, true, err_type);
	if (!config_error_is_harmless(err_type))
		return fsalstat(ERR_FSAL_INVAL, 0);
	if (!params.socket) {
		LogCrit(COMPONENT_FSAL, "NASD: the block NASD with its Socket is missing");
		return fsalstat(ERR_FSAL_INVAL, 0);
	}
	grace_configure(params.reclaim_wait * 1000LL);
	if (verifier_init(&fault) < 0 || records_start(params.record_wait * 1000LL, &fault) < 0 ||
	    server_start(params.socket, &fault) < 0) {
		LogCrit(COMPONENT_FSAL, "NASD: %s", fault.text);
		return fsalstat(ERR_FSAL_SERVERFAULT, fault.errnum);
	}
	return fsalstat(ERR_FSAL_NO_ERROR, 0);
}

/* ---- the FSAL below */

struct below_params {
	struct subfsal_args below;
};

static struct config_item below_items[] = {
	CONF_ITEM_STR("name", 1, 10, NULL, subfsal_args, name),
	CONFIG_EOL
};

static struct config_item export_items[] = {
	CONF_ITEM_NOOP("name"),
	CONF_RELAX_BLOCK("FSAL", below_items, noop_conf_init, subfsal_commit, below_params, below),
	CONFIG_EOL
};

static struct config_block export_block = {
	.dbus_interface_name = "org.ganesha.nfsd.config.fsal.nasd-export%d",
	.blk_desc.name = "FSAL",
	.blk_desc.type = CONFIG_BLOCK,
	.blk_desc.u.blk.init = noop_conf_init,
	.blk_desc.u.blk.params = export_items,
	.blk_desc.u.blk.commit = noop_conf_commit,
};

/*
 * The FSAL named in the inner block, loaded, with one reference (subfsal_commit
 * took it, FSAL/fsal_manager.c:588); NULL after a word in the log.
 */
static struct fsal_module *find_below(void *node, struct below_params *params,
				      struct config_error_type *err_type)
{
	struct fsal_module *below;

	params->below = (struct subfsal_args){0};
	if (load_config_from_node(node, &export_block, params, true, err_type) || !params->below.name) {
		LogCrit(COMPONENT_FSAL, "NASD: FSAL { Name = NASD; FSAL { Name = VFS; } } is wanted");
		return NULL;
	}
	below = lookup_fsal(params->below.name);
	if (!below)
		return NULL;
	fsal_put(below); /* lookup's; the commit's stays */
	if (below == &module) {
		LogCrit(COMPONENT_FSAL, "NASD cannot stand over NASD");
		fsal_put(below);
		return NULL;
	}
	return below;
}

/*
 * The export that comes back in op_ctx is that of the FSAL below, and so is the
 * reference that goes when MDCACHE releases it (mdcache_export.c:331). The
 * caller's reference to us is given back here; on failure the caller does that
 * (support/exports.c:806).
 */
static fsal_status_t create_export(struct fsal_module *self, void *node,
				   struct config_error_type *err_type,
				   const struct fsal_up_vector *up_ops)
{
	struct below_params params;
	struct fsal_module *below = find_below(node, &params, err_type);
	fsal_status_t status;

	if (!below)
		return fsalstat(ERR_FSAL_INVAL, EINVAL);
	status = below->m_ops.create_export(below, params.below.fsal_node, err_type, up_ops);
	if (!FSAL_IS_ERROR(status))
		verifier_install(op_ctx->fsal_export);
	fsal_put(FSAL_IS_ERROR(status) ? below : self);
	return status;
}

static fsal_status_t update_export_below(struct fsal_module *self, void *node,
					 struct config_error_type *err_type, struct fsal_export *original,
					 struct fsal_module *updated_super)
{
	struct below_params params;
	struct fsal_module *below = find_below(node, &params, err_type);
	fsal_status_t status;

	(void)self;
	if (!below)
		return fsalstat(ERR_FSAL_INVAL, EINVAL);
	status = below->m_ops.update_export(below, params.below.fsal_node, err_type, original,
					    updated_super);
	fsal_put(below); /* no new export keeps it */
	return status;
}

/* ---- registration. The module is never unloaded: ganesha's table points here. */

MODULE_INIT void nasd_load(void)
{
	if (register_fsal(&module, "NASD", FSAL_MAJOR_VERSION, FSAL_MINOR_VERSION, FSAL_ID_NO_PNFS))
		return; /* ganesha has said why */
	module.m_ops.init_config = init_config;
	module.m_ops.create_export = create_export;
	module.m_ops.update_export = update_export_below;
}
