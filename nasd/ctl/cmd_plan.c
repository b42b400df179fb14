/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask.h"

static void show(FILE *out, const struct view *v, const json_t *data)
{
	view_plan(out, v, json_object_get(data, "steps"));
}

enum cli_exit cli_plan(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_PLAN };
	enum cli_exit code = take_name(cli, "group", cli->group, req.group);

	if (code == CLI_DONE)
		code = cli->n_args ? take_name(cli, "node", cli->args[0], req.node) :
				     other_node(cli, cli->group, req.node);
	return code == CLI_DONE ? ask_show(cli, &req, show) : code;
}
