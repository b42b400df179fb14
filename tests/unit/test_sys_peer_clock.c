/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The difference of the two nodes' clocks, from heartbeats that take their time. */
#include "peer_clock.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>

START_TEST(clock_filter)
{
	struct peer_clock a = { .newest_rtt_us = -1 }, b = { .newest_rtt_us = -1 };
	const int64_t skew = 123456789;
	int64_t now = 1000000, offset = 0, rtt = 0;
	struct peer_msg m;
	int i;

	peer_clock_restart(&a);
	peer_clock_restart(&b);
	ck_assert(!peer_clock_offset(&a, &offset, &rtt));
	for (i = 0; i < 20; i++) {
		/* There 100 us; back 100 us, but once in a while 9 ms. */
		peer_clock_fill(&a, now, &m);
		now += 100;
		peer_clock_take(&b, now + skew, &m);
		now += 20000;
		peer_clock_fill(&b, now + skew, &m);
		now += i == 10 ? 100 : 9000;
		peer_clock_take(&a, now, &m);
		now += 30000;
	}
	ck_assert(peer_clock_offset(&a, &offset, &rtt));
	ck_assert_int_eq(rtt, 200);
	ck_assert_int_eq(offset, skew);
	/* An echo from the future, a hold longer than the past. */
	m.u.heartbeat.echo_us = now + 1;
	peer_clock_take(&a, now, &m);
	m.u.heartbeat.echo_us = 5;
	m.u.heartbeat.echo_held_us = INT64_MAX;
	peer_clock_take(&a, now, &m);
	m.u.heartbeat.sent_us = INT64_MAX;
	peer_clock_take(&a, now, &m);
	ck_assert(peer_clock_offset(&a, &offset, &rtt));
	ck_assert_int_eq(offset, skew);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/peer_clock");
	TCase *t = tcase_create("peer_clock");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, clock_filter);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
