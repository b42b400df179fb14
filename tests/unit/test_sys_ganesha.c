/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ganesha adapter against the real ganesha.nfsd and dbus-daemon, in
 * namespaces of our own (network, mounts, processes), so that nothing of it can
 * outlive the test. Needs root; says so when it skips.
 */
#include <check.h>
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "clients.h"
#include "conf.h"
#include "ganesha.h"

#define TOP "/tmp/nasd-test-ganesha"
#define RECORD "10.9.9.9-(22:Linux NFSv4.2 testnode)"
enum { SECOND = 1000000 };

static struct conf_group *make_group(void)
{
	struct conf_group *g = calloc(1, sizeof(*g));

	strcpy(g->name, "demo");
	g->id = 1;
	g->nfs.port = 2049;
	g->nfs.lease_us = 10 * SECOND;
	g->nfs.grace_us = 12 * SECOND;
	for (unsigned i = 0; i < 2; i++) {
		struct conf_export *e = &g->exports[g->n_exports++];

		snprintf(e->name, sizeof(e->name), "e%u", i);
		e->id = (uint16_t)(10 + i);
		snprintf(e->path, sizeof(e->path), TOP "/mnt/e%u", i);
		snprintf(e->pseudo, sizeof(e->pseudo), "/e%u", i);
		strcpy(e->clients[0].text, "10.9.0.0/16");
		e->n_clients = 1;
		e->access = CONF_ACCESS_RW;
		e->squash = CONF_SQUASH_NO_ROOT;
	}
	return g;
}

static const struct ganesha_env env = {
	.run_dir = TOP "/run", .state_dir = TOP "/state", .log_dir = TOP "/log"};

static struct ganesha *open_ganesha(const struct conf_group *g)
{
	struct ganesha *out = NULL;
	struct err e = {0};

	ck_assert_msg(ganesha_new(g, 1, &env, &out, &e) == 0, "%s", e.msg);
	return out;
}

static void expect(struct ganesha *g, enum server_state state)
{
	struct ganesha_state s;

	ganesha_state(g, &s);
	ck_assert_msg(s.state == state, "state %s, wanted %s (%s)", server_state_name(s.state),
		      server_state_name(state), s.reason);
	ck_assert((s.pid != 0) == (state != SERVER_DOWN));
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

/* Runs a call, expects DONE, prints what it took. */
#define TIMED(what, call)                                                                          \
	do {                                                                                       \
		int64_t t0_ = now();                                                               \
		enum outcome o_ = (call);                                                          \
		char text_[800];                                                                   \
		printf("  %-28s %8.2f ms\n", what, (double)(now() - t0_) / 1000);                  \
		ck_assert_msg(o_ == OUTCOME_DONE, "%s: %s", what,                                  \
			      err_format(&e, text_, sizeof(text_)));                               \
	} while (0)

static void install_one(const char *record)
{
	struct client_set set = {0};
	struct client_entry entry = {.kind = CLIENT_RECORD};

	if (record) {
		strcpy(entry.text, record);
		ck_assert(client_set_add(&set, &entry) == 0);
	}
	ck_assert(clients_install(env.state_dir, "demo", &set, NULL) == 0);
	client_set_free(&set);
}

START_TEST(warm_then_serving_then_gone)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	unsigned n = 99;
	struct err e = {0};
	bool grace = true;

	expect(g, SERVER_DOWN);
	TIMED("start_warm", ganesha_start_warm(g, 10 * SECOND, &e));
	expect(g, SERVER_WARM);
	TIMED("start_warm again", ganesha_start_warm(g, 10 * SECOND, &e));
	TIMED("grace_active", ganesha_grace_active(g, &grace, SECOND, &e));
	ck_assert(!grace);
	TIMED("exports_present", ganesha_exports_present(g, &n, SECOND, &e));
	ck_assert_uint_eq(n, 0);

	install_one(RECORD);
	TIMED("activate", ganesha_activate(g, 10 * SECOND, &e));
	expect(g, SERVER_SERVING);
	TIMED("activate again", ganesha_activate(g, 10 * SECOND, &e));
	TIMED("exports_present", ganesha_exports_present(g, &n, SECOND, &e));
	ck_assert_uint_eq(n, 2);
	TIMED("grace_active", ganesha_grace_active(g, &grace, SECOND, &e));
	ck_assert(grace);
	TIMED("clients", ganesha_clients(g, &n, SECOND, &e));
	TIMED("stop", ganesha_stop(g, SECOND, &e));
	expect(g, SERVER_DOWN);
	ck_assert_int_eq(umount2(TOP "/mnt", 0), 0);
	ck_assert_int_eq(system("mount -o loop " TOP "/disk " TOP "/mnt"), 0);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

START_TEST(no_record_no_grace)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct err e = {0};
	bool grace = true;

	install_one(NULL);
	TIMED("activate from nothing", ganesha_activate(g, 10 * SECOND, &e));
	expect(g, SERVER_SERVING);
	TIMED("grace_active", ganesha_grace_active(g, &grace, SECOND, &e));
	ck_assert(!grace);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

/* What was installed stands, whatever this node's own old tenures left behind. */
START_TEST(stale_records_do_not_come_back)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct client_set set = {0};
	struct err e = {0};

	install_one(RECORD);
	TIMED("activate", ganesha_activate(g, 10 * SECOND, &e));
	ck_assert(clients_read_database(env.state_dir, "demo", &set, &e) == 0);
	ck_assert_uint_eq(set.n, 1);
	TIMED("stop", ganesha_stop(g, SECOND, &e));
	install_one("10.9.9.8-(5:other)");
	ck_assert(clients_read_database(env.state_dir, "demo", &set, &e) == 0);
	ck_assert_uint_eq(set.n, 1);
	ck_assert_str_eq(set.entries[0].text, "10.9.9.8-(5:other)");
	TIMED("activate", ganesha_activate(g, 10 * SECOND, &e));
	ck_assert(clients_read_database(env.state_dir, "demo", &set, &e) == 0);
	ck_assert_uint_eq(set.n, 1);
	ck_assert_str_eq(set.entries[0].text, "10.9.9.8-(5:other)");
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	client_set_free(&set);
	ganesha_free(g);
	free(group);
}
END_TEST

START_TEST(survives_its_nasd)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct ganesha_state before, after;
	struct err e = {0};

	TIMED("start_warm", ganesha_start_warm(g, 10 * SECOND, &e));
	ganesha_state(g, &before);
	ganesha_free(g);
	g = open_ganesha(group);
	ganesha_state(g, &after);
	ck_assert_int_eq(after.state, SERVER_WARM);
	ck_assert_int_eq(after.pid, before.pid);
	ck_assert(after.tenure == before.tenure);
	TIMED("activate the adopted", ganesha_activate(g, 10 * SECOND, &e));
	ganesha_state(g, &after);
	ck_assert_int_eq(after.pid, before.pid);
	/* without the tenure file: found by the lock it holds, and not trusted */
	ck_assert_int_eq(unlink(TOP "/run/demo/ganesha.tenure"), 0);
	ganesha_free(g);
	g = open_ganesha(group);
	ganesha_state(g, &after);
	ck_assert_int_eq(after.pid, before.pid);
	ck_assert_int_eq(after.state, SERVER_SERVING);
	TIMED("start_warm replaces it", ganesha_start_warm(g, 10 * SECOND, &e));
	ganesha_state(g, &after);
	ck_assert_int_ne(after.pid, before.pid);
	ck_assert(after.tenure > before.tenure && after.tenure % 2 == 1);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

START_TEST(killed_from_outside)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct ganesha_state s;
	struct err e = {0};
	bool grace = false;

	install_one(RECORD);
	TIMED("activate", ganesha_activate(g, 10 * SECOND, &e));
	ganesha_state(g, &s);
	ck_assert_int_eq(kill(s.pid, SIGKILL), 0);
	for (int i = 0; i < 200 && s.state != SERVER_DOWN; i++) {
		usleep(5000);
		ganesha_state(g, &s);
	}
	ck_assert_int_eq(s.state, SERVER_DOWN);
	ck_assert_msg(strstr(s.reason, "ended by itself"), "%s", s.reason);
	/* its client is remembered over its death */
	TIMED("activate after death", ganesha_activate(g, 10 * SECOND, &e));
	TIMED("grace_active", ganesha_grace_active(g, &grace, SECOND, &e));
	ck_assert(grace);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

START_TEST(cold_when_dbus_fails)
{
	struct conf_group *group = make_group();
	struct ganesha_env without = env;
	struct ganesha *g = NULL;
	struct err e = {0};

	without.bus_program = "/nonexistent/dbus-daemon";
	ck_assert(ganesha_new(group, 1, &without, &g, &e) == 0);
	ck_assert_int_eq(ganesha_start_warm(g, 5 * SECOND, &e), OUTCOME_FAILED);
	expect(g, SERVER_DOWN);
	install_one(RECORD);
	TIMED("activate without D-Bus", ganesha_activate(g, 10 * SECOND, &e));
	expect(g, SERVER_SERVING);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

/* A restarted nasd asks such a server without D-Bus, too. */
START_TEST(cold_is_found_again)
{
	struct conf_group *group = make_group();
	struct ganesha_env without = env;
	struct ganesha *g = NULL;
	struct err e = {0};
	unsigned n = 0;

	without.bus_program = "/nonexistent/dbus-daemon";
	ck_assert(ganesha_new(group, 1, &without, &g, &e) == 0);
	TIMED("activate without D-Bus", ganesha_activate(g, 10 * SECOND, &e));
	ganesha_free(g);
	ck_assert(ganesha_new(group, 1, &without, &g, &e) == 0);
	expect(g, SERVER_SERVING);
	TIMED("exports_present", ganesha_exports_present(g, &n, SECOND, &e));
	ck_assert_uint_eq(n, 2);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

/* Bound to a floating address that is not here yet: nobody could connect to it. */
START_TEST(bound_to_an_address_to_come)
{
	struct conf_group *group = make_group();
	struct ganesha *g;
	struct err e = {0};

	group->nfs.bind = (struct conf_ip){.family = AF_INET, .bytes = {10, 9, 0, 1}, .text = "10.9.0.1"};
	/* it looks the address up with AI_ADDRCONFIG: both families must be here */
	if (system("ip link add d0 type veth peer name d1 && ip link set d0 up && ip addr add 10.8.0.2/24 dev d0 && "
		   "ip addr add fd08::2/64 dev d0 nodad && echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind") != 0)
		return;
	g = open_ganesha(group);
	TIMED("start_warm", ganesha_start_warm(g, 5 * SECOND, &e));
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

/* What nobody has written down is ended before another one is started. */
START_TEST(unknown_one_is_replaced)
{
	struct conf_group *group = make_group();
	struct ganesha *other = open_ganesha(group), *g = open_ganesha(group);
	struct ganesha_state theirs, ours;
	struct err e = {0};

	TIMED("start_warm", ganesha_start_warm(other, 10 * SECOND, &e));
	ganesha_state(other, &theirs);
	ck_assert_int_eq(unlink(TOP "/run/demo/ganesha.tenure"), 0);
	expect(g, SERVER_DOWN);
	TIMED("start_warm replaces it", ganesha_start_warm(g, 10 * SECOND, &e));
	ganesha_state(g, &ours);
	ck_assert_int_ne(ours.pid, theirs.pid);
	expect(other, SERVER_DOWN);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(other);
	ganesha_free(g);
	free(group);
}
END_TEST

static pid_t bus_pid(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = TOP "/run/demo/bus"};
	struct ucred who = {0};
	socklen_t len = sizeof(who);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len), 0);
	close(fd);
	return who.pid;
}

/* Neither a look nor the activation waits longer than it was told to. */
START_TEST(hung_bus)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct err e = {0};
	unsigned n = 0;
	int64_t t0;
	pid_t bus;

	TIMED("start_warm", ganesha_start_warm(g, 10 * SECOND, &e));
	ganesha_free(g);
	bus = bus_pid();
	ck_assert_int_eq(kill(bus, SIGSTOP), 0);
	g = open_ganesha(group);
	t0 = now();
	ck_assert_int_ne(ganesha_exports_present(g, &n, SECOND / 5, &e), OUTCOME_DONE);
	ck_assert_int_lt(now() - t0, SECOND);
	TIMED("activate, the bus hangs", ganesha_activate(g, 10 * SECOND, &e));
	ck_assert_int_ne(bus_pid(), bus);
	TIMED("exports_present", ganesha_exports_present(g, &n, SECOND, &e));
	ck_assert_uint_eq(n, 2);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

START_TEST(missing_path_is_no_success)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct err e = {0};

	strcpy(group->exports[1].path, TOP "/mnt/none");
	ck_assert_int_ne(ganesha_activate(g, 10 * SECOND, &e), OUTCOME_DONE);
	expect(g, SERVER_DOWN);
	ck_assert_msg(e.msg[0], "no word of explanation");
	ganesha_stop_all(g, 3 * SECOND, &e);
	ganesha_free(g);
	free(group);
}
END_TEST

/* ---- the surroundings */

/* Each test begins with nothing, whatever the one before left. */
static void fresh(void)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct err e = {0};

	ck_assert_int_eq(ganesha_stop_all(g, 3 * SECOND, &e), OUTCOME_DONE);
	ck_assert_int_eq(system("rm -rf " TOP "/run " TOP "/state"), 0);
	ganesha_free(g);
	free(group);
}

static int skip(const char *why)
{
	printf("SKIP test_sys_ganesha: %s\n", why);
	return EXIT_SUCCESS;
}

/* LeakSanitizer cannot attach to itself in a process namespace of its own. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static int lo_up(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = ioctl(fd, SIOCSIFFLAGS, &r);

	close(fd);
	return ret;
}

static int run_suite(void)
{
	Suite *s = suite_create("sys/ganesha");
	TCase *t = tcase_create("real");
	SRunner *r;
	int failed;

	if (lo_up() < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0 || (mkdir(TOP, 0755) < 0 && errno != EEXIST) ||
	    mount("tmpfs", TOP, "tmpfs", 0, NULL) < 0)
		return skip("cannot set up namespaces");
	if (system("cd " TOP " && mkdir mnt && truncate -s 16M disk && mkfs.ext4 -q disk && "
		   "mount -o loop disk mnt && mkdir mnt/e0 mnt/e1") != 0)
		return skip("no loop device to be had");
	tcase_add_test(t, warm_then_serving_then_gone);
	tcase_add_test(t, no_record_no_grace);
	tcase_add_test(t, stale_records_do_not_come_back);
	tcase_add_test(t, survives_its_nasd);
	tcase_add_test(t, killed_from_outside);
	tcase_add_test(t, cold_when_dbus_fails);
	tcase_add_test(t, cold_is_found_again);
	tcase_add_test(t, bound_to_an_address_to_come);
	tcase_add_test(t, unknown_one_is_replaced);
	tcase_add_test(t, hung_bus);
	tcase_add_test(t, missing_path_is_no_success);
	tcase_add_checked_fixture(t, fresh, NULL);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_set_fork_status(r, CK_FORK);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	if (failed)
		(void)!system("cp " TOP "/log/demo-ganesha.log /tmp/nasd-test-ganesha.log; tail -30 " TOP "/log/*");
	umount2(TOP "/mnt", MNT_DETACH);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
	int status;
	pid_t pid;

	setbuf(stdout, NULL);
	if (geteuid() != 0)
		return skip("not root");
	if (access("/usr/bin/ganesha.nfsd", X_OK) < 0 || access("/usr/bin/dbus-daemon", X_OK) < 0)
		return skip("nfs-ganesha or dbus-daemon is not installed");
	if (unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET) < 0)
		return skip("cannot unshare");
	pid = fork(); /* the first process of the namespace: all die with it */
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(run_suite());
	}
	if (waitpid(pid, &status, 0) < 0)
		return EXIT_FAILURE;
	/* TOP stays: to remove it would take the mount of such a test beside this one away. */
	/* _exit: the children's namespace is dead, and LeakSanitizer's tracer could not be
	 * born in it. The leaks of the tests were looked for in there. */
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}
