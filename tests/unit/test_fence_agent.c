/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How agents are called, what their answers mean, and which call follows which. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent_run.h"

enum { MS = 1000, S = 1000000 };

/* ---- one call */

static struct fence_device a_device(const char *name, unsigned level)
{
	struct fence_device d = { .path = "/usr/sbin/fence_x", .n_options = 2, .level = level,
				  .options = { { "ip", "10.0.0.1" }, { "plug", "nas1" } },
				  .timeout_us = 5 * S, .retries = 1, .retry_wait_us = 1 * S,
				  .verify = true, .verify_limit_us = 3 * S, .verify_every_us = 500 * MS };

	snprintf(d.name, sizeof(d.name), "%s", name);
	return d;
}

START_TEST(input)
{
	struct fence_device d = a_device("pdu", 1);
	char buf[FENCE_INPUT_MAX];
	int n = fence_call_input(&d, "nas1", FENCE_OFF, buf, sizeof(buf));

	ck_assert_str_eq(buf, "ip=10.0.0.1\nplug=nas1\nnodename=nas1\naction=off\n");
	ck_assert_int_eq(n, (int)strlen(buf));
	for (size_t size = 0; size < (size_t)n; size++)
		ck_assert_int_eq(fence_call_input(&d, "nas1", FENCE_OFF, buf, size), -ENOBUFS);
	/* the largest device fits */
	d.n_options = FENCE_OPTIONS_MAX;
	for (unsigned i = 0; i < FENCE_OPTIONS_MAX; i++) {
		memset(d.options[i].key, 'k', FENCE_KEY_LEN - 1);
		memset(d.options[i].value, 'v', FENCE_VALUE_LEN - 1);
	}
	ck_assert_int_gt(fence_call_input(&d, "a-node-with-thirty-one-letters-", FENCE_METADATA, buf, sizeof(buf)), 0);
}
END_TEST

static void refused(const struct fence_device *d, const char *why)
{
	struct err e = { 0 };

	ck_assert_int_eq(fence_device_check(d, &e), -EINVAL);
	ck_assert_msg(strstr(e.msg, why) != NULL, "%s: %s", why, e.msg);
}

START_TEST(device_check)
{
	struct fence_device d = a_device("pdu", 1);
	struct err e = { 0 };
	static const char *const keys[] = { "", "a b", "a=b", "#a", "a\nb" };
	static const char *const ours[] = { "action", "ACTION", "option", "nodename" };

	ck_assert_int_eq(fence_device_check(&d, &e), 0);
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		d = a_device("pdu", 1);
		strcpy(d.options[1].key, keys[i]);
		refused(&d, "no usable name");
	}
	for (unsigned i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		strcpy(d.options[1].key, ours[i]);
		refused(&d, "set by nasd itself");
	}
	strcpy(d.options[1].key, "ip");
	refused(&d, "given twice");
	d = a_device("pdu", 1);
	strcpy(d.options[0].value, "10.0.0.1\naction=on");
	refused(&d, "control character");
	d = a_device("pdu", 1);
	strcpy(d.path, "fence_x");
	refused(&d, "not absolute");
	d = a_device("pdu", 0);
	refused(&d, "begin with 1");
	d = a_device("pdu", 1);
	d.timeout_us = 0;
	refused(&d, "timeout");
	d = a_device("pdu", 1);
	d.verify_every_us = 0;
	refused(&d, "verification");
	d.verify = false;
	ck_assert_int_eq(fence_device_check(&d, &e), 0);
}
END_TEST

struct answer {
	enum fence_action action;
	struct fence_ended ended;
	enum fence_said said;
	const char *text; /* part of it */
};

static const struct answer answers[] = {
	{ FENCE_OFF, { FENCE_EXITED, 0, "Success: Powered OFF\n", "" }, FENCE_SAID_OFF, "off: done" },
	{ FENCE_OFF, { FENCE_EXITED, 1, "", "a\nUnable to connect\n\n" }, FENCE_SAID_FAILED, "off: exit status 1: Unable to connect" },
	{ FENCE_OFF, { FENCE_EXITED, 2, NULL, NULL }, FENCE_SAID_FAILED, "exit status 2" },
	{ FENCE_OFF, { FENCE_EXITED, 127, "", "" }, FENCE_SAID_FAILED, "exit status 127" },
	{ FENCE_OFF, { FENCE_SIGNALLED, 11, "", "" }, FENCE_SAID_UNKNOWN, "signal 11" },
	{ FENCE_OFF, { FENCE_TIMED_OUT, 0, "Success", "" }, FENCE_SAID_TIMEOUT, "no answer in time" },
	{ FENCE_OFF, { FENCE_NOT_RUN, ENOENT, NULL, NULL }, FENCE_SAID_FAILED, "No such file" },
	{ FENCE_OFF, { (enum fence_end)9, 0, NULL, NULL }, FENCE_SAID_UNKNOWN, "no known end" },
	{ FENCE_ON, { FENCE_EXITED, 0, "", "" }, FENCE_SAID_ON, "on: done" },
	{ FENCE_ON, { FENCE_EXITED, 1, "", "" }, FENCE_SAID_FAILED, "on: exit status 1" },
	{ FENCE_STATUS, { FENCE_EXITED, 0, "Status: ON\n", "" }, FENCE_SAID_ON, "status: on" },
	{ FENCE_STATUS, { FENCE_EXITED, 2, "Status: OFF\n", "" }, FENCE_SAID_OFF, "status: off" },
	{ FENCE_STATUS, { FENCE_EXITED, 2, "", "" }, FENCE_SAID_OFF, "status: off" },
	{ FENCE_STATUS, { FENCE_EXITED, 1, "", "" }, FENCE_SAID_FAILED, "exit status 1" },
	{ FENCE_STATUS, { FENCE_EXITED, 3, "Status: OFF", "" }, FENCE_SAID_UNKNOWN, "exit status 3: Status: OFF" },
	{ FENCE_STATUS, { FENCE_EXITED, 2, "x\nSTATUS:on\n", "" }, FENCE_SAID_UNKNOWN, "contradicts exit status 2" },
	{ FENCE_STATUS, { FENCE_EXITED, 0, "status:  Off", "" }, FENCE_SAID_UNKNOWN, "contradicts exit status 0" },
	{ FENCE_STATUS, { FENCE_EXITED, 2, "Status: ONLINE", "" }, FENCE_SAID_OFF, "status: off" },
	{ FENCE_STATUS, { FENCE_EXITED, 1, "\x1b[2J\xff\x01 no", "" }, FENCE_SAID_FAILED, "?[2J?? no" },
	{ FENCE_STATUS, { FENCE_SIGNALLED, 9, "Status: OFF", "" }, FENCE_SAID_UNKNOWN, "signal 9" },
	{ FENCE_STATUS, { FENCE_TIMED_OUT, 2, "Status: OFF", "" }, FENCE_SAID_TIMEOUT, "" },
	{ FENCE_MONITOR, { FENCE_EXITED, 0, "", "" }, FENCE_SAID_ON, "monitor: done" },
	{ FENCE_MONITOR, { FENCE_EXITED, 2, "", "" }, FENCE_SAID_ON, "monitor: done" },
	{ FENCE_MONITOR, { FENCE_EXITED, 1, "", "" }, FENCE_SAID_FAILED, "" },
	{ FENCE_METADATA, { FENCE_EXITED, 0, "<x/>", "" }, FENCE_SAID_ON, "metadata: done" },
};

START_TEST(meaning)
{
	for (unsigned i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		char text[FENCE_TEXT_LEN];
		enum fence_said said = fence_call_judge(answers[i].action, &answers[i].ended, text);

		ck_assert_msg(said == answers[i].said, "answer %u: %s (%s)", i, fence_said_name(said), text);
		ck_assert_msg(strstr(text, answers[i].text) != NULL, "answer %u: %s", i, text);
	}
}
END_TEST

/* Off is said by nothing but "off" with status 0 and "status" with status 2. */
START_TEST(off_is_rare)
{
	char text[FENCE_TEXT_LEN];

	for (int action = 0; action < FENCE_ACTION_COUNT; action++)
		for (int end = 0; end < 5; end++)
			for (int code = 0; code < 256; code++) {
				struct fence_ended ended = { (enum fence_end)end, code, "Status: OFF", "off" };
				bool off = fence_call_judge((enum fence_action)action, &ended, text) == FENCE_SAID_OFF;

				ck_assert_int_eq(off, end == FENCE_EXITED &&
							      ((action == FENCE_OFF && code == 0) ||
							       (action == FENCE_STATUS && code == 2)));
			}
}
END_TEST

START_TEST(long_garbage)
{
	char *big = malloc(100001), text[FENCE_TEXT_LEN];
	struct fence_ended ended = { FENCE_EXITED, 1, big, big };

	memset(big, 0xe2, 100000);
	big[100000] = '\0';
	ck_assert_int_eq(fence_call_judge(FENCE_STATUS, &ended, text), FENCE_SAID_FAILED);
	ck_assert_uint_lt(strlen(text), FENCE_TEXT_LEN);
	free(big);
}
END_TEST

START_TEST(metadata)
{
	static const char xml[] = "<?xml version='1.0'?><resource-agent name=\"fence_x\">\n"
				  "<parameter name=\"plug\" unique=\"0\" required='1'>\n<parameter unique='1' name='ip'>"
				  "<actions><action name=\"off\" /><action automatic='0' name='status'/>\n</actions>";

	ck_assert(fence_metadata_has(xml, "action", "off"));
	ck_assert(fence_metadata_has(xml, "action", "status"));
	ck_assert(fence_metadata_has(xml, "parameter", "plug"));
	ck_assert(fence_metadata_has(xml, "parameter", "ip"));
	ck_assert(!fence_metadata_has(xml, "action", "on"));
	ck_assert(!fence_metadata_has(xml, "action", "of"));
	ck_assert(!fence_metadata_has(xml, "action", "plug"));
	ck_assert(!fence_metadata_has(xml, "act", "off"));
	for (size_t n = 0; n < sizeof(xml); n++) {
		char *part = strndup(xml, n); /* so that a sanitizer sees the end */

		fence_metadata_has(part, "action", "status");
		free(part);
	}
	ck_assert(!fence_metadata_has(NULL, "action", "off"));
	ck_assert(!fence_metadata_has("<action name=\"off", "action", "off"));
}
END_TEST

/* ---- which call follows which: a plan, answers, and the calls that came of it */

static struct fence_plan plan;
static struct fence_run run;
static char calls[4096];
static int64_t clock_us;

static void plan_of(unsigned n, const unsigned *levels)
{
	static const char *const names[] = { "a", "b", "c", "d" };

	memset(&plan, 0, sizeof(plan));
	strcpy(plan.node, "nas1");
	plan.n_devices = n;
	for (unsigned i = 0; i < n; i++)
		plan.devices[i] = a_device(names[i], levels[i]);
	plan.total_us = 200 * S;
}

/* "0", "1", "2": exit status after 100 ms; "hang"; "sig"; "none": cannot be run */
static struct fence_ended answer(const char *word)
{
	struct fence_ended e = { FENCE_EXITED, 0, "", "" };

	if (!strcmp(word, "sig")) {
		e.end = FENCE_SIGNALLED;
		e.code = 9;
	} else if (!strcmp(word, "none")) {
		e.end = FENCE_NOT_RUN;
		e.code = ENOENT;
	} else if (!strcmp(word, "hang")) {
		e.end = FENCE_TIMED_OUT;
	} else {
		e.code = atoi(word);
	}
	return e;
}

/* Plays until done; the last answer is repeated. */
static void play(enum fence_goal goal, unsigned level, uint64_t random, const char *words)
{
	char *copy = strdup(words), *save = NULL, *word = strtok_r(copy, " ", &save), *next;
	struct fence_step step;
	int64_t began = clock_us;

	calls[0] = '\0';
	fence_run_begin(&run, &plan, goal, level, random, clock_us);
	for (unsigned guard = 0;; guard++) {
		struct fence_ended e;
		size_t n = strlen(calls);

		ck_assert_uint_lt(guard, 1000);
		fence_run_next(&run, clock_us, &step);
		if (step.kind == FENCE_STEP_DONE)
			break;
		if (step.kind == FENCE_STEP_WAIT) {
			ck_assert_int_gt(step.until_us, clock_us);
			clock_us = step.until_us;
			continue;
		}
		ck_assert_int_eq(step.kind, FENCE_STEP_CALL);
		snprintf(calls + n, sizeof(calls) - n, "%s%lld:%s %s", n ? ", " : "",
			 (long long)((clock_us - began) / MS), plan.devices[step.device].name,
			 fence_action_name(step.action));
		e = answer(word);
		clock_us += e.end == FENCE_TIMED_OUT ? step.until_us - clock_us : 100 * MS;
		fence_run_next(&run, clock_us, &step);
		ck_assert_int_eq(step.kind, FENCE_STEP_BUSY);
		fence_run_ended(&run, &e, clock_us);
		next = strtok_r(NULL, " ", &save);
		word = next ? next : word;
	}
	free(copy);
	ck_assert(run.finished);
}

static const unsigned one[] = { 1 }, two_levels[] = { 1, 2 }, two_psus[] = { 1, 1, 2 };

static struct fence_evidence proof(void)
{
	struct fence_evidence e;

	fence_run_evidence(&run, 6, "b1", &e);
	return e;
}

START_TEST(straight)
{
	plan_of(1, one);
	play(FENCE_GOAL_OFF, 0, 0, "0 2");
	ck_assert_str_eq(calls, "0:a off, 100:a status");
	ck_assert(run.success && proof().acted && proof().verified);
	ck_assert_int_eq(proof().said, FENCE_SAID_OFF);
	ck_assert_str_eq(proof().who, "a");
	ck_assert_str_eq(proof().node, "nas1");
	/* dated at the start of the status query */
	ck_assert_int_eq(proof().at_us, run.began_us + 100 * MS);
	ck_assert_str_eq(run.story, "+100 ms a: off: done\n+200 ms a: status: off\n+200 ms nas1 is fenced by level 1");
}
END_TEST

START_TEST(slow_to_go_off)
{
	plan_of(1, one);
	play(FENCE_GOAL_OFF, 0, 0, "0 0 0 1 hang 0 2");
	ck_assert_str_eq(calls, "0:a off, 100:a status, 700:a status, 1300:a status, 1900:a status, "
				"7900:a off, 8000:a status");
	ck_assert(run.success);
	ck_assert_ptr_nonnull(strstr(run.story, "could not be verified"));
}
END_TEST

/* Every answer that is not an "off: done" or not a "status: off" fails. */
START_TEST(nothing_else_will_do)
{
	static const char *const words[] = { "1", "3", "hang", "sig", "none", "255" };

	plan_of(1, one);
	for (unsigned i = 0; i < 6; i++) {
		char script[64];

		play(FENCE_GOAL_OFF, 0, 0, words[i]);
		ck_assert(!run.success && !proof().acted && !proof().verified);
		ck_assert_int_ne(proof().said, FENCE_SAID_OFF);
		ck_assert_uint_eq(run.state[0].attempts, 2);
		snprintf(script, sizeof(script), "0 %s", words[i]);
		plan.devices[0].retries = 0;
		play(FENCE_GOAL_OFF, 0, 0, script);
		ck_assert(!run.success && !proof().acted);
		ck_assert_int_ne(proof().said, FENCE_SAID_OFF);
		plan.devices[0].retries = 1;
	}
	/* it says on for good */
	play(FENCE_GOAL_OFF, 0, 0, "0");
	ck_assert(!run.success);
	ck_assert_int_eq(proof().said, FENCE_SAID_ON);
}
END_TEST

START_TEST(retries)
{
	plan_of(1, one);
	play(FENCE_GOAL_OFF, 0, 0, "1 0 2");
	ck_assert_str_eq(calls, "0:a off, 1100:a off, 1200:a status");
	ck_assert(run.success);
	play(FENCE_GOAL_OFF, 0, 0, "hang 0 2");
	ck_assert_str_eq(calls, "0:a off, 6000:a off, 6100:a status");
	ck_assert(run.success);
}
END_TEST

START_TEST(levels)
{
	plan_of(2, two_levels);
	play(FENCE_GOAL_OFF, 0, 0, "1 1 0 2");
	ck_assert_str_eq(calls, "0:a off, 1100:a off, 1200:b off, 1300:b status");
	ck_assert(run.success && run.level == 2 && proof().verified);
	ck_assert_str_eq(proof().who, "b");
	ck_assert_ptr_nonnull(strstr(run.story, "level 1 has failed"));
	/* two power supplies: both, or the next level */
	plan_of(3, two_psus);
	play(FENCE_GOAL_OFF, 0, 0, "0 2 0 2");
	ck_assert_str_eq(calls, "0:a off, 100:a status, 200:b off, 300:b status");
	ck_assert(run.success && run.level == 1);
	play(FENCE_GOAL_OFF, 0, 0, "0 2 1 1 0 2");
	ck_assert_str_eq(calls, "0:a off, 100:a status, 200:b off, 1300:b off, 1400:c off, 1500:c status");
	ck_assert(run.success && run.level == 2);
	play(FENCE_GOAL_OFF, 0, 0, "1 1 0 2"); /* b is not asked when a has failed */
	ck_assert_str_eq(calls, "0:a off, 1100:a off, 1200:c off, 1300:c status");
	play(FENCE_GOAL_OFF, 0, 0, "0 2 1");
	ck_assert(!run.success && !proof().acted);
	ck_assert_int_ne(proof().said, FENCE_SAID_OFF);
}
END_TEST

START_TEST(without_verification)
{
	plan_of(3, two_psus);
	plan.devices[1].verify = false;
	play(FENCE_GOAL_OFF, 0, 0, "0 2 0");
	ck_assert_str_eq(calls, "0:a off, 100:a status, 200:b off");
	ck_assert(run.success && proof().acted && !proof().verified);
}
END_TEST

START_TEST(delay)
{
	plan_of(1, one);
	plan.delay_us = 2 * S;
	plan.delay_random_us = 1 * S;
	play(FENCE_GOAL_OFF, 0, 0, "0 2");
	ck_assert_str_eq(calls, "2000:a off, 2100:a status");
	play(FENCE_GOAL_OFF, 0, 1 * S, "0 2");
	ck_assert_str_eq(calls, "3000:a off, 3100:a status");
	play(FENCE_GOAL_OFF, 0, 1 * S + 1, "0 2");
	ck_assert_str_eq(calls, "2000:a off, 2100:a status");
	for (uint64_t random = 1; random; random *= 3) {
		play(FENCE_GOAL_OFF, 0, random, "0 2");
		ck_assert(atoi(calls) >= 2000 && atoi(calls) <= 3000);
		if (random > UINT64_MAX / 3)
			break;
	}
	/* not for the others */
	play(FENCE_GOAL_ON, 0, 0, "0");
	ck_assert_str_eq(calls, "0:a on");
}
END_TEST

START_TEST(total_limit)
{
	struct err e = { 0 };

	plan_of(2, two_levels);
	ck_assert_int_eq(fence_plan_worst_us(&plan), 2 * (2 * (5 + 3 + 5) + 1) * (int64_t)S);
	plan.total_us = fence_plan_worst_us(&plan) - 1;
	ck_assert_int_eq(fence_plan_check(&plan, &e), -EINVAL);
	ck_assert_ptr_nonnull(strstr(e.msg, "53999 ms is less than the 54000 ms"));
	plan.total_us++;
	ck_assert_int_eq(fence_plan_check(&plan, &e), 0);
	/* everything hangs: both levels had their turn within the limit */
	play(FENCE_GOAL_OFF, 0, 0, "hang");
	ck_assert_str_eq(calls, "0:a off, 6000:a off, 11000:b off, 17000:b off");
	ck_assert(!run.success && run.ended_us - run.began_us <= plan.total_us);
	/* the limit ends a call and the run */
	plan.total_us = 8 * S;
	play(FENCE_GOAL_OFF, 0, 0, "hang");
	ck_assert_str_eq(calls, "0:a off, 6000:a off");
	ck_assert_int_eq(run.ended_us - run.began_us, 8 * S);
	ck_assert_ptr_nonnull(strstr(run.story, "the limit of 8000 ms is reached"));
}
END_TEST

START_TEST(plan_check)
{
	static const unsigned bad[][3] = { { 2, 3, 4 }, { 1, 3, 4 }, { 1, 2, 1 }, { 2, 1, 1 } };
	struct err e = { 0 };

	plan_of(3, two_psus);
	ck_assert_int_eq(fence_plan_check(&plan, &e), 0);
	plan.n_devices = 0;
	ck_assert_int_eq(fence_plan_check(&plan, &e), -EINVAL);
	plan.n_devices = FENCE_DEVICES_MAX + 1;
	ck_assert_int_eq(fence_plan_check(&plan, &e), -EINVAL);
	for (unsigned i = 0; i < 4; i++) {
		plan_of(3, bad[i]);
		ck_assert_int_eq(fence_plan_check(&plan, &e), -EINVAL);
	}
	plan_of(3, two_psus);
	plan.delay_us = -1;
	ck_assert_int_eq(fence_plan_check(&plan, &e), -EINVAL);
}
END_TEST

START_TEST(on_and_look)
{
	plan_of(3, two_psus);
	play(FENCE_GOAL_ON, 1, 0, "0 0");
	ck_assert_str_eq(calls, "0:a on, 100:b on");
	ck_assert(run.success && !proof().acted);
	play(FENCE_GOAL_ON, 2, 0, "1 0");
	ck_assert_str_eq(calls, "0:c on, 1100:c on");
	ck_assert(run.success);
	play(FENCE_GOAL_ON, 1, 0, "1 1 0");
	ck_assert(!run.success);
	play(FENCE_GOAL_ON, 7, 0, "0");
	ck_assert(!run.success);
	ck_assert_str_eq(calls, "");
	/* looking is no proof, whatever is seen */
	play(FENCE_GOAL_LOOK, 0, 0, "0 2 0");
	ck_assert_str_eq(calls, "0:a status, 100:b status, 200:c status");
	ck_assert(run.success && !proof().acted && !proof().verified);
	ck_assert_int_eq(run.state[0].said, FENCE_SAID_ON);
	ck_assert_int_eq(run.state[1].said, FENCE_SAID_OFF);
	play(FENCE_GOAL_LOOK, 0, 0, "2");
	ck_assert_int_ne(proof().said, FENCE_SAID_OFF);
	play(FENCE_GOAL_LOOK, 0, 0, "0 hang 0");
	ck_assert(!run.success);
	ck_assert_int_eq(run.state[2].said, FENCE_SAID_ON);
}
END_TEST

START_TEST(cancelled)
{
	struct fence_ended off = { FENCE_EXITED, 0, "", "" };
	struct fence_step step;

	plan_of(1, one);
	fence_run_begin(&run, &plan, FENCE_GOAL_OFF, 0, 0, clock_us);
	fence_run_next(&run, clock_us, &step);
	fence_run_cancel(&run, "nas1 was heard", clock_us);
	fence_run_ended(&run, &off, clock_us);
	fence_run_next(&run, clock_us, &step);
	ck_assert_int_eq(step.kind, FENCE_STEP_DONE);
	ck_assert(!run.success && run.cancelled && !proof().acted);
	ck_assert_ptr_nonnull(strstr(run.story, "given up: nas1 was heard"));
	ck_assert_ptr_nonnull(strstr(run.story, "its 'off' may happen, or not"));
}
END_TEST

/* Any answers at all: the run ends, and success means both were seen. */
START_TEST(any_answers)
{
	static const char *const words[] = { "0", "1", "2", "3", "hang", "sig", "none" };
	unsigned seed = 1;

	for (unsigned i = 0; i < 3000; i++) {
		char script[256] = "";

		for (unsigned k = 0; k < 24; k++) {
			seed = seed * 1103515245U + 12345U;
			strcat(script, words[(seed >> 16) % 7]);
			strcat(script, " ");
		}
		plan_of(3, two_psus);
		play(FENCE_GOAL_OFF, 0, 0, script);
		for (unsigned d = 0; d < 3; d++)
			if (run.success && plan.devices[d].level == run.level)
				ck_assert_msg(run.state[d].acted && run.state[d].verified &&
						      run.state[d].said == FENCE_SAID_OFF,
					      "%s\n%s", script, run.story);
		ck_assert_int_eq(run.success, proof().acted && proof().verified && proof().said == FENCE_SAID_OFF);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fence agents");
	TCase *call = tcase_create("one call"), *order = tcase_create("which follows which");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(call, input);
	tcase_add_test(call, device_check);
	tcase_add_test(call, meaning);
	tcase_add_test(call, off_is_rare);
	tcase_add_test(call, long_garbage);
	tcase_add_test(call, metadata);
	tcase_add_test(order, straight);
	tcase_add_test(order, slow_to_go_off);
	tcase_add_test(order, nothing_else_will_do);
	tcase_add_test(order, retries);
	tcase_add_test(order, levels);
	tcase_add_test(order, without_verification);
	tcase_add_test(order, delay);
	tcase_add_test(order, total_limit);
	tcase_add_test(order, plan_check);
	tcase_add_test(order, on_and_look);
	tcase_add_test(order, cancelled);
	tcase_add_test(order, any_answers);
	suite_add_tcase(s, call);
	suite_add_tcase(s, order);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
