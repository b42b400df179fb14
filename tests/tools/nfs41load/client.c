/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client.h"

#include "client_request.h"
#include "rpc.h"

#define RETRY_NS UINT64_C(100000000) /* after GRACE, DELAY, or an unknown client */

void client_init(struct client *c, struct client_shared *shared, unsigned number, struct client_file *files,
		 unsigned count, uint64_t now_ns)
{
	*c = (struct client){ .shared = shared, .number = number, .files = files, .file_count = count,
			      .due_ns = now_ns, .xid = number << 16 };
}

/* ---- where it goes next */

static void enter(struct client *c, enum client_phase phase, uint64_t when)
{
	c->phase = phase;
	c->at = 0;
	c->due_ns = when;
}

/* The first file from `at` on that is (or is not) open and (or) locked. */
static bool find_file(struct client *c, bool opened, bool locked)
{
	for (; c->at < c->file_count; c->at++)
		if (c->files[c->at].opened == opened && c->files[c->at].locked == locked)
			return true;
	return false;
}

static bool find_open(struct client *c)
{
	while (c->at < c->file_count && !c->files[c->at].opened)
		c->at++;
	return c->at < c->file_count;
}

/* Each client at a moment of its own, so that a thousand do not ask at once. */
static uint64_t next_renewal(const struct client *c, uint64_t now)
{
	uint64_t renew = c->shared->renew_ns, moment = renew / 1024 * (c->number * 619U % 1024U);

	return now + renew - (now + renew - moment) % renew;
}

/* Everything that is asked of it before it only renews: the order of the phases. */
static void settle(struct client *c, uint64_t now)
{
	if (c->shared->stopping) {
		enter(c, CLIENT_CLOSE, now);
		if (!find_open(c))
			enter(c, CLIENT_DESTROY_SESSION, now);
		return;
	}
	enter(c, CLIENT_LOCK, now);
	if (find_file(c, true, false))
		return;
	enter(c, CLIENT_OPEN, now);
	if (find_file(c, false, false))
		return;
	enter(c, CLIENT_CHECK, now);
	if (!c->check_asked || !find_open(c))
		enter(c, CLIENT_STEADY, next_renewal(c, now));
	c->check_asked = false;
}

/* After a new session on a new client id: all that was held is reclaimed, file by file. */
static void reclaim_next(struct client *c, uint64_t now)
{
	unsigned at = c->at;

	if (find_open(c)) {
		at = c->at;
		enter(c, CLIENT_RECLAIM_OPEN, now);
		c->at = at;
		return;
	}
	enter(c, CLIENT_RECLAIM_COMPLETE, now);
}

static void complain(struct client *c, const char *op, uint32_t status)
{
	c->shared->counts.errors++;
	if (c->shared->complain)
		c->shared->complain(c->shared->complain_arg, c->number, op, status);
}

static void forget_lock(struct client *c, struct client_file *f)
{
	if (f->locked)
		c->shared->counts.holding--;
	f->locked = false;
}

static void session_lost(struct client *c, uint64_t now)
{
	c->shared->counts.sessions_lost++;
	c->resumed = false;
	enter(c, CLIENT_EXCHANGE_ID, now);
}

/* ---- what it asks */

bool client_ask(struct client *c, uint64_t now_ns)
{
	if (c->pending || c->phase == CLIENT_DONE || now_ns < c->due_ns)
		return false;
	c->xid++;
	if (client_request_make(c)) { /* a path that is too long for us: found at the first OPEN */
		complain(c, "request", 0);
		c->phase = CLIENT_DONE;
		return false;
	}
	c->pending = true;
	c->asked_ns = now_ns;
	return true;
}

/* ---- what it makes of the answers */

static void note_recovered(struct client *c, uint64_t now, uint64_t *longest)
{
	if (c->lost_ns && now - c->lost_ns > *longest)
		*longest = now - c->lost_ns;
}

static void take_exchange_id(struct client *c, struct xdr *x, uint64_t now)
{
	struct nfs41_exchange_id id;

	nfs41_get_exchange_id(x, &id);
	if (x->bad)
		return;
	if (c->had_state && (id.flags & EXCHGID4_FLAG_CONFIRMED_R) && id.clientid == c->id.clientid) {
		c->shared->counts.clients_kept++;
	} else {
		c->completed = false; /* and what it held is to be reclaimed */
	}
	c->id = id;
	enter(c, CLIENT_CREATE_SESSION, now);
}

static void take_create_session(struct client *c, struct xdr *x, uint64_t now)
{
	nfs41_get_create_session(x, &c->session);
	c->had_state = true;
	if (c->completed) {
		note_recovered(c, now, &c->shared->counts.longest_recover_ns);
		c->lost_ns = 0;
		settle(c, now);
		return;
	}
	c->at = 0;
	reclaim_next(c, now);
}

/* The current file handle was set by so many operations before the last one. */
static void take_open(struct client *c, struct xdr *x, uint64_t now)
{
	struct client_file *f = &c->files[c->at];

	nfs41_get_open(x, &f->open);
	if (nfs41_get_result(x, OP_GETFH) != NFS4_OK)
		x->bad = true;
	nfs41_get_fh(x, &f->fh);
	if (x->bad)
		return;
	f->opened = true;
	c->phase = CLIENT_LOCK;
	c->due_ns = now;
}

static void take_reclaim_open(struct client *c, struct xdr *x, uint64_t now)
{
	struct client_file *f = &c->files[c->at];

	nfs41_get_open(x, &f->open);
	c->shared->counts.opens_reclaimed++;
	if (f->locked) {
		c->phase = CLIENT_RECLAIM_LOCK;
		c->due_ns = now;
		return;
	}
	c->at++;
	reclaim_next(c, now);
}

static void take_lock(struct client *c, struct xdr *x, uint64_t now)
{
	struct client_file *f = &c->files[c->at];
	bool reclaim = c->phase == CLIENT_RECLAIM_LOCK;

	nfs41_get_stateid(x, &f->lock);
	if (!f->locked)
		c->shared->counts.holding++;
	f->locked = true;
	if (!reclaim) {
		settle(c, now);
		return;
	}
	c->shared->counts.locks_reclaimed++;
	c->at++;
	reclaim_next(c, now);
}

static void close_next(struct client *c, uint64_t now)
{
	struct client_file *f = &c->files[c->at];

	forget_lock(c, f);
	f->opened = false;
	settle(c, now);
}

static void check_next(struct client *c, uint64_t now)
{
	unsigned at = c->at + c->batch;

	enter(c, CLIENT_CHECK, now);
	c->at = at;
	if (!find_open(c) || c->shared->stopping)
		settle(c, now);
}

static void take_check(struct client *c, struct xdr *x, uint64_t now)
{
	uint32_t count, bad = nfs41_get_test_stateid(x, &count);

	c->shared->counts.stateids_tested += count;
	c->shared->counts.stateids_bad += bad;
	check_next(c, now);
}

static void take_success(struct client *c, struct xdr *x, uint64_t now)
{
	switch (c->phase) {
	case CLIENT_EXCHANGE_ID:
		take_exchange_id(c, x, now);
		break;
	case CLIENT_CREATE_SESSION:
		take_create_session(c, x, now);
		break;
	case CLIENT_RECLAIM_OPEN:
		take_reclaim_open(c, x, now);
		break;
	case CLIENT_OPEN:
		take_open(c, x, now);
		break;
	case CLIENT_RECLAIM_LOCK:
	case CLIENT_LOCK:
		take_lock(c, x, now);
		break;
	case CLIENT_RECLAIM_COMPLETE:
		note_recovered(c, now, &c->shared->counts.longest_reclaim_ns);
		c->lost_ns = 0;
		c->completed = true;
		settle(c, now);
		break;
	case CLIENT_STEADY:
		settle(c, now);
		break;
	case CLIENT_CHECK:
		take_check(c, x, now);
		break;
	case CLIENT_CLOSE:
		close_next(c, now);
		break;
	case CLIENT_DESTROY_SESSION:
		enter(c, CLIENT_DESTROY_CLIENTID, now);
		break;
	case CLIENT_DESTROY_CLIENTID:
		enter(c, CLIENT_DONE, CLIENT_NEVER);
		break;
	case CLIENT_DONE:
		break;
	}
}

/* What a phase does when its operation was refused for good. */
static void take_failure(struct client *c, uint32_t op, uint32_t status, uint64_t now)
{
	struct client_counts *counts = &c->shared->counts;

	if (c->phase == CLIENT_RECLAIM_COMPLETE && status == NFS4ERR_COMPLETE_ALREADY) {
		c->completed = true;
		settle(c, now);
		return;
	}
	/* A server that has just changed need not know the client that EXCHANGE_ID made. */
	if (c->phase == CLIENT_CREATE_SESSION && status == NFS4ERR_STALE_CLIENTID) {
		enter(c, CLIENT_EXCHANGE_ID, now + RETRY_NS);
		return;
	}
	complain(c, nfs41_op_name(op), status);
	switch (c->phase) {
	case CLIENT_RECLAIM_OPEN:
	case CLIENT_RECLAIM_LOCK:
		/* It is opened and locked anew, as by somebody who never had it. */
		counts->reclaims_failed += c->phase == CLIENT_RECLAIM_OPEN ? 1U + c->files[c->at].locked : 1U;
		forget_lock(c, &c->files[c->at]);
		c->files[c->at].opened = c->phase == CLIENT_RECLAIM_LOCK;
		c->at++;
		reclaim_next(c, now);
		break;
	case CLIENT_OPEN:
	case CLIENT_LOCK:
		if (c->shared->stopping)
			settle(c, now);
		else
			c->due_ns = now + 50 * RETRY_NS; /* perhaps another time */
		break;
	case CLIENT_CHECK:
		counts->stateids_bad += c->batch;
		check_next(c, now);
		break;
	case CLIENT_CLOSE:
		counts->stateids_bad++;
		close_next(c, now);
		break;
	case CLIENT_DESTROY_SESSION:
		enter(c, CLIENT_DESTROY_CLIENTID, now);
		break;
	case CLIENT_DESTROY_CLIENTID:
		enter(c, CLIENT_DONE, CLIENT_NEVER);
		break;
	case CLIENT_EXCHANGE_ID:
	case CLIENT_CREATE_SESSION:
	case CLIENT_RECLAIM_COMPLETE:
		c->due_ns = now + 10 * RETRY_NS;
		break;
	case CLIENT_STEADY:
	case CLIENT_DONE:
		break;
	}
}

static bool is_wait(uint32_t status)
{
	return status == NFS4ERR_GRACE || status == NFS4ERR_DELAY;
}

static void session_goes_on(struct client *c, uint64_t now)
{
	c->session.sequenceid++;
	if (!c->resumed)
		return;
	c->resumed = false;
	c->shared->counts.survived++;
	note_recovered(c, now, &c->shared->counts.longest_recover_ns);
	if (c->completed)
		c->lost_ns = 0;
}

/* SEQUENCE's own result.  True: the slot has moved on, and the other results count. */
static bool take_sequence(struct client *c, struct xdr *x, uint64_t now)
{
	uint32_t status = nfs41_get_result(x, OP_SEQUENCE), flags;

	if (x->bad)
		return false;
	if (status == NFS4ERR_DELAY) {
		c->shared->counts.grace_waits++;
		c->due_ns = now + RETRY_NS;
		return false;
	}
	if (status == NFS4ERR_RETRY_UNCACHED_REP) {
		/* It was executed, and its answer not kept: only what may be done again is asked so. */
		session_goes_on(c, now);
		c->due_ns = now;
		return false;
	}
	if (status != NFS4_OK) {
		if (status != NFS4ERR_BADSESSION && status != NFS4ERR_DEADSESSION &&
		    status != NFS4ERR_STALE_CLIENTID)
			complain(c, "SEQUENCE", status);
		session_lost(c, now);
		return false;
	}
	flags = nfs41_get_sequence(x, &c->session);
	if (x->bad)
		return false;
	session_goes_on(c, now);
	c->shared->counts.state_lost += (flags & ~c->last_flags & SEQ4_STATUS_STATE_LOST) != 0;
	c->last_flags = flags;
	return true;
}

/* The results before the one that the phase is about; its status, or that of the one that failed. */
static uint32_t skip_results(const struct client *c, struct xdr *x, uint32_t results, uint32_t *op)
{
	uint32_t want = client_request_op(c->phase), status = NFS4_OK;
	struct nfs41_stateid id;

	for (uint32_t i = 0; i < results && !x->bad; i++) {
		*op = xdr_get_u32(x);
		status = xdr_get_u32(x);
		if (status != NFS4_OK || *op == want)
			return status;
		if (*op == OP_LOCKU)
			nfs41_get_stateid(x, &id);
		else if (*op != OP_PUTFH && *op != OP_PUTROOTFH && *op != OP_LOOKUP)
			x->bad = true;
	}
	x->bad = true; /* it ends before that */
	return status;
}

static void take_results(struct client *c, struct xdr *x, uint64_t now)
{
	uint32_t results, op = 0, status;

	(void)nfs41_get_head(x, &results);
	if (x->bad || results == 0) {
		x->bad = true;
		return;
	}
	if (client_request_in_session(c)) {
		if (!take_sequence(c, x, now))
			return;
		if (c->phase == CLIENT_STEADY) {
			take_success(c, x, now);
			return;
		}
		results--;
	}
	status = skip_results(c, x, results, &op);
	if (x->bad)
		return;
	if (is_wait(status)) {
		c->shared->counts.grace_waits++;
		c->due_ns = now + RETRY_NS;
		/* A stop does not wait for a lock that will be given back at once. */
		if (c->shared->stopping && (c->phase == CLIENT_OPEN || c->phase == CLIENT_LOCK))
			settle(c, now);
	} else if (status == NFS4ERR_RETRY_UNCACHED_REP) {
		c->due_ns = now; /* done, but its answer is gone: only reads are not cached */
	} else if (status == NFS4_OK) {
		take_success(c, x, now);
	} else {
		take_failure(c, op, status, now);
	}
}

int client_take(struct client *c, unsigned char *reply, size_t len, uint64_t now_ns)
{
	struct xdr x = xdr_over(reply, len);
	uint32_t xid;

	if (rpc_get_reply(&x, &xid) || !c->pending || xid != c->xid) {
		complain(c, "reply", 0);
		return -1;
	}
	take_results(c, &x, now_ns);
	c->pending = false;
	if (x.bad) { /* what the server believes now is anybody's guess */
		complain(c, "reply", 0);
		session_lost(c, now_ns + RETRY_NS);
		return -1;
	}
	c->shared->counts.replies++;
	return 0;
}

/* ---- from outside */

void client_disconnected(struct client *c, uint64_t now_ns)
{
	if (!c->lost_ns)
		c->lost_ns = now_ns;
}

void client_connected(struct client *c, uint64_t now_ns)
{
	if (!c->lost_ns)
		return;
	c->resumed = client_request_in_session(c);
	if (!c->pending && c->due_ns > now_ns && c->phase != CLIENT_DONE)
		c->due_ns = now_ns; /* is the session still known? */
}

void client_check(struct client *c, uint64_t now_ns)
{
	c->check_asked = true;
	if (c->phase == CLIENT_STEADY && !c->pending)
		settle(c, now_ns);
}

void client_stop(struct client *c, uint64_t now_ns)
{
	/* What is under way is ended first; without a session there is nothing to end. */
	if (!c->pending && (c->phase == CLIENT_STEADY || c->phase == CLIENT_OPEN || c->phase == CLIENT_LOCK))
		settle(c, now_ns);
	else if (!c->had_state && !c->pending)
		enter(c, CLIENT_DONE, CLIENT_NEVER);
}
