/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The same few lines at the end of every test_core_*.c. */
#ifndef TESTS_UNIT_CORE_SUITE_H
#define TESTS_UNIT_CORE_SUITE_H

#include <check.h>

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

#endif
