/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "clock.h"
#include "lease_time.h"
#include "load_int.h"
#include "reply.h"
#include "nfs_fh.h"
#include "verifier.h"

enum {
	LATE_FROM = 64, /* clients and opens: fewer take less than it costs to hold requests for them */
	SAMPLE_MOST = 16384,
	GONE_MAX = 64,  /* files of an export that may be gone before one is found */
};

/*
 * A text is read three times. First it is checked, and all files are looked for;
 * nothing is changed yet. Then clients, sessions and opens are made, and the lock
 * states that have no locks (each takes a byte for a moment: while there are no
 * locks, that cannot collide). Last the locks.
 *
 * When there are many, they are made late (late.h): what is made before the answer are
 * one of the clients, and those who have lock states without locks, with their sessions
 * and opens. Files are not looked for then, but for one per export.
 *
 * Ids: what makes an id counts a counter up (discover.c), which is set to one
 * below. So the objects are in ganesha's tables under the right ids from the
 * beginning, and each id is compared as it comes.
 */
/* Says which item it was. */
int load_failed(const struct loading *l, const char *what, size_t number, struct fault *fault)
{
	char why[FAULT_TEXT_MAX];

	snprintf(why, sizeof(why), "%s", fault->text);
	return fault_set(fault, fault->errnum, "client %zu (%s), %s %zu: %.120s", l->counts.clients,
			 l->row.address, what, number, why);
}

static int refused(const struct loading *l, const char *what, size_t number, const char *why,
		   struct fault *fault)
{
	fault_set(fault, EPROTO, "%s", why);
	return load_failed(l, what, number, fault);
}

void load_begin_row(struct loading *l, const struct state_client_row *c)
{
	l->counts.clients++;
	l->row = *c;
	l->row.owner = (struct state_bytes){0};
	l->client = NULL;
	l->session = NULL;
	l->n_sessions = 0;
}

/* ---- first: is it all right, and is it all there? */

static int check_server(void *data, const struct state_server_row *s, struct fault *fault)
{
	struct loading *l = data;

	(void)fault;
	l->server = *s;
	return 0;
}

/* Whether 8 bytes are the id of the client. */
static bool of_client(const struct loading *l, const unsigned char *id)
{
	return !memcmp(id, &l->row.id, sizeof(l->row.id));
}

/* Late: the rows of this client begin there. */
static int note_client(struct loading *l, const struct state_client_row *c)
{
	if (l->n_clients == l->room) {
		size_t room = l->room ? 2 * l->room : 64;
		struct late_client *clients = realloc(l->clients, room * sizeof(*clients));

		if (!clients)
			return -ENOMEM;
		l->clients = clients;
		l->room = room;
	}
	if (l->n_clients)
		l->clients[l->n_clients - 1].len = c->at - l->clients[l->n_clients - 1].at;
	l->clients[l->n_clients++] = (struct late_client){.id = c->id, .at = c->at};
	return 0;
}

static int check_client(void *data, const struct state_client_row *c, struct fault *fault)
{
	struct loading *l = data;
	int ret = l->late ? note_client(l, c) : 0;

	if (ret < 0)
		return fault_set(fault, -ret, "out of memory");
	replay_end(&l->replay);
	load_begin_row(l, c);
	if (c->id >> 32 != (l->server.epoch & UINT32_MAX) || (uint32_t)c->id > l->server.client_counter)
		return refused(l, "id", 0, "not of this server", fault);
	if (c->minor < 1 || !c->owner.len || !c->create_seq)
		return refused(l, "row", 0, "not a client of NFSv4.1", fault);
	ret = replay_begin(&l->replay, l->parts, c, NULL, fault);
	return ret < 0 ? load_failed(l, "row", 0, fault) : 0;
}

static int check_session(void *data, const struct state_session_row *s, struct fault *fault)
{
	struct loading *l = data;

	l->counts.sessions++;
	l->n_slots = s->n_slots;
	if (!of_client(l, s->id) || !load_counter_of_session(s->id) ||
	    load_counter_of_session(s->id) > l->server.session_counter)
		return refused(l, "session", l->counts.sessions, "an id that is not the client's", fault);
	/* nfs4_op_create_session.c:358 */
	if (s->n_slots != s->fore[5] || s->n_slots > nfs_param.nfsv4_param.nb_slots)
		return refused(l, "session", l->counts.sessions,
			       "more slots than there are here (Slot_Table_Size)", fault);
	return 0;
}

static int check_reply(void *data, const struct state_reply_row *y, struct fault *fault)
{
	struct COMPOUND4res_extended *reply = reply_decode(y->xdr.bytes, y->xdr.len);
	struct loading *l = data;

	l->counts.replies++;
	if (!reply || y->slot >= l->n_slots) {
		if (reply)
			reply_free(reply);
		return refused(l, "reply", l->counts.replies, "not a reply, or no such slot", fault);
	}
	reply_free(reply);
	return 0;
}

static bool counted(const struct loading *l, const unsigned char other[STATE_OTHER])
{
	return of_client(l, other) && load_counter(other) &&
	       load_counter(other) <= l->row.stateid_counter;
}

/*
 * Late: a file that is gone is passed over, so that an export or a filesystem that
 * is not there must be told from that before. One file of it shows it.
 */
static int look_for_export(struct loading *l, const struct state_bytes *handle, struct fault *fault)
{
	struct load_export *e = l->exports;
	const unsigned char *id = handle->bytes + offsetof(file_handle_v4_t, id);
	int ret;

	if (handle->len <= offsetof(file_handle_v4_t, fsopaque))
		return fault_set(fault, EPROTO, "not a file handle");
	while (e < l->exports + l->n_exports && memcmp(e->id, id, sizeof(e->id)))
		e++;
	if (e == l->exports + LOAD_EXPORTS_MAX)
		return fault_set(fault, ENOTSUP, "more than %d exports", LOAD_EXPORTS_MAX);
	if (e == l->exports + l->n_exports) {
		l->n_exports++;
		memcpy(e->id, id, sizeof(e->id));
	}
	if (e->found)
		return 0;
	ret = replay_file(&l->replay, handle, fault);
	e->found = ret == 0;
	return ret == -ESTALE && ++e->gone < GONE_MAX ? 0 : ret;
}

static int check_exports(struct loading *l, struct fault *fault)
{
	for (size_t i = 0; i < l->n_exports; i++)
		if (!l->exports[i].found)
			return fault_set(fault, ESTALE, "of an export with %u open files none is here", l->exports[i].gone);
	return 0;
}

static int check_file(struct loading *l, const struct state_bytes *handle, struct fault *fault)
{
	return l->late ? look_for_export(l, handle, fault) : replay_file(&l->replay, handle, fault);
}

static int check_open(void *data, const struct state_open_row *o, struct fault *fault)
{
	struct loading *l = data;

	l->counts.opens++;
	if (!counted(l, o->other))
		return refused(l, "open", l->counts.opens, "an id that is not the client's", fault);
	if (!o->access || o->access > OPEN4_SHARE_ACCESS_BOTH || o->deny > OPEN4_SHARE_DENY_BOTH)
		return refused(l, "open", l->counts.opens, "no such access", fault);
	return check_file(l, &o->handle, fault) < 0 ? load_failed(l, "open", l->counts.opens, fault) : 0;
}

static int check_lock(void *data, const struct state_lock_row *k, struct fault *fault)
{
	struct loading *l = data;

	l->counts.locks++;
	l->counts.ranges += k->n_ranges;
	if (l->late && !k->n_ranges)
		l->clients[l->n_clients - 1].early = true;
	if (!counted(l, k->other) || !counted(l, k->open_other))
		return refused(l, "lock", l->counts.locks, "an id that is not the client's", fault);
	return 0;
}

static const struct state_sink check_sink = {
	check_server, check_client, check_session, check_reply, check_open, check_lock,
};

/* ---- second: clients, sessions, opens */

static const struct state_sink make_sink = {
	.client = load_client, .session = load_session, .reply = load_reply, .open = load_open, .lock = load_empty_lock,
};

/* ---- all of it */

static size_t entries_of(const hash_table_t *table)
{
	size_t n = 0;

	for (uint32_t i = 0; i < table->parameter.index_size; i++)
		n += table->partitions[i].count;
	return n;
}

/*
 * ganesha's hash of a state id is its counter (SAL/nfs4_state_id.c:265), which
 * each client counts from 1: the first states of a thousand clients are a thousand
 * equal hashes, looked through one by one, and a load would take the square of
 * its clients. An empty table takes another hash, of all that an id is.
 */
static uint64_t hash_of_state(hash_parameter_t *parameter, struct gsh_buffdesc *key)
{
	uint32_t word[3]; /* counter of the client, epoch, counter */

	(void)parameter;
	memcpy(word, key->addr, sizeof(word));
	return (uint64_t)word[0] << 32 | (word[1] ^ word[2]);
}

static void spread_states(hash_table_t *states)
{
	if (!entries_of(states))
		states->parameter.hash_func_rbt = hash_of_state;
}

/* One process takes one state: ids of an earlier one may still be known to clients. */
static bool loaded;

int load_possible(const struct private_parts *parts, struct fault *fault)
{
	bool in_grace;
	int ret = admin_in_grace(parts, &in_grace, fault);

	if (ret < 0)
		return ret;
	if (in_grace)
		return fault_set(fault, EBUSY, "the server is in grace");
	if (loaded)
		return fault_set(fault, EBUSY, "state has been loaded before");
	if (entries_of(ht_confirmed_client_id) || entries_of(parts->unconfirmed))
		return fault_set(fault, EBUSY, "the server has clients");
	return 0;
}

static int count_client(void *data, const struct state_client_row *c, struct fault *fault)
{
	struct loading *l = data;

	(void)c, (void)fault;
	l->counts.clients++;
	return 0;
}

static int count_open(void *data, const struct state_open_row *o, struct fault *fault)
{
	struct loading *l = data;

	(void)o, (void)fault;
	l->counts.opens++;
	return 0;
}

static void begin_reading(struct loading *l)
{
	l->counts = (struct state_counts){0};
	l->client = NULL;
	l->session = NULL;
}

static int read_with(struct loading *l, const char *text, size_t len, const struct state_sink *sink,
		     struct fault *fault)
{
	begin_reading(l);
	return state_read(text, len, sink, l, fault);
}

/*
 * The smallest client is made before the answer even so: what would go wrong with all
 * of them shall go wrong while the caller can still say what is to become of it.
 */
static void choose_sample(struct loading *l)
{
	struct late_client *least = l->clients;

	for (size_t i = 1; i < l->n_clients; i++)
		if (l->clients[i].len < least->len)
			least = &l->clients[i];
	if (l->n_clients && least->len <= SAMPLE_MOST)
		least->early = true;
}

static int make_early(struct loading *l, const char *text, struct fault *fault)
{
	int ret = 0;

	choose_sample(l);
	for (size_t i = 0; i < l->n_clients && ret == 0; i++) {
		if (!l->clients[i].early)
			continue;
		begin_reading(l);
		ret = state_read_client(text + l->clients[i].at, l->clients[i].len, &make_sink, l, fault);
		if (ret == 0)
			ret = load_finish_client(l, fault);
		replay_end(&l->replay);
		if (ret == 0)
			load_reserve_client(l->client);
	}
	return ret;
}

/* What the source has given out is given out, loaded or not. */
void load_counters(const struct loading *l)
{
	__atomic_store_n(l->parts->client_counter, l->server.client_counter, __ATOMIC_SEQ_CST);
	__atomic_store_n(l->parts->session_counter, l->server.session_counter, __ATOMIC_SEQ_CST);
}

static int make_all(struct loading *l, char **text, size_t len, struct load_times *times,
		    struct fault *fault)
{
	int64_t start = clock_now_us();
	int ret;

	l->changed = true;
	nfs_ServerEpoch = (time_t)l->server.epoch;
	if (l->late) {
		ret = make_early(l, *text, fault);
	} else {
		ret = read_with(l, *text, len, &make_sink, fault);
		if (ret == 0)
			ret = load_finish_client(l, fault);
	}
	times->make_us = clock_now_us() - start;
	if (ret == 0 && !l->late)
		ret = read_with(l, *text, len, &load_lock_sink, fault);
	if (ret == 0 && !l->late)
		ret = load_finish_locks(l, fault);
	times->lock_us = clock_now_us() - start - times->make_us;
	if (ret < 0)
		return ret;
	load_counters(l);
	verifier_set(l->server.write_verifier);
	return l->late ? late_begin(l, text, fault) : 0;
}

/* Checks all of it; a text that is malformed at its end must not have been half
 * carried out. */
static int check_all(struct loading *l, const char *text, size_t len, struct fault *fault)
{
	int ret = read_with(l, text, len, &(const struct state_sink){.client = count_client, .open = count_open}, fault);

	l->late = l->counts.clients + l->counts.opens > LATE_FROM;
	if (ret == 0)
		ret = read_with(l, text, len, &check_sink, fault);
	replay_end(&l->replay);
	if (ret == 0)
		ret = check_exports(l, fault);
	if (l->n_clients)
		l->clients[l->n_clients - 1].len = len - l->clients[l->n_clients - 1].at;
	return ret;
}

int load_state(const struct private_parts *parts, char **text, size_t len, struct state_counts *counts,
	       struct load_times *times, bool *replace, struct fault *fault)
{
	struct loading *l = calloc(1, sizeof(*l));
	int64_t start = clock_now_us();
	int ret;

	*replace = false;
	if (!l)
		return fault_set(fault, ENOMEM, "out of memory");
	l->parts = parts;
	ret = check_all(l, *text, len, fault);
	times->check_us = clock_now_us() - start;
	*counts = l->counts;
	if (ret == 0) {
		loaded = true;
		spread_states(parts->states);
		ret = make_all(l, text, len, times, fault);
		replay_end(&l->replay);
	}
	*replace = ret < 0 && l->changed;
	free(l->clients);
	free(l);
	return ret;
}
