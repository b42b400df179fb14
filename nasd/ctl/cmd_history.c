/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask.h"

static void show(FILE *out, const struct view *v, const json_t *data)
{
	view_history(out, v, json_object_get(data, "entries"));
}

enum cli_exit cli_history(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_HISTORY, .limit = cli->limit };
	enum cli_exit code = take_name(cli, "group", cli->group, req.group);

	return code == CLI_DONE ? ask_show(cli, &req, show) : code;
}
