/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Requests that no client has sent: ganesha's own operations, called one by one in
 * the name of a client, so that its lists, references and counts come out as they
 * do for a request that came in. One thread; no such request is ever held.
 */
#ifndef FSAL_REPLAY_H
#define FSAL_REPLAY_H

#include "discover.h"
#include "fault.h"
#include "ganesha_api.h"
#include "state.h"

struct replay {
	const struct private_parts *parts;
	SVCXPRT xprt;
	struct svc_req req;
	struct req_op_context context;
	compound_data_t *data; /* NULL: not begun */
	nfs_argop4 arg;
	nfs_resop4 res;
};

/*
 * Begins to act for the client of that row; origin is what ganesha knows of its
 * address (NULL will do for replay_file alone).
 */
int replay_begin(struct replay *r, const struct private_parts *parts, const struct state_client_row *row,
		 struct gsh_client *origin, struct fault *fault);
void replay_end(struct replay *r); /* also when not begun */

/* What ganesha knows of an address, made up; it stays as long as the process. */
struct gsh_client *replay_origin(const char *address);

/* Each of these fails with what the operation answered in the fault; -EAGAIN: it may pass. */
int replay_exchange_id(struct replay *r, const struct state_client_row *row, clientid4 *id,
		       struct fault *fault);
int replay_create_session(struct replay *r, nfs_client_id_t *client, const struct state_session_row *row,
			  struct fault *fault);
int replay_destroy_session(struct replay *r, const nfs41_session_t *session, struct fault *fault);

/* The file that open and lock are about. -ESTALE: there is none, or no export. */
int replay_file(struct replay *r, const struct state_bytes *handle, struct fault *fault);

/* In that session, on that file; *state is the new state. */
int replay_open(struct replay *r, nfs41_session_t *session, const struct state_open_row *row,
		state_t **state, struct fault *fault);

/* A range of a lock row: the first one makes the state. */
int replay_lock(struct replay *r, nfs41_session_t *session, const struct state_lock_row *row,
		const struct state_range *range, bool first, state_t **state, struct fault *fault);

/* The state of a lock row that has no ranges. Takes a byte for a moment: there must
 * be no other lock on the file yet. */
int replay_lock_nothing(struct replay *r, nfs41_session_t *session, const struct state_lock_row *row,
			state_t **state, struct fault *fault);

#endif
