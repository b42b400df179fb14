/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "confirm.h"
#include "move.h"

enum cli_exit cli_takeover(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_TAKEOVER };
	enum cli_exit code = take_name(cli, "group", cli->group, req.group);

	if (code == CLI_DONE)
		code = take_name(cli, "node", cli->args[0], req.node);
	if (code == CLI_DONE)
		code = take_name(cli, "peer-confirmed-dead", cli->confirmed_dead, req.peer_confirmed_dead);
	if (code == CLI_DONE)
		code = take_name(cli, "by", cli->by, req.by);
	if (code != CLI_DONE)
		return code;
	req.accept_old_copy = cli->accept_old_copy;
	if (cli->confirmed_dead)
		confirm_warn(req.peer_confirmed_dead);
	return move_run(cli, &req);
}

enum cli_exit cli_release(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_RELEASE };
	enum cli_exit code = take_name(cli, "group", cli->group, req.group);

	if (code == CLI_DONE)
		code = take_name(cli, "node", cli->args[0], req.node);
	return code == CLI_DONE ? move_run(cli, &req) : code;
}
