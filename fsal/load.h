/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Takes what dump wrote down, so that its clients go on here: same ids, same
 * sequences, same locks. The exports must be there, the clients must not yet.
 */
#ifndef FSAL_LOAD_H
#define FSAL_LOAD_H

#include <stdbool.h>

#include "discover.h"
#include "fault.h"
#include "state.h"

/*
 * Whether the server is one that can take clients: it has none, confirmed or not,
 * is not in grace, and has not been loaded before. -EBUSY when not.
 */
int load_possible(const struct private_parts *parts, struct fault *fault);

struct load_times {
	int64_t check_us, make_us, lock_us; /* files looked for; clients and opens; locks */
};

/*
 * Loads a text: it is read, and every file in it looked for, before anything is
 * changed. When something fails after that, *replace is true: this process has
 * some of the clients and must not serve any. No request may run meanwhile (gate).
 *
 * A state with many opens is not complete when this returns: late.h has the rest.
 * It keeps the text then, and *text is NULL; else it remains the caller's.
 */
int load_state(const struct private_parts *parts, char **text, size_t len, struct state_counts *counts,
	       struct load_times *times, bool *replace, struct fault *fault);

#endif
