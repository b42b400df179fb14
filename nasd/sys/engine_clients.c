/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client entries. On the active: ganesha's database is watched, connections are
 * listed once a second, and what changed goes to the peer; a full set goes when
 * the peer comes up and before each freeze. On the standby: what arrives is on
 * disk before it is acknowledged.
 */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
		struct client_entry ce = { .kind = CLIENT_CONNECTION };

		if (flow_format(&conns[i].flow, ce.text, sizeof(ce.text)))
			ret = client_set_add(set, &ce);
	}
	net_conn_free(conns);
	return ret;
}

static void scan_fn(void *arg)
{
	struct scan_job *j = arg;

	j->ret = clients_watch_scan(j->g->watch, &j->set, &j->err);
	if (j->ret == 0)
		j->ret = add_connections(j->g, &j->set, &j->err);
	if (j->ret == 0 && j->freeze)
		effects_remember(j->g->fx, NULL);
}

static int send_entry(struct egroup *g, enum clients_op op, const struct client_entry *ce)
{
	struct peer_msg m = { .type = MSG_CLIENTS };

	snprintf(m.group, sizeof(m.group), "%s", g->conf->name);
	m.u.clients.op = op;
	m.u.clients.seq = ++g->clients_seq;
	if (ce)
		m.u.clients.entry = *ce;
	return peer_link_send(g->e->link, &m);
}

static int send_change(enum clients_op op, const struct client_entry *ce, void *data)
{
	return send_entry(data, op, ce);
}

static int send_full(struct egroup *g, const struct client_set *set)
{
	int ret = send_entry(g, CLIENTS_FULL_BEGIN, NULL);

	for (size_t i = 0; ret == 0 && i < set->n; i++)
		ret = send_entry(g, CLIENTS_ADD, &set->entries[i]);
	if (ret == 0)
		ret = send_entry(g, CLIENTS_FULL_END, NULL);
	return ret;
}

static void synced(struct egroup *g, bool ok, const struct err *err)
{
	g->sync_wanted = false;
	g->sync_seq = 0;
	group_clients_synced(g->core, engine_now_us(), ok, err);
	egroup_settle(g);
}

static int send_scanned(struct egroup *g)
{
	int ret;

	if (g->sync_wanted || !g->peer_has_full)
		ret = send_full(g, &g->current);
	else
		ret = clients_diff(&g->sent, &g->current, send_change, g);
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
	if (v.state == GS_ACTIVE || g->sync_wanted)
		return;
	for (size_t i = 0; i < g->current.n; i++)
		if (g->current.entries[i].kind == CLIENT_CONNECTION)
			client_set_add(set, &g->current.entries[i]); /* one that is missing costs a tickle */
}

static void scan(struct egroup *g);

static void scan_done(void *arg)
{
	struct scan_job *j = arg;
	struct egroup *g = j->g;
	int ret = j->ret;

	g->scanning = false;
	sd_event_source_set_enabled(g->watch_io, SD_EVENT_ON);
	if (ret == 0) {
		struct client_set old = g->current;

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
	g->scanning = lane_submit(g->side, scan_fn, scan_done, j) == 0;
	if (!g->scanning)
		free(j);
}

/* A fault at this point of CLIENTS, whose answer then is that fault. */
static bool injected(struct egroup *g, bool after)
{
	enum inject_what what = egroup_inject(g, STEP_CLIENTS, after);
	struct err e;

	if (what != INJECT_FAIL && what != INJECT_UNKNOWN)
		return false;
	err_set(&e, ERR_SYSTEM, EIO, "clients", "injected failure");
	synced(g, false, &e);
	return true;
}

void egroup_clients_sync(struct egroup *g)
{
	if (injected(g, false))
		return;
	g->sync_wanted = true;
	g->sync_seq = 0;
	scan(g);
}

void egroup_clients_ack(struct egroup *g, uint64_t seq)
{
	if (!g->sync_wanted || !g->sync_seq || seq < g->sync_seq)
		return;
	if (!injected(g, true))
		synced(g, true, NULL);
}

void egroup_clients_peer_up(struct egroup *g)
{
	g->peer_has_full = false;
	if (serving(g))
		scan(g);
}

void egroup_clients_peer_down(struct egroup *g)
{
	struct err e;

	g->peer_has_full = false;
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

	(void)usec;
	if (serving(g) && !g->scanning)
		scan(g);
	sd_event_source_set_time_relative(s, SCAN_INTERVAL_US);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- the standby's side */

struct apply_job {
	struct egroup *g;
	struct msg_clients m;
	bool install;   /* reserved as a target: what can be done before the freeze is done now */
	int ret;
	struct err err;
};

static void apply_fn(void *arg)
{
	struct apply_job *j = arg;

	pthread_mutex_lock(&j->g->rep_lock);
	j->ret = clients_replica_apply(j->g->rep, &j->m, &j->err);
	if (j->ret == 0 && j->install)
		j->ret = clients_install(j->g->e->spec.state_dir, j->g->conf->name,
					 clients_replica_set(j->g->rep), &j->err);
	atomic_store(&j->g->replicated, (unsigned)client_set_count(clients_replica_set(j->g->rep), CLIENT_RECORD));
	pthread_mutex_unlock(&j->g->rep_lock);
}

static void apply_done(void *arg)
{
	struct apply_job *j = arg;
	struct egroup *g = j->g;

	if (j->ret < 0) {
		log_warn("a client entry from the peer was not stored: %s", j->err.msg);
	} else {
		struct peer_msg m = { .type = MSG_CLIENTS_ACK };

		snprintf(m.group, sizeof(m.group), "%s", g->conf->name);
		m.u.clients.seq = j->m.seq;
		peer_link_send(g->e->link, &m);
	}
	free(j);
}

void egroup_clients_message(struct egroup *g, const struct msg_clients *m)
{
	struct apply_job *j;
	struct group_view v;

	if (serving(g))
		return; /* the past */
	group_look(g->core, &v);
	j = calloc(1, sizeof(*j));
	if (!j)
		return;
	j->g = g;
	j->m = *m;
	j->install = m->op == CLIENTS_FULL_END && v.state == GS_PREPARED;
	if (lane_submit(g->side, apply_fn, apply_done, j) < 0)
		free(j);
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
	return 0;
}

void egroup_clients_close(struct egroup *g)
{
	sd_event_source_unref(g->watch_io);
	sd_event_source_unref(g->clients_timer);
	clients_watch_free(g->watch);
	clients_replica_close(g->rep);
	client_set_free(&g->sent);
	client_set_free(&g->current);
}
