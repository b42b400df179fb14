/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink/ against the real kernel: two servers and a client on one Ethernet
 * segment, each in a network namespace. Needs root or user namespaces, and
 * ip(8); says SKIP and ends well without.
 *
 *     nas1 (eth0) ---- bridge br0 in client ---- (eth0) nas2
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "announce.h"
#include "cleanup.h"
#include "dup.h"
#include "link.h"
#include "sockdiag.h"
#include "tickle.h"

enum node { CLIENT, NAS1, NAS2, NODES };
enum { PORT = 2049 };

static const unsigned char MACS[NODES][NET_MAC_LEN] = {
	{ 2, 0, 0x77, 0, 0, 0x12 }, { 2, 0, 0x77, 0, 0, 1 }, { 2, 0, 0x77, 0, 0, 2 }
};

struct lab {
	int ns[NODES];
	struct net_addr v4, v6; /* the floating addresses, on eth0 */
};

static void sh(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void sh(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	ck_assert_msg(system(cmd) == 0, "failed: %s", cmd);
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void ok(int ret, const struct err *e, const char *what)
{
	char buf[1024];

	ck_assert_msg(ret == 0, "%s: %d %s", what, ret, err_format(e, buf, sizeof(buf)));
}

#define OK(call) ok(call, &e, #call)

static void enter(const struct lab *lab, enum node node)
{
	ck_assert_int_eq(setns(lab->ns[node], CLONE_NEWNET), 0);
}

static int new_ns(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static int put_text(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* As an ordinary user: become root of a user namespace. */
static int become_root(void)
{
	char map[64];

	if (getuid() == 0)
		return 0;
	snprintf(map, sizeof(map), "0 %u 1", getuid());
	if (unshare(CLONE_NEWUSER) < 0 || put_text("/proc/self/setgroups", "deny") ||
	    put_text("/proc/self/uid_map", map))
		return -1;
	return 0;
}

static void own_addresses(const char *dev, int host)
{
	sh("ip link set lo up; ip link set %s up", dev);
	sh("ip addr add 10.77.1.%d/24 dev %s; ip addr add fd00:77::%d/64 dev %s nodad", host, dev, host, dev);
}

static void lab_up(struct lab *lab)
{
	struct err e;

	for (int i = 0; i < NODES; i++)
		ck_assert_int_ge(lab->ns[i] = new_ns(), 0);
	enter(lab, CLIENT);
	sh("ip link add br0 address 02:00:77:00:00:12 type bridge mcast_snooping 0 stp_state 0");
	for (int i = NAS1; i <= NAS2; i++)
		sh("ip link add p%d type veth peer name eth0 address 02:00:77:00:00:%02d netns /proc/%d/fd/%d && "
		   "ip link set p%d master br0 up", i, i, (int)getpid(), lab->ns[i], i);
	own_addresses("br0", 12);
	for (int i = NAS1; i <= NAS2; i++) {
		enter(lab, (enum node)i);
		own_addresses("eth0", i);
	}
	OK(net_addr_parse("10.77.1.100/24", "eth0", &lab->v4, &e));
	OK(net_addr_parse("fd00:77::100/64", "eth0", &lab->v6, &e));
}

/* ---- addresses */

static bool present(const struct net_addr *a)
{
	struct err e;
	bool yes;

	OK(net_addr_present(a, &yes, &e));
	return yes;
}

static void check_idempotent(const struct net_addr *a)
{
	struct err e;

	ck_assert(!present(a));
	OK(net_addr_del(a, &e));
	OK(net_addr_add(a, &e));
	ck_assert(present(a));
	OK(net_addr_add(a, &e));
	ck_assert(present(a));
	OK(net_addr_del(a, &e));
	ck_assert(!present(a));
	OK(net_addr_del(a, &e));
	OK(net_addr_add(a, &e));
	ck_assert(present(a));
	OK(net_addr_del(a, &e));
}

START_TEST(addr_idempotent)
{
	struct lab lab;

	lab_up(&lab);
	enter(&lab, NAS1);
	check_idempotent(&lab.v4);
	check_idempotent(&lab.v6);
	sh("test $(ip -4 addr show dev eth0 | grep -c inet) = 1");
	sh("test $(ip -6 addr show dev eth0 scope global | grep -c inet6) = 1");
}
END_TEST

START_TEST(addr_as_users_expect)
{
	struct lab lab;
	struct err e;

	lab_up(&lab);
	enter(&lab, NAS1);
	OK(net_addr_add(&lab.v4, &e));
	OK(net_addr_add(&lab.v6, &e));
	sh("ip addr show dev eth0 | grep -q 'inet 10.77.1.100/24 .*secondary'");
	sh("ip addr show dev eth0 | grep -A1 'fd00:77::100/64' | tr '\\n' ' ' | grep -q 'deprecated'");
	sh("ip addr show dev eth0 | grep 'fd00:77::100/64' | grep -vq tentative");
	sh("ip route get 10.77.1.12 | grep -q 'src 10.77.1.1 '");
	sh("ip -6 route get fd00:77::12 | grep -q 'src fd00:77::1 '");
	OK(net_addr_del(&lab.v4, &e));
	/* The floating address first: it is the primary one then, and still leaves alone. */
	sh("ip addr flush dev eth0 scope global");
	sh("echo 0 >/proc/sys/net/ipv4/conf/all/promote_secondaries; "
	   "echo 0 >/proc/sys/net/ipv4/conf/eth0/promote_secondaries");
	OK(net_addr_add(&lab.v4, &e));
	sh("ip addr add 10.77.1.1/24 dev eth0");
	OK(net_addr_del(&lab.v4, &e));
	sh("ip addr show dev eth0 | grep -q 'inet 10.77.1.1/24'");
}
END_TEST

START_TEST(addr_conflicts)
{
	struct net_addr other;
	struct lab lab;
	struct err e = { 0 };

	lab_up(&lab);
	enter(&lab, NAS1);
	sh("ip addr add 10.77.1.100/32 dev eth0");
	ck_assert_int_eq(net_addr_add(&lab.v4, &e), -EEXIST);
	ck_assert(e.remedy[0]);
	ck_assert(!present(&lab.v4));
	ck_assert_int_eq(net_addr_del(&lab.v4, &e), -EEXIST);
	sh("ip addr del 10.77.1.100/32 dev eth0; ip addr add 10.77.1.100/24 dev lo");
	ck_assert_int_eq(net_addr_add(&lab.v4, &e), -EEXIST);
	ck_assert_ptr_nonnull(strstr(e.msg, "interface lo"));
	other = lab.v4;
	strcpy(other.ifname, "eth9");
	ck_assert_int_eq(net_addr_add(&other, &e), -ENODEV);
	ck_assert(!present(&other));
	OK(net_addr_del(&other, &e));
}
END_TEST

/* ---- duplicate detection */

static void check_dup(const struct lab *lab, const struct net_addr *a)
{
	unsigned char mac[NET_MAC_LEN] = { 0 };
	struct err e;
	bool in_use;
	double start;

	enter(lab, NAS1);
	start = now_ms();
	OK(net_dup_probe(a, 150, NULL, &in_use, mac, &e));
	ck_assert(!in_use);
	ck_assert_double_ge(now_ms() - start, 145);
	enter(lab, NAS2);
	OK(net_addr_add(a, &e));
	enter(lab, NAS1);
	start = now_ms();
	OK(net_dup_probe(a, 1000, NULL, &in_use, mac, &e));
	printf("dup: %s found in use after %.2f ms\n", a->family == AF_INET ? "IPv4" : "IPv6", now_ms() - start);
	ck_assert(in_use);
	ck_assert_mem_eq(mac, MACS[NAS2], NET_MAC_LEN);
	OK(net_dup_probe(a, 90, MACS[NAS2], &in_use, mac, &e));
	ck_assert(!in_use);
	enter(lab, NAS2); /* the holder itself is no stranger to itself */
	OK(net_dup_probe(a, 90, NULL, &in_use, mac, &e));
	ck_assert(!in_use);
}

START_TEST(duplicates)
{
	unsigned char mac[NET_MAC_LEN];
	struct lab lab;
	struct err e = { 0 };
	bool in_use;

	lab_up(&lab);
	check_dup(&lab, &lab.v4);
	check_dup(&lab, &lab.v6);
	sh("ip link set eth0 down");
	ck_assert_int_eq(net_dup_probe(&lab.v4, 90, NULL, &in_use, mac, &e), -ENETDOWN);
	ck_assert_int_eq(net_dup_probe(&lab.v4, 0, NULL, &in_use, mac, &e), -EINVAL);
	strcpy(lab.v4.ifname, "eth9");
	ck_assert_int_eq(net_dup_probe(&lab.v4, 90, NULL, &in_use, mac, &e), -ENODEV);
}
END_TEST

/* ---- announcements */

static void check_announce(const struct lab *lab, const struct net_addr *a)
{
	char ip[NET_ADDR_TEXT_MAX];
	struct err e;

	net_addr_format_ip(a->family, a->ip, ip, sizeof(ip));
	enter(lab, CLIENT);
	sh("ip neigh replace %s lladdr 02:00:77:00:00:01 dev br0 nud reachable", ip);
	enter(lab, NAS2);
	OK(net_addr_add(a, &e));
	OK(net_announce_send(a, &e));
	enter(lab, CLIENT);
	sh("ip neigh show %s dev br0 | grep -q 'lladdr 02:00:77:00:00:02'", ip);
}

START_TEST(announcements)
{
	struct lab lab;

	lab_up(&lab);
	check_announce(&lab, &lab.v4);
	check_announce(&lab, &lab.v6);
}
END_TEST

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

/* ---- links */

struct seen {
	unsigned down, up, added, removed;
};

static void on_event(const struct net_event *ev, void *arg)
{
	struct seen *seen = arg;

	if (strcmp(ev->ifname, "eth0") != 0)
		return;
	if (ev->kind == NET_EVENT_LINK && !ev->link.up)
		seen->down++;
	if (ev->kind == NET_EVENT_LINK && ev->link.up && ev->link.running)
		seen->up++;
	if (ev->kind == NET_EVENT_ADDR_ADDED && ev->addr.ip[3] == 100)
		seen->added++;
	if (ev->kind == NET_EVENT_ADDR_REMOVED && ev->addr.ip[3] == 100)
		seen->removed++;
}

START_TEST(links)
{
	struct seen seen = { 0 };
	struct net_watch *watch;
	struct net_link link;
	struct lab lab;
	struct err e;

	lab_up(&lab);
	enter(&lab, NAS1);
	OK(net_link_get("eth0", &link, &e));
	ck_assert(link.ifindex && link.up && link.running);
	ck_assert_mem_eq(link.mac, MACS[NAS1], NET_MAC_LEN);
	OK(net_watch_open(&watch, &e));
	OK(net_watch_read(watch, on_event, &seen, &e));
	ck_assert_uint_eq(seen.up + seen.down + seen.added, 0);
	OK(net_addr_add(&lab.v4, &e));
	OK(net_addr_del(&lab.v4, &e));
	sh("ip link set eth0 down; ip link set eth0 up");
	struct pollfd pfd = { .fd = net_watch_fd(watch), .events = POLLIN };

	for (double until = now_ms() + 2000; now_ms() < until && !seen.up;) {
		poll(&pfd, 1, 100);
		OK(net_watch_read(watch, on_event, &seen, &e));
	}
	ck_assert(seen.down && seen.up && seen.added == 1 && seen.removed == 1);
	net_watch_close(watch);
	OK(net_link_get("eth9", &link, &e));
	ck_assert_uint_eq(link.ifindex, 0);
	enter(&lab, CLIENT);
	sh("ip link set p1 down");
	enter(&lab, NAS1);
	OK(net_link_get("eth0", &link, &e));
	ck_assert(link.up && !link.running);
}
END_TEST

/* Whether namespaces can be had here; tried in a child. */
static bool permitted(void)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(become_root() == 0 && unshare(CLONE_NEWNET) == 0 &&
				      system("ip link add dummy-br type bridge >/dev/null 2>&1") == 0 ?
			      0 :
			      1);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void)
{
	Suite *suite = suite_create("netlink in namespaces");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	if (!permitted()) {
		printf("SKIP test_netlink_ns: needs root or user namespaces, ip(8) and bridges\n");
		return 0;
	}
	if (become_root())
		return 1;
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, addr_idempotent);
	tcase_add_test(tc, addr_as_users_expect);
	tcase_add_test(tc, addr_conflicts);
	tcase_add_test(tc, duplicates);
	tcase_add_test(tc, announcements);
	tcase_add_test(tc, connections);
	tcase_add_test(tc, move_v4);
	tcase_add_test(tc, move_v6);
	tcase_add_test(tc, tickle_counts);
	tcase_add_test(tc, links);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
