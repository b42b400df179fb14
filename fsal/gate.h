/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The gate: whether requests go on or are held, and which are held. Pure; the
 * caller serializes all calls and says what time it is (microseconds of a clock
 * that does not jump).
 *
 *     OPEN --close--> CLOSED --commit--> COMMITTED
 *       ^---open-------'  '--- expires when nobody speaks for a while
 *
 * A closed gate opens by itself when the one who closed it has not been heard of
 * for the time that he named (gate_expired): a freeze must not outlive him. Not
 * after the commitment, when the service belongs to the other node; and not
 * while the filesystem is released (gate_set_released), when requests would
 * find closed descriptors.
 *
 * In-flight requests are counted from the moment they are decoded until their
 * answer was handed to the socket. A held one is in flight, too: the gate is
 * drained when there are no others.
 */
#ifndef FSAL_GATE_H
#define FSAL_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

enum gate_state { GATE_OPEN, GATE_CLOSED, GATE_COMMITTED };
const char *gate_state_name(enum gate_state s);

struct gate {
	enum gate_state state;
	bool released;
	int64_t heard_us;     /* when the one who closed it spoke last */
	int64_t reopen_us;    /* silence that opens it, a duration */
	void **held;
	size_t n_held, room;
	uint64_t closed_count, held_count, expired_count; /* since the beginning */
};

void gate_init(struct gate *g);
void gate_free(struct gate *g); /* the list itself, not what is held */

/* From OPEN; again while CLOSED only renews reopen_us. 0 or -EPERM. */
int gate_close(struct gate *g, int64_t now_us, int64_t reopen_us, struct fault *fault);

/*
 * Whether a request may go on. When not, it is on the list from now on, and
 * belongs to whoever takes the list. -ENOMEM: it can be neither.
 */
int gate_enter(struct gate *g, void *request, bool *go_on);

/* Onto the list although the gate is open. 0 or -ENOMEM. */
int gate_hold(struct gate *g, void *request);

/*
 * Takes those requests off the list of an open gate that wanted says, and hands
 * them out: an array of *n, to be freed. *n is 0 when there are none, or no memory:
 * they stay until the next time, or until the gate is opened.
 */
void **gate_take(struct gate *g, bool (*wanted)(void *request, void *data), void *data, size_t *n);

/*
 * Opens it and hands the held requests out: an array of *n, to be freed. From
 * CLOSED; opening an open gate is nothing. -EPERM after the commitment or while
 * released.
 */
int gate_open(struct gate *g, void ***requests, size_t *n, struct fault *fault);

/* CLOSED -> COMMITTED. 0 or -EPERM. */
int gate_commit(struct gate *g, struct fault *fault);

/* The one who closed it has spoken. */
void gate_heard(struct gate *g, int64_t now_us);

/* Whether it is to be opened because of silence. */
bool gate_expired(const struct gate *g, int64_t now_us);

/* The filesystem's descriptors are closed (or back). Only while not open. */
int gate_set_released(struct gate *g, bool released, struct fault *fault);

#endif
