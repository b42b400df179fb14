/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mountinfo parser, and the filesystem adapter on a real ext4 on a loop
 * device in a mount namespace of our own (as root; else said to be skipped).
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filesystem.h"
#include "flows.h"
#include "holders.h"
#include "loopfs.h"
#include "mountinfo.h"

static bool parse(const char *line, struct mountinfo *mi)
{
	return mountinfo_parse(line, strlen(line), mi);
}

START_TEST(mountinfo_line)
{
	struct mountinfo mi;

	ck_assert(parse("36 35 98:1 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n", &mi));
	ck_assert_uint_eq(mi.id, 36);
	ck_assert_uint_eq(mi.parent, 35);
	ck_assert(mi.dev == makedev(98, 1));
	ck_assert_str_eq(mi.root, "/mnt1");
	ck_assert_str_eq(mi.point, "/mnt2");
	ck_assert_str_eq(mi.options, "rw,noatime");
	ck_assert_str_eq(mi.type, "ext3");
	ck_assert_str_eq(mi.source, "/dev/root");
	ck_assert_str_eq(mi.super, "rw,errors=continue");
	/* no optional fields, several, none at the end of the file */
	ck_assert(parse("1 0 0:5 / /proc rw - proc proc rw", &mi));
	ck_assert(parse("1 0 0:5 / /proc rw shared:1 master:2 propagate_from:3 - proc p rw", &mi));
	ck_assert_str_eq(mi.source, "p");
}
END_TEST

START_TEST(mountinfo_escapes)
{
	struct mountinfo mi;

	ck_assert(parse("1 0 7:0 / /srv/a\\040b\\011c\\012d\\134e rw - ext4 /dev/x\\040y ro", &mi));
	ck_assert_str_eq(mi.point, "/srv/a b\tc\nd\\e");
	ck_assert_str_eq(mi.source, "/dev/x y");
	/* what is no escape stays as it is */
	ck_assert(parse("1 0 7:0 / /a\\9\\04 rw - ext4 s rw", &mi));
	ck_assert_str_eq(mi.point, "/a\\9\\04");
	/* an empty source */
	ck_assert(parse("1 0 0:7 / /e rw - tmpfs  rw,size=4k", &mi));
	ck_assert_str_eq(mi.source, "");
	ck_assert_str_eq(mi.super, "rw,size=4k");
}
END_TEST

START_TEST(mountinfo_malformed)
{
	static const char *const bad[] = {
		"", "\n", "1", "1 0", "1 0 7:0", "1 0 7 / /x rw - t s o", "x 0 7:0 / /x rw - t s o",
		"1 0 7:x / /x rw - t s o", "1 0 :0 / /x rw - t s o", "1 0 7:0 / /x rw",
		"1 0 7:0 / /x rw -", "1 0 7:0 / /x rw - t", "1 0 7:0 / /x rw shared:1 t s o",
		"9999999999 0 7:0 / /x rw - t s o",
	};
	struct mountinfo mi;
	char line[4096];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!parse(bad[i], &mi), "accepted: %s", bad[i]);
	snprintf(line, sizeof(line), "1 0 7:0 / /%02000d rw - t s o", 0);
	ck_assert_msg(!parse(line, &mi), "a path that is too long was accepted");
}
END_TEST

START_TEST(options)
{
	ck_assert(mountinfo_has_option("rw,ro,x", "ro"));
	ck_assert(mountinfo_has_option("ro", "ro"));
	ck_assert(!mountinfo_has_option("rw,errors=ro,row", "ro"));
	ck_assert(!mountinfo_has_option("", "ro"));
	ck_assert(mountinfo_within("/a", "/a"));
	ck_assert(mountinfo_within("/a", "/a/b"));
	ck_assert(!mountinfo_within("/a", "/ab"));
	ck_assert(mountinfo_within("/", "/ab"));
}
END_TEST

START_TEST(split_options)
{
	unsigned long flags;
	char *data;

	ck_assert_int_eq(filesystem_split_options("", &flags, &data, NULL), 0);
	ck_assert(flags == 0 && data == NULL);
	ck_assert_int_eq(filesystem_split_options("noatime,nodev,discard,data=ordered,_netdev,nofail,x-a=b",
						  &flags, &data, NULL), 0);
	ck_assert_uint_eq(flags, MS_NOATIME | MS_NODEV);
	ck_assert_str_eq(data, "discard,data=ordered");
	free(data);
	ck_assert_int_eq(filesystem_split_options("defaults,ro", &flags, &data, NULL), 0);
	ck_assert_uint_eq(flags, MS_RDONLY);
	free(data);
}
END_TEST

START_TEST(dirty)
{
	uint64_t bytes;

	ck_assert(filesystem_parse_dirty("MemTotal: 5 kB\nDirty:     12 kB\nWriteback:   3 kB\nWritebackTmp: 9 kB\n", &bytes));
	ck_assert_uint_eq(bytes, 15 * 1024);
	ck_assert(!filesystem_parse_dirty("Dirty: 12 kB\n", &bytes));
	ck_assert(!filesystem_parse_dirty("Dirty: kB\nWriteback: 1 kB\n", &bytes));
	ck_assert_int_eq(filesystem_dirty(&bytes, NULL), 0);
}
END_TEST

START_TEST(flow_text)
{
	static const char *const bad[] = { "", "1.2.3.4 1 1.2.3.4", "1.2.3.4 0 5.6.7.8 2049",
					   "1.2.3.4 65536 5.6.7.8 2049", "1.2.3.4 1 fd00::1 2049",
					   "1.2.3.4 1 5.6.7.8 2049 x", "a 1 5.6.7.8 2049" };
	static const char *const good[] = { "10.77.1.2 700 10.77.1.100 2049",
					    "fd77:1::2 65535 fd77:1::100 2049" };
	char path[] = "/tmp/nasd-flows-XXXXXX", buf[120];
	struct net_flow f[2], *read;
	size_t n;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!flow_parse(bad[i], &f[0]), "accepted: %s", bad[i]);
	for (size_t i = 0; i < 2; i++) {
		ck_assert(flow_parse(good[i], &f[i]));
		ck_assert_str_eq(flow_format(&f[i], buf, sizeof(buf)), good[i]);
	}
	ck_assert((flow_compare(&f[0], &f[1]) < 0) != (flow_compare(&f[1], &f[0]) < 0));
	close(mkstemp(path));
	ck_assert_int_eq(flows_save(path, f, 2, NULL), 0);
	ck_assert_int_eq(flows_load(path, &read, &n, NULL), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert(!flow_compare(&read[0], &f[0]) && !flow_compare(&read[1], &f[1]));
	free(read);
	unlink(path);
	ck_assert_int_eq(flows_load(path, &read, &n, NULL), 0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* ---- as root: the real thing */

static struct loopfs *lfs;
static struct filesystem fs;

static void setup_fs(void)
{
	lfs = loopfs_new();
	fs = (struct filesystem){ lfs->device, lfs->point, "ext4", "noatime", lfs->uuid };
}

static void teardown_fs(void)
{
	loopfs_free(lfs);
}

START_TEST(mount_and_unmount)
{
	struct filesystem_state st;
	struct err e = { 0 };
	bool already = true;
	char text[1024];

	ck_assert_msg(filesystem_mount(&fs, &already, &e) == 0, "%s", err_format(&e, text, sizeof(text)));
	ck_assert(!already);
	ck_assert_int_eq(filesystem_look(&fs, &st, NULL), 0);
	ck_assert(st.mounted && st.point_exists && st.device_exists && !st.point_busy &&
		  !st.elsewhere && !st.readonly && !st.covered);
	ck_assert_int_eq(filesystem_sync(&fs, &e), 0);
	ck_assert_int_eq(filesystem_mount(&fs, &already, &e), 0);
	ck_assert(already);
	ck_assert_int_eq(filesystem_unmount(&fs, 0, &already, NULL, &e), 0);
	ck_assert(!already);
	ck_assert_int_eq(filesystem_unmount(&fs, 0, &already, NULL, &e), 0);
	ck_assert(already);
	ck_assert_int_eq(filesystem_look(&fs, &st, NULL), 0);
	ck_assert(!st.mounted && !st.point_busy);
	ck_assert_int_lt(filesystem_sync(&fs, &e), 0);
}
END_TEST

static size_t pages_cached(int fd, size_t pages)
{
	size_t size = pages * (size_t)sysconf(_SC_PAGESIZE), n = 0;
	unsigned char *in_core = malloc(pages);
	void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(mincore(map, size, in_core), 0);
	for (size_t i = 0; i < pages; i++)
		n += in_core[i] & 1;
	munmap(map, size);
	free(in_core);
	return n;
}

START_TEST(cached_pages_are_let_go_of)
{
	enum { PAGES = 512 };
	struct err e = { 0 };
	char path[300], page[4096];
	bool already;
	int fd;

	memset(page, 'x', sizeof(page));
	ck_assert_int_eq(filesystem_mount(&fs, &already, &e), 0);
	snprintf(path, sizeof(path), "%s/cached", lfs->point);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < PAGES; i++)
		ck_assert_int_eq(write(fd, page, sizeof(page)), sizeof(page));
	ck_assert_uint_eq(pages_cached(fd, PAGES), PAGES);
	ck_assert_int_eq(filesystem_sync(&fs, &e), 0);
	filesystem_shed(&fs, getpid());
	ck_assert_uint_lt(pages_cached(fd, PAGES), PAGES / 8);
	ck_assert_int_eq(pread(fd, page, 1, 4096 * 100), 1);
	ck_assert_int_eq(page[0], 'x');
	filesystem_shed(&fs, 0); /* nobody */
	close(fd);
	ck_assert_int_eq(filesystem_unmount(&fs, 0, &already, NULL, &e), 0);
}
END_TEST

START_TEST(wrong_uuid)
{
	struct err e = { 0 };
	char uuid[FS_UUID_MAX];
	bool already;

	ck_assert_int_eq(filesystem_uuid(lfs->device, "ext4", uuid, &e), 0);
	ck_assert_str_eq(uuid, lfs->uuid);
	fs.uuid = "00000000-1111-2222-3333-444444444444";
	ck_assert_int_eq(filesystem_mount(&fs, &already, &e), -ENXIO);
	ck_assert_int_eq(e.cls, ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(e.msg, lfs->uuid));
	ck_assert(e.remedy[0]);
	ck_assert_int_eq(filesystem_uuid(lfs->device, "xfs", uuid, &e), -ENODATA);
	ck_assert_int_eq(filesystem_uuid("/dev/nasd-none", "ext4", uuid, &e), -ENOENT);
}
END_TEST

START_TEST(point_taken)
{
	struct filesystem_state st;
	struct err e = { 0 };
	bool already;

	ck_assert_int_eq(mount("thief", lfs->point, "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(filesystem_mount(&fs, &already, &e), -EBUSY);
	ck_assert_ptr_nonnull(strstr(e.msg, "thief"));
	/* ... and it is not ours to unmount */
	ck_assert_int_eq(filesystem_unmount(&fs, 0, &already, NULL, &e), 0);
	ck_assert(already);
	ck_assert_int_eq(umount(lfs->point), 0);
	/* on top of ours */
	ck_assert_int_eq(filesystem_mount(&fs, &already, &e), 0);
	ck_assert_int_eq(mount("thief", lfs->point, "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(filesystem_look(&fs, &st, NULL), 0);
	ck_assert(st.covered && !st.mounted && st.point_busy);
	ck_assert_int_eq(filesystem_unmount(&fs, 0, &already, NULL, &e), -EBUSY);
	ck_assert_ptr_nonnull(strstr(e.msg, "thief"));
	ck_assert_int_eq(umount(lfs->point), 0);
	ck_assert_int_eq(filesystem_unmount(&fs, 0, &already, NULL, &e), 0);
	rmdir(lfs->point);
	ck_assert_int_eq(filesystem_mount(&fs, &already, &e), -ENOTDIR);
	ck_assert_ptr_nonnull(strstr(e.remedy, "mkdir"));
	mkdir(lfs->point, 0755);
}
END_TEST

START_TEST(elsewhere_and_readonly)
{
	struct filesystem_state st;
	char other[128];

	snprintf(other, sizeof(other), "%s/other place", lfs->dir);
	mkdir(other, 0755);
	ck_assert_int_eq(mount(lfs->device, other, "ext4", MS_RDONLY, NULL), 0);
	ck_assert_int_eq(filesystem_look(&fs, &st, NULL), 0);
	ck_assert(st.elsewhere && !st.mounted);
	ck_assert_str_eq(st.elsewhere_point, other);
	ck_assert_int_eq(umount(other), 0);
	rmdir(other);
	ck_assert_int_eq(mount(lfs->device, lfs->point, "ext4", MS_RDONLY, NULL), 0);
	ck_assert_int_eq(filesystem_look(&fs, &st, NULL), 0);
	ck_assert(st.mounted && st.readonly);
}
END_TEST

/* Newer kernels go on to say rw. */
START_TEST(an_error_ends_all_writing)
{
	struct filesystem_state st;
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/ext4/%s/trigger_fs_error", lfs->device + strlen("/dev/"));
	ck_assert_int_eq(mount(lfs->device, lfs->point, "ext4", 0, "errors=remount-ro"), 0);
	ck_assert_int_eq(filesystem_look(&fs, &st, NULL), 0);
	ck_assert(st.mounted && !st.readonly && !filesystem_broken(&fs, &st));
	fd = open(path, O_WRONLY);
	if (fd < 0) /* no sysfs here: not to be told from a kernel without it */
		return;
	ck_assert_int_eq((int)write(fd, "x", 1), 1);
	close(fd);
	ck_assert_int_eq(filesystem_look(&fs, &st, NULL), 0);
	ck_assert(st.mounted && (st.readonly || filesystem_broken(&fs, &st)));
	ck_assert(filesystem_broken(&fs, &st));
}
END_TEST

enum way { WAY_OPEN, WAY_CWD, WAY_MAP, WAY_NESTED };

static void hold(enum way way)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/held", lfs->point);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, 4096) < 0)
		_exit(1);
	switch (way) {
	case WAY_OPEN:
		return;
	case WAY_CWD:
		if (chdir(lfs->point) < 0)
			_exit(1);
		break;
	case WAY_MAP:
		if (mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
			_exit(1);
		break;
	case WAY_NESTED:
		break;
	}
	close(fd);
}

static pid_t start_holder(enum way way, useconds_t for_us)
{
	int ready[2];
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		hold(way);
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		if (for_us)
			usleep(for_us);
		else
			pause();
		_exit(0);
	}
	close(ready[1]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

START_TEST(busy_names_the_holder)
{
	static const struct {
		enum way way;
		const char *path, *how;
	} cases[] = { { WAY_OPEN, "/held", "(open)" }, { WAY_CWD, "", "(working directory)" },
		      { WAY_MAP, "/held", "(mapped)" } };
	char want[200];
	struct err e = { 0 };
	bool already;
	pid_t pid;

	ck_assert_int_eq(filesystem_mount(&fs, &already, &e), 0);
	pid = start_holder(cases[_i].way, 0);
	ck_assert_int_eq(filesystem_unmount(&fs, 20000, &already, NULL, &e), -EBUSY);
	snprintf(want, sizeof(want), "%.15s (pid %d): %s%s %s", program_invocation_short_name, pid, lfs->point, cases[_i].path, cases[_i].how);
	ck_assert_msg(strstr(e.msg, want) != NULL, "\"%s\" lacks \"%s\"", e.msg, want);
	ck_assert(e.remedy[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	ck_assert_int_eq(filesystem_unmount(&fs, 100000, &already, NULL, &e), 0);
}
END_TEST

START_TEST(busy_passes)
{
	struct err e = { 0 };
	bool already;
	pid_t pid;

	ck_assert_int_eq(filesystem_mount(&fs, &already, &e), 0);
	pid = start_holder(WAY_OPEN, 60000);
	ck_assert_int_eq(filesystem_unmount(&fs, 2000000, &already, NULL, &e), 0);
	waitpid(pid, NULL, 0);
}
END_TEST

START_TEST(busy_nested_mount)
{
	struct err e = { 0 };
	char dir[160];
	bool already;

	ck_assert_int_eq(filesystem_mount(&fs, &already, &e), 0);
	snprintf(dir, sizeof(dir), "%s/sub", lfs->point);
	mkdir(dir, 0755);
	ck_assert_int_eq(mount("nested", dir, "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(filesystem_unmount(&fs, 0, &already, NULL, &e), -EBUSY);
	ck_assert_msg(strstr(e.msg, dir) && strstr(e.msg, "mounted within"), "%s", e.msg);
	umount(dir);
}
END_TEST

START_TEST(device_holders)
{
	struct holders *h = calloc(1, sizeof(*h));
	char text[512], want[64];
	int fd = open(lfs->device, O_RDONLY);
	struct stat st;

	stat(lfs->device, &st);
	holders_of_device(st.st_rdev, h);
	snprintf(want, sizeof(want), "(pid %d): %s (open)", getpid(), lfs->device);
	ck_assert_msg(strstr(holders_format(h, text, sizeof(text)), want) != NULL, "%s", text);
	close(fd);
	free(h);
}
END_TEST

START_TEST(holders_text)
{
	struct holders *h = calloc(1, sizeof(*h));
	char text[70];

	ck_assert_str_eq(holders_format(h, text, sizeof(text)), "");
	h->n = 3;
	h->total = 20;
	for (int i = 0; i < 3; i++) {
		h->at[i].pid = i + 1;
		strcpy(h->at[i].name, "qemu");
		strcpy(h->at[i].what, "/srv/vol0/disk (open)");
	}
	holders_format(h, text, sizeof(text));
	ck_assert_str_eq(text, "qemu (pid 1): /srv/vol0/disk (open) and 19 more");
	free(h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys filesystem");
	TCase *pure = tcase_create("pure"), *real;
	SRunner *sr = srunner_create(s);
	bool can = loopfs_possible();
	int failed;

	tcase_add_test(pure, mountinfo_line);
	tcase_add_test(pure, mountinfo_escapes);
	tcase_add_test(pure, mountinfo_malformed);
	tcase_add_test(pure, options);
	tcase_add_test(pure, split_options);
	tcase_add_test(pure, dirty);
	tcase_add_test(pure, flow_text);
	tcase_add_test(pure, holders_text);
	suite_add_tcase(s, pure);
	if (can) {
		real = tcase_create("real");
		tcase_add_checked_fixture(real, setup_fs, teardown_fs);
		tcase_set_timeout(real, 30);
		tcase_add_test(real, mount_and_unmount);
		tcase_add_test(real, cached_pages_are_let_go_of);
		tcase_add_test(real, wrong_uuid);
		tcase_add_test(real, point_taken);
		tcase_add_test(real, elsewhere_and_readonly);
		tcase_add_test(real, an_error_ends_all_writing);
		tcase_add_loop_test(real, busy_names_the_holder, 0, 3);
		tcase_add_test(real, busy_passes);
		tcase_add_test(real, busy_nested_mount);
		tcase_add_test(real, device_holders);
		suite_add_tcase(s, real);
	} else {
		printf("skipped: sys filesystem on a real ext4 (needs root, loop devices and mkfs.ext4)\n");
	}
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
