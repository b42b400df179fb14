/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drbd_events.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "json_field.h"

struct word {
	const char *text;
	int value;
};

static const struct word verbs[] = {
	{ "exists", DRBD_EXISTS }, { "create", DRBD_CREATE }, { "change", DRBD_CHANGE },
	{ "destroy", DRBD_DESTROY }, { "rename", DRBD_RENAME }, { "call", DRBD_CALL },
	{ "response", DRBD_RESPONSE }, { NULL, 0 },
};

static const struct word objects[] = {
	{ "-", DRBD_DUMP_END }, { "resource", DRBD_RESOURCE }, { "connection", DRBD_CONNECTION },
	{ "device", DRBD_DEVICE }, { "peer-device", DRBD_PEER_DEVICE }, { "path", DRBD_PATH },
	{ "helper", DRBD_HELPER }, { NULL, 0 },
};

struct text_key {
	const char *key;
	size_t offset;
};

static const struct text_key text_keys[] = {
	{ "name", offsetof(struct drbd_event, name) },
	{ "new_name", offsetof(struct drbd_event, new_name) },
	{ "conn-name", offsetof(struct drbd_event, conn_name) },
	{ "role", offsetof(struct drbd_event, role) },
	{ "connection", offsetof(struct drbd_event, connection) },
	{ "disk", offsetof(struct drbd_event, disk) },
	{ "peer-disk", offsetof(struct drbd_event, peer_disk) },
	{ "replication", offsetof(struct drbd_event, replication) },
	{ "helper", offsetof(struct drbd_event, helper) },
};

struct uint_key {
	const char *key;
	size_t offset, has_offset;
};

static const struct uint_key uint_keys[] = {
	{ "peer-node-id", offsetof(struct drbd_event, peer_node_id), offsetof(struct drbd_event, has_peer_node_id) },
	{ "volume", offsetof(struct drbd_event, volume), offsetof(struct drbd_event, has_volume) },
	{ "minor", offsetof(struct drbd_event, minor), offsetof(struct drbd_event, has_minor) },
	{ "status", offsetof(struct drbd_event, status), offsetof(struct drbd_event, has_status) },
};

enum { N_TEXT = sizeof(text_keys) / sizeof(text_keys[0]), N_UINT = sizeof(uint_keys) / sizeof(uint_keys[0]) };

struct line {
	char *rest;
	unsigned long number;
	unsigned seen_text;
	struct err *err;
};

static int bad_line(const struct line *l, const char *what, const char *token)
{
	char where[48], clean[64];

	snprintf(where, sizeof(where), "drbdsetup events2 line %lu", l->number);
	jf_clean_text(clean, sizeof(clean), token);
	return err_set(l->err, ERR_INPUT, EPROTO, where, "%s: \"%s\"", what, clean);
}

/* The next word; words are separated by one space each. NULL at the end. */
static char *next_word(struct line *l)
{
	char *word = l->rest, *end;

	if (!word)
		return NULL;
	end = strchr(word, ' ');
	if (end)
		*end++ = '\0';
	l->rest = end;
	return word;
}

static int find_word(const struct word *w, const char *text)
{
	for (; w->text; w++)
		if (!strcmp(w->text, text))
			return w->value;
	return -1;
}

/* A decimal number up to max; false when text is anything else. */
static bool read_number(const char *text, uint64_t max, uint64_t *value)
{
	uint64_t v = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (*text < '0' || *text > '9' || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return true;
}

/* "12.34" percent as 1234; at most 100.00. */
static bool read_percent(const char *text, unsigned *centi)
{
	char whole[8];
	const char *dot = strchr(text, '.');
	uint64_t w, f;

	if (!dot || dot - text > 3 || strlen(dot + 1) != 2)
		return false;
	memcpy(whole, text, (size_t)(dot - text));
	whole[dot - text] = '\0';
	if (!read_number(whole, 100, &w) || !read_number(dot + 1, 99, &f) || w * 100 + f > 10000)
		return false;
	*centi = (unsigned)(w * 100 + f);
	return true;
}

/* 1: the key is a text and was read; 0: it is none. */
static int read_text_key(struct line *l, const char *key, const char *value, struct drbd_event *ev)
{
	for (unsigned i = 0; i < N_TEXT; i++) {
		if (strcmp(key, text_keys[i].key) != 0)
			continue;
		if (l->seen_text & 1U << i)
			return bad_line(l, "twice on one line", key);
		l->seen_text |= 1U << i;
		if (!*value)
			return bad_line(l, "no value for", key);
		if (strlen(value) >= DRBD_NAME_LEN)
			return bad_line(l, "the value is too long", value);
		memcpy((char *)ev + text_keys[i].offset, value, strlen(value) + 1);
		return 1;
	}
	return 0;
}

static int read_uint_key(struct line *l, const char *key, const char *value, struct drbd_event *ev)
{
	for (unsigned i = 0; i < N_UINT; i++) {
		bool *has = (bool *)((char *)ev + uint_keys[i].has_offset);
		uint64_t v;

		if (strcmp(key, uint_keys[i].key) != 0)
			continue;
		if (*has)
			return bad_line(l, "twice on one line", key);
		if (!read_number(value, INT_MAX, &v))
			return bad_line(l, "not a number", value);
		memcpy((char *)ev + uint_keys[i].offset, &(unsigned){ (unsigned)v }, sizeof(unsigned));
		*has = true;
		return 1;
	}
	return 0;
}

static int read_pair(struct line *l, char *word, struct drbd_event *ev)
{
	char *value = strchr(word, ':');
	int r;

	if (!value || value == word)
		return bad_line(l, "not key:value", word);
	*value++ = '\0';
	r = read_text_key(l, word, value, ev);
	if (!r)
		r = read_uint_key(l, word, value, ev);
	if (r)
		return r < 0 ? r : 0;
	if (!strcmp(word, "suspended")) {
		if (ev->has_suspended || !*value)
			return bad_line(l, "twice on one line or no value", word);
		ev->has_suspended = true;
		ev->suspended = strcmp(value, "no") != 0;
	} else if (!strcmp(word, "out-of-sync")) {
		if (ev->has_out_of_sync || !read_number(value, INT64_MAX, &ev->out_of_sync))
			return bad_line(l, "twice on one line or not a number", word);
		ev->has_out_of_sync = true;
	} else if (!strcmp(word, "done")) {
		if (ev->has_done || !read_percent(value, &ev->done_centi))
			return bad_line(l, "twice on one line or not a percentage", word);
		ev->has_done = true;
	}
	return 0;
}

/* Whether the event names the object that it is about. */
static const char *missing_key(const struct drbd_event *ev)
{
	switch (ev->object) {
	case DRBD_DUMP_END: return NULL;
	case DRBD_RESOURCE:
		if (!ev->name[0])
			return "name";
		return ev->verb == DRBD_RENAME && !ev->new_name[0] ? "new_name" : NULL;
	case DRBD_CONNECTION:
	case DRBD_PATH: return ev->name[0] ? NULL : "name";
	case DRBD_DEVICE:
	case DRBD_PEER_DEVICE:
		if (!ev->name[0])
			return "name";
		return ev->has_volume ? NULL : "volume";
	case DRBD_HELPER: return ev->helper[0] ? NULL : "helper";
	}
	return NULL;
}

static bool verb_fits(const struct drbd_event *ev)
{
	switch (ev->verb) {
	case DRBD_EXISTS: return ev->object != DRBD_HELPER;
	case DRBD_CREATE:
	case DRBD_CHANGE:
	case DRBD_DESTROY: return ev->object != DRBD_HELPER && ev->object != DRBD_DUMP_END;
	case DRBD_RENAME: return ev->object == DRBD_RESOURCE;
	case DRBD_CALL:
	case DRBD_RESPONSE: return ev->object == DRBD_HELPER;
	}
	return false;
}

static int parse_line(char *text, unsigned long number, struct drbd_event *ev, struct err *err)
{
	struct line l = { .rest = text, .number = number, .err = err };
	const char *missing;
	char *word = next_word(&l);
	int value = find_word(verbs, word);

	memset(ev, 0, sizeof(*ev));
	if (value < 0)
		return bad_line(&l, "not an event", word);
	ev->verb = (enum drbd_verb)value;
	word = next_word(&l);
	value = word ? find_word(objects, word) : -1;
	if (value < 0)
		return bad_line(&l, "not an object of DRBD", word ? word : "");
	ev->object = (enum drbd_object)value;
	if (!verb_fits(ev))
		return bad_line(&l, "this event does not happen to", word);
	while ((word = next_word(&l))) {
		int r = ev->object == DRBD_DUMP_END ? bad_line(&l, "more after \"exists -\"", word) :
						     read_pair(&l, word, ev);

		if (r)
			return r;
	}
	missing = missing_key(ev);
	return missing ? bad_line(&l, "a key is missing", missing) : 0;
}

void drbd_events_init(struct drbd_events *p)
{
	p->line_no = 0;
	p->len = 0;
	p->too_long = false;
}

int drbd_events_feed(struct drbd_events *p, const char *bytes, size_t len, size_t *used,
		     struct drbd_event *event, struct err *err)
{
	const char *nl = len ? memchr(bytes, '\n', len) : NULL;
	size_t part = nl ? (size_t)(nl - bytes) : len;
	struct line l = { .err = err };
	bool too_long;

	if (part > sizeof(p->line) - 1 - p->len) {
		p->too_long = true;
		part = sizeof(p->line) - 1 - p->len;
	}
	if (part)
		memcpy(p->line + p->len, bytes, part);
	p->len += part;
	*used = nl ? (size_t)(nl - bytes) + 1 : len;
	if (!nl)
		return 0;

	part = p->len;
	too_long = p->too_long;
	p->line[part] = '\0';
	p->len = 0;
	p->too_long = false;
	l.number = ++p->line_no;
	if (too_long) {
		p->line[40] = '\0';
		return bad_line(&l, "the line is too long", p->line);
	}
	if (!jf_is_printable(p->line, part))
		return bad_line(&l, "the line is not printable text", p->line);
	return parse_line(p->line, p->line_no, event, err) ? -EPROTO : 1;
}
