/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The preflight: judges the facts of both nodes. Pure; the same function
 * answers `nasctl check` and opens every switchover.
 */
#ifndef NASD_CORE_CHECKS_H
#define NASD_CORE_CHECKS_H

#include "model.h"

struct check_input {
	const char *node_names[2];
	int source, target;              /* node indexes */
	bool peer_connected;
	bool config_same;
	bool version_same;               /* of the peer protocol */
	bool heartbeat;                  /* nasd takes over by itself, with fencing */
	bool source_active;              /* by the core's own state */
	bool server_bad;                 /* the source is left because its server cannot be started */
	const char *busy;                /* NULL, or the transaction that is running */
	const char *expected_uuid;       /* from the configuration */
	const struct facts *facts[2];    /* by node index; NULL or !valid: not known */
};

/*
 * Fills out[] with one finding per precondition, in a fixed order, and returns
 * how many (at most FINDINGS_MAX). Each that does not hold has a remedy.
 */
size_t checks_judge(const struct check_input *in, struct finding *out);

/* The first finding that does not hold as an error (ERR_REFUSED), naming how
 * many more there are; 0 when all hold. */
int checks_error(const struct finding *f, size_t n, const char *const node_names[2], struct err *err);

#endif
