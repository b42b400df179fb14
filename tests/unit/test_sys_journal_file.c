/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal_file_io.h"
#include "scratch.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT = 4096 };

struct dir {
	char root[64], path[128];
};

static void setup(struct dir *d)
{
	strcpy(d->root, "/tmp/nasd-journal-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(d->root));
	snprintf(d->path, sizeof(d->path), "%s/state/journal", d->root);
}

static void teardown(const struct dir *d)
{
	ck_assert_int_eq(scratch_remove(d->root), 0);
}

static struct journal_file *open_ok(const struct dir *d)
{
	struct journal_file *j = NULL;
	struct err e = { 0 };

	ck_assert_msg(journal_file_open(d->path, &j, &e) == 0, "%s", e.msg);
	return j;
}

static void assert_contents(struct journal_file *j, const char *want)
{
	unsigned char *data = NULL;
	struct err e = { 0 };
	size_t len = 0;

	ck_assert_msg(journal_file_read(j, &data, &len, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(len, strlen(want));
	ck_assert_mem_eq(data, want, len);
	free(data);
}

START_TEST(append_read_reopen)
{
	struct journal_file *j;
	struct stat st;
	struct err e = { 0 };
	struct dir d;

	setup(&d);
	j = open_ok(&d);
	assert_contents(j, "");
	ck_assert_int_eq(journal_file_append(j, "one\n", 4, &e), 0);
	ck_assert_int_eq(journal_file_append(j, "two\n", 4, &e), 0);
	assert_contents(j, "one\ntwo\n");
	ck_assert_int_eq(stat(d.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	*strrchr(d.path, '/') = '\0';
	ck_assert_int_eq(stat(d.path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	strcat(d.path, "/journal");
	journal_file_close(j);
	j = open_ok(&d);
	ck_assert_uint_eq(journal_file_length(j), 8);
	assert_contents(j, "one\ntwo\n");
	ck_assert_int_eq(journal_file_truncate(j, 4, &e), 0);
	ck_assert_int_eq(journal_file_append(j, "2\n", 2, &e), 0);
	assert_contents(j, "one\n2\n");
	ck_assert_int_eq(journal_file_truncate(j, 400, &e), -EINVAL);
	journal_file_close(j);
	teardown(&d);
}
END_TEST

START_TEST(rewrite_replaces)
{
	struct journal_file *j;
	struct err e = { 0 };
	struct dir d;
	char tmp[160];

	setup(&d);
	j = open_ok(&d);
	ck_assert_int_eq(journal_file_append(j, "a\nb\nc\n", 6, &e), 0);
	/* What an interrupted compaction left behind does no harm. */
	snprintf(tmp, sizeof(tmp), "%s.new", d.path);
	fclose(fopen(tmp, "w"));
	ck_assert_int_eq(journal_file_rewrite(j, "c\n", 2, &e), 0);
	ck_assert_int_eq(journal_file_append(j, "d\n", 2, &e), 0);
	assert_contents(j, "c\nd\n");
	ck_assert_int_ne(access(tmp, F_OK), 0);
	journal_file_close(j);
	j = open_ok(&d);
	assert_contents(j, "c\nd\n");
	journal_file_close(j);
	teardown(&d);
}
END_TEST

START_TEST(second_opener_is_refused_by_name)
{
	struct journal_file *j, *other = NULL;
	struct err e = { 0 };
	struct dir d;
	char pid[24];

	setup(&d);
	j = open_ok(&d);
	/* The lock must outlive a compaction. */
	ck_assert_int_eq(journal_file_rewrite(j, "x\n", 2, &e), 0);
	ck_assert_int_eq(journal_file_open(d.path, &other, &e), -EBUSY);
	ck_assert_ptr_null(other);
	snprintf(pid, sizeof(pid), "process %d", getpid());
	ck_assert_msg(strstr(e.msg, pid) != NULL, "%s", e.msg);
	ck_assert_int_ne(e.remedy[0], '\0');
	journal_file_close(j);
	j = open_ok(&d);
	journal_file_close(j);
	teardown(&d);
}
END_TEST

START_TEST(not_a_regular_file)
{
	struct journal_file *j = NULL;
	struct err e = { 0 };
	struct dir d;

	setup(&d);
	*strrchr(d.path, '/') = '\0';
	ck_assert_int_eq(mkdir(d.path, 0700), 0);
	strcat(d.path, "/journal");
	ck_assert_int_eq(mkfifo(d.path, 0600), 0);
	ck_assert_int_lt(journal_file_open(d.path, &j, &e), 0);
	ck_assert_ptr_null(j);
	teardown(&d);
}
END_TEST

/* A real full disk, as the file size limit gives it: a short write, then an error. */
START_TEST(short_write_is_taken_back)
{
	struct rlimit old, lim = { LIMIT, RLIM_INFINITY };
	char big[LIMIT];
	struct journal_file *j;
	struct err e = { 0 };
	struct stat st;
	struct dir d;

	setup(&d);
	signal(SIGXFSZ, SIG_IGN);
	j = open_ok(&d);
	ck_assert_int_eq(journal_file_append(j, "good\n", 5, &e), 0);
	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
	ck_assert_int_eq(journal_file_append(j, big, sizeof(big), &e), -EFBIG);
	ck_assert_int_eq(stat(d.path, &st), 0);
	ck_assert_int_eq(st.st_size, 5);
	ck_assert(!journal_file_poisoned(j));
	ck_assert_int_eq(journal_file_append(j, "fits\n", 5, &e), 0);
	assert_contents(j, "good\nfits\n");
	/* A compaction that fails leaves the old one in place. */
	lim.rlim_cur = 6;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &lim), 0);
	ck_assert_int_eq(journal_file_rewrite(j, "longer\n", 7, &e), -EFBIG);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_contents(j, "good\nfits\n");
	ck_assert_int_eq(journal_file_append(j, "on\n", 3, &e), 0);
	assert_contents(j, "good\nfits\non\n");
	journal_file_close(j);
	teardown(&d);
}
END_TEST

/* ---- failures that only other system calls can give */

static int sync_fails(int fd)
{
	struct stat st;

	/* Opening syncs an empty file and must work. */
	if (fstat(fd, &st) == 0 && st.st_size == 0)
		return 0;
	errno = EIO;
	return -1;
}

static ssize_t write_piecewise(int fd, const void *data, size_t len)
{
	return write(fd, data, len > 3 ? 3 : len);
}

static ssize_t write_full(int fd, const void *data, size_t len)
{
	(void)fd;
	(void)data;
	(void)len;
	errno = ENOSPC;
	return -1;
}

static int truncate_fails(int fd, off_t len)
{
	(void)fd;
	(void)len;
	errno = EIO;
	return -1;
}

static struct journal_file *open_io(const struct dir *d, const struct journal_file_io *io)
{
	struct journal_file *j = NULL;
	struct err e = { 0 };

	ck_assert_msg(journal_file_open_io(d->path, io, &j, &e) == 0, "%s", e.msg);
	return j;
}

static void assert_poisoned(struct journal_file *j)
{
	struct err e = { 0 };

	ck_assert(journal_file_poisoned(j));
	ck_assert_int_eq(journal_file_append(j, "x\n", 2, &e), -EIO);
	ck_assert_int_eq(journal_file_rewrite(j, "x\n", 2, &e), -EIO);
	ck_assert_int_eq(journal_file_truncate(j, 0, &e), -EIO);
}

/* What is appended lazily is there for the next reader, and its disk's answer
 * comes with the next record that waits. */
START_TEST(lazily)
{
	const struct journal_file_io io = { write, sync_fails, ftruncate, rename };
	struct journal_file *j;
	struct err e = { 0 };
	struct dir d;

	setup(&d);
	j = open_io(&d, &io);
	ck_assert_int_eq(journal_file_append_lazily(j, "one\n", 4, &e), 0);
	assert_contents(j, "one\n");
	ck_assert_uint_eq(journal_file_length(j), 4);
	ck_assert_int_lt(journal_file_append(j, "two\n", 4, &e), 0);
	assert_poisoned(j);
	ck_assert_int_lt(journal_file_append_lazily(j, "three\n", 6, &e), 0);
	journal_file_close(j);
	teardown(&d);
}
END_TEST

START_TEST(failed_sync_poisons)
{
	const struct journal_file_io io = { write, sync_fails, ftruncate, rename };
	struct journal_file *j;
	struct err e = { 0 };
	struct dir d;

	setup(&d);
	j = open_io(&d, &io);
	ck_assert_int_eq(journal_file_append(j, "a\n", 2, &e), -EIO);
	assert_poisoned(j);
	journal_file_close(j);
	teardown(&d);
}
END_TEST

START_TEST(failed_take_back_poisons)
{
	const struct journal_file_io io = { write_full, fdatasync, truncate_fails, rename };
	struct journal_file *j;
	struct err e = { 0 };
	struct dir d;

	setup(&d);
	j = open_io(&d, &io);
	ck_assert_int_eq(journal_file_append(j, "a\n", 2, &e), -EIO);
	assert_poisoned(j);
	journal_file_close(j);
	teardown(&d);
}
END_TEST

START_TEST(full_disk_and_pieces)
{
	const struct journal_file_io full = { write_full, fdatasync, ftruncate, rename };
	const struct journal_file_io pieces = { write_piecewise, fdatasync, ftruncate, rename };
	struct journal_file *j;
	struct err e = { 0 };
	struct dir d;

	setup(&d);
	j = open_io(&d, &full);
	ck_assert_int_eq(journal_file_append(j, "a\n", 2, &e), -ENOSPC);
	ck_assert(!journal_file_poisoned(j));
	ck_assert_int_eq(e.cls, ERR_SYSTEM);
	journal_file_close(j);
	j = open_io(&d, &pieces);
	ck_assert_int_eq(journal_file_append(j, "in many pieces\n", 15, &e), 0);
	assert_contents(j, "in many pieces\n");
	journal_file_close(j);
	teardown(&d);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/journal_file");
	TCase *t = tcase_create("journal_file");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 20);
	tcase_add_test(t, lazily);
	tcase_add_test(t, append_read_reopen);
	tcase_add_test(t, rewrite_replaces);
	tcase_add_test(t, second_opener_is_refused_by_name);
	tcase_add_test(t, not_a_regular_file);
	tcase_add_test(t, short_write_is_taken_back);
	tcase_add_test(t, failed_sync_poisons);
	tcase_add_test(t, failed_take_back_poisons);
	tcase_add_test(t, full_disk_and_pieces);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
