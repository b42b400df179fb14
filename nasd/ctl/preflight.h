/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The preflight as `check` and `switchover --dry-run` both show it. */
#ifndef NASD_CTL_PREFLIGHT_H
#define NASD_CTL_PREFLIGHT_H

#include "ask.h"

struct check_answer {
	struct answer answer;    /* data: {"findings","ready"} */
	char node[NAME_MAX_LEN]; /* that was checked as the target */
	bool ready;
};

/*
 * Asks for the preflight with node as the target (NULL: the one that is not the
 * owner). CLI_DONE: the answer is there, ready or not; otherwise it has
 * complained. answer_free(&out->answer) is due either way.
 */
enum cli_exit check_node(const struct cli *cli, const char *node, struct check_answer *out);

void check_show(const struct cli *cli, const struct check_answer *c);

#endif
