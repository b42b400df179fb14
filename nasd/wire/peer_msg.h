/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payloads of the peer link: one JSON object per frame, the frame's type
 * says which. Every field of a message is always present, none other may be.
 *
 *     common     "group" (not in INTRO and HEARTBEAT), "epoch"
 *     INTRO      "node","version","protocol","config_hash","boot_id",
 *                "pulse_key" (64 lower-case hex digits),"pulse_session"
 *     HELLO      "max_epoch","owner","phase","txn_epoch","serving","active"
 *     HEARTBEAT  "sent_us","echo_us","echo_held_us"
 *     FACTS      "facts": see json_model.h
 *     STEP       "report": see json_model.h
 *     CLIENTS    "op","seq","entries" (clients_text.h; empty for full-begin and full-end)
 *     CLIENTS_ACK  "seq"
 *     STATE      "offset","total" (at most STATE_TEXT_MAX),"text" (lines, not empty)
 *     REFUSED, REPLY, REQUEST, ABORT, DONE, STATE_ACK
 *                "ok","error" (null or an error),"target","request"
 *     FACTS_REQ, PREPARE, PREPARED, COMMIT, CLAIM, CLAIMED  nothing more
 *
 * HELLO's own epoch (of the current owner) is "owner_epoch". Enums are their
 * names, nodes are 0, 1 or -1 for none. Epochs and other unsigned
 * numbers reach INT64_MAX. In texts for people, control characters and bytes
 * that are not UTF-8 become '?' when they are encoded; names and client
 * entries are refused instead.
 */
#ifndef NASD_WIRE_PEER_MSG_H
#define NASD_WIRE_PEER_MSG_H

#include <stddef.h>

#include "model.h"

enum { PEER_MSG_MAX = 64 * 1024 }; /* what frame.h can carry */

/* Writes the payload to buf, not terminated: its length, or a negative errno
 * with err filled (a value that cannot be sent, or size is too small). */
int peer_msg_encode(const struct peer_msg *msg, char *buf, size_t size, struct err *err);

/* Fills all of msg (unused parts are zero), or gives -EPROTO with err filled. */
int peer_msg_decode(unsigned type, const void *payload, size_t len, struct peer_msg *msg, struct err *err);

#endif
