/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both ends of the link in one event loop, over the loopback device: real
 * sockets, real TLS. A relay between them stands for the network that is cut.
 */
#include "peer_link.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "frame.h"
#include "log.h"
#include "peer_clock.h"
#include "peer_conn.h"

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

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* ---- callbacks */

static void on_up(const struct peer_intro *intro, void *data)
{
	struct side *s = data;

	ck_assert_int_eq(s->ups, s->downs);
	s->ups++;
	s->last_epoch = 0;
	snprintf(s->version, sizeof(s->version), "%s", intro->version);
}

static void on_down(const char *reason, void *data)
{
	struct side *s = data;

	s->downs++;
	ck_assert_int_eq(s->ups, s->downs);
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

static void on_message(const struct peer_msg *msg, void *data)
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

static void keep_line(enum log_priority prio, const struct log_fields *f, const char *m, void *data)
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

static int lines_with(const struct ctx *x, const char *part)
{
	int i, n = 0;

	for (i = 0; i < x->n_lines && i < LOG_MAX; i++)
		n += strstr(x->lines[i], part) != NULL;
	return n;
}

/* ---- set-up */

static uint16_t free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	close(fd);
	return ntohs(sa.sin_port);
}

static void set_ip(struct conf_ip *ip, const char *text)
{
	ip->family = AF_INET;
	ck_assert_int_eq(inet_pton(AF_INET, text, ip->bytes), 1);
	strcpy(ip->text, text);
}

static struct conf *make_conf(const struct ctx *x, const char *secret)
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

static void write_secret(char *path, const char *text)
{
	int fd;

	strcpy(path, "/tmp/nasd-secret-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void setup(struct ctx *x)
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

static void start(struct ctx *x, int i)
{
	struct side *s = &x->side[i];
	struct err e = { 0 };

	ck_assert_msg(peer_link_new(x->event, s->conf, i, &ops, s, &s->link, &e) == 0, "%s", e.msg);
}

static void stop(struct ctx *x, int i)
{
	peer_link_free(x->side[i].link);
	x->side[i].link = NULL;
}

static void teardown(struct ctx *x)
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

#define RUN_UNTIL(x, cond, ms) \
	do { \
		int64_t end_ = now_us() + (ms) * 1000; \
		while (!(cond) && now_us() < end_) \
			sd_event_run((x)->event, 2000); \
		ck_assert_msg(cond, "not in time: %s", #cond); \
	} while (0)

static void run_for(struct ctx *x, int ms)
{
	int64_t end = now_us() + (int64_t)ms * 1000;

	while (now_us() < end)
		sd_event_run(x->event, 2000);
}

static bool both_up(const struct ctx *x)
{
	return x->side[0].link && x->side[1].link && peer_link_is_up(x->side[0].link) &&
	       peer_link_is_up(x->side[1].link);
}

static struct peer_msg text_msg(uint64_t epoch)
{
	struct peer_msg m = { .type = MSG_COMMIT, .group = "vmstore", .epoch = epoch };

	return m;
}

static struct peer_link_status status_of(const struct side *s)
{
	struct peer_link_status st;

	peer_link_status(s->link, &st);
	return st;
}

static int connect_raw(const struct ctx *x)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(x->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

/* ---- tests */

START_TEST(up_messages_clock_status)
{
	struct ctx x;
	struct peer_msg m;
	struct peer_link_status st;
	int64_t began, offset, rtt;
	int i, n;

	setup(&x);
	start(&x, 0);
	start(&x, 1);
	m = text_msg(1);
	ck_assert_int_eq(peer_link_send(x.side[0].link, &m), -ENOTCONN);
	began = now_us();
	RUN_UNTIL(&x, both_up(&x), 2000);
	printf("link up after %lld us (connect, TLS handshake, introductions)\n",
	       (long long)(now_us() - began));
	ck_assert_str_eq(x.side[0].version, NASD_VERSION);
	for (i = 1; i <= 2000; i++) {
		m = text_msg((uint64_t)i);
		ck_assert_int_eq(peer_link_send(x.side[0].link, &m), 0);
		ck_assert_int_eq(peer_link_send(x.side[1].link, &m), 0);
	}
	RUN_UNTIL(&x, x.side[0].messages == 2000 && x.side[1].messages == 2000, 5000);
	ck_assert(!x.side[0].out_of_order && !x.side[1].out_of_order);
	/* One round trip at a time. */
	x.side[0].echo = true;
	n = x.side[1].messages;
	began = now_us();
	for (i = 1; i <= 500; i++) {
		m = text_msg((uint64_t)i + 5000);
		ck_assert_int_eq(peer_link_send(x.side[1].link, &m), 0);
		RUN_UNTIL(&x, x.side[1].messages == n + i, 1000);
	}
	printf("message round trip: %lld us\n", (long long)(now_us() - began) / 500);
	run_for(&x, 200);
	ck_assert(peer_link_clock_offset_us(x.side[0].link, &offset, &rtt));
	ck_assert_int_lt(llabs(offset), rtt / 2 + 1);
	ck_assert_int_lt(rtt, 50 * MS);
	ck_assert_int_gt(rtt, 0);
	st = status_of(&x.side[0]);
	ck_assert(st.connected && st.config_same);
	ck_assert_str_eq(st.node, "nas2");
	ck_assert_str_eq(st.address, "127.0.0.1");
	ck_assert_int_ge(st.rtt_us, 0);
	ck_assert_int_lt(now_us() - st.last_heard_us, 200 * MS);
	ck_assert_uint_eq(st.connects, 1);
	m.type = MSG_COMMIT;
	strcpy(m.group, "Not A Name");
	ck_assert_int_eq(peer_link_send(x.side[0].link, &m), -EINVAL);
	run_for(&x, 50);
	ck_assert(both_up(&x));
	teardown(&x);
}
END_TEST

START_TEST(large_messages)
{
	struct peer_msg m = { .type = MSG_CLIENTS, .group = "vmstore", .epoch = 1 };
	struct ctx x;
	int i;

	setup(&x);
	start(&x, 0);
	start(&x, 1);
	RUN_UNTIL(&x, both_up(&x), 2000);
	m.u.clients.op = CLIENTS_ADD;
	m.u.clients.seq = 1;
	memset(m.u.clients.entry.text, 'c', CLIENT_ENTRY_MAX - 1);
	/* More than the socket takes at once. */
	for (i = 0; i < 2500; i++) {
		m.epoch = (uint64_t)i + 1;
		ck_assert_int_eq(peer_link_send(x.side[0].link, &m), 0);
	}
	RUN_UNTIL(&x, x.side[1].messages == 2500, 10000);
	ck_assert(!x.side[1].out_of_order);
	ck_assert(both_up(&x));
	/* And more than the queue takes. */
	for (i = 0; i < 100000; i++)
		if (peer_link_send(x.side[0].link, &m) < 0)
			break;
	ck_assert_int_lt(i, 100000);
	ck_assert_int_eq(peer_link_send(x.side[0].link, &m), -ENOTCONN);
	RUN_UNTIL(&x, x.side[0].downs == 1, 2000);
	ck_assert_ptr_nonnull(strstr(x.side[0].reason, "does not take"));
	RUN_UNTIL(&x, x.side[0].ups == 2 && both_up(&x), 8000);
	teardown(&x);
}
END_TEST

START_TEST(wrong_key)
{
	struct ctx x;
	struct peer_link_status st;

	setup(&x);
	unlink(x.secret[1]);
	write_secret(x.secret[1], "another secret, long enough");
	strcpy(x.side[1].conf->cluster.secret_file, x.secret[1]);
	start(&x, 0);
	start(&x, 1);
	run_for(&x, 1500);
	ck_assert_int_eq(x.side[0].ups + x.side[1].ups, 0);
	st = status_of(&x.side[0]);
	ck_assert_msg(strstr(st.last_error, "secret file") != NULL, "%s", st.last_error);
	ck_assert_uint_ge(st.refused, 3);
	st = status_of(&x.side[1]);
	ck_assert_msg(strstr(st.last_error, "secret file") != NULL, "%s", st.last_error);
	/* Many attempts, one line on each side. */
	ck_assert_int_eq(lines_with(&x, "turned away"), 1);
	ck_assert_int_eq(lines_with(&x, "cannot reach"), 1);
	ck_assert_int_eq(x.n_lines, 2);
	teardown(&x);
}
END_TEST

START_TEST(wrong_node_and_cluster)
{
	struct ctx x;

	setup(&x);
	strcpy(x.side[1].conf->nodes[1].name, "nas3");
	start(&x, 0);
	start(&x, 1);
	run_for(&x, 700);
	ck_assert_int_eq(x.side[0].ups + x.side[1].ups, 0);
	ck_assert_msg(strstr(status_of(&x.side[0]).last_error, "testcluster/nas3") != NULL, "%s",
		      status_of(&x.side[0]).last_error);
	stop(&x, 1);
	strcpy(x.side[1].conf->nodes[1].name, "nas2");
	strcpy(x.side[1].conf->cluster.name, "other");
	start(&x, 1);
	run_for(&x, 700);
	ck_assert_int_eq(x.side[0].ups + x.side[1].ups, 0);
	ck_assert_msg(strstr(status_of(&x.side[0]).last_error, "other") != NULL, "%s",
		      status_of(&x.side[0]).last_error);
	ck_assert_int_eq(lines_with(&x, "turned away"), 2);
	/* Put right, it comes up by itself. */
	stop(&x, 1);
	strcpy(x.side[1].conf->cluster.name, "testcluster");
	x.side[1].conf->hash[0] = 'b';
	start(&x, 1);
	RUN_UNTIL(&x, both_up(&x), 3000);
	ck_assert(!status_of(&x.side[0]).config_same);
	teardown(&x);
}
END_TEST

START_TEST(garbage_and_stalls)
{
	struct ctx x;
	int fds[20], stall, i;

	setup(&x);
	start(&x, 0);
	stall = connect_raw(&x);
	fds[0] = connect_raw(&x);
	ck_assert_int_eq(send(fds[0], "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
	run_for(&x, 200);
	ck_assert_int_eq(lines_with(&x, "turned away"), 1);
	ck_assert_ptr_nonnull(strstr(x.lines[0], "handshake failed"));
	close(fds[0]);
	run_for(&x, 3200);
	ck_assert_int_eq(lines_with(&x, "not finished in time"), 1);
	close(stall);
	/* More silent ones than there is room for; the peer gets in all the same. */
	for (i = 0; i < 20; i++) {
		fds[i] = connect_raw(&x);
		run_for(&x, 3);
	}
	start(&x, 1);
	RUN_UNTIL(&x, both_up(&x), 2500);
	for (i = 0; i < 20; i++)
		close(fds[i]);
	run_for(&x, 500);
	ck_assert(both_up(&x));
	ck_assert_int_eq(x.side[0].downs, 0);
	ck_assert_int_lt(x.n_lines, 10);
	teardown(&x);
}
END_TEST

/* ---- a peer that has the key and misbehaves: raw TLS, our own bytes */

struct rogue {
	gnutls_session_t session;
	gnutls_psk_client_credentials_t cred;
	int fd;
};

static void raw_send(struct ctx *x, struct rogue *r, const void *data, size_t len)
{
	const char *p = data;
	int64_t end = now_us() + 3000000;

	while (len && now_us() < end) {
		ssize_t n = gnutls_record_send(r->session, p, len);

		sd_event_run(x->event, 1000);
		if (n == GNUTLS_E_AGAIN)
			continue;
		if (n < 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

static void rogue_open(struct ctx *x, struct rogue *r)
{
	unsigned char raw[32];
	gnutls_datum_t key = { raw, 32 };
	gnutls_datum_t name = { (unsigned char *)"testcluster/nas2", 16 };
	gnutls_datum_t alpn = { (unsigned char *)"testcluster", 11 };
	const char *secret = "0123456789abcdef0123456789abcdef";
	int ret;

	gnutls_hash_fast(GNUTLS_DIG_SHA256, secret, strlen(secret), raw);
	r->fd = connect_raw(x);
	gnutls_psk_allocate_client_credentials(&r->cred);
	gnutls_psk_set_client_credentials2(r->cred, &name, &key, GNUTLS_PSK_KEY_RAW);
	gnutls_init(&r->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	gnutls_priority_set_direct(r->session, "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK", NULL);
	gnutls_credentials_set(r->session, GNUTLS_CRD_PSK, r->cred);
	gnutls_alpn_set_protocols(r->session, &alpn, 1, 0);
	gnutls_transport_set_int(r->session, r->fd);
	ck_assert_int_eq(fcntl(r->fd, F_SETFL, O_NONBLOCK), 0);
	while ((ret = gnutls_handshake(r->session)) == GNUTLS_E_AGAIN)
		sd_event_run(x->event, 1000);
	ck_assert_msg(ret == 0, "%s", gnutls_strerror(ret));
}

static void rogue_close(struct rogue *r)
{
	gnutls_deinit(r->session);
	gnutls_psk_free_client_credentials(r->cred);
	close(r->fd);
}

static void rogue_frame(struct ctx *x, struct rogue *r, uint8_t type, uint64_t seq, const char *text)
{
	unsigned char buf[4096];
	int len = frame_encode(type, seq, text, strlen(text), buf, sizeof(buf), NULL);

	ck_assert_int_gt(len, 0);
	raw_send(x, r, buf, (size_t)len);
}

static void introduce(struct ctx *x, struct rogue *r, const char *node)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"epoch\":0,\"node\":\"%s\",\"version\":\"0.0.1\",\"protocol\":%d,"
		 "\"config_hash\":\"%s\"}", node, FRAME_VERSION, x->side[0].conf->hash);
	rogue_frame(x, r, MSG_INTRO, 1, text);
}

START_TEST(rogue_with_the_key)
{
	static const char heartbeat[] = "{\"epoch\":0,\"sent_us\":1,\"echo_us\":0,\"echo_held_us\":0}";
	struct rogue r;
	struct ctx x;
	unsigned i;

	setup(&x);
	start(&x, 0);
	/* Garbage inside TLS. */
	rogue_open(&x, &r);
	raw_send(&x, &r, "this is not a frame, but long enough to be one", 46);
	run_for(&x, 50);
	ck_assert_msg(strstr(status_of(&x.side[0]).last_error, "malformed") != NULL, "%s",
		      status_of(&x.side[0]).last_error);
	rogue_close(&r);
	/* Speaks before it introduces itself. */
	rogue_open(&x, &r);
	rogue_frame(&x, &r, MSG_HEARTBEAT, 1, heartbeat);
	run_for(&x, 50);
	ck_assert_msg(strstr(status_of(&x.side[0]).last_error, "before its introduction") != NULL, "%s",
		      status_of(&x.side[0]).last_error);
	rogue_close(&r);
	/* Introduces itself as somebody else. */
	rogue_open(&x, &r);
	introduce(&x, &r, "nas9");
	run_for(&x, 50);
	ck_assert_ptr_nonnull(strstr(status_of(&x.side[0]).last_error, "\"nas9\""));
	rogue_close(&r);
	ck_assert_int_eq(x.side[0].ups, 0);
	/* Silent after the handshake. */
	rogue_open(&x, &r);
	run_for(&x, 3200);
	ck_assert_ptr_nonnull(strstr(status_of(&x.side[0]).last_error, "did not introduce"));
	rogue_close(&r);
	/* Floods, correctly: the loop goes on, and its silence is noticed afterwards. */
	rogue_open(&x, &r);
	introduce(&x, &r, "nas2");
	RUN_UNTIL(&x, x.side[0].ups == 1, 1000);
	for (i = 2; i < 5000; i++)
		rogue_frame(&x, &r, MSG_HEARTBEAT, i, heartbeat);
	ck_assert_int_eq(x.side[0].downs, 0);
	RUN_UNTIL(&x, x.side[0].downs == 1, 600);
	ck_assert_ptr_nonnull(strstr(x.side[0].reason, "nothing heard for 300 ms"));
	rogue_close(&r);
	teardown(&x);
}
END_TEST

/* ---- the network in between */

struct relay {
	struct ctx *x;
	int listener, a[8], b[8];
	unsigned n;
	uint16_t to;
	bool cut;                 /* bytes vanish: nobody gets a reset */
	sd_event_source *source, *pump;
};

static int relay_accept(sd_event_source *s, int fd, uint32_t ev, void *data)
{
	struct relay *r = data;
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(r->to),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int c;

	(void)s;
	(void)ev;
	if (r->cut || r->n == 8)
		return 0;
	c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c < 0)
		return 0;
	r->a[r->n] = c;
	r->b[r->n] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(r->b[r->n], (struct sockaddr *)&sa, sizeof(sa)), 0);
	fcntl(r->b[r->n], F_SETFL, O_NONBLOCK);
	r->n++;
	return 0;
}

static void relay_copy(int from, int to)
{
	char buf[16384];
	ssize_t n = recv(from, buf, sizeof(buf), 0);

	if (n > 0)
		send(to, buf, (size_t)n, MSG_NOSIGNAL);
	else if (n == 0)
		shutdown(to, SHUT_RDWR);
}

static int relay_pump(sd_event_source *s, uint64_t usec, void *data)
{
	struct relay *r = data;
	unsigned i;

	(void)usec;
	for (i = 0; i < r->n && !r->cut; i++) {
		relay_copy(r->a[i], r->b[i]);
		relay_copy(r->b[i], r->a[i]);
	}
	sd_event_source_set_time_relative(s, 1000);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	return 0;
}

static void relay_start(struct ctx *x, struct relay *r, uint16_t port, uint16_t to)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	memset(r, 0, sizeof(*r));
	r->x = x;
	r->to = to;
	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ck_assert_int_eq(bind(r->listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(r->listener, 8), 0);
	sd_event_add_io(x->event, &r->source, r->listener, EPOLLIN, relay_accept, r);
	sd_event_add_time_relative(x->event, &r->pump, CLOCK_MONOTONIC, 0, 100, relay_pump, r);
}

static void relay_stop(struct relay *r)
{
	unsigned i;

	sd_event_source_disable_unref(r->source);
	sd_event_source_disable_unref(r->pump);
	close(r->listener);
	for (i = 0; i < r->n; i++) {
		close(r->a[i]);
		close(r->b[i]);
	}
}

START_TEST(cut_and_healed)
{
	struct relay r;
	struct ctx x;
	int64_t began;
	unsigned old;

	setup(&x);
	x.side[1].conf->cluster.peer_port = free_port();
	relay_start(&x, &r, x.side[1].conf->cluster.peer_port, x.port);
	start(&x, 0);
	start(&x, 1);
	RUN_UNTIL(&x, both_up(&x), 3000);
	began = now_us();
	r.cut = true;
	old = r.n;
	RUN_UNTIL(&x, x.side[0].downs == 1 && x.side[1].downs == 1, 1000);
	ck_assert_int_ge(now_us() - began, 200 * MS);
	ck_assert_ptr_nonnull(strstr(x.side[0].reason, "nothing heard"));
	ck_assert_ptr_nonnull(strstr(x.side[1].reason, "nothing heard"));
	run_for(&x, 1500);
	ck_assert(!both_up(&x));
	r.cut = false;
	began = now_us();
	RUN_UNTIL(&x, both_up(&x), 3000);
	printf("up again %lld ms after the network healed\n", (long long)(now_us() - began) / 1000);
	ck_assert_uint_gt(r.n, old);
	run_for(&x, 500);
	ck_assert(both_up(&x));
	teardown(&x);
	relay_stop(&r);
}
END_TEST

START_TEST(peer_restarts)
{
	struct ctx x;
	int i;

	setup(&x);
	/* The connecting node first: refused until the other is there. */
	start(&x, 1);
	run_for(&x, 700);
	ck_assert_int_eq(lines_with(&x, "cannot reach"), 1);
	ck_assert_ptr_nonnull(strstr(status_of(&x.side[1]).last_error, "refused"));
	start(&x, 0);
	RUN_UNTIL(&x, both_up(&x), 2000);
	for (i = 0; i < 3; i++) {
		stop(&x, i % 2);
		x.side[i % 2].ups = x.side[i % 2].downs = 0;
		RUN_UNTIL(&x, x.side[!(i % 2)].downs == i + 1 - (i == 2 ? 1 : 0) ||
			  !peer_link_is_up(x.side[!(i % 2)].link), 1000);
		start(&x, i % 2);
		RUN_UNTIL(&x, both_up(&x), 3000);
	}
	teardown(&x);
}
END_TEST

START_TEST(second_address_is_tried)
{
	struct ctx x;
	int i;

	setup(&x);
	for (i = 0; i < 2; i++) {
		/* Nobody listens on the first (a blackhole would only take longer). */
		set_ip(&x.side[i].conf->nodes[0].addresses[0], "127.0.0.9");
		set_ip(&x.side[i].conf->nodes[0].addresses[1], "127.0.0.1");
	}
	x.side[0].conf->nodes[0].addresses[0] = x.side[0].conf->nodes[0].addresses[1];
	x.side[0].conf->nodes[0].n_addresses = 1;
	x.side[1].conf->nodes[0].n_addresses = 2;
	start(&x, 0);
	start(&x, 1);
	RUN_UNTIL(&x, both_up(&x), 2000);
	ck_assert_str_eq(status_of(&x.side[1]).address, "127.0.0.1");
	ck_assert_int_eq(lines_with(&x, "127.0.0.9"), 1);
	teardown(&x);
}
END_TEST

START_TEST(newest_wins)
{
	struct ctx x;
	struct rogue r;

	setup(&x);
	start(&x, 0);
	start(&x, 1);
	RUN_UNTIL(&x, both_up(&x), 2000);
	rogue_open(&x, &r);
	introduce(&x, &r, "nas2");
	RUN_UNTIL(&x, x.side[0].downs == 1, 1000);
	ck_assert_ptr_nonnull(strstr(x.side[0].reason, "replaced"));
	ck_assert_int_eq(x.side[0].ups, 2);
	/* The old end is told, comes back and wins in turn. */
	RUN_UNTIL(&x, x.side[0].ups == 3 && both_up(&x), 3000);
	rogue_close(&r);
	run_for(&x, 400);
	ck_assert(both_up(&x));
	teardown(&x);
}
END_TEST

START_TEST(bad_secrets)
{
	struct peer_link *l = NULL;
	struct err e = { 0 };
	struct ctx x;

	setup(&x);
	strcpy(x.side[0].conf->cluster.secret_file, "/nonexistent");
	ck_assert_int_lt(peer_link_new(x.event, x.side[0].conf, 0, &ops, &x, &l, &e), 0);
	unlink(x.secret[0]);
	write_secret(x.secret[0], "short\n");
	strcpy(x.side[0].conf->cluster.secret_file, x.secret[0]);
	ck_assert_int_lt(peer_link_new(x.event, x.side[0].conf, 0, &ops, &x, &l, &e), 0);
	ck_assert_int_eq(e.cls, ERR_REFUSED);
	ck_assert_int_ne(e.remedy[0], '\0');
	ck_assert_ptr_null(l);
	teardown(&x);
}
END_TEST

START_TEST(clock_filter)
{
	struct peer_clock a = { .newest_rtt_us = -1 }, b = { .newest_rtt_us = -1 };
	const int64_t skew = 123456789;
	int64_t now = 1000000, offset = 0, rtt = 0;
	struct peer_msg m;
	int i;

	peer_clock_restart(&a);
	peer_clock_restart(&b);
	ck_assert(!peer_clock_offset(&a, &offset, &rtt));
	for (i = 0; i < 20; i++) {
		/* There 100 us; back 100 us, but once in a while 9 ms. */
		peer_clock_fill(&a, now, &m);
		now += 100;
		peer_clock_take(&b, now + skew, &m);
		now += 20000;
		peer_clock_fill(&b, now + skew, &m);
		now += i == 10 ? 100 : 9000;
		peer_clock_take(&a, now, &m);
		now += 30000;
	}
	ck_assert(peer_clock_offset(&a, &offset, &rtt));
	ck_assert_int_eq(rtt, 200);
	ck_assert_int_eq(offset, skew);
	/* An echo from the future, a hold longer than the past. */
	m.u.heartbeat.echo_us = now + 1;
	peer_clock_take(&a, now, &m);
	m.u.heartbeat.echo_us = 5;
	m.u.heartbeat.echo_held_us = INT64_MAX;
	peer_clock_take(&a, now, &m);
	m.u.heartbeat.sent_us = INT64_MAX;
	peer_clock_take(&a, now, &m);
	ck_assert(peer_clock_offset(&a, &offset, &rtt));
	ck_assert_int_eq(offset, skew);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/peer_link");
	TCase *t = tcase_create("peer_link");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_test(t, up_messages_clock_status);
	tcase_add_test(t, large_messages);
	tcase_add_test(t, wrong_key);
	tcase_add_test(t, wrong_node_and_cluster);
	tcase_add_test(t, garbage_and_stalls);
	tcase_add_test(t, rogue_with_the_key);
	tcase_add_test(t, cut_and_healed);
	tcase_add_test(t, peer_restarts);
	tcase_add_test(t, second_address_is_tried);
	tcase_add_test(t, newest_wins);
	tcase_add_test(t, bad_secrets);
	tcase_add_test(t, clock_filter);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
