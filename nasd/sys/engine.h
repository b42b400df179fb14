/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: drives the decision cores of all groups. It turns their actions
 * into effects (in worker lanes, so that the event loop never blocks) and what
 * comes of them, of the peer, of operators and of time into events.
 */
#ifndef NASD_SYS_ENGINE_H
#define NASD_SYS_ENGINE_H

#include <stdbool.h>

#include <systemd/sd-event.h>

#include "conf.h"
#include "err.h"

struct engine;

struct engine_spec {
	const struct conf *conf;   /* must outlive the engine */
	int self;                  /* this node's index in it */
	const char *state_dir, *run_dir, *log_dir; /* must exist */
	const char *module_dir;    /* where ganesha's module is, if it is installed; NULL: not */
	bool allow_injection;      /* tests: the inject command works */
	const char *drbdsetup;     /* tests: instead of /usr/sbin/drbdsetup; NULL */
};

/*
 * Opens the journal, reads where each group was, starts the link, the control
 * sockets and the groups. NULL with err filled when something is missing.
 */
struct engine *engine_new(sd_event *event, const struct engine_spec *spec, struct err *err);

/*
 * nasd was told to end: the event loop is exited (sd_event_exit) as soon as no group
 * is in the middle of a move, after 8 s all the same. Told again: at once.
 */
void engine_end(struct engine *e);

/*
 * Ends nasd's part; the service itself goes on. e may be NULL. -ETIMEDOUT: a
 * worker is stuck in the kernel (a dead disk) and still uses the engine and the
 * configuration: neither was or may be freed, the process is to end.
 */
int engine_free(struct engine *e);

#endif
