/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two nodes with two networks between them, each in a network namespace, and
 * pulses on both. The client of netns.h only carries the first network.
 */
#include "pulse.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>

#include "liveness.h"
#include "log.h"
#include "netns.h"

enum { MS = 1000, PORT = 7790, FIRST = 0, SECOND = 1, LOG_MAX = 64, LIMIT_MS = 10000 };

struct end {
	struct pulse *pulse;
	struct peer_intro intro;
	unsigned heard[PULSE_PATHS_MAX];
	struct liveness life;
};

struct world {
	struct lab lab;
	struct conf conf;
	sd_event *event;
	struct end end[2];
	char lines[LOG_MAX][256];
	int n_lines;
};

static int64_t now_us(void)
{
	return (int64_t)(now_ms() * 1e3);
}

static void keep_line(enum log_priority prio, const struct log_fields *f, const char *m, void *data)
{
	struct world *w = data;

	(void)prio;
	(void)f;
	if (w->n_lines < LOG_MAX)
		snprintf(w->lines[w->n_lines++], sizeof(w->lines[0]), "%s", m);
	if (getenv("SHOW"))
		fprintf(stderr, "%s\n", m);
}

static int lines_with(const struct world *w, const char *part)
{
	int n = 0;

	for (int i = 0; i < w->n_lines; i++)
		n += strstr(w->lines[i], part) != NULL;
	return n;
}

static void on_heard(unsigned path, int64_t now, void *data)
{
	struct end *e = data;

	e->heard[path]++;
	liveness_heard(&e->life, path, now);
}

static const struct pulse_ops ops = { on_heard };

static void set_ip(struct conf_node *n, const char *text)
{
	struct conf_ip *ip = &n->addresses[n->n_addresses++];

	ip->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	ck_assert_int_eq(inet_pton(ip->family, text, ip->bytes), 1);
	strcpy(ip->text, text);
}

static struct peer_intro intro(char key, uint64_t session)
{
	struct peer_intro i = { .pulse_session = session };

	memset(i.pulse_key, key, sizeof(i.pulse_key) - 1);
	return i;
}

/* The second network is IPv6. */
static void world_up(struct world *w)
{
	static const struct liveness_rules rules = { 50 * MS, 500 * MS, 2 };

	memset(w, 0, sizeof(*w));
	log_set_sink(keep_line, w);
	lab_up(&w->lab);
	enter(&w->lab, NAS1);
	sh("ip link add eth1 type veth peer name eth1 netns /proc/%d/fd/%d", (int)getpid(), w->lab.ns[NAS2]);
	for (int i = 0; i < 2; i++) {
		enter(&w->lab, (enum node)(NAS1 + i));
		sh("ip link set eth1 up; ip addr add fd00:78::%d/64 dev eth1 nodad", i + 1);
		snprintf(w->conf.nodes[i].name, sizeof(w->conf.nodes[i].name), "nas%d", i + 1);
		set_ip(&w->conf.nodes[i], i ? "10.77.1.2" : "10.77.1.1");
		set_ip(&w->conf.nodes[i], i ? "fd00:78::2" : "fd00:78::1");
		w->end[i].intro = intro((char)('a' + i), 100 + (uint64_t)i);
		liveness_init(&w->end[i].life, &rules, now_us());
	}
	w->conf.cluster.heartbeat_interval_us = 50 * MS;
	w->conf.cluster.dead_after_us = 500 * MS;
	w->conf.cluster.peer_port = PORT;
	ck_assert_int_ge(sd_event_new(&w->event), 0);
}

static void begin(struct world *w, int i)
{
	struct err e = { 0 };

	enter(&w->lab, (enum node)(NAS1 + i));
	OK(pulse_new(w->event, &w->conf, i, &ops, &w->end[i], &w->end[i].pulse, &e));
}

static void introduce(struct world *w, int i)
{
	ck_assert_int_eq(pulse_keys(w->end[i].pulse, &w->end[i].intro, &w->end[!i].intro), 0);
}

static void begin_both(struct world *w)
{
	for (int i = 0; i < 2; i++)
		begin(w, i);
	for (int i = 0; i < 2; i++)
		introduce(w, i);
}

static void world_down(struct world *w)
{
	for (int i = 0; i < 2; i++)
		pulse_free(w->end[i].pulse);
	sd_event_unref(w->event);
	log_set_sink(NULL, NULL);
}

#define RUN_UNTIL(w, cond) \
	do { \
		double end_ = now_ms() + LIMIT_MS; \
		while (!(cond) && now_ms() < end_) \
			sd_event_run((w)->event, 2000); \
		ck_assert_msg(cond, "not in time: %s", #cond); \
	} while (0)

static unsigned heard(const struct world *w, int i, unsigned path)
{
	return w->end[i].heard[path];
}

/* More of them have come on this path than a moment ago. */
static void await_more(struct world *w, int i, unsigned path)
{
	unsigned before = heard(w, i, path);

	RUN_UNTIL(w, heard(w, i, path) > before + 1);
}

static struct pulse_status status_of(const struct world *w, int i)
{
	struct pulse_status s;

	pulse_status(w->end[i].pulse, now_us(), &s);
	return s;
}

/* For as long as n pulses of node i take on the path that works. */
static void for_pulses(struct world *w, int i, unsigned path, unsigned n)
{
	unsigned before = heard(w, i, path);

	RUN_UNTIL(w, heard(w, i, path) >= before + n);
}

START_TEST(both_ways_on_both_paths)
{
	struct world w;
	struct pulse_status s;

	world_up(&w);
	for (int i = 0; i < 2; i++)
		begin(&w, i);
	s = status_of(&w, 0);
	ck_assert(!s.keyed && s.n_paths == 2 && s.paths[FIRST].open && s.paths[SECOND].open);
	ck_assert_int_eq(s.paths[FIRST].heard_us, -1);
	ck_assert_int_eq(s.paths[FIRST].peer_heard_us, -1);
	ck_assert_str_eq(s.paths[SECOND].address, "fd00:78::1");
	ck_assert_str_eq(s.paths[SECOND].peer_address, "fd00:78::2");
	/* One side knows the keys: what it sends counts for nothing yet. */
	introduce(&w, 0);
	RUN_UNTIL(&w, status_of(&w, 1).verdicts[PULSE_NO_KEY] >= 4);
	ck_assert_uint_eq(heard(&w, 1, FIRST) + heard(&w, 1, SECOND), 0);
	introduce(&w, 1);
	for (int i = 0; i < 2; i++)
		for (unsigned path = 0; path < 2; path++)
			await_more(&w, i, path);
	for (int i = 0; i < 2; i++) {
		s = status_of(&w, i);
		ck_assert(s.keyed);
		for (unsigned path = 0; path < 2; path++) {
			ck_assert_int_ge(s.paths[path].heard_us, 0);
			ck_assert_int_ge(s.paths[path].peer_heard_us, 0);
			ck_assert_uint_eq(s.paths[path].received, heard(&w, i, path));
		}
		ck_assert_uint_eq(s.verdicts[PULSE_GOOD], heard(&w, i, FIRST) + heard(&w, i, SECOND));
	}
	ck_assert_int_eq(w.n_lines, 0);
	world_down(&w);
}
END_TEST

START_TEST(one_path_cut)
{
	struct world w;
	unsigned before;

	world_up(&w);
	begin_both(&w);
	await_more(&w, 0, SECOND);
	await_more(&w, 1, SECOND);
	enter(&w.lab, NAS1);
	sh("ip link set eth1 down");
	before = heard(&w, 1, SECOND);
	for_pulses(&w, 1, FIRST, 20);
	ck_assert_uint_le(heard(&w, 1, SECOND), before + 1); /* one was on its way */
	ck_assert_uint_gt(status_of(&w, 0).paths[SECOND].send_errors, 0);
	ck_assert_int_eq(lines_with(&w, "heartbeats from fd00:78::1 to fd00:78::2 cannot be sent"), 1);
	/* Taking a link down has taken its IPv6 addresses away; the socket stays good. */
	sh("ip link set eth1 up; ip addr add fd00:78::1/64 dev eth1 nodad");
	await_more(&w, 0, SECOND);
	await_more(&w, 1, SECOND);
	ck_assert_int_eq(lines_with(&w, "heartbeats from fd00:78::1 to fd00:78::2 are sent again"), 1);
	world_down(&w);
}
END_TEST

/* nas2 reaches the wrong station: nas1 hears nothing there, and is told that it is heard. */
START_TEST(one_way_cut)
{
	struct world w;
	struct pulse_status s;
	unsigned before;

	world_up(&w);
	begin_both(&w);
	await_more(&w, 0, SECOND);
	enter(&w.lab, NAS2);
	sh("ip neigh replace fd00:78::1 lladdr 02:00:00:00:00:99 dev eth1 nud permanent");
	for_pulses(&w, 0, FIRST, 2);
	before = heard(&w, 0, SECOND);
	for_pulses(&w, 0, FIRST, 20);
	ck_assert_uint_eq(heard(&w, 0, SECOND), before);
	await_more(&w, 1, SECOND);
	/* each sees from its own side which way is cut */
	s = status_of(&w, 0);
	ck_assert_int_gt(now_us() - s.paths[SECOND].heard_us, s.paths[SECOND].peer_heard_us);
	s = status_of(&w, 1);
	ck_assert_int_gt(s.paths[SECOND].peer_heard_us, now_us() - s.paths[SECOND].heard_us);
	ck_assert_int_gt(s.paths[SECOND].peer_heard_us, s.paths[FIRST].peer_heard_us);
	world_down(&w);
}
END_TEST

/* nas1 has sent n more on its first path. */
static void await_sent(struct world *w, uint64_t n)
{
	n += status_of(w, 0).paths[FIRST].sent;
	RUN_UNTIL(w, status_of(w, 0).paths[FIRST].sent >= n);
}

/* nas2 runs, its nasd does not: its kernel says so, and is silent when the node is gone. */
START_TEST(nobody_listens)
{
	struct world w;
	int64_t refused;

	world_up(&w);
	begin_both(&w);
	await_more(&w, 0, FIRST);
	ck_assert_int_eq(pulse_refused_us(w.end[0].pulse), -1);
	pulse_free(w.end[1].pulse);
	RUN_UNTIL(&w, pulse_refused_us(w.end[0].pulse) >= 0);
	ck_assert_int_eq(w.n_lines, 0);
	/* and it goes on at once when it is back */
	begin(&w, 1);
	introduce(&w, 1);
	await_more(&w, 1, FIRST);
	await_more(&w, 0, SECOND);
	pulse_free(w.end[1].pulse);
	w.end[1].pulse = NULL;
	enter(&w.lab, NAS2);
	sh("ip link set eth0 down; ip link set eth1 down");
	await_sent(&w, 2);
	refused = pulse_refused_us(w.end[0].pulse);
	await_sent(&w, 20);
	ck_assert_int_eq(pulse_refused_us(w.end[0].pulse), refused);
	world_down(&w);
}
END_TEST

/* A new nasd on nas2: a new session and key, known when its introduction comes. */
START_TEST(key_change)
{
	struct world w;
	unsigned before;

	world_up(&w);
	begin_both(&w);
	await_more(&w, 0, FIRST);
	pulse_free(w.end[1].pulse);
	w.end[1].intro = intro('c', 555);
	begin(&w, 1);
	introduce(&w, 1);
	RUN_UNTIL(&w, status_of(&w, 0).verdicts[PULSE_BAD_SESSION] >= 2); /* the last old ones have come */
	before = heard(&w, 0, FIRST) + heard(&w, 0, SECOND);
	RUN_UNTIL(&w, status_of(&w, 0).verdicts[PULSE_BAD_SESSION] >= 6);
	ck_assert_uint_eq(heard(&w, 0, FIRST) + heard(&w, 0, SECOND), before);
	/* the other way nothing has changed */
	await_more(&w, 1, FIRST);
	introduce(&w, 0);
	await_more(&w, 0, FIRST);
	await_more(&w, 0, SECOND);
	/* the right session and another key: dropped, and said once */
	w.end[1].intro = intro('d', 555);
	introduce(&w, 1);
	w.end[1].intro = intro('c', 555);
	RUN_UNTIL(&w, status_of(&w, 0).verdicts[PULSE_BAD_MAC] >= 4);
	ck_assert_int_eq(lines_with(&w, "is no pulse of nas2 was dropped (mac)"), 1);
	/* no key is ever logged */
	ck_assert_int_eq(lines_with(&w, "cccc") + lines_with(&w, "dddd") + lines_with(&w, "aaaa"), 0);
	w.end[1].intro.pulse_key[7] = 'x';
	ck_assert_int_eq(pulse_keys(w.end[0].pulse, &w.end[0].intro, &w.end[1].intro), -EINVAL);
	world_down(&w);
}
END_TEST

/* A socket in nas2's place, with nas2's address. */
static int open_rogue(const struct world *w, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd;

	enter(&w->lab, NAS2);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET, "10.77.1.2", &sa.sin_addr);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	inet_pton(AF_INET, "10.77.1.1", &sa.sin_addr);
	sa.sin_port = htons(PORT);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void send_as_nas2(int fd, uint64_t seq)
{
	struct pulse_msg m = { .node = 1, .n_paths = 2, .session = 101, .seq = seq,
			       .heard_ms = { 0, 0, PULSE_NEVER, PULSE_NEVER } };
	unsigned char key[PULSE_KEY_SIZE], datagram[PULSE_LEN];
	struct peer_intro i = intro('b', 101);

	ck_assert_int_eq(pulse_key_parse(i.pulse_key, key), 0);
	ck_assert_int_eq(pulse_encode(&m, key, datagram), 0);
	ck_assert_int_eq(send(fd, datagram, sizeof(datagram), 0), sizeof(datagram));
}

#define AWAIT_VERDICT(w, v, n) RUN_UNTIL(w, status_of(w, 0).verdicts[v] == (n))

START_TEST(what_is_dropped)
{
	struct world w;
	unsigned char buf[2 * PULSE_LEN] = "NASP";
	int fd, stranger;

	world_up(&w);
	begin(&w, 0);
	introduce(&w, 0);
	fd = open_rogue(&w, PORT);
	stranger = open_rogue(&w, PORT + 1);
	send_as_nas2(fd, 5);
	AWAIT_VERDICT(&w, PULSE_GOOD, 1);
	ck_assert_uint_eq(heard(&w, 0, FIRST), 1);
	send_as_nas2(fd, 5); /* replayed */
	send_as_nas2(fd, 4); /* overtaken */
	AWAIT_VERDICT(&w, PULSE_REPLAY, 2);
	/* The link comes up anew between the same two nasd: no second chance for a replay. */
	introduce(&w, 0);
	send_as_nas2(fd, 5);
	AWAIT_VERDICT(&w, PULSE_REPLAY, 3);
	for (size_t len = 0; len <= sizeof(buf); len += PULSE_LEN / 2)
		ck_assert_int_eq(send(fd, buf, len, 0), (int)len);
	AWAIT_VERDICT(&w, PULSE_BAD_LENGTH, 4);
	AWAIT_VERDICT(&w, PULSE_BAD_VERSION, 1);
	/* From elsewhere: does not even reach us. Then one that does, so that we know. */
	send_as_nas2(stranger, 6);
	send_as_nas2(fd, 7);
	AWAIT_VERDICT(&w, PULSE_GOOD, 2);
	ck_assert_uint_eq(heard(&w, 0, FIRST), 2);
	ck_assert_int_eq(lines_with(&w, "was dropped"), 1); /* of all these, the first */
	close(fd);
	close(stranger);
	world_down(&w);
}
END_TEST

/* nas1's second address is not there when it begins. */
START_TEST(address_comes_later)
{
	struct world w;

	world_up(&w);
	enter(&w.lab, NAS1);
	sh("ip addr del fd00:78::1/64 dev eth1");
	begin(&w, 1);
	begin(&w, 0);
	enter(&w.lab, NAS1); /* where it will try again */
	introduce(&w, 0);
	introduce(&w, 1);
	for_pulses(&w, 1, FIRST, 20);
	ck_assert_uint_eq(heard(&w, 1, SECOND), 0);
	ck_assert(!status_of(&w, 0).paths[SECOND].open);
	ck_assert_int_eq(lines_with(&w, "no heartbeats from fd00:78::1 to fd00:78::2"), 1);
	sh("ip addr add fd00:78::1/64 dev eth1 nodad");
	await_more(&w, 1, SECOND);
	await_more(&w, 0, SECOND);
	ck_assert_int_eq(lines_with(&w, "heartbeats go from fd00:78::1"), 1);
	world_down(&w);
}
END_TEST

/* ---- one that is stopped */

static bool run_and_tick(struct world *w, struct liveness *l)
{
	sd_event_run(w->event, 2000);
	return now_us() >= l->ticked_us + l->rules.interval_us && liveness_tick(l, now_us());
}

/* Node i with a loop of its own, until it is killed. Each pause that it notices is a byte. */
static void run_for_ever(struct world *w, int i, int out)
{
	for (;;)
		if (run_and_tick(w, &w->end[i].life) && write(out, "p", 1) != 1)
			_exit(1);
}

#define TICK_UNTIL(w, l, cond) \
	do { \
		double end_ = now_ms() + LIMIT_MS; \
		while (!(cond) && now_ms() < end_) \
			run_and_tick(w, l); \
		ck_assert_msg(cond, "not in time: %s", #cond); \
	} while (0)

START_TEST(stopped_and_resumed)
{
	struct world w;
	struct liveness *l = &w.end[0].life;
	int says[2], status;
	bool paused = false;
	char said;
	pid_t pid;

	world_up(&w);
	ck_assert_int_eq(pipe2(says, O_CLOEXEC | O_NONBLOCK), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		sd_event_unref(w.event); /* the parent's */
		ck_assert_int_ge(sd_event_new(&w.event), 0);
		begin(&w, 1);
		introduce(&w, 1);
		run_for_ever(&w, 1, says[1]);
	}
	begin(&w, 0);
	introduce(&w, 0);
	TICK_UNTIL(&w, l, heard(&w, 0, FIRST) > 2 && heard(&w, 0, SECOND) > 2);
	ck_assert(!liveness_silent(l, now_us()));
	while (read(says[0], &said, 1) == 1)
		continue; /* what a busy machine has done to it */
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	TICK_UNTIL(&w, l, liveness_silent(l, now_us()) && now_us() - liveness_heard_us(l) > 1000 * MS);
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	TICK_UNTIL(&w, l, !liveness_silent(l, now_us()));
	/* It has noticed its own pause. */
	TICK_UNTIL(&w, l, paused || (paused = read(says[0], &said, 1) == 1));
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	TICK_UNTIL(&w, l, liveness_silent(l, now_us()));
	close(says[0]);
	close(says[1]);
	world_down(&w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/pulse");
	TCase *tc = tcase_create("pulse");

	tcase_add_test(tc, both_ways_on_both_paths);
	tcase_add_test(tc, one_path_cut);
	tcase_add_test(tc, one_way_cut);
	tcase_add_test(tc, nobody_listens);
	tcase_add_test(tc, key_change);
	tcase_add_test(tc, what_is_dropped);
	tcase_add_test(tc, address_comes_later);
	tcase_add_test(tc, stopped_and_resumed);
	return netns_run("test_sys_pulse", s, tc);
}
