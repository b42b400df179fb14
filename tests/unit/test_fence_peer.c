/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DRBD's fence-peer handler: answers, exit statuses, and what is not an answer. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer_handler.h"

/* The codes as DRBD defines them (enum drbd_peer_state: P_INCONSISTENT 3 ... P_FENCING 7). */
START_TEST(statuses)
{
	static const struct {
		const char *name;
		int status;
	} want[] = {
		{ "no-proof", 1 }, { "inconsistent", 3 }, { "outdated", 4 },
		{ "down", 5 },	   { "primary", 6 },	  { "fenced", 7 },
	};

	ck_assert_uint_eq(sizeof(want) / sizeof(want[0]), FENCE_PEER_ANSWER_COUNT);
	for (int a = 0; a < FENCE_PEER_ANSWER_COUNT; a++) {
		ck_assert_str_eq(fence_peer_answer_name((enum fence_peer_answer)a), want[a].name);
		ck_assert_int_eq(fence_peer_exit((enum fence_peer_answer)a), want[a].status);
	}
	for (int a = FENCE_PEER_ANSWER_COUNT; a < 1000; a++)
		ck_assert_int_eq(fence_peer_exit((enum fence_peer_answer)a), FENCE_EXIT_FROZEN);
	ck_assert_int_eq(fence_peer_exit((enum fence_peer_answer)-1), FENCE_EXIT_FROZEN);
	ck_assert_ptr_nonnull(strstr(fence_peer_exit_text(7), "fenced"));
	ck_assert_ptr_nonnull(strstr(fence_peer_exit_text(1), "frozen"));
	ck_assert_ptr_nonnull(strstr(fence_peer_exit_text(99), "frozen"));
}
END_TEST

START_TEST(from_evidence)
{
	static const enum fence_peer_answer want[FENCE_SOURCE_COUNT][2] = {
		[FENCE_BY_AGENT] = { FENCE_PEER_FENCED, FENCE_PEER_FENCED },
		[FENCE_BY_CLUSTER] = { FENCE_PEER_FENCED, FENCE_PEER_FENCED },
		[FENCE_BY_OPERATOR] = { FENCE_PEER_DOWN, FENCE_PEER_DOWN },
		[FENCE_BY_STANDDOWN] = { FENCE_PEER_NO_PROOF, FENCE_PEER_OUTDATED },
		[FENCE_BY_DRBD] = { FENCE_PEER_NO_PROOF, FENCE_PEER_NO_PROOF },
		[FENCE_BY_SILENCE] = { FENCE_PEER_NO_PROOF, FENCE_PEER_NO_PROOF },
	};
	struct fence_evidence e = { 0 };

	for (int s = 0; s < FENCE_SOURCE_COUNT; s++) {
		e.source = (enum fence_source)s;
		ck_assert_int_eq(fence_peer_answer_of(&e, false), want[s][0]);
		ck_assert_int_eq(fence_peer_answer_of(&e, true), want[s][1]);
	}
	e.source = (enum fence_source)55;
	ck_assert_int_eq(fence_peer_answer_of(&e, true), FENCE_PEER_NO_PROOF);
	ck_assert_int_eq(fence_peer_answer_of(NULL, true), FENCE_PEER_NO_PROOF);
}
END_TEST

START_TEST(request)
{
	static const char *const bad[] = { "", "a b", "a\"b", "a\nb", "a/b", "\xc3\xa4" };
	char *line = fence_peer_request("r0.Vm_store-1"), longest[200];

	ck_assert_str_eq(line, "{\"v\":1,\"cmd\":\"fence-peer\",\"resource\":\"r0.Vm_store-1\"}\n");
	free(line);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_ptr_null(fence_peer_request(bad[i]));
	memset(longest, 'r', sizeof(longest));
	longest[199] = '\0';
	ck_assert_ptr_null(fence_peer_request(longest));
}
END_TEST

static char reason[FENCE_EXPLAIN_MAX];

static enum fence_peer_line reply(const char *line, enum fence_peer_answer *a)
{
	return fence_peer_reply(line, strlen(line), "r0", a, reason);
}

START_TEST(good_replies)
{
	enum fence_peer_answer a;
	char line[256];

	for (int i = 0; i < FENCE_PEER_ANSWER_COUNT; i++) {
		snprintf(line, sizeof(line),
			 "{\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":\"%s\",\"reason\":\"by\\u0007 pdu-a\"}}",
			 fence_peer_answer_name((enum fence_peer_answer)i));
		ck_assert_int_eq(reply(line, &a), FENCE_LINE_ANSWER);
		ck_assert_int_eq((int)a, i);
		ck_assert_str_eq(reason, "by? pdu-a");
	}
	ck_assert_int_eq(reply("{\"event\":\"step\",\"peer\":\"fenced\"}", &a), FENCE_LINE_EVENT);
	ck_assert_int_eq(a, FENCE_PEER_NO_PROOF);
}
END_TEST

/* Whatever is not exactly an answer about this resource proves nothing. */
static const char *const no_answer[] = {
	"", "{", "7", "[]", "null", "\"fenced\"", "fenced", "{}", "{\"result\":7}", "{\"result\":\"ok\"}",
	"{\"result\":\"ok\",\"data\":null}", "{\"result\":\"ok\",\"data\":{\"peer\":\"fenced\"}}",
	"{\"result\":\"ok\",\"data\":{\"resource\":\"r1\",\"peer\":\"fenced\"}}",
	"{\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":\"Fenced\"}}",
	"{\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":7}}",
	"{\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":\"\"}}",
	"{\"result\":\"ok\",\"data\":{\"resource\":\"r0\"}}",
	"{\"result\":\"OK\",\"data\":{\"resource\":\"r0\",\"peer\":\"fenced\"}}",
	"{\"result\":\"error\",\"data\":{\"resource\":\"r0\",\"peer\":\"fenced\"}}",
	"{\"result\":\"ok\",\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":\"fenced\"}}",
	"{\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":\"no-proof\",\"peer\":\"fenced\"}}",
	"{\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":\"fenced\"}} x",
	"{\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":\"fenced\"}",
};

START_TEST(bad_replies)
{
	enum fence_peer_answer a;

	for (unsigned i = 0; i < sizeof(no_answer) / sizeof(no_answer[0]); i++) {
		a = FENCE_PEER_FENCED;
		ck_assert_msg(reply(no_answer[i], &a) == FENCE_LINE_REFUSED, "%s", no_answer[i]);
		ck_assert_int_eq(a, FENCE_PEER_NO_PROOF);
		ck_assert_msg(reason[0], "%s", no_answer[i]);
	}
	ck_assert_int_eq(reply("{\"result\":\"error\",\"error\":{\"message\":\"no such resource\"}}", &a),
			 FENCE_LINE_REFUSED);
	ck_assert_str_eq(reason, "no such resource");
}
END_TEST

/* Any part of a good line, and any one byte of it changed: never another proof. */
START_TEST(damaged_replies)
{
	static const char good[] =
		"{\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":\"fenced\",\"reason\":\"x\"}}";
	enum fence_peer_answer a;
	char line[sizeof(good)];

	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		ck_assert_int_ne(fence_peer_reply(good, n, "r0", &a, reason), FENCE_LINE_ANSWER);
		ck_assert_int_eq(a, FENCE_PEER_NO_PROOF);
	}
	for (size_t i = 0; i < sizeof(good) - 1; i++)
		for (int c = 0; c < 256; c++) {
			memcpy(line, good, sizeof(good));
			line[i] = (char)c;
			fence_peer_reply(line, sizeof(good) - 1, "r0", &a, reason);
			ck_assert(a == FENCE_PEER_NO_PROOF || a == FENCE_PEER_FENCED);
		}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fence-peer");
	TCase *t = tcase_create("handler");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, statuses);
	tcase_add_test(t, from_evidence);
	tcase_add_test(t, request);
	tcase_add_test(t, good_replies);
	tcase_add_test(t, bad_replies);
	tcase_add_test(t, damaged_replies);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
