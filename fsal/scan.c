/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "scan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	WORD = sizeof(uintptr_t),
	TEXT_MAX = 64,
	NOTE_HEAD = 12,      /* namesz, descsz, type */
	NOTE_BUILD_ID = 3,   /* NT_GNU_BUILD_ID */
};

bool scan_within(const struct scan_range *r, uintptr_t addr, size_t n)
{
	return addr >= r->addr && addr - r->addr <= r->len && n <= r->len - (addr - r->addr);
}

static uintptr_t word_at(const struct scan_range *r, size_t offset)
{
	uintptr_t w;

	memcpy(&w, (const char *)r->bytes + offset, sizeof(w));
	return w;
}

/* No more is read than the word needs: behind it may be nothing. */
bool scan_text_is(const struct scan_reader *rd, uintptr_t addr, const char *word)
{
	size_t len = strlen(word) + 1;
	char text[TEXT_MAX];

	return addr && len <= sizeof(text) && rd->read(rd->data, addr, text, len) &&
	       memcmp(text, word, len) == 0;
}

/* ---- tables of operations */

static bool anchor_holds(const struct scan_range *where, const struct scan_range *code,
			 const struct scan_reader *rd, const struct scan_op_layout *l,
			 const struct scan_op_anchor *a, uintptr_t table)
{
	uintptr_t element = table + a->index * l->size, funct;

	if (!scan_within(where, element, l->size))
		return false;
	funct = word_at(where, element - where->addr + l->funct);
	if (a->funct ? funct != a->funct : !scan_within(code, funct, 1))
		return false;
	return scan_text_is(rd, word_at(where, element - where->addr + l->name), a->name);
}

int scan_op_table(const struct scan_range *where, const struct scan_range *code,
		  const struct scan_reader *rd, const struct scan_op_layout *layout,
		  const struct scan_op_anchor *anchors, size_t n_anchors, uintptr_t *table,
		  struct fault *fault)
{
	size_t back = anchors[0].index * layout->size + layout->funct;
	uintptr_t found = 0;

	for (size_t at = back; at + WORD <= where->len; at += WORD) {
		uintptr_t candidate = where->addr + at - back;
		size_t ok = 0;

		if (word_at(where, at) != anchors[0].funct)
			continue;
		while (ok < n_anchors &&
		       anchor_holds(where, code, rd, layout, &anchors[ok], candidate))
			ok++;
		if (ok < n_anchors)
			continue;
		if (found)
			return fault_set(fault, EEXIST, "two tables of operations");
		found = candidate;
	}
	if (!found)
		return fault_set(fault, ENOENT, "no table of operations with %s", anchors[0].name);
	*table = found;
	return 0;
}

/* ---- objects */

int scan_object(const struct scan_range *where, const struct scan_reader *rd, scan_match_fn match,
		const void *key, const char *what, uintptr_t *object, struct fault *fault)
{
	uintptr_t found = 0;

	for (size_t at = 0; at + WORD <= where->len; at += WORD) {
		uintptr_t p = word_at(where, at);

		/* an allocated object is aligned as malloc does */
		if (p < 4096 || p % (2 * WORD) || p == found || scan_within(where, p, 1))
			continue;
		if (!match(rd, p, key))
			continue;
		if (found)
			return fault_set(fault, EEXIST, "two objects look like %s", what);
		found = p;
	}
	if (!found)
		return fault_set(fault, ENOENT, "no object looks like %s", what);
	*object = found;
	return 0;
}

int scan_method(const struct scan_range *where, const struct scan_range *code,
		const struct scan_reader *rd, const char *name, uintptr_t *method,
		struct fault *fault)
{
	uintptr_t found = 0;

	for (size_t at = 0; at + 2 * WORD <= where->len; at += WORD) {
		if (!scan_within(code, word_at(where, at + WORD), 1) ||
		    !scan_text_is(rd, word_at(where, at), name))
			continue;
		if (found)
			return fault_set(fault, EEXIST, "two methods are named %s", name);
		found = where->addr + at;
	}
	if (!found)
		return fault_set(fault, ENOENT, "no method is named %s", name);
	*method = found;
	return 0;
}

/* ---- operands of instructions */

enum { PATTERN_MAX = 64, ANY = -1 };

struct pattern {
	int bytes[PATTERN_MAX]; /* or ANY */
	size_t len, operand;    /* where the four are */
};

static bool read_pattern(const char *text, struct pattern *p)
{
	size_t any = 0;

	*p = (struct pattern){0};
	for (; *text && p->len < PATTERN_MAX; p->len++) {
		unsigned byte;
		int n = 0;

		if (!strncmp(text, "??", 2)) {
			if (any++ == 0)
				p->operand = p->len;
			p->bytes[p->len] = ANY;
			n = 2;
		} else if (sscanf(text, "%2x%n", &byte, &n) == 1 && n == 2) {
			p->bytes[p->len] = (int)byte;
		} else {
			return false;
		}
		text += n + (text[n] == ' ');
	}
	return !*text && any >= 4 && p->bytes[0] != ANY && p->operand + 4 <= p->len;
}

static bool pattern_is_at(const struct pattern *p, const unsigned char *bytes)
{
	for (size_t i = 0; i < p->len; i++)
		if (p->bytes[i] != ANY && p->bytes[i] != bytes[i])
			return false;
	return true;
}

int scan_operand(const struct scan_range *code, const char *bytes, const struct scan_range *variables,
		 const char *what, uintptr_t *addr, struct fault *fault)
{
	const unsigned char *text = code->bytes;
	uintptr_t found = 0;
	struct pattern p;
	int32_t distance;

	if (!read_pattern(bytes, &p))
		return fault_set(fault, EINVAL, "not a pattern: %s", bytes);
	for (size_t at = 0; at + p.len <= code->len; at++) {
		if (text[at] != p.bytes[0] || !pattern_is_at(&p, text + at))
			continue;
		if (found)
			return fault_set(fault, EEXIST, "two places in the code look like the use of %s", what);
		memcpy(&distance, text + at + p.operand, sizeof(distance));
		found = code->addr + at + p.operand + 4 + (uintptr_t)(intptr_t)distance;
	}
	if (!found || !scan_within(variables, found, 8))
		return fault_set(fault, ENOENT, "no place in the code looks like the use of %s", what);
	*addr = found;
	return 0;
}

/* ---- build-id */

static size_t padded(uint32_t n)
{
	return ((size_t)n + 3) / 4 * 4;
}

int scan_build_id(const struct scan_range *notes, char out[SCAN_BUILD_ID_MAX], struct fault *fault)
{
	const unsigned char *bytes = notes->bytes;
	size_t at = 0;

	while (notes->len - at >= NOTE_HEAD) {
		uint32_t head[3]; /* namesz, descsz, type */
		const unsigned char *name, *desc;
		size_t size;

		memcpy(head, bytes + at, sizeof(head));
		size = NOTE_HEAD + padded(head[0]) + padded(head[1]);
		if (size > notes->len - at)
			break;
		name = bytes + at + NOTE_HEAD;
		desc = name + padded(head[0]);
		if (head[2] == NOTE_BUILD_ID && head[0] == 4 && !memcmp(name, "GNU", 4) && head[1] > 0 &&
		    2 * head[1] < SCAN_BUILD_ID_MAX) {
			for (uint32_t i = 0; i < head[1]; i++)
				snprintf(out + 2 * i, 3, "%02x", desc[i]);
			return 0;
		}
		at += size;
	}
	return fault_set(fault, ENOENT, "no build-id");
}

bool scan_known(const char *list, const char *id)
{
	size_t len = strlen(id);

	while (len && *list) {
		size_t line = strcspn(list, "\n");

		if (line >= len && !memcmp(list, id, len) && (line == len || strchr(" \t", list[len])))
			return true;
		list += line + (list[line] == '\n');
	}
	return false;
}
