/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the test_core_*.c share. */
#ifndef TESTS_UNIT_CORE_SUITE_H
#define TESTS_UNIT_CORE_SUITE_H

#include <check.h>
#include <stdlib.h>

#include "sim.h"

enum { CORE_TIMEOUT_S = 120 };

static inline int core_suite_run(Suite *suite)
{
	SRunner *sr = srunner_create(suite);
	int failed;

	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}

static inline TCase *core_case(Suite *suite, const char *name)
{
	TCase *tc = tcase_create(name);

	tcase_set_timeout(tc, CORE_TIMEOUT_S);
	suite_add_tcase(suite, tc);
	return tc;
}

static inline unsigned long core_from_env(const char *name, unsigned long otherwise)
{
	const char *v = getenv(name);

	return v ? strtoul(v, NULL, 10) : otherwise;
}

/* The end of a story: it comes to rest with this node active. */
static inline void core_rest(struct sim *s, int active)
{
	ck_assert_msg(sim_settle(s), "%s", s->broken);
	ck_assert_int_eq(sim_active(s), active);
	sim_free(s);
}

static inline struct sim_reply *core_ask(struct sim *s, int node, enum request_kind kind, int target, bool confirmed)
{
	int i = sim_request(s, node, kind, target, confirmed);

	ck_assert_int_ge(i, 0);
	return &s->replies[i];
}

#endif
