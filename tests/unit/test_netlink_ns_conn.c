/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections, and an address that moves away from under them, against the real
 * kernel; the segment is drawn in netns.h.
 */
#include "netns.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>

#include "announce.h"
#include "sockdiag.h"
#include "tickle.h"

enum { PORT = 2049 };

/* ---- connections */

static socklen_t sockaddr_of(const struct net_addr *a, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)a->family;
	if (a->family == AF_INET) {
		in->sin_port = htons(PORT);
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	}
	in6->sin6_port = htons(PORT);
	memcpy(&in6->sin6_addr, a->ip, 16);
	return sizeof(*in6);
}

/* A dual-stack listener, as ganesha has it. */
static int listen_here(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	return fd;
}

static int connect_from_client(const struct lab *lab, const struct net_addr *a)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(a, &ss);
	int fd;

	enter(lab, CLIENT);
	fd = socket(a->family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_msg(connect(fd, (struct sockaddr *)&ss, len) == 0, "connect: %s", strerror(errno));
	return fd;
}

static void await_rqueue(const struct lab *lab, const struct net_addr *a, uint32_t bytes)
{
	struct net_conn *conns;
	struct err e;
	size_t n;

	for (double until = now_ms() + 2000; now_ms() < until; usleep(1000)) {
		OK(net_conn_list(a, 1, PORT, &conns, &n, &e));
		ck_assert_uint_eq(n, 1);
		bytes = conns[0].rqueue == bytes ? 0 : bytes;
		ck_assert_int_eq(conns[0].flow.family, a->family);
		ck_assert_mem_eq(conns[0].flow.local, a->ip, a->family == AF_INET ? 4 : 16);
		ck_assert_uint_eq(conns[0].flow.local_port, PORT);
		ck_assert_uint_eq(conns[0].wqueue, 0);
		net_conn_free(conns);
		if (!bytes)
			return;
	}
	(void)lab;
	ck_abort_msg("the queued bytes never showed");
}

START_TEST(connections)
{
	struct net_conn *conns;
	struct lab lab;
	struct err e;
	size_t n;

	lab_up(&lab);
	enter(&lab, NAS1);
	OK(net_addr_add(&lab.v4, &e));
	OK(net_addr_add(&lab.v6, &e));
	OK(net_conn_list(NULL, 0, PORT, &conns, &n, &e));
	ck_assert_uint_eq(n, 0);
	ck_assert_ptr_null(conns);
	int l = listen_here();
	int c4 = connect_from_client(&lab, &lab.v4), c6 = connect_from_client(&lab, &lab.v6);

	ck_assert_int_eq((int)write(c4, "hello", 5), 5);
	ck_assert_int_eq((int)write(c6, "hello you", 9), 9);
	enter(&lab, NAS1);
	await_rqueue(&lab, &lab.v4, 5);
	await_rqueue(&lab, &lab.v6, 9);
	OK(net_conn_list(NULL, 0, PORT, &conns, &n, &e));
	ck_assert_uint_eq(n, 2);
	net_conn_free(conns);
	OK(net_conn_list(NULL, 0, PORT + 1, &conns, &n, &e));
	ck_assert_uint_eq(n, 0);
	close(l);
	close(c4);
	close(c6);
}
END_TEST

/* ---- moving an address under an established connection */

/* Counts frames from nas1's Ethernet address with an IP source of a, for ms. */
static unsigned count_leaks(int sniffer, const struct net_addr *a, int ms)
{
	size_t at = a->family == AF_INET ? 26 : 22, n = a->family == AF_INET ? 4 : 16;
	struct pollfd pfd = { .fd = sniffer, .events = POLLIN };
	double until = now_ms() + ms;
	unsigned char f[2048];
	unsigned leaks = 0;

	while (now_ms() < until) {
		if (poll(&pfd, 1, 5) <= 0)
			continue;
		ssize_t len = recv(sniffer, f, sizeof(f), MSG_DONTWAIT);

		if (len >= (ssize_t)(at + n) && memcmp(f + 6, MACS[NAS1], 6) == 0 && memcmp(f + at, a->ip, n) == 0)
			leaks++;
	}
	return leaks;
}

static int open_sniffer(const struct lab *lab)
{
	enter(lab, CLIENT);
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void check_move(const struct lab *lab, const struct net_addr *a)
{
	struct net_conn *conns;
	struct err e;
	size_t n, sent;
	char byte;

	enter(lab, NAS1);
	OK(net_addr_add(a, &e));
	int l1 = listen_here(), c = connect_from_client(lab, a), s = accept(l1, NULL, NULL);

	ck_assert_int_eq((int)write(c, "x", 1), 1);
	ck_assert_int_eq((int)read(s, &byte, 1), 1);
	enter(lab, NAS1);
	OK(net_conn_list(a, 1, PORT, &conns, &n, &e));
	ck_assert_uint_eq(n, 1);
	double t0 = now_ms();

	OK(net_addr_del(a, &e));
	double t1 = now_ms();
	int sniffer = open_sniffer(lab);

	/* The old server goes on writing and then dies: neither data nor FIN may leave. */
	ck_assert_int_eq((int)write(s, "late", 4), 4);
	ck_assert_uint_eq(count_leaks(sniffer, a, 500), 0);
	close(s);
	close(l1);
	ck_assert_uint_eq(count_leaks(sniffer, a, 500), 0);
	close(sniffer);

	enter(lab, NAS2);
	int l2 = listen_here();
	double t2 = now_ms();

	OK(net_addr_add(a, &e));
	double t3 = now_ms();

	OK(net_announce_send(a, &e));
	double t4 = now_ms();

	OK(net_tickle_send(&conns[0].flow, 1, &sent, &e));
	double t5 = now_ms();
	struct pollfd pfd = { .fd = c, .events = POLLIN };

	ck_assert_uint_eq(sent, 1);
	ck_assert_int_eq(poll(&pfd, 1, 1000), 1);
	double t6 = now_ms();

	ck_assert_int_eq((int)read(c, &byte, 1), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	close(c);
	c = connect_from_client(lab, a);
	printf("move %s: del %.2f ms, add %.2f, announce %.2f, tickle %.2f, reset after %.2f, reconnected %.2f\n",
	       a->family == AF_INET ? "IPv4" : "IPv6", t1 - t0, t3 - t2, t4 - t3, t5 - t4, t6 - t4,
	       now_ms() - t4);
	net_conn_free(conns);
	close(c);
	close(l2);
	enter(lab, NAS2);
	OK(net_addr_del(a, &e));
}

START_TEST(move_v4)
{
	struct lab lab;

	lab_up(&lab);
	check_move(&lab, &lab.v4);
}
END_TEST

START_TEST(move_v6)
{
	struct lab lab;

	lab_up(&lab);
	check_move(&lab, &lab.v6);
	check_move(&lab, &lab.v6); /* and back to a node that had silenced it */
}
END_TEST

START_TEST(tickle_counts)
{
	struct net_flow flows[3] = { { .family = AF_INET, .local = { 10, 77, 1, 1 }, .remote = { 10, 77, 1, 12 } },
				     { .family = AF_UNIX },
				     { .family = AF_INET, .local = { 10, 77, 1, 1 }, .remote = { 192, 0, 2, 1 } } };
	struct lab lab;
	struct err e = { 0 };
	size_t sent;

	lab_up(&lab);
	enter(&lab, NAS1);
	ck_assert_int_eq(net_tickle_send(flows, 3, &sent, &e), -EAFNOSUPPORT);
	ck_assert_uint_eq(sent, 1); /* no route to the third */
	OK(net_tickle_send(flows, 1, NULL, &e));
	OK(net_tickle_send(NULL, 0, &sent, &e));
	ck_assert_uint_eq(sent, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("netlink connections in namespaces");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, connections);
	tcase_add_test(tc, move_v4);
	tcase_add_test(tc, move_v6);
	tcase_add_test(tc, tickle_counts);
	return netns_run("test_netlink_ns_conn", suite, tc);
}
