/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * When clients that have not come back are given up, and the grace period ends
 * without them: Reclaim_Wait (of the block NASD) after it began, in which whoever
 * configured it says that a silent client is dead. Pure; time is an argument
 * (microseconds of a clock that does not jump).
 *
 * Nobody is given up while somebody may be on his way: a client id without a
 * session, a connection from an address that no client has, a client that has
 * not said that it has reclaimed. Nor when no client at all has come back: that
 * is no death, it is the network. Until the period's own end, that is.
 */
#ifndef FSAL_GIVEUP_H
#define FSAL_GIVEUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct giveup {
	int64_t wait_us;  /* 0: never */
	int64_t length_us; /* of a grace period */
	int64_t since_us; /* when grace was seen first; 0: there is none */
};

struct giveup_look {
	bool in_grace;
	size_t back;       /* clients that had a record, and have reclaimed */
	size_t reclaiming; /* clients that have not said so yet */
	size_t coming;     /* client ids without a session, connections without a client */
};

enum giveup_word {
	GIVEUP_IDLE, /* no grace: need not be asked again before the next one */
	GIVEUP_WAIT,
	GIVEUP_NOW,
	GIVEUP_OVER, /* the time is over for everybody */
};

/* For each grace period, from its beginning to its end. */
enum giveup_word giveup_judge(struct giveup *g, int64_t now_us, const struct giveup_look *look);

#endif
