/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client records: what lets a client reclaim its opens and locks after a
 * move. ganesha's "fs" recovery backend keeps a directory per client (a long
 * name is spread over nested directories); we speak of it by the whole name.
 *
 *     active:  struct clients_watch   database -> set, when something changed
 *              clients_diff           old set, new set -> what to send
 *     standby: struct clients_replica MSG_CLIENTS -> set, on disk, crash safe
 *              clients_install        set -> where ganesha_activate reads it
 *
 * A record's name is not trusted: it comes from a client, or from a peer.
 */
#ifndef NASD_SYS_CLIENTS_H
#define NASD_SYS_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

enum { CLIENTS_MAX = 1 << 16 }; /* entries in a set */

/* ---- a set of entries, sorted (by kind, then text), without doubles */
struct client_item {
	enum client_kind kind;
	char text[];
};

struct client_set {
	struct client_item **entries;
	size_t n, cap;
};

void client_set_free(struct client_set *s);
void client_set_clear(struct client_set *s); /* keeps the room */
/* 0, also when it is there already; -E2BIG, -ENOMEM. */
int client_set_put(struct client_set *s, enum client_kind kind, const char *text);
int client_set_add(struct client_set *s, const struct client_entry *e);
/* 0, also when it is not there. */
int client_set_del(struct client_set *s, const struct client_entry *e);
bool client_set_has(const struct client_set *s, enum client_kind kind, const char *text);
/* Those of one kind. */
bool client_set_equal(const struct client_set *a, const struct client_set *b, enum client_kind kind);
int client_set_copy(struct client_set *to, const struct client_set *from);
size_t client_set_count(const struct client_set *s, enum client_kind kind);

/*
 * An entry's text that may be stored: RECORD: "<address>-(<length>:<owner>)" as
 * ganesha writes it, printable, no '/', the length that of the owner;
 * CONNECTION: "client-ip client-port floating-ip port". ERR_INPUT else.
 */
int client_text_check(enum client_kind kind, const char *text, struct err *err);
int client_entry_check(const struct client_entry *e, struct err *err);

/* Pure. Calls fn(ADD, entry) for what is only in now, fn(DEL, entry) for what is
 * only in old; DELs first. Stops at, and returns, the first non-zero result. */
int clients_diff(const struct client_set *old, const struct client_set *now,
		 int (*fn)(enum clients_op op, const struct client_entry *e, void *data), void *data);

/* ---- the active's side */

/*
 * Reads what this node itself knows of the group's clients (RECORDs): those that
 * ganesha has, those that may still reclaim, and those installed for the next
 * grace. Replaces *out. A directory that vanishes meanwhile is no error; one
 * that does not exist is empty.
 */
int clients_read_database(const char *state_dir, const char *group, struct client_set *out,
			  struct err *err);

/* Brings records that ganesha has just made to the disk. One that is gone again is no
 * error. */
int clients_records_sync(const char *state_dir, const char *group, const struct client_set *set, struct err *err);

struct clients_watch;

/* Watches that database; state_dir NULL: /var/lib/nasd. */
int clients_watch_new(const char *state_dir, const char *group, struct clients_watch **out,
		      struct err *err);
void clients_watch_free(struct clients_watch *w);

/* For sd-event: readable when a rescan is due. */
int clients_watch_fd(const struct clients_watch *w);

/* Drains the descriptor, watches new directories and reads the whole set (the
 * caller frees it, or hands the same one in again: it is replaced). */
int clients_watch_scan(struct clients_watch *w, struct client_set *out, struct err *err);

/* ---- the standby's side */

struct clients_replica;

/* Opens state_dir/<group>/replica, made when missing, and reads what it holds;
 * what a crash left unfinished there is dropped. */
int clients_replica_open(const char *state_dir, const char *group, struct clients_replica **out,
			 struct err *err);
void clients_replica_close(struct clients_replica *r);

/*
 * Applies one message, in memory. Between FULL_BEGIN and FULL_END the previous
 * set stays in force; FULL_END swaps. ERR_INPUT: a malformed entry (those before
 * it are taken) or an op out of order.
 */
int clients_replica_apply(struct clients_replica *r, const struct msg_clients *m, struct err *err);

/* As a FULL with this set, in memory: what was this node's own becomes the copy. */
int clients_replica_take(struct clients_replica *r, const struct client_set *set, struct err *err);

/*
 * Brings to the disk what was applied since: one write, whatever the number of
 * messages; they can be acknowledged when it returns 0. After an error the next
 * one tries it all again. CONNECTIONs alone are not synced: losing one costs a
 * tickle.
 */
int clients_replica_commit(struct clients_replica *r, struct err *err);

/* What it holds; valid until the next apply. */
const struct client_set *clients_replica_set(const struct clients_replica *r);

/*
 * Puts the set's records where ganesha_activate's grace reads them, in place of
 * whatever is there, and of what this node's own earlier tenures left: from here
 * to the activation they are all that clients_read_database finds. Call while
 * this node's server is warm or down, before ganesha_activate; idempotent, and
 * next to free when nothing changed, so do it before the freeze as well. For a
 * takeover of one's own clients (roll-back, restart) it need not be called.
 */
int clients_install(const char *state_dir, const char *group, const struct client_set *set,
		    struct err *err);

#endif
