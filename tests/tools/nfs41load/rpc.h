/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ONC RPC (RFC 5531) over TCP, as far as one NFS client needs it.  Pure. */
#ifndef NFS41LOAD_RPC_H
#define NFS41LOAD_RPC_H

#include <stddef.h>
#include <stdint.h>

#include "xdr.h"

#define RPC_LAST_FRAGMENT 0x80000000U

/* A call of NFS program version 4, COMPOUND, as AUTH_SYS root; its record mark is left open. */
void rpc_begin_call(struct xdr *x, uint32_t xid, const char *machine);

/* Close the record: its length is known now. */
void rpc_end_call(struct xdr *x);

/* Up to the results of an accepted, successful reply.  0, or -1: it is none. */
int rpc_get_reply(struct xdr *x, uint32_t *xid);

/*
 * Take the first record (RFC 5531, 11) out of what has been received: its
 * fragments are moved together at buf.  Its length, with *used the bytes it took
 * up before; 0 when it is not whole yet; -1 when it cannot fit into size bytes.
 */
long rpc_record(unsigned char *buf, size_t received, size_t size, size_t *used);

#endif
