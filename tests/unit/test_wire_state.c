/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A copy of the clients' state, and what has changed since, become the whole again. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state_text.h"

#define HEAD "nasd-state 2\nserver 1\n"
static const char base[] = "nasd-base 77\n" HEAD "client 3 c\nopen 3a\nopen 3b\nlock 3a\nclient 12 l\nclient 5 e\nopen 5a\nend 9\n";

static const struct {
	const char *changes, *whole;
} merged[] = {
	/* nothing has changed, but for the slots; another order */
	{ "nasd-changes 77\n" HEAD "client 5 E\nsession 5\nsame\nclient 3 C\nsession 3\nreply 1\nsame\nclient 12 L\nsame\nend 11\n",
	  HEAD "client 5 E\nsession 5\nopen 5a\nclient 3 C\nsession 3\nreply 1\nopen 3a\nopen 3b\nlock 3a\nclient 12 L\nend 12\n" },
	/* one has changed, one is gone, one is new */
	{ "nasd-changes 77\n" HEAD "client 5 E\nopen 5z\nclient 3 C\nsame\nclient 9 n\nopen 9a\nend 7\n",
	  HEAD "client 5 E\nopen 5z\nclient 3 C\nopen 3a\nopen 3b\nlock 3a\nclient 9 n\nopen 9a\nend 10\n" },
	{ "nasd-changes 77\n" HEAD "end 2\n", HEAD "end 2\n" },
};

START_TEST(whole_again)
{
	struct state_text out = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(state_text_merge(base, merged[_i].changes, &out, &e), 0);
	ck_assert_str_eq(out.text, merged[_i].whole);
	ck_assert_uint_eq(out.len, strlen(merged[_i].whole));
	free(out.text);
}
END_TEST

START_TEST(room_is_kept)
{
	struct state_text out = { .text = malloc(4096), .room = 4096 };
	char *given = out.text;
	struct err e = { 0 };

	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(state_text_merge(base, merged[i].changes, &out, &e), 0);
		ck_assert_str_eq(out.text, merged[i].whole);
		ck_assert_ptr_eq(out.text, given);
	}
	free(out.text);
}
END_TEST

static const char *const bad[] = {
	"nasd-changes 78\n" HEAD "end 2\n",                            /* of another copy */
	"nasd-base 77\n" HEAD "end 2\n", HEAD "end 2\n", "",           /* no changes */
	"nasd-changes 77\n" HEAD "client 4 x\nsame\nend 4\n",          /* not in the copy */
	"nasd-changes 77\n" HEAD "same\nend 3\n",                      /* whose? */
	"nasd-changes 77\n" HEAD "client 3 x\nsame\nsame\nend 5\n",    /* twice */
	"nasd-changes 77\n" HEAD "client 3 x\nsame\n",                 /* cut off */
	"nasd-changes 77\n" HEAD "end 2\nclient 3 x\n",
	"nasd-changes 77\n",
	"nasd-changes 77\nclient 3\nsame\nclient 3\nsame\nclient 3\nsame\nclient 3\nsame\nclient 3\nsame\nend 2\n",
};

START_TEST(refused)
{
	struct state_text out = { 0 };
	struct err e = { 0 };

	ck_assert_int_eq(state_text_merge(base, bad[_i], &out, &e), -EPROTO);
	ck_assert_str_eq(e.where, "the clients' state");
	ck_assert_int_eq(state_text_merge(bad[_i], merged[0].changes, &out, &e), -EPROTO);
	free(out.text);
}
END_TEST

START_TEST(heads)
{
	char head[STATE_TEXT_HEAD_MAX];
	uint64_t n = 1;

	ck_assert_int_eq(state_text_kind("nasd-state 2\n", &n), STATE_TEXT_WHOLE);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(state_text_head(STATE_TEXT_WHOLE, 1, head), 0);
	ck_assert_uint_eq(state_text_head(STATE_TEXT_CHANGES, UINT64_MAX, head), strlen(head));
	ck_assert_int_eq(state_text_kind(head, &n), STATE_TEXT_CHANGES);
	ck_assert_uint_eq(n, UINT64_MAX);
	ck_assert_uint_eq(state_text_head(STATE_TEXT_BASE, 5, head), strlen("nasd-base 5\n"));
	ck_assert_int_eq(state_text_kind(head, &n), STATE_TEXT_BASE);
	ck_assert_uint_eq(n, 5);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire/state");
	TCase *t = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, whole_again, 0, sizeof(merged) / sizeof(*merged));
	tcase_add_test(t, room_is_kept);
	tcase_add_loop_test(t, refused, 0, sizeof(bad) / sizeof(*bad));
	tcase_add_test(t, heads);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
