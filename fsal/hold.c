/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "hold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 16 };

void hold_free(struct hold *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->entries[i].name);
	free(h->entries);
	memset(h, 0, sizeof(*h));
}

static struct hold_entry *of_request(const struct hold *h, const void *request)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->entries[i].request == request)
			return &h->entries[i];
	return NULL;
}

static int make_room(struct hold *h)
{
	size_t room = h->room ? 2 * h->room : FIRST_ROOM;
	struct hold_entry *p = h->n < h->room ? h->entries : realloc(h->entries, room * sizeof(*p));

	if (!p)
		return -ENOMEM;
	if (h->n == h->room)
		h->room = room;
	h->entries = p;
	return 0;
}

int hold_add(struct hold *h, void *request, int result, const char *name, int64_t now_us, int64_t wait_us)
{
	char *copy;

	if (of_request(h, request))
		return -EEXIST;
	copy = make_room(h) == 0 ? strdup(name) : NULL;
	if (!copy)
		return -ENOMEM;
	h->entries[h->n++] = (struct hold_entry){
		.id = ++h->last_id,
		.request = request,
		.result = result,
		.since_us = now_us,
		.until_us = now_us + wait_us,
		.name = copy,
	};
	return 0;
}

const struct hold_entry *hold_tell(struct hold *h)
{
	for (size_t i = 0; i < h->n; i++) {
		struct hold_entry *e = &h->entries[i];

		if (e->told || e->let_go)
			continue;
		e->told = true;
		return e;
	}
	return NULL;
}

void hold_untell(struct hold *h)
{
	for (size_t i = 0; i < h->n; i++)
		h->entries[i].told = false;
}

static void *let_go(struct hold *h, struct hold_entry *e, enum hold_end how, int64_t now_us)
{
	int64_t took = now_us - e->since_us;

	e->let_go = true;
	h->ended[how]++;
	if (how == HOLD_KEPT)
		h->took_us = took;
	if (took > h->longest_us)
		h->longest_us = took;
	return e->request;
}

void *hold_end(struct hold *h, uint64_t id, enum hold_end how, int64_t now_us)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->entries[i].id == id && !h->entries[i].let_go)
			return let_go(h, &h->entries[i], how, now_us);
	return NULL;
}

void *hold_expire(struct hold *h, int64_t now_us)
{
	for (size_t i = 0; i < h->n; i++)
		if (!h->entries[i].let_go && h->entries[i].until_us <= now_us)
			return let_go(h, &h->entries[i], HOLD_EXPIRED, now_us);
	return NULL;
}

int64_t hold_next_us(const struct hold *h)
{
	int64_t next = -1;

	for (size_t i = 0; i < h->n; i++)
		if (!h->entries[i].let_go && (next < 0 || h->entries[i].until_us < next))
			next = h->entries[i].until_us;
	return next;
}

size_t hold_waiting(const struct hold *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		n += !h->entries[i].let_go;
	return n;
}

bool hold_take(struct hold *h, const void *request, int *result)
{
	struct hold_entry *e = of_request(h, request);

	if (!e || !e->let_go)
		return false;
	*result = e->result;
	free(e->name);
	h->n--;
	memmove(e, e + 1, (size_t)(h->entries + h->n - e) * sizeof(*e));
	return true;
}
