/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What this server knows of its NFSv4.1 clients, written down as fsal/state.h has
 * it. */
#ifndef FSAL_DUMP_H
#define FSAL_DUMP_H

#include "discover.h"
#include "fault.h"
#include "state.h"

/*
 * Fills text (to be freed with state_free, also on failure). The gate is to be
 * drained: then only the reaper could change anything, and the locks that are
 * taken here keep it from that. -ENOTSUP: there is state that the text has no
 * words for (NFSv4.0, delegations, layouts, credentials but AUTH_SYS), or a grace
 * period in which clients have not reclaimed yet: they must reclaim. Locks that
 * wait are none of it: ganesha keeps none for NFSv4, whose clients ask again.
 *
 * since names a text of precopy.h: of a client whose opens and locks are in there as
 * they are now, there is a row "same" instead of them. 0, or one that is not the last:
 * the text has all.
 */
int dump_state(const struct private_parts *parts, uint64_t since, struct state_text *text, struct fault *fault);

#endif
