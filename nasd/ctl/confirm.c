/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "confirm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "cleanup.h"

void confirm_warn(const char *node)
{
	fprintf(stderr,
		"nasctl: warning: you vouch that %s is off, or cut off from the disk and the clients,\n"
		"         and stays so. If it still writes, both copies of the data diverge and\n"
		"         one of them will be lost.\n",
		node);
}

static enum cli_exit no_match(const struct cli *cli, enum cli_exit code, const char *text, const char *node)
{
	struct err err;

	err_clear(&err);
	err_set(&err, code == CLI_USAGE ? ERR_INPUT : ERR_REFUSED, EINVAL, "confirm", text, node);
	err_remedy(&err, "look at the machine that is off, and name it; nothing has changed");
	return complain(cli, code, &err);
}

enum cli_exit confirm_twice(const struct cli *cli, const char *node)
{
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (cli->confirmed_dead) {
		if (!strcmp(cli->confirmed_dead, node))
			return CLI_DONE;
		return no_match(cli, CLI_USAGE, "the name behind --peer-confirmed-dead is not '%s'", node);
	}
	if (!isatty(STDIN_FILENO))
		return no_match(cli, CLI_USAGE,
				"nobody is there to ask again: a script adds --peer-confirmed-dead %s", node);
	fputs("Type the name of the node that is off: ", stderr);
	fflush(stderr);
	n = getline(&line, &size, stdin);
	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = '\0';
	if (n > 0 && !strcmp(line, node))
		return CLI_DONE;
	return no_match(cli, CLI_REFUSED, "that was not '%s'", node);
}
