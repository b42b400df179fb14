/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeded random schedules over the simulated pair. A failing seed is printed;
 * CORE_SEED=n runs that one alone with a trace, CORE_SEEDS=n runs n of them.
 */
#include "core_suite.h"
#include "scenes.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEEDS = 10000, SEEDS_TIMEOUT_S = 3600 };

static void one(uint64_t seed, struct scene_tally *t)
{
	struct sim *s;
	bool ok = scene_random(seed, &s, t);
	char text[sizeof(s->broken)];

	snprintf(text, sizeof(text), "%s", s->broken);
	if (!ok)
		fprintf(stderr, "seed %llu at %.6f s: %s\n", (unsigned long long)seed, (double)s->now / 1e6, text);
	sim_free(s);
	ck_assert_msg(ok, "CORE_SEED=%llu replays it: %s", (unsigned long long)seed, text);
}

START_TEST(random_schedules)
{
	struct scene_tally t = { 0 };
	unsigned long n = core_from_env("CORE_SEEDS", SEEDS), from = core_from_env("CORE_FROM", 1);

	if (getenv("CORE_SEED")) {
		setenv("SIM_TRACE", "1", 1);
		one(core_from_env("CORE_SEED", 1), &t);
		return;
	}
	for (unsigned long i = 0; i < n; i++)
		one(from + i, &t);
	printf("%lu schedules, %llu events: %u requests (%u on an operator's word), %u kills, %u crashes, %u cuts, "
	       "%u step faults, %u journal failures, %u server deaths; the owner changed in %u\n", n, (unsigned long long)t.events,
	       t.requests, t.confirmed, t.kills, t.crashes, t.cuts, t.faults, t.bad_writes, t.server_deaths, t.moves);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-random");
	TCase *tc = core_case(suite, "seeds");

	tcase_set_timeout(tc, SEEDS_TIMEOUT_S);
	tcase_add_test(tc, random_schedules);
	return core_suite_run(suite);
}
