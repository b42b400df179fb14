/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client entries. On the active: ganesha's database is watched, connections are
 * listed once a second, and what changed goes to the peer, as many as a message
 * holds; a full set goes when the peer comes up and before each freeze. On the
 * standby: what arrives is on disk before it is acknowledged; what arrives while
 * the disk is written to goes there together, with one acknowledgement.
 */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clients_text.h"
#include "clocks.h"
#include "flows.h"
#include "log.h"
#include "sockdiag.h"

enum { SCAN_INTERVAL_US = 1000000 };

/* ---- the active's side */

struct scan_job {
	struct egroup *g;
	struct client_set set;
	bool freeze;   /* follows */
	int ret;
	struct err err;
};

static int add_connections(struct egroup *g, struct client_set *set, struct err *err)
{
	struct net_addr locals[CONF_ADDRESSES_MAX];
	struct net_conn *conns = NULL;
	size_t n = 0;
	int ret;

	for (size_t i = 0; i < g->conf->n_addresses; i++) {
		ret = net_addr_parse(g->conf->addresses[i].net.text, g->conf->addresses[i].interface, &locals[i], err);
		if (ret < 0)
			return ret;
	}
	ret = net_conn_list(locals, g->conf->n_addresses, g->conf->nfs.port, &conns, &n, err);
	for (size_t i = 0; ret == 0 && i < n; i++) {
		char text[CLIENT_ENTRY_MAX];

		if (flow_format(&conns[i].flow, text, sizeof(text)))
			ret = client_set_put(set, CLIENT_CONNECTION, text);
	}
	net_conn_free(conns);
	return ret;
}

/* A fault at this point of CLIENTS, whose answer then is that fault. */
static bool injected(struct egroup *g, bool after, struct err *err)
{
	enum inject_what what = egroup_inject(g, STEP_CLIENTS, after);

	if (what != INJECT_FAIL && what != INJECT_UNKNOWN)
		return false;
	err_set(err, ERR_SYSTEM, EIO, "clients", "injected failure");
	return true;
}

static void scan_fn(void *arg)
{
	struct scan_job *j = arg;

	/* here, for a stall must not hold up the loop: the watchdog would end it */
	if (j->freeze && injected(j->g, false, &j->err)) {
		j->ret = -EIO;
		return;
	}
	j->ret = clients_watch_scan(j->g->watch, &j->set, &j->err);
	if (j->ret == 0)
		j->ret = add_connections(j->g, &j->set, &j->err);
	if (j->ret == 0 && j->freeze)
		effects_remember(j->g->fx, NULL);
}

/* A message that is being filled. */
struct batch {
	struct egroup *g;
	struct peer_msg m;
	size_t len;
};

static int send_op(struct batch *b, enum clients_op op)
{
	int ret;

	snprintf(b->m.group, sizeof(b->m.group), "%s", b->g->conf->name);
	b->m.type = MSG_CLIENTS;
	b->m.u.clients.op = op;
	b->m.u.clients.seq = ++b->g->clients_seq;
	ret = peer_link_send(b->g->e->link, &b->m);
	b->m.u.clients.text[0] = '\0';
	b->len = 0;
	return ret;
}

static int send_rest(struct batch *b)
{
	return b->len ? send_op(b, b->m.u.clients.op) : 0;
}

static int add_change(enum clients_op op, const struct client_entry *e, void *data)
{
	struct batch *b = data;
	int ret = b->m.u.clients.op == op ? 0 : send_rest(b);

	b->m.u.clients.op = op;
	if (ret < 0 || clients_text_add(b->m.u.clients.text, CLIENTS_TEXT_MAX, &b->len, e->kind, e->text))
		return ret;
	ret = send_rest(b);
	if (ret == 0 && !clients_text_add(b->m.u.clients.text, CLIENTS_TEXT_MAX, &b->len, e->kind, e->text))
		ret = -EMSGSIZE;
	return ret;
}

static int send_diff(struct egroup *g, const struct client_set *old, const struct client_set *now)
{
	struct batch b = { .g = g };
	int ret = clients_diff(old, now, add_change, &b);

	return ret < 0 ? ret : send_rest(&b);
}

static int send_full(struct egroup *g, const struct client_set *set)
{
	static const struct client_set nothing;
	struct batch b = { .g = g };
	int ret = send_op(&b, CLIENTS_FULL_BEGIN);

	if (ret == 0)
		ret = send_diff(g, &nothing, set);
	return ret < 0 ? ret : send_op(&b, CLIENTS_FULL_END);
}

static void synced(struct egroup *g, bool ok, const struct err *err)
{
	g->sync_wanted = false;
	g->sync_seq = 0;
	group_clients_synced(g->core, monotonic_us(), ok, err);
	egroup_settle(g);
}

static int send_scanned(struct egroup *g)
{
	int ret;

	if (g->sync_wanted || !g->peer_has_full)
		ret = send_full(g, &g->current);
	else
		ret = send_diff(g, &g->sent, &g->current);
	if (ret < 0 || client_set_copy(&g->sent, &g->current) < 0) {
		g->peer_has_full = false; /* the next scan sends all of it */
		return ret < 0 ? ret : -ENOMEM;
	}
	g->peer_has_full = true;
	return 0;
}

/*
 * In a switchover the connections end because the address went away: they are
 * what the target has to tickle, so they stay in the set.
 */
static void keep_connections(struct egroup *g, struct client_set *set)
{
	struct group_view v;

	group_look(g->core, &v);
	if (v.state == GS_ACTIVE || v.held || g->sync_wanted)
		return;
	for (size_t i = 0; i < g->current.n; i++)
		if (g->current.entries[i]->kind == CLIENT_CONNECTION)
			client_set_put(set, CLIENT_CONNECTION, g->current.entries[i]->text); /* one that is missing costs a tickle */
}

static void scan(struct egroup *g);

static void scan_done(void *arg)
{
	struct scan_job *j = arg;
	struct egroup *g = j->g;
	int ret = j->ret;

	g->scanning = false;
	sd_event_source_set_enabled(g->watch_io, SD_EVENT_ON);
	if (g->scan_again && g->sync_wanted) { /* what was asked for is what comes now */
		g->scan_again = false;
		client_set_free(&j->set);
		free(j);
		scan(g);
		return;
	}
	if (ret == 0) {
		struct client_set old = g->current;

		egroup_records_seen(g, &j->set);
		keep_connections(g, &j->set);
		g->current = j->set;
		j->set = old;
		if (peer_link_is_up(g->e->link))
			ret = send_scanned(g);
		else
			ret = -ENOTCONN;
	}
	if (g->sync_wanted) {
		if (ret < 0) {
			if (j->err.cls == ERR_NONE)
				err_set(&j->err, ERR_PEER, -ret, "clients", "the entries could not be sent");
			synced(g, false, &j->err);
		} else {
			g->sync_seq = g->clients_seq;
		}
	}
	client_set_free(&j->set);
	free(j);
	if (g->scan_again) {
		g->scan_again = false;
		scan(g);
	}
}

static bool serving(struct egroup *g)
{
	struct group_view v;

	group_look(g->core, &v);
	return v.state == GS_ACTIVE || v.state == GS_SWITCHING;
}

static void scan(struct egroup *g)
{
	struct scan_job *j;

	if (g->scanning) {
		g->scan_again = true;
		return;
	}
	j = calloc(1, sizeof(*j));
	if (!j)
		return;
	j->g = g;
	j->freeze = g->sync_wanted;
	egroup_records_look(g);
	g->scanning = lane_submit(g->side, scan_fn, scan_done, j) == 0;
	if (!g->scanning)
		free(j);
}

void egroup_clients_sync(struct egroup *g)
{
	g->sync_wanted = true;
	g->sync_seq = 0;
	scan(g);
}

int egroup_clients_tell(struct egroup *g, const char *record, uint64_t *seq)
{
	struct batch b = { .g = g };
	int ret;

	*seq = 0;
	if (client_set_put(&g->current, CLIENT_RECORD, record) < 0)
		return -ENOMEM;
	clients_text_add(b.m.u.clients.text, CLIENTS_TEXT_MAX, &b.len, CLIENT_RECORD, record);
	ret = send_op(&b, CLIENTS_ADD);
	if (ret < 0)
		return ret;
	*seq = g->clients_seq;
	/* one that is missing is sent again */
	client_set_put(&g->sent, CLIENT_RECORD, record);
	return 0;
}

void egroup_clients_ack(struct egroup *g, uint64_t seq)
{
	struct err e;
	bool bad;

	egroup_records_acked(g, seq);
	if (!g->sync_wanted || !g->sync_seq || seq < g->sync_seq)
		return;
	bad = injected(g, true, &e);
	synced(g, !bad, bad ? &e : NULL);
}

void egroup_clients_peer_up(struct egroup *g)
{
	g->peer_has_full = false;
	if (serving(g))
		scan(g);
}

void egroup_clients_active(struct egroup *g)
{
	scan(g);
}

void egroup_clients_peer_down(struct egroup *g)
{
	struct err e;

	g->peer_has_full = false;
	egroup_records_peer_down(g);
	if (!g->sync_wanted)
		return;
	err_set(&e, ERR_PEER, ENOTCONN, "clients", "the link to the peer was lost");
	synced(g, false, &e);
}

static int watch_readable(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct egroup *g = data;

	(void)fd;
	(void)revents;
	/* The scan drains it, in its lane: until then it would wake the loop for ever.
	 * A standby's database is nobody's business: the timer looks again. */
	sd_event_source_set_enabled(s, SD_EVENT_OFF);
	if (serving(g))
		scan(g);
	return 0;
}

static int scan_timer(sd_event_source *s, uint64_t usec, void *data)
{
	struct egroup *g = data;
	struct group_view v;

	(void)usec;
	group_look(g->core, &v);
	if ((v.state == GS_ACTIVE || v.held) && !g->scanning) /* a move looks for itself, and then has better use for the time */
		scan(g);
	sd_event_source_set_time_relative(s, SCAN_INTERVAL_US);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- the standby's side */

struct clients_job {
	struct egroup *g;
	struct msg_clients *msgs;
	size_t n, room;
	bool install;   /* reserved as a target: what can be done before the freeze is done now */
	int ret;
	struct err err;
};

/* What cannot be taken is not acknowledged, nor what came along with it. */
static void apply_fn(void *arg)
{
	struct clients_job *j = arg;
	struct egroup *g = j->g;

	pthread_mutex_lock(&g->rep_lock);
	for (size_t i = 0; i < j->n; i++) {
		struct err e = { 0 };
		int ret = clients_replica_apply(g->rep, &j->msgs[i], &e);

		if (ret < 0 && j->ret == 0) {
			j->ret = ret;
			j->err = e;
		}
	}
	if (j->ret == 0)
		j->ret = clients_replica_commit(g->rep, &j->err);
	if (j->ret == 0 && j->install)
		j->ret = clients_install(g->e->spec.state_dir, g->conf->name, clients_replica_set(g->rep), &j->err);
	atomic_store(&g->replicated, (unsigned)client_set_count(clients_replica_set(g->rep), CLIENT_RECORD));
	pthread_mutex_unlock(&g->rep_lock);
}

static void job_free(struct clients_job *j)
{
	if (j)
		free(j->msgs);
	free(j);
}

static void apply_next(struct egroup *g);

static void apply_done(void *arg)
{
	struct clients_job *j = arg;
	struct egroup *g = j->g;

	if (j->ret < 0) {
		log_warn("client entries from the peer were not stored: %s", j->err.msg);
	} else {
		struct peer_msg m = { .type = MSG_CLIENTS_ACK };

		snprintf(m.group, sizeof(m.group), "%s", g->conf->name);
		m.u.clients.seq = j->msgs[j->n - 1].seq;
		peer_link_send(g->e->link, &m);
	}
	job_free(j);
	g->applying = false;
	apply_next(g);
}

static void apply_next(struct egroup *g)
{
	struct clients_job *j = g->arrived;

	if (g->applying || !j)
		return;
	g->arrived = NULL;
	g->applying = lane_submit(g->records_lane, apply_fn, apply_done, j) == 0;
	if (!g->applying)
		job_free(j);
}

static bool arrive(struct egroup *g, const struct msg_clients *m)
{
	struct clients_job *j = g->arrived;

	if (!j) {
		j = g->arrived = calloc(1, sizeof(*j));
		if (!j)
			return false;
		j->g = g;
	}
	if (j->n == j->room) {
		size_t room = j->room ? 2 * j->room : 8;
		struct msg_clients *p = reallocarray(j->msgs, room, sizeof(*p));

		if (!p)
			return false;
		j->msgs = p;
		j->room = room;
	}
	j->msgs[j->n++] = *m;
	return true;
}

void egroup_clients_message(struct egroup *g, const struct msg_clients *m)
{
	struct group_view v;

	if (serving(g))
		return; /* the past */
	if (!arrive(g, m)) { /* with one missing, none of them counts */
		job_free(g->arrived);
		g->arrived = NULL;
		return;
	}
	group_look(g->core, &v);
	g->arrived->install = g->arrived->install || (m->op == CLIENTS_FULL_END && v.state == GS_PREPARED);
	apply_next(g);
}

static void commit_fn(void *arg)
{
	struct egroup *g = arg;
	struct err err;

	pthread_mutex_lock(&g->rep_lock);
	if (clients_replica_commit(g->rep, &err) < 0)
		log_warn("%s: the clients' records were not stored: %s", g->conf->name, err.msg);
	pthread_mutex_unlock(&g->rep_lock);
}

/* Until the new active has told of its own: should it die before, they are the
 * ones that may reclaim here. */
void egroup_clients_handed_over(struct egroup *g)
{
	struct err err;
	int ret;

	pthread_mutex_lock(&g->rep_lock);
	ret = clients_replica_take(g->rep, &g->current, &err);
	atomic_store(&g->replicated, (unsigned)client_set_count(clients_replica_set(g->rep), CLIENT_RECORD));
	pthread_mutex_unlock(&g->rep_lock);
	if (ret < 0 || lane_submit(g->records_lane, commit_fn, NULL, g) < 0)
		log_err("%s: the clients' records are not kept: no memory", g->conf->name);
}

int egroup_clients_choose(struct egroup *g, bool replica, struct err *err)
{
	struct client_set copy = { 0 };
	int ret;

	if (!replica)
		return effects_set_clients(g->fx, NULL, err);
	pthread_mutex_lock(&g->rep_lock);
	ret = client_set_copy(&copy, clients_replica_set(g->rep));
	pthread_mutex_unlock(&g->rep_lock);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, "clients", "no memory");
	ret = effects_set_clients(g->fx, &copy, err);
	client_set_free(&copy);
	return ret;
}

/* ---- both */

int egroup_clients_open(struct egroup *g, struct err *err)
{
	sd_event *ev = g->e->event;
	int ret;

	pthread_mutex_init(&g->rep_lock, NULL);
	ret = clients_replica_open(g->e->spec.state_dir, g->conf->name, &g->rep, err);
	if (ret == 0)
		ret = clients_watch_new(g->e->spec.state_dir, g->conf->name, &g->watch, err);
	if (ret < 0)
		return ret;
	atomic_store(&g->replicated, (unsigned)client_set_count(clients_replica_set(g->rep), CLIENT_RECORD));
	ret = sd_event_add_io(ev, &g->watch_io, clients_watch_fd(g->watch), EPOLLIN, watch_readable, g);
	if (ret >= 0)
		ret = sd_event_add_time_relative(ev, &g->clients_timer, CLOCK_MONOTONIC, SCAN_INTERVAL_US, 100000,
						 scan_timer, g);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, "clients", "event source");
	return egroup_records_open(g, err);
}

void egroup_clients_close(struct egroup *g)
{
	egroup_records_close(g);
	sd_event_source_unref(g->watch_io);
	sd_event_source_unref(g->clients_timer);
	clients_watch_free(g->watch);
	clients_replica_close(g->rep);
	client_set_free(&g->sent);
	client_set_free(&g->current);
	job_free(g->arrived);
}
