/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "timeline.h"

#include <inttypes.h>
#include <string.h>

enum { LABELS = 15 + 1 + 8 + 1 + 9 + 1, BARS_LEAST = 20, BARS_MOST = 160 };

struct canvas {
	const struct timeline *t;
	const struct view *v;
	FILE *out;
	int width; /* of the bars */
};

static int column(const struct canvas *c, int64_t at)
{
	return (int)((double)(at - c->t->from) / (double)(c->t->to - c->t->from) * c->width);
}

static bool in_freeze(const struct canvas *c, int col)
{
	return c->t->freeze_to > c->t->freeze_from && col >= column(c, c->t->freeze_from) &&
	       col <= column(c, c->t->freeze_to) && col < c->width;
}

static enum view_tone bar_tone(const struct timeline_step *s)
{
	if (!s->done)
		return TONE_BAD;
	return s->node_index == 0 ? TONE_FIRST : s->node_index == 1 ? TONE_SECOND : TONE_PLAIN;
}

/* One character: a bar's, the freeze's, or none. */
static const char *mark(const struct canvas *c, const struct timeline_step *s, bool bar, bool freeze)
{
	if (bar && !s->done)
		return c->v->utf8 ? "▒" : "x";
	if (bar && s->skipped)
		return c->v->utf8 ? "▫" : "-";
	if (bar)
		return c->v->utf8 ? "█" : "#";
	if (freeze)
		return c->v->utf8 ? "·" : ".";
	return " ";
}

static void draw_bar(const struct canvas *c, const struct timeline_step *s)
{
	int first = column(c, s->start), last = column(c, s->end);
	int end = c->t->freeze_to > c->t->freeze_from ? column(c, c->t->freeze_to) : 0;
	bool coloured = false;

	if (first >= c->width)
		first = c->width - 1;
	/* A step ends where the next begins: its last column is only its own when it has no other. */
	if (last > first)
		last--;
	end = end < last ? last : end; /* no spaces behind it */
	for (int col = 0; col < c->width && col <= end; col++) {
		bool bar = col >= first && col <= last;

		if (bar && !coloured)
			fputs(view_on(c->v, bar_tone(s)), c->out);
		else if (!bar && coloured)
			fputs(view_off(c->v), c->out);
		coloured = bar;
		fputs(mark(c, s, bar, in_freeze(c, col)), c->out);
	}
	fputs(coloured ? view_off(c->v) : "", c->out);
}

/* "freeze 412 ms" over its columns, where it has room. */
static void draw_freeze_line(const struct canvas *c)
{
	int first = column(c, c->t->freeze_from), last = column(c, c->t->freeze_to), len, room, at;
	char label[VIEW_VALUE_MAX + 16], took[VIEW_VALUE_MAX];

	if (c->t->freeze_to <= c->t->freeze_from)
		return;
	len = snprintf(label, sizeof(label), " freeze %s%s ", c->t->freeze_open ? "> " : "",
		       view_duration(c->t->freeze_to - c->t->freeze_from, took));
	if (last >= c->width)
		last = c->width - 1;
	room = last - first - 1;
	at = room < len ? room : (room - len) / 2; /* no room: behind it */
	fprintf(c->out, "%*s|", LABELS + first, "");
	for (int i = 0; i < room; i++) {
		if (i == at) {
			fputs(label, c->out);
			i += len - 1;
		} else {
			fputc('-', c->out);
		}
	}
	label[len - 1] = '\0'; /* no space at the line's end */
	fprintf(c->out, "%s%s\n", last > first ? "|" : "", room < len ? label : "");
}

/* A tick label such as "400" or "0.5", in milliseconds. */
static int tick_text(char *buf, size_t size, int64_t at)
{
	if (at % 1000)
		return snprintf(buf, size, "%.1f", (double)at / 1000);
	return snprintf(buf, size, "%" PRId64, at / 1000);
}

static void draw_axis(const struct canvas *c)
{
	int64_t tick = timeline_tick(c->t->to - c->t->from, c->width / 9);
	int at = 0;

	fprintf(c->out, "%*s", LABELS, "");
	for (int64_t time = (c->t->from + tick - 1) / tick * tick; time <= c->t->to; time += tick) {
		char label[32];
		int col = column(c, time), len = tick_text(label, sizeof(label), time);

		if (col < at || col + len > c->width)
			continue;
		fprintf(c->out, "%*s%s", col - at, "", label);
		at = col + len;
	}
	fputs(" ms\n", c->out);
}

static void draw_legend(const struct canvas *c)
{
	static const char *const roles[] = { "source", "target" };

	fprintf(c->out, "%-*s", LABELS, "");
	for (int i = 0; i < 2; i++) {
		const char *name = js_text(c->t->entry, roles[i]);

		if (name[0])
			fprintf(c->out, "%s%s%s %s (%s)  ", view_on(c->v, i ? TONE_SECOND : TONE_FIRST),
				c->v->utf8 ? "█" : "#", view_off(c->v), name, roles[i]);
	}
	fprintf(c->out, "%s in the freeze\n", c->v->utf8 ? "·" : ".");
}

void timeline_text(FILE *out, const struct view *v, const struct timeline *t)
{
	struct canvas c = { t, v, out, v->width - LABELS - 4 };
	char when[VIEW_VALUE_MAX], took[VIEW_VALUE_MAX];

	c.width = c.width < BARS_LEAST ? BARS_LEAST : c.width > BARS_MOST ? BARS_MOST : c.width;
	fprintf(out, "%s, epoch %" PRId64 ", by %s\n", view_time(js_text(t->entry, "began"), when),
		js_int(t->entry, "epoch"), js_text(t->entry, "requested_by")[0] ? js_text(t->entry, "requested_by") : "nasd");
	view_entry_summary(out, v, t->entry);
	fputc('\n', out);
	draw_freeze_line(&c);
	for (size_t i = 0; i < t->n; i++) {
		const struct timeline_step *s = &t->steps[i];

		fprintf(out, "%-15.15s %-8.8s %9s ", s->name, s->node[0] ? s->node : "-", view_duration(s->duration, took));
		draw_bar(&c, s);
		if (!s->done)
			fprintf(out, " %s%s%s", view_on(v, TONE_BAD), s->outcome, view_off(v));
		fputc('\n', out);
	}
	draw_axis(&c);
	draw_legend(&c);
	for (size_t i = 0; i < t->n; i++)
		if (!t->steps[i].done)
			fprintf(out, "%s on %s: %s: %s\n", t->steps[i].name, t->steps[i].node, t->steps[i].outcome,
				t->steps[i].message);
}
