/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The replies that slots keep for a client that asks again (RFC 8881, 2.10.6.1.3),
 * as XDR: what was sent, without its RPC header.
 */
#ifndef FSAL_REPLY_H
#define FSAL_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "ganesha_api.h"

/*
 * Bytes written to out; 0: it cannot be carried (too long, or of an operation
 * whose result is not worth it, such as READ, or that holds more than bytes).
 */
size_t reply_encode(const struct COMPOUND4res_extended *reply, unsigned char *out, size_t room);

/* A slot's cached_result, with the slot's reference; NULL when the bytes are not
 * exactly a reply. */
struct COMPOUND4res_extended *reply_decode(const unsigned char *bytes, size_t len);
void reply_free(struct COMPOUND4res_extended *reply); /* one that no slot has */

#endif
