/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* Opens and locks of a load: those that are made before the answer, and those
 * that are made late. */
#include <errno.h>
#include <time.h>

#include "load_int.h"

#include "lease_time.h"

/* Late, a file that is gone is nobody's any more. */
static bool passed_over(struct loading *l, int ret)
{
	if (ret == -ESTALE && l->late)
		l->lost++;
	return ret == -ESTALE && l->late;
}

/* True when it is time to try it once more. */
static bool try_again(struct loading *l, int ret)
{
	int64_t us = patience_pause(&l->patience, ret);

	if (us)
		nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
	return us != 0;
}

int load_open(void *data, const struct state_open_row *o, struct fault *fault)
{
	struct loading *l = data;
	state_t *state;
	int ret = l->session ? 0 : load_temporary_session(l, fault);

	l->counts.opens++;
	if (ret < 0)
		return load_failed(l, "open", l->counts.opens, fault);
	do {
		ret = replay_file(&l->replay, &o->handle, fault);
		if (passed_over(l, ret))
			return 0;
		if (ret == 0) {
			l->client->cid_stateid_counter = load_counter(o->other) - 1;
			ret = replay_open(&l->replay, l->session, o, &state, fault);
		}
	} while (try_again(l, ret));
	if (ret < 0)
		return load_failed(l, "open", l->counts.opens, fault);
	state->state_seqid = o->seqid;
	state->state_data.share.share_access_prev = o->access_prev;
	state->state_data.share.share_deny_prev = o->deny_prev;
	return 0;
}

int load_empty_lock(void *data, const struct state_lock_row *k, struct fault *fault)
{
	struct loading *l = data;
	state_t *state;
	int ret;

	l->counts.locks++;
	if (k->n_ranges)
		return 0;
	ret = replay_file(&l->replay, &k->handle, fault);
	if (passed_over(l, ret))
		return 0;
	if (ret == 0) {
		l->client->cid_stateid_counter = load_counter(k->other) - 1;
		ret = replay_lock_nothing(&l->replay, l->session, k, &state, fault);
	}
	if (ret < 0)
		return load_failed(l, "lock", l->counts.locks, fault);
	state->state_seqid = k->seqid;
	return 0;
}

/* ---- locks */

/* A session that the client did not have is not kept. */
int load_finish_locks(struct loading *l, struct fault *fault)
{
	int ret = 0;

	if (l->client) {
		l->client->cid_stateid_counter = l->row.stateid_counter;
		if (!l->n_sessions)
			ret = replay_destroy_session(&l->replay, l->session, fault);
	}
	replay_end(&l->replay);
	return ret < 0 ? load_failed(l, "session", 0, fault) : 0;
}

static int lock_client(void *data, const struct state_client_row *c, struct fault *fault)
{
	struct loading *l = data;
	int ret = load_finish_locks(l, fault);

	if (ret < 0)
		return ret;
	load_begin_row(l, c);
	l->client = load_find_client(ht_confirmed_client_id, c->id);
	if (l->client)
		l->session = glist_first_entry(&l->client->cid_cb.v41.cb_session_list, nfs41_session_t,
					       session_link);
	if (!l->session)
		ret = fault_set(fault, EIO, "it is not there after it was made");
	if (ret == 0)
		ret = replay_begin(&l->replay, l->parts, c, l->client->gsh_client, fault);
	return ret < 0 ? load_failed(l, "identity", 0, fault) : 0;
}

static int lock_session(void *data, const struct state_session_row *s, struct fault *fault)
{
	struct loading *l = data;

	(void)s, (void)fault;
	l->n_sessions++;
	return 0;
}

static int make_lock(void *data, const struct state_lock_row *k, struct fault *fault)
{
	struct loading *l = data;
	state_t *state = NULL;
	size_t i = 0;
	int ret;

	l->counts.locks++;
	if (!k->n_ranges)
		return 0;
	do {
		ret = replay_file(&l->replay, &k->handle, fault);
		if (passed_over(l, ret))
			return 0;
		if (i == 0)
			l->client->cid_stateid_counter = load_counter(k->other) - 1;
		for (; i < k->n_ranges && ret == 0; i += ret == 0)
			ret = replay_lock(&l->replay, l->session, k, &k->ranges[i], i == 0, &state, fault);
	} while (try_again(l, ret));
	if (ret < 0)
		return load_failed(l, "lock", l->counts.locks, fault);
	state->state_seqid = k->seqid;
	return 0;
}

const struct state_sink load_lock_sink = {
	.client = lock_client, .session = lock_session, .lock = make_lock,
};

/* ---- late */

static const struct state_sink late_sink = {
	.client = load_client, .session = load_session, .reply = load_reply, .open = load_open, .lock = make_lock,
};

void load_reserve_client(nfs_client_id_t *c)
{
	pthread_mutex_lock(&c->cid_mutex);
	c->cid_lease_reservations++;
	pthread_mutex_unlock(&c->cid_mutex);
}

static void release_client(nfs_client_id_t *c)
{
	pthread_mutex_lock(&c->cid_mutex);
	c->cid_lease_reservations--;
	c->cid_last_renew = lease_time();
	pthread_mutex_unlock(&c->cid_mutex);
}

int load_late_client(struct loading *l, const char *text, const struct late_client *c, struct fault *fault)
{
	int ret;

	l->counts = (struct state_counts){0};
	l->client = NULL;
	l->session = NULL;
	ret = state_read_client(text + c->at, c->len, c->early ? &load_lock_sink : &late_sink, l, fault);
	if (ret == 0 && !c->early)
		ret = load_finish_client(l, fault);
	if (ret == 0)
		ret = load_finish_locks(l, fault);
	replay_end(&l->replay);
	if (ret == 0 && c->early)
		release_client(l->client);
	return ret;
}
