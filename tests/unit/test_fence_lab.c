/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab's fence agent against a power switch that works, refuses, talks
 * nonsense, hangs up or is not there; called with the input that nasd writes, and
 * judged as nasd judges.
 */
#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent_call.h"
#include "scratch.h"

#define AGENT FENCE_SRC "/tests/lab/tools/fence_lab"

enum mode { WORKS, NONSENSE, HANGS_UP, STAYS_ON };

static char dir[] = "/tmp/nasd-fencelab-XXXXXX", fault[64], output[8192];
static int listener = -1;
static char port[8];
static enum mode mode;
static bool on;
static pthread_t thread;
static unsigned asked;

static const char *switch_answers(const char *line)
{
	char verb[16] = "", node[32] = "";

	asked++;
	sscanf(line, "%15s %31s", verb, node);
	if (mode == NONSENSE)
		return "offline\n";
	if (mode == HANGS_UP)
		return "";
	if (strcmp(node, "nas1"))
		return strcmp(verb, "status") ? "error: no such node\n" : "";
	if (!strcmp(verb, "status"))
		return on ? "on\n" : "off\n";
	if (mode == WORKS)
		on = !strcmp(verb, "on");
	return "ok\n";
}

static void *switch_thread(void *arg)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		char line[128] = "";
		const char *answer;
		ssize_t n = read(fd, line, sizeof(line) - 1);

		answer = n > 0 ? switch_answers(line) : "";
		if (*answer && write(fd, answer, strlen(answer)) < 0)
			perror("switch");
		close(fd);
	}
	return arg;
}

static void setup(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert(!bind(listener, (struct sockaddr *)&sa, sizeof(sa)) && !listen(listener, 8) &&
		  !getsockname(listener, (struct sockaddr *)&sa, &len));
	snprintf(port, sizeof(port), "%u", ntohs(sa.sin_port));
	snprintf(fault, sizeof(fault), "%s/fault", dir);
	unlink(fault);
	mode = WORKS;
	on = true;
	asked = 0;
	ck_assert_int_eq(pthread_create(&thread, NULL, switch_thread, NULL), 0);
}

static void teardown(void)
{
	shutdown(listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(listener);
}

/* Runs it with input on stdin, or with arguments when there is none. */
static struct fence_ended run(const char *input, char *const argv[])
{
	struct fence_ended e = { FENCE_EXITED, 0, output, "" };
	int in[2], out[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	ck_assert(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
	if (input)
		ck_assert(write(in[1], input, strlen(input)) == (ssize_t)strlen(input));
	close(in[1]);
	pid = fork();
	if (pid == 0) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
		execv(AGENT, argv);
		_exit(126);
	}
	close(in[0]);
	close(out[1]);
	while ((n = read(out[0], output + len, sizeof(output) - 1 - len)) > 0)
		len += (size_t)n;
	output[len] = '\0';
	close(out[0]);
	waitpid(pid, &status, 0);
	e.end = WIFEXITED(status) ? FENCE_EXITED : FENCE_SIGNALLED;
	e.code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
	return e;
}

/* As nasd calls it. */
static enum fence_said call(enum fence_action a, const char *plug)
{
	static char name[] = AGENT;
	char *const argv[] = { name, NULL };
	struct fence_device d = { .path = AGENT, .level = 1, .timeout_us = 1, .n_options = 4,
				  .options = { { "ip", "127.0.0.1" }, { "ipport", "" }, { "plug", "" }, { "fault_file", "" } } };
	char input[FENCE_INPUT_MAX], text[FENCE_TEXT_LEN];
	struct fence_ended e;

	strcpy(d.options[1].value, port);
	strcpy(d.options[2].value, plug);
	strcpy(d.options[3].value, fault);
	ck_assert_int_eq(fence_device_check(&d, NULL), 0);
	ck_assert_int_gt(fence_call_input(&d, "nas2", a, input, sizeof(input)), 0);
	e = run(input, argv);
	return fence_call_judge(a, &e, text);
}

static void misbehave(const char *how)
{
	FILE *f = fopen(fault, "w");

	fprintf(f, "%s\n", how);
	fclose(f);
}

START_TEST(metadata_comes_first)
{
	strcpy(port, "1"); /* it needs no switch */
	ck_assert_int_eq(call(FENCE_METADATA, "nas1"), FENCE_SAID_ON);
	ck_assert(fence_metadata_has(output, "action", "off"));
	ck_assert(fence_metadata_has(output, "action", "status"));
	ck_assert(fence_metadata_has(output, "parameter", "plug"));
	ck_assert(fence_metadata_has(output, "parameter", "ip"));
	ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(off_and_on)
{
	ck_assert_int_eq(call(FENCE_STATUS, "nas1"), FENCE_SAID_ON);
	ck_assert_int_eq(call(FENCE_MONITOR, "nas1"), FENCE_SAID_ON);
	ck_assert_int_eq(call(FENCE_OFF, "nas1"), FENCE_SAID_OFF);
	ck_assert(!on);
	ck_assert_int_eq(call(FENCE_STATUS, "nas1"), FENCE_SAID_OFF);
	ck_assert_int_eq(call(FENCE_OFF, "nas1"), FENCE_SAID_OFF); /* again */
	ck_assert_int_eq(call(FENCE_ON, "nas1"), FENCE_SAID_ON);
	ck_assert(on);
	/* without a plug it is the node's name: nas2, which this switch has not */
	ck_assert_int_eq(call(FENCE_OFF, ""), FENCE_SAID_FAILED);
	ck_assert(on);
}
END_TEST

START_TEST(a_bad_switch)
{
	ck_assert_int_eq(call(FENCE_OFF, "nas7"), FENCE_SAID_FAILED);
	ck_assert_int_eq(call(FENCE_STATUS, "nas7"), FENCE_SAID_FAILED);
	mode = STAYS_ON;
	ck_assert_int_eq(call(FENCE_OFF, "nas1"), FENCE_SAID_FAILED);
	mode = NONSENSE;
	ck_assert_int_eq(call(FENCE_OFF, "nas1"), FENCE_SAID_FAILED);
	ck_assert_int_eq(call(FENCE_STATUS, "nas1"), FENCE_SAID_FAILED);
	mode = HANGS_UP;
	ck_assert_int_eq(call(FENCE_OFF, "nas1"), FENCE_SAID_FAILED);
	ck_assert_int_eq(call(FENCE_STATUS, "nas1"), FENCE_SAID_FAILED);
	ck_assert_uint_eq(asked, 8);
	strcpy(port, "1"); /* nobody there */
	ck_assert_int_eq(call(FENCE_OFF, "nas1"), FENCE_SAID_FAILED);
	ck_assert_int_eq(call(FENCE_STATUS, "nas1"), FENCE_SAID_FAILED);
}
END_TEST

/* The faults that lab tests ask for. */
START_TEST(faults)
{
	misbehave("fail now");
	ck_assert_int_eq(call(FENCE_OFF, "nas1"), FENCE_SAID_FAILED);
	ck_assert_int_eq(call(FENCE_STATUS, "nas1"), FENCE_SAID_FAILED);
	ck_assert_uint_eq(asked, 0);
	misbehave("deaf");
	ck_assert_int_eq(call(FENCE_OFF, "nas1"), FENCE_SAID_OFF);
	ck_assert_int_eq(call(FENCE_STATUS, "nas1"), FENCE_SAID_ON);
	ck_assert(on);
	misbehave("unknown");
	ck_assert_int_eq(call(FENCE_STATUS, "nas1"), FENCE_SAID_FAILED);
	ck_assert_int_eq(call(FENCE_OFF, "nas1"), FENCE_SAID_FAILED);
	ck_assert(!on);
	misbehave("");
	ck_assert_int_eq(call(FENCE_STATUS, "nas1"), FENCE_SAID_OFF);
}
END_TEST

START_TEST(a_hang)
{
	int status = 0;
	pid_t pid;

	misbehave("hang");
	pid = fork();
	if (pid == 0) {
		char option[96];

		snprintf(option, sizeof(option), "--fault_file=%s", fault);
		signal(SIGTERM, SIG_DFL);
		execl(AGENT, AGENT, "-o", "off", "-n", "nas1", "-a", "127.0.0.1", "-u", port, option, (char *)NULL);
		_exit(126);
	}
	usleep(300000);
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	ck_assert(WIFSIGNALED(status));
	ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(command_line)
{
	static char name[] = AGENT, o[] = "-o", off[] = "off", status[] = "status", n[] = "--plug", nas1[] = "nas1",
		    a[] = "--ip=127.0.0.1", u[] = "-u", rubbish[] = "rubbish", bad[] = "a b";
	char *const good[] = { name, o, off, n, nas1, a, u, port, NULL };
	char *const ask[] = { name, o, status, n, nas1, a, u, port, NULL };
	char *const no_plug[] = { name, o, off, a, u, port, NULL };
	char *const unknown[] = { name, rubbish, NULL };
	char *const no_action[] = { name, o, rubbish, n, nas1, a, u, port, NULL };
	char *const odd[] = { name, o, off, n, bad, a, u, port, NULL };

	ck_assert_int_eq(run(NULL, ask).code, 0);
	ck_assert_ptr_nonnull(strstr(output, "Status: ON"));
	ck_assert_int_eq(run(NULL, no_plug).code, 1);
	ck_assert_int_eq(run(NULL, unknown).code, 1);
	ck_assert_int_eq(run(NULL, no_action).code, 1);
	ck_assert_int_eq(run(NULL, odd).code, 1);
	ck_assert(on);
	ck_assert_int_eq(run(NULL, good).code, 0);
	ck_assert_int_eq(run(NULL, ask).code, 2);
	ck_assert_ptr_nonnull(strstr(output, "Status: OFF"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("the lab's fence agent");
	TCase *t = tcase_create("fence_lab");

	signal(SIGPIPE, SIG_IGN);
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, metadata_comes_first);
	tcase_add_test(t, off_and_on);
	tcase_add_test(t, a_bad_switch);
	tcase_add_test(t, faults);
	tcase_add_test(t, a_hang);
	tcase_add_test(t, command_line);
	suite_add_tcase(s, t);
	return scratch_run(s, dir);
}
