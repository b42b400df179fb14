/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "logqueue.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char text[8192];

static void emit(enum log_priority max, enum log_priority prio, const struct log_fields *f,
		 const char *message)
{
	struct logsink s;
	int fd[2];
	ssize_t n;

	ck_assert_int_eq(pipe(fd), 0);
	logsink_init(&s, "nas1", max);
	s.journald = 0;
	s.fd = fd[1];
	logsink_write(prio, f, message, &s);
	close(fd[1]);
	n = read(fd[0], text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fd[0]);
}

START_TEST(lines)
{
	const struct log_fields all = { "vmstore", "mount", 7 }, none = { NULL, NULL, 0 };
	char big[5000];

	emit(LOGP_INFO, LOGP_NOTICE, &all, "moved");
	/* 2026-11-22T06:14:03.123Z notice [vmstore mount 7] moved */
	ck_assert_str_eq(text + strlen("2026-11-22T06:14:03.123Z"), " notice [vmstore mount 7] moved\n");
	ck_assert_int_eq(text[10], 'T');
	ck_assert_int_eq(text[19], '.');
	emit(LOGP_INFO, LOGP_ERR, &none, "a\nforged line");
	ck_assert_ptr_nonnull(strstr(text, "Z error a forged line\n"));
	emit(LOGP_INFO, LOGP_INFO, NULL, "plain");
	ck_assert_ptr_nonnull(strstr(text, "Z info plain\n"));
	emit(LOGP_INFO, LOGP_DEBUG, NULL, "too much");
	ck_assert_str_eq(text, "");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	emit(LOGP_INFO, LOGP_INFO, &all, big);
	ck_assert_uint_lt(strlen(text), 2049);
	ck_assert_int_eq(text[strlen(text) - 1], '\n');
}
END_TEST

START_TEST(journal_stream)
{
	struct logsink s;
	struct stat st;
	char v[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(v, sizeof(v), "%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
	setenv("JOURNAL_STREAM", v, 1);
	logsink_init(&s, NULL, LOGP_INFO);
	ck_assert_int_ne(s.journald, 0);
	setenv("JOURNAL_STREAM", "1:1", 1);
	logsink_init(&s, NULL, LOGP_INFO);
	ck_assert_int_eq(s.journald, 0);
	setenv("JOURNAL_STREAM", "nonsense", 1);
	logsink_init(&s, NULL, LOGP_INFO);
	ck_assert_int_eq(s.journald, 0);
}
END_TEST

/* A pipe that nobody reads: as full as it gets. */
static void full_pipe(int fd[2])
{
	char page[4096] = "";

	ck_assert_int_eq(pipe(fd), 0);
	ck_assert_int_eq(fcntl(fd[1], F_SETFL, O_NONBLOCK), 0);
	while (write(fd[1], page, sizeof(page)) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(fcntl(fd[1], F_SETFL, 0), 0);
}

static size_t count(const char *in, const char *what)
{
	size_t n = 0;

	for (const char *p = in; (p = strstr(p, what)); p += strlen(what))
		n++;
	return n;
}

static void sink_to(struct logsink *s, int fd)
{
	logsink_init(s, "nas1", LOGP_INFO);
	s->journald = 0;
	s->fd = fd;
}

START_TEST(queue_in_order)
{
	const struct log_fields f = { "vmstore", "mount", 7 };
	struct logqueue *q;
	struct logsink s;
	int fd[2];
	ssize_t n;

	ck_assert_int_eq(pipe(fd), 0);
	sink_to(&s, fd[1]);
	ck_assert_int_eq(logqueue_begin(&s, &q, NULL), 0);
	logqueue_write(LOGP_NOTICE, &f, "first", q);
	logqueue_write(LOGP_DEBUG, &f, "too much", q);
	logqueue_write(LOGP_ERR, NULL, "second", q);
	ck_assert_int_eq(logqueue_end(q, 60000000), 0);
	close(fd[1]);
	n = read(fd[0], text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	close(fd[0]);
	ck_assert_ptr_nonnull(strstr(text, "Z notice [vmstore mount 7] first\n"));
	ck_assert_ptr_nonnull(strstr(strstr(text, "first\n"), "Z error second\n"));
	ck_assert_ptr_null(strstr(text, "too much"));
}
END_TEST

/* The writer goes on, and what was lost is said. */
START_TEST(queue_that_hangs)
{
	static char all[1 << 20];
	struct logqueue *q;
	struct logsink s;
	size_t have = 0;
	int fd[2];
	ssize_t n;

	full_pipe(fd);
	sink_to(&s, fd[1]);
	ck_assert_int_eq(logqueue_begin(&s, &q, NULL), 0);
	for (int i = 0; i < 2 * LOGQUEUE_LINES; i++)
		logqueue_write(LOGP_INFO, NULL, "a line", q);
	while (!strstr(all, "256 lines were lost") && (n = read(fd[0], all + have, sizeof(all) - 1 - have)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			if (!all[have + (size_t)i])
				all[have + (size_t)i] = '.';
		have += (size_t)n;
	}
	ck_assert_ptr_nonnull(strstr(all, "warning 256 lines were lost"));
	ck_assert_int_eq(logqueue_end(q, 60000000), 0);
	close(fd[1]);
	while ((n = read(fd[0], all + have, sizeof(all) - 1 - have)) > 0)
		have += (size_t)n;
	ck_assert_uint_eq(count(all, "a line\n"), LOGQUEUE_LINES);
	close(fd[0]);
}
END_TEST

START_TEST(queue_end_is_bounded)
{
	static struct logsink s; /* the thread stays */
	struct logqueue *q;
	int fd[2];

	full_pipe(fd);
	sink_to(&s, fd[1]);
	ck_assert_int_eq(logqueue_begin(&s, &q, NULL), 0);
	logqueue_write(LOGP_INFO, NULL, "a line", q);
	ck_assert_int_eq(logqueue_end(q, 1000), -ETIMEDOUT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/logsink");
	TCase *t = tcase_create("logsink");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, lines);
	tcase_add_test(t, journal_stream);
	tcase_add_test(t, queue_in_order);
	tcase_add_test(t, queue_that_hangs);
	tcase_add_test(t, queue_end_is_bounded);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
