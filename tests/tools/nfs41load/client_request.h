/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The request that belongs to each phase of a client.  Pure; for client.c alone. */
#ifndef NFS41LOAD_CLIENT_REQUEST_H
#define NFS41LOAD_CLIENT_REQUEST_H

#include "client.h"

/* Fill request and request_len.  0, or -1: it does not fit. */
int client_request_make(struct client *c);

/* Does the phase's request begin with SEQUENCE? */
bool client_request_in_session(const struct client *c);

/* The operation that the phase is about: its result decides. */
uint32_t client_request_op(enum client_phase phase);

#endif
