/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Shared by dump.c and precopy.c only. */
#ifndef FSAL_DUMP_INT_H
#define FSAL_DUMP_INT_H

#include "dump.h"
#include "ganesha_api.h"

struct dumping {
	struct state_text *text;
	struct fault *fault;
	bool since;                 /* what the last pre-copy has is not repeated */
	uint32_t *slots;            /* STATE_SLOTS_MAX */
	struct state_range *ranges; /* of the lock that is being written */
	size_t room;
	unsigned char reply[STATE_REPLY_MAX];
};

/* The server's row. -ENOTSUP in grace. */
int dump_begin(const struct private_parts *parts, struct state_text *text, struct fault *fault);

int dump_client_row(struct dumping *d, const nfs_client_id_t *c);

/* A row of an open or a lock. Nothing may change it meanwhile. */
int dump_state_row(struct dumping *d, const state_owner_t *owner, state_t *state);

#endif
