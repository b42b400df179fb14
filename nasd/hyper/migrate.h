/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `nasctl migrate`.
 *
 *   migrate.c          who, where to; the halves are begun
 *   migrate_watch.c    what is seen of the guest's half, and its cancelling
 *   migrate_outcome.c  where guest and storage are in the end
 */
#ifndef NASD_HYPER_MIGRATE_H
#define NASD_HYPER_MIGRATE_H

#include <stdatomic.h>

#include "hyper.h"

/* AGAIN: so long a libvirtd that does not answer any more is tried again. */
enum { LOOK_US = 250000, AGAIN_US = 20000000, DEFAULT_TIMEOUT_S = 600, NAS_SLACK_US = 15000000 };

struct run {
	const struct move *m;
	struct nas *nas;          /* NULL: the storage stays */
	struct host watch;        /* a second connection: the first is busy with the move */
	virDomainPtr dom;         /* of it; NULL: not found there, */
	bool gone;                /* ... as libvirt says */
	int callback, to_callback;
	atomic_bool stopped, ended;
	int64_t began, began_wall;
	_Atomic int64_t stopped_us, resumed_us;
	json_t *seen;             /* the memory's progress, as job_stats tells it, with at_us since began */
	int result;               /* of libvirt's move, when it has ended */
	struct err err;           /* why it failed */
	const char *cancelling;   /* NULL: not by us */
	const char *cancelled;    /* NULL: libvirt has not taken it */
	bool forced;
	int64_t said;             /* when its progress was told last */
	bool unwatched;           /* it was not seen to end: it may go on still */
	unsigned long long downtime_was; /* ms; 0: not ours to set back */
	const struct host *at;    /* where it runs in the end; NULL: nowhere */
	bool at_known;
};

static inline unsigned run_limit_s(const struct run *r)
{
	return r->m->o->timeout_s ? r->m->o->timeout_s : DEFAULT_TIMEOUT_S;
}

/* How long nasd may take for its half, waiting for the guest's aside. */
static inline int64_t run_nas_us(const struct run *r)
{
	return (int64_t)r->m->g.group->limits.switchover_us + NAS_SLACK_US;
}

/* ---- migrate_watch.c */
/* watch_close is due either way. */
int watch_open(struct run *r, struct err *err);
void watch_close(struct run *r);
/* Every LOOK_US while the move runs: says how far it is, and cancels it where that is due. */
void watch_look(struct run *r);
/*
 * libvirt's move has failed for us because the connection to the source broke: it may go on
 * there. Watches it to its end as before. False: nobody says that it has ended.
 */
bool watch_to_the_end(struct run *r);
/* What libvirt counts of the domain's job; a new object, or NULL. */
json_t *watch_job_stats(virDomainPtr dom, unsigned flags);

/* ---- migrate_outcome.c */
/* libvirt's move has ended, and what it said is in r; waits for the storage's half, and tells. */
enum cli_exit migrate_finish(struct run *r);

#endif
