/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "child.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int sh(const char *script, struct child_spec *spec, struct child_result *res, struct err *e)
{
	const char *const argv[] = { "sh", "-c", script, NULL };

	memset(e, 0, sizeof(*e));
	spec->path = "/bin/sh";
	spec->argv = argv;
	return child_run(spec, res, e);
}

START_TEST(output_status_and_input)
{
	struct child_spec spec = { .input = "hello\n", .input_len = 6 };
	struct child_result res;
	struct err e;

	ck_assert_int_eq(sh("cat; echo oops >&2", &spec, &res, &e), 0);
	ck_assert_str_eq(res.out, "hello\n");
	ck_assert_str_eq(res.err_out, "oops\n");
	ck_assert_int_eq(res.end, CHILD_EXITED);
	ck_assert(!res.truncated);
	child_result_free(&res);
	ck_assert_int_eq(sh("echo first >&2; echo why >&2; exit 7", &spec, &res, &e), -EIO);
	ck_assert_int_eq(res.end, CHILD_EXITED);
	ck_assert_int_eq(res.code, 7);
	ck_assert_msg(strstr(e.msg, "status 7: why") != NULL, "%s", e.msg);
	child_result_free(&res);
	ck_assert_int_eq(sh("kill -9 $$", &spec, &res, &e), -EIO);
	ck_assert_int_eq(res.end, CHILD_SIGNALLED);
	ck_assert_int_eq(res.code, SIGKILL);
	child_result_free(&res);
}
END_TEST

START_TEST(exec_failure_is_not_an_exit_code)
{
	const char *const argv[] = { "x", NULL };
	struct child_spec spec = { .path = "/nonexistent/x", .argv = argv };
	struct child_result res;
	struct err e = { 0 };

	ck_assert_int_eq(child_run(&spec, &res, &e), -ENOENT);
	ck_assert_int_eq(res.end, CHILD_NOT_RUN);
	child_result_free(&res);
	spec.path = "/etc/passwd";
	ck_assert_int_eq(child_run(&spec, &res, &e), -EACCES);
	ck_assert_int_eq(res.end, CHILD_NOT_RUN);
	child_result_free(&res);
	spec.path = "sh";
	ck_assert_int_eq(child_run(&spec, &res, &e), -EINVAL);
	child_result_free(&res);
	/* 127 is what a shell would make of it; here it is the program's own. */
	ck_assert_int_eq(sh("exit 127", &spec, &res, &e), -EIO);
	ck_assert_int_eq(res.end, CHILD_EXITED);
	ck_assert_int_eq(res.code, 127);
	child_result_free(&res);
}
END_TEST

START_TEST(clean_environment_and_descriptors)
{
	const char *const envp[] = { "ONLY=this", NULL };
	struct child_spec spec = { .envp = envp };
	struct child_result res;
	struct err e;
	int leak = fcntl(STDIN_FILENO, F_DUPFD, 50); /* no close-on-exec on purpose */

	setenv("NASD_TEST_SECRET", "x", 1);
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(leak, 50);
	ck_assert_int_eq(sh("/usr/bin/env | /usr/bin/sort; for f in /proc/$$/fd/*; do echo ${f##*/}; "
			    "done; pwd; /bin/grep SigIgn /proc/$$/status", &spec, &res, &e), 0);
	ck_assert_ptr_null(strstr(res.out, "NASD_TEST_SECRET"));
	ck_assert_ptr_nonnull(strstr(res.out, "ONLY=this\n"));
	ck_assert_ptr_nonnull(strstr(res.out, "\n0\n1\n2\n"));
	ck_assert_ptr_null(strstr(res.out, "\n50\n"));
	ck_assert_ptr_nonnull(strstr(res.out, "\n/\n"));
	/* The C library keeps its two internal ones (32 and 33) to itself. */
	ck_assert_ptr_nonnull(strstr(res.out, "SigIgn:"));
	ck_assert_uint_eq(strtoull(strstr(res.out, "SigIgn:") + 7, NULL, 16) & 0x7fffffff, 0);
	child_result_free(&res);
	close(leak);
}
END_TEST

START_TEST(output_is_capped)
{
	struct child_spec spec = { .output_max = 1000 };
	struct child_result res;
	struct err e;

	ck_assert_int_eq(sh("head -c 1000000 /dev/zero | tr '\\0' x", &spec, &res, &e), 0);
	ck_assert_uint_eq(res.out_len, 1000);
	ck_assert_uint_eq(strlen(res.out), 1000);
	ck_assert(res.truncated);
	child_result_free(&res);
}
END_TEST

START_TEST(large_input_and_output)
{
	size_t len = 3 * 1000 * 1000;
	char *big = malloc(len);
	struct child_spec spec = { .input = big, .input_len = len, .output_max = 4000000 };
	struct child_result res;
	struct err e;

	memset(big, 'y', len);
	ck_assert_int_eq(sh("cat", &spec, &res, &e), 0);
	ck_assert_uint_eq(res.out_len, len);
	ck_assert_mem_eq(res.out, big, len);
	child_result_free(&res);
	/* Nobody reads it: no SIGPIPE, no hang. */
	ck_assert_int_eq(sh("exit 0", &spec, &res, &e), 0);
	child_result_free(&res);
	free(big);
}
END_TEST

/* The group's processes that hold the pipe are gone when child_run returns. */
static void assert_gone(const char *pid_text)
{
	long pid = strtol(pid_text, NULL, 10);
	int i;

	ck_assert_int_gt(pid, 1);
	for (i = 0; i < 1000 && kill((pid_t)pid, 0) == 0 && child_start_time((pid_t)pid); i++)
		usleep(1000);
	if (kill((pid_t)pid, 0) == 0) {
		char cmd[64];

		/* A zombie of somebody else's (no init in a container) is gone enough. */
		snprintf(cmd, sizeof(cmd), "grep -q 'State:.Z' /proc/%ld/status", pid);
		ck_assert_int_eq(system(cmd), 0);
	}
}

START_TEST(timeout_terminates_then_kills)
{
	struct child_spec spec = { .timeout_us = 200000, .kill_after_us = 100000 };
	struct child_result res;
	struct err e;

	ck_assert_int_eq(sh("sleep 100 & echo $!; wait", &spec, &res, &e), -ETIMEDOUT);
	ck_assert_int_eq(res.end, CHILD_TIMED_OUT);
	ck_assert_int_eq(e.cls, ERR_TIMEOUT);
	ck_assert_uint_lt(res.duration_us, 2000000);
	ck_assert_uint_ge(res.duration_us, 200000);
	assert_gone(res.out);
	child_result_free(&res);
	ck_assert_int_eq(sh("trap '' TERM; while :; do sleep 0.02; done", &spec, &res, &e), -ETIMEDOUT);
	ck_assert_int_eq(res.code, SIGKILL);
	ck_assert_uint_ge(res.duration_us, 300000);
	child_result_free(&res);
	/* Exits 0 when told to: it was interrupted all the same. */
	ck_assert_int_eq(sh("trap 'exit 0' TERM; while :; do sleep 0.02; done", &spec, &res, &e),
			 -ETIMEDOUT);
	ck_assert_int_eq(res.end, CHILD_TIMED_OUT);
	child_result_free(&res);
	/* Not reaped children would show here. */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
}
END_TEST

static char off_path[64], off_script[200];

static const char *script_of(const char *begin, const char *end)
{
	snprintf(off_path, sizeof(off_path), "/tmp/test-child-%ld.started", (long)getpid());
	snprintf(off_script, sizeof(off_script), "%s%s%s", begin, off_path, end);
	return off_script;
}

static void *call_off_when_it_runs(void *arg)
{
	int *fd = arg;

	while (access(off_path, F_OK) < 0)
		usleep(5000);
	eventfd_write(*fd, 1);
	return NULL;
}

/* It is ended with all that it has started, long before its time is over. */
START_TEST(called_off)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct child_spec spec = { .timeout_us = 600000000, .kill_after_us = 100000, .cancel_fd = fd };
	struct child_result res;
	pthread_t t;
	struct err e;

	script_of("", "");
	unlink(off_path);
	ck_assert_int_eq(pthread_create(&t, NULL, call_off_when_it_runs, &fd), 0);
	ck_assert_int_eq(sh(script_of("sleep 1000 & echo $!; : >", "; wait"), &spec, &res, &e), -ETIMEDOUT);
	pthread_join(t, NULL);
	ck_assert_int_eq(res.end, CHILD_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(e.msg, "ended by its caller"));
	assert_gone(res.out);
	child_result_free(&res);
	unlink(off_path);
	/* and is not begun any more */
	ck_assert_int_eq(sh(script_of(": >", ""), &spec, &res, &e), -ECANCELED);
	ck_assert_int_eq(res.end, CHILD_NOT_RUN);
	ck_assert_int_lt(access(off_path, F_OK), 0);
	child_result_free(&res);
	close(fd);
}
END_TEST

START_TEST(left_behind_children_do_not_block)
{
	struct child_spec spec = { .timeout_us = 5000000 };
	struct child_result res;
	struct err e;

	ck_assert_int_eq(sh("sleep 100 & echo $!", &spec, &res, &e), 0);
	ck_assert_uint_lt(res.duration_us, 2000000);
	assert_gone(res.out);
	child_result_free(&res);
	/* Out of the group's reach, flooding the pipe: still no hang. */
	ck_assert_int_eq(sh("setsid sh -c 'exec timeout 2 yes' & sleep 0.1; exit 0", &spec, &res, &e), 0);
	ck_assert_uint_lt(res.duration_us, 1500000);
	child_result_free(&res);
}
END_TEST

/* ---- daemons */

static struct child_proc spawn(const char *script, const char *log)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct child_proc p = { .pidfd = -1 };
	struct err e = { 0 };

	ck_assert_msg(child_spawn_daemon("/bin/sh", argv, NULL, log, &p, &e) == 0, "%s", e.msg);
	ck_assert_int_gt(p.pid, 1);
	ck_assert_uint_gt(p.start_time, 0);
	ck_assert_uint_eq(p.start_time, child_start_time(p.pid));
	return p;
}

START_TEST(daemon_spawn_adopt_kill)
{
	char log[] = "/tmp/nasd-child-XXXXXX", text[64] = "";
	int fd = mkstemp(log), i;
	struct child_proc p, q = { .pidfd = -1 };
	struct err e = { 0 };
	char exe[64];

	unlink(log);
	p = spawn("echo started; while :; do sleep 0.05; done", log);
	close(fd);
	for (i = 0; i < 2000 && !strstr(text, "started"); i++) {
		fd = open(log, O_RDONLY);
		if (fd >= 0) {
			ssize_t n = read(fd, text, sizeof(text) - 1);

			text[n > 0 ? n : 0] = '\0';
			close(fd);
		}
		usleep(1000);
	}
	ck_assert_str_eq(text, "started\n");
	ck_assert_int_eq(getsid(p.pid), p.pid);
	ck_assert(!child_ended(p.pidfd));
	ck_assert_int_eq(fcntl(p.pidfd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(child_adopt(p.pid, p.start_time, "/bin/sh", &q, &e), 0);
	child_proc_release(&q);
	ck_assert_int_eq(child_adopt(p.pid, p.start_time + 1, "/bin/sh", &q, &e), -ESRCH);
	ck_assert_int_eq(child_adopt(p.pid, p.start_time, "/bin/cat", &q, &e), -ESRCH);
	ck_assert_int_eq(child_adopt(p.pid, p.start_time, NULL, &q, &e), 0);
	ck_assert_int_eq(child_reap(p.pidfd, NULL), -EAGAIN);
	ck_assert_int_eq(child_kill(q.pidfd, 0, 20000, &e), -ETIMEDOUT);
	ck_assert_int_eq(child_kill(q.pidfd, SIGTERM, 5000000, &e), 0);
	ck_assert(child_ended(p.pidfd));
	/* Reaped by child_kill: the pid is free, adopting and killing again are harmless. */
	snprintf(exe, sizeof(exe), "/proc/%d", p.pid);
	ck_assert_int_ne(access(exe, F_OK), 0);
	child_proc_release(&q);
	ck_assert_int_eq(child_adopt(p.pid, p.start_time, "/bin/sh", &q, &e), -ESRCH);
	ck_assert_int_eq(child_kill(p.pidfd, SIGTERM, 0, &e), 0);
	child_proc_release(&p);
	unlink(log);
}
END_TEST

START_TEST(daemon_zombie_is_ended)
{
	struct child_proc p = spawn("exit 3", "/dev/null"), q = { .pidfd = -1 };
	struct err e = { 0 };
	int status = -1;

	while (!child_ended(p.pidfd))
		usleep(1000);
	ck_assert_int_eq(child_adopt(p.pid, p.start_time, NULL, &q, &e), -ESRCH);
	ck_assert_int_eq(child_reap(p.pidfd, &status), 0);
	ck_assert_int_eq(status, 3);
	ck_assert_int_eq(child_reap(p.pidfd, &status), -ECHILD);
	child_proc_release(&p);
}
END_TEST

START_TEST(daemon_exec_failure)
{
	const char *const argv[] = { "x", NULL };
	struct child_proc p = { .pidfd = -1 };
	struct err e = { 0 };

	ck_assert_int_eq(child_spawn_daemon("/nonexistent/x", argv, NULL, "/dev/null", &p, &e), -ENOENT);
	ck_assert_int_eq(child_spawn_daemon("/bin/sh", argv, NULL, "/nonexistent/log", &p, &e), -ENOENT);
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_uint_eq(child_start_time(-1), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/child");
	TCase *t = tcase_create("child");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 30);
	tcase_add_test(t, output_status_and_input);
	tcase_add_test(t, exec_failure_is_not_an_exit_code);
	tcase_add_test(t, clean_environment_and_descriptors);
	tcase_add_test(t, output_is_capped);
	tcase_add_test(t, large_input_and_output);
	tcase_add_test(t, timeout_terminates_then_kills);
	tcase_add_test(t, called_off);
	tcase_add_test(t, left_behind_children_do_not_block);
	tcase_add_test(t, daemon_spawn_adopt_kill);
	tcase_add_test(t, daemon_zombie_is_ended);
	tcase_add_test(t, daemon_exec_failure);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
