/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One call of a fence agent, by ClusterLabs' FenceAgentAPI: "key=value" lines on
 * standard input, the action among them, and the meaning of the exit status.
 * Pure.
 *
 *   off, on   0 done; all else: not done
 *   status    0 the plug is on, 2 it is off; all else: not known
 *   monitor   0 (and 2, which some single-plug agents say) the device answers
 *   metadata  0, and XML on standard output
 *
 * "reboot" is not used: it cannot be verified, since the node is on afterwards.
 */
#ifndef FENCE_AGENT_CALL_H
#define FENCE_AGENT_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "evidence.h"
#include "model.h"

enum fence_action {
	FENCE_OFF, FENCE_ON, FENCE_STATUS, FENCE_MONITOR, FENCE_METADATA, FENCE_ACTION_COUNT
};
const char *fence_action_name(enum fence_action a);

enum {
	FENCE_OPTIONS_MAX = 16, FENCE_KEY_LEN = 32, FENCE_VALUE_LEN = 128, FENCE_PATH_LEN = 128,
	FENCE_INPUT_MAX = FENCE_OPTIONS_MAX * (FENCE_KEY_LEN + FENCE_VALUE_LEN) + 128,
	FENCE_TEXT_LEN = 200,
};

struct fence_option {
	char key[FENCE_KEY_LEN], value[FENCE_VALUE_LEN];
};

/* A fence device and how patient to be with it. Times in microseconds. */
struct fence_device {
	char name[NAME_MAX_LEN];     /* ours, for people: "pdu-a" */
	char path[FENCE_PATH_LEN];   /* of the agent, absolute */
	struct fence_option options[FENCE_OPTIONS_MAX]; /* ip, plug, username, ... */
	unsigned n_options;
	unsigned level;              /* 1 and up; all devices of a level must succeed */
	int64_t timeout_us;          /* of one call */
	unsigned retries;            /* further tries after a failed one */
	int64_t retry_wait_us;       /* before each of them */
	bool verify;                 /* ask for the status until it says off */
	int64_t verify_limit_us;     /* for how long, after an "off" that succeeded */
	int64_t verify_every_us;
};

/*
 * Whether the agent will understand: absolute path, keys without spaces, '=' or
 * '#', values without control characters, no key twice, none of those that nasd
 * itself sets (action, option, nodename). 0, or -EINVAL with err filled.
 */
int fence_device_check(const struct fence_device *d, struct err *err);

/* Writes what goes to the agent's standard input to buf (FENCE_INPUT_MAX is
 * always enough for a device that passed the check). Returns its length, or
 * -ENOBUFS. It may hold passwords: not for logs. */
int fence_call_input(const struct fence_device *d, const char *node, enum fence_action a, char *buf,
		     size_t size);

/* How the program ended, and what it said. */
enum fence_end { FENCE_EXITED, FENCE_SIGNALLED, FENCE_TIMED_OUT, FENCE_NOT_RUN };

struct fence_ended {
	enum fence_end end;
	int code;                    /* exit status, signal, or errno of what could not be run */
	const char *out, *err_out;   /* NULL: nothing */
};

/*
 * What came of a call. For off and on: OFF or ON when done. For status: OFF or
 * ON; UNKNOWN when the text on standard output contradicts the exit status. For
 * monitor and metadata: ON when it works. A program that was ended by a signal
 * leaves the outcome UNKNOWN, one that we ended TIMEOUT; one that could not be
 * run has FAILED. text (FENCE_TEXT_LEN) says it to people, with the last line
 * that the agent wrote.
 */
enum fence_said fence_call_judge(enum fence_action a, const struct fence_ended *ended, char *text);

/* Does the agent's metadata name this action, this parameter? (A plain search
 * for the elements; no XML is validated.) */
bool fence_metadata_has(const char *xml, const char *element, const char *name);

#endif
