/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request to nasd and its answer. */
#ifndef NASD_CTL_ASK_H
#define NASD_CTL_ASK_H

#include <jansson.h>

#include "cli.h"
#include "control.h"

struct answer {
	enum cli_exit code; /* what the result says by itself */
	json_t *data;       /* of a result "ok"; may be NULL */
	json_t *error;      /* {"class","where","message","remedy"}; NULL: ok */
	json_t *findings;   /* beside an error; may be NULL */
	bool told;          /* the error came from nasd */
};

/*
 * Sends req and waits for the result; events on the way go to on_event (may be
 * NULL), with their strings printable; false from it ends the conversation as if
 * done. Without cli->json the answer's strings are printable too. Whether it
 * worked or not, answer_free is due.
 */
enum cli_exit ask(const struct cli *cli, const struct ctl_request *req,
		  bool (*on_event)(json_t *event, void *data), void *data, struct answer *a);
void answer_free(struct answer *a);

/* Prints the error and the remedy on standard error, or with --json the error
 * (and findings) on standard output. Returns a->code. */
enum cli_exit answer_complain(const struct cli *cli, const struct answer *a);

/* The whole of a command that only asks and shows: 0 and data, or the complaint. */
enum cli_exit ask_show(const struct cli *cli, const struct ctl_request *req,
		       void (*show)(FILE *out, const struct view *v, const json_t *data));

/* The same where data[key] is text of many lines, which stay lines. */
enum cli_exit ask_show_lines(const struct cli *cli, const struct ctl_request *req, const char *key,
			     void (*show)(FILE *out, const struct view *v, const json_t *data));

/* Prints obj as JSON on standard output. */
void print_json(const json_t *obj);

/* A complaint of nasctl's own; returns code. */
enum cli_exit complain(const struct cli *cli, enum cli_exit code, const struct err *err);

/* Copies a name from the command line; CLI_USAGE with a complaint when it
 * cannot be one. NULL counts as not given: 0 and nothing is copied. */
enum cli_exit take_name(const struct cli *cli, const char *what, const char *name, char out[NAME_MAX_LEN]);

/* The node that a command means which was given none: the one that is not the
 * owner. Asks for the status. */
enum cli_exit other_node(const struct cli *cli, const char *group, char out[NAME_MAX_LEN]);

#endif
