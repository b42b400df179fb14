/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nasctl: the subcommands, the options, help. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "terminal.h"

/* Which options a subcommand takes, besides --json and --help. */
enum {
	O_SOCKET = 1 << 0, /* it talks to nasd: --socket, --timeout */
	O_GROUP = 1 << 1,
	O_WATCH = 1 << 2,
	O_DRY = 1 << 3,
	O_DEAD = 1 << 4,
	O_LIMIT = 1 << 5,
	O_TIMELINE = 1 << 6,
	O_HOST = 1 << 7,
	O_OLD_COPY = 1 << 8,
	O_BY = 1 << 9,
};

static enum cli_exit cli_help(const struct cli *cli);
static enum cli_exit cli_hyper(const struct cli *cli);

static const struct subcommand {
	const char *name;
	enum cli_exit (*run)(const struct cli *cli);
	const char *help;
	const char *arguments;
	int least, most;
	unsigned options;
	bool for_tests;
} subcommands[] = {
	{ "status", cli_status, "who serves what, and how well the other could", "[--watch]", 0, 0,
	  O_SOCKET | O_GROUP | O_WATCH, false },
	{ "ready", cli_ready, "does this node serve, or could it? by exit status; active: does it?", "[active]", 0, 1,
	  O_SOCKET | O_GROUP, false },
	{ "role", cli_role, "this node's role in a group, and its promotion score, for Pacemaker's agent", "", 0, 0,
	  O_SOCKET | O_GROUP, false },
	{ "check", cli_check, "every precondition of a switchover, with its remedy", "[NODE]", 0, 1,
	  O_SOCKET | O_GROUP, false },
	{ "plan", cli_plan, "the steps that a switchover would run", "[NODE]", 0, 1, O_SOCKET | O_GROUP, false },
	{ "switchover", cli_switchover, "move a group to NODE while its clients wait a moment", "NODE [--dry-run | --by TRIGGER]",
	  1, 1, O_SOCKET | O_GROUP | O_DRY | O_BY, false },
	{ "takeover", cli_takeover, "serve a group on NODE after the other has failed",
	  "NODE [--peer-confirmed-dead PEER [--accept-old-copy] | --by TRIGGER]", 1, 1,
	  O_SOCKET | O_GROUP | O_DEAD | O_OLD_COPY | O_BY, false },
	{ "release", cli_release, "stop serving a group on NODE: afterwards nobody serves it", "NODE", 1, 1,
	  O_SOCKET | O_GROUP, false },
	{ "fence", cli_fence, "what switches the other node off, whether it would, or your word that it is off",
	  "status | check | confirm NODE [--peer-confirmed-dead NODE]", 1, 2, O_SOCKET | O_DEAD, false },
	{ "client", cli_client, "what a dead client held is free at once, by your word that it is off",
	  "release ADDRESS [--peer-confirmed-dead ADDRESS]", 2, 2, O_SOCKET | O_GROUP | O_DEAD, false },
	{ "history", cli_history, "the moves so far, the newest first", "[--limit N]", 0, 0,
	  O_SOCKET | O_GROUP | O_LIMIT, false },
	{ "timeline", cli_timeline, "where the time of a move went", "[--index N] [--freeze] [--svg FILE]", 0, 0,
	  O_SOCKET | O_GROUP | O_TIMELINE, false },
	{ "guests", cli_hyper, "the guests whose disks are here, and where they run", "[--group GROUP]", 0, 0,
	  O_GROUP, false },
	{ "migrate", cli_hyper, "move a guest to another hypervisor, its storage along with it if you like",
	  "GUEST --to HYPERVISOR [--with-nas NODE] [--dry-run]", 0, 1, O_DRY, false },
	{ "evacuate", cli_hyper, "move all guests of a hypervisor to others, or bring them back",
	  "HYPERVISOR [--to HYPERVISOR | --back] [--jobs N] [--skip] [--dry-run]", 0, 1, O_DRY, false },
	{ "config", cli_config, "check or print a configuration", "check|dump [FILE] | show", 1, 2,
	  O_SOCKET | O_HOST, false },
	{ "version", cli_version, "versions of nasctl and of the running nasd", "", 0, 0, O_SOCKET, false },
	{ "help", cli_help, "this text", "[COMMAND]", 0, 1, ~0u, false },
	{ "inject", cli_inject, "make a step fail once", "STEP fail|unknown|kill|reset|stall before|after", 3, 3,
	  O_SOCKET | O_GROUP, true },
};
enum { SUBCOMMANDS = sizeof(subcommands) / sizeof(*subcommands) };

static const struct subcommand *find(const char *name)
{
	for (size_t i = 0; i < SUBCOMMANDS; i++)
		if (!strcmp(subcommands[i].name, name))
			return &subcommands[i];
	return NULL;
}

static enum cli_exit no_command(const char *name)
{
	fprintf(stderr, "nasctl: there is no command '%s'; see 'nasctl help'\n", name);
	return CLI_USAGE;
}

/* Another program, so that this one needs no libvirt: ../lib/nasd/nasd-hyper from here. */
static enum cli_exit become_hyper(char **argv)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("/../lib/nasd/nasd-hyper"));

	if (n > 0) {
		path[n] = '\0';
		strcpy(strrchr(path, '/'), "/../lib/nasd/nasd-hyper");
		execv(path, argv);
	}
	fprintf(stderr, "nasctl: %s: %s\nremedy: install nasd-hyper, which needs libvirt\n", argv[1], strerror(errno));
	return CLI_FAILED;
}

/* The options stand before the command: they are another program's. */
static enum cli_exit cli_hyper(const struct cli *cli)
{
	(void)cli;
	fputs("nasctl: guests, migrate, evacuate: write the options behind the command's name\n", stderr);
	return CLI_USAGE;
}

static enum cli_exit help_for(const char *name)
{
	const struct subcommand *s = find(name);

	if (!s)
		return no_command(name);
	printf("usage: nasctl %s %s\n  %s\n", s->name, s->arguments, s->help);
	return CLI_DONE;
}

static enum cli_exit cli_help(const struct cli *cli)
{
	if (cli->n_args)
		return help_for(cli->args[0]);
	printf("usage: nasctl COMMAND [options]\n\n");
	for (int tests = 0; tests < 2; tests++) {
		if (tests)
			printf("\nfor tests (nasd --allow-injection):\n");
		for (size_t i = 0; i < SUBCOMMANDS; i++) {
			const struct subcommand *s = &subcommands[i];

			if (s->for_tests == (tests == 1))
				printf("  %s%s%s\n        %s\n", s->name, s->arguments[0] ? " " : "", s->arguments,
				       s->help);
		}
	}
	printf("\noptions:\n"
	       "  -g, --group GROUP    which group, where there are several\n"
	       "  -j, --json           the answer as JSON\n"
	       "      --socket PATH    nasd's control socket (default " CLI_CONTROL_SOCKET ")\n"
	       "      --timeout SEC    how long to wait for the answer (default 15; a move, fence check: 120)\n"
	       "  -h, --help\n"
	       "  -V, --version\n"
	       "\nexit codes: 0 done, 1 failed, 2 usage, 3 refused (nothing changed), 4 rolled back,\n"
	       "5 nasd not reachable, 6 outcome not known.  See nasctl(8).\n");
	return CLI_DONE;
}

enum { OPT_SOCKET = 256, OPT_TIMEOUT, OPT_DEAD, OPT_SVG, OPT_FREEZE, OPT_INDEX, OPT_HOST, OPT_OLD_COPY, OPT_BY };

static const struct option long_options[] = {
	{ "group", required_argument, NULL, 'g' },
	{ "json", no_argument, NULL, 'j' },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ "watch", no_argument, NULL, 'w' },
	{ "dry-run", no_argument, NULL, 'n' },
	{ "peer-confirmed-dead", required_argument, NULL, OPT_DEAD },
	{ "accept-old-copy", no_argument, NULL, OPT_OLD_COPY },
	{ "by", required_argument, NULL, OPT_BY },
	{ "limit", required_argument, NULL, 'l' },
	{ "index", required_argument, NULL, OPT_INDEX },
	{ "freeze", no_argument, NULL, OPT_FREEZE },
	{ "svg", required_argument, NULL, OPT_SVG },
	{ "host", required_argument, NULL, OPT_HOST },
	{ NULL, 0, NULL, 0 },
};

struct parsed {
	struct cli cli;
	unsigned given;        /* O_* of the options that were seen */
	bool help, version;
};

static bool bad_number(const char *option, unsigned long most)
{
	fprintf(stderr, "nasctl: --%s: needs a number from 1 to %lu\n", option, most);
	return false;
}

static bool take_option(int c, struct parsed *p)
{
	struct cli *o = &p->cli;

	switch (c) {
	case 'g': o->group = optarg; p->given |= O_GROUP; return true;
	case 'j': o->json = true; return true;
	case 'h': p->help = true; return true;
	case 'V': p->version = true; return true;
	case 'w': o->watch = true; p->given |= O_WATCH; return true;
	case 'n': o->dry_run = true; p->given |= O_DRY; return true;
	case OPT_SOCKET: o->socket = optarg; p->given |= O_SOCKET; return true;
	case OPT_DEAD: o->confirmed_dead = optarg; p->given |= O_DEAD; return true;
	case OPT_OLD_COPY: o->accept_old_copy = true; p->given |= O_OLD_COPY; return true;
	case OPT_BY: o->by = optarg; p->given |= O_BY; return true;
	case OPT_SVG: o->svg = optarg; p->given |= O_TIMELINE; return true;
	case OPT_FREEZE: o->freeze = true; p->given |= O_TIMELINE; return true;
	case OPT_HOST: o->host = optarg; p->given |= O_HOST; return true;
	case OPT_TIMEOUT:
		p->given |= O_SOCKET;
		return cli_take_number(optarg, 86400, &o->timeout_s) || bad_number("timeout", 86400);
	case 'l':
		p->given |= O_LIMIT;
		return cli_take_number(optarg, 100000, &o->limit) || bad_number("limit", 100000);
	case OPT_INDEX:
		p->given |= O_TIMELINE;
		return cli_take_number(optarg, 100000, &o->index) || bad_number("index", 100000);
	default:
		return false;
	}
}

static enum cli_exit usage_of(const struct subcommand *s, const char *problem)
{
	fprintf(stderr, "nasctl: %s: %s\nusage: nasctl %s %s\n", s->name, problem, s->name, s->arguments);
	return CLI_USAGE;
}

/* The subcommand and its arguments; n counts the name. */
static enum cli_exit dispatch(struct parsed *p, char **words, int n)
{
	const struct subcommand *s;

	if (p->help)
		return n ? help_for(words[0]) : cli_help(&p->cli);
	if (!n && !p->version) {
		fputs("nasctl: which command? See 'nasctl help'\n", stderr);
		return CLI_USAGE;
	}
	s = find(p->version ? "version" : words[0]);
	if (!s)
		return no_command(words[0]);
	p->cli.args = words + 1;
	p->cli.n_args = p->version ? 0 : n - 1;
	if (p->cli.n_args < s->least || p->cli.n_args > s->most)
		return usage_of(s, p->cli.n_args < s->least ? "something is missing" : "too many arguments");
	if (p->given & ~s->options)
		return usage_of(s, "an option that this command does not have");
	return s->run(&p->cli);
}

int main(int argc, char **argv)
{
	struct parsed p = { .cli = { .socket = CLI_CONTROL_SOCKET, .index = 1 } };
	int c;

	if (argc > 1 && (!strcmp(argv[1], "guests") || !strcmp(argv[1], "migrate") || !strcmp(argv[1], "evacuate")))
		return (int)become_hyper(argv);
	json_object_seed(0);
	while ((c = getopt_long(argc, argv, "g:jhVwnl:", long_options, NULL)) != -1) {
		if (!take_option(c, &p)) {
			fputs("see 'nasctl help'\n", stderr);
			return CLI_USAGE;
		}
	}
	view_look_at_terminal(&p.cli.view);
	return (int)dispatch(&p, argv + optind, argc - optind);
}
