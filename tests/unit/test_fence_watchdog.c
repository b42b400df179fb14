/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Beats as text, and when the watchdog is fed. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watchdog.h"

enum { MS = 1000, STALE = 2000 * MS, FEED = 500 * MS, RETRY = 1000 * MS };

/* ---- text */

START_TEST(round_trip)
{
	static const struct fence_beat beats[] = {
		{ 1, 1, 0, true }, { 0, 7, 123456789, false }, { INT64_MAX, INT64_MAX, INT64_MAX, true },
	};
	char buf[BEAT_MAX];
	struct fence_beat b;
	struct err e = { 0 };

	for (unsigned i = 0; i < 3; i++) {
		size_t len = beat_format(&beats[i], buf);

		ck_assert_uint_lt(len, BEAT_MAX);
		ck_assert_int_eq(beat_parse(buf, len, &b, &e), 0);
		ck_assert(b.session == beats[i].session && b.seq == beats[i].seq && b.mono_us == beats[i].mono_us &&
			  b.active == beats[i].active);
		/* no part of it, and nothing behind it */
		for (size_t n = 0; n < len; n++)
			ck_assert_int_eq(beat_parse(buf, n, &b, &e), -EPROTO);
		strcat(buf, "x");
		ck_assert_int_eq(beat_parse(buf, len + 1, &b, &e), -EPROTO);
	}
	for (int s = 0; s < DOG_STATE_COUNT; s++) {
		enum dog_state back;
		uint64_t seq;
		size_t len = dog_format(42, (enum dog_state)s, buf);

		ck_assert_int_eq(dog_parse(buf, len, &seq, &back, &e), 0);
		ck_assert(seq == 42 && back == (enum dog_state)s);
		for (size_t n = 0; n < len; n++)
			ck_assert_int_eq(dog_parse(buf, n, &seq, &back, &e), -EPROTO);
	}
}
END_TEST

static const char *const malformed[] = {
	"", "\n", "beat\n", "beat 1\n", "beat 2 1 1 1 active\n", "beat 1 1 1 1\n", "beat 1 1 1 1 Active\n",
	"beat 1 1 1 1 active \n", "beat  1 1 1 1 active\n", " beat 1 1 1 1 active\n", "beat 1 -1 1 1 active\n",
	"beat 1 +1 1 1 active\n", "beat 1 01 1 1 active\n", "beat 1 1 0 1 active\n", "beat 1 x 1 1 active\n",
	"beat 1 1 9223372036854775808 1 active\n", "beat 1 1 99999999999999999999999 1 active\n",
	"beat 1 1 1 1 activeidle\n", "beat 1 1 1 1 active\n\n", "beat 1 1 1 1 active\nbeat 1 1 2 2 active\n",
	"beat 1 1 1 1 active", "dog 1 1 armed\n", "beat 1 1 1 1.5 active\n", "beat\t1 1 1 1 active\n",
};

START_TEST(malformed_beats)
{
	char big[4 * BEAT_MAX];
	struct fence_beat b;
	struct err e;

	for (unsigned i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		err_clear(&e);
		ck_assert_msg(beat_parse(malformed[i], strlen(malformed[i]), &b, &e) == -EPROTO, "\"%s\"",
			      malformed[i]);
		ck_assert_int_eq(e.cls, ERR_INPUT);
		ck_assert(!b.active && !b.seq);
	}
	memset(big, '1', sizeof(big));
	ck_assert_int_eq(beat_parse(big, sizeof(big), &b, &e), -EPROTO);
	ck_assert_int_eq(beat_parse("beat 1 1 1 1 act\0ve\n", 20, &b, &e), -EPROTO);
}
END_TEST

/* ---- decisions: the program's part played here, with a device that can fail */

static struct watchdog dog;
static int64_t now;
static bool magic, device_fails;
static unsigned opened, fed, disarmed;
static int64_t fed_at;

static void fresh_dog(void)
{
	struct watchdog_rules rules = { .stale_us = STALE, .feed_us = FEED, .retry_us = RETRY };

	watchdog_init(&dog, &rules);
	now = 1000 * MS;
	magic = true;
	device_fails = false;
	opened = fed = disarmed = 0;
}

static void act(void)
{
	for (unsigned guard = 0;; guard++) {
		enum watchdog_do what = watchdog_next(&dog, now);

		ck_assert_uint_lt(guard, 10);
		if (what == WATCHDOG_REST)
			return;
		if (!device_fails) {
			opened += what == WATCHDOG_OPEN;
			fed += what == WATCHDOG_FEED;
			disarmed += what == WATCHDOG_DISARM;
			if (what == WATCHDOG_FEED || what == WATCHDOG_OPEN)
				fed_at = now;
		}
		watchdog_done(&dog, what, !device_fails, magic, now);
	}
}

/* Time passes, and the program wakes when it was told to. */
static void pass(int64_t us)
{
	int64_t end = now + us;

	for (;;) {
		int64_t wake = watchdog_wake_us(&dog, now);

		if (wake < 0 || wake > end)
			break;
		ck_assert_int_ge(wake, now);
		now = wake > now ? wake : now + 1;
		if (now > end)
			break;
		act();
	}
	now = end;
}

static int beat(uint64_t session, uint64_t seq, int64_t age, bool active)
{
	struct fence_beat b = { session, seq, now - age, active };
	struct err e = { 0 };
	int r = watchdog_beat(&dog, &b, now, &e);

	ck_assert_int_eq(r != 0, e.cls != ERR_NONE);
	act();
	return r;
}

START_TEST(idle_arms_nothing)
{
	fresh_dog();
	act();
	ck_assert_int_eq(watchdog_wake_us(&dog, now), -1);
	ck_assert_int_eq(beat(1, 1, 0, false), 0);
	pass(60 * STALE);
	ck_assert(!opened && !fed && !disarmed);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_CLOSED);
}
END_TEST

START_TEST(active_is_fed)
{
	fresh_dog();
	for (uint64_t i = 1; i <= 100; i++) {
		ck_assert_int_eq(beat(1, i, 0, true), 0);
		ck_assert_int_eq(watchdog_state(&dog, now), DOG_ARMED);
		pass(200 * MS);
		ck_assert_int_le(now - fed_at, FEED);
	}
	ck_assert_uint_eq(opened, 1);
	ck_assert_uint_ge(fed, 100 * 200 / 500);
	ck_assert_uint_le(fed, 100 * 200 / 500 + 2);
	ck_assert_uint_eq(disarmed, 0);
}
END_TEST

/* nasd hangs: no feed later than stale after its last healthy moment. */
START_TEST(silence_starves)
{
	int64_t last;

	fresh_dog();
	beat(1, 1, 300 * MS, true);
	last = now - 300 * MS;
	pass(60 * STALE);
	ck_assert_int_le(fed_at, last + STALE);
	ck_assert_int_ge(fed_at, last + STALE - FEED);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_STARVING);
	ck_assert_int_eq(watchdog_worst_us(&dog.rules, 10000 * MS), STALE + 10000 * MS);
	/* it comes back before the device bites */
	ck_assert_int_eq(beat(1, 2, 0, true), 0);
	ck_assert_int_eq(fed_at, now);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_ARMED);
}
END_TEST

/* What does not count feeds nothing. */
START_TEST(stale_and_repeated_beats)
{
	unsigned before;

	fresh_dog();
	now = 100 * STALE;
	ck_assert_int_eq(beat(5, 10, STALE + 1, true), -EPROTO);
	ck_assert_uint_eq(opened, 0);
	ck_assert_int_eq(beat(5, 10, -1, true), -EPROTO); /* from the future */
	ck_assert_uint_eq(opened, 0);
	ck_assert_int_eq(beat(5, 10, 0, true), 0);
	pass(STALE + FEED + 1);
	before = fed;
	ck_assert_int_eq(beat(5, 10, 0, true), -EPROTO);	  /* the same number */
	ck_assert_int_eq(beat(5, 9, 0, true), -EPROTO);
	ck_assert_int_eq(beat(4, 11, 0, true), -EPROTO);	  /* an earlier nasd */
	ck_assert_int_eq(beat(4, 11, 0, false), -EPROTO);
	ck_assert_int_eq(beat(5, 11, STALE + 1, true), -EPROTO); /* waited in the queue */
	ck_assert_uint_eq(fed, before);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_STARVING);
	ck_assert_int_eq(beat(6, 1, 0, true), 0);		  /* a new nasd */
	ck_assert_uint_eq(fed, before + 1);
	ck_assert_int_eq(beat(6, 2, 0, true), -EPROTO);		  /* the same moment */
}
END_TEST

START_TEST(idle_disarms)
{
	fresh_dog();
	beat(1, 1, 0, true);
	now += 10 * MS;
	beat(1, 2, 0, false);
	ck_assert_uint_eq(disarmed, 1);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_CLOSED);
	pass(60 * STALE);
	ck_assert_uint_eq(disarmed, 1);
	beat(1, 3, 0, true);
	ck_assert_uint_eq(opened, 2);
	/* a starving one is disarmed too, when nasd says that it is not active */
	pass(2 * STALE);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_STARVING);
	beat(1, 4, 0, false);
	ck_assert_uint_eq(disarmed, 2);
}
END_TEST

/* It cannot be disarmed: fed while idle, whatever becomes of nasd. */
START_TEST(no_way_out)
{
	unsigned before;

	fresh_dog();
	magic = false;
	beat(1, 1, 0, true);
	now += 10 * MS;
	beat(1, 2, 0, false);
	ck_assert_uint_eq(disarmed, 0);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_KEPT);
	before = fed;
	pass(100 * FEED);
	ck_assert_uint_ge(fed, before + 99);
	beat(1, 3, 0, true);
	pass(60 * STALE);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_STARVING);
	ck_assert_uint_eq(opened, 1);
}
END_TEST

/* Disarming fails: then it is fed rather than let bite. */
START_TEST(disarming_fails)
{
	fresh_dog();
	beat(1, 1, 0, true);
	device_fails = true;
	now += 10 * MS;
	beat(1, 2, 0, false);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_FAILED);
	device_fails = false;
	pass(10 * FEED);
	ck_assert_uint_eq(disarmed, 0);
	ck_assert_int_le(now - fed_at, FEED);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_KEPT);
}
END_TEST

START_TEST(device_fails_to_open)
{
	uint64_t seq = 1;

	fresh_dog();
	device_fails = true;
	for (; seq < 20; seq++) {
		beat(1, seq, 0, true);
		ck_assert_int_eq(watchdog_state(&dog, now), DOG_FAILED);
		pass(200 * MS);
	}
	device_fails = false;
	for (; seq < 30; seq++) {
		beat(1, seq, 0, true);
		pass(200 * MS);
	}
	ck_assert_uint_eq(opened, 1);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_ARMED);
	/* not active: a device that fails does not matter */
	fresh_dog();
	device_fails = true;
	beat(1, 1, 0, true);
	now += 10 * MS;
	beat(1, 2, 0, false);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_CLOSED);
}
END_TEST

START_TEST(configured_without)
{
	fresh_dog();
	dog.rules.no_device = true;
	beat(1, 1, 0, true);
	pass(60 * STALE);
	ck_assert(!opened && !fed);
	ck_assert_int_eq(watchdog_state(&dog, now), DOG_NONE);
}
END_TEST

/* The program itself was stopped: it does not feed on what it had heard before. */
START_TEST(own_pause)
{
	unsigned before;

	fresh_dog();
	beat(1, 1, 0, true);
	before = fed;
	now += 10 * STALE;
	act();
	ck_assert_uint_eq(fed, before);
}
END_TEST

/*
 * Any order of beats, pauses and failures: feeding while active only within
 * stale of a beat that counted, and never while closed.
 */
START_TEST(random_schedules)
{
	unsigned seed = 7;

	for (unsigned round = 0; round < 200; round++) {
		int64_t vouched = -1;
		uint64_t seq = 1, session = 1;
		bool active = false;

		fresh_dog();
		for (unsigned i = 0; i < 200; i++) {
			unsigned roll;

			seed = seed * 1103515245U + 12345U;
			roll = seed >> 16;
			magic = roll & 1;
			device_fails = (roll >> 1) % 7 == 0;
			if ((roll >> 3) % 11 == 0)
				session++, seq = 1;
			if ((roll >> 5) % 3) {
				int64_t age = (int64_t)(roll % 30) * 100 * MS, mono = now - age;
				bool says = (roll >> 4) % 4 != 0;
				unsigned o = opened, f = fed;

				if (!beat(session, seq++, age, says)) {
					vouched = mono;
					active = says;
				}
				if ((opened > o || fed > f) && active)
					ck_assert_int_le(now - vouched, STALE);
			} else {
				pass((int64_t)(roll % 50) * 100 * MS);
				if (active && fed_at > vouched && opened)
					ck_assert_int_le(fed_at - vouched, STALE);
			}
			ck_assert(!dog.open || opened);
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fence watchdog");
	TCase *t = tcase_create("watchdog");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, round_trip);
	tcase_add_test(t, malformed_beats);
	tcase_add_test(t, idle_arms_nothing);
	tcase_add_test(t, active_is_fed);
	tcase_add_test(t, silence_starves);
	tcase_add_test(t, stale_and_repeated_beats);
	tcase_add_test(t, idle_disarms);
	tcase_add_test(t, no_way_out);
	tcase_add_test(t, disarming_fails);
	tcase_add_test(t, device_fails_to_open);
	tcase_add_test(t, configured_without);
	tcase_add_test(t, own_pause);
	tcase_add_test(t, random_schedules);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
