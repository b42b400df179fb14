/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What records mean; a summary means the same. */
#include "core_suite.h"
#include "scenes.h"

#include <stdio.h>
#include <string.h>

enum { A, B };

static struct journal_state st;

static void rec_in_boot(const char *kind, uint64_t epoch, int owner, const char *boot)
{
	struct journal_rec r = { .epoch = epoch, .owner = owner, .wall_us = 1000 * (int64_t)epoch };

	snprintf(r.kind, sizeof(r.kind), "%s", kind);
	snprintf(r.boot_id, sizeof(r.boot_id), "%s", boot);
	journal_fold(&st, &r);
}

static void rec(const char *kind, uint64_t epoch, int owner)
{
	rec_in_boot(kind, epoch, owner, "boot");
}

static void is(uint64_t epoch, int owner, enum txn_phase phase, uint64_t max)
{
	ck_assert_uint_eq(st.epoch, epoch);
	ck_assert_int_eq(st.owner, owner);
	ck_assert_int_eq(st.phase, phase);
	ck_assert_uint_eq(st.max_epoch, max);
}

START_TEST(a_switchover)
{
	journal_state_init(&st);
	is(0, NODE_NONE, TXN_NONE, 0);
	rec("owner", 2, A);
	rec("active", 2, A);
	is(2, A, TXN_NONE, 2);
	ck_assert_str_eq(st.active_boot, "boot");
	rec("begin", 4, B);
	is(2, A, TXN_SOURCE, 4);
	rec("intent", 4, A);
	rec("owner", 4, B);
	is(4, B, TXN_NONE, 4);
	ck_assert_str_eq(st.active_boot, "");
}
END_TEST

START_TEST(the_target)
{
	journal_state_init(&st);
	rec("owner", 2, A);
	rec("prepared", 4, A);
	is(2, A, TXN_PREPARED, 4);
	rec("abort", 3, NODE_NONE); /* another one */
	is(2, A, TXN_PREPARED, 4);
	rec("abort", 4, NODE_NONE);
	is(2, A, TXN_NONE, 4);
	rec("prepared", 6, A);
	rec("owner", 6, B);
	is(6, B, TXN_NONE, 6);
	rec("owner", 4, A); /* the past */
	is(6, B, TXN_NONE, 6);
}
END_TEST

START_TEST(a_commitment_taken_back)
{
	journal_state_init(&st);
	rec_in_boot("owner", 2, A, "first");
	rec_in_boot("active", 2, A, "first");
	rec("begin", 4, B);
	rec("owner", 4, B); /* said to have failed; it is there all the same */
	rec("abort", 4, NODE_NONE);
	is(2, A, TXN_NONE, 4);
	ck_assert_str_eq(st.active_boot, "first");
	ck_assert_str_eq(st.owner_boot, "first");
	ck_assert_int_eq(st.owner_wall_us, 2000);
	rec("abort", 4, NODE_NONE); /* once is enough */
	is(2, A, TXN_NONE, 4);
}
END_TEST

START_TEST(an_abort_takes_back_nothing_else)
{
	journal_state_init(&st);
	rec("owner", 2, A);
	rec("owner", 4, B);
	rec("abort", 4, NODE_NONE);
	is(4, B, TXN_NONE, 4);
	rec("begin", 6, A);
	rec("owner", 6, A);
	rec("owner", 9, B);
	rec("abort", 6, NODE_NONE);
	is(9, B, TXN_NONE, 9);
}
END_TEST

static void same(const struct journal_state *a, const struct journal_state *b)
{
	ck_assert_uint_eq(a->epoch, b->epoch);
	ck_assert_uint_eq(a->max_epoch, b->max_epoch);
	ck_assert_int_eq(a->owner, b->owner);
	ck_assert_int_eq(a->phase, b->phase);
	ck_assert_uint_eq(a->txn_epoch, b->txn_epoch);
	ck_assert_int_eq(a->txn_peer, b->txn_peer);
	ck_assert_str_eq(a->active_boot, b->active_boot);
	ck_assert_str_eq(a->owner_boot, b->owner_boot);
	ck_assert_int_eq(a->owner_wall_us, b->owner_wall_us);
}

static void round_trip(const struct journal_state *before)
{
	struct journal_rec out[JOURNAL_SUMMARY_MAX];
	struct journal_state after;
	size_t n = journal_summary(before, "vmstore", out);

	ck_assert_uint_le(n, JOURNAL_SUMMARY_MAX);
	journal_state_init(&after);
	for (size_t i = 0; i < n; i++) {
		ck_assert_str_eq(out[i].group, "vmstore");
		journal_fold(&after, &out[i]);
	}
	same(before, &after);
}

/* Every prefix of journals that real runs have left. */
START_TEST(summary_means_the_same)
{
	struct scene_tally t = { 0 };
	unsigned n = 0;

	for (uint64_t seed = 1; seed <= 150; seed++) {
		struct sim *s;

		ck_assert_msg(scene_random(seed, &s, &t), "%s", s->broken);
		for (int node = 0; node < 2; node++) {
			journal_state_init(&st);
			for (size_t i = 0; i < s->n[node].n_disk; i++, n++) {
				journal_fold(&st, &s->n[node].disk[i]);
				round_trip(&st);
			}
		}
		sim_free(s);
	}
	printf("journal: %u states summarized\n", n);
	ck_assert_uint_gt(n, 1000);
}
END_TEST

static void logged(struct switch_log *l, enum step_id step, int64_t start, bool skipped, enum outcome o)
{
	switch_log_add(l, &(struct step_report){ .step = step, .start_us = start, .duration_us = 10,
						 .skipped = skipped, .outcome = o });
}

START_TEST(freeze_of_a_log)
{
	struct switch_log l = { 0 };

	logged(&l, STEP_ADDRESS_DEL, 100, false, OUTCOME_DONE);
	ck_assert_int_eq(switch_log_freeze_us(&l), 0); /* not over */
	logged(&l, STEP_ANNOUNCE, 200, false, OUTCOME_DONE);
	ck_assert_int_eq(switch_log_freeze_us(&l), 110);
	logged(&l, STEP_GATE, 300, false, OUTCOME_DONE);
	logged(&l, STEP_ADDRESS_DEL, 350, false, OUTCOME_DONE);
	logged(&l, STEP_ANNOUNCE, 400, false, OUTCOME_DONE);
	ck_assert_int_eq(switch_log_freeze_us(&l), 110);
	/* what a roll-back finds in place is no beginning */
	logged(&l, STEP_ADDRESS_DEL, 500, true, OUTCOME_DONE);
	ck_assert_int_eq(switch_log_freeze_us(&l), 110);
	logged(&l, STEP_GATE, 600, false, OUTCOME_FAILED);
	logged(&l, STEP_ADDRESS_DEL, 650, false, OUTCOME_DONE);
	logged(&l, STEP_ANNOUNCE, 700, false, OUTCOME_DONE);
	ck_assert_int_eq(switch_log_freeze_us(&l), 60);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-journal");
	TCase *tc = core_case(suite, "journal");

	tcase_add_test(tc, a_switchover);
	tcase_add_test(tc, the_target);
	tcase_add_test(tc, a_commitment_taken_back);
	tcase_add_test(tc, an_abort_takes_back_nothing_else);
	tcase_add_test(tc, summary_means_the_same);
	tcase_add_test(tc, freeze_of_a_log);
	return core_suite_run(suite);
}
