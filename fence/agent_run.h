/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a node is fenced: which agent is called next, decided from what came of
 * the calls before. Pure; the caller (agent.c) runs the programs and keeps time.
 *
 * Goal OFF: a delay first (against mutual kill: the two nodes of a pair that
 * lost each other shoot at the same time unless one waits). Then level 1: each of
 * its devices in turn is told "off", as often as its retries allow, and asked for
 * its status until that says off. When all devices of the level have succeeded,
 * the node is fenced. When one has not, the next level is begun; the devices of
 * the failed level stay as they are. After the last level, or at the total limit,
 * the run has failed. A call whose outcome is not known (timeout, signal) is
 * tried again like a failed one: "off" twice does no harm.
 *
 * Goal ON: "on" at every device of the level given (0: all), with retries.
 * Goal LOOK: "status" once at each device: in peace, when the peer is heard, each
 * must say on; one that says off is wired (or configured) for another node, and
 * the proof it would give is false.
 */
#ifndef FENCE_AGENT_RUN_H
#define FENCE_AGENT_RUN_H

#include "agent_call.h"

enum { FENCE_DEVICES_MAX = 8, FENCE_STORY_MAX = 2048 };

struct fence_plan {
	char node[NAME_MAX_LEN];     /* whom */
	struct fence_device devices[FENCE_DEVICES_MAX]; /* in the order of their levels */
	unsigned n_devices;
	int64_t delay_us, delay_random_us; /* OFF: wait delay + 0..delay_random first */
	int64_t total_us;            /* limit of a run, delay not included */
};

/*
 * Devices that each pass, levels 1, 2, ... without a gap and in order, and a
 * total limit within which every level gets its turn even when all devices hang.
 * 0, or -EINVAL with err filled.
 */
int fence_plan_check(const struct fence_plan *p, struct err *err);

/* How long a run for OFF may take at worst, delay and total limit left aside. */
int64_t fence_plan_worst_us(const struct fence_plan *p);

enum fence_goal { FENCE_GOAL_OFF, FENCE_GOAL_ON, FENCE_GOAL_LOOK };

enum fence_step_kind {
	FENCE_STEP_CALL,  /* run `action` at `device`, at most until `until_us` */
	FENCE_STEP_BUSY,  /* the call is under way, it has until `until_us` */
	FENCE_STEP_WAIT,  /* ask again at `until_us` */
	FENCE_STEP_DONE,  /* see the run's result */
};

struct fence_step {
	enum fence_step_kind kind;
	unsigned device;
	enum fence_action action;
	int64_t until_us;
};

/* What came of a device. */
struct fence_device_state {
	bool tried, done;
	bool acted, verified;
	unsigned attempts;
	enum fence_said said;        /* the last answer, to whatever was asked */
	int64_t at_us;               /* when the call that gave it was begun */
	char text[FENCE_TEXT_LEN];
};

struct fence_run {
	/* for the reader */
	bool finished, success;
	bool cancelled;
	int64_t began_us, ended_us;
	unsigned level;              /* at work, or the one that succeeded */
	struct fence_device_state state[FENCE_DEVICES_MAX];
	char story[FENCE_STORY_MAX]; /* what happened, line by line */
	/* private */
	const struct fence_plan *plan;
	enum fence_goal goal;
	unsigned at;                 /* device */
	enum fence_phase { FENCE_PH_DELAY, FENCE_PH_ACT, FENCE_PH_PAUSE, FENCE_PH_VERIFY, FENCE_PH_VERIFY_PAUSE, FENCE_PH_END } phase;
	bool busy;
	enum fence_action action;
	int64_t call_began_us, call_until_us, pause_until_us, verify_until_us, limit_us;
};

/* random: any number, for the delay. The plan must stay. */
void fence_run_begin(struct fence_run *r, const struct fence_plan *plan, enum fence_goal goal, unsigned level,
		     uint64_t random, int64_t now_us);

/* What to do now. A CALL is handed out once; afterwards the step is BUSY until
 * fence_run_ended was told. */
void fence_run_next(struct fence_run *r, int64_t now_us, struct fence_step *step);

/* How the call ended. Ignored when none is under way. */
void fence_run_ended(struct fence_run *r, const struct fence_ended *ended, int64_t now_us);

/* No longer wanted (the peer was heard, say): the run ends as failed; a call that
 * is under way has to be ended by the caller. */
void fence_run_cancel(struct fence_run *r, const char *why, int64_t now_us);

/*
 * The run as evidence about the node (source agent; epoch, boot and who the
 * caller knows). It claims success for a successful run for OFF only; verified
 * only when every device of the level was. at_us is when the last status query
 * (or "off") of the level was begun.
 */
void fence_run_evidence(const struct fence_run *r, uint64_t epoch, const char *boot_id,
			struct fence_evidence *e);

#endif
