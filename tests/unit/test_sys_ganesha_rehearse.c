/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests to servers that do not behave: bounded, and said. (A real one:
 * test_sys_ganesha_module.c.) */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "ganesha_rehearse.h"

enum { TIMEOUT_US = 150000, NO_SESSION = 10052 };

/* What a server writes for each request that it reads; len 0: it hangs up. */
struct manner {
	const uint32_t *null_answer, *compound_answer;
	size_t null_words, compound_words;
	bool silent;
};

static const uint32_t good_null[] = {0x80000018, 0, 1, 0, 0, 0, 0};
static const uint32_t good_compound[] = {0x8000002c, 0, 1, 0, 0, 0, 0, NO_SESSION, 0, 1, 53, NO_SESSION};

static void answer(int fd, const uint32_t *words, size_t n)
{
	uint32_t out[16];

	for (size_t i = 0; i < n; i++)
		out[i] = htonl(words[i]);
	if (!n || write(fd, out, n * sizeof(*out)) < 0)
		_exit(0);
}

static void serve_connection(int fd, const struct manner *m)
{
	uint32_t request[64];

	while (recv(fd, request, 4, MSG_WAITALL) == 4) {
		size_t len = ntohl(request[0]) & 0x7fffffff;

		if (len > sizeof(request) - 4 || recv(fd, request + 1, len, MSG_WAITALL) != (ssize_t)len)
			break;
		if (m->silent)
			continue;
		if (request[6] == 0)
			answer(fd, m->null_answer, m->null_words);
		else
			answer(fd, m->compound_answer, m->compound_words);
	}
	_exit(0);
}

static pid_t serve(int listener, const struct manner *m)
{
	pid_t pid = fork();
	int fd;

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		if (fork() == 0)
			serve_connection(fd, m);
		close(fd);
	}
	_exit(0);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int listen_somewhere(struct conf_nfs *nfs)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert(fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 8) == 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*nfs = (struct conf_nfs){.port = ntohs(a.sin_port)};
	return fd;
}

static int rehearse_with(const struct manner *m, struct err *e)
{
	struct conf_nfs nfs;
	int listener = listen_somewhere(&nfs), ret;
	pid_t pid = serve(listener, m);

	*e = (struct err){0};
	ret = ganesha_rehearse_requests(&nfs, TIMEOUT_US * 10, e);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(listener);
	return ret;
}

#define WORDS(w) (w), sizeof(w) / sizeof(*(w))

static struct manner manner(const uint32_t *null, size_t n_null, const uint32_t *compound, size_t n_compound)
{
	return (struct manner){null, compound, n_null, n_compound, false};
}

START_TEST(as_it_should_be)
{
	struct manner m = manner(WORDS(good_null), WORDS(good_compound));
	struct err e;

	ck_assert_msg(rehearse_with(&m, &e) == 0, "%s", e.msg);
}
END_TEST

START_TEST(wrong_answers)
{
	static const uint32_t other_xid[] = {0x80000018, 9, 1, 0, 0, 0, 0};
	static const uint32_t denied[] = {0x80000018, 0, 1, 1, 0, 0, 0};
	static const uint32_t no_program[] = {0x80000018, 0, 1, 0, 0, 0, 1};
	static const uint32_t too_short[] = {0x80000004, 0};
	static const uint32_t too_long[] = {0xffffffff, 0, 1, 0, 0, 0, 0};
	static const uint32_t status_ok[] = {0x8000001c, 0, 1, 0, 0, 0, 0, 0};
	const struct manner bad[] = {
		manner(WORDS(other_xid), WORDS(good_compound)), manner(WORDS(denied), WORDS(good_compound)),
		manner(WORDS(no_program), WORDS(good_compound)), manner(WORDS(too_short), WORDS(good_compound)),
		manner(WORDS(too_long), WORDS(good_compound)), manner(WORDS(good_null), WORDS(good_null)),
		manner(WORDS(good_null), WORDS(status_ok)),
	};
	struct err e;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_msg(rehearse_with(&bad[i], &e) == -EPROTO, "%zu: %s", i, e.msg);
		ck_assert(e.cls == ERR_INPUT && e.msg[0]);
	}
}
END_TEST

START_TEST(hangs_up)
{
	struct manner m = manner(NULL, 0, NULL, 0);
	struct err e;

	ck_assert_int_lt(rehearse_with(&m, &e), 0);
	ck_assert(e.cls == ERR_SYSTEM && e.msg[0]);
}
END_TEST

START_TEST(silent)
{
	struct conf_nfs nfs;
	struct err e = {0};
	int listener = listen_somewhere(&nfs); /* the kernel accepts, and nobody reads */
	int64_t began = now_us(), took;

	ck_assert_int_eq(ganesha_rehearse_requests(&nfs, TIMEOUT_US, &e), -ETIMEDOUT);
	took = now_us() - began;
	printf("  a server that is silent: %.1f ms\n", (double)took / 1e3);
	ck_assert_int_eq(e.cls, ERR_TIMEOUT);
	ck_assert_int_ge(took, TIMEOUT_US);
	close(listener);
	ck_assert_int_eq(ganesha_rehearse_requests(&nfs, TIMEOUT_US, &e), -ECONNREFUSED);
}
END_TEST

/* Whoever has the address elsewhere is not to be asked. */
START_TEST(not_on_this_node)
{
	struct conf_nfs nfs;
	struct err e = {0};
	int listener = listen_somewhere(&nfs);

	nfs.bind = (struct conf_ip){.family = AF_INET, .bytes = {192, 0, 2, 77}, .text = "192.0.2.77"};
	ck_assert_int_eq(ganesha_rehearse_requests(&nfs, TIMEOUT_US, &e), -EADDRNOTAVAIL);
	nfs.bind = (struct conf_ip){.family = AF_INET6, .bytes = {0x20, 1, 0xd, 0xb8, [15] = 9}, .text = "2001:db8::9"};
	ck_assert_int_eq(ganesha_rehearse_requests(&nfs, TIMEOUT_US, &e), -EADDRNOTAVAIL);
	/* this one is, and silent */
	nfs.bind = (struct conf_ip){.family = AF_INET, .bytes = {127, 0, 0, 1}, .text = "127.0.0.1"};
	ck_assert_int_eq(ganesha_rehearse_requests(&nfs, TIMEOUT_US, &e), -ETIMEDOUT);
	close(listener);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/ganesha_rehearse");
	TCase *t = tcase_create("sys/ganesha_rehearse");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 30);
	tcase_add_test(t, as_it_should_be);
	tcase_add_test(t, wrong_answers);
	tcase_add_test(t, hangs_up);
	tcase_add_test(t, silent);
	tcase_add_test(t, not_on_this_node);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
