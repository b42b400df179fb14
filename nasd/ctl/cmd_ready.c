/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What programs that watch a node, such as keepalived and Pacemaker's agent, ask. */
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "ready.h"

static enum cli_exit say_ready(const struct cli *cli, const json_t *group)
{
	bool active = cli->n_args > 0;
	const char *why = ready_why_not(group, active);

	if (cli->json) {
		json_t *out = json_pack("{sssb}", "group", js_text(group, "name"), "ready", !why);

		if (why)
			json_object_set_new(out, "why", json_string(why));
		print_json(out);
		json_decref(out);
	} else {
		printf("%s: %s\n", js_text(group, "name"), why ? why : active ? "active" : "ready");
	}
	return why ? CLI_FAILED : CLI_DONE;
}

static enum cli_exit say_role(const struct cli *cli, const json_t *group)
{
	const char *role = ready_role(group);
	int score = ready_score(group);

	if (cli->json) {
		json_t *out = json_pack("{ssss}", "group", js_text(group, "name"), "role", role);

		json_object_set_new(out, "score", score < 0 ? json_null() : json_integer(score));
		print_json(out);
		json_decref(out);
	} else if (score < 0) {
		printf("%s -\n", role);
	} else {
		printf("%s %d\n", role, score);
	}
	return CLI_DONE;
}

/* Has a verdict on the group said that a status has of it. */
static enum cli_exit judge(const struct cli *cli, enum cli_exit (*verdict)(const struct cli *, const json_t *))
{
	struct ctl_request req = { .cmd = CTL_STATUS };
	const json_t *groups, *found = NULL;
	enum cli_exit code;
	struct answer a;
	struct err err;

	err_clear(&err);
	code = ask(cli, &req, NULL, NULL, &a);
	groups = json_object_get(a.data, "groups");
	for (size_t i = 0; i < json_array_size(groups); i++)
		if (cli->group ? !strcmp(js_text(json_array_get(groups, i), "name"), cli->group) : json_array_size(groups) == 1)
			found = json_array_get(groups, i);
	if (a.error) {
		answer_complain(cli, &a);
	} else if (found) {
		code = verdict(cli, found);
	} else {
		err_set(&err, ERR_INPUT, 0, "group", cli->group ? "there is no group '%.64s'" : "there are several groups",
			cli->group);
		err_remedy(&err, "name one of nasd.conf with --group");
		code = complain(cli, CLI_USAGE, &err);
	}
	answer_free(&a);
	return code;
}

enum cli_exit cli_ready(const struct cli *cli)
{
	struct err err;

	err_clear(&err);
	if (cli->n_args && strcmp(cli->args[0], "active") != 0) {
		err_set(&err, ERR_INPUT, 0, "ready", "'%.64s' is not what can be asked: nothing, or active", cli->args[0]);
		return complain(cli, CLI_USAGE, &err);
	}
	return judge(cli, say_ready);
}

enum cli_exit cli_role(const struct cli *cli)
{
	return judge(cli, say_role);
}
