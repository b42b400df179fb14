/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests of the peer link: both ends of it in one event loop, over the
 * loopback device: real sockets, real TLS. What the link logs is kept, and shown
 * on stderr if SHOW is in the environment.
 */
#ifndef NASD_TESTS_LINK_PAIR_H
#define NASD_TESTS_LINK_PAIR_H

#include "peer_link.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

enum { LOG_MAX = 64, MS = 1000 };

struct side {
	struct peer_link *link;
	struct conf *conf;
	int ups, downs, messages;
	char reason[256], version[32];
	uint64_t last_epoch;
	bool out_of_order, echo;
};

struct ctx {
	sd_event *event;
	char secret[2][64];
	struct side side[2];
	uint16_t port;
	char lines[LOG_MAX][512];
	int n_lines;
};

static inline int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- callbacks */

static inline void on_up(const struct peer_intro *intro, void *data)
{
	struct side *s = data;

	ck_assert_int_eq(s->ups, s->downs);
	s->ups++;
	s->last_epoch = 0;
	snprintf(s->version, sizeof(s->version), "%s", intro->version);
}

static inline void on_down(const char *reason, void *data)
{
	struct side *s = data;

	s->downs++;
	ck_assert_int_eq(s->ups, s->downs);
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

static inline void on_message(const struct peer_msg *msg, void *data)
{
	struct side *s = data;
	struct peer_msg copy = *msg;

	ck_assert_int_eq(s->ups, s->downs + 1);
	ck_assert_int_ne(msg->type, MSG_INTRO);
	ck_assert_int_ne(msg->type, MSG_HEARTBEAT);
	s->messages++;
	if (msg->epoch <= s->last_epoch)
		s->out_of_order = true;
	s->last_epoch = msg->epoch;
	if (s->echo)
		peer_link_send(s->link, &copy);
}

static const struct peer_link_ops ops = { on_up, on_down, on_message };

static inline void keep_line(enum log_priority prio, const struct log_fields *f, const char *m, void *data)
{
	struct ctx *x = data;

	(void)prio;
	(void)f;
	if (x->n_lines < LOG_MAX)
		snprintf(x->lines[x->n_lines], sizeof(x->lines[0]), "%s", m);
	x->n_lines++;
	if (getenv("SHOW"))
		fprintf(stderr, "%lld %s\n", (long long)now_us() / 1000, m);
}

static inline int lines_with(const struct ctx *x, const char *part)
{
	int i, n = 0;

	for (i = 0; i < x->n_lines && i < LOG_MAX; i++)
		n += strstr(x->lines[i], part) != NULL;
	return n;
}

/* ---- set-up */

static inline uint16_t free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	close(fd);
	return ntohs(sa.sin_port);
}

static inline void set_ip(struct conf_ip *ip, const char *text)
{
	ip->family = AF_INET;
	ck_assert_int_eq(inet_pton(AF_INET, text, ip->bytes), 1);
	strcpy(ip->text, text);
}

static inline struct conf *make_conf(const struct ctx *x, const char *secret)
{
	struct conf *c = calloc(1, sizeof(*c));

	strcpy(c->cluster.name, "testcluster");
	strcpy(c->cluster.secret_file, secret);
	c->cluster.heartbeat_interval_us = 50 * MS;
	c->cluster.dead_after_us = 300 * MS;
	c->cluster.peer_port = x->port;
	strcpy(c->nodes[0].name, "nas1");
	strcpy(c->nodes[1].name, "nas2");
	set_ip(&c->nodes[0].addresses[0], "127.0.0.1");
	c->nodes[0].n_addresses = 1;
	set_ip(&c->nodes[1].addresses[0], "127.0.0.2");
	c->nodes[1].n_addresses = 1;
	memset(c->hash, 'a', sizeof(c->hash) - 1);
	return c;
}

static inline void write_secret(char *path, const char *text)
{
	int fd;

	strcpy(path, "/tmp/nasd-secret-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static inline void setup(struct ctx *x)
{
	int i;

	memset(x, 0, sizeof(*x));
	log_set_sink(keep_line, x);
	ck_assert_int_ge(sd_event_new(&x->event), 0);
	x->port = free_port();
	for (i = 0; i < 2; i++) {
		write_secret(x->secret[i], "0123456789abcdef0123456789abcdef\n");
		x->side[i].conf = make_conf(x, x->secret[i]);
	}
}

static inline void start(struct ctx *x, int i)
{
	struct side *s = &x->side[i];
	struct err e = { 0 };

	ck_assert_msg(peer_link_new(x->event, s->conf, i, &ops, s, &s->link, &e) == 0, "%s", e.msg);
}

static inline void stop(struct ctx *x, int i)
{
	peer_link_free(x->side[i].link);
	x->side[i].link = NULL;
}

static inline void teardown(struct ctx *x)
{
	int i;

	for (i = 0; i < 2; i++) {
		stop(x, i);
		free(x->side[i].conf);
		unlink(x->secret[i]);
	}
	sd_event_unref(x->event);
	log_set_sink(NULL, NULL);
}

/* MS is what it takes at most on a machine with nothing else to do; ten times that is waited. */
#define RUN_UNTIL(x, cond, ms) \
	do { \
		int64_t end_ = now_us() + (ms) * 10000; \
		while (!(cond) && now_us() < end_) \
			sd_event_run((x)->event, 2000); \
		ck_assert_msg(cond, "not in time: %s", #cond); \
	} while (0)

static inline void run_for(struct ctx *x, int ms)
{
	int64_t end = now_us() + (int64_t)ms * 1000;

	while (now_us() < end)
		sd_event_run(x->event, 2000);
}

static inline bool both_up(const struct ctx *x)
{
	return x->side[0].link && x->side[1].link && peer_link_is_up(x->side[0].link) &&
	       peer_link_is_up(x->side[1].link);
}

static inline struct peer_msg text_msg(uint64_t epoch)
{
	struct peer_msg m = { .type = MSG_COMMIT, .group = "vmstore", .epoch = epoch };

	return m;
}

static inline struct peer_link_status status_of(const struct side *s)
{
	struct peer_link_status st;

	peer_link_status(s->link, &st);
	return st;
}

static inline int connect_raw(const struct ctx *x)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(x->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* ---- the end of every such program */

static inline int link_run(Suite *suite, TCase *tc)
{
	SRunner *r = srunner_create(suite);
	int failed;

	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif
