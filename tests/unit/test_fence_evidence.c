/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The evidence rules as a truth table: every combination of the inputs, against
 * the rules as a reader would state them.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence.h"

static struct fence_evidence good(enum fence_source source)
{
	struct fence_evidence e = { .source = source, .said = FENCE_SAID_OFF, .acted = true, .verified = true,
				    .node = "nas1", .typed = "nas1", .who = "x", .epoch = 6, .boot_id = "b1",
				    .at_us = 500 };

	return e;
}

static struct fence_view now(void)
{
	struct fence_view v = { .node = "nas1", .epoch = 6, .boot_id = "b1", .heard_us = 400, .claimed_us = 300,
				.paused_us = -1, .now_us = 1000, .replicating = true, .need_verified = true };

	return v;
}

/* One row of the table: small numbers that the loops below count through. */
struct row {
	unsigned source, said, acted, verified, need, node, typed, epoch, boot, link;
	unsigned heard, claimed, paused, age, future;
};

static const unsigned sizes[] = {
	FENCE_SOURCE_COUNT, FENCE_SAID_COUNT, 2, 2, 2, 2, 2, 3, 2, 2, /* heard on */ 4, 4, 3, 3, 2,
};
enum { COLUMNS = sizeof(sizes) / sizeof(sizes[0]) };

/* -1 never, before, at the very moment of, after the evidence (at 500) */
static const int64_t moments[] = { -1, 400, 500, 600 };

static void build(const struct row *r, struct fence_evidence *e, struct fence_view *v)
{
	*e = good((enum fence_source)r->source);
	*v = now();
	e->said = (enum fence_said)r->said;
	e->acted = r->acted;
	e->verified = r->verified;
	v->need_verified = r->need;
	strcpy(e->node, r->node ? "nas1" : "nas2");
	strcpy(e->typed, r->typed ? "nas1" : "nas");
	e->epoch = 5 + r->epoch; /* 6 is right */
	strcpy(e->boot_id, r->boot ? "b1" : "b0");
	v->replicating = r->link;
	v->heard_us = moments[r->heard];
	v->claimed_us = moments[r->claimed];
	v->paused_us = moments[r->paused];
	v->max_age_us = r->age == 0 ? 0 : r->age == 1 ? 500 : 499;
	v->now_us = r->future ? 499 : 1000;
}

/* The rules, in words of their own. */
static bool is_proof(const struct row *r)
{
	bool about_it = r->node == 1 && r->epoch == 1 && r->boot == 1;
	bool in_time = !r->future && r->paused < 2 && r->age != 2;
	bool silent_since = r->heard < 2, unclaimed_since = r->claimed < 2;

	if (!about_it || !in_time || r->said != FENCE_SAID_OFF)
		return false;
	switch ((enum fence_source)r->source) {
	case FENCE_BY_AGENT:
		return silent_since && r->acted && (r->verified || !r->need);
	case FENCE_BY_OPERATOR:
		return silent_since && r->typed;
	case FENCE_BY_CLUSTER:
		return silent_since && r->acted;
	case FENCE_BY_STANDDOWN:
		return unclaimed_since;
	case FENCE_BY_DRBD:
		return unclaimed_since && r->link;
	case FENCE_BY_SILENCE:
	case FENCE_SOURCE_COUNT:
		break;
	}
	return false;
}

static bool count_up(unsigned *at)
{
	for (unsigned i = 0; i < COLUMNS; i++) {
		if (++at[i] < sizes[i])
			return true;
		at[i] = 0;
	}
	return false;
}

START_TEST(truth_table)
{
	unsigned at[COLUMNS] = { 0 }, seen[FENCE_VERDICT_COUNT] = { 0 };
	unsigned long rows = 0, proofs = 0, expected = 1;

	do {
		struct row r = { at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7], at[8], at[9],
				 at[10], at[11], at[12], at[13], at[14] };
		struct fence_evidence e;
		struct fence_view v;
		enum fence_verdict got;

		build(&r, &e, &v);
		got = fence_judge(&e, &v);
		if ((got == FENCE_PROOF) != is_proof(&r))
			ck_abort_msg("row %lu (%s said %s): %s", rows, fence_source_name(e.source),
				     fence_said_name(e.said), fence_verdict_text(got));
		seen[got]++;
		proofs += got == FENCE_PROOF;
		rows++;
	} while (count_up(at));
	for (unsigned i = 0; i < COLUMNS; i++)
		expected *= sizes[i];
	ck_assert_uint_eq(rows, expected);
	/* Proofs are the exception, and every reason occurs. */
	ck_assert_uint_gt(proofs, 0);
	ck_assert_uint_lt(proofs, rows / 100);
	for (unsigned i = 0; i < FENCE_VERDICT_COUNT; i++)
		ck_assert_msg(seen[i], "never seen: %s", fence_verdict_text((enum fence_verdict)i));
}
END_TEST

/* The reason given is the one that a reader would name. */
START_TEST(reasons)
{
	struct fence_view v = now();
	struct fence_evidence e = good(FENCE_BY_AGENT);

	ck_assert_int_eq(fence_judge(&e, &v), FENCE_PROOF);
	e.verified = false;
	ck_assert_int_eq(fence_judge(&e, &v), FENCE_NO_VERIFICATION);
	e.acted = false;
	ck_assert_int_eq(fence_judge(&e, &v), FENCE_NO_ACT);
	e.said = FENCE_SAID_TIMEOUT;
	ck_assert_int_eq(fence_judge(&e, &v), FENCE_NO_TIMEOUT);
	e.said = FENCE_SAID_UNKNOWN;
	ck_assert_int_eq(fence_judge(&e, &v), FENCE_NO_UNKNOWN);
	e = good(FENCE_BY_AGENT);
	v.heard_us = 501;
	ck_assert_int_eq(fence_judge(&e, &v), FENCE_NO_ALIVE_SINCE);
	strcpy(v.boot_id, "b2");
	ck_assert_int_eq(fence_judge(&e, &v), FENCE_NO_OTHER_BOOT);
	/* a peer that stood down goes on saying hello */
	v = now();
	e = good(FENCE_BY_STANDDOWN);
	v.heard_us = 900;
	ck_assert_int_eq(fence_judge(&e, &v), FENCE_PROOF);
	v.claimed_us = 900;
	ck_assert_int_eq(fence_judge(&e, &v), FENCE_NO_CLAIM_SINCE);
}
END_TEST

/* What is outside of the enums, and empty names, prove nothing. */
START_TEST(nonsense)
{
	struct fence_view v = now();
	struct fence_evidence e = good(FENCE_BY_AGENT);
	struct fence_book b = { 0 };

	e.source = (enum fence_source)77;
	ck_assert_int_eq(fence_judge(&e, &v), FENCE_NO_SILENCE);
	fence_book_add(&b, &e, 1000);
	ck_assert_ptr_null(fence_book_proof(&b, &v));
	e = good(FENCE_BY_AGENT);
	e.said = (enum fence_said)77;
	ck_assert_int_ne(fence_judge(&e, &v), FENCE_PROOF);
	e = good(FENCE_BY_OPERATOR);
	e.node[0] = e.typed[0] = v.node[0] = '\0';
	ck_assert_int_eq(fence_judge(&e, &v), FENCE_NO_OTHER_NODE);
	e = good(FENCE_BY_AGENT);
	v = now();
	e.at_us = -5;
	v.heard_us = v.paused_us = -10;
	ck_assert_int_eq(fence_judge(&e, &v), FENCE_NO_FUTURE);
	ck_assert_str_eq(fence_source_name((enum fence_source)77), "invalid");
	ck_assert_str_eq(fence_verdict_text((enum fence_verdict)77), "invalid");
}
END_TEST

START_TEST(the_book)
{
	struct fence_view v = now();
	struct fence_book b = { 0 };
	struct fence_evidence e = good(FENCE_BY_OPERATOR);
	char text[FENCE_EXPLAIN_MAX];

	ck_assert_ptr_null(fence_book_proof(&b, &v));
	ck_assert_ptr_nonnull(strstr(fence_book_explain(&b, &v, text, sizeof(text)), "nothing but silence"));
	fence_book_add(&b, &e, v.now_us);
	ck_assert_int_eq(fence_book_proof(&b, &v)->source, FENCE_BY_OPERATOR);
	e = good(FENCE_BY_AGENT);
	fence_book_add(&b, &e, v.now_us);
	ck_assert_int_eq(fence_book_proof(&b, &v)->source, FENCE_BY_AGENT);
	ck_assert_ptr_nonnull(strstr(fence_book_explain(&b, &v, text, sizeof(text)), "agent x, 0 ms ago"));
	/* the newer word of a source replaces the older, not the other way round */
	e.at_us = 450;
	e.said = FENCE_SAID_ON;
	fence_book_add(&b, &e, v.now_us);
	ck_assert_int_eq(b.of[FENCE_BY_AGENT].said, FENCE_SAID_OFF);
	e.at_us = 600;
	fence_book_add(&b, &e, v.now_us);
	ck_assert_int_eq(fence_book_proof(&b, &v)->source, FENCE_BY_OPERATOR);
	/* one from the future does not block those that come after it */
	e.at_us = 5000;
	fence_book_add(&b, &e, v.now_us);
	e = good(FENCE_BY_AGENT);
	fence_book_add(&b, &e, v.now_us);
	ck_assert_int_eq(fence_book_proof(&b, &v)->source, FENCE_BY_AGENT);
	v.heard_us = 990;
	ck_assert_ptr_null(fence_book_proof(&b, &v));
	fence_book_explain(&b, &v, text, sizeof(text));
	ck_assert_ptr_nonnull(strstr(text, "agent x said off, but the node was heard since"));
	ck_assert_ptr_nonnull(strstr(text, "nasctl fence confirm nas1"));
	for (size_t size = 0; size < sizeof(text); size++) {
		memset(text, 'x', sizeof(text));
		fence_book_explain(&b, &v, text, size);
		ck_assert(size == 0 || memchr(text, 0, size));
		ck_assert(text[size] == 'x');
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fence evidence");
	TCase *t = tcase_create("evidence");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, truth_table);
	tcase_add_test(t, reasons);
	tcase_add_test(t, nonsense);
	tcase_add_test(t, the_book);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
