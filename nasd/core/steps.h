/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of a switchover's steps. `nasctl plan` prints the same rows that
 * run; reading the table is reading the design.
 */
#ifndef NASD_CORE_STEPS_H
#define NASD_CORE_STEPS_H

#include "model.h"

enum step_side { SIDE_SOURCE, SIDE_TARGET, SIDE_BOTH };

enum step_stage {
	STAGE_CHECK,      /* nothing is changed */
	STAGE_RESERVE,
	STAGE_PRECOPY,    /* the guest runs */
	STAGE_FREEZE,     /* the guest waits, from here ... */
	STAGE_RELEASE,
	STAGE_COMMITMENT, /* before it back, after it forward */
	STAGE_ACQUIRE,
	STAGE_ACTIVATE,   /* ... to here */
	STAGE_CONFIRM,
	STAGE_PROOF,      /* before a takeover, and of no switchover */
};

struct step_row {
	enum step_id id;
	enum step_stage stage;
	enum step_side side;
	uint32_t deadline_ms; /* 0: of no plain switchover; a longer run is overdue: logged, and before the commitment rolled back */
	bool core;            /* done by the core and the engine; no effect function */
	enum step_id undo;    /* the row that puts it back; STEP_NONE: nothing to put back */
	const char *precheck; /* what must hold before it runs */
	const char *help;     /* what it does */
	const char *verify;   /* how the world is asked whether it is in place */
};

/* The row of a step; never NULL for a valid id. */
const struct step_row *step_row(enum step_id id);

/* All rows in running order: STEP_COUNT - 1 of them. */
const struct step_row *step_rows(size_t *n);

const char *step_stage_name(enum step_stage stage);
const char *step_side_name(enum step_side side);

/*
 * Programs: sequences of rows that lead from anywhere to a known state. Each
 * ends with STEP_NONE. A program run with "verify first" skips the rows whose
 * effect is in place, so that it serves rollback, restart and retry alike.
 */
extern const enum step_id program_activate[];  /* this node serves */
extern const enum step_id program_replace[];   /* the same, the server that hangs being ended first */
extern const enum step_id program_confirm[];   /* after activation */
extern const enum step_id program_release[];   /* the source's freeze, up to the commitment */
extern const enum step_id program_standdown[]; /* this node does not serve; its server may be cold */
extern const enum step_id program_rewarm[];
extern const enum step_id program_warm[];

#endif
