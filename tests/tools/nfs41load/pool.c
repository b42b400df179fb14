/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "load_report.h"
#include "rpc.h"

#define NS_PER_MS  UINT64_C(1000000)
#define NS_PER_SEC UINT64_C(1000000000)
#define RETRY_NS   (100 * NS_PER_MS)
#define CONNECT_NS NS_PER_SEC
#define STOP_NS    (20 * NS_PER_SEC) /* an end in which nothing happens for so long is cut short */
#define EVENTS     256
#define TICK_NS    (5 * NS_PER_MS)   /* the clients' times are looked at so often */

static uint64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* ---- connections */

static void watch(struct pool *p, struct connection *c, int op, bool writable)
{
	struct epoll_event ev = { .events = EPOLLIN | (writable ? (uint32_t)EPOLLOUT : 0U), .data.ptr = c };

	c->writable_wanted = writable;
	(void)epoll_ctl(p->epoll_fd, op, c->fd, &ev);
}

static void drop(struct pool *p, struct connection *c, uint64_t now)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	if (c->connected) {
		/* At once: the server may be back already, or be another one. */
		c->retry_ns = now;
		client_disconnected(&c->client, now);
	} else {
		c->retry_ns = now + RETRY_NS;
	}
	c->connected = false;
	(void)p;
}

static void try_connect(struct pool *p, struct connection *c, uint64_t now)
{
	int one = 1;

	c->fd = socket(p->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		c->retry_ns = now + RETRY_NS;
		return;
	}
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->received = 0;
	c->sent = 0;
	c->retry_ns = now + CONNECT_NS;
	if (connect(c->fd, (struct sockaddr *)&p->address, p->address_len) && errno != EINPROGRESS) {
		drop(p, c, now);
		return;
	}
	watch(p, c, EPOLL_CTL_ADD, true);
}

/* Send what is left of the pending request. */
static void push(struct pool *p, struct connection *c, uint64_t now)
{
	struct client *cl = &c->client;

	while (cl->pending && c->sent < cl->request_len) {
		ssize_t n = send(c->fd, cl->request + c->sent, cl->request_len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			watch(p, c, EPOLL_CTL_MOD, true);
			return;
		}
		if (n <= 0) {
			drop(p, c, now);
			return;
		}
		if (c->sent == 0)
			c->sent_ns = now;
		c->sent += (size_t)n;
	}
	if (c->writable_wanted)
		watch(p, c, EPOLL_CTL_MOD, false);
}

static void finish_connect(struct pool *p, struct connection *c, uint64_t now)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) || err) {
		drop(p, c, now);
		return;
	}
	c->connected = true;
	p->reconnects += c->had_one;
	c->had_one = true;
	client_connected(&c->client, now);
	push(p, c, now);
}

/* ---- replies */

static void note_times(struct pool_times *t, uint64_t took, uint64_t gap, uint64_t wall_ns)
{
	t->replies++;
	if (took > t->longest_reply_ns) {
		t->longest_reply_ns = took;
		t->longest_reply_wall_ns = wall_ns - took;
	}
	if (gap > t->longest_gap_ns) {
		t->longest_gap_ns = gap;
		t->longest_gap_wall_ns = wall_ns - gap;
	}
}

static void note_reply(struct pool *p, uint64_t took, uint64_t now)
{
	uint64_t gap = now - p->last_reply_ns, wall_ns = clock_wall_us() * 1000U;

	p->last_reply_ns = now;
	note_times(&p->second, took, gap, wall_ns);
	note_times(&p->total, took, gap, wall_ns);
}

static void take_records(struct pool *p, struct connection *c, uint64_t now)
{
	while (c->received) {
		size_t used = 0;
		long len = rpc_record(c->input, c->received, sizeof(c->input), &used);

		if (len == 0 && used == 0)
			return;
		if (len < 0 || client_take(&c->client, c->input, (size_t)len, now)) {
			drop(p, c, now);
			return;
		}
		note_reply(p, now - c->client.asked_ns, now);
		c->sent = 0;
		c->received -= used;
		memmove(c->input, c->input + used, c->received);
	}
}

static void pull(struct pool *p, struct connection *c, uint64_t now)
{
	ssize_t n = recv(c->fd, c->input + c->received, sizeof(c->input) - c->received, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		drop(p, c, now);
		return;
	}
	c->received += (size_t)n;
	take_records(p, c, now);
}

/* ---- the loop */

/* Whatever this client is to do at this time; true while it is not done. */
static bool serve(struct pool *p, struct connection *c, uint64_t now)
{
	struct client *cl = &c->client;

	if (cl->phase == CLIENT_DONE) {
		if (c->fd >= 0)
			close(c->fd);
		c->fd = -1;
		return false;
	}
	if (c->fd >= 0 && !c->connected && now >= c->retry_ns)
		drop(p, c, now);
	if (c->fd < 0 && now >= c->retry_ns)
		try_connect(p, c, now);
	if (!c->connected)
		return true;
	if (cl->pending && c->sent && now - c->sent_ns > p->opt->timeout_ns) {
		p->timeouts++;
		drop(p, c, now);
		return true;
	}
	if (client_ask(cl, now)) {
		c->sent = 0;
		push(p, c, now);
	}
	return true;
}

/* The times from here on are of a pool that holds everything; getting there is another story. */
static void note_ready(struct pool *p, uint64_t now)
{
	bool all = p->shared.counts.holding == p->opt->opens;

	for (unsigned i = 0; i < p->opt->clients; i++)
		all &= p->connections[i].client.completed;
	if (!all)
		return;
	report_ready(p, now);
	memset(&p->total, 0, sizeof(p->total));
	p->shared.counts.longest_recover_ns = p->shared.counts.longest_reclaim_ns = 0;
	p->ready_said = true;
}

static bool serve_all(struct pool *p, uint64_t now)
{
	bool busy = false, checking = false;

	for (unsigned i = 0; i < p->opt->clients; i++) {
		struct connection *c = &p->connections[i];

		busy |= serve(p, c, now);
		checking |= c->client.check_asked || c->client.phase == CLIENT_CHECK;
	}
	if (p->check_running && !checking) {
		p->check_running = false;
		report_check(p);
	}
	if (!p->ready_said)
		note_ready(p, now);
	return busy;
}

static void take_signal(struct pool *p, uint64_t now)
{
	struct signalfd_siginfo info;

	if (read(p->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGUSR1) {
		p->check_running = true;
		for (unsigned i = 0; i < p->opt->clients; i++)
			client_check(&p->connections[i].client, now);
		return;
	}
	if (p->stop_ns)
		return;
	p->stop_ns = now;
	p->shared.stopping = true;
	for (unsigned i = 0; i < p->opt->clients; i++)
		client_stop(&p->connections[i].client, now);
}

static void take_event(struct pool *p, const struct epoll_event *ev, uint64_t now)
{
	struct connection *c = ev->data.ptr;

	if (!c) {
		take_signal(p, now);
		return;
	}
	if (c->fd < 0)
		return;
	if (!c->connected) {
		finish_connect(p, c, now);
	} else {
		if (ev->events & EPOLLOUT)
			push(p, c, now);
		if (c->fd >= 0 && (ev->events & ~(uint32_t)EPOLLOUT))
			pull(p, c, now);
	}
	(void)serve(p, c, now); /* what follows is asked at once */
}

static bool is_stuck(const struct pool *p, uint64_t now)
{
	uint64_t last = p->last_reply_ns > p->stop_ns ? p->last_reply_ns : p->stop_ns;

	return p->stop_ns && now - last > STOP_NS;
}

void pool_run(struct pool *p)
{
	struct epoll_event events[EVENTS];
	uint64_t now = mono_ns(), tick = now, second = now + NS_PER_SEC;
	bool busy = true;

	p->begin_ns = p->last_reply_ns = now;
	while (busy && !is_stuck(p, now)) {
		int n;

		if (now >= tick) {
			busy = serve_all(p, now);
			tick = now + TICK_NS;
		}
		if (now >= second) {
			report_second(p, now);
			second += NS_PER_SEC;
		}
		n = epoll_wait(p->epoll_fd, events, EVENTS, (int)(TICK_NS / NS_PER_MS));
		now = mono_ns();
		for (int i = 0; i < n; i++)
			take_event(p, &events[i], now);
	}
	report_summary(p, now);
}

/* ---- begin */

static int fail(const char *what, int err)
{
	fprintf(stderr, "nfs41load: %s: %s\n", what, strerror(err));
	return -err;
}

static int find_address(struct pool *p)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&p->address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&p->address;

	if (inet_pton(AF_INET, p->opt->server, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(p->opt->port);
		p->address_len = sizeof(*v4);
		return 0;
	}
	memset(&p->address, 0, sizeof(p->address));
	if (inet_pton(AF_INET6, p->opt->server, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(p->opt->port);
		p->address_len = sizeof(*v6);
		return 0;
	}
	return fail(p->opt->server, EINVAL);
}

static int open_signals(struct pool *p)
{
	struct epoll_event ev = { .events = EPOLLIN };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (p->signal_fd < 0)
		return fail("signalfd", errno);
	return epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->signal_fd, &ev) ? fail("epoll", errno) : 0;
}

static int raise_limit(unsigned clients)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return fail("descriptors", errno);
	if (limit.rlim_max < clients + 16U)
		limit.rlim_max = clients + 16U; /* root may */
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) ? fail("descriptors", errno) : 0;
}

/* Each client has a run of the numbers: so its files differ when there are as many as it has opens. */
static void deal_files(struct pool *p, uint64_t now)
{
	unsigned n = p->opt->clients, at = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned count = p->opt->opens / n + (i < p->opt->opens % n);

		for (unsigned k = 0; k < count; k++)
			p->files[at + k].number = at + k;
		client_init(&p->connections[i].client, &p->shared, i, &p->files[at], count, now);
		p->connections[i].fd = -1;
		at += count;
	}
}

int pool_open(struct pool *p, const struct load_options *opt)
{
	static char machine[65];
	int rc;

	memset(p, 0, sizeof(*p));
	p->opt = opt;
	rc = find_address(p);
	if (rc == 0)
		rc = raise_limit(opt->clients);
	if (rc)
		return rc;
	if (gethostname(machine, sizeof(machine) - 1))
		return fail("hostname", errno);
	p->shared = (struct client_shared){ .machine = machine, .name = opt->name, .path = opt->path, .files = opt->files,
					    .renew_ns = opt->renew_ns, .complain = report_complaint,
					    .complain_arg = p };
	if (getrandom(&p->shared.verifier, sizeof(p->shared.verifier), 0) != (ssize_t)sizeof(p->shared.verifier))
		return fail("random", errno);
	p->connections = calloc(opt->clients, sizeof(*p->connections));
	p->files = calloc(opt->opens, sizeof(*p->files));
	if (!p->connections || !p->files)
		return fail("memory", ENOMEM);
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll_fd < 0)
		return fail("epoll", errno);
	deal_files(p, mono_ns());
	return open_signals(p);
}

bool pool_clean(const struct pool *p)
{
	const struct client_counts *n = &p->shared.counts;

	return p->ready_said && n->errors == 0 && n->reclaims_failed == 0 && n->stateids_bad == 0 &&
	       n->state_lost == 0 && n->holding == 0;
}
