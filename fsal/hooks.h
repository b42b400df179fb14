/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The gate in ganesha: at the operations that can begin a compound of NFSv4.1 and
 * later, before they touch a slot or a session. A held request keeps no thread:
 * the operation returns NFS_REQ_ASYNC_WAIT, and ganesha's own svc_resume() lets it
 * go on. Nothing that the client or the server counts has moved by then.
 *
 * Also counts the requests in flight, and lifts the grace period when the last
 * client has reclaimed. All functions may be called by any thread.
 */
#ifndef FSAL_HOOKS_H
#define FSAL_HOOKS_H

#include "discover.h"
#include "fault.h"
#include "gate.h"

struct hooks_status {
	enum gate_state state;
	bool released;
	size_t held;
	long in_flight;        /* with the held ones */
	size_t connections;    /* known, some of them may be gone */
	uint64_t closed_count, held_count, expired_count;
	uint64_t lifted_count; /* grace periods that ended with a RECLAIM_COMPLETE, */
	int64_t lift_us;       /* and how long after it the last one did */
};

/* Replaces the operations. Once, when the server has started; keeps parts. */
int hooks_install(const struct private_parts *parts, struct fault *fault);

void hooks_status(struct hooks_status *out);

int hooks_close(int64_t reopen_us, struct fault *fault);
int hooks_open(size_t *resumed, struct fault *fault);
int hooks_commit(struct fault *fault);
int hooks_set_released(bool released, struct fault *fault);

/*
 * While there is a judge, a request that comes through an open gate goes on only if
 * he says so, and is held if not. He is called with the lock of the gate, by any
 * thread, and looks only at what was asked for (argarray, argarray_len). NULL: no
 * judge any more, and those that he held go on, unless the gate was closed.
 */
typedef bool hooks_judge_t(const compound_data_t *data);
void hooks_judge(hooks_judge_t *judge);

/* Asks him again about the requests of that client's sessions. */
void hooks_judge_again(uint64_t client);

/* The one who closed the gate has spoken. */
void hooks_heard(void);

/* Opens the gate if it has expired. Returns true when it is closed, and can. */
bool hooks_tick(void);

struct hooks_drain {
	bool drained;          /* nothing in flight but what is held, and nothing unsent */
	size_t held;
	long running;          /* in flight and not held */
	size_t unsent_connections;
	uint64_t unsent_bytes; /* given to the kernel, not acknowledged by the client */
	int64_t took_us;
};

/* Waits until drained, at most timeout_us. The gate must not be open. */
int hooks_drain(int64_t timeout_us, struct hooks_drain *out, struct fault *fault);

/* The same, but for what is unsent, which is not looked at. */
int hooks_drain_running(int64_t timeout_us, struct hooks_drain *out, struct fault *fault);

#endif
