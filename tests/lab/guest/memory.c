/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clock.h"

enum { PAGE = 4096, PAGES = (32 << 20) / PAGE, TICK_MS = 10, BAD_MAX = 16 };

/* What the page had to have kept since its last turn, and what it gets now. */
static bool turn(volatile uint64_t *page, uint64_t *lap, uint64_t n)
{
	bool kept = page[0] == *lap && page[PAGE / sizeof(*page) - 1] == ~*lap;

	*lap = n;
	page[0] = n;
	page[PAGE / sizeof(*page) - 1] = ~n;
	return kept;
}

void *memory_thread(void *arg)
{
	struct memory *m = arg;
	unsigned char *pages = aligned_alloc(PAGE, (size_t)PAGES * PAGE);
	uint64_t *laps = calloc(PAGES, sizeof(*laps)), due = clock_mono_ns(), n = 0;
	unsigned bad = 0;

	if (!pages || !laps) {
		report_event(m->report, "ev=fatal text=\"no memory to write to\"");
		return NULL;
	}
	for (size_t i = 0; i < PAGES; i++)
		turn((uint64_t *)(void *)(pages + i * PAGE), &laps[i], 0); /* its first, which keeps nothing */
	for (;;) {
		for (uint64_t i = 0; i < m->rate / PAGE / (1000 / TICK_MS); i++) {
			size_t at = n++ % PAGES;

			if (!turn((uint64_t *)(void *)(pages + at * PAGE), &laps[at], n) && bad++ < BAD_MAX)
				report_event(m->report, "ev=bad state=memory page=%zu n=%" PRIu64, at, n);
		}
		due += TICK_MS * NS_PER_MS;
		if (due < clock_mono_ns())
			due = clock_mono_ns(); /* late: no burst */
		clock_sleep_until(due);
	}
}
