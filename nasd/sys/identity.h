/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who this nasd is: which boot of which node, and what is new with each start. */
#ifndef NASD_SYS_IDENTITY_H
#define NASD_SYS_IDENTITY_H

#include "conf.h"
#include "err.h"
#include "model.h"

/* The kernel's name for this boot, as text. */
int identity_boot_id(char out[BOOT_ID_LEN], struct err *err);

/*
 * Fills what we introduce ourselves with. The pulse key and session are random:
 * call it once in the life of a process. The key is a secret that only the peer
 * may learn: nothing logs or shows it. self is our index in conf.
 */
int identity_make(const struct conf *conf, int self, struct peer_intro *out, struct err *err);

#endif
