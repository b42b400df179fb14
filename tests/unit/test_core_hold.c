/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A switchover that is held before its freeze, until who asked for it says go. */
#include "core_suite.h"
#include "scenes.h"

#include <stdio.h>
#include <string.h>

enum { SOURCE, TARGET, HOLD_US = 20000000, RUN_US = 45000000, NO_MORE = 400 };

static struct sim *s;

static struct sim_reply *begin(enum sim_when_held what, int64_t run_us)
{
	int i;

	s = scene_pair(1, SOURCE);
	s->when_held = what;
	i = sim_request_held(s, SOURCE, REQUEST_SWITCHOVER, TARGET, false, HOLD_US);
	ck_assert_int_ge(i, 0);
	ck_assert_msg(sim_run(s, run_us), "%s", s->broken);
	return &s->replies[i];
}

/* Held, and serving on. */
static bool is_held(void)
{
	struct group_view v;

	group_look(s->n[SOURCE].core, &v);
	return v.held && world_serves(&s->w, SOURCE);
}

static void refused_for(const struct sim_reply *r, const char *where)
{
	ck_assert_uint_eq(r->replies, 1);
	ck_assert(!r->ok);
	ck_assert_msg(!strcmp(r->err.where, where), "%s: %s", r->err.where, r->err.msg);
}

START_TEST(goes_when_told)
{
	struct sim_reply *r = begin(HELD_WAITS, 6000000);

	ck_assert(is_held());
	ck_assert_uint_eq(s->held, 1);
	ck_assert_uint_eq(r->replies, 0);
	sim_go(s, SOURCE);
	ck_assert_uint_eq(s->went, 1);
	ck_assert(!group_go(s->n[SOURCE].core, sim_clock(s, SOURCE)));
	ck_assert_msg(sim_run(s, 3000000), "%s", s->broken);
	ck_assert_uint_eq(r->replies, 1);
	ck_assert_msg(r->ok, "%s", r->err.msg);
	core_rest(s, TARGET);
}
END_TEST

START_TEST(nothing_is_held_that_was_not_asked_to_be)
{
	s = scene_pair(1, SOURCE);
	s->when_held = HELD_WAITS;
	sim_request(s, SOURCE, REQUEST_SWITCHOVER, TARGET, false);
	ck_assert_msg(sim_run(s, 4000000), "%s", s->broken);
	ck_assert_uint_eq(s->held, 0);
	ck_assert(!group_go(s->n[TARGET].core, sim_clock(s, TARGET)));
	core_rest(s, TARGET);
}
END_TEST

START_TEST(called_off_when_forsaken)
{
	struct sim_reply *r = begin(HELD_LEAVES, 4000000);

	ck_assert_uint_eq(s->held, 1);
	refused_for(r, "hold");
	ck_assert(!is_held());
	core_rest(s, SOURCE);
}
END_TEST

/* Before it is held, and after the freeze has begun. */
START_TEST(forsaken_at_any_moment)
{
	unsigned ends[2] = { 0, 0 };

	for (int64_t at = 0; at < 2000000; at += 10000) {
		int active;

		s = scene_pair(1, SOURCE);
		s->when_held = HELD_GOES;
		sim_request_held(s, SOURCE, REQUEST_SWITCHOVER, TARGET, false, HOLD_US);
		ck_assert_msg(sim_run(s, at), "%s", s->broken);
		group_forsaken(s->n[SOURCE].core, sim_clock(s, SOURCE), 1);
		sim_drain(s, SOURCE);
		ck_assert_msg(sim_run(s, 4000000), "%s", s->broken);
		ck_assert_uint_eq(s->replies[0].replies, 1);
		active = sim_active(s);
		ck_assert_int_eq(active, s->replies[0].ok ? TARGET : SOURCE);
		ends[active]++;
		core_rest(s, active);
	}
	ck_assert_uint_gt(ends[SOURCE], 0);
	ck_assert_uint_gt(ends[TARGET], 0);
}
END_TEST

START_TEST(called_off_when_nobody_says_anything)
{
	struct sim_reply *r = begin(HELD_WAITS, HOLD_US - 1000000);
	int other = sim_request(s, SOURCE, REQUEST_SWITCHOVER, TARGET, false);

	ck_assert(is_held());
	ck_assert_msg(sim_run(s, 3000000), "%s", s->broken);
	refused_for(&s->replies[other], "request");
	refused_for(r, "hold");
	core_rest(s, SOURCE);
}
END_TEST

START_TEST(called_off_when_the_server_dies)
{
	struct sim_reply *r = begin(HELD_WAITS, 4000000);

	ck_assert(is_held());
	sim_server_dies(s, SOURCE);
	ck_assert_msg(sim_run(s, 6000000), "%s", s->broken);
	refused_for(r, "ganesha");
	core_rest(s, SOURCE);
}
END_TEST

START_TEST(called_off_when_the_copies_part)
{
	struct sim_reply *r = begin(HELD_WAITS, 4000000);

	ck_assert(is_held());
	sim_cut(s, true);
	ck_assert_msg(sim_run(s, 8000000), "%s", s->broken);
	ck_assert_uint_eq(r->replies, 1);
	ck_assert(!r->ok);
	ck_assert(!is_held());
	core_rest(s, SOURCE);
}
END_TEST

/* DRBD's network alone: nasd still hears nasd. */
START_TEST(called_off_when_only_drbd_parts)
{
	struct sim_reply *r;
	int i;

	s = scene_fencing_pair(1, SOURCE);
	s->when_held = HELD_WAITS;
	i = sim_request_held(s, SOURCE, REQUEST_SWITCHOVER, TARGET, false, HOLD_US);
	ck_assert_int_ge(i, 0);
	r = &s->replies[i];
	ck_assert_msg(sim_run(s, 3000000), "%s", s->broken);
	ck_assert(is_held());
	sim_net_cut(s, NET_DRBD, -1);
	ck_assert_msg(sim_run(s, 6000000), "%s", s->broken);
	refused_for(r, "drbd-connected");
	core_rest(s, SOURCE);
}
END_TEST

START_TEST(only_the_owner_holds)
{
	int i;

	s = scene_pair(1, SOURCE);
	i = sim_request_held(s, TARGET, REQUEST_SWITCHOVER, TARGET, false, HOLD_US);
	ck_assert_msg(sim_run(s, 2000000), "%s", s->broken);
	refused_for(&s->replies[i], "request");
	core_rest(s, SOURCE);
}
END_TEST

static bool one_kill(int node, unsigned index, enum kill_when when, bool power, enum sim_when_held what)
{
	bool struck;

	s = scene_pair(index + 1, SOURCE);
	s->when_held = what;
	sim_kill_at(s, node, index, when, power);
	sim_request_held(s, SOURCE, REQUEST_SWITCHOVER, TARGET, false, HOLD_US);
	sim_run(s, RUN_US);
	ck_assert_msg(!s->broken[0], "node %d, action %u, %d: %s", node, index, (int)when, s->broken);
	struck = s->killed;
	ck_assert_msg(sim_settle(s), "node %d, action %u, %d: %s", node, index, (int)when, s->broken);
	ck_assert_int_ne(sim_active(s), NODE_NONE);
	if (what == HELD_WAITS)
		ck_assert_int_eq(sim_active(s), SOURCE);
	sim_free(s);
	return struck;
}

START_TEST(killed_everywhere)
{
	unsigned n = 0;

	for (int node = 0; node < 2; node++)
		for (int power = 0; power < 2; power++)
			for (enum kill_when w = KILL_BEFORE; w <= KILL_KEPT; w++)
				for (enum sim_when_held what = HELD_WAITS; what <= HELD_LEAVES; what++)
					for (unsigned i = 0; i < NO_MORE && one_kill(node, i, w, power == 1, what); i++)
						n++;
	ck_assert_uint_gt(n, 300);
	printf("a move that is held: %u kills and power cuts\n", n);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core_hold");
	TCase *tc = core_case(suite, "hold");

	tcase_add_test(tc, goes_when_told);
	tcase_add_test(tc, nothing_is_held_that_was_not_asked_to_be);
	tcase_add_test(tc, called_off_when_forsaken);
	tcase_add_test(tc, forsaken_at_any_moment);
	tcase_add_test(tc, called_off_when_nobody_says_anything);
	tcase_add_test(tc, called_off_when_the_server_dies);
	tcase_add_test(tc, called_off_when_the_copies_part);
	tcase_add_test(tc, called_off_when_only_drbd_parts);
	tcase_add_test(tc, only_the_owner_holds);
	tcase_add_test(tc, killed_everywhere);
	return core_suite_run(suite);
}
