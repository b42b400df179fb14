/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the configuration's fence devices to a plan that fence/agent.h runs. */
#ifndef NASD_SYS_FENCE_PLAN_H
#define NASD_SYS_FENCE_PLAN_H

#include "agent_run.h"
#include "conf.h"
#include "err.h"

/*
 * The plan for fencing nodes[node]: its devices by level, within a level in the
 * file's order; a total limit within which every level gets its turn even when
 * each call has to be killed. The delays are 0: the core has waited before it
 * asks. 0; -ENOENT when the node has no device, or another negative errno, with
 * err filled (ERR_REFUSED with a remedy).
 */
int fence_plan_of(const struct conf *c, int node, struct fence_plan *out, struct err *err);

/*
 * What Pacemaker's agent has to know: a fencing before the peer's last sign of life is no
 * proof. Pacemaker tells it by the wall clock; with one that was set back none is. Watch is
 * called whenever the peer comes or goes, so between any fencing of it and its return.
 * Times in microseconds; heard_us, as mono_us, of the monotonic clock, -1: never heard.
 */
struct fence_since {
	int64_t lead_us; /* of the wall clock over the monotonic one, at most; all zero at first */
	bool set_back;
};
void fence_since_watch(struct fence_since *s, int64_t wall_us, int64_t mono_us);
void fence_since_tell(struct fence_since *s, struct fence_device *d, int64_t wall_us, int64_t mono_us, int64_t heard_us);

#endif
