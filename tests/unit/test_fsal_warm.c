/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* First touches: what was touched is there, and as it was. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "warm.h"

#if defined(__has_feature)
#define HAS_ASAN __has_feature(address_sanitizer)
#else
#define HAS_ASAN 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_ASAN
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

enum { BYTES = 8 << 20, BLOCK = 64 << 10 };

/* More variables than anything else has touched: a page each. */
static unsigned char variables[64][4096] __attribute__((aligned(4096)));

static long faults(void)
{
	struct rusage u;

	ck_assert_int_eq(getrusage(RUSAGE_SELF, &u), 0);
	return u.ru_minflt;
}

START_TEST(map_lines)
{
	static const struct {
		const char *line;
		int want;
		uintptr_t from, to;
	} rows[] = {
		{"40a8d000-4128d000 rw-p 00000000 00:00 0 \n", 1, 0x40a8d000, 0x4128d000},
		{"552aab2000-552aaff000 rwxp 00000000 00:00 0     [heap]\n", 1, 0x552aab2000, 0x552aaff000},
		{"7f00aaaa0000-7f00aaaa1000 r--p 00000000 00:00 0\n", 0, 0x7f00aaaa0000, 0x7f00aaaa1000},
		{"7f00aaaa0000-7f00aaaa1000 ---p 00000000 00:00 0\n", 0, 0x7f00aaaa0000, 0x7f00aaaa1000},
		{"7f00aaaa0000-7f00aaaa1000 rw-s 00000000 00:01 99 /dev/zero\n", 0, 0x7f00aaaa0000, 0x7f00aaaa1000},
		{"7f00aaaa0000-7f00aaaa1000 rw-p 00000000 08:01 77 /lib/x.so\n", 0, 0x7f00aaaa0000, 0x7f00aaaa1000},
	};
	static const char *const bad[] = {"", "\n", "nonsense", "2000-1000 rw-p 00000000 00:00 0\n",
					  "1000-1000 rw-p 00000000 00:00 0\n", "1000-2000 rw-p 0 00:00\n"};
	uintptr_t from, to;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		ck_assert_msg(warm_parse_map(rows[i].line, &from, &to) == rows[i].want, "%s", rows[i].line);
		ck_assert_uint_eq(from, rows[i].from);
		ck_assert_uint_eq(to, rows[i].to);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(warm_parse_map(bad[i], &from, &to) == -1, "%s", bad[i]);
}
END_TEST

START_TEST(variables_are_there_and_unchanged)
{
	struct warm_counts n;
	long before;

	variables[7][100] = 42;
	warm_memory(0, &n);
	ck_assert_uint_gt(n.read_pages, 100); /* libc's code alone */
	ck_assert_uint_ge(n.written_pages, sizeof(variables) / sizeof(variables[0]));
	ck_assert_uint_gt(n.ranges, 0);
	before = faults();
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		((volatile unsigned char *)variables[i])[8] += 1;
	ck_assert_int_lt(faults() - before, 16); /* a sanitizer has pages of its own */
	ck_assert_uint_eq(variables[7][100], 42);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		ck_assert_uint_eq(variables[i][0], 0);
}
END_TEST

static long faults_of_heap(void)
{
	long before = faults();
	volatile char *block[BYTES / BLOCK / 2];

	for (size_t i = 0; i < sizeof(block) / sizeof(*block); i++) {
		block[i] = malloc(BLOCK);
		ck_assert_ptr_nonnull((void *)block[i]);
		for (size_t at = 0; at < BLOCK; at += 4096)
			block[i][at] = 1;
	}
	for (size_t i = 0; i < sizeof(block) / sizeof(*block); i++)
		free((void *)block[i]);
	return faults() - before;
}

START_TEST(the_heap_stays)
{
	struct warm_counts n;
	long cold, warm;

	if (SANITIZED) {
		printf("  skipped: AddressSanitizer's heap is another\n");
		return;
	}
	cold = faults_of_heap();
	warm_keep_heap();
	warm_memory(BYTES, &n);
	warm = faults_of_heap();
	printf("  faults of %d MiB of heap: %ld cold, %ld warm; warming took %ld us\n", BYTES / 2 >> 20, cold, warm,
	       (long)n.took_us);
	ck_assert_int_gt(cold, 500);
	ck_assert_int_lt(warm, cold / 10);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsal_warm");
	TCase *t = tcase_create("fsal_warm");
	SRunner *r;
	int failed;

	tcase_add_test(t, map_lines);
	tcase_add_test(t, variables_are_there_and_unchanged);
	tcase_add_test(t, the_heap_stays);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
