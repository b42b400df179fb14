/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "printable.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The length of the UTF-8 character at s and its value; 0: not one. */
static size_t decode(const unsigned char *s, uint32_t *value)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 :
		     s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0;

	if (len <= 1) {
		*value = s[0];
		return len;
	}
	*value = s[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*value = *value << 6 | (s[i] & 0x3f);
	}
	if (*value < least[len] || *value > 0x10ffff || (*value >= 0xd800 && *value < 0xe000))
		return 0;
	return len;
}

static bool is_safe(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	/* line and paragraph separators, directional marks, embeddings, isolates */
	return !(c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069));
}

void printable(char *text, bool lines)
{
	const unsigned char *in = (const unsigned char *)text;
	char *out = text;

	while (*in) {
		uint32_t c;
		size_t len = decode(in, &c);

		if (len && (is_safe(c) || (lines && (c == '\n' || c == '\t')))) {
			memmove(out, in, len);
			out += len;
		} else if (len && c == '\t') {
			*out++ = ' ';
		}
		in += len ? len : 1;
	}
	*out = '\0';
}

static json_t *printable_string(const json_t *value)
{
	char *copy = strdup(json_string_value(value));
	json_t *ret = NULL;

	if (copy) {
		printable(copy, false);
		ret = json_string(copy);
	}
	free(copy);
	return ret;
}

static json_t *printable_object(const json_t *value)
{
	json_t *copy = json_object(), *v;
	const char *key;

	json_object_foreach((json_t *)value, key, v) {
		if (json_object_set_new(copy, key, json_printable(v))) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}

static json_t *printable_array(const json_t *value)
{
	json_t *copy = json_array();

	for (size_t i = 0; i < json_array_size(value); i++) {
		if (json_array_append_new(copy, json_printable(json_array_get(value, i)))) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}

/* jansson bounds the depth of what it parses (2048). */
json_t *json_printable(const json_t *value)
{
	if (json_is_string(value))
		return printable_string(value);
	if (json_is_object(value))
		return printable_object(value);
	if (json_is_array(value))
		return printable_array(value);
	return json_incref((json_t *)value);
}
