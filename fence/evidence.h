/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What counts as proof that the peer no longer writes. Pure.
 *
 * A takeover needs a piece of evidence that fence_judge() finds to be FENCE_PROOF.
 *
 *   source      counts when
 *   agent       the agent's "off" succeeded, and (unless the configuration says
 *               that the device cannot tell) "status" said off afterwards
 *   operator    somebody said the node is off, and typed its name
 *   stand-down  the peer itself said that it does not serve under this epoch,
 *               and has not said the contrary since
 *   cluster     the cluster manager's history says that it has fenced the node
 *   drbd        the replication link stands and the peer says Secondary on it
 *   silence     never
 *
 * And from every source only when it is about this node, this epoch and the boot
 * of the peer that was heard last; newer than the peer's last sign of life (from
 * agent, operator and cluster: a dead node says nothing) or than its last claim
 * to serve (stand-down and drbd: these come from a living peer); newer than the
 * observer's own last pause (who was stopped does not know what happened since);
 * not from the future; and not older than max_age_us.
 *
 * Times are microseconds of the observer's monotonic clock. A piece of evidence
 * is dated as early as it may be: for agents, when the status query that said off
 * was *started*; for a cluster's history, whose clock is another, the earliest
 * moment that it may mean.
 */
#ifndef FENCE_EVIDENCE_H
#define FENCE_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

enum fence_source {
	FENCE_BY_AGENT,
	FENCE_BY_OPERATOR,
	FENCE_BY_STANDDOWN,
	FENCE_BY_CLUSTER,
	FENCE_BY_DRBD,
	FENCE_BY_SILENCE,
	FENCE_SOURCE_COUNT
};

/* What the source said of the peer. For stand-down and drbd "off" reads: does
 * not serve, is Secondary; "on": serves, is Primary. */
enum fence_said {
	FENCE_SAID_OFF,
	FENCE_SAID_ON,
	FENCE_SAID_FAILED,  /* it could not do it, nothing has happened */
	FENCE_SAID_UNKNOWN, /* it does not know, or its answer made no sense */
	FENCE_SAID_TIMEOUT, /* no answer in time */
	FENCE_SAID_COUNT
};

enum { FENCE_BOOT_LEN = 40, FENCE_WHO_LEN = 64, FENCE_EXPLAIN_MAX = 512 };

struct fence_evidence {
	enum fence_source source;
	enum fence_said said;
	bool acted;                 /* agent, cluster: its own "off" was reported done */
	bool verified;              /* agent: said is what "status" said after that */
	char node[NAME_MAX_LEN];    /* whom it is about */
	char typed[NAME_MAX_LEN];   /* operator: the name as typed */
	char who[FENCE_WHO_LEN];    /* for people: the device, the operator */
	uint64_t epoch;             /* of the owner at that time */
	char boot_id[FENCE_BOOT_LEN]; /* the peer's as known at that time; empty: never heard */
	int64_t at_us;
};

/* What is known now, and the rules. */
struct fence_view {
	char node[NAME_MAX_LEN];    /* the peer */
	uint64_t epoch;             /* of the group's present owner */
	char boot_id[FENCE_BOOT_LEN]; /* the peer's, as last heard; empty: never */
	int64_t heard_us;           /* last sign of life on any path; -1: none */
	int64_t claimed_us;         /* when it last said that it serves; -1: never */
	int64_t paused_us;          /* when this node last noticed a pause of itself; -1: never */
	int64_t now_us;
	bool replicating;           /* the replication link stands now */
	bool need_verified;         /* agents must have verified the off state */
	int64_t max_age_us;         /* 0: no limit */
};

enum fence_verdict {
	FENCE_PROOF,
	FENCE_NO_SILENCE,
	FENCE_NO_OTHER_NODE,
	FENCE_NO_TYPED_NAME,
	FENCE_NO_ON,
	FENCE_NO_FAILED,
	FENCE_NO_UNKNOWN,
	FENCE_NO_TIMEOUT,
	FENCE_NO_ACT,          /* nobody reported to have switched it off */
	FENCE_NO_VERIFICATION,
	FENCE_NO_LINK,         /* drbd: the link is gone, what it said is past */
	FENCE_NO_OTHER_EPOCH,
	FENCE_NO_OTHER_BOOT,
	FENCE_NO_FUTURE,
	FENCE_NO_PAUSE,
	FENCE_NO_ALIVE_SINCE,
	FENCE_NO_CLAIM_SINCE,
	FENCE_NO_TOO_OLD,
	FENCE_VERDICT_COUNT
};

/* "agent" etc.: stable words, for journal and JSON. */
const char *fence_source_name(enum fence_source s);
const char *fence_said_name(enum fence_said s);

/* Why it counts or not, a clause without a full stop. */
const char *fence_verdict_text(enum fence_verdict v);

enum fence_verdict fence_judge(const struct fence_evidence *e, const struct fence_view *v);

/* The newest piece of evidence of each source. */
struct fence_book {
	bool has[FENCE_SOURCE_COUNT];
	struct fence_evidence of[FENCE_SOURCE_COUNT];
};

/* Files e. Older than what is there from the same source: dropped, unless that
 * was from a time after now_us (a clock that ran backwards is none to trust). */
void fence_book_add(struct fence_book *b, const struct fence_evidence *e, int64_t now_us);

/* The proof, the strongest source first (agent, cluster, operator, stand-down,
 * drbd), or NULL. */
const struct fence_evidence *fence_book_proof(const struct fence_book *b, const struct fence_view *v);

/*
 * One line for people: the proof and its age; or, without one, what there is,
 * why none of it counts, and what would. Returns buf.
 */
char *fence_book_explain(const struct fence_book *b, const struct fence_view *v, char *buf, size_t size);

#endif
