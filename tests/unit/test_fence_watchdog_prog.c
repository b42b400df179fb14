/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program nasd-watchdog, with a file or FIFO in the place of the device. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "beat.h"
#include "scratch.h"

#define PROGRAM FENCE_BIN "/nasd-watchdog"

enum { S = 1000000, STALE_MS = 600 };

static char dir[] = "/tmp/nasd-dog-XXXXXX";
static char device[64], path[64];
static pid_t dog;
static int sock = -1;
static uint64_t seq;

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * S + t.tv_nsec / 1000;
}

static void pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static struct sockaddr_un address(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	return sa;
}

/* Starts it, and waits until it listens. */
static pid_t start(const char *dev)
{
	char stale[16];
	struct sockaddr_un sa;
	pid_t pid;

	snprintf(stale, sizeof(stale), "%d", STALE_MS);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, SIG_DFL);
		execl(PROGRAM, PROGRAM, "--device", dev, "--timeout", "5", "--stale", stale, "--socket", path,
		      "--no-realtime", (char *)NULL);
		_exit(126);
	}
	sa = address();
	for (int i = 0; connect(sock, (struct sockaddr *)&sa, sizeof(sa)); i++) {
		ck_assert_msg(i < 500 && waitpid(pid, NULL, WNOHANG) == 0, "%s does not listen", PROGRAM);
		pause_ms(10);
	}
	return pid;
}

static void setup(void)
{
	static const sa_family_t autobind = AF_UNIX;
	struct timeval patience = { 5, 0 };

	snprintf(device, sizeof(device), "%s/device", dir);
	snprintf(path, sizeof(path), "%s/sock", dir);
	unlink(device);
	close(open(device, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	ck_assert_int_eq(bind(sock, (const struct sockaddr *)&autobind, sizeof(autobind)), 0);
	seq = 0;
	dog = start(device);
}

static void teardown(void)
{
	if (dog > 0) {
		kill(dog, SIGKILL);
		waitpid(dog, NULL, 0);
	}
	close(sock);
	unlink(path);
}

/* What the device has got so far. */
static size_t bytes(char *last)
{
	struct stat st;
	int fd = open(device, O_RDONLY | O_CLOEXEC);

	ck_assert(fd >= 0 && !fstat(fd, &st));
	*last = '\0';
	if (st.st_size)
		ck_assert_int_eq(pread(fd, last, 1, st.st_size - 1), 1);
	close(fd);
	return (size_t)st.st_size;
}

static enum dog_state beat_aged(bool active, int64_t age_us)
{
	struct fence_beat b = { 1, ++seq, now_us() - age_us, active };
	char buf[BEAT_MAX];
	size_t len = beat_format(&b, buf);
	enum dog_state state;
	struct err e;
	uint64_t of;
	ssize_t n;

	ck_assert(send(sock, buf, len, 0) == (ssize_t)len);
	n = recv(sock, buf, sizeof(buf), 0);
	ck_assert_msg(n > 0, "no answer to a beat");
	ck_assert_int_eq(dog_parse(buf, (size_t)n, &of, &state, &e), 0);
	ck_assert_uint_eq(of, seq);
	return state;
}

static enum dog_state beat(bool active)
{
	return beat_aged(active, 0);
}

/* Waits for it to end; the exit status, or 1000 plus the signal. */
static int ended(pid_t pid)
{
	int status = 0;

	for (int i = 0; waitpid(pid, &status, WNOHANG) == 0; i++) {
		ck_assert_msg(i < 500, "it does not end");
		pause_ms(10);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int end(int sig)
{
	int status;

	kill(dog, sig);
	status = ended(dog);
	dog = 0;
	return status;
}

START_TEST(idle_touches_nothing)
{
	char last;

	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(beat(false), DOG_CLOSED);
	ck_assert_uint_eq(bytes(&last), 0);
	ck_assert_int_eq(end(SIGTERM), 0);
	ck_assert_uint_eq(bytes(&last), 0);
}
END_TEST

START_TEST(fed_while_active_then_disarmed)
{
	size_t before, after;
	char last;

	ck_assert_int_eq(beat(true), DOG_ARMED);
	before = bytes(&last);
	ck_assert(before >= 1 && last == '.');
	for (int i = 0; i < 12; i++) {
		pause_ms(100);
		ck_assert_int_eq(beat(true), DOG_ARMED);
	}
	after = bytes(&last);
	ck_assert(after >= before + 3 && last == '.');
	ck_assert_int_eq(beat(false), DOG_CLOSED);
	ck_assert_uint_eq(bytes(&last), after + 1);
	ck_assert_int_eq(last, 'V');
	ck_assert_int_eq(end(SIGTERM), 0);
	ck_assert_uint_eq(bytes(&last), after + 1);
}
END_TEST

/* nasd hangs while active: nothing is written any more, above all no 'V'. */
START_TEST(starves_when_nasd_hangs)
{
	size_t then;
	char last;

	ck_assert_int_eq(beat(true), DOG_ARMED);
	pause_ms(3 * STALE_MS);
	then = bytes(&last);
	pause_ms(2 * STALE_MS);
	ck_assert_uint_eq(bytes(&last), then);
	ck_assert_int_eq(last, '.');
	/* nor when it is told to end */
	ck_assert_int_eq(end(SIGTERM), 0);
	ck_assert_uint_eq(bytes(&last), then);
}
END_TEST

/* nasd is stopped with its beats queued, as a paused process leaves them. */
START_TEST(a_queue_of_old_beats)
{
	char buf[BEAT_MAX], last;
	size_t len;

	ck_assert_int_eq(beat(true), DOG_ARMED);
	kill(dog, SIGSTOP);
	for (int i = 0; i < 5; i++) {
		struct fence_beat b = { 1, ++seq, now_us(), true };

		len = beat_format(&b, buf);
		ck_assert(send(sock, buf, len, MSG_DONTWAIT) == (ssize_t)len);
		pause_ms(10);
	}
	pause_ms(STALE_MS + 100);
	len = bytes(&last);
	kill(dog, SIGCONT);
	pause_ms(STALE_MS);
	ck_assert_uint_eq(bytes(&last), len);
}
END_TEST

/* Ended while active: armed, with a last feed, for the next one to go on. */
START_TEST(a_successor)
{
	size_t then;
	char last;

	ck_assert_int_eq(beat(true), DOG_ARMED);
	then = bytes(&last);
	ck_assert_int_eq(end(SIGTERM), 0);
	ck_assert_uint_eq(bytes(&last), then + 1);
	ck_assert_int_eq(last, '.');
	dog = start(device);
	ck_assert_int_eq(beat(true), DOG_ARMED);
	ck_assert_uint_gt(bytes(&last), then + 1);
	/* killed: nothing is written either */
	then = bytes(&last);
	ck_assert_int_eq(end(SIGKILL), 1000 + SIGKILL);
	ck_assert_uint_eq(bytes(&last), then);
}
END_TEST

START_TEST(rubbish)
{
	static const char *const lines[] = { "", "x", "beat 1 1 1 1 active", "beat 9 1 1 1 active\n" };
	char big[5000], last;

	for (unsigned i = 0; i < 4; i++)
		send(sock, lines[i], strlen(lines[i]), 0);
	memset(big, 'b', sizeof(big));
	send(sock, big, sizeof(big), 0);
	send(sock, "beat 1 1 1 99999999999999 active\n", 33, 0); /* the future */
	ck_assert_int_eq(beat(false), DOG_CLOSED);
	ck_assert_uint_eq(bytes(&last), 0);
}
END_TEST

START_TEST(device_is_missing)
{
	unlink(device);
	ck_assert_int_eq(beat(true), DOG_FAILED);
	close(open(device, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	for (int i = 0; beat(true) != DOG_ARMED; i++) {
		ck_assert_int_lt(i, 100);
		pause_ms(50);
	}
}
END_TEST

/* A FIFO that nobody reads fills up: no feed, said so, and not stuck. */
START_TEST(a_full_device)
{
	int fd, n = 0;
	char dot = '.';

	unlink(device);
	ck_assert_int_eq(mkfifo(device, 0600), 0);
	fd = open(device, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	while (write(fd, &dot, 1) == 1)
		n++;
	ck_assert_int_gt(n, 1000);
	ck_assert_int_eq(beat(true), DOG_FAILED);
	while (read(fd, &dot, 1) == 1)
		;
	/* a feed while it was being emptied went with the rest: the next one, then */
	dot = '\0';
	for (int i = 0; beat(true) != DOG_ARMED || read(fd, &dot, 1) != 1; i++) {
		ck_assert_int_lt(i, 100);
		pause_ms(50);
	}
	ck_assert_int_eq(dot, '.');
	close(fd);
}
END_TEST

START_TEST(only_one)
{
	pid_t second = fork();

	if (second == 0) {
		execl(PROGRAM, PROGRAM, "--device", "none", "--socket", path, "--no-realtime", (char *)NULL);
		_exit(126);
	}
	ck_assert_int_eq(ended(second), 1);
	ck_assert_int_eq(beat(true), DOG_ARMED);
}
END_TEST

START_TEST(without_a_device)
{
	ck_assert_int_eq(end(SIGTERM), 0);
	dog = start("none");
	ck_assert_int_eq(beat(true), DOG_NONE);
	ck_assert_int_eq(end(SIGINT), 0);
	ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(wrong_usage)
{
	static const char *const wrong[][2] = {
		{ "--timeout", "0" }, { "--timeout", "x" }, { "--stale", "5" }, { "--nonesuch", "1" }, { "-s", "" },
	};

	for (unsigned i = 0; i < 5; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
			execl(PROGRAM, PROGRAM, wrong[i][0], wrong[i][1], (char *)NULL);
			_exit(126);
		}
		ck_assert_int_eq(ended(pid), 2);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nasd-watchdog");
	TCase *t = tcase_create("program");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, idle_touches_nothing);
	tcase_add_test(t, fed_while_active_then_disarmed);
	tcase_add_test(t, starves_when_nasd_hangs);
	tcase_add_test(t, a_queue_of_old_beats);
	tcase_add_test(t, a_successor);
	tcase_add_test(t, rubbish);
	tcase_add_test(t, device_is_missing);
	tcase_add_test(t, a_full_device);
	tcase_add_test(t, only_one);
	tcase_add_test(t, without_a_device);
	tcase_add_test(t, wrong_usage);
	suite_add_tcase(s, t);
	return scratch_run(s, dir);
}
