/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fencing: what nasd makes of the other node, and the devices that switch it off. */
#include "view.h"

#include <inttypes.h>
#include <string.h>

#include "table.h"

struct word {
	const char *word;
	const char *text; /* NULL: the word itself */
	enum view_tone tone;
};

static const struct word phases[] = {
	{ "idle", "nothing under way", TONE_PLAIN },
	{ "delay", "waiting before it is switched off", TONE_WARN },
	{ "fencing", "being switched off", TONE_WARN },
	{ "failed", "could NOT be switched off", TONE_BAD },
	{ "proven", "proven to be off", TONE_STRONG },
	{ "cancelled", "not switched off, as it was heard again", TONE_PLAIN },
};

static const struct word dogs[] = {
	{ "none", "none: nothing resets this node should nasd hang", TONE_DIM },
	{ "closed", "disarmed: this node serves nothing", TONE_PLAIN },
	{ "armed", "armed: it resets this node should nasd hang", TONE_GOOD },
	{ "kept", "kept fed, as it cannot be disarmed", TONE_WARN },
	{ "starving", "STARVING: this node is about to be reset", TONE_BAD },
	{ "failed", "FAILED: the device cannot be opened or fed", TONE_BAD },
	{ "absent", "ABSENT: nasd-watchdog does not answer", TONE_BAD },
};

static const struct word answers[] = {
	{ "", "-", TONE_DIM },		{ "on", NULL, TONE_PLAIN },	{ "off", NULL, TONE_STRONG },
	{ "failed", NULL, TONE_BAD },	{ "unknown", NULL, TONE_WARN }, { "timeout", NULL, TONE_BAD },
};

static struct word find_word(const struct word *words, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(words[i].word, word))
			return (struct word){ word, words[i].text ? words[i].text : word, words[i].tone };
	return (struct word){ word, word, TONE_WARN };
}
#define FIND_WORD(words, word) find_word(words, sizeof(words) / sizeof(*(words)), word)

/* "120 ms ago"; null: never; missing: nobody tells. */
static const char *ago(const json_t *obj, const char *key, char buf[VIEW_VALUE_MAX])
{
	const json_t *ms = json_object_get(obj, key);
	char value[VIEW_VALUE_MAX];

	if (json_is_integer(ms))
		snprintf(buf, VIEW_VALUE_MAX, "%.40s ago", view_duration(json_integer_value(ms) * 1000, value));
	else
		snprintf(buf, VIEW_VALUE_MAX, "%s", ms ? "never" : "-");
	return buf;
}

static void view_liveness(FILE *out, const struct view *v, const json_t *live)
{
	const json_t *paths = json_object_get(live, "paths");
	bool silent = js_true(live, "silent");
	char here[VIEW_VALUE_MAX], there[VIEW_VALUE_MAX];
	struct table t = { 0 };

	fprintf(out, "  heard        %s%s%s", view_on(v, silent ? TONE_BAD : TONE_GOOD), ago(live, "heard_ms", here),
		view_off(v));
	if (silent)
		fprintf(out, ": %ssilent%s%s", view_on(v, TONE_BAD), view_off(v),
			js_true(live, "node_answers") ? ", though the node runs (without nasd)" : "");
	if (js_int(live, "pauses") > 0)
		fprintf(out, "; this node itself was paused %" PRId64 " time%s", js_int(live, "pauses"),
			js_int(live, "pauses") > 1 ? "s" : "");
	fputc('\n', out);
	if (!json_array_size(paths))
		return;
	table_add(&t, "%sPATH\tHEARD HERE\tHEARD THERE%s", view_on(v, TONE_STRONG), view_off(v));
	for (size_t i = 0; i < json_array_size(paths); i++) {
		const json_t *p = json_array_get(paths, i);

		table_add(&t, "%s\t%s\t%s", js_text(p, "name"), ago(p, "heard_ms", here),
			  ago(p, "peer_heard_ms", there));
	}
	table_print(&t, out, "    ");
}

static void view_questions(FILE *out, const struct view *v, const json_t *questions)
{
	for (size_t i = 0; i < json_array_size(questions); i++) {
		const json_t *q = json_array_get(questions, i);
		char since[VIEW_VALUE_MAX];

		fprintf(out, "  DRBD asks    %s%s%s, since %s: its I/O is frozen until there is proof\n",
			view_on(v, TONE_WARN), js_text(q, "resource"), view_off(v), view_time(js_text(q, "since"), since));
	}
}

static void view_devices(FILE *out, const struct view *v, const json_t *devices)
{
	struct table t = { 0 };

	fputc('\n', out);
	if (!json_array_size(devices)) {
		fprintf(out, "%sno fence device%s: add sections `fence NAME { ... }', see nasd.conf(5)\n",
			view_on(v, TONE_WARN), view_off(v));
		return;
	}
	table_add(&t, "%sNODE\tLEVEL\tDEVICE\tAGENT\tSAID\tVERIFIED\tTEXT%s", view_on(v, TONE_STRONG), view_off(v));
	for (size_t i = 0; i < json_array_size(devices); i++) {
		const json_t *d = json_array_get(devices, i);
		struct word said = FIND_WORD(answers, js_text(d, "said"));

		table_add(&t, "%s\t%" PRId64 "\t%s\t%s\t%s%s%s\t%s\t%s", js_text(d, "node"), js_int(d, "level"),
			  js_text(d, "name"), js_text(d, "agent"), view_on(v, said.tone), said.text, view_off(v),
			  js_true(d, "verified") ? "yes" : "-", js_text(d, "text"));
	}
	table_print(&t, out, "");
}

static void view_story(FILE *out, const struct view *v, const char *story)
{
	if (!story[0])
		return;
	fprintf(out, "\n%sthe last run%s\n", view_on(v, TONE_STRONG), view_off(v));
	while (*story) {
		size_t len = strcspn(story, "\n");

		fprintf(out, "  %.*s\n", (int)len, story);
		story += len + (story[len] == '\n');
	}
}

/* What came of the last run, when, and whether it still holds; or what is being done. */
static void view_phase(FILE *out, const struct view *v, const json_t *fence)
{
	const json_t *live = json_object_get(fence, "liveness");
	const char *phase = js_text(fence, "phase"), *since = js_text(fence, "since");
	bool ended = !strcmp(phase, "failed") || !strcmp(phase, "proven") || !strcmp(phase, "cancelled");
	struct word w = FIND_WORD(phases, phase);
	char when[VIEW_VALUE_MAX];

	if (!strcmp(phase, "proven") && json_is_object(live) && !js_true(live, "silent"))
		w = (struct word){ phase, "was switched off, and is heard again", TONE_PLAIN };
	fprintf(out, "%sfencing of %s%s: %s%s%s", view_on(v, TONE_STRONG), js_text(fence, "peer"), view_off(v),
		view_on(v, w.tone), w.text, view_off(v));
	if (ended && since[0])
		fprintf(out, " (%s)", view_time(since, when));
}

void view_fence_status(FILE *out, const struct view *v, const json_t *fence)
{
	struct word dog = FIND_WORD(dogs, js_text(fence, "watchdog"));

	view_phase(out, v, fence);
	if (js_text(fence, "explain")[0])
		fprintf(out, "\n  %s", js_text(fence, "explain"));
	fprintf(out, "\n  takeover     %s\n  watchdog     %s%s%s", js_text(fence, "trigger"), view_on(v, dog.tone),
		dog.text, view_off(v));
	fputc('\n', out);
	view_liveness(out, v, json_object_get(fence, "liveness"));
	view_questions(out, v, json_object_get(fence, "questions"));
	view_devices(out, v, json_object_get(fence, "devices"));
	view_story(out, v, js_text(fence, "story"));
}

void view_fence_check(FILE *out, const struct view *v, const json_t *check)
{
	const json_t *devices = json_object_get(check, "devices");
	size_t bad = 0, n = json_array_size(devices);

	for (size_t i = 0; i < n; i++) {
		const json_t *d = json_array_get(devices, i);
		bool ok = js_true(d, "ok");

		bad += !ok;
		fprintf(out, "%s%-4s%s  %-16s %-8s level %" PRId64 "  %s\n", view_on(v, ok ? TONE_GOOD : TONE_BAD),
			ok ? "ok" : "FAIL", view_off(v), js_text(d, "name"), js_text(d, "node"), js_int(d, "level"),
			js_text(d, "text")[0] ? js_text(d, "text") : js_text(d, "said"));
		if (!ok && !strcmp(js_text(d, "said"), "off"))
			fprintf(out, "      %sthe device says off of a node that runs: it switches something else%s\n",
				view_on(v, TONE_STRONG), view_off(v));
	}
	if (js_true(check, "ready"))
		fprintf(out, "%sready%s: each device answers, and says that its node is on\n", view_on(v, TONE_GOOD),
			view_off(v));
	else if (!n)
		fprintf(out, "%snot ready%s: there is no fence device; see nasd.conf(5)\n", view_on(v, TONE_BAD),
			view_off(v));
	else
		fprintf(out, "%snot ready%s: %zu of %zu devices do not say that their node is on\n",
			view_on(v, TONE_BAD), view_off(v), bad, n);
}
