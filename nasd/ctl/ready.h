/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NASD_CTL_READY_H
#define NASD_CTL_READY_H

#include <jansson.h>
#include <stdbool.h>

/* Why this node neither serves the group (of a status) nor could, now; with active:
 * why it does not serve it. NULL: there is no reason. Static text. */
const char *ready_why_not(const json_t *group, bool active);

/* For Pacemaker's agent. The state of the group here, or "failing": it cannot be got up,
 * and that is tried again and again. How much this node is to be preferred for serving
 * it; -1: it must not serve. The role is valid as long as the group. */
const char *ready_role(const json_t *group);
int ready_score(const json_t *group);

#endif
