/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the core share. group.c dispatches and keeps the state,
 * program.c runs sequences of steps, source.c and target.c are the two sides
 * of a switchover, claim.c is taking over, request.c answers operators.
 */
#ifndef NASD_CORE_GROUP_INTERNAL_H
#define NASD_CORE_GROUP_INTERNAL_H

#include "group.h"

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
	bool unknown;              /* looking at the world after an unknown outcome */
	struct step_report unknown_report;
	int64_t step_began;
	bool overdue;
	unsigned attempts;
	int64_t retry_at;          /* 0: no retry waits */
	int64_t began;
};

/* Where a switchover is on its source. */
enum source_phase { SRC_NONE, SRC_PREPARE, SRC_PRESYNC, SRC_CLIENTS, SRC_RELEASE, SRC_COMMIT };

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
	struct gather gather;

	/* the open transaction or claim */
	enum source_phase src;
	uint64_t txn_epoch;
	struct group_request req;  /* what it answers */
	bool req_open;             /* an ACT_REPLY is owed for req */
	bool forwarded;            /* ... and the peer works on it */
	int64_t phase_began;
	int64_t phase_deadline;    /* 0: none; what then happens is the phase's */
	bool abort_pending;        /* roll back as soon as the running step has returned */
	struct err abort_err;
	int64_t freeze_began;
	bool awaiting_done;        /* source: committed, DONE not heard */
	bool send_done;            /* target: DONE owed to the source once active */
	bool rolling_back;         /* the running activation undoes a switchover */

	struct switch_log log;
	bool log_unsaved;          /* complete but for the server's warm start */
	int64_t next_monitor;

	struct action *queue;
	size_t q_len, q_cap;
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

/* group.c */
struct action *group_push(struct group_core *g, enum action_type type);
void group_set_state(struct group_core *g, enum group_state s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void group_send(struct group_core *g, enum msg_type type, uint64_t epoch);
void group_send_err(struct group_core *g, enum msg_type type, uint64_t epoch, const struct err *e);
void group_send_hello(struct group_core *g);
/* Queues a journal record and applies it to g->j at once. */
void group_journal(struct group_core *g, const char *kind, uint64_t epoch, int owner, const char *text);
void group_fill_rec(struct group_core *g, struct journal_rec *r, const char *kind, uint64_t epoch, int owner);
void group_core_report(struct group_core *g, enum step_id step, int64_t start, int64_t now,
		       enum outcome outcome, const char *message);
/* Opens the log of a move. */
void group_begin_log(struct group_core *g, enum switch_kind kind, uint64_t epoch, int source, int target,
		     int64_t now, const char *requested_by);
/* Ends the log of the running move and hands it out. */
void group_finish_log(struct group_core *g, int64_t now, enum switch_result result, const struct err *e);
void group_enter_standby(struct group_core *g, int64_t now);
void group_adopt_peer_owner(struct group_core *g, int64_t now, uint64_t epoch, const char *why);

/* program.c */
void program_start(struct group_core *g, int64_t now, enum purpose purpose, const enum step_id *steps,
		   bool verify_first);
void program_stop(struct group_core *g);
void program_step_done(struct group_core *g, int64_t now, const struct step_report *r, enum step_op op,
		       const struct err *e);
void program_tick(struct group_core *g, int64_t now);
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

/* request.c */
void request_reply(struct group_core *g, const struct group_request *req, bool ok, const struct err *e,
		   const char *note, bool log);
/* Answers g->req when an answer is still owed. */
void request_reply_open(struct group_core *g, bool ok, const struct err *e, const char *note);
void request_facts(struct group_core *g, int64_t now, int node);
void request_tick(struct group_core *g, int64_t now);

#endif
