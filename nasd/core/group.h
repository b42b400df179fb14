/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decision core of one group on one node. Pure: it makes no system call and
 * takes the time as an argument. Events go in through the functions below,
 * actions come out of group_next_action, in the order in which they must be
 * carried out. The daemon, the simulator and the unit tests drive it alike.
 *
 * The rules it keeps:
 *  - The owner of the newest epoch may serve; nobody else may.
 *  - Only the owner gives the group away. Its journalled "owner" record that
 *    names the other node is the commitment of a switchover: before it, any
 *    failure leads back to the source; after it, everything leads to the target.
 *  - A node acts on "the group is yours" only when COMMIT says so, and COMMIT is
 *    sent only by a node that has stood down.
 *  - A node that rebooted asks the peer before it serves again.
 *  - A node takes the group over from a silent peer only with proof (evidence.h)
 *    that the peer does not write, and only when its own copy is the newest.
 *  - A node that none of the clients answers fences nobody: it may be the one
 *    that is cut off.
 *  - An unknown outcome is answered by looking at the world, never by a retry.
 *
 * Times are microseconds of a monotonic clock.
 */
#ifndef NASD_CORE_GROUP_H
#define NASD_CORE_GROUP_H

#include "checks.h"
#include "journal.h"
#include "model.h"
#include "peer_handler.h"
#include "liveness.h"
#include "steps.h"
#include "switch_log.h"

enum group_state {
	GS_STARTING,      /* nothing decided yet */
	GS_STANDBY,       /* not serving; ready, or saying in detail why not */
	GS_STANDING_DOWN, /* on the way there */
	GS_ACTIVATING,    /* on the way to serving */
	GS_ACTIVE,
	GS_SWITCHING,     /* source of a switchover, before the commitment */
	GS_PREPARED,      /* target of one, waiting for COMMIT or ABORT */
	GS_CLAIMING,      /* asked the peer to agree to a takeover */
};
const char *group_state_name(enum group_state s);

/* Who decides that a takeover is due. */
enum group_trigger {
	TRIGGER_MANUAL,          /* an operator */
	TRIGGER_HEARTBEAT,       /* nasd itself, once the peer is silent */
	TRIGGER_ASKED,           /* somebody else (Pacemaker, keepalived), who asks: REQUEST_ASKED */
};

struct group_config {
	char name[NAME_MAX_LEN];
	int self;                /* 0 or 1 */
	char node_names[2][NAME_MAX_LEN];
	char boot_id[JOURNAL_BOOT_ID_LEN];
	int64_t wall_us;         /* the wall clock as nasd starts; 0: unknown */
	char fs_uuid[40];
	int64_t switchover_us;   /* a reply is owed within this time */
	int64_t asked_us;        /* the same for REQUEST_ASKED, fencing included */
	int64_t freeze_us;       /* a freeze longer than this before the commitment is rolled back */
	enum group_trigger trigger;
	bool asked_moves;        /* TRIGGER_ASKED takes the group from a peer that serves it; else that waits to be asked */
	int64_t hold_down_us;    /* so long after a move a trigger gets no other one */
	int64_t monitor_us;      /* how often facts are collected and sent to the peer */
	int64_t hung_after_us;   /* a server that answers nothing for so long has died; 0: never */
	bool leaves_bad_server;  /* on-server-failure = switchover */
	/* when the peer falls silent */
	bool can_fence;          /* there are devices that switch the peer off */
	bool need_verified;      /* they must have verified that it is */
	int64_t takeover_delay_us; /* before a takeover's fence run: the owner's may come first */
	int64_t fence_retry_us;  /* after a run that failed */
};

/* ---- requests by an operator, here or forwarded by the peer */
enum request_kind {
	REQUEST_SWITCHOVER, REQUEST_TAKEOVER, REQUEST_CHECK,
	/* With TRIGGER_ASKED: this node (target) is to serve, by whatever way is safe: a
	 * switchover from a peer that serves, a claim, or a takeover with proof. */
	REQUEST_ASKED,
	REQUEST_RELEASE, /* this node (target) stops serving, and nobody owns the group */
	REQUEST_CONFIRM, /* an operator's word that the peer (target) is off */
};

struct group_request {
	enum request_kind kind;
	uint64_t id;             /* comes back in ACT_REPLY */
	int target;              /* node that shall become active */
	bool peer_confirmed_dead; /* takeover: an operator's word that the peer is off */
	int64_t hold_us;         /* switchover: wait so long at most for group_go before the freeze; 0: do not */
	bool accept_old_copy;    /* ... and that this node's copy of the data may not be the newest */
	bool by_trigger;         /* switchover: a trigger asks, not an operator */
	bool remote;             /* came from the peer: the reply goes there */
	char by[80];
};

/* ---- actions */
enum facts_tag { FACTS_MONITOR, FACTS_GATHER, FACTS_FOR_PEER };

enum action_type {
	ACT_RUN,       /* write rec (when has_rec), then run step/op; one at a time, in the order of the
	                * actions; answer: exactly one group_step_done for each, in that order */
	ACT_JOURNAL,   /* write rec durably; answer: group_journaled */
	ACT_SEND,      /* send msg to the peer; no answer */
	ACT_FACTS,     /* collect facts; answer: group_facts with the same tag */
	ACT_SYNC_CLIENTS, /* give the peer all client entries; answer: group_clients_synced */
	ACT_REPORT,    /* report of a step, local or the peer's: for the live view; local ones go to the peer */
	ACT_HELD,      /* the open request's move waits for group_go */
	ACT_REPLY,     /* answer to a request */
	ACT_STATE,     /* the state changed: old, new, reason */
	ACT_FINISHED,  /* the move is over: keep its log as history (provisional: more rows follow) */
	ACT_FENCE,     /* have the peer switched off, or (start false) no longer; answer to a start:
	                * one group_fenced, also when it was called off */
	ACT_WITNESS,   /* ask whether anybody on the clients' network answers; answer: group_witness */
	ACT_OUTDATE,   /* mark this node's disk outdated; answer: group_outdated */
	ACT_RESUME_IO, /* have DRBD let the frozen I/O go on; answer: group_io_resumed */
	ACT_DRBD_ANSWER, /* to all questions of DRBD's handler that are open */
};

/* ACT_RESUME_IO is not carried out later than this after it was handed out: by then
 * DRBD may have been connected and have lost the peer anew, whose copy would count as
 * the newest beside ours. What comes too late is answered as failed, and decided anew. */
enum { RESUME_WITHIN_US = 250000 };

struct action {
	enum action_type type;
	union {
		struct {
			enum step_id step;
			enum step_op op;
			bool has_rec;
			struct journal_rec rec;
		} run;
		struct journal_rec rec;       /* ACT_JOURNAL */
		struct peer_msg msg;          /* ACT_SEND */
		struct {
			enum facts_tag tag;
			bool probe;
		} facts;
		struct {
			struct step_report report;
			bool local;
		} report;
		struct {
			uint64_t id;
			bool ok;
			struct err err;
			char note[160];       /* with ok: what an operator should know */
			bool log;             /* group_log() describes what was done */
			size_t n_findings;
			struct finding findings[FINDINGS_MAX];
		} reply;
		struct {
			enum group_state old, now;
			char reason[200];
		} state;
		struct {
			bool provisional;     /* the server's warm start is still to be added */
			struct switch_log log; /* group_look may show the next one already */
		} finished;
		struct {
			bool start;
			char reason[160];
		} fence;
		struct {
			enum fence_peer_answer answer;
			char reason[FENCE_EXPLAIN_MAX];
		} drbd;
	} u;
};

struct group_core;

/* Memory is the caller's duty to free with group_free; NULL: none left. */
struct group_core *group_new(const struct group_config *cfg);
void group_free(struct group_core *g);

/* The first event: what the journal says. */
void group_start(struct group_core *g, int64_t now, const struct journal_state *journal);

void group_peer_up(struct group_core *g, int64_t now, bool config_same, bool version_same);
void group_peer_down(struct group_core *g, int64_t now, const char *reason);
void group_message(struct group_core *g, int64_t now, const struct peer_msg *m);

/* Answer to ACT_RUN. start and duration as measured where it ran. */
void group_step_done(struct group_core *g, int64_t now, const struct step_report *r, enum step_op op,
		     const struct err *e);
/* Answer to ACT_JOURNAL, in the order of the actions. */
void group_journaled(struct group_core *g, int64_t now, const struct journal_rec *rec, bool ok,
		     const struct err *e);
void group_facts(struct group_core *g, int64_t now, enum facts_tag tag, const struct facts *f);
void group_clients_synced(struct group_core *g, int64_t now, bool ok, const struct err *e);
/* The server process of this group ended without being told to. */
void group_server_died(struct group_core *g, int64_t now, const char *reason);
/* The peer's life or this node's own has changed: call also before group_fenced. */
void group_peer_life(struct group_core *g, int64_t now, const struct peer_life *life);
/* Answer to ACT_FENCE. The evidence's epoch and boot are the core's to fill;
 * NULL: the run was called off or could not be begun. */
void group_fenced(struct group_core *g, int64_t now, const struct fence_evidence *e);
void group_witness(struct group_core *g, int64_t now, enum witness w);
/* DRBD's handler asks what became of the peer; answered by ACT_DRBD_ANSWER. */
void group_drbd_asks(struct group_core *g, int64_t now);
void group_outdated(struct group_core *g, int64_t now, bool ok, const struct err *e);
void group_io_resumed(struct group_core *g, int64_t now, bool ok, const struct err *e);
/* Answered by exactly one ACT_REPLY with its id. */
void group_request(struct group_core *g, int64_t now, const struct group_request *r);

/* The freeze of the move that is held may begin. False: none is held. */
bool group_go(struct group_core *g, int64_t now);
/* Who would have said so has gone: a request with hold_us is called off, unless
 * its freeze has begun. */
void group_forsaken(struct group_core *g, int64_t now, uint64_t id);

/* Time passes: call when group_next_tick's time has come. */
void group_tick(struct group_core *g, int64_t now);
int64_t group_next_tick(const struct group_core *g);

/* Takes the next action out of the queue; false: none left. */
bool group_next_action(struct group_core *g, struct action *a);

/* ---- looking, for status output */
struct group_view {
	enum group_state state;
	const char *detail;
	uint64_t epoch;
	uint64_t txn_epoch;         /* of the transaction, while SWITCHING or PREPARED */
	int owner;
	int peer_owner;             /* by the peer's last word, with its epoch; NODE_NONE: not heard */
	uint64_t peer_epoch;
	bool split_brain;           /* split.h */
	bool peer_up;
	bool held;                  /* a move waits for group_go; the service runs on */
	bool under_way;             /* a move that clients wait for, or somebody for its answer */
	bool may_serve;             /* any part of the service may be in place here */
	bool first_activation;      /* not yet served here under this epoch: the clients are the replica's */
	enum step_id step;          /* running now; STEP_NONE */
	int64_t step_since_us;
	const struct facts *local, *peer; /* NULL: not known */
	const struct switch_log *log;     /* running or last; NULL: none */
	/* the peer's being dead or alive */
	bool fence_wanted, fence_running;
	const char *fence_text;           /* one line for people; "" */
};
void group_look(const struct group_core *g, struct group_view *v);

#endif
