/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "ask.h"
#include "printable.h"
#include "timeline.h"

static enum cli_exit write_svg(const struct cli *cli, const struct timeline *t)
{
	bool to_stdout = !strcmp(cli->svg, "-");
	FILE *f = to_stdout ? stdout : fopen(cli->svg, "we");
	struct err err;

	err_clear(&err);
	if (f) {
		timeline_svg(f, t);
		if ((to_stdout ? fflush(f) : fclose(f)) == 0)
			return CLI_DONE;
	}
	err_set(&err, ERR_SYSTEM, errno, cli->svg, "cannot be written");
	return complain(cli, CLI_FAILED, &err);
}

static enum cli_exit draw(const struct cli *cli, const json_t *entry)
{
	struct timeline t;
	struct err err;
	enum cli_exit code = CLI_DONE;

	if (timeline_read(&t, entry, cli->freeze) < 0) {
		err_clear(&err);
		err_set(&err, ERR_INPUT, 0, "timeline", cli->freeze ? "that move froze nothing" : "that move ran no step");
		err_remedy(&err, "see 'nasctl history', and name another by --index");
		return complain(cli, CLI_FAILED, &err);
	}
	if (cli->svg)
		code = write_svg(cli, &t);
	else if (!cli->json)
		timeline_text(stdout, &cli->view, &t);
	if (code == CLI_DONE && cli->svg && strcmp(cli->svg, "-") != 0 && !cli->json)
		printf("%s written\n", cli->svg);
	return code;
}

enum cli_exit cli_timeline(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_HISTORY, .limit = cli->index };
	enum cli_exit code = take_name(cli, "group", cli->group, req.group);
	json_t *entry, *clean;
	struct answer a;
	struct err err;

	if (code != CLI_DONE)
		return code;
	code = ask(cli, &req, NULL, NULL, &a);
	entry = json_array_get(json_object_get(a.data, "entries"), cli->index - 1);
	err_clear(&err);
	if (a.error) {
		answer_complain(cli, &a);
	} else if (!entry) {
		err_set(&err, ERR_INPUT, 0, "timeline", cli->index > 1 ? "there are fewer moves than that" : "no move so far");
		code = complain(cli, CLI_FAILED, &err);
	} else {
		clean = json_printable(entry);
		code = !cli->json || cli->svg ? draw(cli, clean) : CLI_DONE;
		if (cli->json && code == CLI_DONE)
			print_json(entry);
		json_decref(clean);
	}
	answer_free(&a);
	return code;
}
