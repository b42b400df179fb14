/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fencing with real programs: agents that work, hang, ignore TERM, die, write
 * garbage or do not exist, run by a small event loop as a daemon would.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "scratch.h"

enum { MS = 1000, S = 1000000, OUT_MAX = 4096 };

struct loop {
	pid_t pid;
	unsigned call;
	int out, err;
	char out_text[OUT_MAX], err_text[OUT_MAX];
	size_t out_len, err_len;
	int64_t wake_us, kill_us;
	int kills;
	bool lose_the_end;        /* as if the program could not be killed */
	struct fence_agent *done;
};

static char dir[] = "/tmp/nasd-fence-XXXXXX";

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * S + t.tv_nsec / 1000;
}

static int run_program(void *data, unsigned call, const char *path, const void *input, size_t input_len)
{
	struct loop *l = data;
	int in[2], out[2], err[2];
	sigset_t term, before;

	ck_assert_int_eq(l->pid, 0);
	if (access(path, X_OK))
		return -errno;
	ck_assert(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC) && !pipe2(err, O_CLOEXEC));
	ck_assert(write(in[1], input, input_len) == (ssize_t)input_len);
	/* libcheck's handler must not run in the child */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	l->pid = fork();
	if (l->pid == 0) {
		signal(SIGTERM, SIG_DFL);
		sigprocmask(SIG_SETMASK, &before, NULL);
		setpgid(0, 0);
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	setpgid(l->pid, l->pid);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(in[0]);
	close(in[1]);
	close(out[1]);
	close(err[1]);
	l->call = call;
	l->out = out[0];
	l->err = err[0];
	l->out_len = l->err_len = 0;
	return 0;
}

static void kill_program(void *data, unsigned call)
{
	struct loop *l = data;

	ck_assert_uint_eq(call, l->call);
	l->kills++;
	kill(-l->pid, SIGTERM);
	l->kill_us = now_us() + 200 * MS;
}

static void wake_at(void *data, int64_t at_us)
{
	((struct loop *)data)->wake_us = at_us;
}

static void done(void *data, struct fence_agent *a)
{
	struct loop *l = data;

	ck_assert_ptr_null(l->done);
	l->done = a;
}

static const struct fence_agent_ops ops = { run_program, kill_program, wake_at, done };

static void drain(int fd, char *text, size_t *len)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	for (ssize_t i = 0; i < n && *len + 1 < OUT_MAX; i++)
		text[(*len)++] = buf[i];
	text[*len] = '\0';
}

/* The program ended: what it wrote is read, its group swept, the agent told. */
static void reap(struct loop *l, struct fence_agent *a)
{
	struct fence_ended e = { .out = l->out_text, .err_out = l->err_text };
	int status = 0;

	if (waitpid(l->pid, &status, WNOHANG) != l->pid)
		return;
	kill(-l->pid, SIGKILL);
	fcntl(l->out, F_SETFL, O_NONBLOCK);
	fcntl(l->err, F_SETFL, O_NONBLOCK);
	drain(l->out, l->out_text, &l->out_len);
	drain(l->err, l->err_text, &l->err_len);
	close(l->out);
	close(l->err);
	e.end = WIFEXITED(status) ? FENCE_EXITED : FENCE_SIGNALLED;
	e.code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
	l->pid = 0;
	l->kill_us = 0;
	if (!l->lose_the_end)
		fence_agent_ended(a, l->call, &e, now_us());
}

static void turn(struct loop *l, struct fence_agent *a)
{
	struct pollfd p[2] = { { l->pid ? l->out : -1, POLLIN, 0 }, { l->pid ? l->err : -1, POLLIN, 0 } };

	poll(p, 2, 5);
	if (p[0].revents & POLLIN)
		drain(l->out, l->out_text, &l->out_len);
	if (p[1].revents & POLLIN)
		drain(l->err, l->err_text, &l->err_len);
	if (l->pid && l->kill_us && now_us() >= l->kill_us)
		kill(-l->pid, SIGKILL);
	if (l->pid)
		reap(l, a);
	if (!l->done && now_us() >= l->wake_us)
		fence_agent_timer(a, now_us());
}

static void agent_file(const char *name, const char *body)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	/* knows its action, and notes each call */
	fprintf(f, "#!/bin/sh\nwhile IFS='=' read -r k v; do [ \"$k\" = action ] && action=$v; [ \"$k\" = state ] && state=$v; done\n"
		   "echo \"%s $action\" >>%s/calls\n%s\n", name, dir, body);
	fclose(f);
	chmod(path, 0755);
}

static struct fence_plan plan_with(const char *first, const char *second)
{
	struct fence_plan p = { .node = "nas1", .n_devices = second ? 2 : 1, .total_us = 60 * S };

	for (unsigned i = 0; i < p.n_devices; i++) {
		struct fence_device *d = &p.devices[i];

		snprintf(d->name, sizeof(d->name), "%s", i ? "second" : "first");
		snprintf(d->path, sizeof(d->path), "%s/%s", dir, i ? second : first);
		d->level = i + 1;
		d->timeout_us = 5 * S;
		d->verify = true;
		d->verify_limit_us = 3 * S;
		d->verify_every_us = 20 * MS;
		strcpy(d->options[0].key, "state");
		snprintf(d->options[0].value, sizeof(d->options[0].value), "%s/state%u", dir, i);
		d->n_options = 1;
	}
	return p;
}

static struct fence_run fence(struct loop *l, const struct fence_plan *p)
{
	struct err e = { 0 };
	struct fence_agent *a = fence_agent_start(p, FENCE_GOAL_OFF, 0, 0, now_us(), &ops, l, &e);
	struct fence_run result;

	ck_assert_msg(a != NULL, "%s", e.msg);
	ck_assert_ptr_null(l->done);
	while (!l->done)
		turn(l, a);
	result = *fence_agent_result(a);
	fence_agent_free(a);
	return result;
}

static void calls_are(const char *want)
{
	char path[256], got[1024] = "";
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/calls", dir);
	f = fopen(path, "r");
	n = f ? fread(got, 1, sizeof(got) - 1, f) : 0;
	if (f)
		fclose(f);
	got[n] = '\0';
	ck_assert_str_eq(got, want);
	unlink(path);
}

#define GOOD "case $action in off) echo off >\"$state\";; status) [ \"$(cat \"$state\")\" = off ] && exit 2; exit 0;; esac"

START_TEST(works)
{
	struct loop l = { 0 };
	struct fence_plan p = plan_with("good", NULL);
	struct fence_run r;
	struct fence_evidence e;
	int64_t before = now_us();

	agent_file("good", GOOD);
	r = fence(&l, &p);
	ck_assert_msg(r.success, "%s", r.story);
	calls_are("good off\ngood status\n");
	r.plan = &p;
	fence_run_evidence(&r, 6, "b", &e);
	ck_assert(e.said == FENCE_SAID_OFF && e.acted && e.verified && e.at_us > before && e.at_us <= now_us());
	ck_assert_int_eq(l.kills, 0);
}
END_TEST

/* A hang is ended, even one that ignores TERM, and the next level is tried. */
START_TEST(hangs)
{
	struct loop l = { 0 };
	struct fence_plan p = plan_with("hang", "good");
	struct fence_run r;

	agent_file("good", GOOD);
	agent_file("hang", "trap '' TERM; sleep 1000 & wait; sleep 1000; exit 0");
	p.devices[0].timeout_us = 300 * MS;
	r = fence(&l, &p);
	ck_assert_msg(r.success && r.level == 2, "%s", r.story);
	ck_assert_ptr_nonnull(strstr(r.story, "first: off: no answer in time"));
	calls_are("hang off\ngood off\ngood status\n");
	ck_assert_int_eq(l.kills, 1);
}
END_TEST

/* An agent that says "done" after it was told to end has not succeeded. */
START_TEST(late_success)
{
	struct loop l = { 0 };
	struct fence_plan p = plan_with("late", NULL);
	struct fence_run r;

	agent_file("late", "trap 'exit 0' TERM; sleep 1000 & wait");
	p.devices[0].timeout_us = 200 * MS;
	r = fence(&l, &p);
	ck_assert(!r.success);
	ck_assert_int_eq(r.state[0].said, FENCE_SAID_TIMEOUT);
	ck_assert(!r.state[0].acted);
	calls_are("late off\n");
}
END_TEST

START_TEST(lies_and_garbage)
{
	static const struct {
		const char *body, *story;
	} bad[] = {
		{ "case $action in off) exit 0;; esac; exit 0", "could not be verified" },
		{ "case $action in off) exit 0;; esac; exit 1", "could not be verified" },
		{ "case $action in off) exit 0;; esac; echo 'Status: ON'; exit 2", "contradicts exit status 2" },
		{ "case $action in off) exit 0;; esac; kill -9 $$", "killed by signal 9" },
		{ "kill -SEGV $$", "killed by signal 11" },
		{ "head -c 300000 /dev/urandom; head -c 300000 /dev/urandom >&2; exit 1", "exit status 1" },
		{ "exit 2", "off: exit status 2" },
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct loop l = { 0 };
		struct fence_plan p = plan_with("bad", NULL);
		struct fence_run r;

		agent_file("bad", bad[i].body);
		p.devices[0].verify_limit_us = 60 * MS;
		r = fence(&l, &p);
		ck_assert_msg(!r.success, "%s", bad[i].body);
		ck_assert_msg(strstr(r.story, bad[i].story) != NULL, "%s: %s", bad[i].body, r.story);
	}
}
END_TEST

START_TEST(is_not_there)
{
	struct loop l = { 0 };
	struct fence_plan p = plan_with("nonesuch", NULL);
	struct fence_run r = fence(&l, &p);

	ck_assert(!r.success);
	ck_assert_ptr_nonnull(strstr(r.story, "cannot be run: No such file"));
}
END_TEST

/* Not even KILL ends it: the run goes on without it, and ignores its late end. */
START_TEST(cannot_be_killed)
{
	struct loop l = { .lose_the_end = true };
	struct fence_plan p = plan_with("hang", NULL);
	struct fence_ended ok = { FENCE_EXITED, 0, "", "" };
	struct err e = { 0 };
	struct fence_agent *a;
	int64_t at = now_us();

	agent_file("hang", "exec sleep 1000");
	p.devices[0].timeout_us = 100 * MS;
	a = fence_agent_start(&p, FENCE_GOAL_OFF, 0, 0, at, &ops, &l, &e);
	fence_agent_timer(a, at);
	ck_assert_uint_eq(l.call, 1);
	at += 100 * MS;
	fence_agent_timer(a, at);
	ck_assert_int_eq(l.kills, 1);
	fence_agent_timer(a, at + FENCE_KILL_WAIT_US - 1);
	ck_assert_ptr_null(l.done);
	fence_agent_timer(a, at + FENCE_KILL_WAIT_US);
	ck_assert_ptr_eq(l.done, a);
	fence_agent_ended(a, 1, &ok, at + FENCE_KILL_WAIT_US);
	ck_assert(!fence_agent_result(a)->success);
	fence_agent_free(a);
	kill(-l.pid, SIGKILL);
	waitpid(l.pid, NULL, 0);
}
END_TEST

START_TEST(given_up)
{
	struct loop l = { 0 };
	struct fence_plan p = plan_with("hang", NULL);
	struct err e = { 0 };
	struct fence_agent *a;

	agent_file("hang", "exec sleep 1000");
	a = fence_agent_start(&p, FENCE_GOAL_OFF, 0, 0, now_us(), &ops, &l, &e);
	turn(&l, a);
	ck_assert_int_ne(l.pid, 0);
	fence_agent_cancel(a, "nas1 was heard", now_us());
	ck_assert_ptr_null(l.done);
	while (!l.done || l.pid)
		turn(&l, a);
	ck_assert_int_eq(l.kills, 1);
	ck_assert(fence_agent_result(a)->cancelled && !fence_agent_result(a)->success);
	fence_agent_free(a);
}
END_TEST

START_TEST(unusable_plan)
{
	struct loop l = { 0 };
	struct fence_plan p = plan_with("good", NULL);
	struct err e = { 0 };

	p.total_us = 1;
	ck_assert_ptr_null(fence_agent_start(&p, FENCE_GOAL_OFF, 0, 0, now_us(), &ops, &l, &e));
	ck_assert_int_eq(e.cls, ERR_INPUT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fence agents as programs");
	TCase *t = tcase_create("programs");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, works);
	tcase_add_test(t, hangs);
	tcase_add_test(t, late_success);
	tcase_add_test(t, lies_and_garbage);
	tcase_add_test(t, is_not_there);
	tcase_add_test(t, cannot_be_killed);
	tcase_add_test(t, given_up);
	tcase_add_test(t, unusable_plan);
	suite_add_tcase(s, t);
	return scratch_run(s, dir);
}
