/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "steps.h"

static const struct step_row rows[] = {
	{ STEP_CHECK, STAGE_CHECK, SIDE_BOTH, 5000, true, STEP_NONE,
	  "peer connected", "collect the facts of both nodes and judge every precondition",
	  "nothing to verify" },
	{ STEP_WARM, STAGE_CHECK, SIDE_TARGET, 10000, false, STEP_NONE,
	  "not serving", "ganesha warm, link up, mount point free", "ganesha answers on D-Bus" },
	{ STEP_RESERVE, STAGE_RESERVE, SIDE_BOTH, 5000, true, STEP_NONE,
	  "no other transaction", "journal the new epoch on both nodes", "record in the journal" },
	{ STEP_PRESYNC, STAGE_PRECOPY, SIDE_SOURCE, 30000, false, STEP_NONE,
	  "mounted", "sync the filesystem until little is dirty", "little is dirty" },
	{ STEP_HOLD, STAGE_PRECOPY, SIDE_SOURCE, 0, true, STEP_NONE,
	  "asked for, replicating, ganesha serves", "wait for the word to begin the freeze, as when a guest moves along",
	  "nothing to verify" },
	{ STEP_CLIENTS, STAGE_PRECOPY, SIDE_SOURCE, 5000, true, STEP_NONE,
	  "peer connected", "the target holds every client record and connection",
	  "acknowledged by the target" },
	{ STEP_GATE, STAGE_FREEZE, SIDE_SOURCE, 2000, false, STEP_EXPORT,
	  "serving", "hold requests in ganesha, hand the clients' state to the target; or let them reclaim",
	  "nothing that must be in place" },
	{ STEP_ADDRESS_DEL, STAGE_FREEZE, SIDE_SOURCE, 2000, false, STEP_ADDRESS_ADD,
	  "serving", "remove the floating addresses: requests wait at the clients",
	  "no floating address here" },
	{ STEP_SERVER_STOP, STAGE_FREEZE, SIDE_SOURCE, 5000, false, STEP_EXPORT,
	  "no floating address here", "end ganesha's tenure", "the process is gone" },
	{ STEP_UNMOUNT, STAGE_RELEASE, SIDE_SOURCE, 10000, false, STEP_MOUNT,
	  "ganesha gone", "unmount the filesystem", "not mounted" },
	{ STEP_DRBD_SECONDARY, STAGE_RELEASE, SIDE_SOURCE, 5000, false, STEP_DRBD_PRIMARY,
	  "not mounted", "demote DRBD", "role Secondary" },
	{ STEP_COMMIT, STAGE_COMMITMENT, SIDE_BOTH, 5000, true, STEP_NONE,
	  "peer heard of, freeze within its limit", "journal the new owner, source first",
	  "record in the journal" },
	{ STEP_DRBD_PRIMARY, STAGE_ACQUIRE, SIDE_TARGET, 5000, false, STEP_DRBD_SECONDARY,
	  "owner by the journal", "promote DRBD, never by force", "role Primary" },
	{ STEP_MOUNT, STAGE_ACQUIRE, SIDE_TARGET, 15000, false, STEP_UNMOUNT,
	  "role Primary, expected UUID", "mount the filesystem", "mounted here" },
	{ STEP_EXPORT, STAGE_ACQUIRE, SIDE_TARGET, 10000, false, STEP_SERVER_STOP,
	  "mounted", "add the exports, load the clients' state (or their records, and enter grace)",
	  "every export served, the gate open" },
	{ STEP_ADDRESS_ADD, STAGE_ACTIVATE, SIDE_TARGET, 2000, false, STEP_ADDRESS_DEL,
	  "every export served", "add the floating addresses", "all present" },
	{ STEP_ANNOUNCE, STAGE_ACTIVATE, SIDE_TARGET, 2000, false, STEP_NONE,
	  "addresses present", "announce the addresses by ARP and ND, tickle the clients",
	  "nothing to verify" },
	{ STEP_CONFIRM, STAGE_CONFIRM, SIDE_TARGET, 10000, false, STEP_NONE,
	  "serving", "see the first client answered", "a client connection carries replies" },
	{ STEP_REWARM, STAGE_CONFIRM, SIDE_SOURCE, 20000, false, STEP_NONE,
	  "standing by", "start ganesha warm again, as the standby's", "ganesha answers on D-Bus" },
	{ STEP_DETECT, STAGE_PROOF, SIDE_TARGET, 0, true, STEP_NONE,
	  "standing by, its copy the newest", "hear nothing of the other node on any path for dead-after",
	  "nothing to verify" },
	{ STEP_FENCE, STAGE_PROOF, SIDE_TARGET, 0, true, STEP_NONE,
	  "still silent after takeover-delay", "have the other node switched off, or take an operator's word",
	  "the fence device says off" },
};

const enum step_id program_activate[] = { STEP_DRBD_PRIMARY, STEP_MOUNT, STEP_EXPORT,
					  STEP_ADDRESS_ADD, STEP_ANNOUNCE, STEP_NONE };
const enum step_id program_replace[] = { STEP_ADDRESS_DEL, STEP_SERVER_STOP, STEP_EXPORT,
					 STEP_ADDRESS_ADD, STEP_ANNOUNCE, STEP_NONE };
const enum step_id program_confirm[] = { STEP_CONFIRM, STEP_NONE };
const enum step_id program_release[] = { STEP_GATE, STEP_ADDRESS_DEL, STEP_SERVER_STOP, STEP_UNMOUNT,
					 STEP_DRBD_SECONDARY, STEP_NONE };
const enum step_id program_standdown[] = { STEP_ADDRESS_DEL, STEP_SERVER_STOP, STEP_UNMOUNT,
					   STEP_DRBD_SECONDARY, STEP_NONE };
const enum step_id program_rewarm[] = { STEP_REWARM, STEP_NONE };
const enum step_id program_warm[] = { STEP_WARM, STEP_NONE };

_Static_assert(sizeof(rows) / sizeof(rows[0]) == STEP_COUNT - 1, "one row per step");

const struct step_row *step_rows(size_t *n)
{
	*n = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

const struct step_row *step_row(enum step_id id)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].id == id)
			return &rows[i];
	return &rows[0];
}

const char *step_stage_name(enum step_stage stage)
{
	switch (stage) {
	case STAGE_CHECK: return "check";
	case STAGE_RESERVE: return "reserve";
	case STAGE_PRECOPY: return "pre-copy";
	case STAGE_FREEZE: return "freeze";
	case STAGE_RELEASE: return "release";
	case STAGE_COMMITMENT: return "commitment";
	case STAGE_ACQUIRE: return "acquire";
	case STAGE_ACTIVATE: return "activate";
	case STAGE_CONFIRM: return "confirm";
	case STAGE_PROOF: return "proof";
	}
	return "invalid";
}

const char *step_side_name(enum step_side side)
{
	switch (side) {
	case SIDE_SOURCE: return "source";
	case SIDE_TARGET: return "target";
	case SIDE_BOTH: return "both";
	}
	return "invalid";
}
