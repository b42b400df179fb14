/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the core share.
 *
 *   group.c    the state: start, what the end of a program leads to, time
 *   actions.c  the queue of actions and what is put into it
 *   peer.c     the link, the peer's messages, who owns the group
 *   program.c  runs sequences of steps; nothing else starts a step
 *   source.c   one side of a switchover,
 *   target.c   ... the other, and activation
 *   claim.c    taking over, asked to by an operator
 *   takeover.c what is done about a silent peer
 *   asked.c    serving and stopping because somebody else has decided so
 *   held.c     ... and about writes that DRBD holds for want of it
 *   server.c   what is done about the active node's own parts: its server, addresses, disk
 *   request.c  answers operators
 */
#ifndef NASD_CORE_GROUP_INTERNAL_H
#define NASD_CORE_GROUP_INTERNAL_H

#include "group.h"
#include "takeover.h"

/* Why a program runs: decides what its end leads to. */
enum purpose {
	PURPOSE_NONE,
	PURPOSE_WARM,      /* target: before PREPARED */
	PURPOSE_PRESYNC,   /* source */
	PURPOSE_RELEASE,   /* source: the freeze */
	PURPOSE_ACTIVATE,  /* any way to serving */
	PURPOSE_CONFIRM,   /* after an activation */
	PURPOSE_STANDDOWN, /* any way to standing by */
	PURPOSE_REWARM,    /* standing by: the server warm again */
};

struct program {
	enum purpose purpose;
	const enum step_id *steps; /* ends with STEP_NONE; NULL: none runs */
	size_t index;
	bool verify_first;
	bool in_flight;            /* an ACT_RUN is out */
	enum step_op op;
	bool unknown;              /* looking at the world after an unknown outcome of a run */
	struct step_report unknown_report;
	bool guarded;              /* the address was seen gone before the service is rebuilt */
	bool guarding;             /* ... which is being done now */
	int64_t step_began;
	bool overdue;
	unsigned attempts;
	int64_t retry_at;          /* 0: no retry waits */
};

/* Where a switchover is on its source. */
enum source_phase { SRC_NONE, SRC_PREPARE, SRC_PRESYNC, SRC_HOLD, SRC_CLIENTS, SRC_RELEASE, SRC_COMMIT };

enum { UNWRITTEN_MAX = 4, SERVER_DEATHS = 3 };

/* The server of this node, while it is the active one. */
struct server_record {
	int64_t died[SERVER_DEATHS]; /* the newest times, oldest first; 0: none */
	bool repairing;            /* the running activation is to replace it */
	bool hung;                 /* ... and it must be killed first */
	bool leaving;              /* a request to leave it is being judged */
	int64_t leave_at;          /* not before then does it ask (again) to be moved to where it is better */
};

struct gather {
	bool active;
	struct group_request req;
	int64_t began, deadline;
	bool got[2];
};

struct group_core {
	struct group_config cfg;
	enum group_state state;
	char detail[200];
	struct journal_state j;
	bool wait_resume;          /* ours by the journal, but this boot has not served yet */

	bool peer_up, config_same, version_same;
	bool peer_hello;
	struct msg_hello peer;

	struct facts facts[2];     /* by node index */
	struct program prog;
	unsigned stale;            /* answers still to come for steps of programs given up */
	struct gather gather;

	struct journal_rec unwritten[UNWRITTEN_MAX]; /* could not be written; tried again */
	size_t n_unwritten;
	int64_t rewrite_at;        /* 0: it is being tried */

	/* the open transaction or claim */
	enum source_phase src;
	uint64_t txn_epoch;
	struct group_request req;  /* what it answers */
	bool req_open;             /* an ACT_REPLY is owed for req */
	bool forwarded;            /* ... and the peer works on it */
	int64_t req_deadline;      /* what is said then is that it is not done yet */
	int64_t phase_began;
	int64_t phase_deadline;    /* 0: none; ends with the state */
	bool abort_pending;        /* roll back as soon as the running step has returned */
	struct err abort_err;
	int64_t freeze_began;
	bool awaiting_done;        /* source: committed, DONE not heard */
	bool send_done;            /* target: DONE owed to the source once active */
	bool commit_tried;         /* the commitment's record was handed out and may be on the disk */
	bool rolling_back;         /* the running activation undoes a switchover */
	bool said_serving;         /* in the last HELLO */
	int64_t moved_at;          /* when a move to this node was done; 0: not known */
	int64_t asked_at;          /* REQUEST_ASKED in req: since when it waits */
	uint64_t release_epoch;    /* nobody owns the group under it, once that is written; 0: none */

	struct takeover t;
	struct switch_log log;
	bool log_unsaved;          /* complete but for the server's warm start */
	int64_t next_monitor;
	struct server_record srv;

	struct action *queue;
	size_t q_head, q_end, q_cap;
	bool q_failed;             /* memory ran out: actions were lost */
};

static inline int group_peer_index(const struct group_core *g)
{
	return 1 - g->cfg.self;
}

static inline const char *group_node_name(const struct group_core *g, int node)
{
	return node >= 0 && node < 2 ? g->cfg.node_names[node] : "nobody";
}

static inline const char *group_peer_name(const struct group_core *g)
{
	return group_node_name(g, group_peer_index(g));
}

/* actions.c */
struct action *group_push(struct group_core *g, enum action_type type);
/* Takes a message of this type out of the queue again; false: none was there. */
bool group_drop_message(struct group_core *g, enum msg_type type);
bool group_drop_run(struct group_core *g);
void group_set_state(struct group_core *g, enum group_state s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The message in the queue, to be filled in; NULL: the peer is not there. */
struct peer_msg *group_send(struct group_core *g, enum msg_type type, uint64_t epoch);
struct peer_msg *group_send_err(struct group_core *g, enum msg_type type, uint64_t epoch, const struct err *e);
void group_send_hello(struct group_core *g);
/* Any part of the service may be in place here. */
bool group_may_serve(const struct group_core *g);
/* Queues a journal record and applies it to g->j at once. */
void group_journal(struct group_core *g, const char *kind, uint64_t epoch, int owner, const char *text);
void group_fill_rec(struct group_core *g, struct journal_rec *r, const char *kind, uint64_t epoch, int owner);
/* The next epoch that this node may choose: even ones are node 0's, odd ones
 * node 1's, so that no two choose the same without having heard each other. */
uint64_t group_new_epoch(const struct group_core *g);
/* Adds a step's report to the log and hands it out. */
void group_report(struct group_core *g, const struct step_report *r, bool local);
void group_core_report(struct group_core *g, enum step_id step, int64_t start, int64_t now,
		       enum outcome outcome, const char *message);
bool group_log_running(const struct group_core *g);
/* Begins the log of a move; one that is still open has failed. */
void group_begin_log(struct group_core *g, int64_t now, enum switch_kind kind, uint64_t epoch, int source,
		     int target, const char *by);
/* Ends the log of the running move and hands it out; while the server is being
 * warmed provisionally, and once more when it is warm. */
void group_finish_log(struct group_core *g, int64_t now, enum switch_result result, const struct err *e);
void group_save_log(struct group_core *g);

/* peer.c */
void group_hand_over_if_owed(struct group_core *g);
void group_resume_if_agreed(struct group_core *g, int64_t now);

/* group.c */
/* Standing by, with the word for it. */
void group_say_standby(struct group_core *g);
void group_stand_down(struct group_core *g, int64_t now, const char *why);

/* program.c */
void program_start(struct group_core *g, int64_t now, enum purpose purpose, const enum step_id *steps,
		   bool verify_first);
/* The same with the rows that belong to the purpose, looking first; at that time. */
void program_start_later(struct group_core *g, int64_t at, enum purpose purpose);
void program_stop(struct group_core *g);
void program_step_done(struct group_core *g, int64_t now, const struct step_report *r, enum step_op op,
		       const struct err *e);
/* No activation while a record of ownership is not on the disk. */
void program_hold(struct group_core *g, int64_t now);
void program_unhold(struct group_core *g, int64_t now);
/* The step that runs or comes next; STEP_NONE. */
enum step_id program_step(const struct group_core *g);
void program_tick(struct group_core *g, int64_t now);
int64_t program_next_tick(const struct group_core *g); /* 0: none */
/* Called by program.c at the end of a program; group.c decides what follows. */
void group_program_done(struct group_core *g, int64_t now, enum purpose purpose);
void group_program_failed(struct group_core *g, int64_t now, enum purpose purpose, const struct err *e);

/* source.c */
void source_begin(struct group_core *g, int64_t now, const struct group_request *req);
void source_prepared(struct group_core *g, int64_t now, uint64_t epoch);
void source_refused(struct group_core *g, int64_t now, uint64_t epoch, const struct err *e);
void source_presynced(struct group_core *g, int64_t now);
void source_clients_synced(struct group_core *g, int64_t now, bool ok, const struct err *e);
void source_released(struct group_core *g, int64_t now);
void source_commit_written(struct group_core *g, int64_t now, bool ok, const struct err *e);
void source_done(struct group_core *g, int64_t now, const struct peer_msg *m);
/* Before the commitment: back to the source; at or after it nothing happens. */
void source_abort(struct group_core *g, int64_t now, const struct err *e);
void source_tick(struct group_core *g, int64_t now);
bool source_held(const struct group_core *g);
/* While the move is held, what it was let through for must go on holding. */
void source_hold_facts(struct group_core *g, int64_t now, const struct facts *f);
void source_hold_lost_server(struct group_core *g, int64_t now, const char *reason);

/* target.c */
void target_prepare(struct group_core *g, int64_t now, uint64_t epoch);
void target_warmed(struct group_core *g, int64_t now);
void target_warm_failed(struct group_core *g, int64_t now, const struct err *e);
void target_commit(struct group_core *g, int64_t now, uint64_t epoch);
void target_abort(struct group_core *g, int64_t now, uint64_t epoch, const char *why);
void activate(struct group_core *g, int64_t now, bool verify_first, const char *why);
void target_activated(struct group_core *g, int64_t now);
void target_confirmed(struct group_core *g, int64_t now);

/* claim.c */
void claim_begin(struct group_core *g, int64_t now, const struct group_request *req);
void claim_received(struct group_core *g, int64_t now, uint64_t epoch);
void claim_agreed(struct group_core *g, int64_t now, uint64_t epoch);
void claim_refused(struct group_core *g, int64_t now, uint64_t epoch, const struct err *e);
void claim_tick(struct group_core *g, int64_t now);

/* takeover.c */
void takeover_init(struct group_core *g);
/* Something that it depends on has changed; after every event. */
void takeover_think(struct group_core *g, int64_t now);
int64_t takeover_next_tick(const struct group_core *g); /* 0: none */
/* Its heartbeats arrive, on whatever path. */
bool takeover_peer_heard(const struct group_core *g);
void takeover_confirm(struct group_core *g, int64_t now, const struct group_request *req);
/* The group was taken over on an operator's word: DRBD may be told so. */
void takeover_trusted(struct group_core *g, int64_t now, const struct group_request *req);
/* Until when a peer that this nasd has not met is waited for; 0: it has met it. */
int64_t takeover_unmet_until(const struct group_core *g);
/* Why this node does not take the group over from its silent peer; NULL: it does. */
const char *takeover_unfit(const struct group_core *g, int64_t now);

/* asked.c */
void asked_begin(struct group_core *g, int64_t now, const struct group_request *req);
/* The node is to serve, was asked to, and has not answered. */
bool asked_open(const struct group_core *g);
void asked_think(struct group_core *g, int64_t now);
int64_t asked_next_tick(const struct group_core *g); /* 0: none */
void asked_peer_down(struct group_core *g, int64_t now);
/* A fence run has ended without proof. */
void asked_not_proven(struct group_core *g, const char *why);
void asked_dropped(struct group_core *g);
void release_begin(struct group_core *g, int64_t now, const struct group_request *req);
/* No part of the service is left here: nobody owns the group from now on. */
void release_stood_down(struct group_core *g);
void release_journaled(struct group_core *g, int64_t now, const struct journal_rec *rec);

/* held.c */
bool held_now(const struct group_core *g);
/* It is ours to have it answered, and there is nothing to answer yet. */
bool held_unanswered(const struct group_core *g);
bool held_serves(const struct group_core *g);
bool held_replicating(const struct facts *f);
/* The peer's node's last sign of life. */
int64_t held_alive_us(const struct group_core *g);
/* There is something that DRBD may be told. */
bool held_may_tell(const struct group_core *g);
bool held_copy_good(const struct group_core *g);
void held_may_be_told(struct group_core *g, int64_t now, enum fence_peer_answer answer, uint64_t epoch, const char *why);
void held_settle(struct group_core *g, int64_t now);
int64_t held_next_tick(const struct group_core *g); /* while it is held; 0: none */
void held_look(struct group_core *g); /* facts, now */
void held_facts(struct group_core *g, int64_t now, const struct facts *f);
void held_outdate_asked(struct group_core *g, const struct peer_msg *m);
void held_outdated(struct group_core *g, int64_t now, const struct peer_msg *m);

/* server.c */
/* Facts of an active node: does it serve, and does it serve well? */
void server_monitored(struct group_core *g, int64_t now, const struct facts *f);
/* The rows that start the service in place of what is there. */
const enum step_id *server_rows(const struct group_core *g);
void server_activated(struct group_core *g);
void server_restart_failed(struct group_core *g, int64_t now, const struct err *e);
/* It is gone, or holds nothing. */
void server_stopped(struct group_core *g);
/* The group is to leave a node whose server cannot be started again. */
bool server_leaves(const struct group_core *g);
/* What has come of that: under way, or it stays. */
void server_judged(struct group_core *g, int64_t now);
/* The group has left this node. */
void server_left(struct group_core *g);

/* claim.c */
/* This node owns the group from now on, and begins to serve. */
void claim_own(struct group_core *g, int64_t now, uint64_t epoch, const char *proof);

/* request.c */
/* The answer in the queue, for findings to be added; NULL: it went to the peer. */
struct action *request_reply(struct group_core *g, const struct group_request *req, bool ok, const struct err *e,
			     const char *note, bool log);
/* From here an answer is owed, in time. */
void request_open(struct group_core *g, int64_t began, const struct group_request *req);
/* Refuses req: errnum, the place, what is wrong and what helps. */
void request_refuse(struct group_core *g, const struct group_request *req, int errnum, const char *where,
		    const char *msg, const char *remedy);
/* Answers g->req when an answer is still owed. */
void request_reply_open(struct group_core *g, bool ok, const struct err *e, const char *note);
/* The peer is to do it; its answer is ours. */
void request_forward(struct group_core *g, int64_t now, const struct group_request *req);
void request_facts(struct group_core *g, int64_t now, int node);
void request_tick(struct group_core *g, int64_t now);
void request_peer_down(struct group_core *g, int64_t now, const struct err *e);

#endif
