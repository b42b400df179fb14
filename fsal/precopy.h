/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The clients' opens and locks, dumped while requests run, and remembered by a sum
 * per client: a dump behind the gate need not repeat those of a client whose sum is
 * still the same.
 */
#ifndef FSAL_PRECOPY_H
#define FSAL_PRECOPY_H

#include "discover.h"
#include "fault.h"
#include "ganesha_api.h"
#include "state.h"

/*
 * Fills text (to be freed with state_free, also on failure) with client, open and
 * lock rows. What changes meanwhile may be in it half; its sum tells. A client
 * waits for us for some hundred of his states at most. *base names this text from
 * then on; an earlier one is forgotten. Fails as dump does, and with -EBUSY.
 */
int precopy_dump(const struct private_parts *parts, struct state_text *text, uint64_t *base,
		 struct fault *fault);

/* Whether that is the last text's name. */
bool precopy_is(uint64_t base);

/*
 * Whether a client's opens and locks are in it as they are now; how many is added to
 * counts. The gate is drained, and the caller has the client's mutex.
 */
bool precopy_same(nfs_client_id_t *c, struct state_counts *counts);

#endif
