/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program nasd-fence-peer, against a nasd that answers, errs, hangs and dies. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "peer_handler.h"
#include "scratch.h"

#define PROGRAM FENCE_BIN "/nasd-fence-peer"
#define REQUEST "{\"v\":1,\"cmd\":\"fence-peer\",\"resource\":\"r0\"}\n"

static char dir[] = "/tmp/nasd-peer-XXXXXX";
static char path[64];
static int listener = -1;

static void listen_now(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	unlink(path);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert(!bind(listener, (struct sockaddr *)&sa, sizeof(sa)) && !listen(listener, 4));
}

static void setup(void)
{
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	listen_now();
}

static void teardown(void)
{
	close(listener);
	unlink(path);
}

static pid_t start(const char *wait, const char *reach, bool by_environment)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (by_environment)
			setenv("DRBD_RESOURCE", "r0", 1);
		else
			unsetenv("DRBD_RESOURCE");
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
		execl(PROGRAM, PROGRAM, "--socket", path, "--wait", wait, "--reach", reach,
		      by_environment ? NULL : "r0", (char *)NULL);
		_exit(126);
	}
	return pid;
}

static int ended(pid_t pid)
{
	int status = 0;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Takes the connection and reads the request. */
static int take(void)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char got[256];
	ssize_t n = recv(fd, got, sizeof(REQUEST) - 1, MSG_WAITALL);

	ck_assert_int_eq(n, (ssize_t)sizeof(REQUEST) - 1);
	ck_assert(!memcmp(got, REQUEST, sizeof(REQUEST) - 1));
	return fd;
}

static void tell(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

START_TEST(each_answer)
{
	for (int a = 0; a < FENCE_PEER_ANSWER_COUNT; a++) {
		pid_t pid = start("20", "20", a % 2);
		int fd = take();
		char line[200];

		tell(fd, "{\"event\":\"step\",\"name\":\"fence\"}\n{\"event\":");
		pause_ms(20);
		snprintf(line, sizeof(line),
			 "\"x\"}\n{\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":\"%s\",\"reason\":\"test\"}}\n",
			 fence_peer_answer_name((enum fence_peer_answer)a));
		tell(fd, line);
		ck_assert_int_eq(ended(pid), fence_peer_exit((enum fence_peer_answer)a));
		close(fd);
	}
}
END_TEST

START_TEST(no_nasd)
{
	pid_t pid;

	close(listener);
	pid = start("20", "0", true);
	ck_assert_int_eq(ended(pid), 1);
	unlink(path);
	pid = start("20", "1", true);
	ck_assert_int_eq(ended(pid), 1);
}
END_TEST

/* nasd has no proof in time: the handler gives up, DRBD stays frozen. */
START_TEST(no_answer)
{
	pid_t pid = start("1", "20", true);
	int fd = take();

	ck_assert_int_eq(ended(pid), 1);
	close(fd);
}
END_TEST

START_TEST(errors_and_rubbish)
{
	static const char *const lines[] = {
		"{\"result\":\"error\",\"error\":{\"class\":\"input\",\"message\":\"unknown command\"}}\n",
		"{\"result\":\"ok\",\"data\":{\"resource\":\"r1\",\"peer\":\"fenced\"}}\n", "\n", "fenced\n", "7\n",
	};

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		pid_t pid = start("20", "20", true);
		int fd = take();

		tell(fd, lines[i]);
		ck_assert_int_eq(ended(pid), 1);
		close(fd);
	}
}
END_TEST

START_TEST(endless_line)
{
	pid_t pid = start("20", "20", true);
	int fd = take();
	char *chunk = malloc(65536);

	memset(chunk, '7', 65536);
	while (send(fd, chunk, 65536, MSG_NOSIGNAL) > 0)
		;
	free(chunk);
	close(fd);
	ck_assert_int_eq(ended(pid), 1);
}
END_TEST

/* nasd dies after the question, and before a whole answer: the next one is asked. */
START_TEST(restarted)
{
	pid_t pid = start("20", "20", true);
	int fd = take();

	tell(fd, "{\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":\"fenced\"}}"); /* no newline */
	close(fd);
	close(listener);
	pause_ms(400);
	ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0);
	listen_now();
	fd = take();
	tell(fd, "{\"result\":\"ok\",\"data\":{\"resource\":\"r0\",\"peer\":\"outdated\"}}\n");
	ck_assert_int_eq(ended(pid), 4);
	close(fd);
}
END_TEST

START_TEST(usage)
{
	static const char *const wrong[][3] = {
		{ "--nonesuch", NULL, NULL }, { "--wait", "x", "r0" }, { "r0", "r1", NULL }, { "a/b", NULL, NULL },
		{ NULL, NULL, NULL }, { "--wait", "-1", "r0" },
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			unsetenv("DRBD_RESOURCE");
			dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
			execl(PROGRAM, PROGRAM, wrong[i][0], wrong[i][1], wrong[i][2], (char *)NULL);
			_exit(126);
		}
		ck_assert_int_eq(ended(pid), 1);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nasd-fence-peer");
	TCase *t = tcase_create("program");

	tcase_set_timeout(t, 30);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_answer);
	tcase_add_test(t, no_nasd);
	tcase_add_test(t, no_answer);
	tcase_add_test(t, errors_and_rubbish);
	tcase_add_test(t, endless_line);
	tcase_add_test(t, restarted);
	tcase_add_test(t, usage);
	suite_add_tcase(s, t);
	return scratch_run(s, dir);
}
