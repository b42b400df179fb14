/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config check and dump work on a file, without a daemon; show asks for what runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "ask.h"
#include "cleanup.h"
#include "conf.h"

static enum cli_exit load(const struct cli *cli, const char *file, struct conf **conf)
{
	struct err err;

	err_clear(&err);
	if (conf_load_file(file, conf, &err) == 0)
		return CLI_DONE;
	return complain(cli, CLI_FAILED, &err);
}

/* Which node this host is; -1 when neither, or -2 with a complaint. */
static int which_node(const struct cli *cli, const struct conf *conf)
{
	struct utsname u;
	struct err err;
	int node;

	uname(&u);
	node = conf_node_index(conf, cli->host ? cli->host : u.nodename);
	if (node >= 0 || !cli->host)
		return node;
	err_clear(&err);
	err_set(&err, ERR_INPUT, EINVAL, "host", "'%.64s' is neither %s nor %s", cli->host, conf->nodes[0].name,
		conf->nodes[1].name);
	complain(cli, CLI_USAGE, &err);
	return -2;
}

static enum cli_exit check(const struct cli *cli, const char *file)
{
	struct conf *conf = NULL;
	enum cli_exit code = load(cli, file, &conf);
	int node;
	struct err err;
	json_t *o;

	if (code != CLI_DONE)
		return code;
	err_clear(&err);
	node = which_node(cli, conf);
	if (node == -2) {
		code = CLI_USAGE;
	} else if (node >= 0 && conf_check_host(conf, node, file, &err) < 0) {
		code = complain(cli, err.cls == ERR_REFUSED ? CLI_REFUSED : CLI_FAILED, &err);
	} else if (cli->json) {
		o = json_pack("{s:s, s:s, s:s?, s:i}", "file", file, "hash", conf->hash, "node",
			      node >= 0 ? conf->nodes[node].name : NULL, "groups", (int)conf->n_groups);
		print_json(o);
		json_decref(o);
	} else {
		printf("%s: good, hash %s\n", file, conf->hash);
		if (node >= 0)
			printf("this host is %s, and has what the file asks for\n", conf->nodes[node].name);
		else
			printf("this host is neither %s nor %s: only the file was checked\n", conf->nodes[0].name,
			       conf->nodes[1].name);
	}
	conf_free(conf);
	return code;
}

static enum cli_exit dump(const struct cli *cli, const char *file)
{
	struct conf *conf = NULL;
	enum cli_exit code = load(cli, file, &conf);
	AUTO_FREE char *text = NULL;
	struct err err;
	json_t *o;

	if (code != CLI_DONE)
		return code;
	text = conf_dump_shown(conf);
	if (!text) {
		err_clear(&err);
		err_set(&err, ERR_SYSTEM, ENOMEM, file, "cannot be printed");
		code = complain(cli, CLI_FAILED, &err);
	} else if (cli->json) {
		o = json_pack("{s:s, s:s}", "text", text, "hash", conf->hash);
		print_json(o);
		json_decref(o);
	} else {
		fputs(text, stdout);
	}
	conf_free(conf);
	return code;
}

static void show_text(FILE *out, const struct view *v, const json_t *data)
{
	(void)v;
	fputs(js_text(data, "text"), out);
}

static enum cli_exit show(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_CONFIG };

	return ask_show_lines(cli, &req, "text", show_text);
}

enum cli_exit cli_config(const struct cli *cli)
{
	const char *verb = cli->args[0], *file = cli->n_args > 1 ? cli->args[1] : CLI_CONFIG_FILE;

	if (!strcmp(verb, "check"))
		return check(cli, file);
	if (!strcmp(verb, "dump"))
		return dump(cli, file);
	if (!strcmp(verb, "show") && cli->n_args == 1)
		return show(cli);
	fputs("nasctl: config: what is asked for?\nusage: nasctl config check|dump [FILE] | show\n", stderr);
	return CLI_USAGE;
}
