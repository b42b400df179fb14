/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN_PERCENT = 6 };

/* No move takes longer; anything else in the JSON is not a time. */
static const int64_t LONGEST = INT64_C(86400) * 1000000;

static int64_t bounded(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

static void read_step(struct timeline_step *s, const json_t *entry, const json_t *o)
{
	s->name = js_text(o, "name");
	s->stage = js_text(o, "stage");
	s->node = js_text(o, "node");
	s->message = js_text(o, "message");
	s->outcome = js_text(o, "outcome");
	s->done = !strcmp(s->outcome, "done");
	s->skipped = js_true(o, "skipped");
	s->node_index = !strcmp(s->node, js_text(entry, "target")) ? 1 : !strcmp(s->node, js_text(entry, "source")) ? 0 : 2;
	s->start = bounded(js_int(o, "start_us"), 0, LONGEST);
	s->duration = bounded(js_int(o, "duration_us"), 0, LONGEST);
	s->end = s->start + s->duration;
}

static int by_start(const void *a, const void *b)
{
	const struct timeline_step *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	return 0;
}

/*
 * As core/switch_log.c counts it: from the last gate, or address-del that did
 * something without one, to the end of the announce behind it; up to the end when there was none.
 */
static void find_freeze(struct timeline *t)
{
	bool began = false, gated = false;
	int64_t end = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct timeline_step *s = &t->steps[i];

		if (!strcmp(s->name, "gate") && s->done) {
			t->freeze_from = s->start;
			began = gated = true;
			end = 0;
		} else if (!strcmp(s->name, "address-del") && !s->skipped) {
			if (!gated) {
				t->freeze_from = s->start;
				end = 0;
			}
			began = true;
			gated = false;
		} else if (began && !strcmp(s->name, "announce") && s->done) {
			end = s->end;
		}
	}
	t->freeze_open = began && !end;
	t->freeze_to = !began ? t->freeze_from : end ? end : t->to;
}

static void find_commit(struct timeline *t)
{
	t->commit = -1;
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->steps[i].name, "commit") && t->steps[i].done && !strcmp(js_text(t->entry, "result"), "done"))
			t->commit = t->steps[i].end;
}

/* Leaves the window around the freeze. */
static void narrow(struct timeline *t)
{
	int64_t margin = (t->freeze_to - t->freeze_from) * MARGIN_PERCENT / 100 + 1;
	size_t n = 0;

	t->from = bounded(t->freeze_from - margin, 0, t->from + LONGEST);
	t->to = t->freeze_to + margin;
	for (size_t i = 0; i < t->n; i++) {
		struct timeline_step s = t->steps[i];

		if (s.end < t->freeze_from || s.start > t->freeze_to)
			continue;
		s.start = bounded(s.start, t->from, t->to);
		s.end = bounded(s.end, t->from, t->to);
		t->steps[n++] = s;
	}
	t->n = n;
	if (t->commit < t->from || t->commit > t->to)
		t->commit = -1;
}

int timeline_read(struct timeline *t, const json_t *entry, bool freeze_only)
{
	const json_t *steps = json_object_get(entry, "steps");

	memset(t, 0, sizeof(*t));
	t->entry = entry;
	t->to = bounded(js_int(entry, "total_us"), 1, LONGEST);
	for (size_t i = 0; i < json_array_size(steps) && t->n < TIMELINE_STEPS_MAX; i++) {
		struct timeline_step *s = &t->steps[t->n++];

		read_step(s, entry, json_array_get(steps, i));
		if (s->end > t->to)
			t->to = s->end;
	}
	qsort(t->steps, t->n, sizeof(*t->steps), by_start);
	find_freeze(t);
	find_commit(t);
	if (freeze_only && t->freeze_to > t->freeze_from)
		narrow(t);
	else if (freeze_only)
		return -EINVAL;
	return t->n ? 0 : -EINVAL;
}

int64_t timeline_tick(int64_t span, int most)
{
	int64_t unit = 100;

	for (;;) {
		static const int factors[] = { 1, 2, 5 };

		for (size_t i = 0; i < sizeof(factors) / sizeof(*factors); i++)
			if (span / (unit * factors[i]) <= most)
				return unit * factors[i];
		unit *= 10;
	}
}
