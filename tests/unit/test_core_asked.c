/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pair whose trigger asks (Pacemaker, keepalived): a node is told to serve or to
 * stop, and finds the way that is safe.
 */
#include "core_suite.h"
#include "scenes.h"

#include <string.h>

enum { OWNER, OTHER };

static struct sim *s;

static void pair(uint64_t seed, int owner, bool moves)
{
	s = sim_new(seed);
	sim_heartbeats(s);
	s->asked = true;
	s->no_asked_moves = !moves;
	if (owner != NODE_NONE)
		sim_own(s, owner, 1);
	sim_start(s, OWNER);
	sim_start(s, OTHER);
	ck_assert_msg(sim_run(s, 8000000), "%s", s->broken);
	ck_assert_int_eq(sim_active(s), owner);
}

static void run_ms(int64_t ms)
{
	ck_assert_msg(sim_run(s, ms * 1000), "%s", s->broken);
}

static void rest(int active)
{
	ck_assert_msg(sim_settle(s), "%s", s->broken);
	ck_assert_int_eq(sim_active(s), active);
	sim_free(s);
}

static struct sim_reply *ask(int node, enum request_kind kind)
{
	int i = sim_request(s, node, kind, node, false);

	ck_assert_int_ge(i, 0);
	return &s->replies[i];
}

static void refused(const struct sim_reply *r, const char *why)
{
	ck_assert_uint_eq(r->replies, 1);
	ck_assert(!r->ok);
	ck_assert_msg(strstr(r->err.msg, why) != NULL, "%s", r->err.msg);
}

static void granted(const struct sim_reply *r)
{
	ck_assert_msg(r->replies == 1 && r->ok, "%u replies: %s", r->replies, r->err.msg);
}

START_TEST(peer_serves)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct sim_reply *r;

		pair(seed, OWNER, true);
		r = ask(OTHER, REQUEST_ASKED);
		run_ms(10000);
		granted(r);
		ck_assert_int_eq(sim_active(s), OTHER);
		ck_assert_uint_eq(s->fence_runs + s->takeovers, 0);
		rest(OTHER);
	}
}
END_TEST

/* VRRP has lost the other node, and nasd has not. */
START_TEST(peer_serves_on)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct sim_reply *r;

		pair(seed, OWNER, false);
		r = ask(OTHER, REQUEST_ASKED);
		run_ms(10000);
		refused(r, "it serves and is heard");
		ck_assert_uint_eq(s->fence_runs + s->takeovers, 0);
		r = ask(OTHER, REQUEST_ASKED);
		run_ms(prng_range(&s->r, 0, 3000));
		sim_kill_now(s, OWNER, true, true);
		run_ms(10000);
		granted(r);
		rest(OTHER);
	}
}
END_TEST

static struct sim_reply *move(int node, int target)
{
	int i = sim_request(s, node, REQUEST_SWITCHOVER, target, false);

	ck_assert_int_ge(i, 0);
	run_ms(10000);
	return &s->replies[i];
}

START_TEST(hold_down)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		pair(seed, OWNER, false);
		s->by_trigger = true;
		refused(move(OTHER, OTHER), "a trigger asks the node that serves");
		granted(move(OWNER, OTHER));
		refused(move(OTHER, OWNER), "hold-down");
		s->by_trigger = false;
		granted(move(OTHER, OWNER)); /* an operator's */
		run_ms(30000);
		s->by_trigger = true;
		granted(move(OWNER, OTHER));
		rest(OTHER);
	}
}
END_TEST

/* 10 to 13 s before, the group was moved; from now on it is a trigger that asks. */
static void moved_and_restarted(uint64_t seed, int64_t clock_set_us)
{
	pair(seed, OWNER, false);
	granted(move(OWNER, OTHER));
	sim_kill_now(s, OTHER, false, true);
	run_ms(prng_range(&s->r, 0, 3000));
	s->wall_off_us = clock_set_us;
	sim_start(s, OTHER);
	s->by_trigger = true;
}

START_TEST(hold_down_over_a_restart)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		moved_and_restarted(seed, 0);
		run_ms(2000);
		refused(move(OTHER, OWNER), "hold-down"); /* and 10 s */
		run_ms(10000);
		granted(move(OTHER, OWNER));
		rest(OWNER);
	}
}
END_TEST

/* The clock was set back meanwhile: no move before the whole of it is over. */
START_TEST(hold_down_and_a_clock_set_back)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		moved_and_restarted(seed, -(int64_t)seed * 3600 * 1000000);
		run_ms(15000);
		refused(move(OTHER, OWNER), "hold-down");
		run_ms(6000);
		granted(move(OTHER, OWNER));
		rest(OWNER);
	}
}
END_TEST

START_TEST(nobody_serves)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct sim_reply *r;

		pair(seed, NODE_NONE, true);
		r = ask(OTHER, REQUEST_ASKED);
		run_ms(10000);
		granted(r);
		rest(OTHER);
	}
}
END_TEST

/* Silence alone moves nothing; asked before it is noticed, or after. */
START_TEST(peer_is_dead)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		struct sim_reply *r;

		pair(seed, OWNER, true);
		sim_kill_now(s, OWNER, true, true);
		if (seed % 2) {
			run_ms(10000);
			ck_assert_uint_eq(s->fence_runs, 0);
			ck_assert_int_eq(sim_state(s, OTHER), GS_STANDBY);
		}
		r = ask(OTHER, REQUEST_ASKED);
		run_ms(10000);
		granted(r);
		ck_assert_int_eq(sim_active(s), OTHER);
		ck_assert_uint_eq(s->takeovers, 1);
		rest(OTHER);
	}
}
END_TEST

START_TEST(no_proof)
{
	pair(7, OWNER, true);
	s->device[OWNER] = DEVICE_FAILS;
	sim_kill_now(s, OWNER, true, true);
	struct sim_reply *r = ask(OTHER, REQUEST_ASKED);
	run_ms(15000);
	refused(r, "no proof");
	ck_assert_int_eq(sim_state(s, OTHER), GS_STANDBY);
	ck_assert_uint_eq(s->fence_runs, 1); /* one for each time that it is asked */
	s->device[OWNER] = DEVICE_WORKS;
	r = ask(OTHER, REQUEST_ASKED);
	run_ms(10000);
	granted(r);
	rest(OTHER);
}
END_TEST

/* It is waited for as long as a nasd waits that was just started. */
START_TEST(peer_is_dead_and_unmet)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct sim_reply *r;

		pair(seed, OWNER, true);
		granted(move(OWNER, OTHER));
		granted(move(OTHER, OWNER));
		sim_kill_now(s, OWNER, true, true);
		sim_kill_now(s, OTHER, false, true);
		sim_start(s, OTHER);
		r = ask(OTHER, REQUEST_ASKED);
		run_ms(20000);
		granted(r);
		ck_assert_int_eq(sim_active(s), OTHER);
		rest(OTHER);
	}
}
END_TEST

/* Its nasd is gone, and the service is not. */
START_TEST(only_nasd_is_dead)
{
	pair(8, OWNER, true);
	sim_kill_now(s, OWNER, false, true);
	struct sim_reply *r = ask(OTHER, REQUEST_ASKED);
	run_ms(10000);
	refused(r, "its node answers");
	ck_assert_uint_eq(s->fence_runs, 0);
	ck_assert(world_serves(&s->w, OWNER));
	sim_start(s, OWNER);
	run_ms(8000);
	rest(OWNER);
}
END_TEST

START_TEST(dies_while_it_hands_over)
{
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct sim_reply *r;

		pair(seed, OWNER, true);
		r = ask(OTHER, REQUEST_ASKED);
		run_ms(prng_range(&s->r, 0, 400));
		sim_kill_now(s, OWNER, true, seed % 2);
		run_ms(20000);
		granted(r);
		ck_assert_int_eq(sim_active(s), OTHER);
		rest(OTHER);
	}
}
END_TEST

START_TEST(released)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct sim_reply *r;

		pair(seed, OWNER, true);
		r = ask(OWNER, REQUEST_RELEASE);
		run_ms(5000);
		granted(r);
		ck_assert(!world_serves(&s->w, OWNER));
		ck_assert_int_eq(sim_state(s, OWNER), GS_STANDBY);
		granted(ask(OWNER, REQUEST_RELEASE)); /* it does not serve */
		r = ask(seed % 2 ? OWNER : OTHER, REQUEST_ASKED);
		run_ms(5000);
		granted(r);
		rest(seed % 2 ? OWNER : OTHER);
	}
}
END_TEST

/* Whoever had it last is gone since. */
START_TEST(released_and_dead)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct sim_reply *r;

		pair(seed, OWNER, true);
		ask(OWNER, REQUEST_RELEASE);
		run_ms(seed % 2 ? 5000 : prng_range(&s->r, 0, 300));
		sim_kill_now(s, OWNER, true, true);
		r = ask(OTHER, REQUEST_ASKED);
		run_ms(15000);
		granted(r);
		ck_assert_uint_ge(s->fence_runs, 1);
		rest(OTHER);
	}
}
END_TEST

/* Lost at any action, it is released or not, and can be had again either way. */
START_TEST(killed_while_it_releases)
{
	for (int power = 0; power < 2; power++)
		for (unsigned i = 0; i < 40; i++) {
			pair(i, OWNER, true);
			sim_count(s);
			sim_kill_at(s, OWNER, i, (enum kill_when)(i % 3), power);
			ask(OWNER, REQUEST_RELEASE);
			run_ms(8000);
			ck_assert_msg(sim_settle(s), "at action %u: %s", i, s->broken);
			if (sim_active(s) == NODE_NONE) {
				struct sim_reply *r = ask(OTHER, REQUEST_ASKED);

				run_ms(8000);
				granted(r);
			}
			sim_free(s);
		}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-asked");
	TCase *tc = core_case(suite, "asked");

	tcase_add_test(tc, peer_serves);
	tcase_add_test(tc, peer_serves_on);
	tcase_add_test(tc, hold_down);
	tcase_add_test(tc, hold_down_over_a_restart);
	tcase_add_test(tc, hold_down_and_a_clock_set_back);
	tcase_add_test(tc, nobody_serves);
	tcase_add_test(tc, peer_is_dead);
	tcase_add_test(tc, no_proof);
	tcase_add_test(tc, peer_is_dead_and_unmet);
	tcase_add_test(tc, only_nasd_is_dead);
	tcase_add_test(tc, dies_while_it_hands_over);
	tcase_add_test(tc, released);
	tcase_add_test(tc, released_and_dead);
	tcase_add_test(tc, killed_while_it_releases);
	return core_suite_run(suite);
}
