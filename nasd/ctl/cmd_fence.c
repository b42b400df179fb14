/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "ask.h"
#include "confirm.h"

static enum cli_exit status(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_FENCE_STATUS };

	return ask_show_lines(cli, &req, "story", view_fence_status);
}

static enum cli_exit check(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_FENCE_CHECK };
	struct answer a;
	enum cli_exit code = ask(cli, &req, NULL, NULL, &a);

	if (a.error) {
		answer_complain(cli, &a);
	} else {
		if (cli->json)
			print_json(a.data);
		else
			view_fence_check(stdout, &cli->view, a.data);
		code = js_true(a.data, "ready") ? CLI_DONE : CLI_REFUSED;
	}
	answer_free(&a);
	return code;
}

static void show_note(FILE *out, const struct view *v, const json_t *data)
{
	(void)v;
	fprintf(out, "%s\n", js_text(data, "note")[0] ? js_text(data, "note") : "confirmed");
}

static enum cli_exit confirm(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_FENCE_CONFIRM };
	enum cli_exit code = take_name(cli, "node", cli->args[1], req.node);

	if (code != CLI_DONE)
		return code;
	confirm_warn(req.node);
	code = confirm_twice(cli, req.node);
	return code == CLI_DONE ? ask_show(cli, &req, show_note) : code;
}

enum cli_exit cli_fence(const struct cli *cli)
{
	const char *verb = cli->args[0];

	if (!strcmp(verb, "confirm") && cli->n_args == 2)
		return confirm(cli);
	if (!strcmp(verb, "status") && cli->n_args == 1 && !cli->confirmed_dead)
		return status(cli);
	if (!strcmp(verb, "check") && cli->n_args == 1 && !cli->confirmed_dead)
		return check(cli);
	fputs("nasctl: fence: what is asked for?\n"
	      "usage: nasctl fence status | check | confirm NODE [--peer-confirmed-dead NODE]\n", stderr);
	return CLI_USAGE;
}
