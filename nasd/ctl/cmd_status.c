/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <unistd.h>

#include "ask.h"

/* --group leaves only that one; a new reference. */
static json_t *narrowed(const struct cli *cli, const json_t *status)
{
	const json_t *groups = json_object_get(status, "groups");
	json_t *copy = json_copy((json_t *)status), *list = json_array();

	for (size_t i = 0; i < json_array_size(groups); i++) {
		json_t *g = json_array_get(groups, i);

		if (!cli->group || !strcmp(js_text(g, "name"), cli->group))
			json_array_append(list, g);
	}
	json_object_set_new(copy, "groups", list);
	return copy;
}

static bool on_status(json_t *event, void *data)
{
	const struct cli *cli = data;
	json_t *status;

	if (strcmp(js_text(event, "event"), "status") != 0)
		return true;
	status = narrowed(cli, event);
	if (cli->json) {
		json_object_del(status, "event");
		json_dumpf(status, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
		putchar('\n');
	} else {
		/* home, text, and what is left of the last picture cleared */
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[J", stdout);
		view_status(stdout, &cli->view, status);
		if (!isatty(STDOUT_FILENO))
			putchar('\n');
	}
	json_decref(status);
	return fflush(stdout) == 0;
}

static enum cli_exit watch(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_WATCH };
	struct answer a;
	enum cli_exit code = ask(cli, &req, on_status, (void *)(uintptr_t)cli, &a);

	if (a.error)
		answer_complain(cli, &a);
	answer_free(&a);
	return code;
}

enum cli_exit cli_status(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_STATUS };
	json_t *status = NULL;
	struct answer a;
	enum cli_exit code;
	struct err err;

	if (cli->watch)
		return watch(cli);
	code = ask(cli, &req, NULL, NULL, &a);
	if (!a.error)
		status = narrowed(cli, a.data);
	err_clear(&err);
	if (a.error) {
		answer_complain(cli, &a);
	} else if (cli->group && !json_array_size(json_object_get(status, "groups"))) {
		err_set(&err, ERR_INPUT, 0, "group", "there is no group '%.64s'", cli->group);
		code = complain(cli, CLI_USAGE, &err);
	} else if (cli->json) {
		print_json(status);
	} else {
		view_status(stdout, &cli->view, status);
	}
	json_decref(status);
	answer_free(&a);
	return code;
}
