/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control_server.h"

#include <check.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { GROUP = 4242, REPLY_SIZE = 1 << 21 };

struct ctx {
	sd_event *event;
	struct control_server *server;
	char root[64], control[96], status[96];
	/* what the daemon's side saw */
	struct ctl_client *client;
	int requests, gone;
	enum ctl_cmd last;
	char by[64];
	bool answer;              /* at once, from within on_request */
};

static void on_request(struct ctl_client *c, const struct ctl_request *req, const char *by, void *data)
{
	struct ctx *x = data;

	x->client = c;
	x->requests++;
	x->last = req->cmd;
	snprintf(x->by, sizeof(x->by), "%s", by);
	ck_assert_ptr_eq(ctl_client_request(c), req);
	if (x->answer)
		ctl_client_result_ok(c, NULL);
}

static void on_gone(struct ctl_client *c, void *data)
{
	struct ctx *x = data;

	/* Still valid; sending to it does nothing. */
	ctl_client_event(c, json_null());
	ctl_client_result_ok(c, NULL);
	x->gone++;
	if (x->client == c)
		x->client = NULL;
}

static void setup(struct ctx *x, size_t queue_max)
{
	const struct control_server_ops ops = { on_request, on_gone };
	struct control_server_spec spec = { .group = GROUP, .queue_max = queue_max };
	struct err e = { 0 };

	memset(x, 0, sizeof(*x));
	x->answer = true;
	strcpy(x->root, "/tmp/nasd-control-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(x->root));
	chmod(x->root, 0755);
	snprintf(x->control, sizeof(x->control), "%s/control.sock", x->root);
	snprintf(x->status, sizeof(x->status), "%s/status.sock", x->root);
	spec.control_path = x->control;
	spec.status_path = x->status;
	ck_assert_int_ge(sd_event_new(&x->event), 0);
	ck_assert_msg(control_server_new(x->event, &spec, &ops, x, &x->server, &e) == 0, "%s", e.msg);
}

static void teardown(struct ctx *x)
{
	control_server_free(x->server);
	ck_assert_int_ne(access(x->control, F_OK), 0);
	ck_assert_int_ne(access(x->status, F_OK), 0);
	ck_assert_int_eq(rmdir(x->root), 0);
	sd_event_unref(x->event);
}

static int dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(sa.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void spin(struct ctx *x, int turns)
{
	int i;

	for (i = 0; i < turns; i++)
		sd_event_run(x->event, 1000);
}

/* Reads one line, running the loop; NULL at end of file. Static buffer. */
static const char *hear(struct ctx *x, int fd)
{
	static char line[REPLY_SIZE];
	size_t len = 0;
	int i;

	for (i = 0; i < 20000; i++) {
		ssize_t n = recv(fd, line + len, 1, 0);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return NULL;
		if (n < 0) {
			sd_event_run(x->event, 1000);
			continue;
		}
		i = 0;
		if (line[len] == '\n') {
			line[len] = '\0';
			return line;
		}
		ck_assert_uint_lt(++len, sizeof(line));
	}
	ck_abort_msg("no answer");
	return NULL;
}

static void assert_hears(struct ctx *x, int fd, const char *part)
{
	const char *line = hear(x, fd);

	ck_assert_ptr_nonnull(line);
	ck_assert_msg(strstr(line, part) != NULL, "%s", line);
}

#define STATUS "{\"v\":1,\"cmd\":\"status\"}\n"
#define SWITCH "{\"v\":1,\"cmd\":\"switchover\",\"node\":\"nas2\"}\n"

START_TEST(modes_and_a_request)
{
	struct stat st;
	struct ctx x;
	char by[64];
	int fd;

	setup(&x, 0);
	ck_assert_int_eq(stat(x.control, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	if (getuid() == 0)
		ck_assert_uint_eq(st.st_gid, GROUP);
	ck_assert_int_eq(stat(x.status, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0666);
	fd = dial(x.control);
	say(fd, SWITCH);
	assert_hears(&x, fd, "{\"result\":\"ok\",\"data\":null}");
	ck_assert_int_eq(x.last, CTL_SWITCHOVER);
	snprintf(by, sizeof(by), "uid %d pid %d", getuid(), getpid());
	ck_assert_str_eq(x.by, by);
	close(fd);
	spin(&x, 5);
	ck_assert_int_eq(x.gone, 1);
	teardown(&x);
}
END_TEST

START_TEST(events_then_result_many_lines)
{
	json_t *ev = json_pack("{s:s}", "event", "step");
	struct ctx x;
	int fd;

	setup(&x, 0);
	x.answer = false;
	fd = dial(x.control);
	say(fd, STATUS SWITCH STATUS);
	shutdown(fd, SHUT_WR);
	spin(&x, 5);
	/* One at a time. */
	ck_assert_int_eq(x.requests, 1);
	ctl_client_event(x.client, ev);
	ctl_client_result_ok(x.client, ev);
	ctl_client_event(x.client, ev); /* after the result: nothing is sent */
	assert_hears(&x, fd, "{\"event\":\"step\"}");
	assert_hears(&x, fd, "{\"result\":\"ok\",\"data\":{\"event\":\"step\"}}");
	spin(&x, 3);
	ck_assert_int_eq(x.requests, 2);
	ck_assert_int_eq(x.last, CTL_SWITCHOVER);
	x.answer = true;
	{
		struct err e = { 0 };
		json_t *findings = json_pack("[s]", "a finding");

		err_set(&e, ERR_REFUSED, EBUSY, "here", "no \"way\"");
		ctl_client_result_error(x.client, &e, findings);
		json_decref(findings);
	}
	assert_hears(&x, fd, "\"findings\":[\"a finding\"]");
	assert_hears(&x, fd, "\"ok\"");
	/* It had closed its side: answered, it is let go. */
	ck_assert_ptr_null(hear(&x, fd));
	ck_assert_int_eq(x.gone, 1);
	ck_assert_uint_eq(json_object_size(ev), 1);
	json_decref(ev);
	close(fd);
	teardown(&x);
}
END_TEST

START_TEST(bad_lines)
{
	static const char *const bad[] = {
		"\n", "nonsense\n", "{}\n", "{\"v\":1}\n", "{\"v\":2,\"cmd\":\"status\"}\n",
		"{\"v\":1,\"cmd\":\"nope\"}\n", "[1]\n", "{\"v\":1,\"cmd\":\"switchover\"}\n", "\x01\xff\n",
	};
	struct ctx x;
	size_t i;
	int fd;

	setup(&x, 0);
	fd = dial(x.control);
	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		say(fd, bad[i]);
		assert_hears(&x, fd, "\"class\":\"input\"");
	}
	ck_assert_int_eq(x.requests, 0);
	/* It stays usable. */
	say(fd, STATUS);
	assert_hears(&x, fd, "\"ok\"");
	close(fd);
	spin(&x, 5);
	teardown(&x);
}
END_TEST

START_TEST(long_line_is_refused_and_closed)
{
	char big[CTL_REQUEST_MAX + 200];
	struct ctx x;
	int fd;

	setup(&x, 0);
	memset(big, 'a', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	fd = dial(x.control);
	say(fd, big);
	assert_hears(&x, fd, "longer than");
	ck_assert_ptr_null(hear(&x, fd));
	ck_assert_int_eq(x.requests, 0);
	ck_assert_int_eq(x.gone, 0);
	close(fd);
	teardown(&x);
}
END_TEST

START_TEST(read_only_socket)
{
	struct ctx x;
	int fd;

	setup(&x, 0);
	fd = dial(x.status);
	say(fd, SWITCH);
	assert_hears(&x, fd, "read-only");
	/* it changes nothing, but runs programs as root */
	say(fd, "{\"v\":1,\"cmd\":\"fence-check\"}\n");
	assert_hears(&x, fd, "read-only");
	say(fd, "{\"v\":1,\"cmd\":\"fence-peer\",\"resource\":\"r0\"}\n");
	assert_hears(&x, fd, "read-only");
	ck_assert_int_eq(x.requests, 0);
	say(fd, STATUS);
	assert_hears(&x, fd, "\"ok\"");
	ck_assert_int_eq(x.requests, 1);
	ck_assert(!ctl_client_may_change(x.client));
	close(fd);
	spin(&x, 5);
	teardown(&x);
}
END_TEST

START_TEST(hang_up_while_running)
{
	struct ctx x;
	int fd;

	setup(&x, 0);
	x.answer = false;
	fd = dial(x.control);
	say(fd, SWITCH STATUS);
	close(fd);
	spin(&x, 10);
	ck_assert_int_eq(x.requests, 1);
	ck_assert_int_eq(x.gone, 1);
	ck_assert_ptr_null(x.client);
	teardown(&x);
}
END_TEST

START_TEST(slow_reader_is_dropped)
{
	json_t *ev;
	char *text = malloc(100001);
	struct ctx x;
	int fd, i;

	setup(&x, 1 << 20);
	x.answer = false;
	memset(text, 'x', 100000);
	text[100000] = '\0';
	ev = json_pack("{s:s}", "event", text);
	fd = dial(x.status);
	say(fd, STATUS);
	spin(&x, 5);
	for (i = 0; i < 100 && !x.gone; i++) {
		ctl_client_event(x.client, ev);
		spin(&x, 2);
	}
	ck_assert_int_eq(x.gone, 1);
	ck_assert_int_gt(i, 5);
	ck_assert_int_lt(i, 30);
	close(fd);
	json_decref(ev);
	free(text);
	teardown(&x);
}
END_TEST

START_TEST(too_long_an_answer)
{
	char *text = malloc(CTL_LINE_MAX + 1);
	struct ctx x;
	json_t *s;
	int fd;

	setup(&x, 0);
	x.answer = false;
	memset(text, 'x', CTL_LINE_MAX);
	text[CTL_LINE_MAX] = '\0';
	s = json_string(text);
	fd = dial(x.status);
	say(fd, STATUS);
	spin(&x, 5);
	ctl_client_event(x.client, s);
	ctl_client_result_ok(x.client, s);
	assert_hears(&x, fd, "does not fit");
	json_decref(s);
	free(text);
	close(fd);
	spin(&x, 5);
	teardown(&x);
}
END_TEST

START_TEST(sockets_in_use_and_stale)
{
	const struct control_server_ops ops = { on_request, on_gone };
	struct control_server_spec spec = { .group = GROUP };
	struct control_server *other = NULL;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct err e = { 0 };
	char stale[128], file[128];
	struct ctx x;
	int fd;

	setup(&x, 0);
	spec.control_path = x.control;
	ck_assert_int_eq(control_server_new(x.event, &spec, &ops, &x, &other, &e), -EADDRINUSE);
	ck_assert_int_eq(access(x.control, F_OK), 0);
	snprintf(stale, sizeof(stale), "%s/stale", x.root);
	strcpy(sa.sun_path, stale);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
	spec.control_path = stale;
	ck_assert_msg(control_server_new(x.event, &spec, &ops, &x, &other, &e) == 0, "%s", e.msg);
	control_server_free(other);
	snprintf(file, sizeof(file), "%s/file", x.root);
	fclose(fopen(file, "w"));
	spec.control_path = file;
	ck_assert_int_eq(control_server_new(x.event, &spec, &ops, &x, &other, &e), -EEXIST);
	ck_assert_int_eq(access(file, F_OK), 0);
	unlink(file);
	teardown(&x);
}
END_TEST

/* A process of another user, in the group or not; the socket's mode is opened
 * so that only the check of credentials stands in the way. */
static void try_as(struct ctx *x, uid_t uid, gid_t extra, const char *part)
{
	int pair[2], status = 0, fd;
	char go;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	chmod(x->control, 0666);
	pid = fork();
	if (pid == 0) {
		char buf[1024];
		ssize_t n;

		if (setgroups(1, &extra) || setgid(uid) || setuid(uid))
			_exit(99);
		fd = dial(x->control);
		if (send(fd, STATUS, strlen(STATUS), MSG_NOSIGNAL) < 0 || write(pair[1], "g", 1) != 1)
			_exit(98);
		while ((n = recv(fd, buf, sizeof(buf) - 1, 0)) < 0 && errno == EAGAIN)
			usleep(1000);
		buf[n > 0 ? n : 0] = '\0';
		_exit(strstr(buf, part) ? 0 : 97);
	}
	ck_assert_int_eq(read(pair[0], &go, 1), 1);
	while (waitpid(pid, &status, WNOHANG) == 0)
		sd_event_run(x->event, 1000);
	ck_assert_int_eq(WEXITSTATUS(status), 0);
	close(pair[0]);
	close(pair[1]);
	spin(x, 5);
}

START_TEST(credentials_are_checked)
{
	struct ctx x;

	if (getuid() != 0) {
		printf("SKIP credentials_are_checked: needs root\n");
		return;
	}
	setup(&x, 0);
	try_as(&x, 65534, 65534, "may not use");
	ck_assert_int_eq(x.requests, 0);
	try_as(&x, 65534, GROUP, "\"ok\"");
	ck_assert_int_eq(x.requests, 1);
	teardown(&x);
}
END_TEST

START_TEST(many_clients)
{
	int fds[80], i, turned = 0;
	struct ctx x;

	setup(&x, 0);
	for (i = 0; i < 80; i++) {
		fds[i] = dial(x.control);
		spin(&x, 2);
	}
	for (i = 0; i < 80; i++) {
		if (send(fds[i], STATUS, strlen(STATUS), MSG_NOSIGNAL) < 0 || !hear(&x, fds[i]))
			turned++;
		close(fds[i]);
	}
	ck_assert_int_eq(turned, 16);
	ck_assert_int_eq(x.requests, 64);
	/* on_gone for those that are still there comes with the free. */
	teardown(&x);
	ck_assert_int_eq(x.gone, 64);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/control");
	TCase *t = tcase_create("control");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 30);
	tcase_add_test(t, modes_and_a_request);
	tcase_add_test(t, events_then_result_many_lines);
	tcase_add_test(t, bad_lines);
	tcase_add_test(t, long_line_is_refused_and_closed);
	tcase_add_test(t, read_only_socket);
	tcase_add_test(t, hang_up_while_running);
	tcase_add_test(t, slow_reader_is_dropped);
	tcase_add_test(t, too_long_an_answer);
	tcase_add_test(t, sockets_in_use_and_stale);
	tcase_add_test(t, credentials_are_checked);
	tcase_add_test(t, many_clients);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
