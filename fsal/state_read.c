/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

/* A text that is read word by word. bad is set by the first word that is not
 * what was asked for, and stays. */
struct words {
	const char *line, *at, *end; /* of the line; at: the next word */
	bool bad;
};

struct reading {
	const struct state_sink *sink;
	void *data;
	size_t line;
	const char *text; /* all of it */
	bool part;        /* one client's lines only */
	bool ended;
	unsigned kind; /* of the last line: what may follow it */
	/* what lines are read into */
	unsigned char owner[STATE_OWNER_MAX], handle[STATE_HANDLE_MAX], reply[STATE_REPLY_MAX];
	uint32_t slots[STATE_SLOTS_MAX];
	struct state_range *ranges;
	size_t room; /* of ranges: most locks have few */
};

/* ---- words */

static struct state_bytes next_word(struct words *w)
{
	const char *start = w->at, *space;

	if (w->bad || start >= w->end) {
		w->bad = true;
		return (struct state_bytes){0};
	}
	space = memchr(start, ' ', (size_t)(w->end - start));
	w->at = space ? space + 1 : w->end;
	if (!space)
		space = w->end;
	/* two spaces, or one at the end */
	w->bad = space == start || (space < w->end && w->at == w->end);
	return (struct state_bytes){(const unsigned char *)start, (size_t)(space - start)};
}

static uint64_t next_number(struct words *w, uint64_t max)
{
	struct state_bytes word = next_word(w);
	uint64_t n = 0;

	w->bad = w->bad || (word.len > 1 && word.bytes[0] == '0');
	for (size_t i = 0; i < word.len && !w->bad; i++) {
		unsigned digit = (unsigned)word.bytes[i] - '0';

		if (digit > 9 || digit > max || n > (max - digit) / 10)
			w->bad = true;
		n = n * 10 + digit;
	}
	return w->bad ? 0 : n;
}

static uint32_t next_u32(struct words *w)
{
	return (uint32_t)next_number(w, UINT32_MAX);
}

static int hex_value(unsigned char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* At most max bytes into to; "-" is none. */
static size_t next_hex(struct words *w, unsigned char *to, size_t max)
{
	struct state_bytes word = next_word(w);

	if (word.len == 1 && word.bytes[0] == '-')
		return 0;
	if (word.len % 2 || word.len / 2 > max)
		w->bad = true;
	for (size_t i = 0; i + 1 < word.len && !w->bad; i += 2) {
		int high = hex_value(word.bytes[i]), low = hex_value(word.bytes[i + 1]);

		w->bad = high < 0 || low < 0;
		if (!w->bad)
			to[i / 2] = (unsigned char)(high << 4 | low);
	}
	return w->bad ? 0 : word.len / 2;
}

static void next_exactly(struct words *w, unsigned char *to, size_t n)
{
	if (next_hex(w, to, n) != n)
		w->bad = true;
}

static void next_u32s(struct words *w, uint32_t *to, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = next_u32(w);
}

static struct state_bytes next_bytes(struct words *w, unsigned char *to, size_t max)
{
	size_t len = next_hex(w, to, max);

	return (struct state_bytes){to, len};
}

/* ---- lines. All of a line is read before the sink is called. */

static bool whole(const struct words *w)
{
	return !w->bad && w->at == w->end;
}

static int malformed(const struct reading *r, struct fault *fault)
{
	return fault_set(fault, EPROTO, "state, line %zu: malformed", r->line);
}

static int read_server(struct reading *r, struct words *w, struct fault *fault)
{
	struct state_server_row s = {.epoch = next_number(w, UINT64_MAX)};

	s.client_counter = next_u32(w);
	s.session_counter = next_number(w, UINT64_MAX);
	next_exactly(w, s.write_verifier, sizeof(s.write_verifier));
	if (!whole(w))
		return malformed(r, fault);
	return r->sink->server ? r->sink->server(r->data, &s, fault) : 0;
}

static void read_address(struct words *w, char to[STATE_ADDRESS_MAX])
{
	struct state_bytes word = next_word(w);

	if (word.len >= STATE_ADDRESS_MAX)
		w->bad = true;
	for (size_t i = 0; i < word.len && !w->bad; i++) {
		w->bad = word.bytes[i] <= ' ' || word.bytes[i] > '~';
		to[i] = (char)word.bytes[i];
	}
}

static int read_client(struct reading *r, struct words *w, struct fault *fault)
{
	struct state_client_row c = {.at = (size_t)(w->line - r->text), .id = next_number(w, UINT64_MAX)};
	uint32_t n[7];

	next_exactly(w, c.verifier, sizeof(c.verifier));
	c.owner = next_bytes(w, r->owner, sizeof(r->owner));
	next_u32s(w, n, 7);
	c.minor = n[0], c.pnfs_flags = n[1], c.server_addr = n[2], c.create_seq = n[3];
	c.uid = n[4], c.gid = n[5], c.stateid_counter = n[6];
	c.reclaim_complete = next_number(w, 1);
	c.allow_reclaim = next_number(w, 1);
	read_address(w, c.address);
	if (!whole(w))
		return malformed(r, fault);
	return r->sink->client ? r->sink->client(r->data, &c, fault) : 0;
}

static int read_session(struct reading *r, struct words *w, struct fault *fault)
{
	struct state_session_row s = {.slots = r->slots};

	next_exactly(w, s.id, sizeof(s.id));
	next_u32s(w, s.fore, STATE_ATTRS);
	next_u32s(w, s.back, STATE_ATTRS);
	s.cb_program = next_u32(w);
	s.n_slots = next_number(w, STATE_SLOTS_MAX);
	next_u32s(w, r->slots, s.n_slots);
	if (!whole(w))
		return malformed(r, fault);
	return r->sink->session ? r->sink->session(r->data, &s, fault) : 0;
}

static int read_reply(struct reading *r, struct words *w, struct fault *fault)
{
	struct state_reply_row y = {.slot = next_u32(w)};

	y.xdr = next_bytes(w, r->reply, sizeof(r->reply));
	if (!whole(w))
		return malformed(r, fault);
	return r->sink->reply ? r->sink->reply(r->data, &y, fault) : 0;
}

static int read_open(struct reading *r, struct words *w, struct fault *fault)
{
	struct state_open_row o = {.owner = next_bytes(w, r->owner, sizeof(r->owner))};
	uint32_t n[5];

	next_exactly(w, o.other, sizeof(o.other));
	o.handle = next_bytes(w, r->handle, sizeof(r->handle));
	next_u32s(w, n, 5);
	o.seqid = n[0], o.access = n[1], o.deny = n[2], o.access_prev = n[3], o.deny_prev = n[4];
	if (!whole(w))
		return malformed(r, fault);
	return r->sink->open ? r->sink->open(r->data, &o, fault) : 0;
}

static bool make_room(struct reading *r, size_t n)
{
	struct state_range *ranges;

	if (n <= r->room)
		return true;
	ranges = realloc(r->ranges, n * sizeof(*ranges));
	if (!ranges)
		return false;
	r->ranges = ranges;
	r->room = n;
	return true;
}

static int read_lock(struct reading *r, struct words *w, struct fault *fault)
{
	struct state_lock_row l = {.owner = next_bytes(w, r->owner, sizeof(r->owner))};

	next_exactly(w, l.other, sizeof(l.other));
	l.handle = next_bytes(w, r->handle, sizeof(r->handle));
	next_exactly(w, l.open_other, sizeof(l.open_other));
	l.seqid = next_u32(w);
	l.n_ranges = next_number(w, STATE_RANGES_MAX);
	if (!make_room(r, l.n_ranges))
		return fault_set(fault, ENOMEM, "out of memory");
	l.ranges = r->ranges;
	for (size_t i = 0; i < l.n_ranges && !w->bad; i++) {
		r->ranges[i].write = next_number(w, 1);
		r->ranges[i].start = next_number(w, UINT64_MAX);
		r->ranges[i].length = next_number(w, UINT64_MAX);
	}
	if (!whole(w))
		return malformed(r, fault);
	return r->sink->lock ? r->sink->lock(r->data, &l, fault) : 0;
}

static int read_head(struct reading *r, struct words *w, struct fault *fault)
{
	if (next_number(w, UINT32_MAX) != 2 || !whole(w))
		return fault_set(fault, EPROTO, "state, line %zu: not of version 2", r->line);
	return 0;
}

static int read_end(struct reading *r, struct words *w, struct fault *fault)
{
	uint64_t lines = next_number(w, UINT64_MAX);

	if (!whole(w) || (!r->part && lines != r->line - 1))
		return malformed(r, fault);
	r->ended = true;
	return 0;
}

/* ---- the text */

#define AFTER(kind) (1U << (kind))
enum { K_START, K_HEAD, K_SERVER, K_CLIENT, K_SESSION, K_REPLY, K_OPEN, K_LOCK, K_END };
#define BEFORE_OPENS (AFTER(K_CLIENT) | AFTER(K_SESSION) | AFTER(K_REPLY))
#define ANY_OF_A_CLIENT (BEFORE_OPENS | AFTER(K_OPEN) | AFTER(K_LOCK))

static const struct line_row {
	const char *word;
	unsigned after; /* the kinds of line that it may follow */
	int (*read)(struct reading *, struct words *, struct fault *);
} rows[] = {
	[K_START] = {"", 0, NULL},
	[K_HEAD] = {"nasd-state", AFTER(K_START), read_head},
	[K_SERVER] = {"server", AFTER(K_HEAD), read_server},
	[K_CLIENT] = {"client", AFTER(K_SERVER) | ANY_OF_A_CLIENT, read_client},
	[K_SESSION] = {"session", BEFORE_OPENS, read_session},
	[K_REPLY] = {"reply", AFTER(K_SESSION) | AFTER(K_REPLY), read_reply},
	[K_OPEN] = {"open", BEFORE_OPENS | AFTER(K_OPEN), read_open},
	[K_LOCK] = {"lock", AFTER(K_OPEN) | AFTER(K_LOCK), read_lock},
	[K_END] = {"end", AFTER(K_SERVER) | ANY_OF_A_CLIENT, read_end},
};

static int read_line(struct reading *r, const char *line, size_t len, struct fault *fault)
{
	struct words w = {.line = line, .at = line, .end = line + len};
	struct state_bytes word = next_word(&w);

	for (unsigned k = K_HEAD; k <= K_END && !w.bad; k++)
		if (word.len == strlen(rows[k].word) && !memcmp(word.bytes, rows[k].word, word.len)) {
			if (!(rows[k].after & AFTER(r->kind)))
				return fault_set(fault, EPROTO, "state, line %zu: %s is not to be here",
						 r->line, rows[k].word);
			r->kind = k;
			return rows[k].read(r, &w, fault);
		}
	return malformed(r, fault);
}

static int read_text(struct reading *r, const char *text, size_t len, struct fault *fault)
{
	int ret = 0;

	while (len && ret == 0) {
		const char *newline = memchr(text, '\n', len);
		size_t n = newline ? (size_t)(newline - text) : len;

		r->line++;
		if (!newline || r->ended)
			return malformed(r, fault);
		ret = read_line(r, text, n, fault);
		text += n + 1;
		len -= n + 1;
	}
	if (ret == 0 && !r->ended && !r->part)
		ret = fault_set(fault, EPROTO, "state: the end is missing after line %zu", r->line);
	return ret;
}

static int read_all(const char *text, size_t len, bool part, const struct state_sink *sink, void *data,
		    struct fault *fault)
{
	struct reading *r = calloc(1, sizeof(*r));
	int ret;

	if (!r)
		return fault_set(fault, ENOMEM, "out of memory");
	r->sink = sink;
	r->data = data;
	r->text = text;
	r->part = part;
	r->kind = part ? K_SERVER : K_START;
	ret = read_text(r, text, len, fault);
	free(r->ranges);
	free(r);
	return ret;
}

int state_read(const char *text, size_t len, const struct state_sink *sink, void *data, struct fault *fault)
{
	return read_all(text, len, false, sink, data, fault);
}

int state_read_client(const char *text, size_t len, const struct state_sink *sink, void *data,
		      struct fault *fault)
{
	return read_all(text, len, true, sink, data, fault);
}
