/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask.h"

#ifndef NASD_VERSION
#define NASD_VERSION "unknown"
#endif

/* Works without a daemon: that none runs is a line, not an error. */
enum cli_exit cli_version(const struct cli *cli)
{
	struct ctl_request req = { .cmd = CTL_VERSION_CMD };
	struct answer a;
	json_t *o;

	ask(cli, &req, NULL, NULL, &a);
	o = json_pack("{s:s, s:O?}", "nasctl", NASD_VERSION, "nasd", a.data);
	if (cli->json) {
		print_json(o);
	} else {
		printf("nasctl %s\n", NASD_VERSION);
		if (a.data)
			printf("nasd   %s on %s, peer protocol %d\n", js_text(a.data, "version"), js_text(a.data, "node"),
			       (int)js_int(a.data, "protocol"));
		else
			printf("nasd   does not answer on %s\n", cli->socket);
	}
	json_decref(o);
	answer_free(&a);
	return CLI_DONE;
}
