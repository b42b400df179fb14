/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Letting go of a real filesystem with descriptors and locks, and taking it back;
 * unacknowledged bytes of real connections. */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "conns.h"
#include "fds.h"
#include "loopfs.h"

/* ---- lock lines */

START_TEST(lock_lines)
{
	static const struct {
		const char *line;
		short type;
		off_t start, len;
	} good[] = {
		{"lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:12 0 EOF\n", F_WRLCK, 0, 0},
		{"lock:\t12: OFDLCK  ADVISORY  READ -1 fe:00:12 100 199\n", F_RDLCK, 100, 100},
		{"lock:\t1: OFDLCK  ADVISORY  READ  -1 00:2d:7 5 5\n", F_RDLCK, 5, 1},
	};
	static const char *const bad[] = {
		"", "pos:\t0\n", "lock:\t1: POSIX  ADVISORY  WRITE 77 fe:00:12 0 EOF\n",
		"lock:\t1: FLOCK  ADVISORY  WRITE 77 fe:00:12 0 EOF\n",
		"lock:\t1: OFDLCK  ADVISORY  UNLCK -1 fe:00:12 0 EOF\n",
		"lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:12 9 8\n",
		"lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:12 9 x\n",
		"lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:12 0\n",
		"lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:12 18446744073709551615 EOF\n",
	};
	struct flock l;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		ck_assert_msg(fds_parse_lock(good[i].line, &l), "%s", good[i].line);
		ck_assert_int_eq(l.l_type, good[i].type);
		ck_assert_int_eq(l.l_start, good[i].start);
		ck_assert_int_eq(l.l_len, good[i].len);
		ck_assert_int_eq(l.l_pid, 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(!fds_parse_lock(bad[i], &l), "%s", bad[i]);
}
END_TEST

/* ---- a real filesystem */

static struct loopfs *fs;
static struct fds fds;

static void mount_it(void)
{
	ck_assert_int_eq(mount(fs->device, fs->point, "ext4", 0, NULL), 0);
}

static void setup(void)
{
	fs = loopfs_new();
	ck_assert_int_ge(fs->fd, 0);
	mount_it();
	fds_init(&fds);
}

static void teardown(void)
{
	fds_forget(&fds);
	loopfs_free(fs);
}

static int open_in(const char *name, int flags)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", fs->point, name);
	fd = open(path, flags | O_CLOEXEC, 0600);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

static int set_lock(int fd, short type, off_t start, off_t len)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};

	return fcntl(fd, F_OFD_SETLK, &l) < 0 ? -errno : 0;
}

static void release(void)
{
	struct fault f = {0};

	ck_assert_msg(fds_release(&fds, fs->point, &f) == 0, "%s", f.text);
}

START_TEST(unmounts_and_comes_back)
{
	int a = open_in("a", O_RDWR | O_CREAT), sync = open_in("a", O_WRONLY | O_SYNC | O_APPEND);
	int dir = open_in(".", O_RDONLY | O_DIRECTORY), path = open_in("a", O_PATH), other;
	int outside = open("/dev/null", O_RDWR | O_CLOEXEC);
	size_t kept, lost;
	struct fault f = {0};
	char c;

	ck_assert_int_eq(write(a, "hello", 5), 5);
	ck_assert_int_eq(set_lock(a, F_WRLCK, 10, 5), 0);
	ck_assert_int_eq(set_lock(a, F_RDLCK, 100, 0), 0);
	ck_assert_int_eq(umount(fs->point), -1);
	release();
	ck_assert_uint_eq(fds.n, 4);
	ck_assert_int_eq(fds_release(&fds, fs->point, &f), -EPERM);
	ck_assert_int_eq(umount(fs->point), 0);
	/* nothing is ever taken for done */
	ck_assert_int_eq(pwrite(a, "x", 1, 0), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(pread(a, &c, 1, 0), -1);
	ck_assert_int_eq(write(sync, "x", 1), -1);
	ck_assert_int_eq(write(outside, "x", 1), 1);
	/* not mounted: no, and no harm */
	ck_assert_int_eq(fds_restore(&fds, fs->point, &kept, &lost, &f), -ENODEV);
	mount_it();
	ck_assert_msg(fds_restore(&fds, fs->point, &kept, &lost, &f) == 0, "%s", f.text);
	ck_assert_uint_eq(kept, 4);
	ck_assert_uint_eq(lost, 0);
	ck_assert_int_eq(pread(a, &c, 1, 1), 1);
	ck_assert_int_eq(c, 'e');
	ck_assert_int_eq(write(sync, "!", 1), 1);
	ck_assert_int_eq(fcntl(sync, F_GETFL) & (O_SYNC | O_APPEND | O_ACCMODE), O_SYNC | O_APPEND | O_WRONLY);
	ck_assert_int_eq(fcntl(path, F_GETFL) & O_PATH, O_PATH);
	ck_assert_int_eq(fcntl(a, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(faccessat(dir, "a", R_OK, 0), 0);
	/* the locks are there, and they are a's */
	other = open_in("a", O_RDWR);
	ck_assert_int_eq(set_lock(other, F_WRLCK, 10, 5), -EAGAIN);
	ck_assert_int_eq(set_lock(other, F_RDLCK, 200, 1), 0);
	ck_assert_int_eq(set_lock(other, F_UNLCK, 200, 1), 0);
	ck_assert_int_eq(set_lock(other, F_WRLCK, 200, 1), -EAGAIN);
	ck_assert_int_eq(set_lock(a, F_UNLCK, 0, 0), 0);
	ck_assert_int_eq(set_lock(other, F_WRLCK, 0, 0), 0);
	ck_assert(!fds.released);
	ck_assert_int_eq(fds_restore(&fds, fs->point, &kept, &lost, &f), -EPERM);
	close(a), close(sync), close(dir), close(path), close(other), close(outside);
}
END_TEST

/* A number that its owner closed, and that means something else by now. */
START_TEST(a_closed_number_is_left_alone)
{
	int a = open_in("a", O_RDWR | O_CREAT), b = open_in("b", O_RDWR | O_CREAT), again;
	size_t kept, lost;
	struct fault f = {0};

	release();
	close(a);
	again = open("/dev/zero", O_RDWR | O_CLOEXEC);
	ck_assert_int_eq(again, a);
	ck_assert_int_eq(fds_restore(&fds, fs->point, &kept, &lost, &f), 0);
	ck_assert_uint_eq(kept, 1);
	ck_assert_int_eq(write(b, "x", 1), 1);
	ck_assert_int_eq(write(again, "x", 1), 1); /* still /dev/zero */
	close(again), close(b);
}
END_TEST

START_TEST(a_file_that_is_gone_is_lost)
{
	int a = open_in("a", O_RDWR | O_CREAT), b = open_in("b", O_RDWR | O_CREAT);
	char path[160];
	size_t kept, lost;
	struct fault f = {0};

	snprintf(path, sizeof(path), "%s/a", fs->point);
	release();
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(fds_restore(&fds, fs->point, &kept, &lost, &f), -ESTALE);
	ck_assert_uint_eq(kept, 1);
	ck_assert_uint_eq(lost, 1);
	ck_assert_int_eq(write(a, "x", 1), -1);
	ck_assert(fds.released);
	/* again: what is back stays back */
	ck_assert_int_eq(fds_restore(&fds, fs->point, &kept, &lost, &f), -ESTALE);
	ck_assert_uint_eq(kept, 0);
	ck_assert_int_eq(write(b, "x", 1), 1);
	close(a), close(b);
}
END_TEST

/* Somebody took the lock in between: not restored as if nothing was. */
START_TEST(a_stolen_lock_is_lost)
{
	int a = open_in("a", O_RDWR | O_CREAT), thief;
	size_t kept, lost;
	struct fault f = {0};

	ck_assert_int_eq(set_lock(a, F_WRLCK, 0, 0), 0);
	release();
	thief = open_in("a", O_RDWR);
	ck_assert_int_eq(set_lock(thief, F_WRLCK, 3, 1), 0);
	ck_assert_int_eq(fds_restore(&fds, fs->point, &kept, &lost, &f), -ESTALE);
	ck_assert_uint_eq(lost, 1);
	close(a), close(thief);
}
END_TEST

/* Noted, opened since, closed since, and what is elsewhere. */
START_TEST(dropped_for_good)
{
	int noted[40], gone, elsewhere = open("/dev/null", O_RDONLY | O_CLOEXEC), later;
	struct fault f = {0};

	for (size_t i = 0; i < 40; i++)
		noted[i] = open_in("noted", O_RDWR | O_CREAT);
	gone = open_in("gone", O_RDWR | O_CREAT);
	fds_note(&fds);
	close(gone);
	later = open_in("later", O_RDWR | O_CREAT);
	ck_assert_int_eq(fds_drop(&fds, "/nonexistent", &f), -ENOTDIR);
	ck_assert_int_ge(fcntl(noted[0], F_GETFD), 0);
	ck_assert_int_ge(fds_drop(&fds, fs->point, &f), 41);
	for (size_t i = 0; i < 40; i++)
		ck_assert_int_lt(fcntl(noted[i], F_GETFD), 0);
	ck_assert_int_lt(fcntl(later, F_GETFD), 0);
	ck_assert_int_ge(fcntl(elsewhere, F_GETFD), 0);
	ck_assert_int_eq(umount2(fs->point, 0), 0);
	close(elsewhere);
}
END_TEST

START_TEST(release_refuses)
{
	struct fault f = {0};

	ck_assert_int_eq(fds_release(&fds, "/nonexistent", &f), -ENOTDIR);
	ck_assert(!fds.released);
}
END_TEST

/* ---- connections */

static void connect_pair(int pair[2])
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(a);
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ck_assert_int_eq(bind(l, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(l, 1), 0);
	getsockname(l, (struct sockaddr *)&a, &size);
	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(pair[0], (struct sockaddr *)&a, sizeof(a)), 0);
	pair[1] = accept4(l, NULL, NULL, SOCK_CLOEXEC);
	close(l);
}

START_TEST(unacknowledged_bytes)
{
	static char much[1 << 20];
	int pair[2];
	size_t n;
	uint64_t bytes;

	connect_pair(pair);
	conns_add(pair[1]);
	conns_add(pair[1]);
	ck_assert_uint_eq(conns_count(), 1);
	conns_unsent(&n, &bytes);
	ck_assert_uint_eq(n, 0);
	/* more than the reader has room for */
	while (send(pair[1], much, sizeof(much), MSG_DONTWAIT) > 0)
		;
	conns_unsent(&n, &bytes);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_gt(bytes, 0);
	for (int i = 0; i < 5000 && bytes; i++) {
		if (recv(pair[0], much, sizeof(much), MSG_DONTWAIT) < 0)
			usleep(1000);
		conns_unsent(&n, &bytes);
	}
	ck_assert_uint_eq(bytes, 0);
	close(pair[1]);
	conns_unsent(&n, &bytes);
	ck_assert_uint_eq(conns_count(), 0);
	close(pair[0]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsal descriptors");
	TCase *pure = tcase_create("lines"), *real;
	bool can = loopfs_possible();
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(pure, lock_lines);
	suite_add_tcase(s, pure);
	if (can) {
		real = tcase_create("real");
		tcase_add_checked_fixture(real, setup, teardown);
		tcase_set_timeout(real, 30);
		tcase_add_test(real, unmounts_and_comes_back);
		tcase_add_test(real, a_closed_number_is_left_alone);
		tcase_add_test(real, a_file_that_is_gone_is_lost);
		tcase_add_test(real, a_stolen_lock_is_lost);
		tcase_add_test(real, dropped_for_good);
		tcase_add_test(real, release_refuses);
		tcase_add_test(real, unacknowledged_bytes);
		suite_add_tcase(s, real);
	} else {
		printf("skipped: fsal descriptors on a real ext4 (needs root, loop devices and mkfs.ext4)\n");
	}
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
