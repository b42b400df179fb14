/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operations of NFSv4.1 (RFC 8881) that the load client uses: arguments
 * written, results read.  Pure.  Names are the RFC's.
 *
 * A compound is begun with compound_begin(), operations are added with
 * nfs41_put_*(), compound_end() counts them.  Of the reply each operation's
 * result is opened with nfs41_get_result() and, when its status is NFS4_OK, its
 * body read with the nfs41_get_*() of its name (operations without a result to
 * read have none).
 */
#ifndef NFS41LOAD_NFS41_H
#define NFS41LOAD_NFS41_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xdr.h"

enum {
	OP_CLOSE = 4,
	OP_GETFH = 10,
	OP_LOCK = 12,
	OP_LOCKU = 14,
	OP_LOOKUP = 15,
	OP_OPEN = 18,
	OP_PUTFH = 22,
	OP_PUTROOTFH = 24,
	OP_EXCHANGE_ID = 42,
	OP_CREATE_SESSION = 43,
	OP_DESTROY_SESSION = 44,
	OP_SEQUENCE = 53,
	OP_TEST_STATEID = 55,
	OP_DESTROY_CLIENTID = 57,
	OP_RECLAIM_COMPLETE = 58
};

enum {
	NFS4_OK = 0,
	NFS4ERR_DELAY = 10008,
	NFS4ERR_GRACE = 10013,
	NFS4ERR_STALE_CLIENTID = 10022,
	NFS4ERR_BADSESSION = 10052,
	NFS4ERR_COMPLETE_ALREADY = 10054,
	NFS4ERR_RETRY_UNCACHED_REP = 10068,
	NFS4ERR_DEADSESSION = 10078
};

#define NFS4_FHSIZE      128U
#define NFS4_SESSIONID   16U
#define NFS4_STATEID     16U
#define NFS4_OWNER_LIMIT 64U /* ours are no longer */

#define EXCHGID4_FLAG_CONFIRMED_R 0x80000000U

/* SEQUENCE's status flags that say that state was lost: EXPIRED_ALL_STATE_REVOKED,
 * EXPIRED_SOME_STATE_REVOKED, ADMIN_STATE_REVOKED, RESTART_RECLAIM_NEEDED. */
#define SEQ4_STATUS_STATE_LOST (0x08U | 0x10U | 0x20U | 0x100U)

struct nfs41_fh {
	size_t len;
	unsigned char data[NFS4_FHSIZE];
};

struct nfs41_stateid {
	unsigned char data[NFS4_STATEID]; /* seqid and other, never looked into */
};

/* open_owner4, lock_owner4 */
struct nfs41_owner {
	uint64_t clientid;
	const char *name;
};

struct nfs41_session {
	unsigned char id[NFS4_SESSIONID];
	uint32_t sequenceid; /* of slot 0, the newest that was answered */
};

struct nfs41_exchange_id {
	uint64_t clientid;
	uint32_t sequenceid; /* for CREATE_SESSION */
	uint32_t flags;
};

/* The name of an error, or NULL for one that is not in the table. */
const char *nfs41_error_name(uint32_t status);
const char *nfs41_op_name(uint32_t op);

/* The place where compound_end() puts the count. */
size_t nfs41_begin(struct xdr *x, const char *tag);
void nfs41_end(struct xdr *x, size_t place, uint32_t operations);

void nfs41_put_exchange_id(struct xdr *x, uint64_t verifier, const char *owner);
void nfs41_put_create_session(struct xdr *x, uint64_t clientid, uint32_t sequenceid);
void nfs41_put_destroy_session(struct xdr *x, const struct nfs41_session *s);
void nfs41_put_destroy_clientid(struct xdr *x, uint64_t clientid);
void nfs41_put_sequence(struct xdr *x, const struct nfs41_session *s, bool cache_this);
void nfs41_put_reclaim_complete(struct xdr *x);
void nfs41_put_rootfh(struct xdr *x);
void nfs41_put_fh(struct xdr *x, const struct nfs41_fh *fh);
void nfs41_put_lookup(struct xdr *x, const char *name, size_t len);
void nfs41_put_getfh(struct xdr *x);

/* CLAIM_NULL, created if it is not there. */
void nfs41_put_open(struct xdr *x, const struct nfs41_owner *owner, const char *name);
/* CLAIM_PREVIOUS of the current file handle. */
void nfs41_put_open_reclaim(struct xdr *x, const struct nfs41_owner *owner);
/* A write lock on one byte, by a new lock owner. */
void nfs41_put_lock(struct xdr *x, const struct nfs41_owner *owner, const struct nfs41_stateid *open,
		    uint64_t byte, bool reclaim);
void nfs41_put_locku(struct xdr *x, const struct nfs41_stateid *lock, uint64_t byte);
void nfs41_put_close(struct xdr *x, const struct nfs41_stateid *open);
/* Its stateids follow: so many nfs41_put_stateid(). */
void nfs41_put_test_stateid(struct xdr *x, uint32_t count);
void nfs41_put_stateid(struct xdr *x, const struct nfs41_stateid *id);

/* The head of a compound's reply: its status; *results is how many follow. */
uint32_t nfs41_get_head(struct xdr *x, uint32_t *results);
/* The next result's status; bad when it is not of this operation. */
uint32_t nfs41_get_result(struct xdr *x, uint32_t op);

void nfs41_get_exchange_id(struct xdr *x, struct nfs41_exchange_id *out);
void nfs41_get_create_session(struct xdr *x, struct nfs41_session *out);
/* The status flags; bad when it is of another session or number than asked. */
uint32_t nfs41_get_sequence(struct xdr *x, const struct nfs41_session *s);
void nfs41_get_fh(struct xdr *x, struct nfs41_fh *out);
void nfs41_get_open(struct xdr *x, struct nfs41_stateid *out);
/* LOCK, LOCKU and CLOSE answer with a stateid. */
void nfs41_get_stateid(struct xdr *x, struct nfs41_stateid *out);
/* How many of the stateids are not valid; *count of them were answered. */
uint32_t nfs41_get_test_stateid(struct xdr *x, uint32_t *count);

#endif
