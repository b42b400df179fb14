/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "switch_log.h"

#include <stdio.h>
#include <string.h>

const char *switch_kind_name(enum switch_kind k)
{
	switch (k) {
	case SWITCH_NONE: return "none";
	case SWITCH_SWITCHOVER: return "switchover";
	case SWITCH_TAKEOVER: return "takeover";
	case SWITCH_RESUME: return "resume";
	case SWITCH_RELEASE: return "release";
	}
	return "invalid";
}

const char *switch_result_name(enum switch_result r)
{
	switch (r) {
	case RESULT_RUNNING: return "running";
	case RESULT_DONE: return "done";
	case RESULT_REFUSED: return "refused";
	case RESULT_ROLLED_BACK: return "rolled-back";
	case RESULT_FAILED: return "failed";
	}
	return "invalid";
}

void switch_log_begin(struct switch_log *l, enum switch_kind kind, uint64_t epoch, int source, int target,
		      int64_t now_us, const char *requested_by)
{
	memset(l, 0, sizeof(*l));
	l->kind = kind;
	l->epoch = epoch;
	l->source = source;
	l->target = target;
	l->began_us = now_us;
	snprintf(l->requested_by, sizeof(l->requested_by), "%s", requested_by ? requested_by : "");
}

void switch_log_add(struct switch_log *l, const struct step_report *r)
{
	size_t i;

	if (l->n_steps == STEP_REPORTS_MAX) {
		l->truncated = true;
		return;
	}
	for (i = l->n_steps++; i > 0 && l->steps[i - 1].start_us > r->start_us && l->steps[i - 1].node != r->node; i--)
		l->steps[i] = l->steps[i - 1];
	l->steps[i] = *r;
}

int64_t switch_log_freeze_us(const struct switch_log *l)
{
	int64_t begin = 0, end = 0;
	bool gated = false; /* it began with the gate, not with the addresses */

	for (size_t i = 0; i < l->n_steps; i++) {
		const struct step_report *r = &l->steps[i];

		if ((r->step == STEP_GATE || r->step == STEP_DETECT) && r->outcome == OUTCOME_DONE) {
			begin = r->start_us;
			end = 0;
			gated = true;
		} else if (r->step == STEP_ADDRESS_DEL && !r->skipped) {
			begin = gated ? begin : r->start_us;
			end = gated ? end : 0;
			gated = false;
		} else if (r->step == STEP_ANNOUNCE && r->outcome == OUTCOME_DONE) {
			end = r->start_us + r->duration_us;
		}
	}
	return begin && end > begin ? end - begin : 0;
}
