/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lane.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MANY = 5000 };

struct ctx {
	sd_event *event;
	struct lane *lane;
	pthread_t loop_thread;
	unsigned next_fn, next_done;
	bool wrong_order, wrong_thread;
	char name[32];
};

struct item {
	struct ctx *ctx;
	unsigned index;
};

static void item_fn(void *arg)
{
	struct item *it = arg;

	if (it->index != it->ctx->next_fn++)
		it->ctx->wrong_order = true;
	if (pthread_equal(pthread_self(), it->ctx->loop_thread))
		it->ctx->wrong_thread = true;
	pthread_getname_np(pthread_self(), it->ctx->name, sizeof(it->ctx->name));
}

static void item_done(void *arg)
{
	struct item *it = arg;

	if (it->index != it->ctx->next_done++)
		it->ctx->wrong_order = true;
	if (!pthread_equal(pthread_self(), it->ctx->loop_thread))
		it->ctx->wrong_thread = true;
	if (it->index == MANY - 1)
		sd_event_exit(it->ctx->event, 0);
}

static void ctx_init(struct ctx *c)
{
	struct err e = { 0 };

	memset(c, 0, sizeof(*c));
	c->loop_thread = pthread_self();
	ck_assert_int_ge(sd_event_new(&c->event), 0);
	c->lane = lane_new(c->event, "test-lane", &e);
	ck_assert_ptr_nonnull(c->lane);
}

START_TEST(thousands_in_order)
{
	static struct item items[MANY];
	struct ctx c;
	unsigned i;

	ctx_init(&c);
	ck_assert(!lane_busy(c.lane));
	for (i = 0; i < MANY; i++) {
		items[i] = (struct item){ &c, i };
		ck_assert_int_eq(lane_submit(c.lane, item_fn, item_done, &items[i]), 0);
	}
	ck_assert(lane_busy(c.lane));
	ck_assert_uint_eq(lane_pending(c.lane), MANY);
	ck_assert_int_eq(sd_event_loop(c.event), 0);
	ck_assert_uint_eq(c.next_fn, MANY);
	ck_assert_uint_eq(c.next_done, MANY);
	ck_assert(!c.wrong_order);
	ck_assert(!c.wrong_thread);
	ck_assert_str_eq(c.name, "test-lane");
	ck_assert(!lane_busy(c.lane));
	ck_assert_int_eq(lane_free(c.lane, 1000000), 0);
	sd_event_unref(c.event);
}
END_TEST

static void count_fn(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void slow_fn(void *arg)
{
	usleep(50000);
	atomic_fetch_add((atomic_int *)arg, 1);
}

static void never(void *arg)
{
	(void)arg;
	ck_abort_msg("a done after lane_free");
}

START_TEST(free_with_queued_jobs)
{
	atomic_int ran = 0;
	struct ctx c;
	int i;

	ctx_init(&c);
	ck_assert_int_eq(lane_submit(c.lane, slow_fn, never, &ran), 0);
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(lane_submit(c.lane, count_fn, never, &ran), 0);
	usleep(10000);
	ck_assert_int_eq(lane_free(c.lane, 5000000), 0);
	/* The running one was waited for, the queued ones were not begun. */
	ck_assert_int_eq(atomic_load(&ran), 1);
	sd_event_run(c.event, 0);
	sd_event_unref(c.event);
}
END_TEST

static void stuck_fn(void *arg)
{
	while (!atomic_load((atomic_int *)arg))
		usleep(1000);
	atomic_store((atomic_int *)arg, 2);
}

START_TEST(stuck_thread_is_left_behind)
{
	static atomic_int go;
	struct timespec a, b;
	struct ctx c;
	int i;

	ctx_init(&c);
	ck_assert_int_eq(lane_submit(c.lane, stuck_fn, never, &go), 0);
	usleep(10000);
	clock_gettime(CLOCK_MONOTONIC, &a);
	ck_assert_int_eq(lane_free(c.lane, 50000), -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &b);
	ck_assert_int_lt((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000, 1000);
	sd_event_unref(c.event);
	/* It comes back long after the lane and the loop are gone. */
	atomic_store(&go, 1);
	for (i = 0; i < 1000 && atomic_load(&go) != 2; i++)
		usleep(1000);
	ck_assert_int_eq(atomic_load(&go), 2);
	usleep(20000);
}
END_TEST

static void free_done(void *arg)
{
	struct ctx *c = arg;

	c->next_done++;
	ck_assert_int_eq(lane_free(c->lane, 1000000), 0);
	sd_event_exit(c->event, 0);
}

static void nothing(void *arg)
{
	(void)arg;
}

START_TEST(free_from_done)
{
	struct ctx c;

	ctx_init(&c);
	ck_assert_int_eq(lane_submit(c.lane, nothing, free_done, &c), 0);
	ck_assert_int_eq(lane_submit(c.lane, nothing, never, &c), 0);
	usleep(20000);
	ck_assert_int_eq(sd_event_loop(c.event), 0);
	ck_assert_uint_eq(c.next_done, 1);
	sd_event_unref(c.event);
}
END_TEST

static void resubmit_done(void *arg)
{
	struct ctx *c = arg;

	if (++c->next_done == 100)
		sd_event_exit(c->event, 0);
	else
		ck_assert_int_eq(lane_submit(c->lane, nothing, resubmit_done, c), 0);
}

START_TEST(submit_from_done)
{
	struct ctx c;

	ctx_init(&c);
	ck_assert_int_eq(lane_submit(c.lane, nothing, resubmit_done, &c), 0);
	ck_assert_int_eq(sd_event_loop(c.event), 0);
	ck_assert_uint_eq(c.next_done, 100);
	lane_free(c.lane, 1000000);
	sd_event_unref(c.event);
}
END_TEST

static void slow(void *arg)
{
	(void)arg;
	usleep(50000);
}

static void count_done(void *arg)
{
	struct ctx *c = arg;

	c->next_done++;
	if (!pthread_equal(pthread_self(), c->loop_thread))
		c->wrong_thread = true;
}

/* Without a turn of the loop; what is not ready in time is the loop's. */
START_TEST(await)
{
	struct ctx c;

	ctx_init(&c);
	ck_assert(!lane_await(c.lane, 0)); /* it has none */
	ck_assert_int_eq(lane_submit(c.lane, nothing, count_done, &c), 0);
	ck_assert(lane_await(c.lane, 5000000));
	ck_assert_uint_eq(c.next_done, 1);
	ck_assert(!lane_busy(c.lane));
	ck_assert_int_eq(lane_submit(c.lane, slow, count_done, &c), 0);
	ck_assert(!lane_await(c.lane, 1000));
	ck_assert_uint_eq(c.next_done, 1);
	while (c.next_done < 2)
		ck_assert_int_ge(sd_event_run(c.event, 5000000), 0);
	ck_assert_int_eq(lane_submit(c.lane, nothing, resubmit_done, &c), 0);
	while (c.next_done < 100)
		ck_assert(lane_await(c.lane, 5000000));
	ck_assert(!c.wrong_thread);
	lane_free(c.lane, 1000000);
	sd_event_unref(c.event);
}
END_TEST

START_TEST(free_while_awaited)
{
	struct ctx c;

	ctx_init(&c);
	ck_assert_int_eq(lane_submit(c.lane, nothing, free_done, &c), 0);
	ck_assert(lane_await(c.lane, 5000000));
	ck_assert_uint_eq(c.next_done, 1);
	sd_event_unref(c.event);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/lane");
	TCase *t = tcase_create("lane");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 20);
	tcase_add_test(t, thousands_in_order);
	tcase_add_test(t, free_with_queued_jobs);
	tcase_add_test(t, stuck_thread_is_left_behind);
	tcase_add_test(t, free_from_done);
	tcase_add_test(t, submit_from_done);
	tcase_add_test(t, await);
	tcase_add_test(t, free_while_awaited);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
