/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Goes through a directory of malformed inputs, one per file, and judges the
 * error that each of them gives. Run from the top of the repository.
 */
#ifndef NASD_TESTS_UNIT_CORPUS_H
#define NASD_TESTS_UNIT_CORPUS_H

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

enum { CORPUS_FILE_MAX = 1 << 20 };

struct corpus_file {
	char name[256];
	size_t len;
	char *bytes;
};

/* Calls each with every file whose name ends in suffix; returns their number. */
static inline unsigned corpus_each(const char *dir, const char *suffix, void (*each)(const struct corpus_file *))
{
	DIR *d = opendir(dir);
	struct corpus_file f;
	struct dirent *de;
	unsigned n = 0;

	ck_assert_msg(d != NULL, "no directory %s: run from the top of the repository", dir);
	while ((de = readdir(d))) {
		char path[1024];
		size_t name_len = strlen(de->d_name), suffix_len = strlen(suffix);
		FILE *file;

		if (de->d_name[0] == '.' || name_len < suffix_len ||
		    strcmp(de->d_name + name_len - suffix_len, suffix) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		file = fopen(path, "rb");
		ck_assert_msg(file != NULL, "cannot open %s", path);
		snprintf(f.name, sizeof(f.name), "%s", de->d_name);
		f.bytes = malloc(CORPUS_FILE_MAX);
		ck_assert(f.bytes != NULL);
		f.len = fread(f.bytes, 1, CORPUS_FILE_MAX, file);
		fclose(file);
		/* an allocation of exact size, so that a read past it is seen */
		f.bytes = realloc(f.bytes, f.len ? f.len : 1);
		each(&f);
		free(f.bytes);
		n++;
	}
	closedir(d);
	return n;
}

/* An error that a person can use: a place, a message, in printable ASCII or
 * UTF-8 on one line. */
static inline void corpus_check_error(const struct corpus_file *f, int ret, const struct err *err)
{
	char text[1024];

	ck_assert_msg(ret < 0, "%s: accepted", f->name);
	err_format(err, text, sizeof(text));
	ck_assert_msg(err->cls != ERR_NONE && err->where[0] && err->msg[0], "%s: unclear error: %s", f->name, text);
	for (const char *p = text; *p; p++)
		ck_assert_msg((unsigned char)*p >= 0x20 && *p != 0x7f, "%s: control character in: %s", f->name, text);
	if (getenv("CORPUS_VERBOSE"))
		printf("%-32s %s\n", f->name, text);
}

static inline int corpus_all_zero(const void *p, size_t len)
{
	const unsigned char *b = p;

	for (size_t i = 0; i < len; i++)
		if (b[i])
			return 0;
	return 1;
}

/* The main of a test program with one test case. */
static inline int corpus_run(TCase *tc, const char *name)
{
	Suite *s = suite_create(name);
	SRunner *r;
	int failed;

	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}

#endif
