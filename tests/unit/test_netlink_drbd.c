/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What needs no DRBD: return codes, DRBD 9's text, running a program, deadlines. */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bounded.h"
#include "drbd.h"
#include "drbd_code.h"
#include "drbd_setup.h"

static const char TEXT[] =
	"exists resource name:r0 role:Secondary suspended:no\n"
	"exists connection name:r0 peer-node-id:1 conn-name:nas2 connection:Connected role:Primary congested:no\n"
	"exists device name:r0 volume:0 minor:3 backing_dev:/dev/sdb disk:Inconsistent client:no open:no "
	"quorum:yes size:1024 read:0 written:4 al-writes:0 bm-writes:0 upper-pending:2 lower-pending:0\n"
	"exists peer-device name:r0 peer-node-id:1 conn-name:nas2 volume:0 replication:SyncTarget "
	"peer-disk:UpToDate resync-suspended:no received:0 sent:0 out-of-sync:256 pending:0 unacked:0 done:75.00\n"
	"exists resource name:r1 role:Primary suspended:quorum,fencing\n"
	"exists connection name:r1 peer-node-id:1 conn-name:nas2 connection:Connecting role:Unknown\n"
	"exists device name:r1 volume:0 minor:4 disk:UpToDate size:2048 open:yes\n"
	"exists peer-device name:r1 peer-node-id:1 conn-name:nas2 volume:0 replication:Off peer-disk:DUnknown\n"
	"exists -\n";

START_TEST(codes)
{
	struct err e = { 0 };

	ck_assert_int_eq(drbd_code_judge(101, "w", "", &e), 0);
	ck_assert_int_eq(drbd_code_judge(1, "w", "", &e), 0);
	ck_assert_int_eq(drbd_code_judge(2, "w", "", &e), 0);
	ck_assert_int_eq(e.cls, ERR_NONE);
	ck_assert_int_eq(drbd_code_judge(-12, "w", "", &e), -EBUSY);
	ck_assert_int_eq(drbd_code_judge(-1, "w", "", &e), -EALREADY);
	ck_assert_int_eq(drbd_code_judge(-2, "w", "", &e), -ENODATA);
	ck_assert_int_eq(drbd_code_judge(-6, "w", "", &e), -EISCONN);
	ck_assert_int_eq(drbd_code_judge(-16, "w", "", &e), -ENODATA);
	ck_assert_int_eq(drbd_code_judge(127, "w", "unknown minor", &e), -ENODEV);
	ck_assert_ptr_nonnull(strstr(e.msg, "unknown minor"));
	ck_assert_int_eq(drbd_code_judge(-99, "w", "", &e), -EPERM);
	ck_assert_int_eq(drbd_code_judge(0, "w", "", &e), -EPERM);
	ck_assert_int_eq(drbd_code_judge(199, "w", "", NULL), -EPERM);
}
END_TEST

START_TEST(text)
{
	struct drbd_status s;
	struct err e;

	ck_assert_int_eq(drbd_setup_parse(TEXT, strlen(TEXT), 3, NULL, &s, &e), 0);
	ck_assert_str_eq(s.resource, "r0");
	ck_assert_int_eq(s.role, DRBD_SECONDARY);
	ck_assert_int_eq(s.peer_role, DRBD_PRIMARY);
	ck_assert_int_eq(s.conn, DRBD_SYNC_TARGET);
	ck_assert_int_eq(s.disk, DRBD_INCONSISTENT);
	ck_assert_int_eq(s.peer_disk, DRBD_UPTODATE);
	ck_assert_uint_eq(s.out_of_sync, 256 * 1024);
	ck_assert_uint_eq(s.size, 1024 * 1024);
	ck_assert_int_eq(s.resync_percent, 75);
	ck_assert_int_eq(s.open, 0);
	ck_assert_uint_eq(s.writes_pending, 2);
	ck_assert_int_eq(drbd_setup_parse(TEXT, strlen(TEXT), 0, "r1", &s, &e), 0);
	ck_assert_uint_eq(s.minor, 4);
	ck_assert_int_eq(s.role, DRBD_PRIMARY);
	ck_assert_int_eq(s.conn, DRBD_CONNECTING);
	ck_assert_int_eq(s.peer_disk, DRBD_DISK_UNKNOWN);
	ck_assert(s.suspended_nodata && s.suspended_fencing && !s.suspended_user);
	ck_assert_int_eq(s.open, 1);
	ck_assert_int_eq(s.resync_percent, -1);
	ck_assert_int_eq(drbd_setup_parse(TEXT, strlen(TEXT), 5, NULL, &s, &e), -ENODEV);
	ck_assert_int_eq(drbd_setup_parse("", 0, 5, NULL, &s, NULL), -ENODEV);
}
END_TEST

/* Cut anywhere, from memory of exactly that size; and with each byte wrong. */
START_TEST(text_malformed)
{
	struct drbd_status s;
	struct err e;

	for (size_t cut = 0; cut < strlen(TEXT); cut++) {
		char *p = malloc(cut ? cut : 1);

		memcpy(p, TEXT, cut);
		drbd_setup_parse(p, cut, 4, NULL, &s, &e);
		for (size_t c = 0; c < 4 && cut; c++) {
			p[cut - 1] = "\0:\n "[c];
			drbd_setup_parse(p, cut, 0, "r1", &s, &e);
		}
		free(p);
	}
}
END_TEST

START_TEST(fencing)
{
	/* drbdsetup show --show-defaults r0, of drbd-utils 9.22 */
	static const char one[] =
		"resource \"r0\" {\n    options {\n        cpu-mask                \t\"\"; # default\n    }\n"
		"    connection {\n        net {\n            protocol                \tC; # default\n"
		"            fencing                 \tresource-and-stonith;\n        }\n    }\n}\n";

	ck_assert_int_eq(drbd_setup_fencing_parse(one), DRBD_FENCING_STONITH);
	ck_assert_int_eq(drbd_setup_fencing_parse("net {\n fencing\tresource-only;\n}\nnet {\n fencing resource-and-stonith;\n}"),
			 DRBD_FENCING_RESOURCE);
	ck_assert_int_eq(drbd_setup_fencing_parse("\n fencing dont-care; # default\n"), DRBD_FENCING_DONT_CARE);
	ck_assert_int_eq(drbd_setup_fencing_parse(""), DRBD_FENCING_UNKNOWN);
	ck_assert_int_eq(drbd_setup_fencing_parse(" fencing"), DRBD_FENCING_UNKNOWN);
	ck_assert_int_eq(drbd_setup_fencing_parse(" fencing resource;\n"), DRBD_FENCING_UNKNOWN);
	ck_assert_int_eq(drbd_setup_fencing_parse("shared-secret \"fencing\";\n"), DRBD_FENCING_UNKNOWN);
	ck_assert_str_eq(drbd_fencing_name(DRBD_FENCING_STONITH), "resource-and-stonith");
	ck_assert_str_eq(drbd_fencing_name(DRBD_FENCING_UNKNOWN), "");
}
END_TEST

START_TEST(run)
{
	const char *const good[] = { "/bin/sh", "-c", "echo out; echo err >&2; env | grep -c . ; exit 3", NULL };
	const char *const missing[] = { "/nonexistent/program", NULL };
	const char *const slow[] = { "/bin/sh", "-c", "sleep 30 & sleep 30", NULL };
	const char *const silent[] = { "/bin/sh", "-c", "exec >&- 2>&-; sleep 30", NULL };
	const char *const killed[] = { "/bin/sh", "-c", "kill -9 $$", NULL };
	const char *const many[] = { "/bin/sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x", NULL };
	char out[64];
	int code = -1;
	struct err e = { 0 };

	ck_assert_int_eq(drbd_setup_run(good, 5000, out, sizeof(out), &code, &e), 0);
	ck_assert_int_eq(code, 3);
	ck_assert_int_eq(strncmp(out, "out\nerr\n", 8), 0);
	ck_assert_int_eq(drbd_setup_run(missing, 5000, out, sizeof(out), &code, &e), -ENOENT);
	ck_assert_int_eq(drbd_setup_run(slow, 100, out, sizeof(out), &code, &e), -ETIMEDOUT);
	ck_assert_int_eq(e.cls, ERR_TIMEOUT);
	ck_assert_int_eq(drbd_setup_run(silent, 100, out, sizeof(out), &code, &e), -ETIMEDOUT);
	ck_assert_int_eq(drbd_setup_run(killed, 5000, out, sizeof(out), &code, &e), -EIO);
	ck_assert_int_eq(drbd_setup_run(many, 5000, out, sizeof(out), &code, &e), 0);
	ck_assert_uint_eq(strlen(out), sizeof(out) - 1);
}
END_TEST

static int nap(const void *arg, struct err *e)
{
	const struct timespec ts = { .tv_nsec = *(const long *)arg };

	nanosleep(&ts, NULL);
	return err_set(e, ERR_REFUSED, EBUSY, "nap", "slept");
}

START_TEST(bounded)
{
	const long brief = 1000000, lengthy = 300000000;
	const struct timespec rest = { .tv_nsec = 500000000 };
	struct err e = { 0 };

	ck_assert_int_eq(net_bounded_run(nap, &lengthy, sizeof(lengthy), 20, &e), -ETIMEDOUT);
	ck_assert_int_eq(e.cls, ERR_NONE);
	ck_assert_int_eq(net_bounded_run(nap, &brief, sizeof(brief), 5000, &e), -EBUSY);
	ck_assert_str_eq(e.where, "nap");
	nanosleep(&rest, NULL); /* the abandoned thread ends and frees its job */
}
END_TEST

static void *twenty(void *arg)
{
	const long brief = 200000;
	size_t *done = arg;

	for (int i = 0; i < 20; i++) {
		struct err e = { 0 };

		*done += net_bounded_run(nap, &brief, sizeof(brief), 5000, &e) == -EBUSY && !strcmp(e.where, "nap");
	}
	return NULL;
}

/* One thread waits for the next job, others are made and end: each job is run, once. */
START_TEST(bounded_again)
{
	const long lengthy = 100000000;
	const struct timespec rest = { .tv_nsec = 200000000 };
	size_t done[4] = { 0 };
	pthread_t threads[4];
	struct err e = { 0 };

	twenty(&done[0]);
	ck_assert_uint_eq(done[0], 20);
	ck_assert_int_eq(net_bounded_run(nap, &lengthy, sizeof(lengthy), 10, &e), -ETIMEDOUT);
	memset(done, 0, sizeof(done));
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, twenty, &done[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_uint_eq(done[i], 20);
	}
	nanosleep(&rest, NULL);
}
END_TEST

START_TEST(names)
{
	unsigned minor;
	struct err e = { 0 };

	ck_assert_str_eq(drbd_conn_name(DRBD_CONNECTED), "Connected");
	ck_assert_str_eq(drbd_conn_name(DRBD_BEHIND), "Behind");
	ck_assert_str_eq(drbd_conn_name((enum drbd_conn)31), "?");
	ck_assert_str_eq(drbd_disk_name(DRBD_UPTODATE), "UpToDate");
	ck_assert_str_eq(drbd_role_name(DRBD_PRIMARY), "Primary");
	ck_assert_int_eq(drbd_minor_of("/dev/null", &minor, &e), -EINVAL);
	ck_assert_int_eq(drbd_minor_of("/dev/nonexistent", &minor, &e), -ENOENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("netlink drbd");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, codes);
	tcase_add_test(tc, text);
	tcase_add_test(tc, text_malformed);
	tcase_add_test(tc, fencing);
	tcase_add_test(tc, run);
	tcase_add_test(tc, bounded);
	tcase_add_test(tc, bounded_again);
	tcase_add_test(tc, names);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
