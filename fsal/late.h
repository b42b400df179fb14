/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The opens and locks of a large state, made after its clients are served again.
 *
 * A thread makes them client by client, those first who are waiting. Until a
 * client has all of its own, its requests are held; and until all clients have,
 * so is every request that could see that somebody's are missing: whatever opens,
 * locks, closes, creates, removes, renames or truncates, I/O without a stateid,
 * and all that makes or ends clients and sessions. What is left is reading and
 * writing with a stateid, and looking.
 *
 * A file that is gone (it was open and removed) is passed over: its stateids are
 * unknown here. Anything else that fails ends the process: its clients reclaim
 * with the next one.
 */
#ifndef FSAL_LATE_H
#define FSAL_LATE_H

#include "discover.h"
#include "fault.h"
#include "state.h"

struct late_client {
	uint64_t id;
	size_t at, len;  /* its lines in the text */
	bool early;      /* its opens are there, for it has lock owners without locks */
	/* late.c's, under its lock */
	bool wanted, loaded;
};

/*
 * Begins with what is left. Takes text and clients (in the text's order), which are
 * NULL afterwards, also when it fails half-way. No request may run when this is called; they
 * may afterwards, as they are judged from then on. Once per process.
 */
int late_begin(const struct private_parts *parts, char **text, struct late_client **clients, size_t n,
	       struct fault *fault);

struct late_status {
	size_t left;     /* clients; 0: nothing is to be done, or all is */
	size_t opens, locks, lost; /* of the last load: made, and of files that were gone */
	int64_t took_us;
};
void late_status(struct late_status *out);

#endif
