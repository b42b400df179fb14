/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NULL calls to servers of every kind over loopback, and what is made of their answers. */
#include "nfs_ping.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "silence.h"

enum { LIMIT_US = 300000 };

/* ---- a server in a process of its own */

enum kind { ANSWERS, ANSWERS_IN_BYTES, REFUSES, OTHER_XID, NO_RPC, HANGS_UP, MUTE };

struct server {
	struct net_addr addr;
	uint16_t port;
	int lfd;
	pid_t pid;
};

static const unsigned char call_after_xid[] = {
	0, 0, 0, 0,             /* CALL */
	0, 0, 0, 2,             /* RPC version 2 */
	0, 1, 0x86, 0xa3,       /* program 100003 */
	0, 0, 0, 4,             /* version 4 */
	0, 0, 0, 0,             /* procedure NULL */
	0, 0, 0, 0, 0, 0, 0, 0, /* AUTH_NONE, no body */
	0, 0, 0, 0, 0, 0, 0, 0, /* the same as verifier */
};

static void answer(int fd, enum kind kind)
{
	unsigned char call[44], reply[28] = { 0x80, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 1 };
	static const unsigned char mark[] = { 0x80, 0, 0, 40 };

	if (recv(fd, call, sizeof(call), MSG_WAITALL) != sizeof(call) || memcmp(call, mark, 4) != 0 ||
	    memcmp(call + 8, call_after_xid, sizeof(call_after_xid)) != 0)
		return;
	memcpy(reply + 4, call + 4, 4);
	if (kind == OTHER_XID)
		reply[7] ^= 1;
	if (kind == REFUSES)
		reply[15] = 1; /* MSG_DENIED: it lives */
	if (kind == NO_RPC)
		memcpy(reply, "HTTP/1.1 400 Bad Request\r\n\r\n", sizeof(reply));
	for (size_t i = 0; i < sizeof(reply); i++)
		if (kind == ANSWERS_IN_BYTES && send(fd, reply + i, 1, MSG_NOSIGNAL) < 0)
			return;
	if (kind == ANSWERS || kind == REFUSES || kind == OTHER_XID || kind == NO_RPC)
		if (send(fd, reply, sizeof(reply), MSG_NOSIGNAL) < 0)
			return;
	if (kind == MUTE)
		pause();
}

static void begin(struct server *s, int family, enum kind kind)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6;
	socklen_t len = family == AF_INET ? sizeof(a4) : sizeof(a6);

	memset(s, 0, sizeof(*s));
	s->lfd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(s->lfd, a, len), 0);
	ck_assert_int_eq(listen(s->lfd, 8), 0);
	ck_assert_int_eq(getsockname(s->lfd, a, &len), 0);
	s->port = ntohs(family == AF_INET ? a4.sin_port : a6.sin6_port);
	s->addr.family = family;
	memcpy(s->addr.ip, family == AF_INET ? (void *)&a4.sin_addr : (void *)&a6.sin6_addr, family == AF_INET ? 4 : 16);
	s->pid = fork();
	if (s->pid == 0) {
		for (int fd; (fd = accept(s->lfd, NULL, NULL)) >= 0; close(fd))
			answer(fd, kind);
		_exit(0);
	}
}

static void end(struct server *s)
{
	kill(s->pid, SIGKILL);
	waitpid(s->pid, NULL, 0);
	close(s->lfd);
}

static const struct {
	enum kind kind;
	int ret;
	enum err_class cls;
} kinds[] = {
	{ ANSWERS, 0, ERR_NONE },
	{ ANSWERS_IN_BYTES, 0, ERR_NONE },
	{ REFUSES, 0, ERR_NONE },
	{ OTHER_XID, -EPROTO, ERR_PEER },
	{ NO_RPC, -EPROTO, ERR_PEER },
	{ HANGS_UP, -ECONNRESET, ERR_SYSTEM },
	{ MUTE, -ETIMEDOUT, ERR_TIMEOUT },
};

START_TEST(every_kind)
{
	static const int families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		struct err e = { .cls = ERR_NONE };
		struct server s;

		begin(&s, families[i], kinds[_i].kind);
		for (int n = 0; n < 2; n++) /* one that has been asked can be asked again */
			ck_assert_int_eq(nfs_ping(&s.addr, s.port, LIMIT_US, &e), kinds[_i].ret);
		ck_assert_int_eq(e.cls, kinds[_i].cls);
		end(&s);
	}
}
END_TEST

START_TEST(one_that_stands_still_and_one_that_is_gone)
{
	struct err e = { .cls = ERR_NONE };
	struct server s;

	begin(&s, AF_INET, ANSWERS);
	ck_assert_int_eq(nfs_ping(&s.addr, s.port, LIMIT_US, &e), 0);
	kill(s.pid, SIGSTOP);
	ck_assert_int_eq(nfs_ping(&s.addr, s.port, LIMIT_US, &e), -ETIMEDOUT); /* its kernel still accepts */
	ck_assert_int_eq(e.cls, ERR_TIMEOUT);
	kill(s.pid, SIGCONT);
	ck_assert_int_eq(nfs_ping(&s.addr, s.port, LIMIT_US * 20, &e), 0);
	end(&s);
	ck_assert_int_eq(nfs_ping(&s.addr, s.port, LIMIT_US, &e), -ECONNREFUSED);
	ck_assert_int_eq(e.cls, ERR_REFUSED);
}
END_TEST

/* ---- since when */

enum { S = 1000000, LIMIT = 1 * S };

START_TEST(silence_is_counted_from_the_first_question)
{
	struct silence a = { 0 };

	ck_assert_int_eq(silence_us(&a), 0);
	silence_note(&a, 7, 10 * S, 10 * S + 5, LIMIT, true);
	ck_assert_int_eq(silence_us(&a), 0);
	silence_note(&a, 7, 12 * S, 13 * S, LIMIT, false);
	ck_assert_int_eq(silence_us(&a), 1 * S);
	silence_note(&a, 7, 15 * S, 16 * S, LIMIT, false);
	ck_assert_int_eq(silence_us(&a), 4 * S);
	silence_note(&a, 7, 17 * S, 17 * S + 100, LIMIT, true);
	ck_assert_int_eq(silence_us(&a), 0);
}
END_TEST

/* Each begins anew: the node was paused in a question, or between two, or the server is another. */
START_TEST(no_false_alarm)
{
	static const struct {
		uint64_t tenure;
		int64_t began, ended, silent;
	} rows[] = {
		{ 7, 4 * S, 30 * S, 0 },
		{ 7, 40 * S, 41 * S, 1 * S },
		{ 8, 4 * S, 5 * S, 1 * S },
	};
	struct silence a = { 0 };

	silence_note(&a, 7, 1 * S, 2 * S, LIMIT, false);
	silence_note(&a, 7, 2 * S, 3 * S, LIMIT, false);
	ck_assert_int_eq(silence_us(&a), 2 * S);
	silence_note(&a, rows[_i].tenure, rows[_i].began, rows[_i].ended, LIMIT, false);
	ck_assert_int_eq(silence_us(&a), rows[_i].silent);
	silence_forget(&a);
	ck_assert_int_eq(silence_us(&a), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sys/nfs_ping");
	TCase *tc = tcase_create("all");
	SRunner *sr = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, every_kind, 0, sizeof(kinds) / sizeof(*kinds));
	tcase_add_test(tc, one_that_stands_still_and_one_that_is_gone);
	tcase_add_test(tc, silence_is_counted_from_the_first_question);
	tcase_add_loop_test(tc, no_false_alarm, 0, 3);
	suite_add_tcase(suite, tc);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
