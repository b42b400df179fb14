/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Split brain: both copies were written to while they did not replicate, and DRBD
 * does not connect them again by itself. Nothing here resolves it; an operator
 * chooses whose changes are lost.
 */
#ifndef NASD_CORE_SPLIT_H
#define NASD_CORE_SPLIT_H

#include "model.h"

/*
 * Whether the facts of both nodes (NULL or not valid: not known) say so. DRBD 8.4
 * tells of each copy whether it was changed alone; of DRBD 9, which does not, two
 * nodes that have both given up connecting count.
 */
bool split_brain(const struct facts *a, const struct facts *b);

/* Whether this copy no longer follows the other one, nor will by itself. */
bool split_stands_alone(const struct facts *f);

#endif
