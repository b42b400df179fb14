/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of client entries, and what their texts may be. Pure. */
#include "clients.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int item_cmp(const struct client_item *a, enum client_kind kind, const char *text)
{
	if (a->kind != kind)
		return a->kind < kind ? -1 : 1;
	return strcmp(a->text, text);
}

void client_set_clear(struct client_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->entries[i]);
	s->n = 0;
}

void client_set_free(struct client_set *s)
{
	client_set_clear(s);
	free(s->entries);
	*s = (struct client_set){0};
}

/* The position of the entry, or the one at which it would have to be. */
static bool find(const struct client_set *s, enum client_kind kind, const char *text, size_t *pos)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = item_cmp(s->entries[mid], kind, text);

		if (c == 0) {
			*pos = mid;
			return true;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*pos = lo;
	return false;
}

static int reserve(struct client_set *s, size_t n)
{
	size_t cap = s->cap ? s->cap : 16;
	struct client_item **p;

	if (n <= s->cap)
		return 0;
	while (cap < n)
		cap *= 2;
	p = reallocarray(s->entries, cap, sizeof(*p));
	if (!p)
		return -ENOMEM;
	s->entries = p;
	s->cap = cap;
	return 0;
}

static struct client_item *item_new(enum client_kind kind, const char *text)
{
	size_t size = strlen(text) + 1;
	struct client_item *it = malloc(sizeof(*it) + size);

	if (!it)
		return NULL;
	it->kind = kind;
	memcpy(it->text, text, size);
	return it;
}

int client_set_put(struct client_set *s, enum client_kind kind, const char *text)
{
	struct client_item *it;
	size_t pos;
	int ret;

	if (find(s, kind, text, &pos))
		return 0;
	if (s->n >= CLIENTS_MAX)
		return -E2BIG;
	ret = reserve(s, s->n + 1);
	if (ret < 0)
		return ret;
	it = item_new(kind, text);
	if (!it)
		return -ENOMEM;
	memmove(&s->entries[pos + 1], &s->entries[pos], (s->n - pos) * sizeof(*s->entries));
	s->entries[pos] = it;
	s->n++;
	return 0;
}

int client_set_add(struct client_set *s, const struct client_entry *e)
{
	return client_set_put(s, e->kind, e->text);
}

int client_set_del(struct client_set *s, const struct client_entry *e)
{
	size_t pos;

	if (!find(s, e->kind, e->text, &pos))
		return 0;
	free(s->entries[pos]);
	s->n--;
	memmove(&s->entries[pos], &s->entries[pos + 1], (s->n - pos) * sizeof(*s->entries));
	return 0;
}

bool client_set_has(const struct client_set *s, enum client_kind kind, const char *text)
{
	size_t pos;

	return find(s, kind, text, &pos);
}

int client_set_copy(struct client_set *to, const struct client_set *from)
{
	int ret = reserve(to, from->n);

	if (ret < 0)
		return ret;
	client_set_clear(to);
	for (; to->n < from->n; to->n++) {
		to->entries[to->n] = item_new(from->entries[to->n]->kind, from->entries[to->n]->text);
		if (!to->entries[to->n])
			return -ENOMEM;
	}
	return 0;
}

size_t client_set_count(const struct client_set *s, enum client_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->entries[i]->kind == kind;
	return n;
}

/* Sorted by kind: those of one kind are in a row, the records first. */
bool client_set_equal(const struct client_set *a, const struct client_set *b, enum client_kind kind)
{
	size_t ra = client_set_count(a, CLIENT_RECORD), rb = client_set_count(b, CLIENT_RECORD);
	size_t ia = kind == CLIENT_RECORD ? 0 : ra, ib = kind == CLIENT_RECORD ? 0 : rb;
	size_t na = kind == CLIENT_RECORD ? ra : a->n, nb = kind == CLIENT_RECORD ? rb : b->n;

	if (na - ia != nb - ib)
		return false;
	for (; ia < na; ia++, ib++)
		if (strcmp(a->entries[ia]->text, b->entries[ib]->text) != 0)
			return false;
	return true;
}

/* Calls fn for each of a that is not in b; both are sorted. */
static int only_in(const struct client_set *a, const struct client_set *b, enum clients_op op,
		   int (*fn)(enum clients_op op, const struct client_entry *e, void *data), void *data)
{
	for (size_t i = 0, k = 0; i < a->n; i++) {
		const struct client_item *it = a->entries[i];
		struct client_entry e;
		int ret;

		while (k < b->n && item_cmp(b->entries[k], it->kind, it->text) < 0)
			k++;
		if (k < b->n && item_cmp(b->entries[k], it->kind, it->text) == 0)
			continue;
		e.kind = it->kind;
		strncpy(e.text, it->text, sizeof(e.text) - 1);
		e.text[sizeof(e.text) - 1] = '\0';
		ret = fn(op, &e, data);
		if (ret)
			return ret;
	}
	return 0;
}

int clients_diff(const struct client_set *old, const struct client_set *now,
		 int (*fn)(enum clients_op op, const struct client_entry *e, void *data), void *data)
{
	int ret = only_in(old, now, CLIENTS_DEL, fn, data);

	return ret ? ret : only_in(now, old, CLIENTS_ADD, fn, data);
}

/* ---- texts */

/* "<address>-(<length>:<owner>)"; NULL when it is, or what is wrong. */
static const char *record_fault(const char *t)
{
	size_t len = strlen(t), addr = strspn(t, "0123456789abcdefABCDEF.:"), digits, owner;

	if (addr < 2 || addr >= INET6_ADDRSTRLEN)
		return "it does not begin with an address";
	if (strncmp(t + addr, "-(", 2) != 0)
		return "no \"-(\" follows the address";
	digits = strspn(t + addr + 2, "0123456789");
	if (digits < 1 || digits > 4 || t[addr + 2 + digits] != ':')
		return "no length follows the address";
	owner = addr + 2 + digits + 1;
	if (len < owner + 2 || t[len - 1] != ')' ||
	    strtoul(t + addr + 2, NULL, 10) != len - 1 - owner)
		return "the owner's length is not the one it names";
	return NULL;
}

/* "client-ip client-port floating-ip port"; NULL when it is, or the fault. */
static const char *connection_fault(const char *t)
{
	const char *p = t;

	for (int field = 0; field < 4; field++) {
		size_t n = strcspn(p, " ");
		char word[INET6_ADDRSTRLEN];
		unsigned char ip[16];

		if (n == 0 || n >= sizeof(word))
			return "a field is empty or too long";
		memcpy(word, p, n);
		word[n] = '\0';
		if (field % 2 == 0) {
			if (inet_pton(AF_INET, word, ip) != 1 && inet_pton(AF_INET6, word, ip) != 1)
				return "an address is none";
		} else if (strspn(word, "0123456789") != n || n > 5 ||
			   strtoul(word, NULL, 10) - 1 > 65534) {
			return "a port is none";
		}
		p += n;
		if (field < 3 && *p++ != ' ')
			return "a field is missing";
	}
	return *p ? "there are more than four fields" : NULL;
}

static const char *text_fault(enum client_kind kind, const char *text)
{
	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~' || *p == '/')
			return "it has a character that a name may not have";
	switch (kind) {
	case CLIENT_RECORD: return record_fault(text);
	case CLIENT_CONNECTION: return connection_fault(text);
	}
	return "it is of an unknown kind";
}

int client_text_check(enum client_kind kind, const char *text, struct err *err)
{
	const char *fault = text_fault(kind, text);

	if (!fault)
		return 0;
	return err_set(err, ERR_INPUT, EINVAL, "client entry", "not a %s: %s",
		       kind == CLIENT_CONNECTION ? "connection" : "client record", fault);
}

int client_entry_check(const struct client_entry *e, struct err *err)
{
	if (!memchr(e->text, '\0', sizeof(e->text)))
		return err_set(err, ERR_INPUT, EINVAL, "client entry", "it is not terminated");
	return client_text_check(e->kind, e->text, err);
}
