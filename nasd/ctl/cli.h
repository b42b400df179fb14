/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nasctl: the options, the exit codes, and one function for each subcommand
 * (cmd_NAME.c). main.c has the table of them.
 */
#ifndef NASD_CTL_CLI_H
#define NASD_CTL_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "view.h"

#ifndef NASD_SYSCONFDIR
#define NASD_SYSCONFDIR "/etc/nasd"
#endif

#define CLI_CONTROL_SOCKET "/run/nasd/control.sock"
#define CLI_CONFIG_FILE NASD_SYSCONFDIR "/nasd.conf"

/* Exit codes; nasctl(8) documents them. */
enum cli_exit {
	CLI_DONE = 0,
	CLI_FAILED = 1,
	CLI_USAGE = 2,
	CLI_REFUSED = 3,     /* a precondition does not hold; nothing has changed */
	CLI_ROLLED_BACK = 4, /* the service is on the source, as before */
	CLI_UNREACHABLE = 5, /* no nasd answers */
	CLI_UNKNOWN = 6,     /* no answer in time, or the connection broke: look at the status */
};

struct cli {
	const char *socket;  /* path of control.sock */
	const char *group;   /* NULL: not given; likewise below */
	const char *confirmed_dead, *svg, *host, *by;
	bool accept_old_copy;
	unsigned limit;      /* 0: not given */
	unsigned index;      /* 1: the newest */
	unsigned timeout_s;  /* 0: not given */
	bool json, watch, dry_run, freeze;
	char *const *args;   /* behind the subcommand's name */
	int n_args;
	struct view view;    /* how standard output wants it */
};

enum cli_exit cli_status(const struct cli *cli);
enum cli_exit cli_ready(const struct cli *cli);
enum cli_exit cli_role(const struct cli *cli);
enum cli_exit cli_check(const struct cli *cli);
enum cli_exit cli_plan(const struct cli *cli);
enum cli_exit cli_switchover(const struct cli *cli);
enum cli_exit cli_takeover(const struct cli *cli);
enum cli_exit cli_release(const struct cli *cli);
enum cli_exit cli_fence(const struct cli *cli);
enum cli_exit cli_client(const struct cli *cli);
enum cli_exit cli_history(const struct cli *cli);
enum cli_exit cli_timeline(const struct cli *cli);
enum cli_exit cli_config(const struct cli *cli);
enum cli_exit cli_version(const struct cli *cli);
enum cli_exit cli_inject(const struct cli *cli);

#endif
