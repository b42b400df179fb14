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

#endif
