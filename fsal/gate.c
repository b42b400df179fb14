/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 1024 };

const char *gate_state_name(enum gate_state s)
{
	switch (s) {
	case GATE_OPEN: return "open";
	case GATE_CLOSED: return "closed";
	case GATE_COMMITTED: return "committed";
	}
	return "?";
}

void gate_init(struct gate *g)
{
	memset(g, 0, sizeof(*g));
}

void gate_free(struct gate *g)
{
	free(g->held);
	gate_init(g);
}

static int make_room(struct gate *g)
{
	size_t room = g->room ? 2 * g->room : FIRST_ROOM;
	void **held = realloc(g->held, room * sizeof(*held));

	if (!held)
		return -ENOMEM;
	g->held = held;
	g->room = room;
	return 0;
}

int gate_close(struct gate *g, int64_t now_us, int64_t reopen_us, struct fault *fault)
{
	if (g->state == GATE_COMMITTED)
		return fault_set(fault, EPERM, "the gate is committed");
	if (!g->room && make_room(g) < 0)
		return fault_set(fault, ENOMEM, "out of memory");
	if (g->state == GATE_OPEN)
		g->closed_count++;
	g->state = GATE_CLOSED;
	g->heard_us = now_us;
	g->reopen_us = reopen_us;
	return 0;
}

int gate_enter(struct gate *g, void *request, bool *go_on)
{
	*go_on = g->state == GATE_OPEN;
	return *go_on ? 0 : gate_hold(g, request);
}

int gate_hold(struct gate *g, void *request)
{
	if (g->n_held == g->room && make_room(g) < 0)
		return -ENOMEM;
	g->held[g->n_held++] = request;
	g->held_count++;
	return 0;
}

void **gate_take(struct gate *g, bool (*wanted)(void *request, void *data), void *data, size_t *n)
{
	void **out = g->state == GATE_OPEN && g->n_held ? malloc(g->n_held * sizeof(*out)) : NULL;
	size_t kept = 0;

	*n = 0;
	for (size_t i = 0; out && i < g->n_held; i++)
		if (wanted(g->held[i], data))
			out[(*n)++] = g->held[i];
		else
			g->held[kept++] = g->held[i];
	if (out)
		g->n_held = kept;
	return out;
}

int gate_open(struct gate *g, void ***requests, size_t *n, struct fault *fault)
{
	*requests = NULL;
	*n = 0;
	if (g->state == GATE_COMMITTED)
		return fault_set(fault, EPERM, "the gate is committed: the service is the other node's");
	if (g->released)
		return fault_set(fault, EPERM, "the filesystem is released: restore it first");
	g->state = GATE_OPEN;
	if (!g->n_held)
		return 0;
	*requests = g->held;
	*n = g->n_held;
	g->held = NULL;
	g->n_held = g->room = 0;
	return 0;
}

int gate_commit(struct gate *g, struct fault *fault)
{
	if (g->state == GATE_OPEN)
		return fault_set(fault, EPERM, "the gate is open");
	g->state = GATE_COMMITTED;
	return 0;
}

void gate_heard(struct gate *g, int64_t now_us)
{
	if (now_us > g->heard_us)
		g->heard_us = now_us;
}

bool gate_expired(const struct gate *g, int64_t now_us)
{
	return g->state == GATE_CLOSED && !g->released && now_us - g->heard_us >= g->reopen_us;
}

int gate_set_released(struct gate *g, bool released, struct fault *fault)
{
	if (g->state == GATE_OPEN)
		return fault_set(fault, EPERM, "the gate is open");
	g->released = released;
	return 0;
}
