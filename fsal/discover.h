/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What the module uses of ganesha's that the library does not export. Found by
 * fsal/scan.h in libganesha_nfsd.so's memory, and only in builds that
 * fsal/known-builds lists.
 */
#ifndef FSAL_DISCOVER_H
#define FSAL_DISCOVER_H

#include "fault.h"
#include "ganesha_api.h"
#include "scan.h"

/* Protocols/NFS/nfs4_Compound.c:64 of 4.3 */
struct op_desc {
	char *name;
	nfs4_function_t funct, resume;
	void (*free_res)(nfs_resop4 *);
	uint32_t resp_size;
	int exp_perm_flags;
};

struct gsh_dbus_method;

struct private_parts {
	char build_id[SCAN_BUILD_ID_MAX];     /* of libganesha_nfsd.so */
	char rpc_build_id[SCAN_BUILD_ID_MAX]; /* of libntirpc.so */
	struct op_desc *ops;                  /* optabv4 */
	struct gsh_dbus_method *add_export, *remove_export, *get_grace;
	uint32_t *client_counter;             /* the last client id's: clientid_counter */
	uint64_t *session_counter;            /* the last session id's: global_sequence */
	struct hash_table *sessions, *unconfirmed, *states;
	int64_t took_us;                      /* to find them */
};

/*
 * Fills in what is in the library's own memory, from its loading on; the build-ids
 * also when it fails.
 */
int discover_code(struct private_parts *out, struct fault *fault);

/* Adds the tables, which are there when the server has started (nfs_init_wait). */
int discover_tables(struct private_parts *out, struct fault *fault);

#endif
