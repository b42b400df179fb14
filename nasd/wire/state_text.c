/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "state_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE "nasd-base "
#define CHANGES "nasd-changes "
#define CLIENT "client "
#define END "end "
#define SAME "same\n"

/* Of a client in the copy: its lines behind its own. */
struct piece {
	uint64_t id;
	const char *at;
	size_t len, lines;
	bool taken;
};

struct merging {
	struct piece *pieces; /* by id */
	size_t n, room;
	struct state_text *out;
	size_t lines; /* of out */
	struct err *err;
};

static bool begins(const char *line, const char *word)
{
	return !strncmp(line, word, strlen(word));
}

/* The next line, or the text's end. */
static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

size_t state_text_head(enum state_text_kind kind, uint64_t base, char out[STATE_TEXT_HEAD_MAX])
{
	const char *word = kind == STATE_TEXT_BASE ? BASE : CHANGES;

	return kind == STATE_TEXT_WHOLE ? 0 : (size_t)snprintf(out, STATE_TEXT_HEAD_MAX, "%s%" PRIu64 "\n", word, base);
}

enum state_text_kind state_text_kind(const char *text, uint64_t *base)
{
	enum state_text_kind kind = begins(text, BASE) ? STATE_TEXT_BASE : begins(text, CHANGES) ? STATE_TEXT_CHANGES
													 : STATE_TEXT_WHOLE;
	const char *word = kind == STATE_TEXT_BASE ? BASE : CHANGES;

	*base = kind == STATE_TEXT_WHOLE ? 0 : strtoull(text + strlen(word), NULL, 10);
	return kind;
}

static int wrong(struct merging *m, const char *why)
{
	return err_set(m->err, ERR_INPUT, EPROTO, "the clients' state", "%s", why);
}

static struct piece *new_piece(struct merging *m)
{
	if (m->n == m->room) {
		size_t room = m->room ? 2 * m->room : 256;
		struct piece *pieces = realloc(m->pieces, room * sizeof(*pieces));

		if (!pieces)
			return NULL;
		m->pieces = pieces;
		m->room = room;
	}
	return &m->pieces[m->n++];
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct piece *)a)->id, y = ((const struct piece *)b)->id;

	return x < y ? -1 : x > y;
}

static int find_pieces(struct merging *m, const char *base)
{
	struct piece *p = NULL;

	for (const char *line = base, *next; *line; line = next) {
		next = next_line(line);
		if (begins(line, END))
			p = NULL;
		if (begins(line, CLIENT)) {
			p = new_piece(m);
			if (!p)
				return err_set(m->err, ERR_SYSTEM, ENOMEM, "the clients' state", "out of memory");
			*p = (struct piece){ .id = strtoull(line + strlen(CLIENT), NULL, 10), .at = next };
		} else if (p) {
			p->len += (size_t)(next - line);
			p->lines++;
		}
	}
	if (m->n)
		qsort(m->pieces, m->n, sizeof(*m->pieces), by_id);
	return 0;
}

/* A client's lines are taken once, so both texts together are room enough. */
static int put(struct merging *m, const char *text, size_t len, size_t lines)
{
	if (len >= m->out->room - m->out->len)
		return wrong(m, "a client is in the copy more than once");
	memcpy(m->out->text + m->out->len, text, len);
	m->out->len += len;
	m->lines += lines;
	return 0;
}

static int merge_line(struct merging *m, const char *line, size_t len, uint64_t *client)
{
	struct piece key;
	struct piece *p;

	if (begins(line, CLIENT))
		*client = strtoull(line + strlen(CLIENT), NULL, 10);
	if (!begins(line, SAME))
		return put(m, line, len, 1);
	key.id = *client;
	p = m->n ? bsearch(&key, m->pieces, m->n, sizeof(key), by_id) : NULL;
	if (!p)
		return wrong(m, "a client whose state is said to be in the copy is not");
	if (p->taken)
		return wrong(m, "a client is in the changes more than once");
	p->taken = true;
	*client = 0;
	return put(m, p->at, p->len, p->lines);
}

static int merge(struct merging *m, const char *changes)
{
	uint64_t client = 0;
	int ret = 0;

	for (const char *line = next_line(changes), *next; *line && ret == 0; line = next) {
		next = next_line(line);
		if (begins(line, END)) {
			char last[STATE_TEXT_HEAD_MAX];
			int n = snprintf(last, sizeof(last), END "%zu\n", m->lines);

			return *next ? wrong(m, "there is something behind the end of the changes") : put(m, last, (size_t)n, 0);
		}
		ret = merge_line(m, line, (size_t)(next - line), &client);
	}
	return ret < 0 ? ret : wrong(m, "the end of the changes is missing");
}

static int make_room(struct state_text *out, size_t need, struct err *err)
{
	if (out->room < need) {
		free(out->text);
		out->text = malloc(need);
		out->room = out->text ? need : 0;
	}
	out->len = 0;
	return out->text ? 0 : err_set(err, ERR_SYSTEM, ENOMEM, "the clients' state", "out of memory");
}

int state_text_merge(const char *base, const char *changes, struct state_text *out, struct err *err)
{
	struct merging m = { .out = out, .err = err };
	uint64_t a, b;
	int ret = make_room(out, strlen(base) + strlen(changes) + STATE_TEXT_HEAD_MAX, err);

	if (ret == 0 && (state_text_kind(base, &a) != STATE_TEXT_BASE || state_text_kind(changes, &b) != STATE_TEXT_CHANGES ||
			 a != b))
		ret = wrong(&m, "these changes are not those of this copy");
	if (ret == 0)
		ret = find_pieces(&m, base);
	if (ret == 0)
		ret = merge(&m, changes);
	if (ret == 0)
		out->text[out->len] = '\0';
	free(m.pieces);
	return ret;
}
