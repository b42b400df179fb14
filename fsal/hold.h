/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * Answers that are held until the peer node has what they promise: a client's
 * record. Pure; the caller serializes all calls and says what time it is
 * (microseconds of a clock that does not jump).
 *
 *     waiting --told--> waiting --kept, alone or expired--> let go --taken--> gone
 *
 * A held answer belongs to a request, which is resumed when it is let go; when
 * the request runs again, it takes the answer.
 */
#ifndef FSAL_HOLD_H
#define FSAL_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOLD_NAME_MAX = 1200 };

enum hold_end {
	HOLD_KEPT,    /* both nodes have the record on their disks */
	HOLD_ALONE,   /* the peer is not there: this node has it */
	HOLD_EXPIRED, /* nobody has said anything */
	HOLD_ENDS
};

struct hold_entry {
	uint64_t id;
	void *request;
	int result;
	int64_t since_us, until_us;
	bool told, let_go;
	char *name;
};

struct hold {
	struct hold_entry *entries; /* oldest first */
	size_t n, room;
	uint64_t last_id;
	uint64_t ended[HOLD_ENDS]; /* since the beginning */
	int64_t took_us, longest_us; /* the last that was kept, and the longest of any */
};

void hold_free(struct hold *h);

/* Holds the answer of a request for at most wait_us. -ENOMEM; -EEXIST: it is held already. */
int hold_add(struct hold *h, void *request, int result, const char *name, int64_t now_us, int64_t wait_us);

/* One that nobody was told of, from then on told; NULL: none. Valid until the next call. */
const struct hold_entry *hold_tell(struct hold *h);

/* Somebody else listens: all are to be told again. */
void hold_untell(struct hold *h);

/* Lets go of one that waits: its request, or NULL when there is none (any more). */
void *hold_end(struct hold *h, uint64_t id, enum hold_end how, int64_t now_us);

/* The request of one whose time is over, let go of; NULL: none. */
void *hold_expire(struct hold *h, int64_t now_us);

/* When the next one's time is over; -1: none waits. */
int64_t hold_next_us(const struct hold *h);

/* How many wait. */
size_t hold_waiting(const struct hold *h);

/* The request runs again: its answer, which is gone then. False: it has none. */
bool hold_take(struct hold *h, const void *request, int *result);

#endif
