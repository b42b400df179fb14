/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preflight.h"
#include "move.h"

/* The checks and the steps, and nothing changes. */
static enum cli_exit dry_run(const struct cli *cli, const struct ctl_request *req)
{
	struct ctl_request plan = *req;
	struct check_answer c;
	struct answer p = { 0 };
	enum cli_exit code = check_node(cli, req->node, &c);
	json_t *o;

	plan.cmd = CTL_PLAN;
	if (code == CLI_DONE)
		code = ask(cli, &plan, NULL, NULL, &p);
	if (p.error) {
		answer_complain(cli, &p);
	} else if (code == CLI_DONE && cli->json) {
		o = json_copy(c.answer.data);
		json_object_update(o, p.data);
		print_json(o);
		json_decref(o);
	} else if (code == CLI_DONE) {
		view_plan(stdout, &cli->view, json_object_get(p.data, "steps"));
		putchar('\n');
		check_show(cli, &c);
		puts("dry run: nothing was changed");
	}
	if (code == CLI_DONE && !c.ready)
		code = CLI_REFUSED;
	answer_free(&c.answer);
	answer_free(&p);
	return code;
}

enum cli_exit cli_switchover(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_SWITCHOVER };
	enum cli_exit code = take_name(cli, "group", cli->group, req.group);

	if (code == CLI_DONE)
		code = take_name(cli, "node", cli->args[0], req.node);
	if (code == CLI_DONE)
		code = take_name(cli, "by", cli->by, req.by);
	if (code != CLI_DONE)
		return code;
	return cli->dry_run ? dry_run(cli, &req) : move_run(cli, &req);
}
