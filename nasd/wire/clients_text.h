/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The entries of a CLIENTS message: one a line, each line ended by a newline.
 *
 *     record 10.77.1.23-(18:Linux NFSv4.2 vn)
 *     connection 10.77.1.23 952 10.77.1.100 2049
 *
 * Only the form is judged here: what a record may be is the replica's matter.
 */
#ifndef NASD_WIRE_CLIENTS_TEXT_H
#define NASD_WIRE_CLIENTS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

/* Appends an entry to buf, which holds len bytes: false, and nothing done, when
 * there is no room for it. */
bool clients_text_add(char *buf, size_t size, size_t *len, enum client_kind kind, const char *text);

/* The entry at *p, which is moved behind it: 1; 0 at the end; -EPROTO where a
 * line is none (*p stays). */
int clients_text_next(const char **p, struct client_entry *e);

#endif
