/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The sockets of the clients, by descriptor, so that a drain can ask for what is
 * unsent without a walk through all descriptors. A number may outlive its socket;
 * what is no connected TCP socket any more is dropped at the next question.
 * Thread-safe.
 */
#ifndef FSAL_CONNS_H
#define FSAL_CONNS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

void conns_add(int fd);
size_t conns_count(void);

/*
 * Connections with bytes that the client has not acknowledged, and how many. A
 * client may delay its acknowledgement by 40 ms. (No TCP_REPAIR to provoke one:
 * while it is on, other threads' reads of that socket fail with EPERM.)
 */
void conns_unsent(size_t *connections, uint64_t *bytes);

/* Calls fn for each connection that stands, with the client's address. */
void conns_each(void (*fn)(const struct sockaddr_storage *peer, void *data), void *data);

#endif
