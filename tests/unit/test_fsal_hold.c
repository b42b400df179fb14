/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Answers held until a record is on both nodes; clients that do not come back. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "giveup.h"
#include "hold.h"
#include "msg.h"

static int requests[200]; /* addresses to tell apart */

START_TEST(told_ended_taken)
{
	struct hold h = {0};
	const struct hold_entry *e;
	int result = 0;

	ck_assert_int_eq(hold_next_us(&h), -1);
	ck_assert_ptr_null(hold_tell(&h));
	ck_assert_int_eq(hold_add(&h, &requests[0], 5, "a", 100, 1000), 0);
	ck_assert_int_eq(hold_add(&h, &requests[1], 6, "b", 200, 1000), 0);
	ck_assert_int_eq(hold_add(&h, &requests[0], 7, "a", 300, 1000), -EEXIST);
	ck_assert_int_eq(hold_next_us(&h), 1100);
	e = hold_tell(&h);
	ck_assert_str_eq(e->name, "a");
	ck_assert_uint_eq(e->id, 1);
	ck_assert_str_eq(hold_tell(&h)->name, "b");
	ck_assert_ptr_null(hold_tell(&h));
	/* nobody takes what has not been let go */
	ck_assert(!hold_take(&h, &requests[0], &result));
	ck_assert_ptr_null(hold_end(&h, 3, HOLD_KEPT, 400));
	ck_assert_ptr_eq(hold_end(&h, 2, HOLD_KEPT, 450), &requests[1]);
	ck_assert_ptr_null(hold_end(&h, 2, HOLD_KEPT, 450));
	ck_assert_uint_eq(hold_waiting(&h), 1);
	ck_assert_int_eq(hold_next_us(&h), 1100);
	ck_assert(hold_take(&h, &requests[1], &result));
	ck_assert_int_eq(result, 6);
	ck_assert(!hold_take(&h, &requests[1], &result));
	ck_assert_ptr_eq(hold_end(&h, 1, HOLD_ALONE, 900), &requests[0]);
	ck_assert(hold_take(&h, &requests[0], &result));
	ck_assert_int_eq(result, 5);
	ck_assert_uint_eq(h.ended[HOLD_KEPT], 1);
	ck_assert_uint_eq(h.ended[HOLD_ALONE], 1);
	ck_assert_int_eq(h.took_us, 250);
	ck_assert_int_eq(h.longest_us, 800);
	hold_free(&h);
}
END_TEST

START_TEST(expires_in_time)
{
	struct hold h = {0};
	int result;

	hold_add(&h, &requests[0], 1, "a", 0, 1000);
	hold_add(&h, &requests[1], 2, "b", 500, 1000);
	ck_assert_ptr_null(hold_expire(&h, 999));
	ck_assert_ptr_eq(hold_expire(&h, 1000), &requests[0]);
	ck_assert_ptr_null(hold_expire(&h, 1000));
	ck_assert_int_eq(hold_next_us(&h), 1500);
	/* a word that comes too late */
	ck_assert_ptr_null(hold_end(&h, 1, HOLD_KEPT, 1001));
	ck_assert(hold_take(&h, &requests[0], &result));
	ck_assert_ptr_eq(hold_expire(&h, 9999), &requests[1]);
	ck_assert_uint_eq(h.ended[HOLD_EXPIRED], 2);
	ck_assert_uint_eq(h.ended[HOLD_KEPT], 0);
	hold_free(&h);
}
END_TEST

START_TEST(a_new_listener_is_told_all)
{
	struct hold h = {0};

	for (size_t i = 0; i < 3; i++)
		hold_add(&h, &requests[i], 0, "x", 0, 1000);
	while (hold_tell(&h))
		;
	ck_assert_ptr_eq(hold_end(&h, 2, HOLD_KEPT, 1), &requests[1]); /* not taken yet */
	hold_untell(&h);
	ck_assert_uint_eq(hold_tell(&h)->id, 1);
	ck_assert_uint_eq(hold_tell(&h)->id, 3);
	ck_assert_ptr_null(hold_tell(&h));
	hold_free(&h);
}
END_TEST

/* The address of a request that is gone is used again by the next one. */
START_TEST(many)
{
	struct hold h = {0};
	int result;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 200; i++)
			ck_assert_int_eq(hold_add(&h, &requests[i], i, "x", i, 1000), 0);
		for (int i = 0; i < 200; i++)
			ck_assert_ptr_eq(hold_end(&h, (uint64_t)(200 * round + (i * 7) % 200 + 1), HOLD_KEPT, 500),
					 &requests[(i * 7) % 200]);
		for (int i = 199; i >= 0; i--) {
			ck_assert(hold_take(&h, &requests[i], &result));
			ck_assert_int_eq(result, i);
		}
		ck_assert_uint_eq(h.n, 0);
	}
	ck_assert_uint_eq(h.ended[HOLD_KEPT], 600);
	hold_free(&h);
}
END_TEST

START_TEST(line)
{
	char *text = msg_record(7, "10.77.1.22-(3:a\"b)");

	ck_assert_str_eq(text, "{\"v\":1,\"record\":7,\"name\":\"10.77.1.22-(3:a\\\"b)\"}\n");
	free(text);
	ck_assert_ptr_null(msg_record(7, "\xff"));
}
END_TEST

/* ---- clients that do not come back */

START_TEST(given_up)
{
	struct giveup g = {.wait_us = 1000, .length_us = 100000}, never = {.length_us = 2000};
	const struct giveup_look none = {.in_grace = true}, all = {.in_grace = true, .back = 2};
	struct giveup_look look = all;

	/* without a wish: all of it, and no more */
	ck_assert_int_eq(giveup_judge(&never, 1, &all), GIVEUP_WAIT);
	ck_assert_int_eq(giveup_judge(&never, 2000, &all), GIVEUP_WAIT);
	ck_assert_int_eq(giveup_judge(&never, 2001, &all), GIVEUP_OVER);
	ck_assert_int_eq(giveup_judge(&g, 1, &(struct giveup_look){.back = 2}), GIVEUP_IDLE);
	/* from the moment at which grace is seen */
	ck_assert_int_eq(giveup_judge(&g, 5000, &all), GIVEUP_WAIT);
	ck_assert_int_eq(giveup_judge(&g, 5999, &all), GIVEUP_WAIT);
	ck_assert_int_eq(giveup_judge(&g, 6000, &all), GIVEUP_NOW);
	/* nobody came back; somebody has not said that he is done; somebody is on his way */
	ck_assert_int_eq(giveup_judge(&g, 99000, &none), GIVEUP_WAIT);
	look.reclaiming = 1;
	ck_assert_int_eq(giveup_judge(&g, 99000, &look), GIVEUP_WAIT);
	look.reclaiming = 0;
	look.coming = 1;
	ck_assert_int_eq(giveup_judge(&g, 99000, &look), GIVEUP_WAIT);
	ck_assert_int_eq(giveup_judge(&g, 105000, &look), GIVEUP_OVER);
	/* the next one begins anew */
	look.in_grace = false;
	ck_assert_int_eq(giveup_judge(&g, 199500, &look), GIVEUP_IDLE);
	ck_assert_int_eq(giveup_judge(&g, 200000, &all), GIVEUP_WAIT);
	ck_assert_int_eq(giveup_judge(&g, 201000, &all), GIVEUP_NOW);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsal hold");
	TCase *t = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, told_ended_taken);
	tcase_add_test(t, expires_in_time);
	tcase_add_test(t, a_new_listener_is_told_all);
	tcase_add_test(t, many);
	tcase_add_test(t, line);
	tcase_add_test(t, given_up);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
