/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A deterministic pair: two real decision cores over a simulated world, link,
 * journal and clock. The core's actions are carried out as sys/engine_actions.c
 * does it: a record holds back the later actions until it is durable, steps run
 * one at a time in a lane, everything else at once. After each event the
 * promises are checked (promises.c); the first one broken stops the run.
 *
 *     sim_new -> sim_start (both nodes) -> sim_request, faults ... -> sim_run
 *             -> sim_settle -> sim->broken is empty -> sim_free
 *
 * SIM_TRACE=1 in the environment prints what happens.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "group.h"
#include "sim_link.h"
#include "prng.h"
#include "world.h"

enum {
	SIM_LANE_MAX = 64,
	SIM_REQUESTS_MAX = 256,
	SIM_FAULTS_MAX = 8,
	SIM_SCRIPT_MAX = 128,
	SIM_EPOCHS_MAX = 1024,
	SIM_SWITCHOVER_US = 30000000,
	SIM_FREEZE_US = 8000000,
	SIM_NETS = 2,           /* the clients' and DRBD's; pulses go over both */
	SIM_PULSES_MAX = 128,
};
enum { NET_CLIENTS, NET_DRBD };

/* ---- faults of a single step, or of the record that stands for it */
enum fault_kind {
	FAULT_NONE,
	FAULT_FAIL,             /* said to have failed, and has */
	FAULT_UNKNOWN_DONE,     /* no answer, in place */
	FAULT_UNKNOWN_NOT,      /* no answer, not in place */
	FAULT_STALL,            /* done, but later than its deadline */
	FAULT_VERIFY_UNKNOWN,   /* looking gives no answer, for some seconds */
};
const char *fault_name(enum fault_kind k);

struct sim_fault {
	int node;
	enum step_id step;
	enum fault_kind kind;   /* FAULT_NONE: free */
	unsigned times;         /* how often it strikes */
};

/* ---- death of a process or node at a chosen action */
enum kill_when {
	KILL_BEFORE,            /* before the action is carried out */
	KILL_LOST,              /* after; what it began (record, step) did not happen */
	KILL_KEPT,              /* after; what it began did happen, unheard of */
};

struct sim_kill {
	bool armed;
	int node;
	unsigned index;         /* of the node's actions since arming */
	enum kill_when when;
	bool power;             /* the node, not the process alone */
	int64_t restart_after;
};

/* ---- one of the two networks between the nodes */
struct sim_net {
	bool cut[2];            /* by sender: nothing gets through */
	unsigned loss, dup;     /* per cent, of the pulses */
	int64_t delay_max;      /* microseconds */
};

struct sim_pulse {
	int64_t due;
	int to;
	unsigned path, life;
	uint64_t seq;
};

/* ---- what comes of switching a node off */
enum device_kind {
	DEVICE_WORKS,
	DEVICE_FAILS,           /* and says so */
	DEVICE_HANGS,           /* nothing is switched off, and no answer in time */
	DEVICE_UNKNOWN,         /* it does not know; it has not */
	DEVICE_FAILS_OFF,       /* it says that it failed, but the node is off */
	DEVICE_HANGS_OFF,       /* the node is off, and no answer in time */
	DEVICE_KINDS
};
const char *device_name(enum device_kind k);

struct sim_run {
	bool on;
	bool called_off;        /* nobody listens any more, but its program may go on */
	enum device_kind how;
	int64_t off_due, done_due; /* 0: none */
	int64_t status_at;      /* of the runner's clock; 0: status was not asked for */
};

struct sim_job {
	enum step_id step;
	enum step_op op;
	bool has_rec;
	struct journal_rec rec;
	int64_t start, end;     /* end 0: waits for its turn */
	enum fault_kind fault;
	bool waits;             /* for DRBD */
};

struct sim_reply {
	uint64_t id;
	int node;
	unsigned life;
	int64_t asked, answered; /* asked: of the node's clock */
	int64_t hold_us;
	unsigned replies;
	bool ok;
	struct err err;
	size_t n_findings;
};

/* What who asked for a move does when it is held. HELD_WILL_GO: says go some seconds later. */
enum sim_when_held { HELD_WAITS, HELD_GOES, HELD_LEAVES, HELD_WILL_GO };

struct sim_node {
	bool powered;
	struct group_core *core;   /* NULL: no process */
	unsigned life, boot;
	char boot_text[BOOT_ID_LEN];
	int64_t restart_at;        /* 0: not planned */
	/* the journal: what a restarted nasd would read */
	struct journal_rec *disk;
	size_t n_disk, cap_disk;
	size_t n_synced;           /* of them; what follows is lost with the power */
	bool poisoned;             /* a failed sync: no more writes in this life */
	unsigned bad_writes;       /* so many next writes fail, cleanly */
	bool journal_wait;
	struct journal_rec rec;    /* being written */
	int64_t journal_due;
	enum fault_kind journal_fault;
	/* the lane */
	struct sim_job lane[SIM_LANE_MAX];
	size_t n_lane;
	enum step_id unknown_of;   /* ran with an unknown outcome, not looked at since */
	/* others */
	int64_t facts_due[3];      /* by tag; 0: none */
	int64_t sync_due;
	bool sync_ok;
	struct facts seen[3];      /* what the collectors found, not told yet */
	bool waits_for_go;         /* its move is held, and nobody has said that its freeze may begin */
	/* its clock: clock_local at clock_at */
	int64_t clock_at, clock_local;
	int ppm;
	/* stopped altogether */
	int64_t paused_until;      /* 0: runs */
	int64_t resumed_at;
	bool clock_stops;          /* ... with its clock */
	/* the peer's life */
	struct liveness live;
	char peer_boot[BOOT_ID_LEN];
	bool silent, node_answers; /* as told */
	bool met;                  /* its HELLO has come in this life */
	int64_t beat_due, pulse_due; /* beat: of its clock */
	uint64_t pulse_seq, heard_seq[SIM_NETS];
	unsigned heard_life[SIM_NETS];
	int64_t refused_us;        /* of its clock; the peer's kernel says that no nasd runs */
	bool stuck;                /* cannot stand down: left to the watchdog */
	/* the peer's death, and DRBD */
	struct sim_run run;
	bool fenced;               /* switched off by a device: somebody has to boot it */
	int64_t outdate_due, resume_due, witness_due;
	int64_t resume_asked;      /* of its clock */
	/* counted */
	unsigned actions;          /* carried out since sim_count */
	unsigned finished;
	bool cause;                /* unsafe by the schedule's doing: a lying operator */
	bool behind;               /* an operator gave it the group while the other one, newer, is off */
	int64_t ticks_at;          /* against busy loops */
	unsigned ticks_here;
};

struct sim;
typedef void (*sim_fn)(struct sim *s, int arg);

struct sim {
	struct prng r;
	int64_t now;
	uint64_t events;
	struct world w;
	struct sim_link link;
	struct sim_node n[2];
	struct sim_fault faults[SIM_FAULTS_MAX];
	struct sim_kill kill;
	bool killed;               /* the armed kill has struck */
	int cut_at_msg;            /* cut when this many more have been sent; -1: never */
	bool cut_struck;
	bool heartbeat;            /* nasd fences and takes over by itself, DRBD asks before it goes on */
	bool cuts_pulses;          /* sim_cut: nothing at all gets through */
	struct sim_net net[SIM_NETS];
	struct sim_pulse pulses[SIM_PULSES_MAX];
	size_t n_pulses;
	bool leg_cut[2];           /* this node's, to the clients' network */
	bool no_witness;           /* no client is known that could be asked */
	enum device_kind device[2]; /* that switches this node off */
	bool no_devices, manual;   /* not configured; takeovers are an operator's */
	bool asked;                /* ... or somebody else's, who asks */
	bool guests;               /* moves that guests go along with */
	bool no_asked_moves, by_trigger; /* group_config, group_request */
	int64_t wall_off_us;             /* so much the wall clock was set, from now on */
	int64_t ask_again;         /* by whom asks */
	int64_t client_due;
	unsigned recovered, excused; /* without a human, or because two things failed */
	unsigned fence_runs, fence_offs, takeovers, drbd_told, pauses;
	struct { int64_t at; sim_fn fn; int arg; } script[SIM_SCRIPT_MAX];
	size_t n_script;
	struct sim_reply replies[SIM_REQUESTS_MAX];
	size_t n_replies;
	int epoch_owner[SIM_EPOCHS_MAX]; /* -2: never owned */
	bool epoch_begun[SIM_EPOCHS_MAX];
	unsigned messages;
	enum sim_when_held when_held;
	unsigned held, went;       /* moves that were, and of which the freeze was let begin */
	int64_t step_us;           /* the longest a healthy step takes */
	char broken[300];          /* the first promise that did not hold */
	bool trace;
};

struct sim *sim_new(uint64_t seed);
/* Before the first start: trigger = heartbeat and all that belongs to it. */
void sim_heartbeats(struct sim *s);
void sim_free(struct sim *s);

/* Writes "owner is active" into both journals, as after an earlier life. */
void sim_own(struct sim *s, int owner, uint64_t epoch);
/* Starts nasd on a node (powering it on first when it is off). */
void sim_start(struct sim *s, int node);
/* keep: what it was doing just now (record, step) still happens. */
void sim_kill_now(struct sim *s, int node, bool power, bool keep);
void sim_cut(struct sim *s, bool drbd_too);
void sim_heal(struct sim *s);
void sim_server_dies(struct sim *s, int node);

/* An operator asks on this node; returns the index in replies[], or -1: no nasd there. */
int sim_request(struct sim *s, int node, enum request_kind kind, int target, bool confirmed);
/* The same; before the freeze s->when_held happens. */
int sim_request_held(struct sim *s, int node, enum request_kind kind, int target, bool confirmed, int64_t hold_us);
/* Who asked for it, on the same node, says go, or has gone; nothing where no nasd runs. */
void sim_go(struct sim *s, int node);
void sim_forsake(struct sim *s, int request);
struct sim_fault *sim_fault(struct sim *s, int node, enum step_id step, enum fault_kind kind);
void sim_kill_at(struct sim *s, int node, unsigned index, enum kill_when when, bool power);
void sim_at(struct sim *s, int64_t after, sim_fn fn, int arg);
/* Counts actions and messages from here. */
void sim_count(struct sim *s);

/* One event; false: a promise is broken. */
bool sim_step(struct sim *s);
/* Runs for some time; false: a promise is broken. */
bool sim_run(struct sim *s, int64_t us);
/* All faults end, everything restarts and heals; runs until quiet and checks
 * what must then hold. False: a promise is broken. */
bool sim_settle(struct sim *s);

/* ---- looking */
enum group_state sim_state(const struct sim *s, int node);
/* The node that serves in full; NODE_NONE. */
int sim_active(const struct sim *s);
void sim_fold(const struct sim *s, int node, struct journal_state *j);
void sim_say(struct sim *s, int node, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void sim_broken(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- sim_settle.c */
bool sim_quiet(const struct sim *s);

/* ---- sim_life.c: clocks, pauses, networks, who hears whom */
int64_t sim_clock(const struct sim *s, int node);
int64_t sim_wall(const struct sim *s); /* of both nodes */
int64_t sim_when(const struct sim *s, int node, int64_t local); /* never before now */
void sim_clock_set(struct sim *s, int node, int64_t local, int ppm);
bool sim_runs(const struct sim *s, int node); /* powered and not stopped */
void sim_pause(struct sim *s, int node, int64_t us, bool clock_stops);
void sim_resumed(struct sim *s, int node);
void sim_net_cut(struct sim *s, int net, int from); /* from -1: both ways */
void sim_net_heal(struct sim *s, int net);
/* A node's leg to the clients' network: neither they nor the peer are there. */
void sim_leg(struct sim *s, int node, bool cut);
/* From a node to the other one. */
bool sim_net_carries(const struct sim *s, int net, int from);
/* Something has changed that DRBD and the link depend on. */
void sim_networks(struct sim *s);
void sim_life_begins(struct sim *s, int node);
void sim_life_told(struct sim *s, int node);
void sim_beat(struct sim *s, int node);
void sim_pulses_out(struct sim *s, int node);
void sim_pulse_in(struct sim *s, size_t i);
void sim_heard_link(struct sim *s, int node);

/* ---- sim_fence.c: switching off, DRBD's questions and orders */
void sim_fence(struct sim *s, int node, const struct action *a);
void sim_fence_off(struct sim *s, int node);
void sim_fence_done(struct sim *s, int node);
void sim_fence_dies(struct sim *s, int node);
void sim_ask_witness(struct sim *s, int node);
void sim_witness(struct sim *s, int node);
void sim_outdate(struct sim *s, int node);
void sim_outdated(struct sim *s, int node);
void sim_resume_io(struct sim *s, int node);
void sim_io_resumed(struct sim *s, int node);
void sim_drbd_asks(struct sim *s, int node);
void sim_drbd_answer(struct sim *s, int node, enum fence_peer_answer a);
/* After whatever has changed DRBD: steps that waited for it. */
void sim_drbd_changed(struct sim *s);

/* promises.c */
void promises_always(struct sim *s);
void promises_before_run(struct sim *s, int node, enum step_id step);
void promises_answered(struct sim *s, int node, const struct sim_job *j, enum outcome o);
void promises_before_send(struct sim *s, int node, const struct peer_msg *m);
void promises_served(struct sim *s, int node);
void promises_record(struct sim *s, int node, const struct journal_rec *r);
void promises_fence(struct sim *s, int node);
void promises_told(struct sim *s, int node);
/* A core has decided to take the group over by itself. */
void promises_takeover(struct sim *s, int node);
void promises_quiet(struct sim *s);

/* sim_actions.c */
void sim_drain(struct sim *s, int node);
void sim_lane_finished(struct sim *s, int node);
void sim_journal_finished(struct sim *s, int node);
void sim_lane_next(struct sim *s, int node);
void sim_record_written(struct sim *s, int node, const struct journal_rec *r);
void sim_record_durable(struct sim *s, int node, const struct journal_rec *r);
enum fault_kind sim_take_fault(struct sim *s, int node, enum step_id step, bool verify);

#endif
