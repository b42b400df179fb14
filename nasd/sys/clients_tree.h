/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ganesha's recovery directories (its "fs" backend, 4.3): where they are, and
 * reading, writing and emptying one. For sys/clients*.c and sys/ganesha*.c.
 *
 *   CLIENTS_DB_RECOV     clients that have a session with this tenure
 *   CLIENTS_DB_OLD       those that may reclaim until its grace ends
 *   CLIENTS_DB_TAKEOVER  those that the next D-Bus grace is to load
 */
#ifndef NASD_SYS_CLIENTS_TREE_H
#define NASD_SYS_CLIENTS_TREE_H

#include <stddef.h>

#include "clients.h"

#define CLIENTS_STATE_DIR "/var/lib/nasd"
/*
 * ganesha's node ids (its -I): ours is 0 on either node, so that the paths are
 * the same; node 1 is never one, it stands for "whoever was the server before".
 * The grace call "4:1" (EVENT_TAKE_NODEID) reads v4recov/node1.
 */
#define CLIENTS_OWN_NODEID "0"
#define CLIENTS_TAKEOVER_NODEID "1"

enum clients_db { CLIENTS_DB_RECOV, CLIENTS_DB_OLD, CLIENTS_DB_TAKEOVER };
enum { CLIENTS_DBS = 3 };

/* state_dir/<group>/..., also for the databases that do not exist yet. */
int clients_db_path(const char *state_dir, const char *group, enum clients_db db, char *buf,
		    size_t size, struct err *err);

/*
 * The mark of clients_install: what is in CLIENTS_DB_TAKEOVER is all there is
 * to know; what the other databases hold is of a tenure long gone. Without it,
 * all databases together are.
 */
int clients_mark_set(const char *state_dir, const char *group, bool on, struct err *err);
bool clients_mark_get(const char *state_dir, const char *group);

/* mkdir -p with 0755 (the last component 0700). */
int clients_mkdirs(const char *path, struct err *err);

/*
 * Adds the records of the tree to out; what is not a record is passed over. A
 * tree that does not exist is empty. inotify >= 0: watches each directory that
 * can have children, before it is read.
 */
int clients_tree_read(const char *path, int inotify, struct client_set *out, struct err *err);

/* Adds the set's RECORDs to the tree, made when missing; fsynced. */
int clients_tree_write(const char *path, const struct client_set *set, struct err *err);

/* fsync of the directories that hold the set's RECORDs. One that is not there is no error. */
int clients_tree_sync(const char *path, const struct client_set *set, struct err *err);

/* Removes all below path, not path itself. */
int clients_tree_clear(const char *path, struct err *err);

/* fsync of path (the directory itself). */
int clients_sync_dir(const char *path, struct err *err);

#endif
