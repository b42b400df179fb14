/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is the peer silent, or were we asleep? Signs of life arrive on several paths;
 * the peer is silent when none of them brought any for dead_after of time in
 * which we ourselves were awake. A node that was stopped, swapped out or starved
 * cannot tell one from the other: after such a pause every path is given a whole
 * dead_after again, and what the kernel queued meanwhile is heard first.
 *
 * Plain values, no allocation; all times are microseconds of one monotonic clock.
 * Not before the first liveness_tick after a pause does anything count as silent,
 * whoever asks first. Silence is no proof of anything.
 */
#ifndef NASD_CORE_LIVENESS_H
#define NASD_CORE_LIVENESS_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

enum { LIVENESS_PATHS_MAX = 8 };

struct liveness_rules {
	int64_t interval_us;   /* between two signs of life, and between two ticks; above 0 */
	int64_t dead_after_us; /* above 0 */
	unsigned n_paths;      /* 1 to LIVENESS_PATHS_MAX */
};

struct liveness {
	struct liveness_rules rules;
	int64_t ticked_us;     /* the last tick, or the beginning */
	int64_t patient_us;    /* silence counts from here: the beginning, or the end of the last pause */
	int64_t heard_us[LIVENESS_PATHS_MAX]; /* -1: never */
	int64_t paused_us;     /* the end of the last pause; -1: none */
	int64_t pause_us;      /* how long the last one was; 0 for a clock that went back */
	int64_t longest_us;    /* of all */
	unsigned pauses;
};

/* What the group core and the operator are told of the peer. */
struct peer_life {
	bool silent;
	bool node_answers;     /* its kernel does, though its nasd is silent: the node runs */
	bool ever_heard;       /* false: not since this nasd started; its silence tells little */
	int64_t heard_us;      /* last, on any path, monotonic; -1: never */
	int64_t paused_us;     /* the end of our own last pause, monotonic; -1: none */
	char boot_id[BOOT_ID_LEN]; /* of its last introduction; empty: none yet */
};

/* Does any machine on the clients' network answer this node? */
enum witness {
	WITNESS_NOT_ASKED,
	WITNESS_NONE,     /* none is known that could be asked */
	WITNESS_ANSWERS,
	WITNESS_SILENT,   /* none of them does: this node is cut off */
};

void liveness_init(struct liveness *l, const struct liveness_rules *rules, int64_t now);

/* A sign of life on this path, below n_paths. */
void liveness_heard(struct liveness *l, unsigned path, int64_t now);

/*
 * To be called every interval, or sooner (liveness_next). True when it notices
 * that this node was paused: it came later than it should have by more than the
 * interval and more than half of dead_after, or the clock went back.
 */
bool liveness_tick(struct liveness *l, int64_t now);

bool liveness_silent(const struct liveness *l, int64_t now);
bool liveness_path_silent(const struct liveness *l, unsigned path, int64_t now);

/* Last on any path; -1: never. */
int64_t liveness_heard_us(const struct liveness *l);
bool liveness_ever_heard(const struct liveness *l);

/* The end of the last pause; -1: there was none. */
int64_t liveness_paused_us(const struct liveness *l);

/* When liveness_silent or liveness_path_silent could turn to true if nothing more
 * is heard, or the tick is due: always later than now, by an interval at most. */
int64_t liveness_next(const struct liveness *l, int64_t now);

#endif
