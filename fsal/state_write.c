/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

enum { FIRST_ROOM = 16384 };

/* Room for n more bytes and a NUL. */
static bool make_room(struct state_text *t, size_t n)
{
	size_t room = t->room ? t->room : FIRST_ROOM;
	char *text;

	if (t->failed)
		return false;
	if (n < t->room - t->len)
		return true;
	while (room - t->len <= n)
		room *= 2;
	text = realloc(t->text, room);
	t->failed = !text;
	if (t->failed)
		return false;
	t->text = text;
	t->room = room;
	return true;
}

static void put(struct state_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct state_text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !make_room(t, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(t->text + t->len, t->room - t->len, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
}

static void put_hex(struct state_text *t, const void *data, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *bytes = data;

	if (!make_room(t, 2 * n + 2))
		return;
	t->text[t->len++] = ' ';
	if (!n)
		t->text[t->len++] = '-';
	for (size_t i = 0; i < n; i++) {
		t->text[t->len++] = digits[bytes[i] >> 4];
		t->text[t->len++] = digits[bytes[i] & 15];
	}
	t->text[t->len] = '\0';
}

static void put_numbers(struct state_text *t, const uint32_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(t, " %" PRIu32, numbers[i]);
}

static void end_line(struct state_text *t)
{
	put(t, "\n");
	t->lines++;
}

void state_begin(struct state_text *t, const struct state_server_row *s)
{
	memset(t, 0, sizeof(*t));
	put(t, "nasd-state 2");
	end_line(t);
	put(t, "server %" PRIu64 " %" PRIu32 " %" PRIu64, s->epoch, s->client_counter, s->session_counter);
	put_hex(t, s->write_verifier, sizeof(s->write_verifier));
	end_line(t);
}

void state_put_client(struct state_text *t, const struct state_client_row *c)
{
	const uint32_t numbers[] = {c->minor, c->pnfs_flags, c->server_addr, c->create_seq, c->uid, c->gid,
				    c->stateid_counter, c->reclaim_complete, c->allow_reclaim};

	put(t, "client %" PRIu64, c->id);
	put_hex(t, c->verifier, sizeof(c->verifier));
	put_hex(t, c->owner.bytes, c->owner.len);
	put_numbers(t, numbers, sizeof(numbers) / sizeof(*numbers));
	put(t, " %s", c->address);
	end_line(t);
	t->counts.clients++;
}

void state_put_session(struct state_text *t, const struct state_session_row *s)
{
	put(t, "session");
	put_hex(t, s->id, sizeof(s->id));
	put_numbers(t, s->fore, STATE_ATTRS);
	put_numbers(t, s->back, STATE_ATTRS);
	put(t, " %" PRIu32 " %zu", s->cb_program, s->n_slots);
	put_numbers(t, s->slots, s->n_slots);
	end_line(t);
	t->counts.sessions++;
}

void state_put_reply(struct state_text *t, const struct state_reply_row *r)
{
	put(t, "reply %" PRIu32, r->slot);
	put_hex(t, r->xdr.bytes, r->xdr.len);
	end_line(t);
	t->counts.replies++;
}

void state_put_open(struct state_text *t, const struct state_open_row *o)
{
	const uint32_t numbers[] = {o->seqid, o->access, o->deny, o->access_prev, o->deny_prev};

	put(t, "open");
	put_hex(t, o->owner.bytes, o->owner.len);
	put_hex(t, o->other, sizeof(o->other));
	put_hex(t, o->handle.bytes, o->handle.len);
	put_numbers(t, numbers, sizeof(numbers) / sizeof(*numbers));
	end_line(t);
	t->counts.opens++;
}

void state_put_lock(struct state_text *t, const struct state_lock_row *l)
{
	put(t, "lock");
	put_hex(t, l->owner.bytes, l->owner.len);
	put_hex(t, l->other, sizeof(l->other));
	put_hex(t, l->handle.bytes, l->handle.len);
	put_hex(t, l->open_other, sizeof(l->open_other));
	put(t, " %" PRIu32 " %zu", l->seqid, l->n_ranges);
	for (size_t i = 0; i < l->n_ranges; i++)
		put(t, " %d %" PRIu64 " %" PRIu64, l->ranges[i].write, l->ranges[i].start,
		    l->ranges[i].length);
	end_line(t);
	t->counts.locks++;
	t->counts.ranges += l->n_ranges;
}

void state_put_same(struct state_text *t)
{
	put(t, "same");
	end_line(t);
}

int state_end(struct state_text *t, struct fault *fault)
{
	put(t, "end %zu\n", t->lines);
	return t->failed ? fault_set(fault, ENOMEM, "out of memory") : 0;
}

void state_free(struct state_text *t)
{
	free(t->text);
	memset(t, 0, sizeof(*t));
}
