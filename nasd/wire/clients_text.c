/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clients_text.h"

#include <errno.h>
#include <string.h>

bool clients_text_add(char *buf, size_t size, size_t *len, enum client_kind kind, const char *text)
{
	const char *word = client_kind_name(kind);
	size_t w = strlen(word), t = strlen(text);

	if (*len >= size || w + t + 3 > size - *len)
		return false;
	memcpy(buf + *len, word, w);
	buf[*len + w] = ' ';
	memcpy(buf + *len + w + 1, text, t);
	memcpy(buf + *len + w + 1 + t, "\n", 2);
	*len += w + t + 2;
	return true;
}

int clients_text_next(const char **p, struct client_entry *e)
{
	const char *end = strchr(*p, '\n');

	if (!**p)
		return 0;
	for (enum client_kind k = CLIENT_RECORD; end && k <= CLIENT_CONNECTION; k++) {
		const char *word = client_kind_name(k);
		size_t w = strlen(word), t;

		if (strncmp(*p, word, w) != 0 || (*p)[w] != ' ')
			continue;
		t = (size_t)(end - *p) - w - 1;
		if (t < 1 || t >= sizeof(e->text))
			break;
		e->kind = k;
		memcpy(e->text, *p + w + 1, t);
		e->text[t] = '\0';
		*p = end + 1;
		return 1;
	}
	return -EPROTO;
}
