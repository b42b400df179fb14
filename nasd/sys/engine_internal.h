/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine's files share.
 *
 *   engine.c          set-up, timers, the peer's messages
 *   engine_actions.c  the core's actions carried out; jobs in lanes
 *   engine_hush.c     what is told about a freeze, after it
 *   engine_journal.c  records to lines, reading at start, compaction
 *   engine_clients.c  client entries to and from the peer
 *   engine_records.c new clients' records, before the clients are answered
 *   engine_state.c    the clients' state to and from the peer, between GATE and EXPORT
 *   engine_control.c  operators' requests
 *   engine_release.c  clients that are dead, by an operator's word
 *   engine_json.c     status and history as JSON
 *   engine_history.c  finished moves, kept in memory and on disk
 *   engine_inject.c   faults on demand, for tests
 *   engine_watch.c    DRBD's events, links, addresses, the server's end
 *   engine_alarms.c   what the facts show to be wrong, in the log
 *   engine_fence.c    fence agents, DRBD's questions about the peer, an operator's word
 *   engine_witness.c  do the clients answer this node?
 *   engine_beat.c     the watchdog is fed
 *   engine_end.c      nasd is told to end
 *   engine_liveness.c the peer heard, or silent
 *
 * Threads: each group has three lanes: `steps` runs the rows of the table one at
 * a time, `side` everything that may run beside them (facts, scans of client
 * records, announcements), `records` what a new client waits for. The journal lane belongs to all groups. What a job needs of
 * the group is copied into the job, but for `fx` and `rep` (own locks).
 */
#ifndef NASD_SYS_ENGINE_INTERNAL_H
#define NASD_SYS_ENGINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <jansson.h>

#include "clients.h"
#include "control.h"
#include "control_server.h"
#include "effects.h"
#include "engine.h"
#include "group.h"
#include "journal_file.h"
#include "lane.h"
#include "peer_link.h"
#include "state_text.h"

enum { HISTORY_MAX = 200, PENDING_MAX = 64, LATE_MAX = 16 };

/* A row that has ended, and has not been told yet. */
struct late_report {
	struct step_report report;
	bool local;
};

enum inject_what { INJECT_NONE, INJECT_FAIL, INJECT_UNKNOWN, INJECT_KILL, INJECT_RESET, INJECT_STALL };

struct injection {
	pthread_mutex_t lock;
	enum step_id step;
	enum inject_what what;     /* INJECT_NONE: not armed */
	bool after;
};

/* What the core wants of the fence run that is (to be) under way. */
enum egroup_fence { EG_FENCE_NONE, EG_FENCE_WANTED, EG_FENCE_CALLED_OFF };

struct engine_fence; /* engine_fence.c */
struct engine_liveness; /* engine_liveness.c */
struct engine_beat;  /* engine_beat.c */
struct step_job; /* engine_actions.c */
struct clients_job; /* engine_clients.c */
struct engine_records; /* engine_records.c */

struct egroup {
	struct engine *e;
	const struct conf_group *conf;
	struct group_core *core;
	struct effects *fx;
	struct lane *steps, *side;
	sd_event_source *timer;
	bool journal_wait;         /* a record is being written: later actions wait */
	bool draining;
	struct late_report late[LATE_MAX];
	size_t n_late;
	bool hushed;               /* clients wait: what is only told waits for the end of it */
	sd_event_source *hush_timer;
	struct injection inject;

	/* client entries */
	struct clients_watch *watch;
	sd_event_source *watch_io, *clients_timer;
	pthread_mutex_t rep_lock;
	struct clients_replica *rep; /* under rep_lock */
	struct client_set sent;    /* what the peer has, as far as we know */
	struct client_set current; /* the last scan */
	bool scanning, scan_again, sync_wanted, peer_has_full;
	uint64_t clients_seq, sync_seq; /* sync_seq: acknowledged = synced; 0: none waits */
	atomic_uint replicated;
	struct clients_job *arrived; /* from the peer, not yet in the lane; NULL: nothing */
	bool applying;               /* what came before is */
	struct engine_records *records;
	struct lane *records_lane;   /* what a new client waits for, on either node */

	/* the clients' state: this node's own, or the source's */
	struct {
		char *text;            /* NULL: none */
		size_t len;
		uint64_t epoch;        /* under which it may be used */
		bool own;
	} state;
	struct {                       /* what was sent ahead: the source's, or the target's; state may be its changes */
		char *text;            /* NULL: none */
		size_t len;
		uint64_t epoch, base;  /* the transaction's; its name */
		bool there;            /* source: the target has it */
	} copy;
	struct state_text merged;      /* target: room for the whole of it */
	struct {                       /* from the source, in pieces */
		char *text;
		size_t len, total;
		uint64_t epoch;
	} coming;
	struct step_job *gate_job;     /* GATE or PRESYNC: done but for the target's word; NULL: none */
	int64_t handed_at;
	sd_event_source *gate_timer, *send_timer;
	const char *sending;           /* to the target: state or copy */
	size_t sending_len, sent_len;
	uint64_t sending_epoch;

	/* announcements repeated */
	sd_event_source *announce_timer;
	unsigned announce_n;
	int64_t announce_began;

	struct {                   /* said in the log, and not over */
		bool readonly, full, mute, split, stolen[GROUP_ADDRS_MAX];
	} alarms;
	bool monitoring, monitor_again; /* facts for the monitor are on their way; once more */
	int64_t peer_facts_at;     /* monotonic; 0: never */
	int64_t last_state_log;
	enum egroup_fence fence;   /* an answer is owed unless NONE */
	unsigned long state_changes; /* counts them */
	int64_t state_changed_at;    /* monotonic; 0: not yet */
};

struct pending {
	uint64_t id;               /* 0: free */
	struct ctl_client *client; /* NULL: it hung up */
	struct egroup *g;
};

struct engine {
	sd_event *event;
	struct engine_spec spec;
	const struct conf *conf;
	char boot_id[JOURNAL_BOOT_ID_LEN];
	int64_t started_us;
	const char *node_names[2];

	struct lane *journal_lane, *witness_lane;
	struct journal_file *journal;
	pthread_mutex_t journal_lock;
	uint64_t journal_seq;      /* under journal_lock, as the next */
	struct journal_state journal_states[CONF_GROUPS_MAX]; /* what the file says, by group */
	atomic_ulong journal_len;  /* of the file */
	bool compacting;
	atomic_bool journal_bad;

	struct peer_link *link;
	struct control_server *control;
	struct engine_watch *watch;
	struct engine_fence *fence;
	struct engine_liveness *liveness;
	struct engine_beat *beat;
	struct egroup groups[CONF_GROUPS_MAX];
	size_t n_groups;

	struct pending pending[PENDING_MAX];
	uint64_t next_request;
	struct ctl_client *watchers[PENDING_MAX];

	sd_event_source *end_timer; /* NULL: nobody has told nasd to end */
	bool ends;                  /* within the moment that the last answers need */

	json_t *history;           /* array, oldest first */
	char history_path[CONF_PATH_MAX];
};

/* engine.c */
/* Carries out what the core wants and sets its timer; after every event. */
void egroup_settle(struct egroup *g);

/* engine_end.c */
void engine_end_look(struct engine *e); /* has the event loop exited once it can be and is to be */

/* engine_actions.c */
void egroup_drain(struct egroup *g);
void egroup_announce_stop(struct egroup *g);
/* Collects facts beside the core's own schedule; while STANDBY or ACTIVE. */
void egroup_facts_monitor(struct egroup *g);

/* Has this copy marked outdated, or else the I/O that DRBD holds go on; beside the steps. */
void egroup_drbd_do(struct egroup *g, bool outdate);

/* engine_hush.c */
bool egroup_clients_wait(enum step_id step); /* whether they do while it runs */
void egroup_hush(struct egroup *g);
void egroup_unhush(struct egroup *g);        /* tells what has waited */
void egroup_tell_late(struct egroup *g);     /* the rows only */

/* engine_journal.c */
/* Blocking, but for an intent, which is for people and may be lost with the power;
 * thread-safe. Sets seq and wall_us. */
int engine_journal_write(struct engine *e, struct journal_rec *rec, struct err *err);
/* Opens the journal, folds its records into journal_states, compacts it when it is long. */
int engine_journal_open(struct engine *e, struct err *err);
/* Compacts it when it has become very long, while no move would wait for that. */
void engine_journal_compact(struct engine *e);

/* engine_clients.c */
int egroup_clients_open(struct egroup *g, struct err *err);
void egroup_clients_close(struct egroup *g);
void egroup_clients_peer_up(struct egroup *g);
void egroup_clients_peer_down(struct egroup *g);
void egroup_clients_active(struct egroup *g);     /* it serves from now on */
void egroup_clients_sync(struct egroup *g);       /* ACT_SYNC_CLIENTS */
void egroup_clients_message(struct egroup *g, const struct msg_clients *m);
void egroup_clients_ack(struct egroup *g, uint64_t seq);
/* This node has given the group away: its clients are the copy that it keeps for the new owner. */
void egroup_clients_handed_over(struct egroup *g);
/* Hands the replica to the effects, or nothing where the own database counts. Any thread. */
int egroup_clients_choose(struct egroup *g, bool replica, struct err *err);

/* Sends one record to the peer, as one of those that it has from now on: *seq is
 * acknowledged when it is on its disk. Negative: there is no peer; *seq is 0. */
int egroup_clients_tell(struct egroup *g, const char *record, uint64_t *seq);

/* engine_records.c */
int egroup_records_open(struct egroup *g, struct err *err);
void egroup_records_close(struct egroup *g);
void egroup_records_look(struct egroup *g);  /* a scan of the database begins, */
void egroup_records_seen(struct egroup *g, struct client_set *set); /* and what it could not see yet is added */
void egroup_records_acked(struct egroup *g, uint64_t seq);
void egroup_records_peer_down(struct egroup *g);
unsigned egroup_records_alone(struct egroup *g); /* of an active group's records, those that the peer has not */

/* engine_state.c */
int egroup_state_open(struct egroup *g, struct err *err);
void egroup_state_close(struct egroup *g);
/* Before PRESYNC, GATE and EXPORT run: what they need to know, or to have. */
void egroup_state_before(struct egroup *g, enum step_id step);
/* GATE or PRESYNC has run: true when its job (now ours) waits for the target's word;
 * it is ended by egroup_gate_done then. */
bool egroup_state_hand_over(struct egroup *g, enum step_id step, struct step_job *j);
/* more: added to its message; or, reclaim being true, said instead of it. */
void egroup_gate_done(struct egroup *g, struct step_job *j, bool reclaim, const char *more);
void egroup_state_message(struct egroup *g, const struct peer_msg *m);
void egroup_state_ack(struct egroup *g, const struct peer_msg *m);
void egroup_state_peer_down(struct egroup *g);

/* engine_control.c */
int engine_control_open(struct engine *e, struct err *err);
void engine_control_reply(struct egroup *g, const struct action *a);
void engine_control_held(struct egroup *g); /* ACT_HELD */
void engine_control_report(struct egroup *g, const struct step_report *r);
void engine_control_changed(struct engine *e);

/* A free place for a request, client's answer to come; NULL: none, and the client has been told. */
struct pending *engine_control_pend(struct engine *e, struct ctl_client *c, struct egroup *g);
/* The request is answered: who waits for it, or NULL when he has gone. */
struct ctl_client *engine_control_take(struct engine *e, const struct egroup *g, uint64_t id);

/* engine_release.c */
/* Answers its client when it has been done. */
void egroup_release_client(struct egroup *g, struct ctl_client *c, const struct ctl_request *req, const char *by);

/* engine_alarms.c */
/* Facts that the core has just been given. */
void egroup_alarms(struct egroup *g, const struct facts *f);

/* engine_fence.c */
int engine_fence_open(struct engine *e, struct err *err);
void engine_fence_close(struct engine *e);
/* The peer is silent or heard again, or this node was paused. */
void engine_fence_life_changed(struct engine *e);
void egroup_fence(struct egroup *g, const struct action *a);       /* ACT_FENCE */
void egroup_drbd_answer(struct egroup *g, const struct action *a); /* ACT_DRBD_ANSWER */
/* Requests; each answers its client, now or later. */
void engine_fence_peer(struct engine *e, struct ctl_client *c, const struct ctl_request *req);
void engine_fence_confirm(struct engine *e, struct ctl_client *c, const struct ctl_request *req, const char *by);
void engine_fence_status(struct engine *e, struct ctl_client *c);
void engine_fence_check(struct engine *e, struct ctl_client *c);
void engine_fence_gone(struct engine *e, struct ctl_client *c);

/* engine_liveness.c */
int engine_liveness_open(struct engine *e, struct err *err);
void engine_liveness_close(struct engine *e);
void engine_liveness_peer_up(struct engine *e, const struct peer_intro *intro);
void engine_liveness_get(struct engine *e, struct peer_life *out);
json_t *engine_liveness_json(struct engine *e);

/* engine_witness.c */
void egroup_witness(struct egroup *g); /* ACT_WITNESS */

/* engine_beat.c */
int engine_beat_open(struct engine *e, struct err *err);
void engine_beat_close(struct engine *e);
const char *engine_beat_dog(const struct engine *e); /* what guards this node: "armed", ..., "absent" */

/* engine_json.c: new references */
json_t *engine_status_json(struct engine *e);
json_t *engine_wall_json(int64_t wall_us); /* ISO 8601, UTC */
json_t *engine_log_json(struct egroup *g, const struct switch_log *log);
json_t *engine_plan_json(void);
json_t *engine_report_json(struct egroup *g, const struct step_report *r, int64_t base_us);

/* engine_history.c */
int engine_history_open(struct engine *e, struct err *err);
/* A provisional entry is replaced by the next one of the same move, and not written to disk. */
void engine_history_add(struct egroup *g, const struct switch_log *log, bool provisional);

/* engine_inject.c */
int engine_inject_arm(struct egroup *g, const struct ctl_request *req, struct err *err);
/* What to do at this point (before or after the step's effect); kills the process itself. Any thread. */
enum inject_what egroup_inject(struct egroup *g, enum step_id step, bool after);

/* engine_watch.c */
int engine_watch_open(struct engine *e, struct err *err);
void engine_watch_close(struct engine *e);
/* Facts that the core has just been given, and that are of its present state. */
void egroup_watch_facts(struct egroup *g, const struct facts *f);
json_t *egroup_watch_json(struct egroup *g); /* "drbd_events" of the status; new reference */

#endif
