/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "replay.h"

#include <arpa/inet.h>
#include <dbus/dbus.h> /* for server_stats_private.h */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client_mgr.h"
#include "export_mgr.h"
#include "lease_time.h"
#include "server_stats_private.h"

enum { PRIVILEGED_PORT = 1 };

/* ---- the request */

struct gsh_client *replay_origin(const char *address)
{
	/* those who have a gsh_client take it for the end of this */
	struct server_stats *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	pthread_rwlock_init(&s->client.lock, NULL);
	s->client.refcnt = 1; /* for ever */
	strlcpy(s->client.hostaddr_str, address, sizeof(s->client.hostaddr_str));
	return &s->client;
}

/* The client's address decides what an export allows to it. */
static int set_addresses(struct replay *r, const struct state_client_row *row, struct fault *fault)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&r->xprt.xp_remote.ss;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&r->xprt.xp_remote.ss;
	struct sockaddr_in *local = (struct sockaddr_in *)&r->xprt.xp_local.ss;

	r->xprt.xp_remote.nb.buf = &r->xprt.xp_remote.ss;
	r->xprt.xp_remote.nb.len = sizeof(r->xprt.xp_remote.ss);
	local->sin_family = AF_INET;
	local->sin_addr.s_addr = htonl(row->server_addr);
	if (inet_pton(AF_INET6, row->address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(PRIVILEGED_PORT);
	} else if (inet_pton(AF_INET, row->address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(PRIVILEGED_PORT);
	} else {
		return fault_set(fault, EINVAL, "not an address: %s", row->address);
	}
	return 0;
}

int replay_begin(struct replay *r, const struct private_parts *parts, const struct state_client_row *row,
		 struct gsh_client *origin, struct fault *fault)
{
	int ret;

	memset(r, 0, sizeof(*r));
	r->parts = parts;
	r->xprt.xp_type = XPRT_TCP;
	r->req.rq_xprt = &r->xprt;
	r->req.rq_msg.cb_cred.oa_flavor = AUTH_SYS;
	ret = set_addresses(r, row, fault);
	if (ret < 0)
		return ret;
	r->data = calloc(1, sizeof(*r->data)); /* compound_data_Free frees it */
	if (!r->data)
		return fault_set(fault, ENOMEM, "out of memory");
	r->data->req = &r->req;
	r->data->minorversion = row->minor;
	r->data->slotid = UINT32_MAX; /* none */
	r->data->oppos = 1;           /* behind a SEQUENCE: not for the gate */
	r->data->credential.flavor = AUTH_SYS;
	r->data->credential.auth_union.auth_unix.aup_uid = row->uid;
	r->data->credential.auth_union.auth_unix.aup_gid = row->gid;
	init_op_context(&r->context, NULL, NULL, (sockaddr_t *)&r->xprt.xp_remote.ss, NFS_V4, row->minor,
			NFS_REQUEST);
	op_ctx->client = origin;
	return 0;
}

void replay_end(struct replay *r)
{
	if (!r->data)
		return;
	r->data->session = NULL; /* ours without a reference */
	compound_data_Free(r->data);
	r->data = NULL;
	release_op_context();
}

/* Some operations reserve the lease, for the rest of a compound. */
static void release_lease(compound_data_t *data)
{
	nfs_client_id_t *client = data->preserved_clientid;

	if (!client)
		return;
	pthread_mutex_lock(&client->cid_mutex);
	if (--client->cid_lease_reservations == 0)
		client->cid_last_renew = lease_time();
	pthread_mutex_unlock(&client->cid_mutex);
	data->preserved_clientid = NULL;
}

/* Runs r->arg. The result stays in r->res until the next one. */
static void run(struct replay *r, nfs_opnum4 opcode)
{
	memset(&r->res, 0, sizeof(r->res));
	r->arg.argop = opcode;
	r->data->opcode = opcode;
	r->data->resp_size = 0;
	r->data->op_resp_size = 0;
	r->parts->ops[opcode].funct(&r->arg, r->data, &r->res);
	release_lease(r->data);
}

static void prepare(struct replay *r)
{
	memset(&r->arg, 0, sizeof(r->arg));
}

/* No descriptor left is NFS4ERR_IO, too (FSAL/fsal_convert.c:93). */
static int errnum_of(nfsstat4 status)
{
	if (status == NFS4ERR_STALE)
		return ESTALE;
	return status == NFS4ERR_DELAY || status == NFS4ERR_IO ? EAGAIN : EIO;
}

/* The end of an operation, with what it answered. */
static int done(struct replay *r, nfs_opnum4 opcode, nfsstat4 status, struct fault *fault)
{
	nfs4_Compound_FreeOne(&r->res);
	if (status == NFS4_OK)
		return 0;
	return fault_set(fault, errnum_of(status), "%s answers %d", r->parts->ops[opcode].name, (int)status);
}

/* ---- clients and sessions */

int replay_exchange_id(struct replay *r, const struct state_client_row *row, clientid4 *id,
		       struct fault *fault)
{
	EXCHANGE_ID4args *a = &r->arg.nfs_argop4_u.opexchange_id;
	const EXCHANGE_ID4res *res = &r->res.nfs_resop4_u.opexchange_id;

	prepare(r);
	memcpy(a->eia_clientowner.co_verifier, row->verifier, STATE_VERIFIER);
	a->eia_clientowner.co_ownerid.co_ownerid_val = (char *)(uintptr_t)row->owner.bytes;
	a->eia_clientowner.co_ownerid.co_ownerid_len = (u_int)row->owner.len;
	a->eia_flags = row->pnfs_flags & EXCHGID4_FLAG_MASK_PNFS;
	run(r, NFS4_OP_EXCHANGE_ID);
	*id = res->EXCHANGE_ID4res_u.eir_resok4.eir_clientid;
	return done(r, NFS4_OP_EXCHANGE_ID, res->eir_status, fault);
}

static void put_attrs(channel_attrs4 *to, const uint32_t from[STATE_ATTRS])
{
	to->ca_headerpadsize = from[0];
	to->ca_maxrequestsize = from[1];
	to->ca_maxresponsesize = from[2];
	to->ca_maxresponsesize_cached = from[3];
	to->ca_maxoperations = from[4];
	to->ca_maxrequests = from[5];
}

int replay_create_session(struct replay *r, nfs_client_id_t *client, const struct state_session_row *row,
			  struct fault *fault)
{
	CREATE_SESSION4args *a = &r->arg.nfs_argop4_u.opcreate_session;

	prepare(r);
	a->csa_clientid = client->cid_clientid;
	a->csa_sequence = client->cid_create_session_sequence;
	a->csa_cb_program = row->cb_program;
	put_attrs(&a->csa_fore_chan_attrs, row->fore);
	put_attrs(&a->csa_back_chan_attrs, row->back);
	run(r, NFS4_OP_CREATE_SESSION);
	return done(r, NFS4_OP_CREATE_SESSION, r->res.nfs_resop4_u.opcreate_session.csr_status, fault);
}

int replay_destroy_session(struct replay *r, const nfs41_session_t *session, struct fault *fault)
{
	DESTROY_SESSION4args *a = &r->arg.nfs_argop4_u.opdestroy_session;

	prepare(r);
	memcpy(a->dsa_sessionid, session->session_id, NFS4_SESSIONID_SIZE);
	run(r, NFS4_OP_DESTROY_SESSION);
	return done(r, NFS4_OP_DESTROY_SESSION, r->res.nfs_resop4_u.opdestroy_session.dsr_status, fault);
}

/* ---- files, opens, locks */

int replay_file(struct replay *r, const struct state_bytes *handle, struct fault *fault)
{
	nfs_fh4 *fh = &r->arg.nfs_argop4_u.opputfh.object;
	int ret;

	prepare(r);
	fh->nfs_fh4_val = (char *)(uintptr_t)handle->bytes;
	fh->nfs_fh4_len = (u_int)handle->len;
	run(r, NFS4_OP_PUTFH);
	ret = done(r, NFS4_OP_PUTFH, r->res.nfs_resop4_u.opputfh.status, fault);
	/* what the client was allowed to do once is not asked again */
	memset(&op_ctx->creds, 0, sizeof(op_ctx->creds));
	return ret;
}

/* A new state is the last one of its export (SAL/nfs4_state.c:204). */
static int newest_state(const unsigned char other[STATE_OTHER], state_t **state, struct fault *fault)
{
	state_t *s = glist_last_entry(&op_ctx->ctx_export->exp_state_list, state_t, state_export_list);

	if (!s || memcmp(s->stateid_other, other, STATE_OTHER))
		return fault_set(fault, EIO, "the new state has another id");
	*state = s;
	return 0;
}

int replay_open(struct replay *r, nfs41_session_t *session, const struct state_open_row *row,
		state_t **state, struct fault *fault)
{
	OPEN4args *a = &r->arg.nfs_argop4_u.opopen;
	int ret;

	prepare(r);
	r->data->session = session;
	op_ctx->clientid = &session->clientid;
	a->share_access = row->access;
	a->share_deny = row->deny;
	a->owner.clientid = session->clientid;
	a->owner.owner.owner_val = (char *)(uintptr_t)row->owner.bytes;
	a->owner.owner.owner_len = (u_int)row->owner.len;
	a->openhow.opentype = OPEN4_NOCREATE;
	a->claim.claim = CLAIM_FH;
	run(r, NFS4_OP_OPEN);
	ret = done(r, NFS4_OP_OPEN, r->res.nfs_resop4_u.opopen.status, fault);
	return ret == 0 ? newest_state(row->other, state, fault) : ret;
}

/* The locker of a new state, or of the one that is there. */
static void put_locker(struct replay *r, const struct state_lock_row *row, bool first)
{
	LOCK4args *a = &r->arg.nfs_argop4_u.oplock;
	open_to_lock_owner4 *new = &a->locker.locker4_u.open_owner;

	a->locker.new_lock_owner = first;
	if (!first) {
		memcpy(a->locker.locker4_u.lock_owner.lock_stateid.other, row->other, STATE_OTHER);
		return;
	}
	memcpy(new->open_stateid.other, row->open_other, STATE_OTHER);
	new->lock_owner.clientid = r->data->session->clientid;
	new->lock_owner.owner.owner_val = (char *)(uintptr_t)row->owner.bytes;
	new->lock_owner.owner.owner_len = (u_int)row->owner.len;
}

static nfsstat4 run_lock(struct replay *r, nfs41_session_t *session, const struct state_lock_row *row,
			 const struct state_range *range, bool first)
{
	LOCK4args *a = &r->arg.nfs_argop4_u.oplock;

	prepare(r);
	r->data->session = session;
	op_ctx->clientid = &session->clientid;
	a->locktype = range->write ? WRITE_LT : READ_LT;
	a->offset = range->start;
	a->length = range->length ? range->length : STATE_LOCK_OFFSET_EOF;
	put_locker(r, row, first);
	run(r, NFS4_OP_LOCK);
	return r->res.nfs_resop4_u.oplock.status;
}

int replay_lock(struct replay *r, nfs41_session_t *session, const struct state_lock_row *row,
		const struct state_range *range, bool first, state_t **state, struct fault *fault)
{
	int ret = done(r, NFS4_OP_LOCK, run_lock(r, session, row, range, first), fault);

	return ret == 0 && first ? newest_state(row->other, state, fault) : ret;
}

int replay_lock_nothing(struct replay *r, nfs41_session_t *session, const struct state_lock_row *row,
			state_t **state, struct fault *fault)
{
	LOCKU4args *a = &r->arg.nfs_argop4_u.oplocku;
	struct state_range byte = {.write = false, .start = 0, .length = 1};
	nfsstat4 status = run_lock(r, session, row, &byte, true);
	int ret;

	/* the open is for writing only; nothing has been made (nfs4_op_lock.c:457) */
	if (status == NFS4ERR_OPENMODE) {
		byte.write = true;
		status = run_lock(r, session, row, &byte, true);
	}
	ret = done(r, NFS4_OP_LOCK, status, fault);
	if (ret == 0)
		ret = newest_state(row->other, state, fault);
	if (ret < 0)
		return ret;
	prepare(r);
	a->locktype = byte.write ? WRITE_LT : READ_LT;
	memcpy(a->lock_stateid.other, row->other, STATE_OTHER);
	a->offset = byte.start;
	a->length = byte.length;
	run(r, NFS4_OP_LOCKU);
	return done(r, NFS4_OP_LOCKU, r->res.nfs_resop4_u.oplocku.status, fault);
}
