/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clients' state on its way between the nodes: text that only ganesha's module
 * reads (fsal/state.h), but for this. Pure.
 *
 * A copy that is sent ahead of a freeze begins with a line "nasd-base N", what has
 * changed since with "nasd-changes N": N names the copy. In the changes, a line
 * "same" among a client's stands for its lines behind its own in the copy.
 */
#ifndef NASD_WIRE_STATE_TEXT_H
#define NASD_WIRE_STATE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum state_text_kind { STATE_TEXT_WHOLE, STATE_TEXT_BASE, STATE_TEXT_CHANGES };

enum { STATE_TEXT_HEAD_MAX = 40 };

/* The first line of a base or of changes: its length. */
size_t state_text_head(enum state_text_kind kind, uint64_t base, char out[STATE_TEXT_HEAD_MAX]);

/* What a text is (terminated); *base is the copy's name, 0 for a whole one. */
enum state_text_kind state_text_kind(const char *text, uint64_t *base);

struct state_text {
	char *text; /* terminated; to be freed */
	size_t len;
	size_t room; /* of text: it may be given, and is kept if it will do */
};

/*
 * The whole state of a copy and the changes since, both terminated, without reading
 * more than it must. Fills out->text, which may be NULL. 0, or -EPROTO, -ENOMEM
 * with err filled.
 */
int state_text_merge(const char *base, const char *changes, struct state_text *out, struct err *err);

#endif
