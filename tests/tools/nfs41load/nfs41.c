/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nfs41.h"

#include <string.h>

enum { MINOR_VERSION = 1 };
enum { OPEN4_NOCREATE = 0, OPEN4_CREATE = 1, UNCHECKED4 = 0 };
enum { CLAIM_NULL = 0, CLAIM_PREVIOUS = 1 };
enum { OPEN_DELEGATE_NONE = 0, OPEN_DELEGATE_READ = 1, OPEN_DELEGATE_WRITE = 2, OPEN_DELEGATE_NONE_EXT = 3 };
enum { WND4_CONTENTION = 1, WND4_RESOURCE = 2 };
enum { OPEN4_SHARE_ACCESS_BOTH = 3, OPEN4_SHARE_ACCESS_WANT_NO_DELEG = 0x400 };
enum { WRITE_LT = 2 };
enum { SP4_NONE = 0, AUTH_NONE = 0 };
enum { FATTR4_MODE_WORD = 1, FATTR4_MODE_BIT = 0x2, MODE = 0644 };
enum { CALLBACK_PROGRAM = 0x40000000 }; /* never called: there is no back channel */

#define LOCK_LENGTH  UINT64_C(1)

static const struct {
	uint32_t status;
	const char *name;
} error_names[] = {
	{ 0, "NFS4_OK" },
	{ 1, "NFS4ERR_PERM" },
	{ 2, "NFS4ERR_NOENT" },
	{ 5, "NFS4ERR_IO" },
	{ 13, "NFS4ERR_ACCESS" },
	{ 20, "NFS4ERR_NOTDIR" },
	{ 21, "NFS4ERR_ISDIR" },
	{ 22, "NFS4ERR_INVAL" },
	{ 28, "NFS4ERR_NOSPC" },
	{ 30, "NFS4ERR_ROFS" },
	{ 70, "NFS4ERR_STALE" },
	{ 10001, "NFS4ERR_BADHANDLE" },
	{ 10006, "NFS4ERR_SERVERFAULT" },
	{ 10008, "NFS4ERR_DELAY" },
	{ 10010, "NFS4ERR_DENIED" },
	{ 10011, "NFS4ERR_EXPIRED" },
	{ 10012, "NFS4ERR_LOCKED" },
	{ 10013, "NFS4ERR_GRACE" },
	{ 10016, "NFS4ERR_WRONGSEC" },
	{ 10017, "NFS4ERR_CLID_INUSE" },
	{ 10018, "NFS4ERR_RESOURCE" },
	{ 10020, "NFS4ERR_NOFILEHANDLE" },
	{ 10021, "NFS4ERR_MINOR_VERS_MISMATCH" },
	{ 10022, "NFS4ERR_STALE_CLIENTID" },
	{ 10023, "NFS4ERR_STALE_STATEID" },
	{ 10024, "NFS4ERR_OLD_STATEID" },
	{ 10025, "NFS4ERR_BAD_STATEID" },
	{ 10026, "NFS4ERR_BAD_SEQID" },
	{ 10033, "NFS4ERR_NO_GRACE" },
	{ 10034, "NFS4ERR_RECLAIM_BAD" },
	{ 10035, "NFS4ERR_RECLAIM_CONFLICT" },
	{ 10036, "NFS4ERR_BADXDR" },
	{ 10037, "NFS4ERR_LOCKS_HELD" },
	{ 10044, "NFS4ERR_OP_ILLEGAL" },
	{ 10047, "NFS4ERR_ADMIN_REVOKED" },
	{ 10049, "NFS4ERR_BADIOMODE" },
	{ 10052, "NFS4ERR_BADSESSION" },
	{ 10053, "NFS4ERR_BADSLOT" },
	{ 10054, "NFS4ERR_COMPLETE_ALREADY" },
	{ 10055, "NFS4ERR_CONN_NOT_BOUND_TO_SESSION" },
	{ 10063, "NFS4ERR_SEQ_MISORDERED" },
	{ 10064, "NFS4ERR_SEQUENCE_POS" },
	{ 10065, "NFS4ERR_REQ_TOO_BIG" },
	{ 10066, "NFS4ERR_REP_TOO_BIG" },
	{ 10067, "NFS4ERR_REP_TOO_BIG_TO_CACHE" },
	{ 10068, "NFS4ERR_RETRY_UNCACHED_REP" },
	{ 10070, "NFS4ERR_TOO_MANY_OPS" },
	{ 10071, "NFS4ERR_OP_NOT_IN_SESSION" },
	{ 10074, "NFS4ERR_CLIENTID_BUSY" },
	{ 10076, "NFS4ERR_SEQ_FALSE_RETRY" },
	{ 10077, "NFS4ERR_BAD_HIGH_SLOT" },
	{ 10078, "NFS4ERR_DEADSESSION" },
	{ 10081, "NFS4ERR_NOT_ONLY_OP" },
};

static const struct {
	uint32_t op;
	const char *name;
} op_names[] = {
	{ OP_CLOSE, "CLOSE" },
	{ OP_GETFH, "GETFH" },
	{ OP_LOCK, "LOCK" },
	{ OP_LOCKU, "LOCKU" },
	{ OP_LOOKUP, "LOOKUP" },
	{ OP_OPEN, "OPEN" },
	{ OP_PUTFH, "PUTFH" },
	{ OP_PUTROOTFH, "PUTROOTFH" },
	{ OP_EXCHANGE_ID, "EXCHANGE_ID" },
	{ OP_CREATE_SESSION, "CREATE_SESSION" },
	{ OP_DESTROY_SESSION, "DESTROY_SESSION" },
	{ OP_SEQUENCE, "SEQUENCE" },
	{ OP_TEST_STATEID, "TEST_STATEID" },
	{ OP_DESTROY_CLIENTID, "DESTROY_CLIENTID" },
	{ OP_RECLAIM_COMPLETE, "RECLAIM_COMPLETE" },
};

const char *nfs41_error_name(uint32_t status)
{
	for (size_t i = 0; i < sizeof(error_names) / sizeof(error_names[0]); i++)
		if (error_names[i].status == status)
			return error_names[i].name;
	return NULL;
}

const char *nfs41_op_name(uint32_t op)
{
	for (size_t i = 0; i < sizeof(op_names) / sizeof(op_names[0]); i++)
		if (op_names[i].op == op)
			return op_names[i].name;
	return "?";
}

size_t nfs41_begin(struct xdr *x, const char *tag)
{
	xdr_put_string(x, tag);
	xdr_put_u32(x, MINOR_VERSION);
	xdr_put_u32(x, 0);
	return x->at - 4U;
}

void nfs41_end(struct xdr *x, size_t place, uint32_t operations)
{
	xdr_set_u32(x, place, operations);
}

/* ---- arguments */

void nfs41_put_exchange_id(struct xdr *x, uint64_t verifier, const char *owner)
{
	xdr_put_u32(x, OP_EXCHANGE_ID);
	xdr_put_u64(x, verifier);
	xdr_put_string(x, owner);
	xdr_put_u32(x, 0); /* eia_flags */
	xdr_put_u32(x, SP4_NONE);
	xdr_put_u32(x, 0); /* no implementation id */
}

/* channel_attrs4: header padding, request, response, cached response, operations, slots, no RDMA */
static void put_channel(struct xdr *x, uint32_t size, uint32_t cached, uint32_t operations)
{
	xdr_put_u32(x, 0);
	xdr_put_u32(x, size);
	xdr_put_u32(x, size);
	xdr_put_u32(x, cached);
	xdr_put_u32(x, operations);
	xdr_put_u32(x, 1);
	xdr_put_u32(x, 0);
}

void nfs41_put_create_session(struct xdr *x, uint64_t clientid, uint32_t sequenceid)
{
	xdr_put_u32(x, OP_CREATE_SESSION);
	xdr_put_u64(x, clientid);
	xdr_put_u32(x, sequenceid);
	xdr_put_u32(x, 0); /* csa_flags: not persistent, no back channel on this connection */
	put_channel(x, 8192, 2048, 16);
	put_channel(x, 4096, 0, 2);
	xdr_put_u32(x, CALLBACK_PROGRAM);
	xdr_put_u32(x, 1);
	xdr_put_u32(x, AUTH_NONE);
}

void nfs41_put_destroy_session(struct xdr *x, const struct nfs41_session *s)
{
	xdr_put_u32(x, OP_DESTROY_SESSION);
	xdr_put_bytes(x, s->id, sizeof(s->id));
}

void nfs41_put_destroy_clientid(struct xdr *x, uint64_t clientid)
{
	xdr_put_u32(x, OP_DESTROY_CLIENTID);
	xdr_put_u64(x, clientid);
}

void nfs41_put_sequence(struct xdr *x, const struct nfs41_session *s, bool cache_this)
{
	xdr_put_u32(x, OP_SEQUENCE);
	xdr_put_bytes(x, s->id, sizeof(s->id));
	xdr_put_u32(x, s->sequenceid + 1U);
	xdr_put_u32(x, 0); /* slot */
	xdr_put_u32(x, 0); /* the highest slot in use */
	xdr_put_u32(x, cache_this);
}

void nfs41_put_reclaim_complete(struct xdr *x)
{
	xdr_put_u32(x, OP_RECLAIM_COMPLETE);
	xdr_put_u32(x, 0); /* rca_one_fs: of all file systems */
}

void nfs41_put_rootfh(struct xdr *x)
{
	xdr_put_u32(x, OP_PUTROOTFH);
}

void nfs41_put_fh(struct xdr *x, const struct nfs41_fh *fh)
{
	xdr_put_u32(x, OP_PUTFH);
	xdr_put_opaque(x, fh->data, fh->len);
}

void nfs41_put_lookup(struct xdr *x, const char *name, size_t len)
{
	xdr_put_u32(x, OP_LOOKUP);
	xdr_put_opaque(x, name, len);
}

void nfs41_put_getfh(struct xdr *x)
{
	xdr_put_u32(x, OP_GETFH);
}

static void put_owner(struct xdr *x, const struct nfs41_owner *owner)
{
	xdr_put_u64(x, owner->clientid);
	xdr_put_string(x, owner->name);
}

static void put_open_head(struct xdr *x, const struct nfs41_owner *owner)
{
	xdr_put_u32(x, OP_OPEN);
	xdr_put_u32(x, 0); /* seqid: not used in 4.1 */
	xdr_put_u32(x, OPEN4_SHARE_ACCESS_BOTH | OPEN4_SHARE_ACCESS_WANT_NO_DELEG);
	xdr_put_u32(x, 0); /* deny nothing */
	put_owner(x, owner);
}

void nfs41_put_open(struct xdr *x, const struct nfs41_owner *owner, const char *name)
{
	put_open_head(x, owner);
	xdr_put_u32(x, OPEN4_CREATE);
	xdr_put_u32(x, UNCHECKED4);
	xdr_put_u32(x, FATTR4_MODE_WORD + 1U); /* createattrs: a bitmap of two words, the mode */
	xdr_put_u32(x, 0);
	xdr_put_u32(x, FATTR4_MODE_BIT);
	xdr_put_u32(x, 4);
	xdr_put_u32(x, MODE);
	xdr_put_u32(x, CLAIM_NULL);
	xdr_put_string(x, name);
}

void nfs41_put_open_reclaim(struct xdr *x, const struct nfs41_owner *owner)
{
	put_open_head(x, owner);
	xdr_put_u32(x, OPEN4_NOCREATE);
	xdr_put_u32(x, CLAIM_PREVIOUS);
	xdr_put_u32(x, OPEN_DELEGATE_NONE);
}

void nfs41_put_lock(struct xdr *x, const struct nfs41_owner *owner, const struct nfs41_stateid *open,
		    uint64_t byte, bool reclaim)
{
	xdr_put_u32(x, OP_LOCK);
	xdr_put_u32(x, WRITE_LT);
	xdr_put_u32(x, reclaim);
	xdr_put_u64(x, byte);
	xdr_put_u64(x, LOCK_LENGTH);
	xdr_put_u32(x, 1); /* a new lock owner */
	xdr_put_u32(x, 0); /* open_seqid */
	nfs41_put_stateid(x, open);
	xdr_put_u32(x, 0); /* lock_seqid */
	put_owner(x, owner);
}

void nfs41_put_locku(struct xdr *x, const struct nfs41_stateid *lock, uint64_t byte)
{
	xdr_put_u32(x, OP_LOCKU);
	xdr_put_u32(x, WRITE_LT);
	xdr_put_u32(x, 0); /* seqid */
	nfs41_put_stateid(x, lock);
	xdr_put_u64(x, byte);
	xdr_put_u64(x, LOCK_LENGTH);
}

void nfs41_put_close(struct xdr *x, const struct nfs41_stateid *open)
{
	xdr_put_u32(x, OP_CLOSE);
	xdr_put_u32(x, 0); /* seqid */
	nfs41_put_stateid(x, open);
}

void nfs41_put_test_stateid(struct xdr *x, uint32_t count)
{
	xdr_put_u32(x, OP_TEST_STATEID);
	xdr_put_u32(x, count);
}

void nfs41_put_stateid(struct xdr *x, const struct nfs41_stateid *id)
{
	xdr_put_bytes(x, id->data, sizeof(id->data));
}

/* ---- results */

uint32_t nfs41_get_head(struct xdr *x, uint32_t *results)
{
	uint32_t status = xdr_get_u32(x);

	(void)xdr_get_opaque(x, NULL, 0); /* the tag */
	*results = xdr_get_u32(x);
	return status;
}

uint32_t nfs41_get_result(struct xdr *x, uint32_t op)
{
	if (xdr_get_u32(x) != op)
		x->bad = true;
	return xdr_get_u32(x);
}

void nfs41_get_exchange_id(struct xdr *x, struct nfs41_exchange_id *out)
{
	out->clientid = xdr_get_u64(x);
	out->sequenceid = xdr_get_u32(x);
	out->flags = xdr_get_u32(x);
	if (xdr_get_u32(x) != SP4_NONE)
		x->bad = true; /* we asked for none */
	/* The server's owner, scope and implementation id are the last of it: not read. */
}

void nfs41_get_create_session(struct xdr *x, struct nfs41_session *out)
{
	xdr_get_bytes(x, out->id, sizeof(out->id));
	(void)xdr_get_u32(x); /* csr_sequence */
	(void)xdr_get_u32(x); /* csr_flags */
	out->sequenceid = 0;  /* a new slot's first request is number 1 */
}

uint32_t nfs41_get_sequence(struct xdr *x, const struct nfs41_session *s)
{
	unsigned char id[NFS4_SESSIONID];

	xdr_get_bytes(x, id, sizeof(id));
	if (memcmp(id, s->id, sizeof(id)) != 0 || xdr_get_u32(x) != s->sequenceid + 1U || xdr_get_u32(x) != 0)
		x->bad = true;
	(void)xdr_get_u32(x); /* sr_highest_slotid */
	(void)xdr_get_u32(x); /* sr_target_highest_slotid */
	return xdr_get_u32(x);
}

void nfs41_get_fh(struct xdr *x, struct nfs41_fh *out)
{
	out->len = xdr_get_opaque(x, out->data, sizeof(out->data));
}

void nfs41_get_stateid(struct xdr *x, struct nfs41_stateid *out)
{
	xdr_get_bytes(x, out->data, sizeof(out->data));
}

static void skip_bitmap(struct xdr *x)
{
	uint32_t words = xdr_get_u32(x);

	for (uint32_t i = 0; i < words && !x->bad; i++)
		(void)xdr_get_u32(x);
}

void nfs41_get_open(struct xdr *x, struct nfs41_stateid *out)
{
	uint32_t type, why;

	nfs41_get_stateid(x, out);
	(void)xdr_get_u32(x); /* change_info4 */
	(void)xdr_get_u64(x);
	(void)xdr_get_u64(x);
	(void)xdr_get_u32(x); /* rflags */
	skip_bitmap(x);       /* attrset */
	type = xdr_get_u32(x);
	if (type == OPEN_DELEGATE_NONE_EXT) {
		why = xdr_get_u32(x);
		if (why == WND4_CONTENTION || why == WND4_RESOURCE)
			(void)xdr_get_u32(x);
	} else if (type != OPEN_DELEGATE_NONE) {
		x->bad = true; /* a delegation that was not wanted, with no way to recall it */
	}
}

uint32_t nfs41_get_test_stateid(struct xdr *x, uint32_t *count)
{
	uint32_t bad = 0;

	*count = xdr_get_u32(x);
	for (uint32_t i = 0; i < *count && !x->bad; i++)
		bad += xdr_get_u32(x) != NFS4_OK;
	return bad;
}
