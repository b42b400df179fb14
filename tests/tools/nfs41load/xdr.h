/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * XDR (RFC 4506) in a buffer of a fixed size.  Pure.  What does not fit, or is
 * not there, sets `bad`, which stays: a whole message is written or read, and
 * `bad` looked at once at its end.  After it, reading gives zeroes.
 */
#ifndef NFS41LOAD_XDR_H
#define NFS41LOAD_XDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xdr {
	unsigned char *buf;
	size_t size;
	size_t at;
	bool bad;
};

struct xdr xdr_over(void *buf, size_t size);

void xdr_put_u32(struct xdr *x, uint32_t v);
void xdr_put_u64(struct xdr *x, uint64_t v);
void xdr_put_bytes(struct xdr *x, const void *data, size_t len);  /* opaque[len] */
void xdr_put_opaque(struct xdr *x, const void *data, size_t len); /* opaque<> */
void xdr_put_string(struct xdr *x, const char *text);

uint32_t xdr_get_u32(struct xdr *x);
uint64_t xdr_get_u64(struct xdr *x);
void xdr_get_bytes(struct xdr *x, void *data, size_t len);

/* opaque<>: its length; bad when it is longer than size.  Data may be NULL, then it is skipped. */
size_t xdr_get_opaque(struct xdr *x, void *data, size_t size);

/* A word at a place that was written before (a count, a length). */
void xdr_set_u32(struct xdr *x, size_t at, uint32_t v);

#endif
