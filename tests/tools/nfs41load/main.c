/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nfs41load: many NFSv4.1 clients in one process, each with its own connection
 * and session, which hold opens and locks and keep their leases (client.h).
 * Prints lines (load_report.h) until SIGTERM or SIGINT; then gives everything back.
 */
#include <stdio.h>
#include <stdlib.h>

#include "load_options.h"
#include "pool.h"

/* 0: clean; 1: something went wrong and was reported; 2: it could not start. */
int main(int argc, char **argv)
{
	struct load_options opt;
	struct pool *pool;
	char message[256];

	if (load_options_parse(&opt, argc, argv, message, sizeof(message))) {
		fprintf(stderr,
			"nfs41load: %s\n"
			"usage: nfs41load --server ADDR [--port P] --path /EXPORT/DIR [--clients N] [--opens M]\n"
			"                 [--files F] [--lease SECONDS] [--renew MS] [--name NAME]\n"
			"  M opens of all clients together, each with a lock on a byte of its own, of F\n"
			"  files NAME.NNNNN (as many as opens, if not given);\n"
			"  each client renews every MS (a third of the lease, if not given)\n"
			"  SIGUSR1: are all stateids still valid?  SIGTERM, SIGINT: summary, end\n",
			message);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	pool = calloc(1, sizeof(*pool));
	if (!pool || pool_open(pool, &opt))
		return 2;
	pool_run(pool);
	return pool_clean(pool) ? 0 : 1;
}
