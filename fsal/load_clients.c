/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Clients and sessions of a load: those that are made before the answer, and those
 * that are made late. */
#include <errno.h>
#include <stdlib.h>

#include "load_int.h"

#include "lease_time.h"
#include "reply.h"

nfs_client_id_t *load_find_client(hash_table_t *table, clientid4 id)
{
	struct gsh_buffdesc key = {.addr = &id, .len = sizeof(id)}, value;
	struct hash_latch latch;
	hash_error_t ret = hashtable_getlatch(table, &key, &value, false, &latch);

	if (ret == HASHTABLE_SUCCESS || ret == HASHTABLE_ERROR_NO_SUCH_KEY)
		hashtable_releaselatched(table, &latch);
	return ret == HASHTABLE_SUCCESS ? value.addr : NULL;
}

static int make_session(struct loading *l, const struct state_session_row *s, uint64_t counter,
			struct fault *fault)
{
	struct glist_head *sessions = &l->client->cid_cb.v41.cb_session_list;
	int ret;

	__atomic_store_n(l->parts->session_counter, counter - 1, __ATOMIC_SEQ_CST);
	ret = replay_create_session(&l->replay, l->client, s, fault);
	if (ret < 0)
		return ret;
	/* a new one is the first of the list (nfs4_op_create_session.c:372), and so the
	 * rows come newest first */
	l->session = glist_first_entry(sessions, nfs41_session_t, session_link);
	if (!l->session || load_counter_of_session((const unsigned char *)l->session->session_id) != counter)
		return fault_set(fault, EIO, "the new session has another id");
	glist_move_tail(sessions, &l->session->session_link);
	return 0;
}

/* ganesha confirms a client, and opens for it, with a session only. */
int load_temporary_session(struct loading *l, struct fault *fault)
{
	static const struct state_session_row row = {
		.fore = {0, 4096, 4096, 4096, 8, 1}, .back = {0, 4096, 4096, 4096, 8, 1},
	};

	return make_session(l, &row, ++l->server.session_counter, fault);
}

/* What the client's rows say but no operation sets; lease and all. */
int load_finish_client(struct loading *l, struct fault *fault)
{
	nfs_client_id_t *c = l->client;
	int ret = 0;

	if (c && !l->session)
		ret = load_temporary_session(l, fault);
	if (ret < 0)
		return load_failed(l, "session", 0, fault);
	if (c) {
		pthread_mutex_lock(&c->cid_mutex);
		c->cid_create_session_sequence = l->row.create_seq;
		c->cid_create_session_slot = l->answer;
		c->cid_cb.v41.cid_reclaim_complete = l->row.reclaim_complete;
		c->cid_allow_reclaim = false; /* of what? there has been no restart */
		c->cid_stateid_counter = l->row.stateid_counter;
		c->cid_last_renew = lease_time();
		pthread_mutex_unlock(&c->cid_mutex);
	}
	return 0;
}

static int make_identity(struct loading *l, const struct state_client_row *c, struct fault *fault)
{
	struct gsh_client *origin = replay_origin(c->address);
	clientid4 id;
	int ret;

	if (!origin)
		return fault_set(fault, ENOMEM, "out of memory");
	ret = replay_begin(&l->replay, l->parts, c, origin, fault);
	if (ret < 0)
		return ret;
	__atomic_store_n(l->parts->client_counter, (uint32_t)c->id - 1, __ATOMIC_SEQ_CST);
	ret = replay_exchange_id(&l->replay, c, &id, fault);
	if (ret < 0)
		return ret;
	l->client = id == c->id ? load_find_client(l->parts->unconfirmed, id) : NULL;
	if (!l->client || l->client->cid_clientid != c->id)
		return fault_set(fault, EIO, "the new client has another id");
	if (l->client->cid_client_record->cr_pnfs_flags != c->pnfs_flags)
		return fault_set(fault, EIO, "the roles of this server are others");
	l->answer = l->client->cid_create_session_slot;
	return 0;
}

int load_client(void *data, const struct state_client_row *c, struct fault *fault)
{
	struct loading *l = data;
	int ret = load_finish_client(l, fault);

	replay_end(&l->replay);
	if (ret < 0)
		return ret;
	load_begin_row(l, c);
	ret = make_identity(l, c, fault);
	return ret < 0 ? load_failed(l, "identity", 0, fault) : 0;
}

/* Its back channel is as up as it was: the flag keeps SEQUENCE from reporting that
 * it is down, and there is nothing to call back for (no delegations, no layouts). */
int load_session(void *data, const struct state_session_row *s, struct fault *fault)
{
	struct loading *l = data;
	int ret = make_session(l, s, load_counter_of_session(s->id), fault);

	l->counts.sessions++;
	if (ret == 0 && l->session->nb_slots != s->n_slots)
		ret = fault_set(fault, EIO, "the new session has %u slots", l->session->nb_slots);
	if (ret < 0)
		return load_failed(l, "session", l->counts.sessions, fault);
	for (size_t i = 0; i < s->n_slots; i++)
		l->session->fc_slots[i].sequence = s->slots[i];
	l->session->cb_program = s->cb_program;
	l->session->flags |= session_bc_up;
	l->session->num_conn = 0; /* its requests bring their own */
	/* the first row is the newest session, the answer to which may be asked for again */
	if (l->n_sessions++ == 0) {
		l->answer = l->client->cid_create_session_slot;
		l->answer.CREATE_SESSION4res_u.csr_resok4.csr_sequence = l->row.create_seq - 1;
	}
	return 0;
}

int load_reply(void *data, const struct state_reply_row *y, struct fault *fault)
{
	struct loading *l = data;
	struct COMPOUND4res_extended *reply = reply_decode(y->xdr.bytes, y->xdr.len);

	l->counts.replies++;
	if (!reply) {
		fault_set(fault, EPROTO, "not a reply");
		return load_failed(l, "reply", l->counts.replies, fault);
	}
	if (l->session->fc_slots[y->slot].cached_result) {
		fault_set(fault, EPROTO, "the second one of slot %u", y->slot);
		return load_failed(l, "reply", l->counts.replies, fault);
	}
	l->session->fc_slots[y->slot].cached_result = reply;
	return 0;
}
