/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An operator's word that a node is off. */
#ifndef NASD_CTL_CONFIRM_H
#define NASD_CTL_CONFIRM_H

#include "cli.h"

/* What such a word means, on standard error. */
void confirm_warn(const char *node);

/*
 * Lets the node's name be given a second time: as --peer-confirmed-dead, or typed
 * on the terminal. CLI_DONE: it was the same; otherwise it has complained
 * (CLI_USAGE; CLI_REFUSED when it was typed wrongly).
 */
enum cli_exit confirm_twice(const struct cli *cli, const char *node);

#endif
