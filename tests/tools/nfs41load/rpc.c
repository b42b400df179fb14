/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rpc.h"

#include <string.h>

enum { RPC_CALL = 0, RPC_REPLY = 1, RPC_VERSION = 2 };
enum { NFS_PROGRAM = 100003, NFS_V4 = 4, NFSPROC4_COMPOUND = 1 };
enum { AUTH_NONE = 0, AUTH_SYS = 1 };
enum { MSG_ACCEPTED = 0, ACCEPT_SUCCESS = 0 };

#define OPAQUE_AUTH_MAX 400U /* RFC 5531, 8.2 */

void rpc_begin_call(struct xdr *x, uint32_t xid, const char *machine)
{
	size_t cred;

	xdr_put_u32(x, 0); /* the record mark */
	xdr_put_u32(x, xid);
	xdr_put_u32(x, RPC_CALL);
	xdr_put_u32(x, RPC_VERSION);
	xdr_put_u32(x, NFS_PROGRAM);
	xdr_put_u32(x, NFS_V4);
	xdr_put_u32(x, NFSPROC4_COMPOUND);
	xdr_put_u32(x, AUTH_SYS);
	cred = x->at;
	xdr_put_u32(x, 0); /* the length of the credential */
	xdr_put_u32(x, 0); /* stamp */
	xdr_put_string(x, machine);
	xdr_put_u32(x, 0); /* uid */
	xdr_put_u32(x, 0); /* gid */
	xdr_put_u32(x, 0); /* no further gids */
	xdr_set_u32(x, cred, (uint32_t)(x->at - cred - 4U));
	xdr_put_u32(x, AUTH_NONE);
	xdr_put_u32(x, 0);
}

void rpc_end_call(struct xdr *x)
{
	xdr_set_u32(x, 0, RPC_LAST_FRAGMENT | (uint32_t)(x->at - 4U));
}

int rpc_get_reply(struct xdr *x, uint32_t *xid)
{
	unsigned char verifier[OPAQUE_AUTH_MAX];

	*xid = xdr_get_u32(x);
	if (xdr_get_u32(x) != RPC_REPLY || xdr_get_u32(x) != MSG_ACCEPTED)
		return -1;
	(void)xdr_get_u32(x);
	(void)xdr_get_opaque(x, verifier, sizeof(verifier));
	return xdr_get_u32(x) == ACCEPT_SUCCESS && !x->bad ? 0 : -1;
}

long rpc_record(unsigned char *buf, size_t received, size_t size, size_t *used)
{
	size_t at = 0, length = 0;
	uint32_t mark;

	/* First whether it is whole: nothing may move before. */
	do {
		struct xdr x;

		if (received - at < 4U)
			return received == size ? -1 : 0;
		x = xdr_over(buf + at, 4);
		mark = xdr_get_u32(&x);
		at += 4U;
		if ((mark & ~RPC_LAST_FRAGMENT) > size - at)
			return -1;
		if ((mark & ~RPC_LAST_FRAGMENT) > received - at)
			return 0;
		at += mark & ~RPC_LAST_FRAGMENT;
	} while (!(mark & RPC_LAST_FRAGMENT));
	*used = at;
	for (at = 0; at < *used;) {
		struct xdr x = xdr_over(buf + at, 4);
		size_t part = xdr_get_u32(&x) & ~RPC_LAST_FRAGMENT;

		memmove(buf + length, buf + at + 4U, part);
		length += part;
		at += 4U + part;
	}
	return (long)length;
}
