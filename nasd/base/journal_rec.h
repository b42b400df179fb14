/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One record of the journal: what nasd writes down before it acts, so that a
 * restarted nasd finds out where it was. What the kinds mean is core's
 * (core/journal.h); wire/journal_line.h turns a record into a line and back.
 */
#ifndef NASD_BASE_JOURNAL_REC_H
#define NASD_BASE_JOURNAL_REC_H

#include <stdint.h>

#include "model.h"

enum { JOURNAL_KIND_LEN = 16, JOURNAL_BOOT_ID_LEN = BOOT_ID_LEN, JOURNAL_TEXT_LEN = 200 };

struct journal_rec {
	uint64_t seq;                       /* 1 and up, grows with each record */
	char kind[JOURNAL_KIND_LEN];        /* [a-z0-9-], never empty */
	char group[NAME_MAX_LEN];           /* empty: about the node */
	uint64_t epoch;
	int owner;                          /* node index or NODE_NONE */
	char step[NAME_MAX_LEN];            /* step name or empty */
	char boot_id[JOURNAL_BOOT_ID_LEN];  /* /proc/sys/kernel/random/boot_id or empty */
	int64_t wall_us;                    /* wall clock, for people */
	char text[JOURNAL_TEXT_LEN];
};

#endif
