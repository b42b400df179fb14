/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nasd answers, as text for people. Pure: JSON in, text out. The strings
 * in the JSON must be safe for a terminal (json_printable in ask.h); fields that
 * are missing or of another type read as empty, zero or false.
 */
#ifndef NASD_CTL_VIEW_H
#define NASD_CTL_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

struct view {
	int width;   /* columns */
	bool colour; /* SGR sequences */
	bool utf8;   /* block characters */
};

enum view_tone { TONE_PLAIN, TONE_GOOD, TONE_WARN, TONE_BAD, TONE_DIM, TONE_STRONG, TONE_FIRST, TONE_SECOND };

/* The sequence that begins a tone; "" without colour. */
const char *view_on(const struct view *v, enum view_tone tone);
const char *view_off(const struct view *v);

/* ---- values */
const char *js_text(const json_t *obj, const char *key); /* never NULL */
int64_t js_int(const json_t *obj, const char *key);
bool js_true(const json_t *obj, const char *key);

enum { VIEW_VALUE_MAX = 48 };

/* "850 us", "3.1 ms", "412 ms", "1.93 s", "4 min 12 s", "2 h 3 min", "5 d 2 h" */
const char *view_duration(int64_t us, char buf[VIEW_VALUE_MAX]);
/* "0 B", "1.5 MiB" */
const char *view_bytes(int64_t bytes, char buf[VIEW_VALUE_MAX]);
/* "2026-11-22T10:00:00.000Z" as "2026-11-22 10:00:00 UTC"; anything else as it is. */
const char *view_time(const char *iso, char buf[VIEW_VALUE_MAX]);

/* ---- answers */
void view_status(FILE *out, const struct view *v, const json_t *status);
/* What is wrong with a group, for view_status. */
void view_alarms(FILE *out, const struct view *v, const json_t *status, const json_t *group);
void view_findings(FILE *out, const struct view *v, const json_t *findings);
void view_plan(FILE *out, const struct view *v, const json_t *steps);
/* The story's newlines stay. */
void view_fence_status(FILE *out, const struct view *v, const json_t *fence);
void view_fence_check(FILE *out, const struct view *v, const json_t *check);
void view_history(FILE *out, const struct view *v, const json_t *entries);

/* One line for a step that ended, and for what became of it all. */
void view_step_head(FILE *out, const struct view *v);
void view_step(FILE *out, const struct view *v, const json_t *step);
void view_entry_summary(FILE *out, const struct view *v, const json_t *entry);

#endif
