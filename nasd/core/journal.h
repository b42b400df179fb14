/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the journal's records mean, and where they leave a group.
 *
 *   owner     epoch, owner: from here on the group belongs to that node. On the
 *             source of a switchover this record is the commitment.
 *   begin     epoch, owner = target: a switchover began here as the source
 *   prepared  epoch, owner = source: reserved here as the target
 *   abort     epoch: that transaction is over, nothing has moved. After an owner
 *             record of its own transaction, whose write was said to have failed,
 *             it takes that record back.
 *   intent    epoch, step: the step's effect is about to be tried
 *   active    epoch, boot_id: the service is up here, in this boot
 *   start     boot_id: nasd started
 *
 * A transaction without an owner record did not happen (presumed abort).
 */
#ifndef NASD_CORE_JOURNAL_H
#define NASD_CORE_JOURNAL_H

#include "journal_rec.h"
#include "model.h"

struct journal_state {
	uint64_t epoch;      /* of the current owner; 0: never owned */
	uint64_t max_epoch;  /* the highest seen in any record */
	int owner;
	enum txn_phase phase; /* TXN_SOURCE or TXN_PREPARED while one is open */
	uint64_t txn_epoch;
	int txn_peer;        /* the other side of that transaction */
	enum step_id last_intent; /* in the open transaction */
	char active_boot[JOURNAL_BOOT_ID_LEN]; /* boot in which this epoch's service came up here */
	char owner_boot[JOURNAL_BOOT_ID_LEN];  /* boot in which the owner record was written */
	int64_t owner_wall_us; /* when its first one was, by the wall clock; 0: unknown */
	/* What a commitment replaced, in case its record has to be taken back. */
	struct {
		bool valid;
		uint64_t epoch;
		int owner;
		char active_boot[JOURNAL_BOOT_ID_LEN], owner_boot[JOURNAL_BOOT_ID_LEN];
		int64_t owner_wall_us;
	} before;
};

/* Nothing known: no owner, epoch 0. */
void journal_state_init(struct journal_state *s);

/* Applies one record of this group. Records that say nothing new are no error:
 * the journal is read again after every start. */
void journal_fold(struct journal_state *s, const struct journal_rec *r);

/*
 * The fewest records that fold to the same state, for the journal's compaction:
 * writes at most JOURNAL_SUMMARY_MAX to out and returns how many. seq is the
 * caller's, and so is a wall_us of 0.
 */
enum { JOURNAL_SUMMARY_MAX = 4 };
size_t journal_summary(const struct journal_state *s, const char *group, struct journal_rec *out);

#endif
