/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structs as strict JSON objects, described by a table with one row per field.
 * Private to nasd/wire: what other rooms need is in json_model.h and friends.
 */
#ifndef NASD_WIRE_JSON_FIELD_H
#define NASD_WIRE_JSON_FIELD_H

#include <jansson.h>
#include <stddef.h>

#include "model.h"

enum jf_kind {
	JF_BOOL,
	JF_U64,   /* uint64_t up to INT64_MAX */
	JF_I64,
	JF_UINT,
	JF_INT,   /* 0 to INT_MAX */
	JF_NODE,  /* int: -1, 0 or 1 */
	JF_NAME,  /* char[]: letters, digits, '_', '-', '.'; not empty */
	JF_NAME0, /* the same or empty */
	JF_TEXT,  /* char[]: for people; made printable when written */
	JF_EXACT, /* char[]: printable UTF-8, refused otherwise */
	JF_LINES, /* char[]: the same, and newlines */
	JF_ENUM,  /* an enum's names */
	JF_OBJECT,
	JF_ARRAY, /* of objects */
};

struct jf_table;

struct jf {
	const char *name;
	enum jf_kind kind;
	size_t offset; /* of the member in its struct */
	size_t size;   /* of the member; JF_ARRAY: of one element */
	/* JF_ENUM: the names of the values first to last */
	const char *(*word)(unsigned value);
	unsigned first, last;
	/* JF_OBJECT and JF_ARRAY */
	const struct jf_table *sub;
	size_t count_offset;            /* JF_ARRAY: of the unsigned with the number in use */
	unsigned count_max;
	bool (*present)(const void *member); /* JF_OBJECT: when not, it is null; may be NULL */
};

struct jf_table {
	const struct jf *rows;
	size_t n;
};

#define JF_ROW(type, member, key, kind_) \
	{ .name = (key), .kind = (kind_), .offset = offsetof(struct type, member), \
	  .size = sizeof(((struct type *)NULL)->member) }
#define JF_ROW_ENUM(type, member, key, word_, first_, last_) \
	{ .name = (key), .kind = JF_ENUM, .offset = offsetof(struct type, member), \
	  .size = sizeof(((struct type *)NULL)->member), .word = (word_), .first = (first_), .last = (last_) }
#define JF_ROW_OBJECT(type, member, key, sub_, present_) \
	{ .name = (key), .kind = JF_OBJECT, .offset = offsetof(struct type, member), \
	  .size = sizeof(((struct type *)NULL)->member), .sub = (sub_), .present = (present_) }
#define JF_ROW_ARRAY(type, member, count, key, sub_, max_) \
	{ .name = (key), .kind = JF_ARRAY, .offset = offsetof(struct type, member), \
	  .size = sizeof(((struct type *)NULL)->member[0]), .sub = (sub_), \
	  .count_offset = offsetof(struct type, count), .count_max = (max_) }
#define JF_TABLE(rows_) { (rows_), sizeof(rows_) / sizeof((rows_)[0]) }

/* A new object, or NULL with err filled (where: the field; err may be NULL). */
json_t *jf_write(const struct jf_table *t, const void *base, struct err *err);

/*
 * Fills base, which the caller has zeroed. Exactly the table's fields must be
 * there. 0, or -EPROTO with err filled (where: the field).
 */
int jf_read(const struct jf_table *t, const json_t *obj, void *base, struct err *err);

/* Puts "prefix" and, when where is not empty, sep before err->where. */
void jf_err_prefix(struct err *err, const char *prefix, const char *sep);

/* Copies text so that only printable UTF-8 is left; always terminated. */
void jf_clean_text(char *dst, size_t size, const char *src);

/* Whether the len bytes are UTF-8 without control characters. */
bool jf_is_printable(const char *s, size_t len);

/* Whether the len bytes are a JF_NAME. */
bool jf_is_name(const char *s, size_t len);

/*
 * Parses one JSON object; NULL with err filled (where as given) when the text
 * is anything else. Duplicate keys are refused.
 */
json_t *jf_parse_object(const char *text, size_t len, const char *where, int errnum, struct err *err);

#endif
