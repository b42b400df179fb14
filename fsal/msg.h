/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * The requests that the module takes on its socket, and its answers. Pure.
 *
 * One JSON object per line each way, at most MSG_LINE_MAX bytes with the newline:
 *
 *     {"v":1,"op":"drain","timeout_ms":20}
 *     {"v":1,"ok":true,"drained":true,"held":12,...}
 *     {"v":1,"ok":false,"errno":1,"error":"the gate is open"}
 *
 * A request has exactly the fields of its operation (see the table in msg.c);
 * anything else is refused, and an operation of another version is, too. An answer
 * that has "bytes" is followed by a body of so many bytes, and so is a request.
 * A load that is refused says in "replace" whether this process is to be replaced.
 */
#ifndef FSAL_MSG_H
#define FSAL_MSG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fault.h"

enum { MSG_VERSION = 1, MSG_LINE_MAX = 8192, MSG_PATH_MAX = 4096, MSG_ADDRESS_MAX = 46, MSG_BODY_MAX = 256 << 20 };

enum msg_op {
	MSG_STATUS = 1,    /* what the module can do, and what it does */
	MSG_GATE,          /* close the gate; reopen_ms of silence open it again */
	MSG_DRAIN,         /* wait at most timeout_ms until nothing is in flight */
	MSG_THAW,          /* open the gate */
	MSG_COMMIT,        /* the gate never opens again in this process */
	MSG_RELEASE,       /* close the descriptors of the filesystem mounted on path */
	MSG_RESTORE,       /* open them again, the filesystem being mounted on path */
	MSG_DUMP,          /* what is known of the clients, as a body (fsal/state.h) */
	MSG_PRECOPY,       /* the same while requests run, opens and locks only (fsal/precopy.h) */
	MSG_DUMP_SINCE,    /* what has changed since the pre-copy base, as a body */
	MSG_LOAD,          /* takes the clients that dump gave, from a body of bytes */
	MSG_EXPORT_ADD,    /* of the configuration file path, the export with that id */
	MSG_EXPORT_REMOVE, /* the export with that id */
	MSG_GRACE_START,   /* take over the client records of node node_id */
	MSG_GRACE_LIFT,    /* end the grace period if everybody has reclaimed */
	MSG_RECORDS,       /* this connection is told of records, from its answer on */
	MSG_RECORD_KEPT,   /* both nodes have that record; there, and without an answer */
	MSG_RECORD_ALONE,  /* this node has it, and there is no other; likewise */
	MSG_CLIENT_RELEASE, /* what the clients at that address hold is free: they are dead */
	MSG_OP_COUNT
};

struct msg_request {
	enum msg_op op;
	int64_t reopen_ms, timeout_ms;
	unsigned id;             /* of an export */
	unsigned node_id;
	size_t bytes;            /* of the body that follows */
	uint64_t record, base;
	char path[MSG_PATH_MAX]; /* absolute */
	char address[MSG_ADDRESS_MAX]; /* IPv4 or IPv6, as text */
};

/* The word of an operation, "export-add"; "?" for none. */
const char *msg_op_name(enum msg_op op);

/* Reads a line (without its newline). 0 or -EPROTO, with the fault filled. */
int msg_parse(const char *line, size_t len, struct msg_request *out, struct fault *fault);

/*
 * Makes a line, with its newline, of an answer: of what went wrong, when fault is
 * not NULL, and of fields (a JSON object, taken over; may be NULL). To be freed;
 * NULL when there is no memory or it is too long.
 */
char *msg_answer(json_t *fields, const struct fault *fault);

/* A record to be told of: {"v":1,"record":7,"name":"..."}. As msg_answer; NULL also
 * for a name that is no UTF-8. */
char *msg_record(uint64_t id, const char *name);

#endif
