/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The requests of fsal/msg.h, carried out. One thread calls these. */
#ifndef FSAL_COMMANDS_H
#define FSAL_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Looks for ganesha's private parts and takes hold of the operations: first when
 * the module is loaded, so that no request comes before it, then when the server
 * has started. What fails is said by "status", and turns off what needs it.
 */
void commands_load(void);
void commands_started(void);

struct commands_answer {
	char *line;      /* to be freed; NULL: no memory */
	char *body;      /* to be freed; NULL: none */
	size_t body_len;
	bool records;    /* the connection is one for records.h from here on */
};

/* How many bytes of body follow that line; 0: none, or it is no request. */
size_t commands_body(const char *line, size_t len);

/* Carries out a line, with the body that followed it, which is NULL afterwards if it
 * is kept. */
void commands_run(const char *line, size_t len, char **body, size_t body_len,
		  struct commands_answer *out);

/* How long to wait for the next line at most, in ms; -1: for ever. To be called
 * after each wait: it opens a gate that nobody speaks to. */
int commands_tick(void);

#endif
