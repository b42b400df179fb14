/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A directory of a test's own, and its end. */
#ifndef NASD_TESTS_SCRATCH_H
#define NASD_TESTS_SCRATCH_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static inline int scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

/* Removes dir and all in it; 0, or -1 when something is left. */
static inline int scratch_remove(const char *dir)
{
	return nftw(dir, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Makes dir (a template for mkdtemp), runs the suite, removes dir: main's result. */
static inline int scratch_run(Suite *s, char *dir)
{
	SRunner *r = srunner_create(s);
	int failed;

	if (!mkdtemp(dir))
		return EXIT_FAILURE;
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return scratch_remove(dir) || failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
