/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "late.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "hooks.h"
#include "load_int.h"

enum { NOT_FOUND = -1 };

/*
 * Lock order: hooks' own, then this one. clients and n change only while nothing
 * is judged (hooks_judge).
 */
static struct {
	pthread_mutex_t lock;
	const struct private_parts *parts;
	struct state_server_row server;
	char *text;
	struct late_client *clients; /* in the text's order */
	size_t *by_id;               /* indices, sorted */
	size_t n;
	struct late_status status;
	int64_t began_us;
} late = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- whose request is it, and what does it want? */

static int by_id(const void *a, const void *b)
{
	uint64_t x = late.clients[*(const size_t *)a].id, y = late.clients[*(const size_t *)b].id;

	return x < y ? -1 : x > y;
}

static ssize_t index_of(uint64_t id)
{
	size_t from = 0, to = late.n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		uint64_t other = late.clients[late.by_id[middle]].id;

		if (other == id)
			return (ssize_t)late.by_id[middle];
		if (other < id)
			from = middle + 1;
		else
			to = middle;
	}
	return NOT_FOUND;
}

/* A session's id begins with its client's (SAL/nfs41_session_id.c:252). */
static uint64_t client_of(const compound_data_t *data)
{
	uint64_t id;

	memcpy(&id, data->argarray[0].nfs_argop4_u.opsequence.sa_sessionid, sizeof(id));
	return id;
}

/* The one that is asked for by "no stateid" would meet opens that deny. */
static bool is_stateid(const stateid4 *s)
{
	static const char zeros[OTHERSIZE], ones[OTHERSIZE] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

	return memcmp(s->other, zeros, OTHERSIZE) && memcmp(s->other, ones, OTHERSIZE);
}

static bool only_looks(const nfs_argop4 *arg)
{
	static const nfs_opnum4 looks[] = {
		NFS4_OP_SEQUENCE, NFS4_OP_PUTFH, NFS4_OP_PUTROOTFH, NFS4_OP_PUTPUBFH, NFS4_OP_SAVEFH, NFS4_OP_RESTOREFH,
		NFS4_OP_GETFH, NFS4_OP_GETATTR, NFS4_OP_ACCESS, NFS4_OP_LOOKUP, NFS4_OP_LOOKUPP, NFS4_OP_READDIR,
		NFS4_OP_READLINK, NFS4_OP_VERIFY, NFS4_OP_NVERIFY, NFS4_OP_COMMIT,
	};

	if (arg->argop == NFS4_OP_READ)
		return is_stateid(&arg->nfs_argop4_u.opread.stateid);
	if (arg->argop == NFS4_OP_WRITE)
		return is_stateid(&arg->nfs_argop4_u.opwrite.stateid);
	for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++)
		if (arg->argop == looks[i])
			return true;
	return false;
}

/* Called with the lock of hooks. A session that nobody has needs no waiting. */
static bool admits(const compound_data_t *data)
{
	bool ok = data->argarray_len > 0 && data->argarray[0].argop == NFS4_OP_SEQUENCE;
	ssize_t at = ok ? index_of(client_of(data)) : NOT_FOUND;

	for (uint32_t i = 0; i < data->argarray_len && ok; i++)
		ok = only_looks(&data->argarray[i]);
	if (at == NOT_FOUND)
		return ok;
	pthread_mutex_lock(&late.lock);
	late.clients[at].wanted = true;
	ok = ok && late.clients[at].loaded;
	pthread_mutex_unlock(&late.lock);
	return ok;
}

/* ---- the thread */

/* A client with thousands of opens must not keep one with ten of them waiting. */
static bool before(const struct late_client *a, const struct late_client *b)
{
	return a->wanted != b->wanted ? a->wanted : a->len < b->len;
}

static struct late_client *next_client(void)
{
	struct late_client *best = NULL;

	pthread_mutex_lock(&late.lock);
	for (struct late_client *c = late.clients; c < late.clients + late.n; c++)
		if (!c->loaded && (!best || before(c, best)))
			best = c;
	pthread_mutex_unlock(&late.lock);
	return best;
}

static void loaded(struct late_client *c, const struct loading *l)
{
	pthread_mutex_lock(&late.lock);
	c->loaded = true;
	late.status.left--;
	late.status.opens += l->counts.opens;
	late.status.locks += l->counts.locks;
	late.status.lost = l->lost;
	pthread_mutex_unlock(&late.lock);
	hooks_judge_again(c->id);
}

/* Who has been served since cannot be told to forget it: the server goes, and
 * its clients reclaim. */
static _Noreturn void give_up(const struct fault *why)
{
	LogCrit(COMPONENT_FSAL, "NASD: the state that was loaded cannot be completed, clients are to reclaim: %s",
		why->text);
	_exit(EXIT_FAILURE);
}

static void ended(void)
{
	struct late_status s;

	hooks_judge(NULL);
	pthread_mutex_lock(&late.lock);
	late.status.took_us = clock_now_us() - late.began_us;
	s = late.status;
	free(late.text);
	free(late.clients);
	free(late.by_id);
	late.clients = NULL;
	late.n = 0;
	pthread_mutex_unlock(&late.lock);
	LogEvent(COMPONENT_FSAL, "NASD: the clients, with %zu opens and %zu locks, made in %lld ms behind the load%s", s.opens, s.locks,
		 (long long)s.took_us / 1000, s.lost ? "" : ", all");
	if (s.lost)
		LogWarn(COMPONENT_FSAL, "NASD: %zu opens and locks are of files that are gone", s.lost);
}

static void *late_main(void *unused)
{
	struct loading *l = calloc(1, sizeof(*l));
	struct fault fault = {0};
	struct late_client *c;

	(void)unused;
	SetNameFunction("nasd_late");
	if (!l) {
		fault_set(&fault, ENOMEM, "out of memory");
		give_up(&fault);
	}
	l->parts = late.parts;
	l->server = late.server;
	l->lost = late.status.lost;
	l->late = true;
	l->patience.left_us = PATIENCE_US;
	while ((c = next_client())) {
		if (load_late_client(l, late.text, c, &fault) < 0)
			give_up(&fault);
		load_counters(l); /* before anybody is told that nothing is left */
		loaded(c, l);
	}
	free(l);
	ended();
	return NULL;
}

static void take(struct loading *l, char *text, size_t *sorted)
{
	pthread_mutex_lock(&late.lock);
	late.parts = l->parts;
	late.server = l->server;
	late.text = text;
	late.clients = l->clients;
	late.n = l->n_clients;
	late.by_id = sorted;
	late.status = (struct late_status){.left = late.n, .lost = l->lost};
	late.began_us = clock_now_us();
	for (size_t i = 0; i < late.n; i++)
		sorted[i] = i;
	qsort(sorted, late.n, sizeof(*sorted), by_id);
	pthread_mutex_unlock(&late.lock);
	l->clients = NULL;
}

/* On failure requests are judged still, but the caller's gate stays closed. */
int late_begin(struct loading *l, char **text, struct fault *fault)
{
	size_t *sorted = malloc(l->n_clients * sizeof(*sorted));
	pthread_t thread;
	int ret;

	if (!sorted)
		return fault_set(fault, ENOMEM, "out of memory");
	take(l, *text, sorted);
	*text = NULL;
	hooks_judge(admits);
	ret = pthread_create(&thread, NULL, late_main, NULL);
	if (ret)
		return fault_set(fault, ret, "no thread for the rest of the state");
	pthread_detach(thread);
	return 0;
}

void late_status(struct late_status *out)
{
	pthread_mutex_lock(&late.lock);
	*out = late.status;
	pthread_mutex_unlock(&late.lock);
}
