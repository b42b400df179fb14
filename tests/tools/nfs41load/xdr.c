/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xdr.h"

#include <string.h>

struct xdr xdr_over(void *buf, size_t size)
{
	return (struct xdr){ .buf = buf, .size = size };
}

/* Room for len bytes and what pads them to a multiple of four; NULL: there is none. */
static unsigned char *take(struct xdr *x, size_t len)
{
	size_t padded = (len + 3U) & ~(size_t)3U;
	unsigned char *p;

	if (x->bad || padded < len || x->size - x->at < padded) {
		x->bad = true;
		return NULL;
	}
	p = x->buf + x->at;
	x->at += padded;
	return p;
}

static void store(unsigned char *p, uint32_t v)
{
	p[0] = (unsigned char)(v >> 24);
	p[1] = (unsigned char)(v >> 16);
	p[2] = (unsigned char)(v >> 8);
	p[3] = (unsigned char)v;
}

void xdr_put_u32(struct xdr *x, uint32_t v)
{
	unsigned char *p = take(x, 4);

	if (p)
		store(p, v);
}

void xdr_put_u64(struct xdr *x, uint64_t v)
{
	xdr_put_u32(x, (uint32_t)(v >> 32));
	xdr_put_u32(x, (uint32_t)v);
}

void xdr_put_bytes(struct xdr *x, const void *data, size_t len)
{
	unsigned char *p = take(x, len);

	if (!p || len == 0)
		return;
	memset(p + (len & ~(size_t)3U), 0, (size_t)(x->buf + x->at - p) - (len & ~(size_t)3U));
	memcpy(p, data, len);
}

void xdr_put_opaque(struct xdr *x, const void *data, size_t len)
{
	xdr_put_u32(x, (uint32_t)len);
	xdr_put_bytes(x, data, len);
}

void xdr_put_string(struct xdr *x, const char *text)
{
	xdr_put_opaque(x, text, strlen(text));
}

uint32_t xdr_get_u32(struct xdr *x)
{
	const unsigned char *p = take(x, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3] : 0;
}

uint64_t xdr_get_u64(struct xdr *x)
{
	uint64_t high = xdr_get_u32(x);

	return high << 32 | xdr_get_u32(x);
}

void xdr_get_bytes(struct xdr *x, void *data, size_t len)
{
	const unsigned char *p = take(x, len);

	if (p)
		memcpy(data, p, len);
	else
		memset(data, 0, len);
}

size_t xdr_get_opaque(struct xdr *x, void *data, size_t size)
{
	size_t len = xdr_get_u32(x);
	const unsigned char *p;

	if (data && len > size)
		x->bad = true;
	p = take(x, len);
	if (!p)
		return 0;
	if (data)
		memcpy(data, p, len);
	return len;
}

void xdr_set_u32(struct xdr *x, size_t at, uint32_t v)
{
	if (at + 4U <= x->at)
		store(x->buf + at, v);
	else
		x->bad = true;
}
