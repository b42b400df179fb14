/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One NFSv4.1 client: what it asks next, and what it makes of the answer.  Pure:
 * no socket, the time is an argument, requests and replies are bytes.
 *
 *   EXCHANGE_ID, CREATE_SESSION, RECLAIM_COMPLETE, then OPEN and LOCK for each of
 *   its files, then SEQUENCE whenever the lease is to be renewed.
 *
 * It uses one slot, so one request at a time.  A request that was not answered
 * when the connection broke is sent again on the next one as it was (RFC 8881,
 * 2.10.6.2).  A session that goes on so has survived.  When the server does not
 * know it any more, the client begins anew under its old name: a server that
 * still knows the client keeps its state; with another one it reclaims (OPEN with
 * CLAIM_PREVIOUS, LOCK with reclaim) before RECLAIM_COMPLETE.
 */
#ifndef NFS41LOAD_CLIENT_H
#define NFS41LOAD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nfs41.h"

#define CLIENT_REQUEST 2048U
#define CLIENT_REPLY   4096U
#define CLIENT_NEVER   UINT64_MAX

enum client_phase {
	CLIENT_EXCHANGE_ID,
	CLIENT_CREATE_SESSION,
	CLIENT_RECLAIM_OPEN,
	CLIENT_RECLAIM_LOCK,
	CLIENT_RECLAIM_COMPLETE,
	CLIENT_OPEN,
	CLIENT_LOCK,
	CLIENT_STEADY,          /* SEQUENCE, when it is due */
	CLIENT_CHECK,           /* TEST_STATEID of all it holds */
	CLIENT_CLOSE,           /* LOCKU and CLOSE */
	CLIENT_DESTROY_SESSION,
	CLIENT_DESTROY_CLIENTID,
	CLIENT_DONE
};

struct client_file {
	unsigned number; /* of this open, among all; the byte it locks */
	bool opened;
	bool locked;
	struct nfs41_fh fh;
	struct nfs41_stateid open;
	struct nfs41_stateid lock;
};

/* Counted over all clients of a process. */
struct client_counts {
	uint64_t replies;
	uint64_t survived;        /* sessions that went on after a new connection */
	uint64_t sessions_lost;
	uint64_t clients_kept;    /* lost sessions of clients that the server still knew */
	uint64_t opens_reclaimed;
	uint64_t locks_reclaimed;
	uint64_t reclaims_failed; /* opens and locks that were lost for good */
	uint64_t grace_waits;     /* answers of GRACE or DELAY */
	uint64_t state_lost;      /* SEQUENCE flags that say so, seen for the first time */
	uint64_t stateids_tested;
	uint64_t stateids_bad;    /* by TEST_STATEID, or at the end by LOCKU or CLOSE */
	uint64_t errors;          /* everything else */
	uint64_t holding;         /* locks held now */
	uint64_t longest_recover_ns; /* connection lost to session going on */
	uint64_t longest_reclaim_ns; /* connection lost to RECLAIM_COMPLETE */
};

/* What is the same for all clients. */
struct client_shared {
	const char *machine;   /* for AUTH_SYS */
	const char *name;      /* owners and files begin with it */
	const char *path;      /* the directory, from the server's root */
	unsigned files;        /* open number n is of file n % files */
	uint64_t verifier;     /* of this start */
	uint64_t renew_ns;
	bool stopping;
	struct client_counts counts;
	/* An error that is worth a line; may be NULL. */
	void (*complain)(void *arg, unsigned client, const char *op, uint32_t status);
	void *complain_arg;
};

struct client {
	struct client_shared *shared;
	unsigned number;
	struct client_file *files;
	unsigned file_count;

	enum client_phase phase;
	unsigned at;          /* the file the phase works on */
	unsigned batch;       /* files in the TEST_STATEID under way */
	bool check_asked;
	bool completed;       /* RECLAIM_COMPLETE was answered */
	bool had_state;       /* this is not its first EXCHANGE_ID */
	bool resumed;         /* a new connection: is the session still known? */
	uint32_t last_flags;
	struct nfs41_exchange_id id;
	struct nfs41_session session;

	uint64_t due_ns;      /* when the next request is to be sent */
	uint64_t lost_ns;     /* when the connection was lost; 0: it was not */
	uint32_t xid;
	bool pending;         /* request holds one that was not answered yet */
	uint64_t asked_ns;    /* when it was sent first */
	size_t request_len;
	unsigned char request[CLIENT_REQUEST];
};

void client_init(struct client *c, struct client_shared *shared, unsigned number, struct client_file *files,
		 unsigned count, uint64_t now_ns);

/* Make the next request if it is due: pending, then.  False: nothing is to be sent now. */
bool client_ask(struct client *c, uint64_t now_ns);

/* A reply, without its record mark.  0, or -1: it makes no sense, drop the connection. */
int client_take(struct client *c, unsigned char *reply, size_t len, uint64_t now_ns);

/* The connection broke; a new one is there. */
void client_disconnected(struct client *c, uint64_t now_ns);
void client_connected(struct client *c, uint64_t now_ns);

/* Look at all stateids soon; end soon. */
void client_check(struct client *c, uint64_t now_ns);
void client_stop(struct client *c, uint64_t now_ns);

#endif
