/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * While clients wait, what is only told about the rows waits as well: a log that is
 * written and a peer and watchers that are told take time of the processor that the
 * clients wait for.
 */
#include "engine_internal.h"

#include <stdlib.h>

#include "log.h"

enum { HUSH_US = 300000 }; /* so long at most */

static void report(struct egroup *g, const struct late_report *late)
{
	const struct step_report *r = &late->report;
	struct group_view v;
	struct log_fields f = { g->conf->name, step_name(r->step), 0 };

	group_look(g->core, &v);
	f.epoch = v.log ? v.log->epoch : v.epoch;
	if (late->local) {
		struct peer_msg m = { .type = MSG_STEP, .epoch = f.epoch, .u.step = *r };

		snprintf(m.group, sizeof(m.group), "%s", g->conf->name);
		peer_link_send(g->e->link, &m);
		log_write(r->outcome == OUTCOME_DONE ? LOGP_INFO : LOGP_WARNING, &f, "%s %s in %lld us%s%s",
			  step_name(r->step), r->skipped ? "in place already, seen" : outcome_name(r->outcome),
			  (long long)r->duration_us, r->message[0] ? ": " : "", r->message);
	}
	engine_control_report(g, r);
}

static int by_start(const void *a, const void *b)
{
	const struct late_report *x = a, *y = b;

	return (x->report.start_us > y->report.start_us) - (x->report.start_us < y->report.start_us);
}

/* The peer's come when they come. */
void egroup_tell_late(struct egroup *g)
{
	qsort(g->late, g->n_late, sizeof(*g->late), by_start);
	for (size_t i = 0; i < g->n_late; i++)
		report(g, &g->late[i]);
	g->n_late = 0;
}

void egroup_unhush(struct egroup *g)
{
	if (!g->hushed)
		return;
	g->hushed = false;
	egroup_tell_late(g);
	engine_control_changed(g->e);
}

bool egroup_clients_wait(enum step_id step)
{
	switch (step_row(step)->stage) {
	case STAGE_CHECK:
	case STAGE_RESERVE:
	case STAGE_PRECOPY:
	case STAGE_PROOF: /* which others give, and the loop hears */
	case STAGE_CONFIRM: return false;
	case STAGE_FREEZE:
	case STAGE_RELEASE:
	case STAGE_COMMITMENT:
	case STAGE_ACQUIRE:
	case STAGE_ACTIVATE: return true;
	}
	return false;
}

static int hush_ends(sd_event_source *s, uint64_t usec, void *data)
{
	struct egroup *g = data;

	(void)s;
	(void)usec;
	egroup_unhush(g);
	return 0;
}

void egroup_hush(struct egroup *g)
{
	if (g->hushed)
		return;
	if (!g->hush_timer &&
	    sd_event_add_time(g->e->event, &g->hush_timer, CLOCK_MONOTONIC, 0, 10000, hush_ends, g) < 0)
		return;
	sd_event_source_set_time_relative(g->hush_timer, HUSH_US);
	sd_event_source_set_enabled(g->hush_timer, SD_EVENT_ONESHOT);
	g->hushed = true;
}
