/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "dump_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "clients.h"
#include "export_mgr.h"
#include "nfs_file_handle.h"
#include "precopy.h"
#include "reply.h"
#include "verifier.h"

_Static_assert(OTHERSIZE == STATE_OTHER, "the other part of a stateid");
_Static_assert(NFS4_SESSIONID_SIZE == STATE_SESSION_ID, "session ids");
_Static_assert(NFS4_FHSIZE <= STATE_HANDLE_MAX, "file handles");

static struct state_bytes bytes_of(const void *p, size_t len)
{
	return (struct state_bytes){p, len};
}

/* ---- one state */

/* The handle as the client has it. The state keeps the export alive. */
static int handle_of(const state_t *state, nfs_fh4 *fh, struct fault *fault)
{
	struct req_op_context context;
	bool ok;

	if (!state->state_export || !state->state_obj)
		return fault_set(fault, ESTALE, "a state without its file");
	get_gsh_export_ref(state->state_export);
	init_op_context(&context, state->state_export, state->state_export->fsal_export, NULL, NFS_V4, 1,
			NFS_REQUEST);
	memset(fh, 0, sizeof(*fh));
	ok = nfs4_FSALToFhandle(true, fh, state->state_obj, state->state_export);
	release_op_context();
	return ok ? 0 : fault_set(fault, ESTALE, "a file of export %d has no handle",
				  state->state_export->export_id);
}

static void dump_open(struct dumping *d, const state_owner_t *owner, const state_t *state,
		      const nfs_fh4 *fh)
{
	struct state_open_row o = {
		.owner = bytes_of(owner->so_owner_val, (size_t)owner->so_owner_len),
		.handle = bytes_of(fh->nfs_fh4_val, fh->nfs_fh4_len),
		.seqid = state->state_seqid,
		.access = state->state_data.share.share_access,
		.deny = state->state_data.share.share_deny,
		.access_prev = state->state_data.share.share_access_prev,
		.deny_prev = state->state_data.share.share_deny_prev,
	};

	memcpy(o.other, state->stateid_other, STATE_OTHER);
	state_put_open(d->text, &o);
}

static int put_range(struct dumping *d, const fsal_lock_param_t *lock, size_t n)
{
	if (n == STATE_RANGES_MAX)
		return fault_set(d->fault, ENOTSUP, "more than %d locks of one owner on a file",
				 STATE_RANGES_MAX);
	if (n == d->room) {
		size_t room = d->room ? 2 * d->room : 64;
		struct state_range *ranges = realloc(d->ranges, room * sizeof(*ranges));

		if (!ranges)
			return fault_set(d->fault, ENOMEM, "out of memory");
		d->ranges = ranges;
		d->room = room;
	}
	d->ranges[n] = (struct state_range){
		.write = lock->lock_type == FSAL_LOCK_W,
		.start = lock->lock_start,
		.length = lock->lock_length,
	};
	return 0;
}

static int dump_lock(struct dumping *d, const state_owner_t *owner, state_t *state, const nfs_fh4 *fh)
{
	struct state_lock_row l = {
		.owner = bytes_of(owner->so_owner_val, (size_t)owner->so_owner_len),
		.handle = bytes_of(fh->nfs_fh4_val, fh->nfs_fh4_len),
		.seqid = state->state_seqid,
	};
	struct glist_head *g;
	int ret;

	glist_for_each(g, &state->state_data.lock.state_locklist) {
		const state_lock_entry_t *e = glist_entry(g, state_lock_entry_t, sle_state_locks);

		if (e->sle_blocked != STATE_NON_BLOCKING)
			return fault_set(d->fault, ENOTSUP, "a lock that waits");
		ret = put_range(d, &e->sle_lock, l.n_ranges);
		if (ret < 0)
			return ret;
		l.n_ranges++;
	}
	l.ranges = d->ranges;
	memcpy(l.other, state->stateid_other, STATE_OTHER);
	memcpy(l.open_other, state->state_data.lock.openstate_key, STATE_OTHER);
	state_put_lock(d->text, &l);
	return 0;
}

int dump_state_row(struct dumping *d, const state_owner_t *owner, state_t *state)
{
	nfs_fh4 fh;
	int ret;

	if (state->state_type != STATE_TYPE_SHARE && state->state_type != STATE_TYPE_LOCK)
		return fault_set(d->fault, ENOTSUP, "a state of kind %d (a delegation or a layout)",
				 (int)state->state_type);
	ret = handle_of(state, &fh, d->fault);
	if (ret < 0)
		return ret;
	if (state->state_type == STATE_TYPE_SHARE)
		dump_open(d, owner, state, &fh);
	else
		ret = dump_lock(d, owner, state, &fh);
	free(fh.nfs_fh4_val);
	return ret;
}

/* All states of the owners on a list. */
static int dump_owners(struct dumping *d, struct glist_head *owners)
{
	struct glist_head *g, *s;
	int ret = 0;

	glist_for_each(g, owners) {
		state_owner_t *owner = glist_entry(g, state_owner_t, so_owner.so_nfs4_owner.so_perclient);

		pthread_mutex_lock(&owner->so_mutex);
		glist_for_each(s, &owner->so_owner.so_nfs4_owner.so_state_list) {
			ret = dump_state_row(d, owner, glist_entry(s, state_t, state_owner_list));
			if (ret < 0)
				break;
		}
		pthread_mutex_unlock(&owner->so_mutex);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* ---- a client */

static void copy_attrs(uint32_t to[STATE_ATTRS], const channel_attrs4 *a)
{
	to[0] = a->ca_headerpadsize;
	to[1] = a->ca_maxrequestsize;
	to[2] = a->ca_maxresponsesize;
	to[3] = a->ca_maxresponsesize_cached;
	to[4] = a->ca_maxoperations;
	to[5] = a->ca_maxrequests;
}

/* What cannot be carried is not there to be asked for again. */
static void dump_replies(struct dumping *d, const nfs41_session_t *session)
{
	for (uint32_t i = 0; i < session->nb_slots; i++) {
		const struct COMPOUND4res_extended *reply = session->fc_slots[i].cached_result;
		size_t len = reply ? reply_encode(reply, d->reply, sizeof(d->reply)) : 0;

		if (len)
			state_put_reply(d->text, &(struct state_reply_row){i, bytes_of(d->reply, len)});
	}
}

static int dump_session(struct dumping *d, const nfs41_session_t *session)
{
	struct state_session_row s = {
		.cb_program = session->cb_program,
		.n_slots = session->nb_slots,
		.slots = d->slots,
	};

	if (s.n_slots > STATE_SLOTS_MAX)
		return fault_set(d->fault, ENOTSUP, "a session of %zu slots", s.n_slots);
	memcpy(s.id, session->session_id, STATE_SESSION_ID);
	copy_attrs(s.fore, &session->fore_channel_attrs);
	copy_attrs(s.back, &session->back_channel_attrs);
	for (size_t i = 0; i < s.n_slots; i++)
		d->slots[i] = session->fc_slots[i].sequence;
	state_put_session(d->text, &s);
	dump_replies(d, session);
	return 0;
}

int dump_client_row(struct dumping *d, const nfs_client_id_t *c)
{
	const nfs_client_record_t *record = c->cid_client_record;
	struct state_client_row out = {
		.id = c->cid_clientid,
		.owner = bytes_of(record->cr_client_val, (size_t)record->cr_client_val_len),
		.minor = c->cid_minorversion,
		.pnfs_flags = record->cr_pnfs_flags,
		.server_addr = record->cr_server_addr,
		.create_seq = c->cid_create_session_sequence,
		.uid = c->cid_credential.auth_union.auth_unix.aup_uid,
		.gid = c->cid_credential.auth_union.auth_unix.aup_gid,
		.stateid_counter = c->cid_stateid_counter,
		.reclaim_complete = c->cid_cb.v41.cid_reclaim_complete,
		.allow_reclaim = c->cid_allow_reclaim,
		.address = "-",
	};

	if (c->cid_minorversion == 0)
		return fault_set(d->fault, ENOTSUP, "an NFSv4.0 client");
	if (c->cid_credential.flavor != AUTH_SYS)
		return fault_set(d->fault, ENOTSUP, "a client with credentials of flavour %u",
				 c->cid_credential.flavor);
	if (c->gsh_client && c->gsh_client->hostaddr_str[0])
		strlcpy(out.address, c->gsh_client->hostaddr_str, sizeof(out.address));
	memcpy(out.verifier, c->cid_incoming_verifier, STATE_VERIFIER);
	state_put_client(d->text, &out);
	return 0;
}

static int dump_client(nfs_client_id_t *c, void *data)
{
	struct dumping *d = data;
	struct glist_head *g;
	bool same;
	int ret;

	pthread_mutex_lock(&c->cid_mutex);
	ret = dump_client_row(d, c);
	if (ret == 0)
		glist_for_each(g, &c->cid_cb.v41.cb_session_list) {
			ret = dump_session(d, glist_entry(g, nfs41_session_t, session_link));
			if (ret < 0)
				break;
		}
	same = ret == 0 && d->since && precopy_same(c, &d->text->counts);
	if (same)
		state_put_same(d->text);
	if (ret == 0 && !same)
		ret = dump_owners(d, &c->cid_openowners);
	if (ret == 0 && !same)
		ret = dump_owners(d, &c->cid_lockowners);
	pthread_mutex_unlock(&c->cid_mutex);
	return ret;
}

int dump_begin(const struct private_parts *parts, struct state_text *text, struct fault *fault)
{
	struct state_server_row s = {
		.epoch = (uint64_t)nfs_ServerEpoch,
		.client_counter = __atomic_load_n(parts->client_counter, __ATOMIC_SEQ_CST),
		.session_counter = __atomic_load_n(parts->session_counter, __ATOMIC_SEQ_CST),
	};
	bool in_grace;
	int ret = admin_in_grace(parts, &in_grace, fault);

	if (ret == 0 && in_grace)
		ret = fault_set(fault, ENOTSUP, "in grace: clients have yet to reclaim");
	if (ret < 0)
		return ret;
	verifier_get(s.write_verifier);
	state_begin(text, &s);
	return 0;
}

int dump_state(const struct private_parts *parts, uint64_t since, struct state_text *text, struct fault *fault)
{
	struct dumping d = {.text = text, .fault = fault, .since = precopy_is(since)};
	int ret = dump_begin(parts, text, fault);

	d.slots = calloc(STATE_SLOTS_MAX, sizeof(*d.slots));
	if (ret == 0 && !d.slots)
		ret = fault_set(fault, ENOMEM, "out of memory");
	if (ret == 0)
		ret = clients_each(ht_confirmed_client_id, dump_client, &d);
	if (ret == 0)
		ret = state_end(text, fault);
	free(d.slots);
	free(d.ranges);
	return ret;
}
