/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nasd-hyper: what `nasctl guests`, `nasctl migrate` and `nasctl evacuate` become. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "hyper.h"
#include "terminal.h"

enum { OPT_SOCKET = 256, OPT_CONFIG, OPT_TO, OPT_NAS, OPT_BANDWIDTH, OPT_DOWNTIME, OPT_FORCE, OPT_TIMEOUT, OPT_CONVERGE, OPT_POSTCOPY, OPT_POSTCOPY_AFTER,
       OPT_POSTCOPY_RESUME, OPT_JOBS, OPT_SKIP, OPT_BACK };

enum command { GUESTS, MIGRATE, EVACUATE };

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
	{ "downtime", required_argument, NULL, OPT_DOWNTIME },
	{ "force-after", required_argument, NULL, OPT_FORCE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "auto-converge", no_argument, NULL, OPT_CONVERGE },
	{ "postcopy", no_argument, NULL, OPT_POSTCOPY },
	{ "postcopy-after", required_argument, NULL, OPT_POSTCOPY_AFTER },
	{ "postcopy-resume", no_argument, NULL, OPT_POSTCOPY_RESUME },
	{ "jobs", required_argument, NULL, OPT_JOBS },
	{ "skip", no_argument, NULL, OPT_SKIP },
	{ "back", no_argument, NULL, OPT_BACK },
	{ NULL, 0, NULL, 0 },
};

static const struct {
	const char *name, *usage;
} commands[] = {
	[GUESTS] = { "guests", "usage: nasctl guests [--group GROUP] [--json] [--config FILE]\n" },
	[MIGRATE] = { "migrate",
	"usage: nasctl migrate GUEST --to HYPERVISOR [--with-nas NODE] [--dry-run] [--json]\n"
	"       [--bandwidth MIB-PER-S] [--downtime MS] [--auto-converge] [--force-after S]\n"
	"       [--timeout S] [--postcopy | --postcopy-after S] [--config FILE] [--socket PATH]\n"
	"       nasctl migrate GUEST --to HYPERVISOR --postcopy-resume [--bandwidth MIB-PER-S] [--json]\n" },
	[EVACUATE] = { "evacuate",
	"usage: nasctl evacuate HYPERVISOR [--to HYPERVISOR | --back] [--group GROUP] [--jobs N] [--skip]\n"
	"       [--dry-run] [--json] [--bandwidth MIB-PER-S] [--downtime MS] [--auto-converge]\n"
	"       [--force-after S] [--timeout S] [--config FILE] [--socket PATH]\n" },
};

static bool number(const char *option, const char *text, unsigned most, unsigned *out)
{
	if (cli_take_number(text, most, out))
		return true;
	fprintf(stderr, "nasctl: --%s: needs a number from 1 to %u\n", option, most);
	return false;
}

static bool take(int c, struct hyper_options *o, enum command command)
{
	switch (c) {
	case 'j': o->cli.json = true; return true;
	case OPT_CONFIG: o->config = optarg; return true;
	case OPT_SOCKET: o->cli.socket = optarg; return true;
	case 'g': o->cli.group = optarg; return command != MIGRATE;
	default: break;
	}
	if (command == GUESTS)
		return false;
	switch (c) {
	case 'n': o->cli.dry_run = true; return true;
	case OPT_TO: o->to = optarg; return true;
	case OPT_NAS: o->with_nas = optarg; return command == MIGRATE;
	case OPT_CONVERGE: o->auto_converge = true; return true;
	case OPT_BANDWIDTH: return number("bandwidth", optarg, 1000000, &o->bandwidth);
	case OPT_DOWNTIME: return number("downtime", optarg, 60000, &o->downtime_ms);
	case OPT_FORCE: return number("force-after", optarg, 86400, &o->force_after_s);
	case OPT_TIMEOUT: return number("timeout", optarg, 3540, &o->timeout_s);
	case OPT_POSTCOPY: o->postcopy = true; return command == MIGRATE;
	case OPT_POSTCOPY_AFTER:
		o->postcopy = true;
		return command == MIGRATE && number("postcopy-after", optarg, 86400, &o->postcopy_after_s);
	case OPT_POSTCOPY_RESUME: o->resume = true; return command == MIGRATE;
	case OPT_JOBS: return command == EVACUATE && number("jobs", optarg, 16, &o->jobs);
	case OPT_SKIP: o->skip = true; return command == EVACUATE;
	case OPT_BACK: o->back = true; return command == EVACUATE;
	default: return false;
	}
}

static bool postcopy_fits(const struct hyper_options *o)
{
	if (o->postcopy && o->force_after_s) {
		fputs("nasctl: --force-after: not with --postcopy, with which every guest gets over\n", stderr);
		return false;
	}
	if (o->resume && (o->postcopy || o->with_nas || o->cli.dry_run || o->downtime_ms || o->auto_converge || o->force_after_s || o->timeout_s)) {
		fputs("nasctl: --postcopy-resume: only --bandwidth goes with it: the guest is at its target already\n", stderr);
		return false;
	}
	return true;
}

/* What stands behind the options fits the command. */
static bool fits(const struct hyper_options *o, enum command command)
{
	switch (command) {
	case GUESTS: return !o->guest;
	case MIGRATE: return o->guest && o->to && postcopy_fits(o);
	case EVACUATE: return o->guest && !(o->to && o->back);
	}
	return false;
}

static enum cli_exit run(const struct hyper_options *o, enum command command)
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
		code = command == GUESTS ? hyper_guests(o, c) : command == MIGRATE ? hyper_migrate(o, c) : hyper_evacuate(o, c);
	}
	conf_free(c);
	return code;
}

int main(int argc, char **argv)
{
	struct hyper_options o = { .cli = { .socket = CLI_CONTROL_SOCKET }, .config = CLI_CONFIG_FILE, .jobs = 2 };
	enum command command = GUESTS;
	const char *usage;
	int c;

	while (command <= EVACUATE && (argc < 2 || strcmp(argv[1], commands[command].name) != 0))
		command++;
	if (command > EVACUATE) {
		for (command = GUESTS; command <= EVACUATE; command++)
			fputs(commands[command].usage, stderr);
		return CLI_USAGE;
	}
	usage = commands[command].usage;
	json_object_seed(0);
	while ((c = getopt_long(argc, argv, "g:jhn", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return CLI_DONE;
		}
		if (!take(c, &o, command)) {
			fputs(usage, stderr);
			return CLI_USAGE;
		}
	}
	optind++; /* the command's name */
	o.guest = optind < argc ? argv[optind++] : NULL;
	if (optind < argc || !fits(&o, command)) {
		fputs(usage, stderr);
		return CLI_USAGE;
	}
	view_look_at_terminal(&o.cli.view);
	return (int)run(&o, command);
}
