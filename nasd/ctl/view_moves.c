/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preconditions, plans, steps and moves. */
#include "view.h"

#include <string.h>

#include "table.h"

static const char *or_dash(const char *s)
{
	return s[0] ? s : "-";
}

void view_findings(FILE *out, const struct view *v, const json_t *findings)
{
	for (size_t i = 0; i < json_array_size(findings); i++) {
		const json_t *f = json_array_get(findings, i);
		const char *node = js_text(f, "node");
		bool ok = js_true(f, "ok");

		fprintf(out, "%s%-4s%s  %-22s %-8s %s\n", view_on(v, ok ? TONE_GOOD : TONE_BAD), ok ? "ok" : "FAIL",
			view_off(v), js_text(f, "check"), or_dash(node), js_text(f, "message"));
		if (!ok && js_text(f, "remedy")[0])
			fprintf(out, "      %sremedy:%s %s\n", view_on(v, TONE_STRONG), view_off(v), js_text(f, "remedy"));
	}
}

void view_plan(FILE *out, const struct view *v, const json_t *steps)
{
	const char *last = "";
	struct table t = { 0 };
	char deadline[VIEW_VALUE_MAX];

	table_add(&t, "%sSTAGE\tSTEP\tWHERE\tDEADLINE\tUNDO\tWHAT%s", view_on(v, TONE_STRONG), view_off(v));
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *s = json_array_get(steps, i);
		const char *stage = js_text(s, "stage");

		table_add(&t, "%s\t%s\t%s\t%s\t%s\t%s", strcmp(stage, last) ? stage : "", js_text(s, "name"),
			  js_text(s, "side"), view_duration(js_int(s, "deadline_ms") * 1000, deadline),
			  or_dash(js_text(s, "undo")), js_text(s, "help"));
		last = stage;
	}
	table_print(&t, out, "");
}

/* ---- a move's steps as they end */

/* What the step came to, in a few words. */
static const char *step_word(const json_t *step)
{
	if (js_true(step, "skipped"))
		return "in place";
	return js_text(step, "outcome");
}

static enum view_tone step_tone(const json_t *step)
{
	const char *outcome = js_text(step, "outcome");

	if (!strcmp(outcome, "done"))
		return js_true(step, "skipped") ? TONE_DIM : TONE_GOOD;
	return !strcmp(outcome, "unknown") ? TONE_WARN : TONE_BAD;
}

void view_step_head(FILE *out, const struct view *v)
{
	fprintf(out, "%s%10s  %-11s %-15s %-8s %9s  %s%s\n", view_on(v, TONE_STRONG), "AT", "STAGE", "STEP", "NODE",
		"TOOK", "OUTCOME", view_off(v));
}

void view_step(FILE *out, const struct view *v, const json_t *step)
{
	char at[VIEW_VALUE_MAX], took[VIEW_VALUE_MAX];
	int64_t start = js_int(step, "start_us");
	const char *message = js_text(step, "message");

	fprintf(out, "%10s  %-11s %-15s %-8s %9s  %s%s%s%s%s\n", view_duration(start > 0 ? start : 0, at),
		js_text(step, "stage"), js_text(step, "name"), or_dash(js_text(step, "node")),
		view_duration(js_int(step, "duration_us"), took), view_on(v, step_tone(step)), step_word(step),
		view_off(v), message[0] ? ": " : "", message);
}

/* ---- moves */

static enum view_tone result_tone(const char *result)
{
	if (!strcmp(result, "done"))
		return TONE_GOOD;
	return !strcmp(result, "failed") ? TONE_BAD : TONE_WARN;
}

/* "switchover nas1 -> nas2"; without a source just the target. */
static const char *route(const json_t *entry, char *buf, size_t size)
{
	const char *source = js_text(entry, "source"), *target = js_text(entry, "target");

	if (source[0] && strcmp(source, target) != 0)
		snprintf(buf, size, "%s -> %s", source, target);
	else
		snprintf(buf, size, "%s", or_dash(target));
	return buf;
}

void view_entry_summary(FILE *out, const struct view *v, const json_t *entry)
{
	const char *result = js_text(entry, "result");
	char path[160], total[VIEW_VALUE_MAX], freeze[VIEW_VALUE_MAX];
	int64_t freeze_us = js_int(entry, "freeze_us");

	fprintf(out, "%s: %s %s %s%s%s, total %s", js_text(entry, "group"), js_text(entry, "kind"),
		route(entry, path, sizeof(path)), view_on(v, result_tone(result)), result, view_off(v),
		view_duration(js_int(entry, "total_us"), total));
	if (freeze_us > 0)
		fprintf(out, ", freeze %s%s%s", view_on(v, TONE_STRONG), view_duration(freeze_us, freeze), view_off(v));
	fputc('\n', out);
}

void view_history(FILE *out, const struct view *v, const json_t *entries)
{
	struct table t = { 0 };

	if (!json_array_size(entries)) {
		fputs("no move so far\n", out);
		return;
	}
	table_add(&t, "%sWHEN\tGROUP\tWHAT\tROUTE\tEPOCH\tRESULT\tFREEZE\tTOTAL\tBY\tWHY%s", view_on(v, TONE_STRONG),
		  view_off(v));
	for (size_t i = 0; i < json_array_size(entries); i++) {
		const json_t *e = json_array_get(entries, i), *error = json_object_get(e, "error");
		char when[VIEW_VALUE_MAX], path[160], freeze[VIEW_VALUE_MAX], total[VIEW_VALUE_MAX];
		const char *result = js_text(e, "result");
		int64_t freeze_us = js_int(e, "freeze_us");

		table_add(&t, "%s\t%s\t%s\t%s\t%lld\t%s%s%s\t%s\t%s\t%s\t%s%s%s", view_time(js_text(e, "began"), when),
			  js_text(e, "group"), js_text(e, "kind"), route(e, path, sizeof(path)),
			  (long long)js_int(e, "epoch"), view_on(v, result_tone(result)), result, view_off(v),
			  freeze_us > 0 ? view_duration(freeze_us, freeze) : "-",
			  view_duration(js_int(e, "total_us"), total), or_dash(js_text(e, "requested_by")),
			  js_text(error, "where"), error && !json_is_null(error) ? ": " : "",
			  js_text(error, "message"));
	}
	table_print(&t, out, "");
}
