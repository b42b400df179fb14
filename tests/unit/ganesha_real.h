/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real ganesha.nfsd and dbus-daemon, in namespaces of our own (network,
 * mounts, processes), so that nothing of it can outlive the test. Needs root;
 * says so when it skips.
 */
#ifndef NASD_TESTS_UNIT_GANESHA_REAL_H
#define NASD_TESTS_UNIT_GANESHA_REAL_H

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

static inline struct conf_group *make_group(void)
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

static inline struct ganesha *open_ganesha(const struct conf_group *g)
{
	struct ganesha *out = NULL;
	struct err e = {0};

	ck_assert_msg(ganesha_new(g, 1, &env, &out, &e) == 0, "%s", e.msg);
	return out;
}

static inline void expect(struct ganesha *g, enum server_state state)
{
	struct ganesha_state s;

	ganesha_state(g, &s);
	ck_assert_msg(s.state == state, "state %s, wanted %s (%s)", server_state_name(s.state),
		      server_state_name(state), s.reason);
	ck_assert((s.pid != 0) == (state != SERVER_DOWN));
}

static inline int64_t now(void)
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

static inline void install_one(const char *record)
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

static inline unsigned count_records(void)
{
	struct client_set set = {0};
	unsigned n;

	ck_assert(clients_read_database(env.state_dir, "demo", &set, NULL) == 0);
	n = (unsigned)client_set_count(&set, CLIENT_RECORD);
	client_set_free(&set);
	return n;
}

/* ---- the surroundings */

/* Each test begins with nothing, whatever the one before left. */
static inline void fresh(void)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct err e = {0};

	ck_assert_int_eq(ganesha_stop_all(g, 3 * SECOND, &e), OUTCOME_DONE);
	ck_assert_int_eq(system("rm -rf " TOP "/run " TOP "/state"), 0);
	ganesha_free(g);
	free(group);
}

static inline int skip(const char *why)
{
	printf("SKIP test_sys_ganesha*: %s\n", why);
	return EXIT_SUCCESS;
}

/* LeakSanitizer cannot attach to itself in a process namespace of its own. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static inline int lo_up(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = ioctl(fd, SIOCSIFFLAGS, &r);

	close(fd);
	return ret;
}

/* add puts the tests into the case. */
static inline int run_suite(const char *name, void (*add)(TCase *t))
{
	Suite *s = suite_create(name);
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
	add(t);
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

static inline int ganesha_real_main(const char *name, void (*add)(TCase *t))
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
		exit(run_suite(name, add));
	}
	if (waitpid(pid, &status, 0) < 0)
		return EXIT_FAILURE;
	/* TOP stays: to remove it would take the mount of such a test beside this one away. */
	/* _exit: the children's namespace is dead, and LeakSanitizer's tracer could not be
	 * born in it. The leaks of the tests were looked for in there. */
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE);
}

#endif
