/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent_call.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *fence_action_name(enum fence_action a)
{
	static const char *const names[FENCE_ACTION_COUNT] = {
		[FENCE_OFF] = "off",	       [FENCE_ON] = "on",
		[FENCE_STATUS] = "status",     [FENCE_MONITOR] = "monitor",
		[FENCE_METADATA] = "metadata",
	};

	return (unsigned)a < FENCE_ACTION_COUNT ? names[a] : "invalid";
}

/* ---- what goes in */

#define REFUSE(err, d, ...) err_set(err, ERR_INPUT, EINVAL, (d)->name[0] ? (d)->name : "fence device", __VA_ARGS__)

static bool is_key(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return n > 0 && s[n] == '\0';
}

static bool is_value(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s == 0x7f)
			return false;
	return true;
}

static int check_option(const struct fence_device *d, unsigned i, struct err *err)
{
	const struct fence_option *o = &d->options[i];

	if (!is_key(o->key))
		return REFUSE(err, d, "option %u has no usable name (letters, digits, '_', '-')", i + 1);
	if (!is_value(o->value))
		return REFUSE(err, d, "the value of \"%s\" has a control character", o->key);
	if (!strcasecmp(o->key, "action") || !strcasecmp(o->key, "option") || !strcasecmp(o->key, "nodename"))
		return REFUSE(err, d, "\"%s\" is set by nasd itself", o->key);
	for (unsigned k = 0; k < i; k++)
		if (!strcmp(d->options[k].key, o->key))
			return REFUSE(err, d, "\"%s\" is given twice", o->key);
	return 0;
}

int fence_device_check(const struct fence_device *d, struct err *err)
{
	int r = 0;

	if (d->path[0] != '/')
		return REFUSE(err, d, "the agent's path \"%s\" is not absolute", d->path);
	if (!d->level)
		return REFUSE(err, d, "levels begin with 1");
	if (d->n_options > FENCE_OPTIONS_MAX)
		return REFUSE(err, d, "more than %d options", FENCE_OPTIONS_MAX);
	if (d->timeout_us <= 0 || d->retry_wait_us < 0)
		return REFUSE(err, d, "a call needs a timeout, and no negative wait");
	if (d->verify && (d->verify_limit_us <= 0 || d->verify_every_us <= 0))
		return REFUSE(err, d, "verification needs a limit and an interval");
	for (unsigned i = 0; !r && i < d->n_options; i++)
		r = check_option(d, i, err);
	return r;
}

int fence_call_input(const struct fence_device *d, const char *node, enum fence_action a, char *buf,
		     size_t size)
{
	size_t n = 0;
	int r = 0;

	for (unsigned i = 0; i < d->n_options && i < FENCE_OPTIONS_MAX; i++) {
		r = snprintf(buf + n, size - n, "%s=%s\n", d->options[i].key, d->options[i].value);
		if (r < 0 || (size_t)r >= size - n)
			return -ENOBUFS;
		n += (size_t)r;
	}
	/* Last, since an agent takes the last of two. */
	r = snprintf(buf + n, size - n, "nodename=%s\naction=%s\n", node, fence_action_name(a));
	if (r < 0 || (size_t)r >= size - n)
		return -ENOBUFS;
	return (int)n + r;
}

/* ---- what comes out */

/* The last line with anything in it, made printable. */
static void last_line(const char *text, char *buf, size_t size)
{
	const char *end, *start;
	size_t n = 0;

	buf[0] = '\0';
	if (!text)
		return;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	for (start = end; start > text && start[-1] != '\n'; start--)
		;
	for (; start < end && n + 1 < size; start++) {
		unsigned char c = (unsigned char)*start;

		buf[n++] = (char)(c < 0x20 || c > 0x7e ? '?' : c);
	}
	buf[n] = '\0';
}

/* Does the text name this state, as agents do: "Status: OFF"? */
static bool names_state(const char *text, const char *state)
{
	static const char label[] = "status:";
	size_t len = strlen(state);

	for (const char *p = text; p && *p; p++) {
		const char *q = p + sizeof(label) - 1;

		if (strncasecmp(p, label, sizeof(label) - 1))
			continue;
		while (*q == ' ' || *q == '\t')
			q++;
		if (!strncasecmp(q, state, len) && !isalnum((unsigned char)q[len]))
			return true;
	}
	return false;
}

static enum fence_said judge_status(const struct fence_ended *ended)
{
	bool on = names_state(ended->out, "on"), off = names_state(ended->out, "off");

	if (ended->code == 0)
		return off ? FENCE_SAID_UNKNOWN : FENCE_SAID_ON;
	if (ended->code == 2)
		return on ? FENCE_SAID_UNKNOWN : FENCE_SAID_OFF;
	return ended->code == 1 ? FENCE_SAID_FAILED : FENCE_SAID_UNKNOWN;
}

static enum fence_said judge_exit(enum fence_action a, const struct fence_ended *ended)
{
	switch (a) {
	case FENCE_OFF:
		return ended->code == 0 ? FENCE_SAID_OFF : FENCE_SAID_FAILED;
	case FENCE_ON:
	case FENCE_METADATA:
		return ended->code == 0 ? FENCE_SAID_ON : FENCE_SAID_FAILED;
	case FENCE_MONITOR:
		return ended->code == 0 || ended->code == 2 ? FENCE_SAID_ON : FENCE_SAID_FAILED;
	case FENCE_STATUS:
		return judge_status(ended);
	case FENCE_ACTION_COUNT:
		break;
	}
	return FENCE_SAID_UNKNOWN;
}

static void say_exit(enum fence_action a, const struct fence_ended *ended, enum fence_said said, char *text)
{
	char line[FENCE_TEXT_LEN / 2];
	const char *what = "exit status";
	bool fine = said == FENCE_SAID_OFF || said == FENCE_SAID_ON;

	last_line(ended->err_out, line, sizeof(line));
	if (!line[0])
		last_line(ended->out, line, sizeof(line));
	if (fine) {
		snprintf(text, FENCE_TEXT_LEN, "%s: %s", fence_action_name(a),
			 a == FENCE_STATUS ? fence_said_name(said) : "done");
		return;
	}
	if (a == FENCE_STATUS && said == FENCE_SAID_UNKNOWN && (ended->code == 0 || ended->code == 2))
		what = "its text contradicts exit status";
	snprintf(text, FENCE_TEXT_LEN, "%s: %s %d%s%s", fence_action_name(a), what, ended->code,
		 line[0] ? ": " : "", line);
}

enum fence_said fence_call_judge(enum fence_action a, const struct fence_ended *ended, char *text)
{
	enum fence_said said = FENCE_SAID_UNKNOWN;

	switch (ended->end) {
	case FENCE_EXITED:
		said = judge_exit(a, ended);
		say_exit(a, ended, said, text);
		return said;
	case FENCE_SIGNALLED:
		snprintf(text, FENCE_TEXT_LEN, "%s: the agent was killed by signal %d", fence_action_name(a),
			 ended->code);
		return FENCE_SAID_UNKNOWN;
	case FENCE_TIMED_OUT:
		snprintf(text, FENCE_TEXT_LEN, "%s: no answer in time, the agent was ended", fence_action_name(a));
		return FENCE_SAID_TIMEOUT;
	case FENCE_NOT_RUN:
		snprintf(text, FENCE_TEXT_LEN, "%s: the agent cannot be run: %s", fence_action_name(a),
			 strerror(ended->code));
		return FENCE_SAID_FAILED;
	}
	snprintf(text, FENCE_TEXT_LEN, "%s: no known end", fence_action_name(a));
	return FENCE_SAID_UNKNOWN;
}

/* Is the value of the attribute name in this start tag the wanted one? */
static bool tag_has_name(const char *tag, const char *tag_end, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = tag; p + 5 < tag_end; p++) {
		char quote;

		if (!isspace((unsigned char)p[0]) || strncmp(p + 1, "name=", 5))
			continue;
		quote = p[6];
		if ((quote == '"' || quote == '\'') && (size_t)(tag_end - p) > 7 + len &&
		    !strncmp(p + 7, name, len) && p[7 + len] == quote)
			return true;
	}
	return false;
}

bool fence_metadata_has(const char *xml, const char *element, const char *name)
{
	size_t len = strlen(element);

	for (const char *p = xml; p && (p = strchr(p, '<')); p++) {
		const char *end = strchr(p, '>');

		if (!end)
			return false;
		if (!strncmp(p + 1, element, len) && isspace((unsigned char)p[1 + len]) &&
		    tag_has_name(p + 1 + len, end, name))
			return true;
	}
	return false;
}
