/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves, takeovers and requests, as operators see them. */
#include "core_suite.h"
#include "scenes.h"

#include <stdio.h>
#include <string.h>

static struct sim *s;

static void pair(uint64_t seed, int owner)
{
	s = scene_pair(seed, owner);
	ck_assert_str_eq(s->broken, "");
}

static void answered(const struct sim_reply *r, bool ok)
{
	ck_assert_uint_eq(r->replies, 1);
	ck_assert_msg(r->ok == ok, "%s: %s", r->err.where, r->err.msg);
}

static void run_ms(int64_t ms)
{
	ck_assert_msg(sim_run(s, ms * 1000), "%s", s->broken);
}

START_TEST(there_and_back)
{
	uint64_t epoch = 1;

	pair(1, 0);
	for (int i = 0; i < 10; i++) {
		int target = 1 - i % 2;
		const struct sim_reply *r = core_ask(s, i % 3 ? 1 - target : target, REQUEST_SWITCHOVER, target, false);
		unsigned finished[2] = { s->n[0].finished, s->n[1].finished };
		struct group_view v;

		run_ms(4000);
		answered(r, true);
		ck_assert_int_eq(sim_active(s), target);
		for (int n = 0; n < 2; n++) {
			group_look(s->n[n].core, &v);
			ck_assert_uint_gt(v.epoch, epoch);
			ck_assert_int_eq(v.log->result, RESULT_DONE);
			ck_assert_int_eq(v.log->target, target);
			ck_assert(!v.log->truncated);
			ck_assert_int_gt(switch_log_freeze_us(v.log), 0);
			/* once, or twice: provisionally before the server is warm */
			ck_assert_uint_ge(s->n[n].finished, finished[n] + 1);
			ck_assert_uint_le(s->n[n].finished, finished[n] + 2);
		}
		epoch = v.epoch;
	}
	core_rest(s, 0);
}
END_TEST

START_TEST(refused_for_what_it_is)
{
	pair(2, 0);
	answered(core_ask(s, 0, REQUEST_SWITCHOVER, 0, false), true); /* already there */
	answered(core_ask(s, 1, REQUEST_SWITCHOVER, 0, false), true);
	answered(core_ask(s, 0, REQUEST_TAKEOVER, 0, false), true);
	answered(core_ask(s, 1, REQUEST_TAKEOVER, 1, false), false);  /* the peer serves */
	answered(core_ask(s, 1, REQUEST_TAKEOVER, 1, true), false);   /* the peer lives */
	core_rest(s, 0);
}
END_TEST

START_TEST(one_at_a_time)
{
	const struct sim_reply *first;

	pair(3, 0);
	sim_fault(s, 1, STEP_CONFIRM, FAULT_STALL);
	first = core_ask(s, 0, REQUEST_SWITCHOVER, 1, false);
	answered(core_ask(s, 0, REQUEST_SWITCHOVER, 1, false), false);
	run_ms(1500);
	ck_assert_int_eq(sim_state(s, 1), GS_ACTIVE); /* being confirmed */
	ck_assert_uint_eq(first->replies, 0);
	answered(core_ask(s, 0, REQUEST_SWITCHOVER, 0, false), false);
	sim_request(s, 1, REQUEST_SWITCHOVER, 0, false);
	run_ms(1500);
	answered(&s->replies[s->n_replies - 1], false);
	ck_assert_ptr_nonnull(strstr(s->replies[s->n_replies - 1].err.msg, "confirmed"));
	run_ms(15000);
	answered(first, true);
	core_rest(s, 1);
}
END_TEST

START_TEST(check_answers_with_findings)
{
	const struct sim_reply *r;

	pair(4, 0);
	r = core_ask(s, 1, REQUEST_CHECK, 1, false);
	run_ms(2000);
	answered(r, true);
	ck_assert_uint_gt(r->n_findings, 10);
	sim_cut(s, false);
	run_ms(2000);
	r = core_ask(s, 0, REQUEST_CHECK, 1, false);
	run_ms(5000);
	answered(r, false);
	ck_assert_str_eq(r->err.where, "peer-connected");
	core_rest(s, 0);
}
END_TEST

START_TEST(peer_does_not_answer)
{
	const struct sim_reply *r;

	pair(5, 0);
	sim_fault(s, 1, STEP_CHECK, FAULT_STALL);
	s->n[1].facts_due[FACTS_MONITOR] = s->now + 20000000; /* nor does its monitor */
	r = core_ask(s, 0, REQUEST_SWITCHOVER, 1, false);
	run_ms(4500);
	if (!r->ok && r->replies)
		ck_assert_int_eq(sim_active(s), 0);
	run_ms(10000);
	ck_assert_uint_eq(r->replies, 1);
	core_rest(s, r->ok ? 1 : 0);
}
END_TEST

/* ---- a group that nobody owns */

START_TEST(unowned)
{
	pair(6, NODE_NONE);
	ck_assert_int_eq(sim_active(s), NODE_NONE);
	answered(core_ask(s, 0, REQUEST_SWITCHOVER, 1, false), false);
	answered(core_ask(s, 0, REQUEST_TAKEOVER, 0, true), false); /* the peer lives */
	core_ask(s, 0, REQUEST_TAKEOVER, 1, false); /* forwarded */
	run_ms(3000);
	answered(&s->replies[2], true);
	core_rest(s, 1);
}
END_TEST

START_TEST(unowned_claimed_by_both)
{
	unsigned won[2] = { 0, 0 };

	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct sim_reply *r[2];

		pair(seed, NODE_NONE);
		r[0] = core_ask(s, 0, REQUEST_TAKEOVER, 0, false);
		sim_run(s, (int64_t)prng_below(&s->r, 3000));
		r[1] = core_ask(s, 1, REQUEST_TAKEOVER, 1, false);
		run_ms(8000);
		ck_assert_uint_eq(r[0]->replies, 1);
		ck_assert_uint_eq(r[1]->replies, 1);
		ck_assert_msg(r[0]->ok != r[1]->ok, "seed %d: %d %d", (int)seed, r[0]->ok, r[1]->ok);
		won[r[1]->ok]++;
		core_rest(s, r[0]->ok ? 0 : 1);
	}
	ck_assert_uint_gt(won[0], 0);
	printf("claimed by both: node 0 got it %u times, node 1 %u times\n", won[0], won[1]);
}
END_TEST

/* ---- takeover and proof */

START_TEST(silence_is_no_proof)
{
	pair(7, 0);
	sim_cut(s, true);
	run_ms(2000);
	answered(core_ask(s, 1, REQUEST_TAKEOVER, 1, false), false);
	ck_assert_ptr_nonnull(strstr(s->replies[0].err.remedy, "--peer-confirmed-dead"));
	answered(core_ask(s, 1, REQUEST_SWITCHOVER, 1, false), false);
	run_ms(60000);
	ck_assert_int_eq(sim_state(s, 1), GS_STANDBY);
	ck_assert(!world_serves(&s->w, 1));
	core_rest(s, 0);
}
END_TEST

START_TEST(operators_word)
{
	struct sim_reply *r;

	pair(8, 0);
	sim_kill_now(s, 0, true, true);
	run_ms(2000);
	answered(core_ask(s, 1, REQUEST_TAKEOVER, 1, false), false);
	r = core_ask(s, 1, REQUEST_TAKEOVER, 1, true);
	run_ms(2000);
	answered(r, true);
	ck_assert_int_eq(sim_active(s), 1);
	sim_start(s, 0); /* back with the old epoch */
	run_ms(5000);
	ck_assert_int_eq(sim_state(s, 0), GS_STANDBY);
	r = core_ask(s, 0, REQUEST_SWITCHOVER, 0, false);
	run_ms(4000);
	answered(r, true);
	core_rest(s, 0);
}
END_TEST

START_TEST(rebooted_owner_waits)
{
	pair(9, 0);
	sim_kill_now(s, 1, true, true);
	sim_kill_now(s, 0, true, true);
	sim_start(s, 0);
	run_ms(60000);
	ck_assert_int_eq(sim_state(s, 0), GS_STANDBY); /* the peer may have taken over */
	answered(core_ask(s, 0, REQUEST_TAKEOVER, 0, false), false);
	core_ask(s, 0, REQUEST_TAKEOVER, 0, true);
	run_ms(2000);
	ck_assert_int_eq(sim_active(s), 0);
	core_rest(s, 0);
}
END_TEST

START_TEST(restarted_nasd_does_not_wait)
{
	pair(10, 0);
	sim_kill_now(s, 1, true, true);
	sim_kill_now(s, 0, false, true);
	sim_start(s, 0);
	run_ms(2000);
	ck_assert_int_eq(sim_active(s), 0);
	core_rest(s, 0);
}
END_TEST

/* The operator was wrong: the old owner was cut off, not dead. What the core can
 * do is to stand down at the first word of the newer epoch, and it must. */
START_TEST(zombie_stands_down)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		pair(seed, 0);
		s->n[0].cause = s->w.d.lies = true;
		sim_cut(s, true);
		run_ms(2000);
		core_ask(s, 1, REQUEST_TAKEOVER, 1, true);
		run_ms(2000);
		ck_assert_int_eq(sim_active(s) >= 0, 1);
		sim_heal(s);
		run_ms(3000);
		ck_assert(!world_serves(&s->w, 0));
		s->n[0].cause = false;
		core_rest(s, 1);
	}
}
END_TEST

/* The old owner has not stood down yet when the new one is back from a reboot. */
START_TEST(resume_waits_for_the_zombie)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		pair(seed, 0);
		s->n[0].cause = s->n[1].cause = s->w.d.lies = true;
		sim_cut(s, true);
		run_ms(2000);
		core_ask(s, 1, REQUEST_TAKEOVER, 1, true);
		run_ms(2000);
		sim_kill_now(s, 1, true, true);
		run_ms(1500);
		s->n[0].cause = false; /* from here on only one writes */
		s->step_us = 800000;
		sim_heal(s);
		sim_start(s, 1);
		run_ms(20000);
		core_rest(s, 1);
	}
}
END_TEST

/* By its journal the group is the peer's, but the service is here all the same. */
START_TEST(stands_down_before_it_gives)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct journal_rec r = { .kind = "owner", .epoch = 4, .owner = 1 };

		pair(seed, 0);
		sim_kill_now(s, 0, false, true);
		sim_record_durable(s, 0, &r);
		s->step_us = 800000;
		sim_start(s, 0);
		run_ms(20000);
		core_rest(s, 1);
	}
}
END_TEST

/* A standby on which somebody plays with DRBD by hand: the owner that comes
 * back waits, and goes on when the standby is free again. */
START_TEST(resume_waits_for_a_free_standby)
{
	pair(16, 0);
	sim_kill_now(s, 0, true, true);
	s->w.d.e[1].primary = true;
	run_ms(5000);
	sim_start(s, 0);
	run_ms(5000);
	ck_assert_int_eq(sim_state(s, 0), GS_STANDBY);
	s->w.d.e[1].primary = false;
	run_ms(5000);
	ck_assert_int_eq(sim_active(s), 0);
	core_rest(s, 0);
}
END_TEST

/* The link goes while the commitment is being written: forward. */
START_TEST(committed_while_the_link_is_lost)
{
	for (int forwarded = 0; forwarded < 2; forwarded++) {
		struct sim_reply *r;

		pair(17, 0);
		sim_fault(s, 0, STEP_COMMIT, FAULT_STALL);
		r = core_ask(s, forwarded, REQUEST_SWITCHOVER, 1, false);
		while (s->n[0].journal_fault != FAULT_STALL)
			ck_assert(sim_step(s));
		sim_cut(s, false);
		run_ms(8000);
		ck_assert_int_eq(sim_state(s, 0), GS_STANDBY);
		ck_assert_uint_eq(r->replies, (unsigned)forwarded); /* who asked on the standby knows already */
		sim_heal(s);
		run_ms(3000);
		ck_assert_int_eq(sim_active(s), 1);
		answered(r, !forwarded);
		core_rest(s, 1);
	}
}
END_TEST

START_TEST(source_dies_for_good)
{
	struct sim_reply *r;

	pair(11, 0);
	sim_fault(s, 0, STEP_PRESYNC, FAULT_STALL);
	core_ask(s, 0, REQUEST_SWITCHOVER, 1, false);
	run_ms(3000);
	ck_assert_int_eq(sim_state(s, 1), GS_PREPARED);
	sim_kill_now(s, 0, true, true);
	run_ms(60000);
	ck_assert_int_eq(sim_state(s, 1), GS_PREPARED); /* not on its own */
	sim_kill_now(s, 1, false, true);
	sim_start(s, 1);
	run_ms(5000);
	ck_assert_int_eq(sim_state(s, 1), GS_PREPARED);
	answered(core_ask(s, 1, REQUEST_TAKEOVER, 1, false), false);
	r = core_ask(s, 1, REQUEST_TAKEOVER, 1, true);
	run_ms(3000);
	answered(r, true);
	ck_assert_int_eq(sim_active(s), 1);
	core_rest(s, 1);
}
END_TEST

/* ---- answers, whatever hangs */

START_TEST(a_hung_step_is_answered_for)
{
	struct sim_reply *r;

	for (int forwarded = 0; forwarded < 2; forwarded++) {
		pair(12, 0);
		r = core_ask(s, forwarded, REQUEST_SWITCHOVER, 1, false);
		while (!s->n[0].n_lane || s->n[0].lane[0].step != STEP_UNMOUNT)
			ck_assert(sim_step(s));
		s->n[0].lane[0].end += 100000000; /* umount hangs */
		run_ms(34000);
		answered(r, false);
		ck_assert_int_eq(sim_state(s, 0), GS_SWITCHING);
		run_ms(90000);
		core_rest(s, 0); /* it came back too late: rolled back */
	}
}
END_TEST

/* Slower than the guest may be frozen, though no step is overdue. */
START_TEST(too_long_a_freeze)
{
	struct sim_reply *r;

	pair(14, 0);
	r = core_ask(s, 0, REQUEST_SWITCHOVER, 1, false);
	while (!s->n[0].n_lane || s->n[0].lane[0].step != STEP_UNMOUNT)
		ck_assert(sim_step(s));
	s->n[0].lane[0].end += SIM_FREEZE_US + 500000;
	run_ms(15000);
	answered(r, false);
	ck_assert_str_eq(r->err.where, "freeze");
	core_rest(s, 0);
}
END_TEST

/* Two operators' words, neither node having heard of the other's epoch: the
 * second was wrong, but the numbers still tell whose the group is. */
START_TEST(epochs_tell_two_words_apart)
{
	for (int first = 0; first < 2; first++) {
		uint64_t epoch[2];
		struct group_view v;

		pair(15, first);
		s->n[0].cause = s->n[1].cause = s->w.d.lies = true;
		for (int i = 0; i < 2; i++) {
			int node = i ? first : 1 - first;

			sim_kill_now(s, 1 - node, true, true);
			sim_start(s, node);
			run_ms(1000);
			s->n[node].cause = true;
			core_ask(s, node, REQUEST_TAKEOVER, node, true);
			run_ms(2000);
			ck_assert_int_eq(sim_active(s), node);
			group_look(s->n[node].core, &v);
			epoch[i] = v.epoch;
		}
		ck_assert_uint_ne(epoch[0], epoch[1]);
		sim_start(s, 1 - first);
		run_ms(5000);
		s->n[0].cause = s->n[1].cause = false;
		core_rest(s, epoch[0] > epoch[1] ? 1 - first : first);
	}
}
END_TEST

START_TEST(server_deaths)
{
	pair(13, 0);
	for (int i = 0; i < 10; i++) {
		sim_server_dies(s, i % 2);
		run_ms(6000);
		ck_assert_int_eq(sim_active(s), 0);
		ck_assert_int_eq(s->w.m[1].server, SERVER_WARM);
	}
	core_rest(s, 0);
}
END_TEST

/* Who asked on the standby is told at once that the link is lost, not at the end. */
START_TEST(forwarded_and_cut)
{
	struct sim_reply *r;

	pair(18, 0);
	r = core_ask(s, 1, REQUEST_SWITCHOVER, 1, false);
	run_ms(50);
	sim_cut(s, false);
	run_ms(2000);
	answered(r, false);
	core_rest(s, 0);
}
END_TEST

/* A full journal, for some writes, from any moment on. */
START_TEST(journal_fails)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		struct sim_reply *r;

		pair(seed, 0);
		r = core_ask(s, 0, REQUEST_SWITCHOVER, 1, false);
		sim_run(s, (int64_t)prng_below(&s->r, 1200000));
		s->n[prng_below(&s->r, 2)].bad_writes = 1 + prng_below(&s->r, 6);
		run_ms(40000);
		ck_assert_uint_eq(r->replies, 1);
		ck_assert_int_ne(sim_active(s), NODE_NONE);
		core_rest(s, sim_active(s));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-moves");
	TCase *tc = core_case(suite, "moves");

	tcase_add_test(tc, there_and_back);
	tcase_add_test(tc, refused_for_what_it_is);
	tcase_add_test(tc, one_at_a_time);
	tcase_add_test(tc, check_answers_with_findings);
	tcase_add_test(tc, peer_does_not_answer);
	tcase_add_test(tc, unowned);
	tcase_add_test(tc, unowned_claimed_by_both);
	tcase_add_test(tc, silence_is_no_proof);
	tcase_add_test(tc, operators_word);
	tcase_add_test(tc, rebooted_owner_waits);
	tcase_add_test(tc, restarted_nasd_does_not_wait);
	tcase_add_test(tc, zombie_stands_down);
	tcase_add_test(tc, resume_waits_for_the_zombie);
	tcase_add_test(tc, stands_down_before_it_gives);
	tcase_add_test(tc, resume_waits_for_a_free_standby);
	tcase_add_test(tc, committed_while_the_link_is_lost);
	tcase_add_test(tc, source_dies_for_good);
	tcase_add_test(tc, a_hung_step_is_answered_for);
	tcase_add_test(tc, too_long_a_freeze);
	tcase_add_test(tc, epochs_tell_two_words_apart);
	tcase_add_test(tc, server_deaths);
	tcase_add_test(tc, forwarded_and_cut);
	tcase_add_test(tc, journal_fails);
	return core_suite_run(suite);
}
