/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The write verifier (RFC 8881, 18.32.3): a client that finds it changed writes
 * again what it has not committed. ganesha's own is made of the second in which
 * the server began, which two nodes may have in common. Ours is random, a new one
 * in each process, and goes with the clients in a planned move: what the source
 * had in its cache is on the disk by then, because it has unmounted.
 */
#ifndef FSAL_VERIFIER_H
#define FSAL_VERIFIER_H

#include "fault.h"
#include "ganesha_api.h"

/* Before the first export; again is nothing. */
int verifier_init(struct fault *fault);

/* Has an export of the FSAL below answer with it. */
void verifier_install(struct fsal_export *export);

void verifier_get(unsigned char out[NFS4_VERIFIER_SIZE]);
void verifier_set(const unsigned char verifier[NFS4_VERIFIER_SIZE]);

#endif
