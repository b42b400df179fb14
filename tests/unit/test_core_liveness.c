/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables: what happens at which millisecond, and what is to be believed then. */
#include "liveness.h"

#include "core_suite.h"

enum { MS = 1000, T0 = 5000 * MS, PATHS = 3, LINK = 2 };

static const struct liveness_rules rules = { .interval_us = 100 * MS, .dead_after_us = 600 * MS, .n_paths = PATHS };

enum act { TICK, PAUSED, HEAR, ASK }; /* PAUSED: a tick that notices a pause */

struct row {
	int at_ms;      /* since the beginning */
	enum act act;
	unsigned path;  /* HEAR */
	bool silent;    /* what is to be believed afterwards, asked at once */
};

/* Ticks in time, every interval, until just before at_ms. */
static void tick_until(struct liveness *l, int64_t at)
{
	while (l->ticked_us + rules.interval_us < at)
		ck_assert(!liveness_tick(l, l->ticked_us + rules.interval_us));
}

/* awake: between the rows, the ticks come in time. */
static void play(struct liveness *l, const struct row *rows, size_t n, bool awake)
{
	for (size_t i = 0; i < n; i++) {
		int64_t now = T0 + rows[i].at_ms * MS;

		if (awake)
			tick_until(l, now);
		switch (rows[i].act) {
		case TICK: ck_assert_msg(!liveness_tick(l, now), "row %zu: a pause", i); break;
		case PAUSED: ck_assert_msg(liveness_tick(l, now), "row %zu: no pause", i); break;
		case HEAR: liveness_heard(l, rows[i].path, now); break;
		case ASK: break;
		}
		ck_assert_msg(liveness_silent(l, now) == rows[i].silent, "row %zu, %d ms: silent is %d", i,
			      rows[i].at_ms, !rows[i].silent);
	}
}

static struct liveness begun(void)
{
	struct liveness l;

	liveness_init(&l, &rules, T0);
	return l;
}

#define PLAY(l, awake, ...) \
	play(l, (const struct row[]){ __VA_ARGS__ }, \
	     sizeof((const struct row[]){ __VA_ARGS__ }) / sizeof(struct row), awake)

START_TEST(never_heard)
{
	struct liveness l = begun();

	ck_assert(!liveness_ever_heard(&l));
	ck_assert_int_eq(liveness_heard_us(&l), -1);
	ck_assert_int_eq(liveness_paused_us(&l), -1);
	PLAY(&l, true, { 0, ASK, 0, false }, { 599, ASK, 0, false }, { 600, ASK, 0, true }, { 5000, TICK, 0, true });
	ck_assert(!liveness_ever_heard(&l));
	PLAY(&l, true, { 5050, HEAR, LINK, false });
	ck_assert(liveness_ever_heard(&l));
	ck_assert_int_eq(liveness_heard_us(&l), T0 + 5050 * MS);
}
END_TEST

START_TEST(one_path_is_enough)
{
	for (unsigned path = 0; path < PATHS; path++) {
		struct liveness l = begun();

		for (int ms = 50; ms < 3000; ms += 500)
			PLAY(&l, true, { ms, HEAR, path, false });
		for (unsigned i = 0; i < PATHS; i++)
			ck_assert(liveness_path_silent(&l, i, T0 + 2600 * MS) == (i != path));
		PLAY(&l, true, { 3149, ASK, 0, false }, { 3150, ASK, 0, true });
		ck_assert(liveness_path_silent(&l, path, T0 + 3150 * MS));
	}
}
END_TEST

START_TEST(the_last_path_decides)
{
	struct liveness l = begun();

	PLAY(&l, true, { 100, HEAR, 0, false }, { 300, HEAR, 1, false }, { 200 + 599, ASK, 0, false },
	     { 899, ASK, 0, false }, { 900, ASK, 0, true }, { 910, HEAR, LINK, false }, { 1509, ASK, 0, false },
	     { 1510, ASK, 0, true });
	ck_assert_int_eq(liveness_heard_us(&l), T0 + 910 * MS);
}
END_TEST

START_TEST(a_path_that_is_none)
{
	struct liveness l = begun();

	liveness_heard(&l, PATHS, T0 + 1);
	liveness_heard(&l, UINT32_MAX, T0 + 1);
	ck_assert(!liveness_ever_heard(&l));
	ck_assert(liveness_path_silent(&l, PATHS, T0));
}
END_TEST

/* Late by 300 ms (half of dead_after, more than the interval) is no pause yet. */
START_TEST(how_late_is_a_pause)
{
	static const struct {
		int interval, dead_after, limit; /* ms */
	} cases[] = { { 100, 600, 300 }, { 200, 2000, 1000 }, { 300, 600, 300 }, { 10, 50, 25 }, { 400, 600, 400 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct liveness_rules r = { cases[i].interval * MS, cases[i].dead_after * MS, 1 };
		int64_t late = T0 + (cases[i].interval + cases[i].limit) * MS;
		struct liveness a, b;

		liveness_init(&a, &r, T0);
		b = a;
		ck_assert(!liveness_tick(&a, late));
		ck_assert_uint_eq(a.pauses, 0);
		ck_assert(liveness_tick(&b, late + 1));
		ck_assert_uint_eq(b.pauses, 1);
		ck_assert_int_eq(b.paused_us, late + 1);
		ck_assert_int_eq(b.pause_us, cases[i].limit * MS + 1);
	}
}
END_TEST

START_TEST(our_own_pause)
{
	struct liveness l = begun();

	PLAY(&l, true, { 1000, HEAR, 0, false }, { 1050, TICK, 0, false });
	/* Stopped for 10 s; whoever asks before the tick is not told of silence either. */
	PLAY(&l, false, { 11050, ASK, 0, false }, { 11051, PAUSED, 0, false });
	ck_assert_int_eq(liveness_paused_us(&l), T0 + 11051 * MS);
	ck_assert_int_eq(l.longest_us, (11051 - 1050 - 100) * MS);
	/* The peer is dead: a whole dead_after later, and no sooner. */
	PLAY(&l, true, { 11650, ASK, 0, false }, { 11651, ASK, 0, true });
	for (unsigned i = 0; i < PATHS; i++)
		ck_assert(liveness_path_silent(&l, i, T0 + 11651 * MS));
	/* A shorter one, in which what was queued is heard before the tick. */
	PLAY(&l, false, { 12300, HEAR, 1, false }, { 12301, PAUSED, 0, false }, { 12302, TICK, 0, false });
	ck_assert_uint_eq(l.pauses, 2);
	ck_assert_int_eq(l.longest_us, (11051 - 1050 - 100) * MS);
	PLAY(&l, true, { 12900, ASK, 0, false }, { 12901, ASK, 0, true });
}
END_TEST

/* Silent before the pause: not believed after it until it is so again. */
START_TEST(silence_ends_with_a_pause)
{
	struct liveness l = begun();

	PLAY(&l, true, { 600, TICK, 0, true });
	PLAY(&l, false, { 1001, PAUSED, 0, false });
	PLAY(&l, true, { 1600, ASK, 0, false }, { 1601, ASK, 0, true });
}
END_TEST

/* Paused over and over: it never believes in silence, and says how often. */
START_TEST(starved)
{
	struct liveness l = begun();

	for (int i = 1; i <= 20; i++)
		PLAY(&l, false, { i * 500, PAUSED, 0, false });
	ck_assert_uint_eq(l.pauses, 20);
	ck_assert_int_eq(l.longest_us, 400 * MS);
}
END_TEST

START_TEST(clock_goes_back)
{
	struct liveness l = begun();

	PLAY(&l, true, { 5000, HEAR, 0, false }, { 5000, TICK, 0, false }, { 1000, ASK, 0, false });
	PLAY(&l, false, { 1000, PAUSED, 0, false });
	ck_assert_int_eq(l.pause_us, 0);
	ck_assert_int_eq(liveness_paused_us(&l), T0 + 1000 * MS);
	ck_assert_int_eq(liveness_heard_us(&l), T0 + 1000 * MS);
	PLAY(&l, true, { 1599, ASK, 0, false }, { 1600, ASK, 0, true });
}
END_TEST

START_TEST(next_is_when_it_changes)
{
	struct liveness l = begun();

	/* never further away than the tick */
	ck_assert_int_eq(liveness_next(&l, T0), T0 + 100 * MS);
	tick_until(&l, T0 + 550 * MS);
	ck_assert_int_eq(liveness_next(&l, T0 + 550 * MS), T0 + 600 * MS);
	liveness_heard(&l, 1, T0 + 40 * MS);
	ck_assert_int_eq(liveness_next(&l, T0 + 600 * MS), T0 + 640 * MS);
	ck_assert_int_eq(liveness_next(&l, T0 + 640 * MS), T0 + 740 * MS);
	/* a walk along it meets the change at its very microsecond */
	l = begun();
	liveness_heard(&l, 0, T0 + 123456);
	for (int64_t t = T0; t < T0 + 123456 + rules.dead_after_us; t = liveness_next(&l, t)) {
		ck_assert(!liveness_tick(&l, t));
		ck_assert(!liveness_silent(&l, t));
		ck_assert_int_gt(liveness_next(&l, t), t);
		ck_assert_int_le(liveness_next(&l, t), t + rules.interval_us);
		if (liveness_next(&l, t) >= T0 + 123456 + rules.dead_after_us)
			ck_assert_int_eq(liveness_next(&l, t), T0 + 123456 + rules.dead_after_us);
	}
	ck_assert(liveness_silent(&l, T0 + 123456 + rules.dead_after_us));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("core/liveness");
	TCase *tc = core_case(s, "liveness");

	tcase_add_test(tc, never_heard);
	tcase_add_test(tc, one_path_is_enough);
	tcase_add_test(tc, the_last_path_decides);
	tcase_add_test(tc, a_path_that_is_none);
	tcase_add_test(tc, how_late_is_a_pause);
	tcase_add_test(tc, our_own_pause);
	tcase_add_test(tc, silence_ends_with_a_pause);
	tcase_add_test(tc, starved);
	tcase_add_test(tc, clock_goes_back);
	tcase_add_test(tc, next_is_when_it_changes);
	return core_suite_run(s);
}
