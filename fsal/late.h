/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The clients of a large state, with their sessions, opens and locks, made after
 * requests run again.
 *
 * A thread makes them one by one, those first who are waiting, and of these the
 * smallest. Until a client is there with all of its own, its requests are held; and until all clients have,
 * so is every request that could see that somebody's are missing: whatever opens,
 * locks, closes, creates, removes, renames or truncates, I/O without a stateid,
 * and all that makes or ends clients and sessions. What is left is reading and
 * writing with a stateid, and looking.
 *
 * A file that is gone (it was open and removed) is passed over: its stateids are
 * unknown here. What may pass (no descriptor is left) is tried again, 3 s of a load.
 * Anything else that fails ends the process: its clients reclaim with the next one.
 */
#ifndef FSAL_LATE_H
#define FSAL_LATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

struct late_client {
	uint64_t id;
	size_t at, len;  /* its lines in the text */
	bool early;      /* it is there but for its locks: the sample, or it has lock owners without locks */
	/* late.c's, under its lock */
	bool wanted, loaded;
};

struct loading;

/*
 * Begins with what is left of l. Takes text and l's clients (in the text's order), which are
 * NULL afterwards, also when it fails half-way. No request may run when this is called; they
 * may afterwards, as they are judged from then on. Once per process.
 */
int late_begin(struct loading *l, char **text, struct fault *fault);

struct late_status {
	size_t left;     /* clients; 0: nothing is to be done, or all is */
	size_t opens, locks, lost; /* of the last load: made, and of files that were gone */
	int64_t took_us;
};
void late_status(struct late_status *out);

#endif
