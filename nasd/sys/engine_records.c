/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new client's record on both nodes before the client is answered. The module in
 * ganesha holds the answer and names the record on a connection of its own; the
 * record is fsynced here, in a lane of its own, and at the same time sent to the
 * peer, which acknowledges what is on its disk; then the module gets our word.
 *
 * A peer that is not there is not waited for. Everything else that goes wrong costs
 * a client the module's own limit (record-wait), and no more.
 */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fsal_client.h"
#include "log.h"

enum {
	RETRY_US = 250000,      /* while there is a server without a connection; doubled each time, */
	RETRY_MOST_US = 4000000, /* up to this */
	WAITING_MAX = 4096,
};

struct waiting {
	uint64_t id;
	uint64_t seq;          /* acknowledged: the peer has it; 0: there is no peer */
	uint64_t sync;         /* done: this node's disk has it */
};

struct engine_records {
	struct egroup *g;
	struct fsal_client module;  /* fd -1: not connected */
	sd_event_source *io, *timer;
	bool connecting, told_why;
	uint64_t retry_us;
	struct waiting *waiting;
	size_t n;                   /* at most WAITING_MAX */
	struct client_set unsynced; /* for the next sync, one for all */
	bool syncing;
	uint64_t syncs_begun, syncs_done;
	struct client_set fresh;    /* named since the last look at the database began */
	struct client_set kept;     /* what the peer has acknowledged */
	uint64_t acked;
};

static void disconnect(struct engine_records *r)
{
	r->io = sd_event_source_unref(r->io);
	fsal_client_close(&r->module);
	r->n = 0;
}

/* ---- answers */

static void answer(struct engine_records *r, uint64_t id, bool kept)
{
	struct fsal_request req = { kept ? FSAL_RECORD_KEPT : FSAL_RECORD_ALONE, id, NULL };
	char line[FSAL_LINE_MAX];
	int len = fsal_request_encode(&req, line, sizeof(line), NULL);

	/* some bytes for a process that reads them at once: what does not fit is lost to a hang */
	if (len < 0 || send(r->module.fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) != len)
		log_warn("%s: ganesha's module does not take our word about a client's record", r->g->conf->name);
}

/* Answers all of which everything is known. */
static void answer_ready(struct engine_records *r)
{
	size_t left = 0;

	for (size_t i = 0; i < r->n; i++) {
		const struct waiting *w = &r->waiting[i];

		if (w->sync <= r->syncs_done && w->seq <= r->acked)
			answer(r, w->id, w->seq != 0);
		else
			r->waiting[left++] = *w;
	}
	r->n = left;
}

/* ---- this node's disk */

struct sync_job {
	struct engine_records *r;
	struct client_set set;
	int ret;
	struct err err;
};

static void sync_fn(void *arg)
{
	struct sync_job *j = arg;
	struct egroup *g = j->r->g;

	j->ret = clients_records_sync(g->e->spec.state_dir, g->conf->name, &j->set, &j->err);
}

static void sync_next(struct engine_records *r);

static void sync_done(void *arg)
{
	struct sync_job *j = arg;
	struct engine_records *r = j->r;

	if (j->ret < 0)
		log_err("%s: a new client's record is not safe on this node: %s", r->g->conf->name, j->err.msg);
	client_set_free(&j->set);
	free(j);
	r->syncing = false;
	r->syncs_done++;
	answer_ready(r);
	sync_next(r);
}

/* What comes while one runs goes with the next. */
static void sync_next(struct engine_records *r)
{
	struct sync_job *j;

	if (r->syncing || !r->unsynced.n || !(j = calloc(1, sizeof(*j))))
		return;
	j->r = r;
	j->set = r->unsynced;
	r->unsynced = (struct client_set){ 0 };
	r->syncing = lane_submit(r->g->records_lane, sync_fn, sync_done, j) == 0;
	if (r->syncing) {
		r->syncs_begun++;
	} else {
		r->unsynced = j->set;
		free(j);
	}
}

/* ---- what the module says */

static void take(struct engine_records *r, const struct fsal_record *rec)
{
	struct egroup *g = r->g;
	struct err e = { 0 };
	uint64_t seq = 0;

	if (r->n == WAITING_MAX)
		err_set(&e, ERR_REFUSED, E2BIG, "records", "too many at once");
	else if (client_text_check(CLIENT_RECORD, rec->name, &e) == 0 &&
		 client_set_put(&r->unsynced, CLIENT_RECORD, rec->name) < 0)
		err_set(&e, ERR_SYSTEM, ENOMEM, "records", "no memory");
	if (e.cls != ERR_NONE) {
		log_warn("%s: the record of a new client is passed over: %s", g->conf->name, e.msg);
		answer(r, rec->id, false);
		return;
	}
	client_set_put(&r->fresh, CLIENT_RECORD, rec->name);
	if (egroup_clients_tell(g, rec->name, &seq) < 0)
		log_warn("%s: a new client (%.60s) is known to this node only: the peer is not connected", g->conf->name,
			 rec->name);
	r->waiting[r->n++] = (struct waiting){ .id = rec->id, .seq = seq, .sync = r->syncs_begun + 1 };
	sync_next(r);
}

static void take_lines(struct engine_records *r)
{
	struct fsal_client *c = &r->module;
	char *end;

	while ((end = memchr(c->line, '\n', c->used))) {
		size_t len = (size_t)(end - c->line);
		struct fsal_record rec;
		struct err e = { 0 };

		if (fsal_record_decode(c->line, len, &rec, &e) < 0)
			log_warn("%s: %s: %s", r->g->conf->name, e.where, e.msg);
		else
			take(r, &rec);
		c->used -= len + 1;
		memmove(c->line, end + 1, c->used);
	}
}

static void arm(struct engine_records *r, bool soon)
{
	r->retry_us = soon ? RETRY_US : 2 * r->retry_us < RETRY_MOST_US ? 2 * r->retry_us : RETRY_MOST_US;
	sd_event_source_set_time_relative(r->timer, r->retry_us);
	sd_event_source_set_enabled(r->timer, SD_EVENT_ONESHOT);
}

static int readable(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct engine_records *r = data;
	struct fsal_client *c = &r->module;
	ssize_t n = recv(fd, c->line + c->used, sizeof(c->line) - c->used, MSG_DONTWAIT);

	(void)s;
	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n > 0) {
		c->used += (size_t)n;
		take_lines(r);
	}
	if (n <= 0 || c->used == sizeof(c->line)) {
		disconnect(r);
		arm(r, true);
	}
	return 0;
}

/* ---- connecting */

struct connect_job {
	struct engine_records *r;
	struct fsal_client c;
	int ret;
	struct err err;
};

static void connect_fn(void *arg)
{
	struct connect_job *j = arg;

	j->ret = effects_records(j->r->g->fx, &j->c, &j->err);
}

static int listen_to(struct engine_records *r, const struct fsal_client *c)
{
	r->module = *c;
	return sd_event_add_io(r->g->e->event, &r->io, c->fd, EPOLLIN, readable, r);
}

static void connect_done(void *arg)
{
	struct connect_job *j = arg;
	struct engine_records *r = j->r;

	r->connecting = false;
	if (j->ret == 0 && listen_to(r, &j->c) < 0)
		disconnect(r);
	if (j->ret == 0)
		take_lines(r); /* what came behind the answer */
	if (j->ret < 0 && j->err.cls == ERR_REFUSED && !r->told_why)
		log_warn("%s: new clients are answered before the peer knows them: %s", r->g->conf->name, j->err.msg);
	r->told_why = j->ret < 0 && (r->told_why || j->err.cls == ERR_REFUSED);
	if (r->module.fd < 0)
		arm(r, false);
	free(j);
}

static int connect_due(sd_event_source *s, uint64_t usec, void *data)
{
	struct engine_records *r = data;
	struct connect_job *j;

	(void)s;
	(void)usec;
	if (r->connecting || r->module.fd >= 0)
		return 0;
	if (!effects_server_runs(r->g->fx) || !(j = calloc(1, sizeof(*j)))) {
		arm(r, true);
		return 0;
	}
	j->r = r;
	j->c.fd = -1;
	r->connecting = lane_submit(r->g->records_lane, connect_fn, connect_done, j) == 0;
	if (!r->connecting) {
		free(j);
		arm(r, true);
	}
	return 0;
}

/* ---- what engine_clients.c tells */

void egroup_records_look(struct egroup *g)
{
	client_set_clear(&g->records->fresh);
}

void egroup_records_seen(struct egroup *g, struct client_set *set)
{
	const struct client_set *fresh = &g->records->fresh;

	for (size_t i = 0; i < fresh->n; i++)
		client_set_put(set, CLIENT_RECORD, fresh->entries[i]->text);
}

void egroup_records_acked(struct egroup *g, uint64_t seq)
{
	struct engine_records *r = g->records;

	r->acked = seq;
	if (seq == g->clients_seq && g->peer_has_full && client_set_copy(&r->kept, &g->sent) < 0)
		client_set_clear(&r->kept); /* they count as not there */
	answer_ready(r);
}

void egroup_records_peer_down(struct egroup *g)
{
	struct engine_records *r = g->records;

	for (size_t i = 0; i < r->n; i++)
		r->waiting[i].seq = 0;
	answer_ready(r);
}

unsigned egroup_records_alone(struct egroup *g)
{
	const struct client_set *now = &g->current;
	struct group_view v;
	unsigned n = 0;

	group_look(g->core, &v);
	for (size_t i = 0; v.state == GS_ACTIVE && i < now->n; i++)
		n += now->entries[i]->kind == CLIENT_RECORD &&
		     !client_set_has(&g->records->kept, CLIENT_RECORD, now->entries[i]->text);
	return n;
}

/* ---- set-up */

int egroup_records_open(struct egroup *g, struct err *err)
{
	struct engine_records *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return err_set(err, ERR_SYSTEM, ENOMEM, "records", "no memory");
	g->records = r;
	r->g = g;
	r->module.fd = -1;
	r->waiting = calloc(WAITING_MAX, sizeof(*r->waiting));
	if (!r->waiting)
		return err_set(err, ERR_SYSTEM, ENOMEM, "records", "no memory");
	g->records_lane = lane_new(g->e->event, "records", err);
	if (!g->records_lane)
		return -EIO;
	ret = sd_event_add_time_relative(g->e->event, &r->timer, CLOCK_MONOTONIC, RETRY_US, 10000, connect_due, r);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, "records", "timer");
	if (!g->conf->nfs.record_wait_us)
		sd_event_source_set_enabled(r->timer, SD_EVENT_OFF);
	return 0;
}

void egroup_records_close(struct egroup *g)
{
	struct engine_records *r = g->records;

	if (!r)
		return;
	disconnect(r);
	sd_event_source_unref(r->timer);
	client_set_free(&r->unsynced);
	client_set_free(&r->fresh);
	client_set_free(&r->kept);
	free(r->waiting);
	free(r);
	g->records = NULL;
}
