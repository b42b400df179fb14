/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `nasctl migrate`.
 *
 *   migrate.c          who, where to; the halves are begun
 *   migrate_watch.c    what is seen of the guest's half, and its cancelling
 *   postcopy.c         --postcopy: the switch, and what cannot be cancelled after it
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
	bool asked;               /* for the switch to post-copy: it may come at any moment */
	atomic_bool post;         /* it has come */
	const char *too_late;     /* what would have cancelled it */
	int64_t gone_at;          /* since then the source knows no such domain */
	json_int_t sent;          /* of the memory, by then, */
	int64_t sent_at;          /* ... when it was seen to grow last */
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
	bool half_at_source, half_at_target; /* in post-copy there, in the end, */
	bool half_known;          /* ... and not where neither is said: both hypervisors have answered */
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

/* ---- postcopy.c */
/* With stats, libvirt's of this moment: switches to post-copy where that is due. */
void postcopy_look(struct run *r, const json_t *stats);
/* A failure that is QEMU's not being let use post-copy gets its remedy. */
void postcopy_explain(struct run *r);
/* Says once that why does not cancel it any more. */
void postcopy_too_late(struct run *r, const char *why);
/* The source's QEMU has died, and libvirt's call does not come back: the target's answers nobody, for want of memory. */
bool postcopy_forsaken(struct run *r);
/* Both libvirtds may have given it up, and the two QEMUs go on. */
bool postcopy_moves_on(struct run *r);
/* The move has failed after the switch; says so, and what to do. */
bool postcopy_broke(const struct run *r);
void postcopy_tell_broken(const struct run *r);
/* m->from is not m->to. 0, or negative with err filled. */
int postcopy_may_resume(const struct move *m, struct err *err);
/* Before libvirt is asked to take up what has broken off. */
void postcopy_resume_begins(struct run *r);

/* ---- migrate_outcome.c */
/* libvirt's move has ended, and what it said is in r; waits for the storage's half, and tells. */
enum cli_exit migrate_finish(struct run *r);

#endif
