/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every row of the step table, on each of its sides, with every kind of fault:
 * before the commitment the service ends on the source, after it on the target;
 * a step that only lost its answer does not count as failed.
 */
#include "core_suite.h"
#include "scenes.h"

#include <stdio.h>

enum { SOURCE, TARGET, RUN_US = 50000000 };

struct row_case {
	const struct step_row *row;
	int node;
	enum fault_kind kind;
	bool deaf;            /* looking gives no answer either, at first */
};

/* These are in place before they run: asked afterwards the world says so. */
static bool in_place_anyway(enum step_id step)
{
	return step == STEP_WARM || step == STEP_PRESYNC || step == STEP_GATE;
}

/* NODE_NONE: either, as long as the promises hold. */
static int expected(const struct row_case *c)
{
	bool record = c->row->core && c->row->id != STEP_CHECK && c->row->id != STEP_CLIENTS;

	if (c->row->stage > STAGE_COMMITMENT)
		return TARGET;
	if (c->row->id == STEP_COMMIT) {
		/* a sync that failed on a record that is there all the same */
		if (c->node == SOURCE && c->kind == FAULT_UNKNOWN_DONE)
			return NODE_NONE;
		return c->node == TARGET || c->kind == FAULT_STALL ? TARGET : SOURCE;
	}
	if (record && c->kind == FAULT_STALL)
		return TARGET; /* slower, but within what the source waits */
	if (record)
		return SOURCE;
	if (c->row->id == STEP_CHECK && c->kind != FAULT_FAIL) /* facts have no such outcomes, */
		return c->kind == FAULT_STALL ? NODE_NONE : TARGET; /* or the monitor's are in time */
	if (c->kind == FAULT_UNKNOWN_DONE && !c->row->core)
		return TARGET;
	if (c->kind == FAULT_UNKNOWN_NOT && in_place_anyway(c->row->id))
		return TARGET;
	return SOURCE;
}

static bool still_armed(const struct sim *s)
{
	for (size_t i = 0; i < SIM_FAULTS_MAX; i++)
		if (s->faults[i].kind != FAULT_NONE && s->faults[i].kind != FAULT_VERIFY_UNKNOWN)
			return true;
	return false;
}

static void play(const struct row_case *c, uint64_t seed)
{
	struct sim *s = scene_pair(seed, SOURCE);
	int asked, want = expected(c);
	char at[160];

	sim_fault(s, c->node, c->row->id, c->kind);
	if (c->row->id == STEP_CHECK)
		s->faults[0].times = 4; /* what the monitor sees counts as well */
	if (c->deaf)
		sim_fault(s, c->node, c->row->id, FAULT_VERIFY_UNKNOWN);
	asked = sim_request(s, SOURCE, REQUEST_SWITCHOVER, TARGET, false);
	sim_run(s, RUN_US);
	snprintf(at, sizeof(at), "%s on %s: %s%s", step_name(c->row->id), c->node == SOURCE ? "source" : "target",
		 fault_name(c->kind), c->deaf ? ", looking unknown too" : "");
	ck_assert_msg(!s->broken[0], "%s: %s", at, s->broken);
	ck_assert_msg(!still_armed(s) || c->row->id == STEP_CHECK, "%s: the fault has not struck", at);
	ck_assert_msg(sim_active(s) != NODE_NONE, "%s: nobody serves", at);
	ck_assert_msg(want == NODE_NONE || sim_active(s) == want, "%s: ends on %d", at, sim_active(s));
	ck_assert_msg(want != SOURCE || s->n[SOURCE].life > 1 || (s->replies[asked].replies && !s->replies[asked].ok),
		      "%s: rolled back, but the operator was told otherwise", at);
	ck_assert_msg(sim_settle(s), "%s: %s", at, s->broken);
	sim_free(s);
}

static unsigned play_kinds(const struct step_row *row, int node, uint64_t seed)
{
	unsigned n = 0;

	for (enum fault_kind k = FAULT_FAIL; k < FAULT_VERIFY_UNKNOWN; k++) {
		struct row_case c = { row, node, k, false };

		play(&c, seed);
		n++;
		if (row->core || (k != FAULT_UNKNOWN_DONE && k != FAULT_UNKNOWN_NOT))
			continue;
		c.deaf = true;
		play(&c, seed);
		n++;
	}
	return n;
}

START_TEST(every_row_every_fault)
{
	size_t rows;
	const struct step_row *row = step_rows(&rows);
	unsigned n = 0;

	for (size_t i = 0; i < rows; i++)
		for (int node = SOURCE; node <= TARGET; node++)
			if (row[i].deadline_ms &&
			    (row[i].side == SIDE_BOTH || (row[i].side == SIDE_TARGET) == (node == TARGET)))
				for (uint64_t seed = 1; seed <= 3; seed++)
					n += play_kinds(&row[i], node, seed);
	printf("step table: %u faults at %zu rows\n", n, rows);
}
END_TEST

/* The same rows in a roll-back: what undoes the release must get there too. */
START_TEST(every_row_of_a_roll_back)
{
	static const enum step_id undo[] = { STEP_DRBD_PRIMARY, STEP_MOUNT, STEP_EXPORT, STEP_ADDRESS_ADD,
					     STEP_ANNOUNCE, STEP_CONFIRM };
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(undo) / sizeof(undo[0]); i++)
		for (enum fault_kind k = FAULT_FAIL; k <= FAULT_VERIFY_UNKNOWN; k++, n++) {
			struct sim *s = scene_pair(i + 1, SOURCE);

			sim_fault(s, SOURCE, STEP_DRBD_SECONDARY, FAULT_FAIL);
			sim_fault(s, SOURCE, undo[i], k);
			sim_request(s, SOURCE, REQUEST_SWITCHOVER, TARGET, false);
			sim_run(s, RUN_US);
			ck_assert_msg(sim_settle(s), "%s: %s: %s", step_name(undo[i]), fault_name(k), s->broken);
			ck_assert_int_eq(sim_active(s), SOURCE);
			ck_assert(!s->replies[0].ok);
			sim_free(s);
		}
	printf("roll-back: %u faults\n", n);
}
END_TEST

/* Programs that must get there are tried again, later each time, not in a loop. */
START_TEST(a_step_that_keeps_failing)
{
	struct sim *s = scene_pair(7, SOURCE);
	uint64_t before = s->events;
	struct sim_fault *f = sim_fault(s, TARGET, STEP_MOUNT, FAULT_FAIL);

	f->times = 1000;
	sim_request(s, SOURCE, REQUEST_SWITCHOVER, TARGET, false);
	sim_run(s, 120000000);
	ck_assert_str_eq(s->broken, "");
	ck_assert_int_eq(sim_state(s, TARGET), GS_ACTIVATING);
	ck_assert_uint_gt(1000 - f->times, 20);
	ck_assert_uint_lt(1000 - f->times, 60);
	ck_assert_uint_lt(s->events - before, 4000);
	ck_assert_uint_eq(s->replies[0].replies, 1);
	ck_assert(!s->replies[0].ok);
	ck_assert_msg(sim_settle(s), "%s", s->broken);
	ck_assert_int_eq(sim_active(s), TARGET);
	sim_free(s);
}
END_TEST

/* A program that is given up while its step is in the lane: its late answer is
 * not taken for that of the next one. */
START_TEST(late_answer)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct sim *s = scene_pair(seed, SOURCE);

		sim_fault(s, TARGET, STEP_REWARM, FAULT_STALL);
		sim_server_dies(s, TARGET); /* REWARM is in the lane from now */
		sim_run(s, (int64_t)prng_range(&s->r, 0, 3000000));
		sim_request(s, SOURCE, REQUEST_SWITCHOVER, TARGET, false);
		sim_run(s, 60000000);
		ck_assert_msg(sim_settle(s), "seed %d: %s", (int)seed, s->broken);
		sim_free(s);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-table");
	TCase *tc = core_case(suite, "table");

	tcase_add_test(tc, every_row_every_fault);
	tcase_add_test(tc, every_row_of_a_roll_back);
	tcase_add_test(tc, a_step_that_keeps_failing);
	tcase_add_test(tc, late_answer);
	return core_suite_run(suite);
}
