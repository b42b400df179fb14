/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pair that fences: what it does when a node dies, stands still or is cut off,
 * and the same with nasd killed, a node lost or the link lost at every action and
 * message of it.
 */
#include "core_suite.h"
#include "scenes.h"

#include <stdio.h>
#include <string.h>

enum { OWNER, OTHER, NO_MORE = 600 };

static struct sim *s;

static void pair(uint64_t seed)
{
	s = scene_fencing_pair(seed, OWNER);
	ck_assert_str_eq(s->broken, "");
	ck_assert_int_eq(sim_active(s), OWNER);
}

static void run_ms(int64_t ms)
{
	ck_assert_msg(sim_run(s, ms * 1000), "%s", s->broken);
}

static bool suspended(int node)
{
	return s->w.d.e[node].suspended;
}

/* ---- one thing fails */

START_TEST(owner_dies)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		pair(seed);
		sim_kill_now(s, OWNER, true, seed % 2);
		run_ms(10000);
		ck_assert_int_eq(sim_active(s), OTHER);
		ck_assert_uint_eq(s->takeovers, 1);
		sim_start(s, OWNER); /* it finds the newer epoch, and stands by */
		run_ms(10000);
		ck_assert_int_eq(sim_state(s, OWNER), GS_STANDBY);
		ck_assert(drbd_whole(&s->w.d));
		ck_assert_uint_eq(s->fence_runs, 1);
		core_rest(s, OTHER);
	}
}
END_TEST

START_TEST(standby_dies)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		pair(seed);
		sim_kill_now(s, OTHER, true, true);
		run_ms(8000);
		ck_assert_int_eq(sim_active(s), OWNER);
		ck_assert(!suspended(OWNER));
		ck_assert_uint_eq(s->drbd_told, 1);
		core_rest(s, OWNER);
	}
}
END_TEST

/* Nobody is switched off where the two can agree. */
START_TEST(replication_is_cut)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		pair(seed);
		sim_net_cut(s, NET_DRBD, -1);
		run_ms(4500);
		ck_assert(!suspended(OWNER));
		ck_assert_int_eq(s->w.d.e[OTHER].disk, DISK_OUTDATED);
		ck_assert_uint_eq(s->fence_runs, 0);
		sim_net_heal(s, NET_DRBD);
		core_rest(s, OWNER);
	}
}
END_TEST

/* Cut for moments: DRBD connects again while its question is open. */
START_TEST(replication_blinks)
{
	for (uint64_t seed = 1; seed <= 300; seed++) {
		pair(seed);
		for (int i = 0; i < 6; i++) {
			sim_net_cut(s, NET_DRBD, -1);
			if (seed % 3 == 0)
				sim_cut(s, false);
			run_ms(prng_range(&s->r, 300, 1900));
			sim_net_heal(s, NET_DRBD);
			sim_heal(s);
			run_ms(prng_range(&s->r, 300, 6000));
		}
		ck_assert_msg(seed % 3 == 0 || !s->fence_offs, "seed %d", (int)seed);
		core_rest(s, OWNER);
	}
}
END_TEST

START_TEST(clients_leg_is_cut)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		pair(seed);
		sim_leg(s, OTHER, true);
		sim_net_cut(s, NET_DRBD, -1); /* all that the other one has */
		run_ms(8000);
		ck_assert_int_eq(sim_active(s), OWNER);
		ck_assert_int_ne(s->n[OWNER].powered, 0);
		sim_leg(s, OTHER, false);
		core_rest(s, OWNER);
	}
}
END_TEST

/* Only its nasd is gone: the service is not. */
START_TEST(nasd_of_the_owner_dies)
{
	pair(3);
	sim_kill_now(s, OWNER, false, true);
	run_ms(20000);
	ck_assert_uint_eq(s->fence_runs, 0);
	ck_assert_int_eq(sim_state(s, OTHER), GS_STANDBY);
	ck_assert(world_serves(&s->w, OWNER));
	sim_start(s, OWNER);
	core_rest(s, OWNER);
}
END_TEST

/* The standby's nasd is started again while the owner is dead: this boot of the
 * node knows whose the group was, and DRBD that the copy is the newest. */
START_TEST(standby_restarted_beside_the_dead)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		pair(seed);
		sim_kill_now(s, seed % 2 ? OTHER : OWNER, !(seed % 2), true);
		run_ms((int64_t)prng_below(&s->r, 600));
		sim_kill_now(s, seed % 2 ? OWNER : OTHER, seed % 2, true);
		run_ms((int64_t)prng_below(&s->r, 20000));
		sim_start(s, OTHER);
		run_ms(25000);
		ck_assert_int_eq(sim_active(s), OTHER);
		ck_assert_uint_eq(s->fence_runs, 1);
		core_rest(s, OTHER);
	}
}
END_TEST

/* Booted again, it cannot know what the owner has done without it. */
START_TEST(standby_booted_beside_the_dead)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		pair(seed);
		sim_kill_now(s, OTHER, true, true);
		run_ms(8000);
		sim_kill_now(s, OWNER, true, true);
		sim_start(s, OTHER);
		run_ms(40000);
		ck_assert_int_eq(sim_active(s), NODE_NONE);
		ck_assert_uint_eq(s->fence_runs, 1); /* the owner's own, of the standby */
		sim_start(s, OWNER);
		core_rest(s, OWNER);
	}
}
END_TEST

/* Not heard is not dead: the link cannot be made, and so no heartbeat is understood. */
/* DRBD has met the owner's since the boot, and the copy is good; nasd has not. */
START_TEST(standby_booted_and_not_met)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		pair(seed);
		sim_kill_now(s, OTHER, true, true);
		run_ms(8000);
		sim_cut(s, false);
		sim_start(s, OTHER);
		run_ms(15000);
		sim_kill_now(s, OWNER, true, true);
		run_ms(40000);
		ck_assert_int_eq(sim_active(s), NODE_NONE);
		ck_assert_uint_eq(s->fence_runs, 1); /* the owner's own, of the standby */
		sim_heal(s);
		sim_start(s, OWNER);
		core_rest(s, OWNER);
	}
}
END_TEST

START_TEST(restarted_beside_the_living)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		pair(seed);
		sim_kill_now(s, OTHER, false, true);
		sim_cut(s, false);
		sim_start(s, OTHER);
		run_ms(40000);
		ck_assert_uint_eq(s->fence_runs, 0);
		sim_heal(s);
		core_rest(s, OWNER);
	}
}
END_TEST

START_TEST(owner_stands_still)
{
	static const int64_t ms[] = { 300, 1000, 5000, 30000 };

	for (uint64_t seed = 1; seed <= 40; seed++) {
		int64_t t = ms[seed % 4];

		pair(seed);
		sim_pause(s, OWNER, t * 1000, seed % 3 == 0);
		run_ms(t + 10000);
		ck_assert_int_ne(sim_active(s), NODE_NONE);
		if (t >= 5000)
			ck_assert_int_eq(sim_active(s), OTHER);
		core_rest(s, sim_active(s));
	}
}
END_TEST

/* ---- the device fails: the pair waits, says so, and goes on at a human's word */

START_TEST(devices)
{
	for (enum device_kind k = DEVICE_FAILS; k < DEVICE_KINDS; k++) {
		struct group_view v;

		pair(k);
		s->device[OWNER] = k;
		sim_kill_now(s, OWNER, true, true);
		run_ms(30000);
		ck_assert_msg(sim_active(s) == NODE_NONE, "%s", device_name(k));
		group_look(s->n[OTHER].core, &v);
		ck_assert(v.fence_running || strstr(v.fence_text, "nasctl fence confirm nas1"));
		ck_assert_ptr_nonnull(strstr(v.fence_text, "nas1 is silent"));
		ck_assert_uint_ge(s->fence_runs, 2);
		ck_assert(core_ask(s, OTHER, REQUEST_CONFIRM, OWNER, false)->ok);
		run_ms(3000);
		ck_assert_msg(sim_active(s) == OTHER, "%s", device_name(k));
		core_rest(s, OTHER);
	}
}
END_TEST

/* Else it would switch off the node that somebody has switched on meanwhile. */
START_TEST(word_ends_the_run)
{
	pair(6);
	s->device[OWNER] = DEVICE_HANGS;
	sim_kill_now(s, OWNER, true, true);
	for (int i = 0; i < 300 && !s->n[OTHER].run.on; i++)
		run_ms(100);
	ck_assert(s->n[OTHER].run.on);
	ck_assert(core_ask(s, OTHER, REQUEST_CONFIRM, OWNER, false)->ok);
	run_ms(50);
	ck_assert(!s->n[OTHER].run.on);
	run_ms(3000);
	ck_assert_uint_eq(s->fence_runs, 1);
	core_rest(s, OTHER);
}
END_TEST

START_TEST(device_repaired)
{
	pair(4);
	s->device[OWNER] = DEVICE_FAILS;
	sim_kill_now(s, OWNER, true, true);
	run_ms(20000);
	s->device[OWNER] = DEVICE_WORKS;
	run_ms(10000);
	ck_assert_int_eq(sim_active(s), OTHER);
	core_rest(s, OTHER);
}
END_TEST

START_TEST(word_about_the_living)
{
	pair(5);
	ck_assert(!core_ask(s, OTHER, REQUEST_CONFIRM, OWNER, false)->ok);
	sim_cut(s, false); /* heartbeats arrive all the same */
	run_ms(3000);
	ck_assert(!core_ask(s, OTHER, REQUEST_CONFIRM, OWNER, false)->ok);
	ck_assert(!core_ask(s, OTHER, REQUEST_TAKEOVER, OTHER, true)->ok);
	sim_heal(s);
	core_rest(s, OWNER);
}
END_TEST

/* ---- what DRBD may not be told */

/* Proof of the first death is none for what comes after the reboot. */
START_TEST(proof_wears_out)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		pair(seed);
		sim_kill_now(s, OTHER, true, true);
		run_ms(8000); /* fenced; the writes go on */
		sim_start(s, OTHER);
		sim_kill_now(s, OTHER, false, true); /* no nasd, but DRBD connects */
		while (!drbd_whole(&s->w.d))
			run_ms(100);
		run_ms((int64_t)prng_below(&s->r, 1000));
		sim_net_cut(s, NET_DRBD, -1);
		sim_net_cut(s, NET_CLIENTS, -1);
		run_ms(8000); /* promises_told: never on the strength of the old proof */
		sim_net_heal(s, NET_DRBD);
		sim_net_heal(s, NET_CLIENTS);
		core_rest(s, OWNER);
	}
}
END_TEST

/* An operator's true word, on a node whose copy is the older one. */
START_TEST(word_on_a_stale_node)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		pair(seed);
		sim_kill_now(s, OTHER, true, true);
		run_ms(8000);
		sim_kill_now(s, OWNER, true, true);
		run_ms(500);
		sim_start(s, OTHER);
		run_ms(2000);
		ck_assert(!core_ask(s, OTHER, REQUEST_TAKEOVER, OTHER, true)->ok);
		ck_assert(core_ask(s, OTHER, REQUEST_CONFIRM, OWNER, false)->ok);
		run_ms(prng_range(&s->r, 500, 4000));
		sim_pause(s, OTHER, prng_range(&s->r, 300, 3000) * 1000, false);
		run_ms(20000);
		ck_assert(!s->w.d.e[OTHER].primary);
		sim_start(s, OWNER);
		core_rest(s, OWNER);
	}
}
END_TEST

/* The lying operator: two writers are possible then, but not for long, and no
 * node goes mad. */
START_TEST(a_lie)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		pair(seed);
		s->n[0].cause = s->n[1].cause = s->w.d.lies = true;
		s->device[0] = s->device[1] = DEVICE_FAILS;
		sim_cut(s, true);
		run_ms(6000);
		core_ask(s, OTHER, REQUEST_CONFIRM, OWNER, false);
		run_ms(4000);
		sim_heal(s);
		run_ms(60000); /* the old owner cannot unmount what DRBD holds: its watchdog resets it */
		ck_assert(!world_serves(&s->w, OWNER));
		sim_free(s);
	}
}
END_TEST

/* ---- a crash at every action and message */

enum story { OWNER_DIES, STANDBY_DIES, REPLICATION_CUT, OWNER_STANDS_STILL, OLD_OWNER_RETURNS, STORIES };

static const char *const story_name[STORIES] = {
	"the owner dies", "the standby dies", "the replication is cut", "the owner stands still", "the old owner returns",
};

static void heal_replication(struct sim *sim, int arg)
{
	(void)arg;
	sim_net_heal(sim, NET_DRBD);
}

static void boot(struct sim *sim, int node)
{
	sim_start(sim, node);
}

static void begin(enum story what)
{
	switch (what) {
	case OWNER_DIES:
		sim_kill_now(s, OWNER, true, true);
		sim_at(s, 20000000, boot, OWNER);
		return;
	case STANDBY_DIES:
		sim_kill_now(s, OTHER, true, true);
		sim_at(s, 20000000, boot, OTHER);
		return;
	case REPLICATION_CUT:
		sim_net_cut(s, NET_DRBD, -1);
		sim_at(s, 12000000, heal_replication, 0);
		return;
	case OWNER_STANDS_STILL: sim_pause(s, OWNER, 8000000, false); return;
	case OLD_OWNER_RETURNS:
		sim_kill_now(s, OWNER, true, true);
		sim_run(s, 10000000);
		sim_start(s, OWNER);
		return;
	case STORIES: return;
	}
}

static void kill_in(enum story what, int node, unsigned index, enum kill_when when, bool power)
{
	sim_kill_at(s, node, index, when, power);
	begin(what);
}

static bool one_kill(enum story what, int node, unsigned index, enum kill_when when, bool power)
{
	bool struck;

	pair(index + 1);
	if (what == OLD_OWNER_RETURNS) {
		begin(what);
		sim_kill_at(s, node, index, when, power);
	} else {
		kill_in(what, node, index, when, power);
	}
	sim_run(s, 15000000);
	struck = s->killed;
	ck_assert_msg(!s->broken[0] && sim_settle(s), "%s, and nas%d is %s at action %u (%d): %s", story_name[what], node + 1,
		      power ? "lost" : "killed", index, (int)when, s->broken);
	ck_assert_int_ne(sim_active(s), NODE_NONE);
	sim_free(s);
	return struck;
}

START_TEST(killed_everywhere)
{
	enum story what = (enum story)(_i / 2);
	unsigned n = 0;

	for (int node = 0; node < 2; node++)
		for (enum kill_when w = KILL_BEFORE; w <= KILL_KEPT; w++)
			for (unsigned i = 0; i < NO_MORE && one_kill(what, node, i, w, _i % 2); i++)
				n++;
	printf("%s: %s at %u places\n", story_name[what], _i % 2 ? "power cuts" : "kills", n);
	ck_assert_uint_gt(n, 30);
}
END_TEST

static void heal_link(struct sim *sim, int arg)
{
	(void)arg;
	sim_heal(sim);
}

static bool one_cut(enum story what, unsigned index, bool all)
{
	bool struck;

	pair(index + 1);
	sim_count(s);
	s->cut_at_msg = (int)index;
	begin(what);
	for (int64_t until = s->now + 30000000; !s->cut_struck && s->now < until && sim_step(s);)
		;
	struck = s->cut_struck;
	if (all)
		sim_cut(s, true);
	sim_at(s, prng_range(&s->r, 100000, 4000000), heal_link, 0);
	sim_run(s, 15000000);
	ck_assert_msg(!s->broken[0] && sim_settle(s), "%s, and %s at message %u: %s", story_name[what],
		      all ? "all networks are cut" : "the link is cut", index, s->broken);
	ck_assert_int_ne(sim_active(s), NODE_NONE);
	sim_free(s);
	return struck;
}

START_TEST(cut_everywhere)
{
	enum story what = (enum story)(_i / 2);
	unsigned n = 0;

	for (unsigned i = 0; i < 60 && one_cut(what, i, _i % 2); i++)
		n++;
	printf("%s: %s at %u messages\n", story_name[what], _i % 2 ? "all networks cut" : "link cut", n);
	ck_assert_uint_gt(n, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-takeover");
	TCase *tc = core_case(suite, "takeover");

	tcase_add_test(tc, owner_dies);
	tcase_add_test(tc, standby_dies);
	tcase_add_test(tc, replication_is_cut);
	tcase_add_test(tc, replication_blinks);
	tcase_add_test(tc, clients_leg_is_cut);
	tcase_add_test(tc, nasd_of_the_owner_dies);
	tcase_add_test(tc, standby_restarted_beside_the_dead);
	tcase_add_test(tc, standby_booted_beside_the_dead);
	tcase_add_test(tc, standby_booted_and_not_met);
	tcase_add_test(tc, restarted_beside_the_living);
	tcase_add_test(tc, owner_stands_still);
	tcase_add_test(tc, devices);
	tcase_add_test(tc, word_ends_the_run);
	tcase_add_test(tc, device_repaired);
	tcase_add_test(tc, word_about_the_living);
	tcase_add_test(tc, proof_wears_out);
	tcase_add_test(tc, word_on_a_stale_node);
	tcase_add_test(tc, a_lie);
	tcase_add_loop_test(tc, killed_everywhere, 0, 2 * STORIES);
	tcase_add_loop_test(tc, cut_everywhere, 0, 2 * STORIES);
	return core_suite_run(suite);
}
