/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Shared by load*.c and late.c only. */
#ifndef FSAL_LOAD_INT_H
#define FSAL_LOAD_INT_H

#include <string.h>

#include "late.h"
#include "load.h"
#include "patience.h"
#include "replay.h"

enum { LOAD_EXPORTS_MAX = 64 };

/* Of one export: whether a file of it could be found, and how many could not. */
struct load_export {
	unsigned char id[2]; /* as file handles have it */
	bool found;
	unsigned gone;
};

struct loading {
	const struct private_parts *parts;
	struct state_server_row server;
	struct state_counts counts;
	struct replay replay;
	/* the client whose rows are being read */
	struct state_client_row row; /* its owner is not kept */
	nfs_client_id_t *client;     /* NULL: none yet */
	nfs41_session_t *session;    /* one of its; NULL: none yet */
	size_t n_sessions;           /* rows */
	size_t n_slots;              /* of the last session row */
	CREATE_SESSION4res answer;   /* to its newest session */
	bool changed;
	bool late;                   /* most clients and all locks are made when requests run again */
	struct late_client *clients; /* late: of the text, in its order; by the first reading */
	size_t n_clients, room;
	struct load_export exports[LOAD_EXPORTS_MAX]; /* late */
	size_t n_exports;
	size_t lost;                 /* late: opens of files that are gone */
	struct patience patience;    /* late */
};

static inline uint32_t load_counter(const unsigned char other[STATE_OTHER])
{
	uint32_t n;

	memcpy(&n, other + sizeof(uint64_t), sizeof(n));
	return n;
}

static inline uint64_t load_counter_of_session(const unsigned char id[STATE_SESSION_ID])
{
	uint64_t n;

	memcpy(&n, id + sizeof(uint64_t), sizeof(n));
	return n;
}

/* Says which item of which client it was. */
int load_failed(const struct loading *l, const char *what, size_t number, struct fault *fault);

/* A client's rows begin. */
void load_begin_row(struct loading *l, const struct state_client_row *c);

nfs_client_id_t *load_find_client(hash_table_t *table, clientid4 id);
int load_temporary_session(struct loading *l, struct fault *fault);

/* Of parts, the two counters of ids. */
void load_counters(const struct loading *l);

/* ---- load_clients.c: rows of a client, and what no row says */
int load_client(void *data, const struct state_client_row *c, struct fault *fault);
int load_session(void *data, const struct state_session_row *s, struct fault *fault);
int load_reply(void *data, const struct state_reply_row *y, struct fault *fault);
int load_finish_client(struct loading *l, struct fault *fault);

/* ---- load_files.c: rows of files, in the second and third reading */
int load_open(void *data, const struct state_open_row *o, struct fault *fault);
int load_empty_lock(void *data, const struct state_lock_row *k, struct fault *fault);
int load_finish_locks(struct loading *l, struct fault *fault);
extern const struct state_sink load_lock_sink;

/* Its lease does not end until load_late_client has made the rest of it. */
void load_reserve_client(nfs_client_id_t *c);

/* Late: a client with all it has, or what is left of one that was made early, of its lines of the text. */
int load_late_client(struct loading *l, const char *text, const struct late_client *c, struct fault *fault);

#endif
