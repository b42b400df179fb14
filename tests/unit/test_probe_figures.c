/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe's figures and words: histogram, gaps, options. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "gaps.h"
#include "hist.h"
#include "options.h"

static struct hist h;
static struct gaps g;

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

START_TEST(hist_small)
{
	hist_reset(&h);
	ck_assert_uint_eq(hist_permille(&h, 500), 0);
	hist_add(&h, 7);
	ck_assert_uint_eq(hist_permille(&h, 0), 7);
	ck_assert_uint_eq(hist_permille(&h, 1000), 7);
	hist_add(&h, 0);
	hist_add(&h, UINT64_MAX);
	ck_assert_uint_eq(hist_permille(&h, 333), 0);
	ck_assert_uint_eq(hist_permille(&h, 1000), UINT64_MAX);
	ck_assert_uint_eq(h.count, 3);
}
END_TEST

/* Against sorted samples over twelve decades: never below, at most 1.6 % above. */
START_TEST(hist_against_sorting)
{
	enum { N = 5000 };
	static uint64_t v[N];
	uint64_t x = 88172645463325252ULL;

	hist_reset(&h);
	for (unsigned i = 0; i < N; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		v[i] = x >> (x % 40 + 20);
		hist_add(&h, v[i]);
	}
	qsort(v, N, sizeof(v[0]), compare);
	for (unsigned p = 1; p <= 1000; p++) {
		uint64_t exact = v[(N * p + 999) / 1000 - 1];
		uint64_t got = hist_permille(&h, p);

		ck_assert_msg(got >= exact && got - exact <= exact / 64, "permille %u", p);
	}
}
END_TEST

START_TEST(gaps_steady)
{
	struct gap gap;

	gaps_init(&g, 10 * NS_PER_MS, 20 * NS_PER_MS);
	for (uint64_t i = 0; i < 100; i++)
		ck_assert(!gaps_note(&g, i * 10 * NS_PER_MS, 0, &gap));
	ck_assert_uint_eq(g.gap.count, 99);
	ck_assert_uint_eq(g.gap.max, 0);
	ck_assert_uint_eq(g.interval.max, 10 * NS_PER_MS);
}
END_TEST

START_TEST(gaps_one_stall)
{
	struct gap gap;
	uint64_t wall = 1000 * NS_PER_SEC;

	gaps_init(&g, 10 * NS_PER_MS, 20 * NS_PER_MS);
	ck_assert(!gaps_note(&g, 5 * NS_PER_SEC, wall, &gap));
	/* 30 ms after the last one: 20 ms late, which is not longer than 20. */
	ck_assert(!gaps_note(&g, 5 * NS_PER_SEC + 30 * NS_PER_MS, wall + 30 * NS_PER_MS, &gap));
	ck_assert_uint_eq(g.over[0], 0);
	ck_assert(gaps_note(&g, 5 * NS_PER_SEC + 540 * NS_PER_MS, wall + 540 * NS_PER_MS, &gap));
	ck_assert_uint_eq(gap.length_ns, 500 * NS_PER_MS);
	ck_assert_uint_eq(gap.interval_ns, 510 * NS_PER_MS);
	ck_assert_uint_eq(gap.begin_mono_ns, 5 * NS_PER_SEC + 40 * NS_PER_MS);
	ck_assert_uint_eq(gap.begin_wall_ns, wall + 40 * NS_PER_MS);
	ck_assert_uint_eq(g.over[0], 1);
	ck_assert_uint_eq(g.over[3], 1);
	ck_assert_uint_eq(g.over[4], 0);
	ck_assert_uint_eq(g.longest_ns, 500 * NS_PER_MS);
	ck_assert_uint_eq(g.longest_wall_ns, wall + 40 * NS_PER_MS);
}
END_TEST

/* A gap that a mark falls into is not lost: it belongs to the new section. */
START_TEST(gaps_across_a_mark)
{
	struct gap gap;

	gaps_init(&g, 10 * NS_PER_MS, 20 * NS_PER_MS);
	(void)gaps_note(&g, NS_PER_SEC, 0, &gap);
	gaps_clear(&g);
	ck_assert(gaps_note(&g, NS_PER_SEC + 110 * NS_PER_MS, 0, &gap));
	ck_assert_uint_eq(g.gap.count, 1);
	ck_assert_uint_eq(g.longest_ns, 100 * NS_PER_MS);
	/* A clock that goes back is no gap. */
	ck_assert(!gaps_note(&g, NS_PER_SEC, 0, &gap));
	ck_assert_uint_eq(gap.length_ns, 0);
}
END_TEST

START_TEST(option_words)
{
	struct range r;
	uint64_t n;

	ck_assert_int_eq(options_parse_size("64M", &n), 0);
	ck_assert_uint_eq(n, 64U << 20);
	ck_assert_int_eq(options_parse_size("18446744073709551615", &n), 0);
	ck_assert_int_eq(options_parse_size("18446744073709551616", &n), -1);
	ck_assert_int_eq(options_parse_size("17179869184G", &n), -1);
	ck_assert_int_eq(options_parse_size("1MB", &n), -1);
	ck_assert_int_eq(options_parse_size("-1", &n), -1);
	ck_assert_int_eq(options_parse_size("", &n), -1);
	ck_assert_int_eq(options_parse_range("0-4095", &r), 0);
	ck_assert_uint_eq(r.first, 0);
	ck_assert_uint_eq(r.last, 4095);
	ck_assert_int_eq(options_parse_range("7", &r), 0);
	ck_assert_uint_eq(r.last, 7);
	ck_assert_int_eq(options_parse_range("9-8", &r), -1);
	ck_assert_int_eq(options_parse_range("1-", &r), -1);
	ck_assert_int_eq(options_parse_range("1-9223372036854775808", &r), -1);
}
END_TEST

static int parse(struct options *opt, int argc, const char *const *argv)
{
	char message[256] = "";
	int rc = options_parse(opt, argc, (char *const *)(uintptr_t)argv, message, sizeof(message));

	ck_assert_int_eq(rc == 0, message[0] == '\0'); /* a reason with each refusal */
	return rc;
}

START_TEST(option_lines)
{
	const char *good[] = { "probe", "--file", "/x",  "--pace", "5",   "--lock",
			       "0-9",   "--no-direct", "--size", "1M", "--seconds", "3" };
	const char *bad[][3] = { { "probe", "--file", NULL },   { "probe", "--what", "1" },
				 { "probe", "--pace", "0" },    { "probe", "--pace", "x" },
				 { "probe", "--size", "4095" }, { "probe", "--name", "a\"b" },
				 { "probe", "--lock", "5-1" },  { "probe", "--seconds", "3" },
				 { "probe", "--meta", "a\"b" }, { "probe", "--meta", NULL } };
	const char *meta[] = { "probe", "--meta", "/d", "--pace", "5", "--lock", "0-9" };
	const char *both[] = { "probe", "--meta", "/d", "--file", "/x" };
	struct options opt;

	ck_assert_int_eq(parse(&opt, 12, good), 0);
	ck_assert_str_eq(opt.file, "/x");
	ck_assert_uint_eq(opt.pace_ns, 5 * NS_PER_MS);
	ck_assert_uint_eq(opt.beat_ns, 20 * NS_PER_MS);
	ck_assert(opt.lock && !opt.direct);
	ck_assert_uint_eq(opt.lock_range.last, 9);
	ck_assert_uint_eq(opt.size, 1U << 20);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(parse(&opt, bad[i][2] ? 3 : 2, bad[i]), -1);
	ck_assert_int_eq(parse(&opt, 5, meta), 0);
	ck_assert_str_eq(opt.meta, "/d");
	ck_assert_int_eq(parse(&opt, 7, meta), -1);
	ck_assert_int_eq(parse(&opt, 5, both), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("probe_figures");
	TCase *tc = tcase_create("figures");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, hist_small);
	tcase_add_test(tc, hist_against_sorting);
	tcase_add_test(tc, gaps_steady);
	tcase_add_test(tc, gaps_one_stall);
	tcase_add_test(tc, gaps_across_a_mark);
	tcase_add_test(tc, option_words);
	tcase_add_test(tc, option_lines);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
