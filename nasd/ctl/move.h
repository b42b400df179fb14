/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A switchover or takeover with its live view, and what became of it. */
#ifndef NASD_CTL_MOVE_H
#define NASD_CTL_MOVE_H

#include "ask.h"

/* Sends req (a switchover or takeover), shows the steps as they end, and the
 * result; explains an error by the history. Returns the exit code. */
enum cli_exit move_run(const struct cli *cli, const struct ctl_request *req);

/*
 * What an error to a move means, given the newest history entries before and
 * after it (either may be NULL): the entry's result where it is a new one,
 * otherwise what the error says by itself. Pure.
 */
enum cli_exit move_verdict(enum cli_exit by_error, const json_t *before, const json_t *after);

#endif
