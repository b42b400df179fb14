/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * What went wrong, for the person who reads the answer on the socket. A function
 * that fails returns a negative errno and, when it was handed a struct fault,
 * says why there; success leaves it alone.
 */
#ifndef FSAL_FAULT_H
#define FSAL_FAULT_H

enum { FAULT_TEXT_MAX = 240 };

struct fault {
	int errnum;                /* positive errno value */
	char text[FAULT_TEXT_MAX]; /* one line; empty: nothing went wrong */
};

/* Fills f (which may be NULL) and returns -errnum. Too long a text is cut. */
int fault_set(struct fault *f, int errnum, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
