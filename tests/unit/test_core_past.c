/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages and answers that come too late. */
#include "core_suite.h"
#include "scenes.h"

#include <stdlib.h>
#include <string.h>

static struct sim *s;

static void inject(int to, enum msg_type type, uint64_t epoch)
{
	struct peer_msg m = { .type = type, .group = "vmstore", .epoch = epoch };

	if (!s->n[to].core)
		return;
	/* the link keeps the order: a HELLO from before a PREPARE comes before it */
	if (type == MSG_HELLO && sim_state(s, to) == GS_PREPARED)
		return;
	if (type == MSG_HELLO) {
		m.u.hello.epoch = m.u.hello.max_epoch = epoch;
		m.u.hello.owner = 1 - to;
	}
	group_message(s->n[to].core, s->now, &m);
	sim_drain(s, to);
}

START_TEST(the_past_cannot_speak)
{
	static const enum msg_type types[] = { MSG_COMMIT, MSG_ABORT, MSG_PREPARE, MSG_PREPARED, MSG_REFUSED, MSG_DONE,
					       MSG_CLAIM, MSG_CLAIMED, MSG_HELLO, MSG_REPLY };

	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct sim_reply *r;

		s = scene_pair(seed, 0);
		sim_request(s, 0, REQUEST_SWITCHOVER, 1, false); /* epoch 2 */
		sim_run(s, 4000000);
		r = &s->replies[sim_request(s, 1, REQUEST_SWITCHOVER, 0, false)]; /* epoch 3 */
		for (int i = 0; i < 12; i++) {
			sim_run(s, (int64_t)prng_below(&s->r, 150000));
			inject((int)prng_below(&s->r, 2), types[prng_below(&s->r, sizeof(types) / sizeof(types[0]))],
			       prng_below(&s->r, 2));
			ck_assert_msg(!s->broken[0], "seed %d: %s", (int)seed, s->broken);
		}
		sim_run(s, 4000000);
		ck_assert_msg(r->replies == 1 && r->ok, "seed %d: %d replies, %s: %s", (int)seed, r->replies, r->err.where, r->err.msg);
		ck_assert_msg(sim_settle(s), "seed %d: %s", (int)seed, s->broken);
		ck_assert_int_eq(sim_active(s), 0);
		sim_free(s);
	}
}
END_TEST

static void answer(struct group_core *g, enum step_id step, enum step_op op, enum outcome o)
{
	struct step_report r = { .step = step, .outcome = o };
	struct err e = { .cls = ERR_NONE };

	group_step_done(g, 1000000, &r, op, &e);
}

/* Takes all actions; returns the last step that was to run. */
static enum step_id last_run(struct group_core *g)
{
	struct action *a = malloc(sizeof(*a));
	enum step_id step = STEP_NONE;

	while (group_next_action(g, a))
		if (a->type == ACT_RUN)
			step = a->u.run.step;
	free(a);
	return step;
}

/* Three programs, of which two were given up with a step in the lane: the first
 * answer is not the third's, though it looks like it. */
START_TEST(answers_are_counted)
{
	struct group_config cfg = { .name = "vmstore", .node_names = { "nas1", "nas2" }, .boot_id = "b",
				    .monitor_us = 2000000 };
	struct journal_state j;
	struct peer_msg m = { .type = MSG_PREPARE, .epoch = 3 };
	struct group_core *g = group_new(&cfg);
	struct group_view v;

	journal_state_init(&j);
	group_start(g, 1000000, &j);
	ck_assert_int_eq(last_run(g), STEP_REWARM);
	group_peer_up(g, 1000000, true, true);
	group_message(g, 1000000, &m);
	ck_assert_int_eq(last_run(g), STEP_WARM);
	m.type = MSG_ABORT;
	group_message(g, 1000000, &m);
	ck_assert_int_eq(last_run(g), STEP_REWARM);
	answer(g, STEP_REWARM, OP_VERIFY, OUTCOME_DONE);
	answer(g, STEP_WARM, OP_RUN, OUTCOME_DONE);
	group_look(g, &v);
	ck_assert_int_eq(v.step, STEP_REWARM);
	answer(g, STEP_REWARM, OP_VERIFY, OUTCOME_DONE);
	group_look(g, &v);
	ck_assert_int_eq(v.step, STEP_NONE);
	group_free(g);
}
END_TEST

/* The peer asks for what it is owed while the record of it is being written,
 * and that fails: it is told when the record is there. */
START_TEST(owed_before_it_is_written)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		s = scene_pair(seed, NODE_NONE);
		sim_fault(s, 1, STEP_COMMIT, FAULT_STALL);
		sim_request(s, 0, REQUEST_TAKEOVER, 0, false);
		sim_run(s, 5200000); /* node 0 has given up waiting */
		ck_assert_int_eq(sim_state(s, 0), GS_STANDBY);
		s->n[1].bad_writes = 2;
		sim_run(s, 10000000);
		ck_assert_int_eq(sim_active(s), 0);
		ck_assert_msg(sim_settle(s), "seed %d: %s", (int)seed, s->broken);
		sim_free(s);
	}
}
END_TEST

/* The peer says what it has not got while this node claims the group back. */
START_TEST(owed_during_a_claim)
{
	struct journal_state j;

	for (uint64_t seed = 1; seed <= 300; seed++) {
		s = scene_pair(seed, 1);
		s->link.delay_max = 60000;
		sim_request(s, 1, REQUEST_SWITCHOVER, 0, false);
		do {
			ck_assert(sim_step(s));
			sim_fold(s, 1, &j);
		} while (j.owner != 0);
		sim_kill_now(s, 1, true, true);
		sim_run(s, 1000000);
		sim_start(s, 1);
		while (!s->link.up[1] || sim_state(s, 1) != GS_STANDBY)
			ck_assert(sim_step(s));
		sim_run(s, (int64_t)prng_below(&s->r, 100000));
		sim_request(s, 1, REQUEST_TAKEOVER, 1, false);
		sim_run(s, 8000000);
		ck_assert_msg(sim_settle(s), "seed %d: %s", (int)seed, s->broken);
		sim_free(s);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-past");
	TCase *tc = core_case(suite, "past");

	tcase_add_test(tc, the_past_cannot_speak);
	tcase_add_test(tc, answers_are_counted);
	tcase_add_test(tc, owed_before_it_is_written);
	tcase_add_test(tc, owed_during_a_claim);
	return core_suite_run(suite);
}
