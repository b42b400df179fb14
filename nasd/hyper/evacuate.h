/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `nasctl evacuate`: all guests of a hypervisor that have their disks here are moved
 * live to others, or brought back.
 *
 *   evacuate.c         who, where to, may it be; what came of it
 *   evacuate_run.c     the moves: each is a `nasctl migrate` of its own, so many at a time
 *   evacuate_record.c  the record, a file of this node
 *   ctl/evacuation.c   the placing, and what is in the record
 */
#ifndef NASD_HYPER_EVACUATE_H
#define NASD_HYPER_EVACUATE_H

#include <sys/types.h>

#include "hyper.h"

struct evacuee {
	struct guest g;
	virDomainPtr dom;
	struct host *from, *to;  /* to NULL: there is no room */
	json_t *findings;        /* of the preflight that do not hold */
	bool begun;
	bool known;              /* an earlier run has put it into the record: it may be on its way still */
	pid_t pid;               /* of its move; 0: none runs */
	int out;                 /* what it says; -1 */
	char *said;
	size_t said_len;
	enum cli_exit code;      /* of its move, when it has ended */
	json_t *result;          /* what it said; NULL: nothing that could be read */
};

struct evacuation {
	const struct hyper_options *o;
	const struct conf *c;
	const struct conf_hypervisor *of;
	struct host hosts[CONF_HYPERVISORS_MAX]; /* in the configuration's order */
	struct evacuee *list;
	size_t n;
	json_t *others;          /* names: guests there which have no disk here, or are off */
	json_t *record;
	int lock;
};

/* ---- evacuate_run.c */
/* Runs the moves of all that may move. ended is called after each. */
void evacuate_run(struct evacuation *ev, void (*began)(struct evacuation *, struct evacuee *),
		  void (*ended)(struct evacuation *, struct evacuee *));

/* ---- evacuate_record.c */
/* Locks the record, and reads it; where there is none, an empty one. */
int evacuate_record_open(struct evacuation *ev, struct err *err);
/* It is on the disk when this returns; an empty one is no file. */
int evacuate_record_write(struct evacuation *ev, struct err *err);
void evacuate_record_close(struct evacuation *ev);

#endif
