/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "clients.h"

#include <string.h>

/* The reaper and EXCHANGE_ID take the lock for writing before they take a client
 * out (hashtable_getlatch with may_write). */
int clients_each(hash_table_t *table, int (*fn)(nfs_client_id_t *c, void *data), void *data)
{
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < table->parameter.index_size; i++) {
		struct hash_partition *p = &table->partitions[i];
		struct rbt_node *node;

		pthread_rwlock_rdlock(&p->lock);
		for (node = p->rbt.leftmost; node && ret == 0; RBT_INCREMENT(node)) {
			const struct hash_data *entry = RBT_OPAQ(node);

			ret = fn(entry->val.addr, data);
		}
		pthread_rwlock_unlock(&p->lock);
	}
	return ret;
}

/* ganesha has both forms of an IPv4 client of an IPv6 socket. */
static const char *without_prefix(const char *text)
{
	return strncmp(text, "::ffff:", 7) ? text : text + 7;
}

bool client_is_at(const nfs_client_id_t *c, const char *address)
{
	return c->gsh_client && !strcmp(without_prefix(c->gsh_client->hostaddr_str), address);
}
