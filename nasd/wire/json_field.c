/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json_field.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_LONGEST = 2048 };

/* ---- text */

/* The length of the printable character at s, 0 when there is none. */
static size_t printable_at(const unsigned char *s, size_t len)
{
	uint32_t c;
	size_t n;

	if (!len)
		return 0;
	if (s[0] < 0x80)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (len < n)
		return 0;
	c = s[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	if (c < 0xa0 || (n == 3 && c < 0x800) || (n == 4 && c < 0x10000))
		return 0; /* C1 controls, overlong forms */
	if ((c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	return n;
}

bool jf_is_printable(const char *s, size_t len)
{
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = printable_at((const unsigned char *)s + i, len - i);
		if (!n)
			return false;
	}
	return true;
}

/* Printable text in lines. */
static bool is_lines(const char *s, size_t len)
{
	while (len) {
		const char *nl = memchr(s, '\n', len);
		size_t n = nl ? (size_t)(nl - s) : len;

		if (!jf_is_printable(s, n))
			return false;
		s += n + (nl ? 1 : 0);
		len -= n + (nl ? 1 : 0);
	}
	return true;
}

void jf_clean_text(char *dst, size_t size, const char *src)
{
	size_t len = strlen(src), at = 0, n;

	for (size_t i = 0; i < len; i += n) {
		n = printable_at((const unsigned char *)src + i, len - i);
		if (at + (n ? n : 1) >= size)
			break;
		if (n) {
			memcpy(dst + at, src + i, n);
			at += n;
		} else {
			dst[at++] = '?';
			n = 1;
		}
	}
	if (size)
		dst[at] = '\0';
}

bool jf_is_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool alnum = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
			     (s[i] >= '0' && s[i] <= '9');

		if (!alnum && s[i] != '_' && s[i] != '-' && s[i] != '.')
			return false;
	}
	return len > 0;
}

/* ---- errors */

void jf_err_prefix(struct err *err, const char *prefix, const char *sep)
{
	char where[ERR_WHERE_MAX];

	if (!err)
		return;
	memcpy(where, err->where, sizeof(where));
	snprintf(err->where, sizeof(err->where), "%s%s%.100s", prefix,
		 where[0] && where[0] != '[' ? sep : "", where);
}

static int bad(struct err *err, const struct jf *f, const char *what)
{
	return err_set(err, ERR_INPUT, EPROTO, f->name, "%s", what);
}

json_t *jf_parse_object(const char *text, size_t len, const char *where, int errnum, struct err *err)
{
	json_error_t je;
	char clean[JSON_ERROR_TEXT_LENGTH];
	json_t *obj = json_loadb(text, len, JSON_REJECT_DUPLICATES, &je);

	if (!obj) {
		jf_clean_text(clean, sizeof(clean), je.text);
		err_set(err, ERR_INPUT, errnum, where, "not valid JSON at byte %d: %s", je.position, clean);
		return NULL;
	}
	if (!json_is_object(obj)) {
		json_decref(obj);
		err_set(err, ERR_INPUT, errnum, where, "not a JSON object");
		return NULL;
	}
	return obj;
}

/* ---- writing */

static json_t *write_text(const struct jf *f, const char *s, struct err *err)
{
	char clean[TEXT_LONGEST];
	size_t len = strnlen(s, f->size);

	if (len == f->size || (f->kind == JF_TEXT && len >= sizeof(clean))) {
		bad(err, f, "text is not terminated");
		return NULL;
	}
	if (f->kind == JF_TEXT) {
		jf_clean_text(clean, sizeof(clean), s);
		return json_string(clean);
	}
	if (f->kind == JF_EXACT || f->kind == JF_LINES) {
		if (f->kind == JF_EXACT ? jf_is_printable(s, len) : is_lines(s, len))
			return json_string(s);
		bad(err, f, "not printable UTF-8");
		return NULL;
	}
	if (jf_is_name(s, len) || (f->kind == JF_NAME0 && !len))
		return json_string(s);
	bad(err, f, "not a name");
	return NULL;
}

static json_t *write_number(const struct jf *f, const void *m, struct err *err)
{
	uint64_t u = 0;
	int64_t v = 0;
	int i = 0;
	unsigned ui = 0;

	if (f->kind == JF_U64) {
		memcpy(&u, m, sizeof(u));
		if (u > INT64_MAX) {
			bad(err, f, "the number is too large");
			return NULL;
		}
		v = (int64_t)u;
	} else if (f->kind == JF_I64) {
		memcpy(&v, m, sizeof(v));
	} else if (f->kind == JF_UINT) {
		memcpy(&ui, m, sizeof(ui));
		v = ui;
	} else {
		memcpy(&i, m, sizeof(i));
		v = i;
		if (f->kind == JF_NODE ? i < -1 || i > 1 : i < 0) {
			bad(err, f, "the number is out of range");
			return NULL;
		}
	}
	return json_integer(v);
}

static json_t *write_array(const struct jf *f, const void *base, struct err *err)
{
	json_t *arr = json_array();
	unsigned n;

	memcpy(&n, (const char *)base + f->count_offset, sizeof(n));
	if (n > f->count_max) {
		bad(err, f, "too many elements");
		json_decref(arr);
		return NULL;
	}
	for (unsigned i = 0; arr && i < n; i++) {
		json_t *e = jf_write(f->sub, (const char *)base + f->offset + i * f->size, err);

		if (!e || json_array_append_new(arr, e)) {
			jf_err_prefix(err, f->name, ".");
			json_decref(arr);
			return NULL;
		}
	}
	return arr;
}

static json_t *write_enum(const struct jf *f, const void *m, struct err *err)
{
	unsigned v;

	memcpy(&v, m, sizeof(v));
	if (v < f->first || v > f->last) {
		bad(err, f, "the value has no name");
		return NULL;
	}
	return json_string(f->word(v));
}

static json_t *write_value(const struct jf *f, const void *base, struct err *err)
{
	const char *m = (const char *)base + f->offset;
	json_t *sub;

	switch (f->kind) {
	case JF_BOOL: return json_boolean(*(const bool *)m);
	case JF_U64:
	case JF_I64:
	case JF_UINT:
	case JF_INT:
	case JF_NODE: return write_number(f, m, err);
	case JF_NAME:
	case JF_NAME0:
	case JF_TEXT:
	case JF_EXACT:
	case JF_LINES: return write_text(f, m, err);
	case JF_ENUM: return write_enum(f, m, err);
	case JF_ARRAY: return write_array(f, base, err);
	case JF_OBJECT:
		if (f->present && !f->present(m))
			return json_null();
		sub = jf_write(f->sub, m, err);
		if (!sub)
			jf_err_prefix(err, f->name, ".");
		return sub;
	}
	return NULL;
}

json_t *jf_write(const struct jf_table *t, const void *base, struct err *err)
{
	struct err own = { 0 };
	json_t *obj = json_object();

	for (size_t i = 0; obj && i < t->n; i++) {
		json_t *v = write_value(&t->rows[i], base, &own);

		if (!v || json_object_set_new(obj, t->rows[i].name, v)) {
			json_decref(obj);
			obj = NULL;
		}
	}
	if (!obj) {
		if (own.cls == ERR_NONE)
			err_set(&own, ERR_SYSTEM, ENOMEM, "", "cannot build a JSON value");
		if (err)
			*err = own;
	}
	return obj;
}

/* ---- reading */

static int read_text(const struct jf *f, const json_t *v, char *m, struct err *err)
{
	const char *s = json_string_value(v);
	size_t len = json_string_length(v);

	if (!s)
		return bad(err, f, "a string is wanted");
	if (len >= f->size)
		return err_set(err, ERR_INPUT, EPROTO, f->name, "longer than %zu bytes", f->size - 1);
	if (f->kind == JF_TEXT || f->kind == JF_EXACT || f->kind == JF_LINES) {
		if (f->kind == JF_LINES ? !is_lines(s, len) : !jf_is_printable(s, len))
			return bad(err, f, "has control characters");
	} else if (!jf_is_name(s, len) && !(f->kind == JF_NAME0 && !len)) {
		return bad(err, f, "not a name (letters, digits, '_', '-', '.')");
	}
	memcpy(m, s, len + 1);
	return 0;
}

static int read_number(const struct jf *f, const json_t *v, void *m, struct err *err)
{
	json_int_t n = json_integer_value(v);
	bool node = f->kind == JF_NODE, is_signed = f->kind == JF_I64;

	if (!json_is_integer(v))
		return bad(err, f, "an integer is wanted");
	if ((!is_signed && n < (node ? -1 : 0)) || (node && n > 1) || (f->kind == JF_INT && n > INT_MAX) ||
	    (f->kind == JF_UINT && n > (json_int_t)UINT_MAX))
		return err_set(err, ERR_INPUT, EPROTO, f->name, "%lld is out of range", (long long)n);
	if (f->kind == JF_U64 || f->kind == JF_I64) {
		memcpy(m, &(int64_t){ n }, sizeof(int64_t));
	} else if (f->kind == JF_UINT) {
		memcpy(m, &(unsigned){ (unsigned)n }, sizeof(unsigned));
	} else {
		memcpy(m, &(int){ (int)n }, sizeof(int));
	}
	return 0;
}

static int read_enum(const struct jf *f, const json_t *v, void *m, struct err *err)
{
	const char *s = json_string_value(v);
	char clean[NAME_MAX_LEN];

	if (!s)
		return bad(err, f, "a string is wanted");
	for (unsigned i = f->first; i <= f->last; i++) {
		if (!strcmp(s, f->word(i))) {
			memcpy(m, &i, sizeof(i));
			return 0;
		}
	}
	jf_clean_text(clean, sizeof(clean), s);
	return err_set(err, ERR_INPUT, EPROTO, f->name, "unknown word \"%s\"", clean);
}

static int read_array(const struct jf *f, const json_t *v, char *base, struct err *err)
{
	size_t n = json_array_size(v);

	if (!json_is_array(v))
		return bad(err, f, "an array is wanted");
	if (n > f->count_max)
		return err_set(err, ERR_INPUT, EPROTO, f->name, "more than %u elements", f->count_max);
	for (size_t i = 0; i < n; i++) {
		int r = jf_read(f->sub, json_array_get(v, i), base + f->offset + i * f->size, err);

		if (r) {
			char at[ERR_WHERE_MAX];

			snprintf(at, sizeof(at), "%s[%zu]", f->name, i);
			jf_err_prefix(err, at, ".");
			return r;
		}
	}
	memcpy(base + f->count_offset, &(unsigned){ (unsigned)n }, sizeof(unsigned));
	return 0;
}

static int read_value(const struct jf *f, const json_t *v, char *base, struct err *err)
{
	char *m = base + f->offset;
	int r;

	switch (f->kind) {
	case JF_BOOL:
		if (!json_is_boolean(v))
			return bad(err, f, "true or false is wanted");
		*(bool *)m = json_is_true(v);
		return 0;
	case JF_U64:
	case JF_I64:
	case JF_UINT:
	case JF_INT:
	case JF_NODE: return read_number(f, v, m, err);
	case JF_NAME:
	case JF_NAME0:
	case JF_TEXT:
	case JF_EXACT:
	case JF_LINES: return read_text(f, v, m, err);
	case JF_ENUM: return read_enum(f, v, m, err);
	case JF_ARRAY: return read_array(f, v, base, err);
	case JF_OBJECT:
		if (f->present && json_is_null(v))
			return 0;
		r = jf_read(f->sub, v, m, err);
		if (r)
			jf_err_prefix(err, f->name, ".");
		else if (f->present && !f->present(m))
			r = bad(err, f, "is empty; null is wanted then");
		return r;
	}
	return bad(err, f, "the table is wrong");
}

static bool has_row(const struct jf_table *t, const char *key)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->rows[i].name, key))
			return true;
	return false;
}

int jf_read(const struct jf_table *t, const json_t *obj, void *base, struct err *err)
{
	const char *key;
	json_t *v;

	if (!json_is_object(obj))
		return err_set(err, ERR_INPUT, EPROTO, "", "an object is wanted");
	json_object_foreach((json_t *)obj, key, v) {
		char clean[NAME_MAX_LEN];

		jf_clean_text(clean, sizeof(clean), key);
		if (!has_row(t, key))
			return err_set(err, ERR_INPUT, EPROTO, "", "unknown field \"%s\"", clean);
	}
	for (size_t i = 0; i < t->n; i++) {
		v = json_object_get(obj, t->rows[i].name);
		if (!v)
			return bad(err, &t->rows[i], "the field is missing");
		int r = read_value(&t->rows[i], v, base, err);

		if (r)
			return r;
	}
	return 0;
}
