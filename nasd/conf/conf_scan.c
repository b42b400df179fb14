/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf_scan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "err.h"

enum token {
	TOK_ERROR,
	TOK_END,
	TOK_WORD,
	TOK_STRING,
	TOK_OPEN,
	TOK_CLOSE,
	TOK_EQUALS,
	TOK_COMMA,
};

struct lexer {
	struct conf_scan *scan;
	struct err *err;
	const char *p, *end;
	int line;       /* of p */
	int token_line; /* of the last token */
	char text[CONF_SCAN_STRING_MAX]; /* of a word or a string */
};

static int fail_text(const struct conf_scan *s, struct err *err, int line, const char *prefix,
		     const char *fmt, va_list ap)
{
	char where[ERR_WHERE_MAX], msg[ERR_MSG_MAX];

	snprintf(where, sizeof(where), "%s:%d", s->file, line);
	vsnprintf(msg, sizeof(msg), fmt, ap);
	return err_set(err, ERR_INPUT, EINVAL, where, "%s%s", prefix, msg);
}

int conf_scan_fail_line(const struct conf_scan *s, struct err *err, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = fail_text(s, err, line, "", fmt, ap);
	va_end(ap);
	return r;
}

static int find_child(const struct conf_scan *s, int parent, const char *name, size_t ordinal)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct conf_scan_entry *e = &s->entries[i];

		if (e->parent == parent && (size_t)e->ordinal == ordinal && !strcmp(e->name, name))
			return (int)i;
	}
	return -1;
}

int conf_scan_fail(const struct conf_scan *s, struct err *err, const struct conf_place *at,
		   const char *fmt, ...)
{
	const char *sec[2] = { at->sec1, at->sec2 };
	const size_t ord[2] = { at->i1, at->i2 };
	char prefix[256] = "";
	int line = 1, cur = -1;
	va_list ap;

	for (int i = 0; i < 2 && sec[i]; i++) {
		size_t used = strlen(prefix);
		int found = find_child(s, cur, sec[i], ord[i]);
		const char *title = found >= 0 ? s->entries[found].title : "";

		snprintf(prefix + used, sizeof(prefix) - used, "%s%s%s: ", sec[i], *title ? " " : "", title);
		if (found < 0)
			break;
		cur = found;
		line = s->entries[cur].line;
	}
	if (at->key) {
		size_t used = strlen(prefix);
		int found = find_child(s, cur, at->key, 0);

		if (found >= 0)
			line = s->entries[found].line;
		snprintf(prefix + used, sizeof(prefix) - used, "%s: ", at->key);
	}
	va_start(ap, fmt);
	int r = fail_text(s, err, line, prefix, fmt, ap);
	va_end(ap);
	return r;
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_.:%-", c));
}

static bool is_printable(char c)
{
	return c >= 0x20 && c < 0x7f;
}

/* How much of a text a message may quote: not what follows a `=', which may be a
 * fence device's password. */
static int quotable(const char *text)
{
	size_t n = strcspn(text, "=");

	return n < 100 ? (int)n : 100;
}

#define LEX_FAIL(lx, ...) \
	(conf_scan_fail_line((lx)->scan, (lx)->err, (lx)->line, __VA_ARGS__), TOK_ERROR)

static enum token lex_string(struct lexer *lx)
{
	size_t n = 0;

	for (lx->p++; lx->p < lx->end && *lx->p != '"'; lx->p++) {
		char c = *lx->p;

		if (c == '\n')
			return LEX_FAIL(lx, "a string must end on the line on which it begins");
		if (c == '$' || c == '\\')
			return LEX_FAIL(lx, "`%c' is not allowed in a string: nothing is expanded or escaped", c);
		if (!is_printable(c))
			return LEX_FAIL(lx, "byte 0x%02x is not allowed in a string", (unsigned char)c);
		if (n + 1 >= sizeof(lx->text))
			return LEX_FAIL(lx, "a string is longer than %zu bytes", sizeof(lx->text) - 1);
		lx->text[n++] = c;
	}
	if (lx->p == lx->end)
		return LEX_FAIL(lx, "the string that begins here is not closed");
	lx->p++;
	lx->text[n] = '\0';
	if (lx->p < lx->end && (is_word_char(*lx->p) || *lx->p == '"'))
		return LEX_FAIL(lx, "white space is missing after the string \"%.*s\"", quotable(lx->text), lx->text);
	return TOK_STRING;
}

static enum token lex_word(struct lexer *lx)
{
	size_t n = 0;

	for (; lx->p < lx->end && is_word_char(*lx->p); lx->p++) {
		if (n + 1 >= sizeof(lx->text))
			return LEX_FAIL(lx, "a word is longer than %zu bytes", sizeof(lx->text) - 1);
		lx->text[n++] = *lx->p;
	}
	lx->text[n] = '\0';
	if (lx->p < lx->end && *lx->p == '"')
		return LEX_FAIL(lx, "white space is missing after `%s'", lx->text);
	return TOK_WORD;
}

/* Skips white space and comments; false on a byte that may be in neither. */
static bool lex_skip(struct lexer *lx)
{
	bool comment = false;

	for (; lx->p < lx->end; lx->p++) {
		char c = *lx->p;

		if (c == '\n') {
			lx->line++;
			comment = false;
		} else if (c == '\r') {
			(void)LEX_FAIL(lx, "a carriage return: the file must have Unix line ends");
			return false;
		} else if (comment && c != '\0') {
			continue;
		} else if (c == '#') {
			comment = true;
		} else if (c != ' ' && c != '\t') {
			return true;
		}
	}
	return true;
}

static enum token lex(struct lexer *lx)
{
	if (!lex_skip(lx))
		return TOK_ERROR;
	lx->token_line = lx->line;
	lx->text[0] = '\0';
	if (lx->p == lx->end)
		return TOK_END;

	char c = *lx->p;
	if (c == '"')
		return lex_string(lx);
	if (is_word_char(c))
		return lex_word(lx);
	static const char punct[] = "{}=,";
	static const enum token tokens[] = { TOK_OPEN, TOK_CLOSE, TOK_EQUALS, TOK_COMMA };
	const char *at = c ? strchr(punct, c) : NULL;
	if (at) {
		lx->p++;
		lx->text[0] = c;
		lx->text[1] = '\0';
		return tokens[at - punct];
	}
	if (c == '/')
		return LEX_FAIL(lx, "`/' outside a string: put the value in double quotes (comments begin with #)");
	if (c == '\'')
		return LEX_FAIL(lx, "strings are written with double quotes");
	if (is_printable(c))
		return LEX_FAIL(lx, "unexpected character `%c'", c);
	return LEX_FAIL(lx, "unexpected byte 0x%02x", (unsigned char)c);
}

#define PARSE_FAIL(lx, ...) \
	conf_scan_fail_line((lx)->scan, (lx)->err, (lx)->token_line, __VA_ARGS__)

/* What stands where something else was wanted. */
static int fail_token(struct lexer *lx, enum token t, const char *wanted)
{
	if (t == TOK_ERROR)
		return -EINVAL;
	if (t == TOK_END)
		return PARSE_FAIL(lx, "the file ends where %s is expected", wanted);
	if (t == TOK_EQUALS)
		return PARSE_FAIL(lx, "`=' stands where %s is expected", wanted);
	return PARSE_FAIL(lx, "`%.*s' stands where %s is expected", quotable(lx->text), lx->text, wanted);
}

static bool is_name(const char *s)
{
	if (*s < 'a' || *s > 'z')
		return false;
	for (; *s; s++)
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= '0' && *s <= '9') && *s != '-')
			return false;
	return true;
}

/* Adds an entry, refusing a second one of the same name and title. */
static int add_entry(struct lexer *lx, int parent, const char *name, int line, const char *title,
		     bool section)
{
	struct conf_scan *s = lx->scan;
	int ordinal = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct conf_scan_entry *e = &s->entries[i];

		if (e->parent != parent || strcmp(e->name, name))
			continue;
		ordinal++;
		if (!strcmp(e->title, title))
			return conf_scan_fail_line(s, lx->err, line, "%s `%s%s%s' is given a second time (first in line %d)",
						   section ? "section" : "option", name,
						   *title ? " " : "", title, e->line);
	}
	if (s->n == CONF_SCAN_ENTRIES_MAX)
		return conf_scan_fail_line(s, lx->err, line, "more than %d options and sections",
					   CONF_SCAN_ENTRIES_MAX);
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct conf_scan_entry *more = realloc(s->entries, cap * sizeof(*more));

		if (!more)
			return err_set(lx->err, ERR_SYSTEM, ENOMEM, s->file, "reading the configuration");
		s->entries = more;
		s->cap = cap;
	}
	struct conf_scan_entry *e = &s->entries[s->n++];
	memset(e, 0, sizeof(*e));
	e->parent = parent;
	e->ordinal = ordinal;
	e->line = line;
	snprintf(e->name, sizeof(e->name), "%s", name);
	snprintf(e->title, sizeof(e->title), "%s", title);
	return 0;
}

/* After `name =`. */
static int parse_value(struct lexer *lx)
{
	enum token t = lex(lx);

	if (t == TOK_WORD || t == TOK_STRING)
		return 0;
	if (t != TOK_OPEN)
		return fail_token(lx, t, "a value");
	t = lex(lx);
	if (t == TOK_CLOSE)
		return 0;
	for (;;) {
		if (t != TOK_WORD && t != TOK_STRING)
			return fail_token(lx, t, "a value of the list");
		t = lex(lx);
		if (t == TOK_CLOSE)
			return 0;
		if (t != TOK_COMMA)
			return fail_token(lx, t, "`,' or the `}' that ends the list");
		t = lex(lx);
	}
}

/* After a name: an option, or the head of a section (*opened is then true). */
static int parse_item(struct lexer *lx, int parent, bool *opened)
{
	char name[CONF_SCAN_NAME_MAX], title[CONF_SCAN_TITLE_MAX] = "";
	int line = lx->token_line;

	*opened = false;
	if (!is_name(lx->text) || strlen(lx->text) >= sizeof(name))
		return PARSE_FAIL(lx, "`%.100s' is not a name of an option or section", lx->text);
	memcpy(name, lx->text, strlen(lx->text) + 1);
	enum token t = lex(lx);
	if (t == TOK_EQUALS) {
		int r = add_entry(lx, parent, name, line, "", false);
		return r ? r : parse_value(lx);
	}
	if (t == TOK_WORD || t == TOK_STRING) {
		if (strlen(lx->text) >= sizeof(title))
			return PARSE_FAIL(lx, "the title of section `%s' is longer than %zu bytes", name, sizeof(title) - 1);
		if (!*lx->text)
			return PARSE_FAIL(lx, "the title of section `%s' is empty", name);
		memcpy(title, lx->text, strlen(lx->text) + 1);
		t = lex(lx);
		if (t != TOK_OPEN)
			return fail_token(lx, t, "the `{' of the section");
	}
	if (t != TOK_OPEN)
		return fail_token(lx, t, "`=' or `{'");
	*opened = true;
	return add_entry(lx, parent, name, line, title, true);
}

static int parse(struct lexer *lx)
{
	int open[CONF_SCAN_DEPTH_MAX + 1] = { -1 }; /* the sections around p */
	int depth = 0, r;
	bool opened;

	for (;;) {
		enum token t = lex(lx);

		if (t == TOK_END && depth == 0)
			return 0;
		if (t == TOK_END)
			return conf_scan_fail_line(lx->scan, lx->err, lx->scan->entries[open[depth]].line,
						   "section `%s' is not closed before the file ends",
						   lx->scan->entries[open[depth]].name);
		if (t == TOK_CLOSE && depth > 0) {
			depth--;
			continue;
		}
		if (t != TOK_WORD)
			return fail_token(lx, t, "the name of an option or section");
		r = parse_item(lx, open[depth], &opened);
		if (r)
			return r;
		if (opened && depth == CONF_SCAN_DEPTH_MAX)
			return PARSE_FAIL(lx, "sections are nested too deeply");
		if (opened)
			open[++depth] = (int)lx->scan->n - 1;
	}
}

int conf_scan(struct conf_scan *s, const char *file, const char *text, size_t len, struct err *err)
{
	size_t name_len = strlen(file);

	memset(s, 0, sizeof(*s));
	if (name_len < sizeof(s->file))
		snprintf(s->file, sizeof(s->file), "%s", file);
	else
		snprintf(s->file, sizeof(s->file), "...%s", file + name_len - (sizeof(s->file) - 4));
	if (len > CONF_FILE_MAX)
		return conf_scan_fail_line(s, err, 1, "the file is longer than %d bytes", CONF_FILE_MAX);

	struct lexer lx = { .scan = s, .err = err, .p = text, .end = text + len, .line = 1, .token_line = 1 };
	int r = parse(&lx);
	if (r)
		err_remedy(err, "see nasd.conf(5) for the form of the file");
	return r;
}

void conf_scan_free(struct conf_scan *s)
{
	free(s->entries);
	memset(s, 0, sizeof(*s));
}
