/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of netlink/ against the real kernel: two servers and a client on one
 * Ethernet segment, each in a network namespace. Needs root or user namespaces,
 * and ip(8); netns_run says SKIP and ends well without.
 *
 *     nas1 (eth0) ---- bridge br0 in client ---- (eth0) nas2
 */
#ifndef NASD_TESTS_NETNS_H
#define NASD_TESTS_NETNS_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "cleanup.h"
#include "link.h"

enum node { CLIENT, NAS1, NAS2, NODES };

static const unsigned char MACS[NODES][NET_MAC_LEN] = {
	{ 2, 0, 0x77, 0, 0, 0x12 }, { 2, 0, 0x77, 0, 0, 1 }, { 2, 0, 0x77, 0, 0, 2 }
};

struct lab {
	int ns[NODES];
	struct net_addr v4, v6; /* the floating addresses, on eth0 */
};

static inline __attribute__((format(printf, 1, 2))) void sh(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	ck_assert_msg(system(cmd) == 0, "failed: %s", cmd);
}

static inline double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static inline void ok(int ret, const struct err *e, const char *what)
{
	char buf[1024];

	ck_assert_msg(ret == 0, "%s: %d %s", what, ret, err_format(e, buf, sizeof(buf)));
}

#define OK(call) ok(call, &e, #call)

static inline void enter(const struct lab *lab, enum node node)
{
	ck_assert_int_eq(setns(lab->ns[node], CLONE_NEWNET), 0);
}

static inline int new_ns(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static inline int put_text(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* As an ordinary user: become root of a user namespace. */
static inline int become_root(void)
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

static inline void own_addresses(const char *dev, int host)
{
	sh("ip link set lo up; ip link set %s up", dev);
	sh("ip addr add 10.77.1.%d/24 dev %s; ip addr add fd00:77::%d/64 dev %s nodad", host, dev, host, dev);
}

static inline void lab_up(struct lab *lab)
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

/* Whether namespaces can be had here; tried in a child. */
static inline bool permitted(void)
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

/* Runs the cases of one program and frees them; returns its exit status. */
static inline int netns_run(const char *program, Suite *suite, TCase *tc)
{
	SRunner *runner = srunner_create(suite);
	int failed = 0;

	tcase_set_timeout(tc, 30);
	suite_add_tcase(suite, tc);
	if (!permitted()) {
		printf("SKIP %s: needs root or user namespaces, ip(8) and bridges\n", program);
	} else if (become_root()) {
		failed = 1;
	} else {
		srunner_run_all(runner, CK_NORMAL);
		failed = srunner_ntests_failed(runner);
	}
	srunner_free(runner);
	return failed ? 1 : 0;
}

#endif
