/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nasd-hyper: what `nasctl guests` and `nasctl migrate` become. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "hyper.h"
#include "terminal.h"

enum { OPT_SOCKET = 256, OPT_CONFIG, OPT_TO, OPT_NAS, OPT_BANDWIDTH, OPT_FORCE, OPT_TIMEOUT, OPT_CONVERGE };

static const struct option options[] = {
	{ "group", required_argument, NULL, 'g' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "config", required_argument, NULL, OPT_CONFIG },
	{ "to", required_argument, NULL, OPT_TO },
	{ "with-nas", required_argument, NULL, OPT_NAS },
	{ "bandwidth", required_argument, NULL, OPT_BANDWIDTH },
	{ "force-after", required_argument, NULL, OPT_FORCE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "auto-converge", no_argument, NULL, OPT_CONVERGE },
	{ NULL, 0, NULL, 0 },
};

static const char usage_guests[] = "usage: nasctl guests [--group GROUP] [--json] [--config FILE]\n";
static const char usage_migrate[] =
	"usage: nasctl migrate GUEST --to HYPERVISOR [--with-nas NODE] [--dry-run] [--json]\n"
	"       [--bandwidth MIB-PER-S] [--auto-converge] [--force-after S]\n"
	"       [--timeout S] [--config FILE] [--socket PATH]\n";

static bool number(const char *option, const char *text, unsigned most, unsigned *out)
{
	if (cli_take_number(text, most, out))
		return true;
	fprintf(stderr, "nasctl: --%s: needs a number from 1 to %u\n", option, most);
	return false;
}

static bool take(int c, struct hyper_options *o, bool migrate)
{
	switch (c) {
	case 'j': o->cli.json = true; return true;
	case OPT_CONFIG: o->config = optarg; return true;
	case OPT_SOCKET: o->cli.socket = optarg; return true;
	case 'g': o->cli.group = optarg; return !migrate;
	default: break;
	}
	if (!migrate)
		return false;
	switch (c) {
	case 'n': o->cli.dry_run = true; return true;
	case OPT_TO: o->to = optarg; return true;
	case OPT_NAS: o->with_nas = optarg; return true;
	case OPT_CONVERGE: o->auto_converge = true; return true;
	case OPT_BANDWIDTH: return number("bandwidth", optarg, 1000000, &o->bandwidth);
	case OPT_FORCE: return number("force-after", optarg, 86400, &o->force_after_s);
	case OPT_TIMEOUT: return number("timeout", optarg, 3540, &o->timeout_s);
	default: return false;
	}
}

static enum cli_exit run(const struct hyper_options *o, bool migrate)
{
	struct conf *c = NULL;
	enum cli_exit code;
	struct err err;

	err_clear(&err);
	if (conf_load_file(o->config, &c, &err) < 0)
		return complain(&o->cli, CLI_FAILED, &err);
	if (!c->n_hypervisors) {
		err_set(&err, ERR_REFUSED, ENOENT, o->config, "names no hypervisor");
		err_remedy(&err, "write a section `hypervisor NAME { ... }' for each: nasd.conf(5)");
		code = complain(&o->cli, CLI_REFUSED, &err);
	} else if (hyper_begin(&err) < 0) {
		code = complain(&o->cli, CLI_FAILED, &err);
	} else {
		code = migrate ? hyper_migrate(o, c) : hyper_guests(o, c);
	}
	conf_free(c);
	return code;
}

int main(int argc, char **argv)
{
	struct hyper_options o = { .cli = { .socket = CLI_CONTROL_SOCKET }, .config = CLI_CONFIG_FILE };
	bool migrate = argc > 1 && !strcmp(argv[1], "migrate");
	const char *usage = migrate ? usage_migrate : usage_guests;
	int c;

	if (argc < 2 || (!migrate && strcmp(argv[1], "guests") != 0)) {
		fprintf(stderr, "%s%s", usage_guests, usage_migrate);
		return CLI_USAGE;
	}
	json_object_seed(0);
	while ((c = getopt_long(argc, argv, "g:jhn", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return CLI_DONE;
		}
		if (!take(c, &o, migrate)) {
			fputs(usage, stderr);
			return CLI_USAGE;
		}
	}
	optind++; /* the command's name */
	o.guest = optind < argc ? argv[optind++] : NULL;
	if (optind < argc || (migrate ? !o.guest || !o.to : o.guest != NULL)) {
		fputs(usage, stderr);
		return CLI_USAGE;
	}
	view_look_at_terminal(&o.cli.view);
	return (int)run(&o, migrate);
}
