/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "confirm.h"

enum { TRIES = 5 };

static void warn(const char *address)
{
	fprintf(stderr,
		"nasctl: warning: you vouch that the client at %s is off, and stays so. If it runs, what\n"
		"         it has locked is given to others, and both write to the same files.\n",
		address);
}

/* While it was heard just now, it may have died just now. */
static enum cli_exit ask_patiently(const struct cli *cli, const struct ctl_request *req, struct answer *a)
{
	enum cli_exit code = ask(cli, req, NULL, NULL, a);

	for (int i = 1; i < TRIES && js_true(a->error, "again"); i++) {
		answer_free(a);
		sleep(1);
		code = ask(cli, req, NULL, NULL, a);
	}
	return code;
}

static enum cli_exit release(const struct cli *cli, const char *address)
{
	struct ctl_request req = { .cmd = CTL_CLIENT_RELEASE };
	unsigned char bytes[16];
	enum cli_exit code;
	struct answer a;
	struct err err;

	if (strlen(address) >= sizeof(req.address) ||
	    (inet_pton(AF_INET, address, bytes) != 1 && inet_pton(AF_INET6, address, bytes) != 1)) {
		err_set(&err, ERR_INPUT, EINVAL, "client", "'%.64s' is not an IP address", address);
		err_remedy(&err, "the address that the client mounts from: 'nasctl status' lists them");
		return complain(cli, CLI_USAGE, &err);
	}
	strcpy(req.address, address);
	snprintf(req.group, sizeof(req.group), "%s", cli->group ? cli->group : "");
	warn(address);
	code = confirm_twice(cli, address);
	if (code != CLI_DONE)
		return code;
	code = ask_patiently(cli, &req, &a);
	if (a.error)
		code = answer_complain(cli, &a);
	else if (cli->json)
		print_json(a.data);
	else
		printf("%lld clients at %s: what they held is free\n", (long long)js_int(a.data, "clients"), address);
	answer_free(&a);
	return code;
}

enum cli_exit cli_client(const struct cli *cli)
{
	if (!strcmp(cli->args[0], "release"))
		return release(cli, cli->args[1]);
	fputs("nasctl: client: the verb is release: nasctl client release ADDRESS\n", stderr);
	return CLI_USAGE;
}
