/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DRBD 8.4 as two nodes have it: roles, disk states, generations, the fence-peer
 * handler and resyncs, and of the data which write is on which disk. After
 * drbd_state.c and drbd_nl.c, as far as fencing goes; one resource, protocol C.
 *
 * With `fencing resource-and-stonith` (stonith): a Primary that loses its peer
 * holds its writes and asks the handler, once for each loss; a promotion without
 * a peer asks it too, and waits. Without (dont-care) nobody asks and nobody waits.
 */
#ifndef TESTS_SIM_SIM_DRBD_H
#define TESTS_SIM_SIM_DRBD_H

#include "model.h"
#include "peer_handler.h"
#include "prng.h"

enum disk_state { DISK_INCONSISTENT, DISK_OUTDATED, DISK_UNKNOWN, DISK_CONSISTENT, DISK_UPTODATE };

enum { WRITES_MAX = 4096, WRITES_WORDS = WRITES_MAX / 64, GENERATIONS_MAX = 16 };

struct drbd_end {
	bool attached;             /* the node is on */
	bool primary;
	bool suspended;            /* holds its writes until it is sure of the peer */
	bool connected;            /* as this end sees it */
	bool standalone;           /* split brain: does not try again */
	enum disk_state disk, peer_disk;
	bool peer_outdated;        /* ... is in the metadata */
	bool crashed_primary;
	bool generation_due;       /* a new one when the held writes go on */
	unsigned current, bitmap, history[GENERATIONS_MAX];
	unsigned connections;      /* how often it was connected */
	int64_t connected_at;      /* last */
	/* the handler's questions */
	bool asks_loss, asks_promotion;
	unsigned asked_at;         /* connections then */
	int64_t ask_due;           /* the question reaches nasd then; 0: it has */
	int64_t lost_due;          /* this end notices the loss then; 0: nothing lost */
	uint64_t data[WRITES_WORDS];    /* on this disk */
	uint64_t pending[WRITES_WORDS]; /* not acknowledged yet */
};

struct sim_drbd {
	bool stonith;
	bool reach;                /* packets pass, both ways, and both kernels run */
	struct drbd_end e[2];
	int64_t connect_due, synced_due; /* 0: none */
	int source;                /* of the resync */
	unsigned generations;
	unsigned n_writes;
	uint64_t acked[WRITES_WORDS];
	bool lies;                 /* somebody has lied: the data promises do not hold */
	char broken[160];          /* the first thing that must never be; empty: none */
};

void drbd_init(struct sim_drbd *d);
/* The node is switched on or off. */
void drbd_attach(struct sim_drbd *d, int node);
void drbd_detach(struct sim_drbd *d, int node);
/* The network or a kernel has changed: sets what is due. */
void drbd_reach(struct sim_drbd *d, struct prng *r, int64_t now, bool reach);
/* What was due has come. */
void drbd_lost(struct sim_drbd *d, struct prng *r, int64_t now, int node);
void drbd_connect(struct sim_drbd *d, struct prng *r, int64_t now);
void drbd_synced(struct sim_drbd *d);

enum drbd_promoted { DRBD_PROMOTED, DRBD_REFUSED, DRBD_ASKS };
/* ASKS: it waits for the handler's answer, asks_promotion tells until when. */
enum drbd_promoted drbd_promote(struct sim_drbd *d, struct prng *r, int64_t now, int node);
void drbd_demote(struct sim_drbd *d, int node);
/* The handler's exit, for all questions that are open. */
void drbd_answer(struct sim_drbd *d, int node, enum fence_peer_answer a);
/* False: refused. */
bool drbd_mark_outdated(struct sim_drbd *d, int node, const char **why);
void drbd_resume(struct sim_drbd *d, int node);

/* A client's write on the Primary. */
void drbd_write(struct sim_drbd *d, int node);
/* What is written now is not answered. */
bool drbd_held(const struct sim_drbd *d, int node);
/* Every acknowledged write is on this disk. */
bool drbd_complete(const struct sim_drbd *d, int node);
/* Both copies are the newest, connected, and nothing is under way. */
bool drbd_whole(const struct sim_drbd *d);

void drbd_sim_facts(const struct sim_drbd *d, int node, struct facts *f);

#endif
