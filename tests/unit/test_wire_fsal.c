/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nasd says to its ganesha module and takes from it; and the connection,
 * against modules that hang, die, talk nonsense, or are somebody else.
 */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "fsal_client.h"
#include "model.h"

/* ---- the codec */

START_TEST(requests)
{
	static const struct {
		struct fsal_request req;
		const char *line;
	} rows[] = {
		{ { FSAL_STATUS, 0, NULL }, "{\"v\":1,\"op\":\"status\"}\n" },
		{ { FSAL_GATE, 5000, NULL }, "{\"v\":1,\"op\":\"gate\",\"reopen_ms\":5000}\n" },
		{ { FSAL_PRECOPY, 0, NULL }, "{\"v\":1,\"op\":\"precopy\"}\n" },
		{ { FSAL_DUMP_SINCE, 77, NULL }, "{\"v\":1,\"op\":\"dump-since\",\"base\":77}\n" },
		{ { FSAL_DRAIN, 20, NULL }, "{\"v\":1,\"op\":\"drain\",\"timeout_ms\":20}\n" },
		{ { FSAL_THAW, 7, NULL }, "{\"v\":1,\"op\":\"thaw\"}\n" },
		{ { FSAL_DUMP, 0, NULL }, "{\"v\":1,\"op\":\"dump\"}\n" },
		{ { FSAL_LOAD, 123, NULL }, "{\"v\":1,\"op\":\"load\",\"bytes\":123}\n" },
		{ { FSAL_EXPORT_ADD, 3, "/a \"b\"" },
		  "{\"v\":1,\"op\":\"export-add\",\"id\":3,\"path\":\"/a \\\"b\\\"\"}\n" },
		{ { FSAL_EXPORT_REMOVE, 3, NULL }, "{\"v\":1,\"op\":\"export-remove\",\"id\":3}\n" },
		{ { FSAL_GRACE_START, 1, NULL }, "{\"v\":1,\"op\":\"grace-start\",\"node_id\":1}\n" },
		{ { FSAL_GRACE_LIFT, 0, NULL }, "{\"v\":1,\"op\":\"grace-lift\"}\n" },
		{ { FSAL_RECORDS, 0, NULL }, "{\"v\":1,\"op\":\"records\"}\n" },
		{ { FSAL_RECORD_KEPT, 7, NULL }, "{\"v\":1,\"op\":\"record-kept\",\"record\":7}\n" },
		{ { FSAL_RECORD_ALONE, 7, NULL }, "{\"v\":1,\"op\":\"record-alone\",\"record\":7}\n" },
		{ { FSAL_CLIENT_RELEASE, 0, "10.0.0.1" }, "{\"v\":1,\"op\":\"client-release\",\"address\":\"10.0.0.1\"}\n" },
		{ { FSAL_COMMIT, 0, NULL }, "{\"v\":1,\"op\":\"commit\"}\n" },
		{ { FSAL_RELEASE, 0, "/srv/vms" }, "{\"v\":1,\"op\":\"release\",\"path\":\"/srv/vms\"}\n" },
	};
	char buf[FSAL_LINE_MAX], small[16];
	struct err e = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int n = fsal_request_encode(&rows[i].req, buf, sizeof(buf), &e);

		ck_assert_int_eq(n, (int)strlen(rows[i].line));
		ck_assert_mem_eq(buf, rows[i].line, (size_t)n);
		ck_assert_int_eq(fsal_request_encode(&rows[i].req, small, sizeof(small), &e), -EMSGSIZE);
	}
	ck_assert_int_eq(fsal_request_encode(&(struct fsal_request){ FSAL_EXPORT_ADD, 3, "/\xff" }, buf, sizeof(buf), &e),
			 -EMSGSIZE);
}
END_TEST

static int decode(enum fsal_op op, const char *line, struct fsal_answer *a, struct err *e)
{
	char *exact = malloc(strlen(line) ? strlen(line) : 1); /* a read past it is seen */
	int ret;

	memcpy(exact, line, strlen(line));
	memset(a, 0xa5, sizeof(*a));
	memset(e, 0, sizeof(*e));
	ret = fsal_answer_decode(op, exact, strlen(line), a, e);
	free(exact);
	return ret;
}

#define STATUS "\"ready\":true,\"reason\":\"\",\"state_ready\":true,\"state_reason\":\"\",\"gate\":\"open\",\"in_grace\":false"
#define OK "{\"v\":1,\"ok\":true"

START_TEST(answers)
{
	struct fsal_answer a;
	struct err e;

	ck_assert_int_eq(decode(FSAL_STATUS, OK "," STATUS ",\"can_load\":true,\"novel\":[1]}", &a, &e), 0);
	ck_assert(a.ok && a.u.status.ready && a.u.status.can_load && a.u.status.gate_open);
	ck_assert_int_eq(a.u.status.late_clients, 0);
	ck_assert_int_eq(decode(FSAL_STATUS, OK "," STATUS ",\"can_load\":true,\"late_clients\":7}", &a, &e), 0);
	ck_assert_int_eq(a.u.status.late_clients, 7);
	ck_assert_int_eq(decode(FSAL_LOAD, OK ",\"late_clients\":8}", &a, &e), 0);
	ck_assert_int_eq(a.u.load.late_clients, 8);
	ck_assert_int_eq(decode(FSAL_LOAD, OK "}", &a, &e), 0);
	ck_assert_int_eq(decode(FSAL_PRECOPY, OK ",\"bytes\":9,\"clients\":1,\"opens\":2,\"locks\":3,\"base\":4}", &a, &e), 0);
	ck_assert(a.bytes == 9 && a.u.dump.opens == 2 && a.u.dump.base == 4);
	ck_assert_int_eq(decode(FSAL_PRECOPY, OK ",\"bytes\":9,\"clients\":1,\"opens\":2,\"locks\":3}", &a, &e), -EPROTO);
	ck_assert_int_eq(decode(FSAL_DUMP_SINCE, OK ",\"bytes\":9,\"clients\":1,\"opens\":2,\"locks\":3}", &a, &e), 0);
	ck_assert_int_eq(decode(FSAL_LOAD, OK "}", &a, &e), 0);
	ck_assert_int_eq(a.u.load.late_clients, 0);
	ck_assert_int_eq(decode(FSAL_STATUS, OK "," STATUS "}", &a, &e), 0); /* a module from before load */
	ck_assert(a.ok && !a.u.status.has_load && !a.u.status.can_load);
	ck_assert_int_eq(decode(FSAL_STATUS, OK "," STATUS ",\"can_load\":false,\"load_reason\":\"in grace\"}", &a, &e), 0);
	ck_assert(a.u.status.has_load && !a.u.status.can_load);
	ck_assert_str_eq(a.u.status.load_reason, "in grace");
	ck_assert_int_eq(decode(FSAL_DUMP, OK ",\"bytes\":9,\"clients\":2,\"opens\":3,\"locks\":1,\"run_us\":77}", &a, &e), 0);
	ck_assert(a.bytes == 9 && a.u.dump.clients == 2 && a.run_us == 77);
	ck_assert_int_eq(decode(FSAL_THAW, OK "}", &a, &e), 0);
	ck_assert_int_eq(decode(FSAL_DRAIN, "{\"v\":1,\"ok\":false,\"error\":\"the gate\\nis open\"}", &a, &e), 0);
	ck_assert(!a.ok);
	ck_assert_str_eq(a.error, "the gate?is open");
	ck_assert_int_eq(a.errnum, 0);
	ck_assert_int_eq(decode(FSAL_CLIENT_RELEASE, "{\"v\":1,\"ok\":false,\"error\":\"x\",\"errno\":115}", &a, &e), 0);
	ck_assert(!a.ok && a.errnum == 115);
	ck_assert_int_eq(decode(FSAL_LOAD, "{\"v\":1,\"ok\":false,\"error\":\"x\",\"replace\":false}", &a, &e), 0);
	ck_assert(!a.ok && !a.replace);
	/* half a state is taken for granted unless the module says otherwise */
	ck_assert_int_eq(decode(FSAL_LOAD, "{\"v\":1,\"ok\":false,\"error\":\"x\"}", &a, &e), 0);
	ck_assert(a.replace);
	ck_assert_int_eq(decode(FSAL_LOAD, "{\"v\":1,\"ok\":false,\"error\":\"x\",\"replace\":0}", &a, &e), 0);
	ck_assert(a.replace);
}
END_TEST

START_TEST(malformed_answers)
{
	static const struct {
		enum fsal_op op;
		const char *line;
	} rows[] = {
		{ FSAL_THAW, "" }, { FSAL_THAW, "nonsense" }, { FSAL_THAW, "[]" }, { FSAL_THAW, "{}" },
		{ FSAL_THAW, "{\"v\":2,\"ok\":true}" }, { FSAL_THAW, "{\"v\":1}" }, { FSAL_THAW, "{\"v\":1,\"ok\":1}" },
		{ FSAL_THAW, "{\"v\":1,\"ok\":true,\"ok\":true}" }, { FSAL_THAW, "{\"v\":1,\"ok\":false}" },
		{ FSAL_THAW, "{\"v\":1,\"ok\":false,\"error\":\"x\",\"errno\":\"EBUSY\"}" },
		{ FSAL_THAW, "{\"v\":1,\"ok\":false,\"error\":7}" }, { FSAL_THAW, OK ",\"run_us\":-1}" },
		{ FSAL_STATUS, OK "}" }, { FSAL_STATUS, OK "," STATUS ",\"can_load\":1}" },
		{ FSAL_STATUS, OK "," STATUS ",\"late_clients\":-1}" }, { FSAL_LOAD, OK ",\"late_clients\":true}" },
		{ FSAL_DRAIN, OK ",\"drained\":\"yes\",\"held\":0,\"running\":0,\"unsent_connections\":0}" },
		{ FSAL_DRAIN, OK ",\"drained\":true,\"held\":-1,\"running\":0,\"unsent_connections\":0}" },
		{ FSAL_DUMP, OK ",\"bytes\":0,\"clients\":0,\"opens\":0,\"locks\":0}" },
		{ FSAL_DUMP, OK ",\"bytes\":-5,\"clients\":0,\"opens\":0,\"locks\":0}" },
		{ FSAL_DUMP, OK ",\"bytes\":33554433,\"clients\":0,\"opens\":0,\"locks\":0}" },
		{ FSAL_DUMP, OK ",\"clients\":0,\"opens\":0,\"locks\":0}" },
		{ FSAL_GRACE_START, OK "}" }, { FSAL_RECORDS, OK "}" }, { FSAL_RECORDS, OK ",\"record_wait_ms\":\"1\"}" },
	};
	struct fsal_answer a, zero;
	struct err e;

	memset(&zero, 0, sizeof(zero));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ck_assert_msg(decode(rows[i].op, rows[i].line, &a, &e) == -EPROTO, "accepted: %s", rows[i].line);
		ck_assert_msg(e.where[0] && e.msg[0], "%s", rows[i].line);
		ck_assert_mem_eq(&a, &zero, sizeof(a));
	}
}
END_TEST

START_TEST(records)
{
	static const char *const good = "{\"v\":1,\"record\":8,\"name\":\"10.0.0.1-(1:x)\",\"new\":1}";
	static const char *const bad[] = {
		"", "x", "[]", "{}", "{\"v\":2,\"record\":1,\"name\":\"a\"}", "{\"v\":1,\"record\":0,\"name\":\"a\"}",
		"{\"v\":1,\"record\":-1,\"name\":\"a\"}", "{\"v\":1,\"record\":\"1\",\"name\":\"a\"}",
		"{\"v\":1,\"record\":1}", "{\"v\":1,\"record\":1,\"name\":\"\"}", "{\"v\":1,\"record\":1,\"name\":2}",
		"{\"v\":1,\"record\":1,\"name\":\"a\\u0000b\"}", "{\"v\":1,\"ok\":true}",
	};
	char longest[CLIENT_ENTRY_MAX + 1], line[FSAL_LINE_MAX];
	struct fsal_record r, zero;
	struct err e = { 0 };

	ck_assert_int_eq(fsal_record_decode(good, strlen(good), &r, &e), 0);
	ck_assert_uint_eq(r.id, 8);
	ck_assert_str_eq(r.name, "10.0.0.1-(1:x)");
	memset(&zero, 0, sizeof(zero));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e = (struct err){ 0 };
		ck_assert_msg(fsal_record_decode(bad[i], strlen(bad[i]), &r, &e) == -EPROTO && e.msg[0], "%s", bad[i]);
		ck_assert_mem_eq(&r, &zero, sizeof(r));
	}
	for (size_t len = CLIENT_ENTRY_MAX - 1; len <= CLIENT_ENTRY_MAX; len++) {
		memset(longest, 'a', len);
		longest[len] = '\0';
		snprintf(line, sizeof(line), "{\"v\":1,\"record\":8,\"name\":\"%s\"}", longest);
		ck_assert_int_eq(fsal_record_decode(line, strlen(line), &r, &e), len < CLIENT_ENTRY_MAX ? 0 : -EPROTO);
	}
}
END_TEST

/* ---- the connection */

static char path[64];
static int listener;

static void listen_here(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(path, sizeof(path), "/tmp/nasd-test-fsal-%d", (int)getpid());
	strcpy(a.sun_path, path);
	unlink(path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(listener, 1) == 0);
}

static void leave(void)
{
	close(listener);
	unlink(path);
}

/* Reads want bytes, then says text. */
struct talk {
	size_t want;
	const char *text;
};

static void *module_main(void *arg)
{
	const struct talk *t = arg;
	int fd = accept(listener, NULL, NULL);
	char buf[4096];
	size_t got = 0;

	while (got < t->want) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	send(fd, t->text, strlen(t->text), MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
	close(fd);
	return NULL;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

START_TEST(state_and_body)
{
	struct talk t = { 30 + 5, OK ",\"run_us\":3}\n" OK ",\"bytes\":6,\"clients\":0,\"opens\":0,\"locks\":0}\nabc\nde" };
	struct fsal_client c;
	struct fsal_answer a;
	struct err e = { 0 };
	pthread_t thread;
	char *body = NULL;

	listen_here();
	ck_assert(pthread_create(&thread, NULL, module_main, &t) == 0);
	ck_assert_int_eq(fsal_client_open(&c, path, getpid(), &e), 0);
	ck_assert_int_eq(fsal_client_do(&c, &(struct fsal_request){ FSAL_LOAD, 5, NULL }, "hello", 5000000, &a, &e), 0);
	ck_assert_int_eq(a.run_us, 3);
	/* what it had said before it was asked is taken for the answer: it never does */
	ck_assert_int_eq(fsal_client_do(&c, &(struct fsal_request){ FSAL_DUMP, 0, NULL }, NULL, 5000000, &a, &e), 0);
	ck_assert_int_eq(fsal_client_body(&c, (size_t)a.bytes, 5000000, &body, &e), 0);
	ck_assert_str_eq(body, "abc\nde");
	free(body);
	ck_assert_int_lt(fsal_client_body(&c, 1, 5000000, &body, &e), 0); /* it has closed */
	ck_assert_int_eq(c.fd, -1);
	ck_assert_int_lt(fsal_client_ask(&c, &(struct fsal_request){ FSAL_THAW, 0, NULL }, NULL, 1000, &a, &e), 0);
	pthread_join(thread, NULL);
	leave();
}
END_TEST

START_TEST(no_module)
{
	struct fsal_client c;
	struct err e = { 0 };

	listen_here();
	ck_assert_int_lt(fsal_client_open(&c, path, getpid() + 1, &e), 0);
	ck_assert_ptr_nonnull(strstr(e.msg, "another process"));
	close(listener); /* its socket stays behind */
	ck_assert_int_lt(fsal_client_open(&c, path, getpid(), &e), 0);
	unlink(path);
	ck_assert_int_lt(fsal_client_open(&c, path, getpid(), &e), 0);
	ck_assert_int_eq(c.fd, -1);
}
END_TEST

START_TEST(a_module_that_hangs)
{
	struct fsal_client c;
	struct fsal_answer a;
	struct err e = { 0 };
	int64_t began;

	listen_here(); /* nobody accepts */
	ck_assert_int_eq(fsal_client_open(&c, path, getpid(), &e), 0);
	began = now_us();
	ck_assert_int_eq(fsal_client_ask(&c, &(struct fsal_request){ FSAL_STATUS, 0, NULL }, NULL, 50000, &a, &e), -ETIMEDOUT);
	ck_assert(now_us() - began >= 50000);
	ck_assert_int_eq(e.cls, ERR_TIMEOUT);
	ck_assert_int_eq(c.fd, -1);
	leave();
}
END_TEST

START_TEST(nonsense)
{
	static const char *const texts[] = { "", "half a line", "{}\n", "{\"v\":1,\"ok\":true,\"drained\":1}\n" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct talk t = { 36, texts[i] };
		struct fsal_client c;
		struct fsal_answer a;
		struct err e = { 0 };
		pthread_t thread;

		listen_here();
		ck_assert(pthread_create(&thread, NULL, module_main, &t) == 0);
		ck_assert_int_eq(fsal_client_open(&c, path, getpid(), &e), 0);
		ck_assert_int_lt(fsal_client_do(&c, &(struct fsal_request){ FSAL_DRAIN, 20, NULL }, NULL, 5000000, &a, &e), 0);
		ck_assert_int_eq(c.fd, -1);
		ck_assert(!a.ok && e.msg[0]);
		fsal_client_close(&c);
		pthread_join(thread, NULL);
		leave();
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("wire/fsal");
	TCase *tc = tcase_create("fsal");
	SRunner *r;
	int failed;

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, requests);
	tcase_add_test(tc, records);
	tcase_add_test(tc, answers);
	tcase_add_test(tc, malformed_answers);
	tcase_add_test(tc, state_and_body);
	tcase_add_test(tc, no_module);
	tcase_add_test(tc, a_module_that_hangs);
	tcase_add_test(tc, nonsense);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
