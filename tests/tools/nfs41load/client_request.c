/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "client_request.h"

#include <stdio.h>
#include <string.h>

#include "rpc.h"

#define NAME_SIZE   96U
#define CHECK_FILES 24U /* so many in one TEST_STATEID */

uint32_t client_request_op(enum client_phase phase)
{
	switch (phase) {
	case CLIENT_EXCHANGE_ID: return OP_EXCHANGE_ID;
	case CLIENT_CREATE_SESSION: return OP_CREATE_SESSION;
	case CLIENT_RECLAIM_OPEN:
	case CLIENT_OPEN: return OP_OPEN;
	case CLIENT_RECLAIM_LOCK:
	case CLIENT_LOCK: return OP_LOCK;
	case CLIENT_RECLAIM_COMPLETE: return OP_RECLAIM_COMPLETE;
	case CLIENT_STEADY: return OP_SEQUENCE;
	case CLIENT_CHECK: return OP_TEST_STATEID;
	case CLIENT_CLOSE: return OP_CLOSE;
	case CLIENT_DESTROY_SESSION: return OP_DESTROY_SESSION;
	case CLIENT_DESTROY_CLIENTID: return OP_DESTROY_CLIENTID;
	case CLIENT_DONE: break;
	}
	return 0;
}

static void put_path(struct xdr *x, const char *path, uint32_t *ops)
{
	nfs41_put_rootfh(x);
	(*ops)++;
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len) {
			nfs41_put_lookup(x, path, len);
			(*ops)++;
		}
		path += len + (path[len] == '/');
	}
}

static uint32_t put_check(struct client *c, struct xdr *x)
{
	uint32_t ids = 0;
	size_t count;
	unsigned i;

	nfs41_put_test_stateid(x, 0);
	count = x->at - 4U;
	for (i = c->at; i < c->file_count && i < c->at + CHECK_FILES; i++) {
		if (c->files[i].opened) {
			nfs41_put_stateid(x, &c->files[i].open);
			ids++;
		}
		if (c->files[i].locked) {
			nfs41_put_stateid(x, &c->files[i].lock);
			ids++;
		}
	}
	c->batch = i - c->at;
	xdr_set_u32(x, count, ids);
	return 1;
}

/* The operations after SEQUENCE, or instead of it; their number. */
static uint32_t put_phase(struct client *c, struct xdr *x)
{
	struct client_file *f = c->at < c->file_count ? &c->files[c->at] : NULL;
	char name[NAME_SIZE], owner[NAME_SIZE];
	struct nfs41_owner opener = { c->id.clientid, owner };
	uint32_t ops = 0;

	snprintf(owner, sizeof(owner), "%.48s %u", c->shared->name, c->number);
	switch (c->phase) {
	case CLIENT_EXCHANGE_ID:
		nfs41_put_exchange_id(x, c->shared->verifier, owner);
		return 1;
	case CLIENT_CREATE_SESSION:
		nfs41_put_create_session(x, c->id.clientid, c->id.sequenceid);
		return 1;
	case CLIENT_DESTROY_SESSION:
		nfs41_put_destroy_session(x, &c->session);
		return 1;
	case CLIENT_DESTROY_CLIENTID:
		nfs41_put_destroy_clientid(x, c->id.clientid);
		return 1;
	case CLIENT_RECLAIM_OPEN:
		nfs41_put_fh(x, &f->fh);
		nfs41_put_open_reclaim(x, &opener);
		return 2;
	case CLIENT_RECLAIM_LOCK:
	case CLIENT_LOCK:
		nfs41_put_fh(x, &f->fh);
		snprintf(owner, sizeof(owner), "%.48s lock %u", c->shared->name, f->number);
		nfs41_put_lock(x, &opener, &f->open, f->number, c->phase == CLIENT_RECLAIM_LOCK);
		return 2;
	case CLIENT_RECLAIM_COMPLETE:
		nfs41_put_reclaim_complete(x);
		return 1;
	case CLIENT_OPEN:
		put_path(x, c->shared->path, &ops);
		snprintf(name, sizeof(name), "%.48s.%05u", c->shared->name,
			 f->number % c->shared->files);
		nfs41_put_open(x, &opener, name);
		nfs41_put_getfh(x);
		return ops + 2;
	case CLIENT_CHECK:
		return put_check(c, x);
	case CLIENT_CLOSE:
		nfs41_put_fh(x, &f->fh);
		if (f->locked)
			nfs41_put_locku(x, &f->lock, f->number);
		nfs41_put_close(x, &f->open);
		return f->locked ? 3 : 2;
	case CLIENT_STEADY:
	case CLIENT_DONE:
		break;
	}
	return 0;
}

bool client_request_in_session(const struct client *c)
{
	return c->phase >= CLIENT_RECLAIM_OPEN && c->phase <= CLIENT_CLOSE;
}

int client_request_make(struct client *c)
{
	struct xdr x = xdr_over(c->request, sizeof(c->request));
	uint32_t ops = 0;
	size_t place;

	rpc_begin_call(&x, c->xid, c->shared->machine);
	place = nfs41_begin(&x, "");
	if (client_request_in_session(c)) {
		/* What may be done again is not worth a place in the server's cache. */
		nfs41_put_sequence(&x, &c->session, c->phase != CLIENT_STEADY && c->phase != CLIENT_CHECK);
		ops = 1;
	}
	ops += put_phase(c, &x);
	nfs41_end(&x, place, ops);
	rpc_end_call(&x);
	c->request_len = x.at;
	return x.bad ? -1 : 0;
}
