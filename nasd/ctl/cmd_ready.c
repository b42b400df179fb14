/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One word for programs that watch a node, such as keepalived: by exit status. */
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "ready.h"

static enum cli_exit say(const struct cli *cli, const json_t *group, bool active)
{
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

enum cli_exit cli_ready(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_STATUS };
	bool active = cli->n_args > 0;
	enum cli_exit code;
	const json_t *groups, *found = NULL;
	struct answer a;
	struct err err;

	err_clear(&err);
	if (active && strcmp(cli->args[0], "active") != 0) {
		err_set(&err, ERR_INPUT, 0, "ready", "'%.64s' is not what can be asked: nothing, or active", cli->args[0]);
		return complain(cli, CLI_USAGE, &err);
	}
	code = ask(cli, &req, NULL, NULL, &a);
	groups = json_object_get(a.data, "groups");
	for (size_t i = 0; i < json_array_size(groups); i++)
		if (cli->group ? !strcmp(js_text(json_array_get(groups, i), "name"), cli->group) : json_array_size(groups) == 1)
			found = json_array_get(groups, i);
	if (a.error) {
		answer_complain(cli, &a);
	} else if (found) {
		code = say(cli, found, active);
	} else {
		err_set(&err, ERR_INPUT, 0, "group", cli->group ? "there is no group '%.64s'" : "there are several groups",
			cli->group);
		err_remedy(&err, "name one of nasd.conf with --group");
		code = complain(cli, CLI_USAGE, &err);
	}
	answer_free(&a);
	return code;
}
