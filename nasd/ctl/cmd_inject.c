/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask.h"

static void show(FILE *out, const struct view *v, const json_t *data)
{
	(void)v;
	(void)data;
	fputs("armed: it happens once, the next time that step runs on this node\n", out);
}

enum cli_exit cli_inject(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_INJECT };
	enum cli_exit code = take_name(cli, "group", cli->group, req.group);

	if (code == CLI_DONE)
		code = take_name(cli, "step", cli->args[0], req.step);
	if (code == CLI_DONE)
		code = take_name(cli, "what", cli->args[1], req.what);
	if (code == CLI_DONE)
		code = take_name(cli, "when", cli->args[2], req.when);
	return code == CLI_DONE ? ask_show(cli, &req, show) : code;
}
