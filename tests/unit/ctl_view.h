/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nasctl's views print of canned answers. */
#ifndef TESTS_UNIT_CTL_VIEW_H
#define TESTS_UNIT_CTL_VIEW_H

#include <check.h>
#include <stdlib.h>

#include "view.h"

static const struct view plain = { .width = 100 };

static inline json_t *parse(const char *text)
{
	json_t *o = json_loads(text, JSON_DECODE_ANY, NULL);

	ck_assert_msg(o != NULL, "not JSON: %s", text);
	return o;
}

/* What a view prints of some JSON; the caller frees it. */
static inline char *shown(void (*view)(FILE *, const struct view *, const json_t *), const struct view *v,
			  const char *text)
{
	json_t *o = parse(text);
	char *buf = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&buf, &len);

	view(f, v, o);
	fclose(f);
	json_decref(o);
	return buf;
}

/* Frees what was got. */
static inline void expect(char *got, const char *want)
{
	ck_assert_str_eq(got, want);
	free(got);
}

#endif
