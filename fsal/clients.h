/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef FSAL_CLIENTS_H
#define FSAL_CLIENTS_H

#include "ganesha_api.h"

/*
 * Calls fn for each client of a table of ganesha's (confirmed ones:
 * ht_confirmed_client_id), under the lock of its partition, so fn must not block
 * on what waits for that lock. Ends with the first answer other than 0, which is
 * returned.
 */
int clients_each(hash_table_t *table, int (*fn)(nfs_client_id_t *c, void *data), void *data);

/* Whether the client came from that address (IPv4 or IPv6, as inet_ntop writes it). */
bool client_is_at(const nfs_client_id_t *c, const char *address);

#endif
