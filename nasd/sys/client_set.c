/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets of client entries, and what their texts may be. Pure. */
#include "clients.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int entry_cmp(const struct client_entry *a, const struct client_entry *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return strcmp(a->text, b->text);
}

void client_set_free(struct client_set *s)
{
	free(s->entries);
	*s = (struct client_set){0};
}

/* The position of e, or the one at which it would have to be. */
static bool find(const struct client_set *s, const struct client_entry *e, size_t *pos)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = entry_cmp(&s->entries[mid], e);

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
	struct client_entry *p;

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

int client_set_add(struct client_set *s, const struct client_entry *e)
{
	size_t pos;
	int ret;

	if (find(s, e, &pos))
		return 0;
	if (s->n >= CLIENTS_MAX)
		return -E2BIG;
	ret = reserve(s, s->n + 1);
	if (ret < 0)
		return ret;
	memmove(&s->entries[pos + 1], &s->entries[pos], (s->n - pos) * sizeof(*e));
	s->entries[pos] = *e;
	s->n++;
	return 0;
}

int client_set_del(struct client_set *s, const struct client_entry *e)
{
	size_t pos;

	if (!find(s, e, &pos))
		return 0;
	s->n--;
	memmove(&s->entries[pos], &s->entries[pos + 1], (s->n - pos) * sizeof(*e));
	return 0;
}

bool client_set_has(const struct client_set *s, const struct client_entry *e)
{
	size_t pos;

	return find(s, e, &pos);
}

int client_set_copy(struct client_set *to, const struct client_set *from)
{
	int ret = reserve(to, from->n);

	if (ret < 0)
		return ret;
	if (from->n)
		memcpy(to->entries, from->entries, from->n * sizeof(*to->entries));
	to->n = from->n;
	return 0;
}

size_t client_set_count(const struct client_set *s, enum client_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		n += s->entries[i].kind == kind;
	return n;
}

int clients_diff(const struct client_set *old, const struct client_set *now,
		 int (*fn)(enum clients_op op, const struct client_entry *e, void *data), void *data)
{
	const struct client_set *sets[2] = {old, now};

	for (int pass = 0; pass < 2; pass++) {
		const struct client_set *a = sets[pass], *b = sets[!pass];

		for (size_t i = 0; i < a->n; i++) {
			int ret;

			if (client_set_has(b, &a->entries[i]))
				continue;
			ret = fn(pass ? CLIENTS_ADD : CLIENTS_DEL, &a->entries[i], data);
			if (ret)
				return ret;
		}
	}
	return 0;
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

static const char *text_fault(const struct client_entry *e)
{
	if (!memchr(e->text, '\0', sizeof(e->text)))
		return "it is not terminated";
	for (const char *p = e->text; *p; p++)
		if (*p < ' ' || *p > '~' || *p == '/')
			return "it has a character that a name may not have";
	switch (e->kind) {
	case CLIENT_RECORD: return record_fault(e->text);
	case CLIENT_CONNECTION: return connection_fault(e->text);
	}
	return "it is of an unknown kind";
}

int client_entry_check(const struct client_entry *e, struct err *err)
{
	const char *fault = text_fault(e);

	if (!fault)
		return 0;
	return err_set(err, ERR_INPUT, EINVAL, "client entry", "not a %s: %s",
		       e->kind == CLIENT_CONNECTION ? "connection" : "client record", fault);
}
