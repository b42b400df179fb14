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
	char *text;
	struct late_client *clients; /* in the text's order */
	size_t *by_id;               /* indices, sorted */
	size_t *wanted;              /* indices: first in, first out */
	size_t n, n_wanted, next_wanted, next;
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
	if (!late.clients[at].loaded && !late.clients[at].wanted) {
		late.clients[at].wanted = true;
		late.wanted[late.n_wanted++] = (size_t)at;
	}
	ok = ok && late.clients[at].loaded;
	pthread_mutex_unlock(&late.lock);
	return ok;
}

/* ---- the thread */

static struct late_client *next_client(void)
{
	struct late_client *c = NULL;

	pthread_mutex_lock(&late.lock);
	while (late.next_wanted < late.n_wanted && !c) {
		c = &late.clients[late.wanted[late.next_wanted++]];
		c = c->loaded ? NULL : c;
	}
	while (late.next < late.n && !c) {
		c = &late.clients[late.next++];
		c = c->loaded ? NULL : c;
	}
	pthread_mutex_unlock(&late.lock);
	return c;
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
	free(late.wanted);
	late.clients = NULL;
	late.n = 0;
	pthread_mutex_unlock(&late.lock);
	LogEvent(COMPONENT_FSAL, "NASD: %zu opens and %zu locks made in %lld ms behind the load%s", s.opens, s.locks,
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
	l->late = true;
	while ((c = next_client())) {
		if (load_files_of(l, late.text, c, &fault) < 0)
			give_up(&fault);
		loaded(c, l);
	}
	free(l);
	ended();
	return NULL;
}

static void take(const struct private_parts *parts, char *text, struct late_client *clients, size_t n,
		 size_t *sorted, size_t *wanted)
{
	pthread_mutex_lock(&late.lock);
	late.parts = parts;
	late.text = text;
	late.clients = clients;
	late.n = n;
	late.by_id = sorted;
	late.wanted = wanted;
	late.status = (struct late_status){.left = n};
	late.began_us = clock_now_us();
	for (size_t i = 0; i < n; i++)
		sorted[i] = i;
	qsort(sorted, n, sizeof(*sorted), by_id);
	pthread_mutex_unlock(&late.lock);
}

/* On failure requests are judged still, but the caller's gate stays closed. */
int late_begin(const struct private_parts *parts, char **text, struct late_client **clients, size_t n,
	       struct fault *fault)
{
	size_t *sorted = malloc(n * sizeof(*sorted)), *wanted = malloc(n * sizeof(*wanted));
	pthread_t thread;
	int ret;

	if (!sorted || !wanted) {
		free(sorted);
		free(wanted);
		return fault_set(fault, ENOMEM, "out of memory");
	}
	take(parts, *text, *clients, n, sorted, wanted);
	*text = NULL;
	*clients = NULL;
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
