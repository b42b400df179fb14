/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The timeline: what is read from an entry, the text and the SVG. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "timeline.h"

#define STEP(name, stage, node, start, took, outcome) \
	"{\"name\":\"" name "\",\"stage\":\"" stage "\",\"node\":\"" node "\",\"start_us\":" #start \
	",\"duration_us\":" #took ",\"outcome\":\"" outcome "\",\"skipped\":false,\"message\":\"<&>\"}"

static const char moved[] =
	"{\"kind\":\"switchover\",\"result\":\"done\",\"group\":\"g\",\"epoch\":12,\"source\":\"nas1\",\"target\":\"nas2\","
	"\"began\":\"2026-11-22T10:00:00.000Z\",\"total_us\":100000,\"freeze_us\":40000,\"requested_by\":\"uid 0\",\"steps\":["
	STEP("announce", "activate", "nas2", 70000, 10000, "done") ","
	STEP("presync", "pre-copy", "nas1", 0, 40000, "done") ","
	STEP("address-del", "freeze", "nas1", 40000, 10000, "done") ","
	STEP("commit", "commitment", "nas1", 50000, 10000, "done") ","
	STEP("rewarm", "confirm", "nas1", 60000, 40000, "done") "]}";

static const char rolled_back[] =
	"{\"kind\":\"switchover\",\"result\":\"rolled-back\",\"group\":\"g\",\"epoch\":12,\"source\":\"nas1\","
	"\"target\":\"nas2\",\"total_us\":100000,\"steps\":["
	STEP("address-del", "freeze", "nas1", 10000, 10000, "done") ","
	STEP("unmount", "release", "nas1", 20000, 20000, "failed") "]}";

/* The second try of a gate: the first had been rolled back. */
static const char gated[] =
	"{\"kind\":\"switchover\",\"result\":\"done\",\"group\":\"g\",\"epoch\":12,\"source\":\"nas1\","
	"\"target\":\"nas2\",\"total_us\":100000,\"steps\":["
	STEP("address-del", "freeze", "nas1", 5000, 1000, "done") ","
	STEP("announce", "activate", "nas1", 7000, 1000, "done") ","
	STEP("gate", "freeze", "nas1", 30000, 5000, "done") ","
	STEP("address-del", "freeze", "nas1", 40000, 10000, "done") ","
	STEP("announce", "activate", "nas2", 70000, 10000, "done") "]}";

static json_t *read_entry(struct timeline *t, const char *text, bool freeze_only)
{
	json_t *o = json_loads(text, 0, NULL);

	ck_assert_ptr_nonnull(o);
	ck_assert_int_eq(timeline_read(t, o, freeze_only), 0);
	return o;
}

START_TEST(reading)
{
	struct timeline t;
	json_t *o = read_entry(&t, moved, false);

	ck_assert_uint_eq(t.n, 5);
	ck_assert_str_eq(t.steps[0].name, "presync");
	ck_assert_str_eq(t.steps[4].name, "announce");
	ck_assert_int_eq(t.steps[0].node_index, 0);
	ck_assert_int_eq(t.steps[4].node_index, 1);
	ck_assert_int_eq(t.freeze_from, 40000);
	ck_assert_int_eq(t.freeze_to, 80000);
	ck_assert_int_eq(t.commit, 60000);
	ck_assert_int_eq(t.from, 0);
	ck_assert_int_eq(t.to, 100000);
	json_decref(o);
}
END_TEST

START_TEST(a_freeze_begins_with_the_gate)
{
	struct timeline t;
	json_t *o = read_entry(&t, gated, false);

	ck_assert_int_eq(t.freeze_from, 30000);
	ck_assert_int_eq(t.freeze_to, 80000);
	json_decref(o);
}
END_TEST

START_TEST(only_the_freeze)
{
	struct timeline t;
	json_t *o = read_entry(&t, moved, true);

	ck_assert_int_gt(t.from, 37000);
	ck_assert_int_lt(t.to, 83000);
	/* rewarm is cut at the window's end, and says how long it really took */
	ck_assert_str_eq(t.steps[3].name, "rewarm");
	ck_assert_int_eq(t.steps[3].end, t.to);
	ck_assert_int_eq(t.steps[3].duration, 40000);
	json_decref(o);
	o = json_loads("{\"total_us\":5,\"steps\":[" STEP("check", "check", "nas1", 0, 5, "done") "]}", 0, NULL);
	ck_assert_int_eq(timeline_read(&t, o, true), -EINVAL);
	ck_assert_int_eq(timeline_read(&t, o, false), 0);
	json_decref(o);
}
END_TEST

START_TEST(a_freeze_that_nobody_ended)
{
	struct timeline t;
	json_t *o = read_entry(&t, rolled_back, false);

	ck_assert_int_eq(t.freeze_from, 10000);
	ck_assert_int_eq(t.freeze_to, 100000);
	ck_assert(t.freeze_open);
	ck_assert_int_eq(t.commit, -1);
	json_decref(o);
}
END_TEST

START_TEST(poor_entries)
{
	static const char *const poor[] = {
		"{}", "{\"steps\":[]}", "{\"steps\":{}}", "[]", "{\"steps\":7,\"total_us\":-1}",
	};
	static const char endless[] =
		"{\"steps\":[{\"name\":\"address-del\",\"start_us\":9223372036854775807,\"duration_us\":9223372036854775807}],"
		"\"total_us\":9223372036854775807}";
	static const char *const odd[] = {
		endless,
		"{\"steps\":[7]}",
		"{\"steps\":[{\"name\":\"address-del\",\"start_us\":-5,\"duration_us\":-9}]}",
	};
	const struct view views[] = { { .width = 1 }, { .width = 10000, .colour = true, .utf8 = true } };
	struct timeline t;

	for (size_t i = 0; i < sizeof(poor) / sizeof(*poor); i++) {
		json_t *o = json_loads(poor[i], 0, NULL);

		ck_assert_int_eq(timeline_read(&t, o, false), -EINVAL);
		json_decref(o);
	}
	for (size_t i = 0; i < sizeof(odd) / sizeof(*odd); i++) {
		char *buf = NULL;
		size_t len;
		FILE *f = open_memstream(&buf, &len);
		json_t *o = read_entry(&t, odd[i], false);

		timeline_text(f, &views[0], &t);
		timeline_text(f, &views[1], &t);
		timeline_svg(f, &t);
		fclose(f);
		ck_assert_uint_lt(len, 200000);
		free(buf);
		json_decref(o);
	}
}
END_TEST

START_TEST(more_steps_than_there_is_room_for)
{
	json_t *steps = json_array(), *o;
	struct timeline t;

	for (int i = 0; i < 3 * TIMELINE_STEPS_MAX; i++)
		json_array_append_new(steps, json_pack("{s:s, s:i}", "name", "warm", "start_us", i));
	o = json_pack("{s:o}", "steps", steps);
	ck_assert_int_eq(timeline_read(&t, o, false), 0);
	ck_assert_uint_eq(t.n, TIMELINE_STEPS_MAX);
	json_decref(o);
}
END_TEST

START_TEST(ticks)
{
	ck_assert_int_eq(timeline_tick(1, 10), 100);
	ck_assert_int_eq(timeline_tick(1009000, 10), 100000);
	ck_assert_int_eq(timeline_tick(1200000, 10), 200000);
	ck_assert_int_eq(timeline_tick(INT64_C(86400000000), 2), INT64_C(50000000000));
}
END_TEST

static const char picture[] =
	"2026-11-22 10:00:00 UTC, epoch 12, by uid 0\n"
	"g: switchover nas1 -> nas2 done, total 100 ms, freeze 40.0 ms\n"
	"\n"
	"                                                   |---------------| freeze 40.0 ms\n"
	"presync         nas1       40.0 ms ################.................\n"
	"address-del     nas1       10.0 ms                 ####.............\n"
	"commit          nas1       10.0 ms                 ....####.........\n"
	"rewarm          nas1       40.0 ms                 ........################\n"
	"announce        nas2       10.0 ms                 ............####.\n"
	"                                   0                   50 ms\n"
	"                                   # nas1 (source)  # nas2 (target)  . in the freeze\n";

START_TEST(text_bars)
{
	const struct view v = { .width = 79 };
	struct timeline t;
	json_t *o = read_entry(&t, moved, false);
	char *buf = NULL;
	size_t len;
	FILE *f = open_memstream(&buf, &len);

	timeline_text(f, &v, &t);
	fclose(f);
	ck_assert_str_eq(buf, picture);
	free(buf);
	json_decref(o);
}
END_TEST

START_TEST(text_of_a_failure)
{
	const struct view v = { .width = 79 };
	struct timeline t;
	json_t *o = read_entry(&t, rolled_back, false);
	char *buf = NULL;
	size_t len;
	FILE *f = open_memstream(&buf, &len);

	timeline_text(f, &v, &t);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(buf, "nas1 -> nas2 rolled-back, total 100 ms\n"));
	ck_assert_ptr_nonnull(strstr(buf, " freeze > 90.0 ms "));
	ck_assert_ptr_nonnull(strstr(buf, "xxxx"));
	ck_assert_ptr_nonnull(strstr(buf, "unmount on nas1: failed: <&>\n"));
	free(buf);
	json_decref(o);
}
END_TEST

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	while ((text = strstr(text, part)) != NULL) {
		text += strlen(part);
		n++;
	}
	return n;
}

START_TEST(svg)
{
	struct timeline t;
	json_t *o = read_entry(&t, moved, false);
	char *buf = NULL;
	size_t len;
	FILE *f = open_memstream(&buf, &len);

	timeline_svg(f, &t);
	fclose(f);
	ck_assert_ptr_nonnull(strstr(buf, "switchover of g from nas1 to nas2</text>"));
	ck_assert_ptr_nonnull(strstr(buf, ">freeze 40.0 ms</text>"));
	ck_assert_uint_eq(count(buf, "<title>"), 5);
	ck_assert_uint_eq(count(buf, "&lt;&amp;&gt;</title>"), 5);
	ck_assert_uint_eq(count(buf, "<text "), count(buf, "</text>"));
	ck_assert_uint_eq(count(buf, "stroke-dasharray"), 1);
	ck_assert_ptr_null(strstr(buf, "nan"));
	free(buf);
	json_decref(o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl_timeline");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, reading);
	tcase_add_test(tc, only_the_freeze);
	tcase_add_test(tc, a_freeze_begins_with_the_gate);
	tcase_add_test(tc, a_freeze_that_nobody_ended);
	tcase_add_test(tc, poor_entries);
	tcase_add_test(tc, more_steps_than_there_is_room_for);
	tcase_add_test(tc, ticks);
	tcase_add_test(tc, text_bars);
	tcase_add_test(tc, text_of_a_failure);
	tcase_add_test(tc, svg);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
