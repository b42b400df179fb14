/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dirmodel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of 32 operations so many are of each kind; creating and removing balance. */
static const unsigned char weight[DIRMODEL_VERBS] = {
	[DIRMODEL_CREATE] = 6, [DIRMODEL_LINK] = 2,  [DIRMODEL_RENAME] = 6, [DIRMODEL_UNLINK] = 6,
	[DIRMODEL_MKDIR] = 3,  [DIRMODEL_RMDIR] = 3, [DIRMODEL_STAT] = 3,   [DIRMODEL_LIST] = 3,
};

static const char *const verb_name[DIRMODEL_VERBS] = {
	[DIRMODEL_CREATE] = "create", [DIRMODEL_LINK] = "link",   [DIRMODEL_RENAME] = "rename",
	[DIRMODEL_UNLINK] = "unlink", [DIRMODEL_MKDIR] = "mkdir", [DIRMODEL_RMDIR] = "rmdir",
	[DIRMODEL_STAT] = "stat",     [DIRMODEL_LIST] = "list",
};

void dirmodel_init(struct dirmodel *m)
{
	memset(m, 0, sizeof(*m));
}

void dirmodel_name(unsigned number, char out[DIRMODEL_NAME_SIZE])
{
	snprintf(out, DIRMODEL_NAME_SIZE, "n%02u", number % 100U);
}

unsigned dirmodel_number(const char *text)
{
	unsigned n;

	if (text[0] != 'n' || text[1] < '0' || text[1] > '9' || text[2] < '0' || text[2] > '9' || text[3])
		return DIRMODEL_NAMES;
	n = (unsigned)(text[1] - '0') * 10U + (unsigned)(text[2] - '0');
	return n < DIRMODEL_NAMES ? n : DIRMODEL_NAMES;
}

const char *dirmodel_verb_name(enum dirmodel_verb verb)
{
	return verb < DIRMODEL_VERBS ? verb_name[verb] : "?";
}

uint64_t dirmodel_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

/* The first name of this kind from a random place on, or DIRMODEL_NAMES. */
static unsigned pick(const struct dirmodel *m, enum dirmodel_kind kind, uint64_t random)
{
	unsigned start = (unsigned)(random % DIRMODEL_NAMES);

	for (unsigned i = 0; i < DIRMODEL_NAMES; i++) {
		unsigned n = (start + i) % DIRMODEL_NAMES;

		if (m->kind[n] == kind)
			return n;
	}
	return DIRMODEL_NAMES;
}

/* A name to rename to: free, or now and then another file, which is replaced. */
static unsigned pick_target(const struct dirmodel *m, unsigned name, uint64_t random)
{
	unsigned to;

	if (m->kind[name] == DIRMODEL_FILE && random % 4 == 0) {
		to = pick(m, DIRMODEL_FILE, random >> 8);
		/* Between two names of one file rename does nothing (POSIX). */
		if (m->object[to] != m->object[name])
			return to;
	}
	return pick(m, DIRMODEL_ABSENT, random >> 8);
}

static bool fill(const struct dirmodel *m, enum dirmodel_verb verb, uint64_t random, struct dirmodel_op *op)
{
	enum dirmodel_kind from = random & 1 ? DIRMODEL_FILE : DIRMODEL_DIR;
	uint64_t a = random >> 8, b = random >> 24;

	*op = (struct dirmodel_op){ .verb = verb, .name = DIRMODEL_NAMES };
	switch (verb) {
	case DIRMODEL_CREATE:
	case DIRMODEL_MKDIR:
		op->name = pick(m, DIRMODEL_ABSENT, a);
		break;
	case DIRMODEL_LINK:
		op->name = pick(m, DIRMODEL_FILE, a);
		op->to = pick(m, DIRMODEL_ABSENT, b);
		break;
	case DIRMODEL_RENAME:
		op->name = pick(m, random % 4 ? DIRMODEL_FILE : DIRMODEL_DIR, a);
		if (op->name < DIRMODEL_NAMES)
			op->to = pick_target(m, op->name, b);
		break;
	case DIRMODEL_UNLINK:
		op->name = pick(m, DIRMODEL_FILE, a);
		break;
	case DIRMODEL_RMDIR:
		op->name = pick(m, DIRMODEL_DIR, a);
		break;
	case DIRMODEL_STAT:
		op->name = pick(m, from, a);
		break;
	case DIRMODEL_LIST:
	case DIRMODEL_VERBS:
		op->name = 0;
		break;
	}
	return op->name < DIRMODEL_NAMES && op->to < DIRMODEL_NAMES;
}

void dirmodel_choose(const struct dirmodel *m, uint64_t random, struct dirmodel_op *op)
{
	unsigned ticket = (unsigned)(random % 32), verb = 0;

	while (ticket >= weight[verb])
		ticket -= weight[verb++];
	random >>= 5;
	/* What is not possible now (all names taken, or none) gives way to the next. */
	for (unsigned i = 0; i < DIRMODEL_VERBS; i++)
		if (fill(m, (enum dirmodel_verb)((verb + i) % DIRMODEL_VERBS), random, op))
			return;
}

enum dirmodel_verdict dirmodel_judge(enum dirmodel_verb verb, int err)
{
	if (err == 0)
		return DIRMODEL_DONE;
	switch (verb) {
	case DIRMODEL_CREATE:
	case DIRMODEL_MKDIR:
		return err == EEXIST ? DIRMODEL_REPLAYED : DIRMODEL_FAILED;
	case DIRMODEL_LINK:
		return err == EEXIST || err == ENOENT ? DIRMODEL_REPLAYED : DIRMODEL_FAILED;
	case DIRMODEL_RENAME:
	case DIRMODEL_UNLINK:
	case DIRMODEL_RMDIR:
	case DIRMODEL_STAT:
		return err == ENOENT ? DIRMODEL_REPLAYED : DIRMODEL_FAILED;
	case DIRMODEL_LIST:
	case DIRMODEL_VERBS:
		break;
	}
	return DIRMODEL_FAILED;
}

/* The name means nothing any more; what it meant has a link less. */
static void clear(struct dirmodel *m, unsigned name)
{
	struct dirmodel_object *o = &m->objects[m->object[name]];

	if (m->kind[name] == DIRMODEL_FILE || m->kind[name] == DIRMODEL_DIR) {
		o->names--;
		if (o->links)
			o->links--;
	}
	m->kind[name] = DIRMODEL_ABSENT;
}

/* There are as many objects as names, so one is free while a name is. */
static unsigned new_object(struct dirmodel *m)
{
	unsigned i = 0;

	while (i < DIRMODEL_NAMES - 1U && m->objects[i].names)
		i++;
	m->objects[i] = (struct dirmodel_object){ .names = 0 };
	return i;
}

static void make(struct dirmodel *m, unsigned name, enum dirmodel_kind kind, uint64_t size, uint64_t inode)
{
	unsigned i = new_object(m);

	m->objects[i] = (struct dirmodel_object){ .names = 1, .links = 1, .size = size, .inode = inode };
	m->kind[name] = kind;
	m->object[name] = i;
}

void dirmodel_done(struct dirmodel *m, const struct dirmodel_op *op, uint64_t size, uint64_t inode)
{
	switch (op->verb) {
	case DIRMODEL_CREATE:
		make(m, op->name, DIRMODEL_FILE, size, inode);
		break;
	case DIRMODEL_MKDIR:
		make(m, op->name, DIRMODEL_DIR, 0, inode);
		break;
	case DIRMODEL_LINK:
		m->kind[op->to] = DIRMODEL_FILE;
		m->object[op->to] = m->object[op->name];
		m->objects[m->object[op->name]].names++;
		m->objects[m->object[op->name]].links++;
		break;
	case DIRMODEL_RENAME:
		clear(m, op->to);
		m->kind[op->to] = m->kind[op->name];
		m->object[op->to] = m->object[op->name];
		m->kind[op->name] = DIRMODEL_ABSENT;
		break;
	case DIRMODEL_UNLINK:
	case DIRMODEL_RMDIR:
		clear(m, op->name);
		break;
	case DIRMODEL_STAT:
	case DIRMODEL_LIST:
	case DIRMODEL_VERBS:
		break;
	}
}

const char *dirmodel_differs(const struct dirmodel *m, unsigned name, const struct dirmodel_seen *seen)
{
	const struct dirmodel_object *o = &m->objects[m->object[name]];

	if (m->kind[name] == DIRMODEL_UNKNOWN || seen->kind == DIRMODEL_UNKNOWN)
		return NULL;
	if (m->kind[name] == DIRMODEL_ABSENT)
		return seen->kind == DIRMODEL_ABSENT ? NULL : "present";
	if (seen->kind == DIRMODEL_ABSENT)
		return "absent";
	if (seen->kind != m->kind[name])
		return "kind";
	if (o->inode && seen->inode != o->inode)
		return "inode";
	if (seen->kind == DIRMODEL_FILE && seen->links != o->links)
		return "links";
	if (seen->kind == DIRMODEL_FILE && seen->size != o->size)
		return "size";
	return NULL;
}

void dirmodel_adopt(struct dirmodel *m, unsigned name, const struct dirmodel_seen *seen)
{
	unsigned i = DIRMODEL_NAMES;

	clear(m, name);
	m->kind[name] = seen->kind;
	if (seen->kind == DIRMODEL_ABSENT || seen->kind == DIRMODEL_UNKNOWN)
		return;
	if (seen->inode)
		for (i = 0; i < DIRMODEL_NAMES; i++)
			if (m->objects[i].names && m->objects[i].inode == seen->inode)
				break;
	if (i == DIRMODEL_NAMES)
		i = new_object(m);
	m->object[name] = i;
	m->objects[i].names++;
	m->objects[i].links = seen->links;
	m->objects[i].size = seen->size;
	m->objects[i].inode = seen->inode;
}

void dirmodel_list_begin(struct dirmodel_listing *l)
{
	memset(l, 0, sizeof(*l));
}

const char *dirmodel_list_entry(struct dirmodel_listing *l, const struct dirmodel *m, const char *text)
{
	unsigned n = dirmodel_number(text);

	if (n == DIRMODEL_NAMES)
		return "foreign";
	if (l->count[n]++)
		return "repeated";
	return m->kind[n] == DIRMODEL_ABSENT ? "present" : NULL;
}

unsigned dirmodel_list_missing(const struct dirmodel_listing *l, const struct dirmodel *m, unsigned from)
{
	for (; from < DIRMODEL_NAMES; from++)
		if (l->count[from] == 0 &&
		    (m->kind[from] == DIRMODEL_FILE || m->kind[from] == DIRMODEL_DIR))
			return from;
	return DIRMODEL_NAMES;
}
