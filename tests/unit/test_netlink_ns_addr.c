/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses, duplicates, announcements and links against the real kernel; the
 * segment is drawn in netns.h.
 */
#include "netns.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "announce.h"
#include "dup.h"

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

/* Whether a datagram of this node to the address arrives, now. */
static bool delivers(const struct net_addr *a)
{
	struct sockaddr_in6 sa = { .sin6_family = AF_INET6 };
	socklen_t len = sizeof(sa);
	AUTO_CLOSE int in = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	AUTO_CLOSE int out = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char byte = 'x';

	ck_assert_int_eq(bind(in, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(getsockname(in, (struct sockaddr *)&sa, &len), 0);
	memcpy(&sa.sin6_addr, a->ip, 16);
	return sendto(out, &byte, 1, 0, (struct sockaddr *)&sa, sizeof(sa)) == 1 &&
	       recv(in, &byte, 1, MSG_DONTWAIT) == 1;
}

/* The kernel delivers to a new IPv6 address some time after it has confirmed it. */
START_TEST(addr_delivers_at_once)
{
	struct lab lab;
	struct err e;
	double start;

	lab_up(&lab);
	enter(&lab, NAS1);
	for (int i = 0; i < 50; i++) {
		OK(net_addr_add(&lab.v6, &e));
		ck_assert_msg(delivers(&lab.v6), "round %d", i);
		OK(net_addr_del(&lab.v6, &e));
	}
	sh("ip link set eth0 down");
	start = now_ms();
	OK(net_addr_add(&lab.v6, &e));
	ck_assert_double_lt(now_ms() - start, NET_ADDR_DELIVERY_MS + 500);
	printf("add on a downed link: %.2f ms\n", now_ms() - start);
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

int main(void)
{
	Suite *suite = suite_create("netlink addresses in namespaces");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, addr_idempotent);
	tcase_add_test(tc, addr_as_users_expect);
	tcase_add_test(tc, addr_conflicts);
	tcase_add_test(tc, addr_delivers_at_once);
	tcase_add_test(tc, duplicates);
	tcase_add_test(tc, announcements);
	tcase_add_test(tc, links);
	return netns_run("test_netlink_ns_addr", suite, tc);
}
