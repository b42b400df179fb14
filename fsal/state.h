/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What a server knows of its NFSv4.1 clients, as text: what "dump" sends and
 * "load" takes. Pure.
 *
 * Lines of words; binary in hex ("-" when empty), numbers in decimal. The first
 * is "nasd-state 2", the last "end" with the number of lines before it. What
 * follows a client line belongs to that client, in this order of kinds (a client
 * may have none of a kind, but a lock belongs to an open):
 *
 *     server EPOCH CLIENT-COUNTER SESSION-COUNTER WRITE-VERIFIER
 *     client ID VERIFIER OWNER MINOR PNFS SERVER-ADDR CREATE-SEQ UID GID COUNTER COMPLETE RECLAIM ADDRESS
 *     session ID 6-FORE-ATTRS 6-BACK-ATTRS CB-PROGRAM N-SLOTS SEQUENCE...
 *     reply SLOT XDR                (of that session, kept for its slot)
 *     open OWNER OTHER HANDLE SEQID ACCESS DENY ACCESS-PREV DENY-PREV
 *     lock OWNER OTHER HANDLE OPEN-OTHER SEQID N-RANGES {WRITE START LENGTH}...
 */
#ifndef FSAL_STATE_H
#define FSAL_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

enum {
	STATE_OTHER = 12,      /* NFS4_OTHER_SIZE */
	STATE_SESSION_ID = 16,
	STATE_VERIFIER = 8,
	STATE_ATTRS = 6,       /* numbers of a channel_attrs4 before ca_rdma_ird */
	STATE_OWNER_MAX = 1024, /* NFS4_OPAQUE_LIMIT */
	STATE_HANDLE_MAX = 128, /* NFS4_FHSIZE */
	STATE_SLOTS_MAX = 1024,
	STATE_RANGES_MAX = 65536,
	STATE_ADDRESS_MAX = 64,
	STATE_REPLY_MAX = 16384,
};

struct state_bytes {
	const unsigned char *bytes;
	size_t len;
};

struct state_server_row {
	uint64_t epoch;
	uint32_t client_counter;  /* the last client id's, whoever has it */
	uint64_t session_counter; /* the last session id's */
	unsigned char write_verifier[STATE_VERIFIER];
};

struct state_client_row {
	uint64_t id;
	unsigned char verifier[STATE_VERIFIER];
	struct state_bytes owner;
	uint32_t minor, pnfs_flags, server_addr, create_seq, uid, gid, stateid_counter;
	bool reclaim_complete, allow_reclaim;
	char address[STATE_ADDRESS_MAX]; /* "-" when unknown; no spaces */
	size_t at;                       /* reading: where the line begins in the text */
};

struct state_session_row {
	unsigned char id[STATE_SESSION_ID];
	uint32_t fore[STATE_ATTRS], back[STATE_ATTRS], cb_program;
	size_t n_slots;
	const uint32_t *slots; /* the sequence id of each */
};

struct state_reply_row {
	uint32_t slot;
	struct state_bytes xdr; /* of a COMPOUND4res */
};

struct state_open_row {
	struct state_bytes owner, handle;
	unsigned char other[STATE_OTHER];
	uint32_t seqid, access, deny, access_prev, deny_prev;
};

struct state_range {
	bool write;
	uint64_t start, length; /* 0: to the end */
};

struct state_lock_row {
	struct state_bytes owner, handle;
	unsigned char other[STATE_OTHER], open_other[STATE_OTHER];
	uint32_t seqid;
	size_t n_ranges;
	const struct state_range *ranges;
};

struct state_counts {
	size_t clients, sessions, replies, opens, locks, ranges;
};

/* ---- writing. Memory that is lacking is noted, and told by state_end. */
struct state_text {
	char *text; /* terminated; to be freed */
	size_t len, room, lines;
	bool failed;
	struct state_counts counts;
};

void state_begin(struct state_text *t, const struct state_server_row *s);
void state_put_client(struct state_text *t, const struct state_client_row *c);
void state_put_session(struct state_text *t, const struct state_session_row *s);
void state_put_reply(struct state_text *t, const struct state_reply_row *r);
void state_put_open(struct state_text *t, const struct state_open_row *o);
void state_put_same(struct state_text *t); /* see dump.h; no text that is read here has it */
void state_put_lock(struct state_text *t, const struct state_lock_row *l);
int state_end(struct state_text *t, struct fault *fault);
void state_free(struct state_text *t);

/* ---- reading. What a function is handed lives until it returns; a result that
 * is not 0 ends the reading, and is returned. */
struct state_sink {
	int (*server)(void *data, const struct state_server_row *s, struct fault *fault);
	int (*client)(void *data, const struct state_client_row *c, struct fault *fault);
	int (*session)(void *data, const struct state_session_row *s, struct fault *fault);
	int (*reply)(void *data, const struct state_reply_row *r, struct fault *fault);
	int (*open)(void *data, const struct state_open_row *o, struct fault *fault);
	int (*lock)(void *data, const struct state_lock_row *l, struct fault *fault);
};

/*
 * Reads all of a text; -EPROTO with the line's number when it is malformed. A
 * sink acts as it goes: look at a text with an empty sink (all NULL) first.
 */
int state_read(const char *text, size_t len, const struct state_sink *sink, void *data,
	       struct fault *fault);

/*
 * Reads the lines of one client, which begin with its own and end with the text, the
 * next client's or the last line, of a text that was read as a whole before.
 */
int state_read_client(const char *text, size_t len, const struct state_sink *sink, void *data,
		      struct fault *fault);

#endif
