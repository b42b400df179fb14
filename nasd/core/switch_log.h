/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of one move: what history, timeline and the operator's live view
 * are made of. Both nodes keep one; each adds the other's reports.
 */
#ifndef NASD_CORE_SWITCH_LOG_H
#define NASD_CORE_SWITCH_LOG_H

#include "model.h"

enum switch_kind { SWITCH_NONE, SWITCH_SWITCHOVER, SWITCH_TAKEOVER, SWITCH_RESUME, SWITCH_RELEASE };
enum switch_result { RESULT_RUNNING, RESULT_DONE, RESULT_REFUSED, RESULT_ROLLED_BACK, RESULT_FAILED };

struct switch_log {
	enum switch_kind kind;
	enum switch_result result;
	uint64_t epoch;
	int source, target;   /* NODE_NONE where there is none */
	int64_t began_us;     /* monotonic, of this node */
	int64_t ended_us;     /* 0 while it runs */
	char requested_by[80];
	struct err error;     /* ERR_NONE when all went well */
	struct step_report steps[STEP_REPORTS_MAX]; /* start_us by this node's clock */
	size_t n_steps;
	bool truncated;       /* more steps ran than there was room for */
};

const char *switch_kind_name(enum switch_kind k);
const char *switch_result_name(enum switch_result r);

void switch_log_begin(struct switch_log *l, enum switch_kind kind, uint64_t epoch, int source, int target,
		      int64_t now_us, const char *requested_by);
/* In the order in which the rows began: the other node's may be heard of late. */
void switch_log_add(struct switch_log *l, const struct step_report *r);

/*
 * The freeze as the servers saw it, microseconds: from the start of the last
 * run of gate (or of address-del, without one; in a takeover from the dead node's
 * last sign of life) to the end of the announce that followed it; 0 when the
 * log holds no such pair. What a guest saw is longer by its own reconnect.
 */
int64_t switch_log_freeze_us(const struct switch_log *l);

#endif
