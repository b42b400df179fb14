/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NASD_CTL_TERMINAL_H
#define NASD_CTL_TERMINAL_H

#include <stdbool.h>

#include "view.h"

/* A number from 1 to most, and nothing else; false: it is none. */
bool cli_take_number(const char *text, unsigned long most, unsigned *out);

/* How standard output wants it. */
void view_look_at_terminal(struct view *v);

#endif
