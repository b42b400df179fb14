/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a group knows and wants when its peer falls silent. Part of the core's
 * private state; see takeover.c.
 */
#ifndef NASD_CORE_TAKEOVER_H
#define NASD_CORE_TAKEOVER_H

#include "evidence.h"
#include "peer_handler.h"
#include "liveness.h"

/* Why the peer is to be proven dead. */
enum fence_need {
	NEED_NONE,
	NEED_TAKEOVER, /* it owns the group, and is silent */
	NEED_IO,       /* we own it, and DRBD holds our writes until it is sure of the peer */
};

struct takeover {
	struct peer_life life;
	int64_t started_at;        /* this nasd */
	bool met;                  /* a HELLO since then */
	int64_t silent_at;         /* noticed; 0: the peer is heard */
	int64_t facts_at;          /* own facts were collected last */
	int64_t claimed_us;        /* the peer's last word that it serves; -1: never */
	int64_t linked_us;         /* DRBD was, or is anew, connected to it then; -1: not that we know */
	bool alone;                /* ... and is not, as last seen */
	struct fence_book book;

	enum witness witness;      /* as last asked */
	int64_t witness_at;        /* when it was answered */
	int64_t witness_again;     /* asked (again) then */
	bool witness_asked;        /* ACT_WITNESS is out */

	enum fence_need need;
	int64_t run_at;            /* a fence run is due then; 0: none is */
	int64_t proven_at;         /* a takeover waits for a last look since then; 0: none does */
	bool running;
	bool looked;               /* facts were asked for: a last look before it */
	uint64_t run_epoch;        /* as of its beginning: what its evidence is about */
	char run_boot[JOURNAL_BOOT_ID_LEN];

	/* What DRBD may be told of the peer; NO_PROOF: nothing. */
	enum fence_peer_answer told;
	uint64_t told_epoch;
	int64_t told_at;
	char told_why[FENCE_EXPLAIN_MAX];

	bool asked;                /* DRBD's handler waits */
	bool frozen;               /* DRBD says so itself */
	bool resuming;             /* ACT_RESUME_IO is out */
	bool resume_looked;        /* facts were asked for before that */
	int64_t resume_at;         /* tried (again) then */
	int64_t frozen_at;         /* since; 0: not */
	bool linked, heard;        /* as of the last thought: the link, the peer */
	int64_t touch_at;          /* when either of them changed last */
	bool copy_seen;            /* own facts are from after that, or do not come */
	int64_t outdate_at;        /* the peer is asked (again) then */
	bool outdating;            /* ACT_OUTDATE is out, for the peer's question */
	uint64_t outdate_epoch;

	char trouble[200];         /* with the held writes; empty: none so far */
	char text[FENCE_EXPLAIN_MAX]; /* what an operator should know; empty: nothing */
};

#endif
