/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes to 32 MiB of memory, page after page, at a given rate, and looks at each page's
 * turn whether it has kept what was written the last time: "ev=bad state=memory" if not.
 * A move of a guest copies such memory again and again.
 */
#ifndef PROBE_MEMORY_H
#define PROBE_MEMORY_H

#include <stdint.h>

#include "report.h"

struct memory {
	struct report *report;
	uint64_t rate; /* bytes per second, in whole pages 100 times a second */
};

/* Of a pthread; never returns but for want of memory, which it reports. */
void *memory_thread(void *memory);

#endif
