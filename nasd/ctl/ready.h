/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NASD_CTL_READY_H
#define NASD_CTL_READY_H

#include <jansson.h>
#include <stdbool.h>

/* Why this node neither serves the group (of a status) nor could, now; with active:
 * why it does not serve it. NULL: there is no reason. Static text. */
const char *ready_why_not(const json_t *group, bool active);

#endif
