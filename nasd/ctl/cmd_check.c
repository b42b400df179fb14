/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preflight.h"

#include <string.h>

enum cli_exit check_node(const struct cli *cli, const char *node, struct check_answer *out)
{
	struct ctl_request req = { .cmd = CTL_CHECK };
	enum cli_exit code;

	memset(out, 0, sizeof(*out));
	code = take_name(cli, "group", cli->group, req.group);
	if (code == CLI_DONE)
		code = node ? take_name(cli, "node", node, req.node) : other_node(cli, cli->group, req.node);
	if (code != CLI_DONE)
		return code;
	memcpy(out->node, req.node, sizeof(out->node));
	code = ask(cli, &req, NULL, NULL, &out->answer);
	if (out->answer.error)
		return answer_complain(cli, &out->answer);
	out->ready = js_true(out->answer.data, "ready");
	return code;
}

void check_show(const struct cli *cli, const struct check_answer *c)
{
	const struct view *v = &cli->view;
	const json_t *findings = json_object_get(c->answer.data, "findings");
	size_t bad = 0;

	for (size_t i = 0; i < json_array_size(findings); i++)
		bad += !js_true(json_array_get(findings, i), "ok");
	view_findings(stdout, v, findings);
	if (c->ready)
		printf("%sready%s: a switchover to %s can begin\n", view_on(v, TONE_GOOD), view_off(v), c->node);
	else
		printf("%snot ready%s: %zu of %zu preconditions of a switchover to %s do not hold\n",
		       view_on(v, TONE_BAD), view_off(v), bad, json_array_size(findings), c->node);
}

enum cli_exit cli_check(const struct cli *cli)
{
	struct check_answer c;
	enum cli_exit code = check_node(cli, cli->n_args ? cli->args[0] : NULL, &c);

	if (code == CLI_DONE) {
		if (cli->json)
			print_json(c.answer.data);
		else
			check_show(cli, &c);
		code = c.ready ? CLI_DONE : CLI_REFUSED;
	}
	answer_free(&c.answer);
	return code;
}
