/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the outside may ask of a payload, and how far it is: shared by the
 * payload's own thread with those of the heartbeat and of the signals.
 */
#ifndef PROBE_CONTROL_H
#define PROBE_CONTROL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct control {
	_Atomic uint64_t acked; /* the newest acknowledged write, or operations done */
	atomic_bool stop;       /* end with the summary */
	atomic_bool mark;       /* end the section */
	atomic_bool show;       /* print the figures so far */
};

#endif
