/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeded random schedules of a pair that fences. A failing seed is printed;
 * SEED=n runs that one alone with a trace, SEEDS=n runs n of them (0: without
 * end), FROM=n begins there; ASKED=1: with a trigger that asks, GUESTS=1: with moves
 * that guests go along with. Seeds that failed once are in tests/sim/seeds and always run.
 */
#include "core_suite.h"
#include "scenes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEEDS = 20000, ASKED_SEEDS = 2000, GUESTS_SEEDS = 4000, SEEDS_TIMEOUT_S = 1000000000 };

struct kind {
	bool (*storm)(uint64_t seed, struct sim **out, struct scene_tally *t);
	const char *env; /* "ASKED=1 " */
};
static const struct kind plain = { scene_storm, "" }, with_asker = { scene_storm_asked, "ASKED=1 " },
			 with_guests = { scene_storm_guests, "GUESTS=1 " };

static const struct kind *from_env(void)
{
	return core_from_env("ASKED", 0) ? &with_asker : core_from_env("GUESTS", 0) ? &with_guests : &plain;
}

static unsigned one(uint64_t seed, const struct kind *k, struct scene_tally *t)
{
	struct sim *s;
	bool ok = k->storm(seed, &s, t);

	if (!ok)
		fprintf(stderr, "%sSEED=%llu replays it; at %.6f s: %s\n", k->env, (unsigned long long)seed, (double)s->now / 1e6, s->broken);
	sim_free(s);
	return !ok;
}

/* Words are seeds; a # takes the rest of the line away. */
static unsigned from_file(FILE *f, struct scene_tally *t)
{
	unsigned n = 0, failed = 0;
	char line[300];

	while (fgets(line, sizeof(line), f)) {
		char *save = NULL;

		line[strcspn(line, "#")] = '\0';
		for (char *w = strtok_r(line, " \t\n", &save); w; w = strtok_r(NULL, " \t\n", &save), n++)
			failed += one(strtoull(w, NULL, 10), &plain, t);
	}
	ck_assert_uint_gt(n, 0);
	return failed;
}

START_TEST(kept_seeds)
{
	struct scene_tally t = { 0 };
	FILE *f = fopen("tests/sim/seeds", "r");
	unsigned failed;

	if (getenv("SEED")) {
		if (f)
			fclose(f);
		return;
	}
	ck_assert_msg(f, "tests/sim/seeds: run this program in the top folder");
	failed = from_file(f, &t);
	fclose(f);
	ck_assert_msg(!failed, "%u of the seeds in tests/sim/seeds fail again", failed);
}
END_TEST

START_TEST(storms)
{
	struct scene_tally t = { 0 };
	unsigned long n = core_from_env("SEEDS", SEEDS), from = core_from_env("FROM", 1), failures = core_from_env("FAILURES", 1);
	unsigned failed = 0;

	if (getenv("SEED")) {
		setenv("SIM_TRACE", "1", 1);
		ck_assert_uint_eq(one(core_from_env("SEED", 1), from_env(), &t), 0);
		return;
	}
	for (unsigned long i = 0; (i < n || !n) && failed < failures; i++)
		failed += one(from + i, from_env(), &t);
	printf("%lu storms, %llu events, %llu writes, %u locks (%u reclaimed): %u requests (%u on an operator's word), "
	       "%u kills, %u crashes, %u pauses, %u cuts, %u broken devices, %u step faults; %u fence runs, %u nodes "
	       "switched off, %u takeovers, DRBD told %u times; %u recovered without a human, %u excused\n", n,
	       (unsigned long long)t.events, (unsigned long long)t.writes, t.locks, t.reclaims, t.requests, t.confirmed,
	       t.kills, t.crashes, t.pauses, t.cuts, t.devices, t.faults, t.fence_runs, t.fence_offs, t.takeovers, t.told,
	       t.recovered, t.excused);
	ck_assert_msg(!failed, "%u schedules failed", failed);
}
END_TEST

START_TEST(storms_of_one_who_asks)
{
	struct scene_tally t = { 0 };
	unsigned failed = 0;

	if (getenv("SEED") || getenv("SEEDS"))
		return; /* storms does it */
	for (uint64_t seed = 1; seed <= ASKED_SEEDS && !failed; seed++)
		failed += one(seed, &with_asker, &t);
	printf("%d storms of one who asks: asked %u times, %u nodes switched off, %u takeovers, %u recovered, %u excused\n",
	       ASKED_SEEDS, t.asked, t.fence_offs, t.takeovers, t.recovered, t.excused);
	ck_assert_uint_gt(t.takeovers, 0);
	ck_assert(!failed);
}
END_TEST

START_TEST(storms_of_guests_that_move)
{
	unsigned long n = core_from_env("SEEDS", GUESTS_SEEDS);
	struct scene_tally t = { 0 };
	unsigned failed = 0;

	if (getenv("SEED") || getenv("GUESTS") || !n)
		return; /* storms does it */
	for (uint64_t seed = 1; seed <= n && !failed; seed++)
		failed += one(seed, &with_guests, &t);
	printf("%lu storms of guests that move: %u requests, %u moves held, %u let go on, %u takeovers, %u recovered, %u excused\n",
	       n, t.requests, t.held, t.went, t.takeovers, t.recovered, t.excused);
	ck_assert_uint_gt(t.went, 0);
	ck_assert_uint_gt(t.held, t.went);
	ck_assert(!failed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-storm");
	TCase *tc = core_case(suite, "seeds");

	tcase_set_timeout(tc, SEEDS_TIMEOUT_S);
	tcase_add_test(tc, kept_seeds);
	tcase_add_test(tc, storms);
	tcase_add_test(tc, storms_of_one_who_asks);
	tcase_add_test(tc, storms_of_guests_that_move);
	return core_suite_run(suite);
}
