/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mountinfo.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

struct scan {
	const char *at, *end;
};

/* The next word, without copying. */
static bool next_word(struct scan *s, const char **word, size_t *len)
{
	while (s->at < s->end && *s->at == ' ')
		s->at++;
	*word = s->at;
	while (s->at < s->end && *s->at != ' ')
		s->at++;
	*len = (size_t)(s->at - *word);
	return *len > 0;
}

static bool parse_number(const char *word, size_t len, unsigned *out)
{
	unsigned v = 0;

	if (len == 0 || len > 9)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (word[i] < '0' || word[i] > '9')
			return false;
		v = v * 10 + (unsigned)(word[i] - '0');
	}
	*out = v;
	return true;
}

static bool next_number(struct scan *s, unsigned *out)
{
	const char *word;
	size_t len;

	return next_word(s, &word, &len) && parse_number(word, len, out);
}

/* "major:minor" */
static bool next_dev(struct scan *s, dev_t *out)
{
	unsigned major_no, minor_no;
	const char *word, *colon;
	size_t len;

	if (!next_word(s, &word, &len))
		return false;
	colon = memchr(word, ':', len);
	if (!colon || !parse_number(word, (size_t)(colon - word), &major_no) ||
	    !parse_number(colon + 1, len - 1 - (size_t)(colon - word), &minor_no))
		return false;
	*out = makedev(major_no, minor_no);
	return true;
}

/* \ooo as the kernel writes space, tab, newline and backslash (seq_path). */
static bool is_escape(const char *p, size_t left)
{
	return left >= 4 && p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' &&
	       p[2] <= '7' && p[3] >= '0' && p[3] <= '7';
}

static bool next_text(struct scan *s, char *out, size_t size, bool may_cut)
{
	const char *word;
	size_t len, n = 0;

	if (!next_word(s, &word, &len))
		return false;
	for (size_t i = 0; i < len; n++) {
		if (n + 1 >= size) {
			if (!may_cut)
				return false;
			break;
		}
		if (is_escape(word + i, len - i)) {
			out[n] = (char)((word[i + 1] - '0') * 64 + (word[i + 2] - '0') * 8 +
					(word[i + 3] - '0'));
			i += 4;
		} else {
			out[n] = word[i++];
		}
	}
	out[n] = '\0';
	return true;
}

/* The optional fields end with a lone "-". */
static bool skip_optional(struct scan *s)
{
	const char *word;
	size_t len;

	while (next_word(s, &word, &len))
		if (len == 1 && *word == '-')
			return true;
	return false;
}

bool mountinfo_parse(const char *line, size_t len, struct mountinfo *out)
{
	const char *nl = memchr(line, '\n', len);
	struct scan s = { line, nl ? nl : line + len };
	bool ok;

	ok = next_number(&s, &out->id) && next_number(&s, &out->parent) &&
	       next_dev(&s, &out->dev) && next_text(&s, out->root, sizeof(out->root), false) &&
	       next_text(&s, out->point, sizeof(out->point), false) &&
	       next_text(&s, out->options, sizeof(out->options), true) && skip_optional(&s) &&
	       next_text(&s, out->type, sizeof(out->type), true) &&
	       next_text(&s, out->source, sizeof(out->source), true);
	/* A mount made with an empty source has two spaces here. */
	if (ok && !next_text(&s, out->super, sizeof(out->super), true)) {
		snprintf(out->super, sizeof(out->super), "%.255s", out->source);
		out->source[0] = '\0';
	}
	return ok;
}

bool mountinfo_has_option(const char *options, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = options; *p;) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, word, len) == 0)
			return true;
		p += n;
		p += *p == ',';
	}
	return false;
}

bool mountinfo_within(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return path[0] == '/';
	return strncmp(dir, path, len) == 0 && (path[len] == '\0' || path[len] == '/');
}
