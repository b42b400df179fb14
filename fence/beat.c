/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "beat.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const char *dog_state_name(enum dog_state s)
{
	static const char *const names[DOG_STATE_COUNT] = {
		[DOG_NONE] = "none",	 [DOG_CLOSED] = "closed",     [DOG_ARMED] = "armed",
		[DOG_KEPT] = "kept",	 [DOG_STARVING] = "starving", [DOG_FAILED] = "failed",
	};

	return (unsigned)s < DOG_STATE_COUNT ? names[s] : "invalid";
}

size_t beat_format(const struct fence_beat *b, char *buf)
{
	return (size_t)snprintf(buf, BEAT_MAX, "beat %d %llu %llu %lld %s\n", BEAT_VERSION,
				(unsigned long long)b->session, (unsigned long long)b->seq,
				(long long)b->mono_us, b->active ? "active" : "idle");
}

size_t dog_format(uint64_t seq, enum dog_state s, char *buf)
{
	return (size_t)snprintf(buf, BEAT_MAX, "dog %d %llu %s\n", BEAT_VERSION, (unsigned long long)seq,
				dog_state_name(s));
}

/* A place in a line of words with exactly one space between them. */
struct words {
	const char *p, *end;
	bool bad;
};

static bool word_is(struct words *w, const char *word)
{
	size_t len = strlen(word);

	if (w->bad || (size_t)(w->end - w->p) < len + 1 || memcmp(w->p, word, len))
		return false;
	if (w->p[len] != ' ' && w->p[len] != '\n')
		return false;
	w->p += len + 1;
	return true;
}

static void expect(struct words *w, const char *word)
{
	if (!word_is(w, word))
		w->bad = true;
}

/* Decimal, no sign, no leading zero, up to INT64_MAX. */
static uint64_t number(struct words *w)
{
	const char *start = w->p;
	uint64_t n = 0;

	for (; !w->bad && w->p < w->end && *w->p >= '0' && *w->p <= '9'; w->p++) {
		unsigned digit = (unsigned)(*w->p - '0');

		if (n > ((uint64_t)INT64_MAX - digit) / 10)
			w->bad = true;
		else
			n = n * 10 + digit;
	}
	if (w->p == start || (*start == '0' && w->p - start > 1) || w->p == w->end || *w->p != ' ')
		w->bad = true;
	else
		w->p++;
	return n;
}

/* The words of the one line in text; bad when it is not one line. */
static struct words words_of(const char *text, size_t len)
{
	struct words w = { text, text + len, false };

	w.bad = !len || len >= BEAT_MAX || memchr(text, '\n', len) != text + len - 1;
	return w;
}

static int refuse(struct err *err, const char *what)
{
	err_set(err, ERR_INPUT, EPROTO, "watchdog socket", "not a line of the form \"%s\"", what);
	return -EPROTO;
}

int beat_parse(const char *text, size_t len, struct fence_beat *b, struct err *err)
{
	struct words w = words_of(text, len);

	memset(b, 0, sizeof(*b));
	expect(&w, "beat");
	expect(&w, "1");
	b->session = number(&w);
	b->seq = number(&w);
	b->mono_us = (int64_t)number(&w);
	b->active = word_is(&w, "active");
	if (!b->active)
		expect(&w, "idle");
	if (!w.bad && w.p == w.end && b->seq)
		return 0;
	memset(b, 0, sizeof(*b));
	return refuse(err, "beat 1 SESSION SEQ MONO_US active|idle");
}

int dog_parse(const char *text, size_t len, uint64_t *seq, enum dog_state *s, struct err *err)
{
	struct words w = words_of(text, len);
	int found = -1;

	expect(&w, "dog");
	expect(&w, "1");
	*seq = number(&w);
	for (int i = 0; i < DOG_STATE_COUNT && found < 0; i++)
		if (word_is(&w, dog_state_name((enum dog_state)i)))
			found = i;
	*s = found < 0 ? DOG_FAILED : (enum dog_state)found;
	if (!w.bad && found >= 0 && w.p == w.end)
		return 0;
	return refuse(err, "dog 1 SEQ STATE");
}
