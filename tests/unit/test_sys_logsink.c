/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "logsink.h"

#include <check.h>
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

int main(void)
{
	Suite *s = suite_create("sys/logsink");
	TCase *t = tcase_create("logsink");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(t, lines);
	tcase_add_test(t, journal_stream);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
