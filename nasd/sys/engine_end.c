/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nasd is told to end (a restart, an upgrade): not in the middle of a move, whose
 * clients would wait for the next nasd. */
#include "engine_internal.h"

#include <time.h>

#include "clocks.h"
#include "log.h"

enum {
	END_WITHIN_US = 8000000, /* nasd.service kills after 10 s */
	SAID_WITHIN_US = 100000, /* the answers are on their way to who asked, and the peer */
};

static const struct egroup *under_way(const struct engine *e)
{
	struct group_view v;

	for (size_t i = 0; i < e->n_groups; i++) {
		group_look(e->groups[i].core, &v);
		if (v.under_way)
			return &e->groups[i];
	}
	return NULL;
}

static int time_to_end(sd_event_source *s, uint64_t usec, void *data)
{
	struct engine *e = data;
	const struct egroup *g = under_way(e);

	(void)s;
	(void)usec;
	if (g)
		log_warn("%s: nasd ends in the middle of a move; the next one goes on from the journal",
			 g->conf->name);
	return sd_event_exit(e->event, 0);
}

void engine_end_look(struct engine *e)
{
	if (!e->end_timer || e->ends || under_way(e))
		return;
	e->ends = true;
	sd_event_source_set_time_relative(e->end_timer, SAID_WITHIN_US);
}

void engine_end(struct engine *e)
{
	const struct egroup *g = under_way(e);

	if (!g || e->end_timer ||
	    sd_event_add_time_relative(e->event, &e->end_timer, CLOCK_MONOTONIC, END_WITHIN_US, 0, time_to_end, e) < 0) {
		sd_event_exit(e->event, 0);
		return;
	}
	log_notice("%s: nasd is told to end, and does so after the move", g->conf->name);
}
