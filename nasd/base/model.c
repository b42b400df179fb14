/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "model.h"

const char *outcome_name(enum outcome o)
{
	switch (o) {
	case OUTCOME_DONE: return "done";
	case OUTCOME_FAILED: return "failed";
	case OUTCOME_UNKNOWN: return "unknown";
	}
	return "invalid";
}

const char *server_state_name(enum server_state s)
{
	switch (s) {
	case SERVER_DOWN: return "down";
	case SERVER_STARTING: return "starting";
	case SERVER_WARM: return "warm";
	case SERVER_SERVING: return "serving";
	}
	return "invalid";
}

const char *msg_type_name(enum msg_type t)
{
	switch (t) {
	case MSG_HELLO: return "HELLO";
	case MSG_HEARTBEAT: return "HEARTBEAT";
	case MSG_FACTS_REQ: return "FACTS_REQ";
	case MSG_FACTS: return "FACTS";
	case MSG_PREPARE: return "PREPARE";
	case MSG_PREPARED: return "PREPARED";
	case MSG_REFUSED: return "REFUSED";
	case MSG_COMMIT: return "COMMIT";
	case MSG_ABORT: return "ABORT";
	case MSG_DONE: return "DONE";
	case MSG_STEP: return "STEP";
	case MSG_CLAIM: return "CLAIM";
	case MSG_CLAIMED: return "CLAIMED";
	case MSG_REQUEST: return "REQUEST";
	case MSG_REPLY: return "REPLY";
	case MSG_CLIENTS: return "CLIENTS";
	case MSG_CLIENTS_ACK: return "CLIENTS_ACK";
	case MSG_INTRO: return "INTRO";
	case MSG_STATE: return "STATE";
	case MSG_STATE_ACK: return "STATE_ACK";
	case MSG_OUTDATE: return "OUTDATE";
	case MSG_OUTDATED: return "OUTDATED";
	}
	return "invalid";
}

const char *step_name(enum step_id id)
{
	switch (id) {
	case STEP_NONE:
	case STEP_COUNT: return "none";
	case STEP_CHECK: return "check";
	case STEP_WARM: return "warm";
	case STEP_RESERVE: return "reserve";
	case STEP_PRESYNC: return "presync";
	case STEP_HOLD: return "hold";
	case STEP_CLIENTS: return "clients";
	case STEP_GATE: return "gate";
	case STEP_ADDRESS_DEL: return "address-del";
	case STEP_SERVER_STOP: return "server-stop";
	case STEP_UNMOUNT: return "unmount";
	case STEP_DRBD_SECONDARY: return "drbd-secondary";
	case STEP_COMMIT: return "commit";
	case STEP_DRBD_PRIMARY: return "drbd-primary";
	case STEP_MOUNT: return "mount";
	case STEP_EXPORT: return "export";
	case STEP_ADDRESS_ADD: return "address-add";
	case STEP_ANNOUNCE: return "announce";
	case STEP_CONFIRM: return "confirm";
	case STEP_REWARM: return "rewarm";
	case STEP_DETECT: return "detect";
	case STEP_FENCE: return "fence";
	}
	return "none";
}

enum step_id step_by_name(const char *name)
{
	for (int i = STEP_NONE + 1; i < STEP_COUNT; i++)
		if (!strcmp(name, step_name((enum step_id)i)))
			return (enum step_id)i;
	return STEP_NONE;
}

const char *txn_phase_name(enum txn_phase p)
{
	switch (p) {
	case TXN_NONE: return "none";
	case TXN_SOURCE: return "source";
	case TXN_PREPARED: return "prepared";
	case TXN_COMMITTED: return "committed";
	}
	return "invalid";
}

const char *clients_op_name(enum clients_op op)
{
	switch (op) {
	case CLIENTS_FULL_BEGIN: return "full-begin";
	case CLIENTS_ADD: return "add";
	case CLIENTS_DEL: return "del";
	case CLIENTS_FULL_END: return "full-end";
	}
	return "invalid";
}

const char *client_kind_name(enum client_kind k)
{
	switch (k) {
	case CLIENT_RECORD: return "record";
	case CLIENT_CONNECTION: return "connection";
	}
	return "invalid";
}

bool facts_fs_full(const struct facts *f)
{
	uint64_t least = f->fs_size_bytes / 100, most = UINT64_C(64) << 20;

	return f->fs_size_bytes && f->fs_free_bytes < (least < most ? least : most);
}

bool facts_drbd_connected(const struct facts *f)
{
	return !strcmp(f->drbd_cstate, "Connected") || !strcmp(f->drbd_cstate, "Established");
}
