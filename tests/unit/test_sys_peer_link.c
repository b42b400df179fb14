/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The peer link between two ends that are what they say. A relay between them
 * stands for the network that is cut.
 */
#include "link_pair.h"

#include <fcntl.h>

/* For tests that are not about silence: a machine with much else to do is none. */
static void patient(struct ctx *x)
{
	x->side[0].conf->cluster.dead_after_us = x->side[1].conf->cluster.dead_after_us = 5000 * MS;
}

START_TEST(up_messages_clock_status)
{
	struct ctx x;
	struct peer_msg m;
	struct peer_link_status st;
	int64_t began, offset, rtt;
	int i, n;

	setup(&x);
	patient(&x);
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
	ck_assert_int_lt(rtt, 10000 * MS);
	ck_assert_int_gt(rtt, 0);
	st = status_of(&x.side[0]);
	ck_assert(st.connected && st.config_same);
	ck_assert_str_eq(st.node, "nas2");
	ck_assert_str_eq(st.address, "127.0.0.1");
	ck_assert_int_ge(st.rtt_us, 0);
	ck_assert_int_lt(now_us() - st.last_heard_us, 10000 * MS);
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
	patient(&x);
	start(&x, 0);
	start(&x, 1);
	RUN_UNTIL(&x, both_up(&x), 2000);
	m.u.clients.op = CLIENTS_ADD;
	m.u.clients.seq = 1;
	memcpy(m.u.clients.text, "record ", 7);
	memset(m.u.clients.text + 7, 'c', CLIENT_ENTRY_MAX - 1);
	m.u.clients.text[CLIENT_ENTRY_MAX + 6] = '\n';
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
	RUN_UNTIL(&x, x.side[0].downs == 1 && x.side[1].downs == 1, 5000);
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

/* Both ends stand still for longer than silence may last, as on a host that does,
 * and the network is a little later than they are: the connection is as good as before. */
START_TEST(both_slept)
{
	struct relay r;
	struct ctx x;

	setup(&x);
	x.side[1].conf->cluster.peer_port = free_port();
	relay_start(&x, &r, x.side[1].conf->cluster.peer_port, x.port);
	start(&x, 0);
	start(&x, 1);
	RUN_UNTIL(&x, both_up(&x), 3000);
	run_for(&x, 200);
	r.cut = true;
	usleep(1500 * 1000);
	run_for(&x, 100);
	r.cut = false;
	run_for(&x, 200);
	ck_assert(both_up(&x));
	ck_assert_int_eq(x.side[0].downs + x.side[1].downs, 0);
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

int main(void)
{
	Suite *s = suite_create("sys/peer_link");
	TCase *t = tcase_create("peer_link");

	tcase_add_test(t, up_messages_clock_status);
	tcase_add_test(t, large_messages);
	tcase_add_test(t, cut_and_healed);
	tcase_add_test(t, both_slept);
	tcase_add_test(t, peer_restarts);
	tcase_add_test(t, second_address_is_tried);
	return link_run(s, t);
}
