/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real sockets over loopback, a real server process that is killed. */
#include "tcp_abandon.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CLIENTS = 3 };

struct pair {
	pid_t pid;
	int pidfd, lfd;
	uint16_t port;
	int client[CLIENTS];
};

/* A server that has accepted CLIENTS connections and keeps a pipe open too. */
static void begin(struct pair *p, int family)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6;
	socklen_t len = family == AF_INET ? sizeof(a4) : sizeof(a6);
	int up[2];
	char c;

	p->lfd = socket(family, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(p->lfd, a, len), 0);
	ck_assert_int_eq(listen(p->lfd, 8), 0);
	ck_assert_int_eq(getsockname(p->lfd, a, &len), 0);
	p->port = ntohs(family == AF_INET ? a4.sin_port : a6.sin6_port);
	ck_assert_int_eq(pipe(up), 0);
	p->pid = fork();
	if (p->pid == 0) {
		for (int i = 0; i < CLIENTS; i++)
			if (accept(p->lfd, NULL, NULL) < 0)
				_exit(1);
		if (write(up[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	ck_assert_int_ge(p->pidfd, 0);
	for (int i = 0; i < CLIENTS; i++) {
		p->client[i] = socket(family, SOCK_STREAM, 0);
		ck_assert_int_eq(connect(p->client[i], a, len), 0);
	}
	ck_assert_int_eq((int)read(up[0], &c, 1), 1);
	close(up[0]);
	close(up[1]);
	close(p->lfd); /* the server's copy goes with it */
}

static void kill_server(struct pair *p)
{
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
	close(p->pidfd);
}

static int state_of(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_state;
}

static bool readable_within(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

static void silent_end(int family)
{
	struct pair p;
	struct err e = { 0 };
	size_t n = 0;

	begin(&p, family);
	ck_assert_msg(tcp_abandon(p.pid, p.pidfd, p.port, &n, &e) == 0, "%s", e.msg);
	ck_assert_uint_eq(n, CLIENTS);
	kill_server(&p);
	for (int i = 0; i < CLIENTS; i++) {
		char c;

		/* nobody told this side */
		ck_assert(!readable_within(p.client[i], 50));
		ck_assert_int_eq(state_of(p.client[i]), TCP_ESTABLISHED);
		/* and nothing is left on the other that could answer for it */
		ck_assert_int_eq((int)send(p.client[i], "x", 1, MSG_NOSIGNAL), 1);
		ck_assert(readable_within(p.client[i], 2000));
		ck_assert_int_eq((int)recv(p.client[i], &c, 1, 0), -1);
		ck_assert_int_eq(errno, ECONNRESET);
		close(p.client[i]);
	}
}

START_TEST(gone_without_a_packet)
{
	silent_end(AF_INET);
}
END_TEST

START_TEST(gone_without_a_packet_ipv6)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		puts("SKIP gone_without_a_packet_ipv6: no IPv6 on loopback");
		return;
	}
	close(fd);
	silent_end(AF_INET6);
}
END_TEST

/* What is avoided: the kernel's own end of a killed server's connection. */
START_TEST(other_ports_are_left_alone)
{
	struct pair p;
	struct err e = { 0 };
	size_t n = 7;
	char c;

	begin(&p, AF_INET);
	ck_assert_int_eq(tcp_abandon(p.pid, p.pidfd, (uint16_t)(p.port ^ 1), &n, &e), 0);
	ck_assert_uint_eq(n, 0);
	kill_server(&p);
	for (int i = 0; i < CLIENTS; i++) {
		ck_assert(readable_within(p.client[i], 2000));
		ck_assert_int_eq((int)recv(p.client[i], &c, 1, 0), 0);
		close(p.client[i]);
	}
}
END_TEST

START_TEST(a_process_that_is_gone)
{
	struct pair p;
	struct err e = { 0 };
	size_t n = 7;

	begin(&p, AF_INET);
	kill_server(&p);
	ck_assert_int_lt(tcp_abandon(p.pid, -1, p.port, &n, &e), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_str_ne(e.msg, "");
	for (int i = 0; i < CLIENTS; i++)
		close(p.client[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys_tcp_abandon");
	TCase *t = tcase_create("real");
	SRunner *r;
	int failed;

	if (geteuid() != 0) {
		puts("SKIP: TCP_REPAIR needs CAP_NET_ADMIN");
		return 0;
	}
	tcase_add_test(t, gone_without_a_packet);
	tcase_add_test(t, gone_without_a_packet_ipv6);
	tcase_add_test(t, other_ports_are_left_alone);
	tcase_add_test(t, a_process_that_is_gone);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
