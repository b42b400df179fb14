/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "reply.h"

#include <stdlib.h>
#include <string.h>

/* What changes something may be asked for again, and what comes with it in a
 * compound. ganesha frees what it has decoded of these as what it has made. */
static bool carried(nfs_opnum4 op)
{
	static const nfs_opnum4 ops[] = {
		NFS4_OP_ACCESS, NFS4_OP_ALLOCATE, NFS4_OP_CLOSE, NFS4_OP_COMMIT, NFS4_OP_CREATE,
		NFS4_OP_DEALLOCATE, NFS4_OP_FREE_STATEID, NFS4_OP_GETATTR, NFS4_OP_GETFH, NFS4_OP_LINK,
		NFS4_OP_LOCK, NFS4_OP_LOCKU, NFS4_OP_LOOKUP, NFS4_OP_OPEN, NFS4_OP_OPEN_DOWNGRADE,
		NFS4_OP_PUTFH, NFS4_OP_PUTROOTFH, NFS4_OP_RECLAIM_COMPLETE, NFS4_OP_REMOVE, NFS4_OP_RENAME,
		NFS4_OP_RESTOREFH, NFS4_OP_SAVEFH, NFS4_OP_SEQUENCE, NFS4_OP_SETATTR, NFS4_OP_WRITE,
	};

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		if (ops[i] == op)
			return true;
	return false;
}

static bool all_carried(const COMPOUND4res *res)
{
	for (u_int i = 0; i < res->resarray.resarray_len; i++)
		if (!carried(res->resarray.resarray_val[i].resop))
			return false;
	return res->resarray.resarray_len > 0;
}

size_t reply_encode(const struct COMPOUND4res_extended *reply, unsigned char *out, size_t room)
{
	COMPOUND4res res = reply->res_compound4; /* encoding changes nothing behind it */
	size_t len = 0;
	XDR xdr;

	if (!all_carried(&res))
		return 0;
	xdrmem_create(&xdr, (char *)out, (u_int)room, XDR_ENCODE);
	if (xdr_COMPOUND4res(&xdr, &res))
		len = XDR_GETPOS(&xdr);
	XDR_DESTROY(&xdr);
	return len;
}

void reply_free(struct COMPOUND4res_extended *reply)
{
	COMPOUND4res *res = &reply->res_compound4;

	for (u_int i = 0; res->resarray.resarray_val && i < res->resarray.resarray_len; i++)
		if (carried(res->resarray.resarray_val[i].resop))
			nfs4_Compound_FreeOne(&res->resarray.resarray_val[i]);
	gsh_free(res->resarray.resarray_val);
	gsh_free(res->tag.utf8string_val);
	gsh_free(reply);
}

/* That it becomes the same bytes again shows that nothing of it was lost. */
static bool same_again(const struct COMPOUND4res_extended *reply, const unsigned char *bytes, size_t len)
{
	unsigned char *again = malloc(len);
	bool same = again && reply_encode(reply, again, len) == len && !memcmp(again, bytes, len);

	free(again);
	return same;
}

struct COMPOUND4res_extended *reply_decode(const unsigned char *bytes, size_t len)
{
	struct COMPOUND4res_extended *reply = gsh_calloc(1, sizeof(*reply));
	bool ok;
	XDR xdr;

	reply->res_refcnt = 1;
	xdrmem_create(&xdr, (char *)(uintptr_t)bytes, (u_int)len, XDR_DECODE);
	ok = xdr_COMPOUND4res(&xdr, &reply->res_compound4);
	XDR_DESTROY(&xdr);
	if (ok && same_again(reply, bytes, len))
		return reply;
	reply_free(reply);
	return NULL;
}
