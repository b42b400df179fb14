/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In children: each test of check has a process of its own. */
#include "realtime.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "child.h"
#include "log.h"

enum { MUCH = 64 << 20 };

static char lines[8][512];
static int n_lines;

static void keep_line(enum log_priority prio, const struct log_fields *f, const char *m, void *data)
{
	(void)prio;
	(void)f;
	(void)data;
	if (n_lines < 8)
		snprintf(lines[n_lines++], sizeof(lines[0]), "%s", m);
}

/* A number of /proc/PID/status, in KiB. */
static long status_kib(const char *pid, const char *key)
{
	char path[64], line[256];
	long kib = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			sscanf(line + strlen(key), ": %ld", &kib);
	fclose(f);
	return kib;
}

static void *policy_of_thread(void *out)
{
	*(int *)out = sched_getscheduler(0);
	return NULL;
}

/* What a program sees that we start the way we start ganesha. */
static void check_program(void)
{
	static const char *const argv[] = { "sh", "-c", "chrt -p $$; grep VmLck /proc/$$/status", NULL };
	struct child_spec spec = { .path = "/bin/sh", .argv = argv, .timeout_us = 20000000 };
	struct child_result r;
	struct err e = { 0 };

	ck_assert_msg(child_run(&spec, &r, &e) == 0, "%s", e.msg);
	ck_assert_msg(strstr(r.out, "SCHED_OTHER") != NULL, "%s", r.out);
	ck_assert_msg(strstr(r.out, "VmLck:\t       0 kB") != NULL, "%s", r.out);
	child_result_free(&r);
}

START_TEST(raised)
{
	struct err e = { 0 };
	pthread_t thread;
	int ret = realtime_raise(&e), policy = -1;

	if (ret == -EPERM) {
		printf("SKIP raised: no real-time priority here\n");
		ck_assert(e.remedy[0]);
		return;
	}
	ck_assert_msg(ret == 0, "%s", e.msg);
	ck_assert_int_eq(sched_getscheduler(0), SCHED_RR | SCHED_RESET_ON_FORK);
	ck_assert_int_eq(pthread_create(&thread, NULL, policy_of_thread, &policy), 0);
	pthread_join(thread, NULL);
	ck_assert_int_eq(policy, SCHED_OTHER);
	check_program();
}
END_TEST

START_TEST(locked)
{
	struct err e = { 0 };
	long rss;
	char *p;

#ifdef __SANITIZE_ADDRESS__ /* it makes mlockall a word without meaning */
	return;
#endif
	if (realtime_lock_memory(&e) < 0) {
		printf("SKIP locked: %s\n", e.msg);
		return;
	}
	ck_assert_int_gt(status_kib("self", "VmLck"), 0);
	/* what comes later is locked, but only touched pages cost memory */
	rss = status_kib("self", "VmRSS");
	p = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(p != MAP_FAILED);
	ck_assert_int_ge(status_kib("self", "VmLck"), MUCH / 1024);
	ck_assert_int_lt(status_kib("self", "VmRSS"), rss + MUCH / 1024 / 2);
	memset(p, 1, MUCH);
	ck_assert_int_ge(status_kib("self", "VmRSS"), rss + MUCH / 1024 / 2);
	check_program();
}
END_TEST

/* An ordinary user with ordinary limits: nothing is locked, and both are said. */
START_TEST(not_allowed)
{
	struct rlimit little = { 64 << 10, 64 << 10 }, none = { 0, 0 };
	void *p;

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &little), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_RTPRIO, &none), 0);
	if (getuid() == 0)
		ck_assert_int_eq(setuid(65534), 0);
	log_set_sink(keep_line, NULL);
	realtime_begin();
	log_set_sink(NULL, NULL);
	ck_assert_int_eq(n_lines, 2);
	ck_assert_ptr_nonnull(strstr(lines[0], "64 KiB"));
	ck_assert_ptr_nonnull(strstr(lines[0], "LimitMEMLOCK"));
	ck_assert_ptr_nonnull(strstr(lines[1], "LimitRTPRIO"));
	ck_assert_int_eq(status_kib("self", "VmLck"), 0);
	ck_assert_int_eq(sched_getscheduler(0), SCHED_OTHER);
	p = mmap(NULL, MUCH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(p != MAP_FAILED); /* and no allocation fails for it */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/realtime");
	TCase *tc = tcase_create("realtime");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, raised);
	tcase_add_test(tc, locked);
	tcase_add_test(tc, not_allowed);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
