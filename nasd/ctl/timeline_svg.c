/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timeline as an SVG: a row per step, stages in the left margin, bars in
 * the colour of the node that ran them, the freeze shaded, the commitment a
 * dashed line, the axis in milliseconds. Stands alone, no script, no style sheet.
 */
#include "timeline.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum {
	WIDTH = 1080,
	LEFT = 262,    /* where the bars begin */
	RIGHT = 100,   /* room behind them for the last duration */
	PLOT = WIDTH - LEFT - RIGHT,
	TOP = 118,
	ROW = 24,
	BAR = 14,
	BOTTOM = 58,
	STAGE_X = 24,
	NAME_X = 250,
};

#define HALO "font-size=\"12\" paint-order=\"stroke\" stroke=\"#ffffff\" stroke-width=\"3\" stroke-opacity=\"0.7\""

static const char INK[] = "#1f2933", FAINT[] = "#7b8794", GRID[] = "#e4e7eb", STRIPE[] = "#f7f9fb",
		  FREEZE[] = "#fde8e4", FREEZE_INK[] = "#c2410c", BAD[] = "#d92d20";
static const char *const NODE_COLOURS[] = { "#2f6fde", "#12936a", "#8a6fd1" };

struct picture {
	const struct timeline *t;
	FILE *out;
	int height;
};

static double x_of(const struct picture *p, int64_t at)
{
	return LEFT + (double)(at - p->t->from) / (double)(p->t->to - p->t->from) * PLOT;
}

static void escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&': fputs("&amp;", out); break;
		case '<': fputs("&lt;", out); break;
		case '>': fputs("&gt;", out); break;
		case '"': fputs("&quot;", out); break;
		default: fputc(*text, out);
		}
	}
}

/* One text element; its content is escaped. */
static void label(const struct picture *p, double x, double y, const char *style, const char *fill, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

static void label(const struct picture *p, double x, double y, const char *style, const char *fill, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\" %s>", x, y, fill, style);
	escaped(p->out, text);
	fputs("</text>\n", p->out);
}

static void line(const struct picture *p, double x1, double y1, double x2, double y2, const char *stroke, const char *more)
{
	fprintf(p->out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" %s/>\n", x1, y1, x2, y2,
		stroke, more);
}

static void box(const struct picture *p, double x, double y, double w, double h, const char *fill, const char *more)
{
	fprintf(p->out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" %s/>\n", x, y, w, h, fill,
		more);
}

static double rows_end(const struct picture *p)
{
	return TOP + (double)p->t->n * ROW;
}

/* ---- parts, from back to front */

static void draw_head(const struct picture *p)
{
	const json_t *e = p->t->entry;
	const char *source = js_text(e, "source"), *target = js_text(e, "target"), *result = js_text(e, "result");
	char when[VIEW_VALUE_MAX], total[VIEW_VALUE_MAX];
	double x = WIDTH - 24;

	label(p, STAGE_X, 36, "font-size=\"19\" font-weight=\"600\"", INK, "%s of %s%s%s%s%s", js_text(e, "kind"),
	      js_text(e, "group"), source[0] ? " from " : "", source, target[0] ? " to " : "", target);
	label(p, STAGE_X, 58, "font-size=\"13\"", FAINT, "%s, epoch %" PRId64 ", total %s",
	      view_time(js_text(e, "began"), when), js_int(e, "epoch"), view_duration(js_int(e, "total_us"), total));
	label(p, x, 36, "font-size=\"15\" font-weight=\"600\" text-anchor=\"end\"",
	      !strcmp(result, "done") ? NODE_COLOURS[1] : !strcmp(result, "failed") ? BAD : FREEZE_INK, "%s", result);
	for (int i = 1; i >= 0; i--) {
		const char *name = i ? target : source;

		if (!name[0])
			continue;
		label(p, x, 58, "font-size=\"13\" text-anchor=\"end\"", INK, "%s (%s)", name, i ? "target" : "source");
		x -= 7.2 * (double)(strlen(name) + 9) + 14;
		box(p, x, 48, 11, 11, NODE_COLOURS[i], "rx=\"2\"");
		x -= 18;
	}
}

static void draw_stripes(const struct picture *p)
{
	const char *stage = "";
	bool dark = false;

	for (size_t i = 0; i < p->t->n; i++) {
		const char *own = p->t->steps[i].stage;
		double y = TOP + (double)i * ROW;

		bool begins = strcmp(own, stage) != 0;

		stage = own;
		dark = begins ? !dark : dark;
		if (dark)
			box(p, 16, y, WIDTH - 32, ROW, STRIPE, "");
		if (begins)
			label(p, STAGE_X, y + 16.5, "font-size=\"12\" font-weight=\"600\"", FAINT, "%s", own);
	}
}

static void draw_freeze(const struct picture *p)
{
	const struct timeline *t = p->t;
	double x1 = x_of(p, t->freeze_from), x2 = x_of(p, t->freeze_to), middle = (x1 + x2) / 2;
	char took[VIEW_VALUE_MAX];

	if (t->freeze_to <= t->freeze_from)
		return;
	box(p, x1, TOP - 8, x2 - x1 < 2 ? 2 : x2 - x1, rows_end(p) - TOP + 12, FREEZE, "fill-opacity=\"0.75\"");
	line(p, x1, TOP - 8, x2, TOP - 8, FREEZE_INK, "stroke-width=\"2\"");
	/* the words stay inside of the picture */
	middle = middle < LEFT + 50 ? LEFT + 50 : middle > WIDTH - 80 ? WIDTH - 80 : middle;
	label(p, middle, TOP - 15, "font-size=\"13\" font-weight=\"600\" text-anchor=\"middle\"", FREEZE_INK, "freeze %s%s",
	      t->freeze_open ? "> " : "", view_duration(t->freeze_to - t->freeze_from, took));
}

static void draw_axis(const struct picture *p)
{
	const struct timeline *t = p->t;
	int64_t tick = timeline_tick(t->to - t->from, 10);
	double y = rows_end(p) + 4;

	for (int64_t at = (t->from + tick - 1) / tick * tick; at <= t->to; at += tick) {
		double x = x_of(p, at);

		line(p, x, TOP - 4, x, y, GRID, "stroke-width=\"1\"");
		if (at % 1000)
			label(p, x, y + 18, "font-size=\"12\" text-anchor=\"middle\"", FAINT, "%.1f", (double)at / 1000);
		else
			label(p, x, y + 18, "font-size=\"12\" text-anchor=\"middle\"", FAINT, "%" PRId64, at / 1000);
	}
	line(p, LEFT, y, LEFT + PLOT, y, FAINT, "stroke-width=\"1\"");
	label(p, LEFT + PLOT + 12, y + 4, "font-size=\"12\"", FAINT, "ms");
	label(p, LEFT, y + 38, "font-size=\"12\"", FAINT,
	      "Milliseconds since the move began. In the freeze, requests wait at the clients.%s",
	      t->commit < 0 ? "" : " Dashed: the commitment.");
}

static void draw_commit(const struct picture *p)
{
	double x = x_of(p, p->t->commit), end = rows_end(p) + 4;

	if (p->t->commit < 0)
		return;
	line(p, x, TOP - 4, x, end, FAINT, "stroke-width=\"1.2\" stroke-dasharray=\"4 3\"");
}

static void draw_step(const struct picture *p, size_t i)
{
	const struct timeline_step *s = &p->t->steps[i];
	double y = TOP + (double)i * ROW, x1 = x_of(p, s->start), x2 = x_of(p, s->end);
	const char *colour = s->done ? NODE_COLOURS[s->node_index] : BAD;
	bool left_side;
	char took[VIEW_VALUE_MAX];

	label(p, NAME_X - 74, y + 16.5, "font-size=\"13\" text-anchor=\"end\"", INK, "%.18s", s->name);
	label(p, NAME_X, y + 16.5, "font-size=\"12\" text-anchor=\"end\"", s->node[0] ? NODE_COLOURS[s->node_index] : FAINT,
	      "%.10s", s->node[0] ? s->node : "-");
	fprintf(p->out, "<g><title>");
	escaped(p->out, s->name);
	fprintf(p->out, ", %s%s", s->outcome, s->message[0] ? ": " : "");
	escaped(p->out, s->message);
	fprintf(p->out, "</title>\n");
	box(p, x1, y + (ROW - BAR) / 2.0, x2 - x1 < 2.5 ? 2.5 : x2 - x1, BAR, colour,
	    s->skipped ? "rx=\"2\" fill-opacity=\"0.35\"" : "rx=\"2\"");
	fputs("</g>\n", p->out);
	left_side = x2 > WIDTH - RIGHT - 60 && x1 > LEFT + 90;
	/* a halo keeps the number readable where lines cross it */
	label(p, left_side ? x1 - 6 : (x2 - x1 < 2.5 ? x1 + 2.5 : x2) + 6, y + 16.5,
	      left_side ? HALO " text-anchor=\"end\"" : HALO, s->done ? INK : BAD, "%s%s%s",
	      view_duration(s->duration, took), s->done ? "" : " ", s->done ? "" : s->outcome);
}

void timeline_svg(FILE *out, const struct timeline *t)
{
	struct picture p = { t, out, TOP + (int)t->n * ROW + BOTTOM };

	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		     "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
		     "font-family=\"Inter, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif\">\n",
		WIDTH, p.height, WIDTH, p.height);
	box(&p, 0, 0, WIDTH, p.height, "#ffffff", "");
	draw_stripes(&p);
	draw_freeze(&p);
	draw_axis(&p);
	draw_commit(&p);
	for (size_t i = 0; i < t->n; i++)
		draw_step(&p, i);
	draw_head(&p);
	fputs("</svg>\n", out);
}
