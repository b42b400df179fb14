/* SPDX-License-Identifier: GPL-2.0-or-later */
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
	}
	return "invalid";
}
