/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * How long a load that is completed behind the answer tries again what the server has
 * refused for a reason that may pass: no descriptor is free, something is busy. What it
 * cannot make ends the process, and the clients reclaim. Pure.
 */
#ifndef FSAL_PATIENCE_H
#define FSAL_PATIENCE_H

#include <stdint.h>

enum { PATIENCE_US = 3000000, PATIENCE_PAUSE_US = 20000 };

struct patience {
	int64_t left_us; /* of the whole load; begins with PATIENCE_US, or 0 for none */
};

/* After ret (0, or a negative errno): how many microseconds to wait before it is tried
 * again; 0: it is not. */
int64_t patience_pause(struct patience *p, int ret);

#endif
