/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nasd says to its ganesha module, and hears: one JSON object per line each
 * way (fsal/README.md lists the operations). Pure.
 *
 * The module may be of another version than nasd. A field that an operation has
 * for us must be there and right; what we do not know is passed over.
 */
#ifndef NASD_WIRE_FSAL_MSG_H
#define NASD_WIRE_FSAL_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "model.h"

enum { FSAL_LINE_MAX = 8192, FSAL_TEXT_MAX = 200 };

enum fsal_op {
	FSAL_STATUS,
	FSAL_GATE,        /* number: milliseconds of silence that open it again */
	FSAL_DRAIN,       /* number: milliseconds to wait */
	FSAL_THAW,
	FSAL_DUMP,        /* the answer's body is the state */
	FSAL_PRECOPY,     /* while requests run; the answer's body is the opens and locks */
	FSAL_DUMP_SINCE,  /* number: the pre-copy's name; the answer's body is what has changed */
	FSAL_LOAD,        /* number: bytes of state that follow the request */
	FSAL_EXPORT_ADD,  /* number: the export's id; path: the file that has it */
	FSAL_EXPORT_REMOVE, /* number: the export's id */
	FSAL_GRACE_START, /* number: the node whose client records are taken over */
	FSAL_GRACE_LIFT,
	FSAL_COMMIT,      /* the gate never opens again, the process serves no more */
	FSAL_RELEASE,     /* path: where the filesystem to let go of is mounted */
	FSAL_RECORDS,     /* after its answer the module speaks by itself: struct fsal_record */
	FSAL_RECORD_KEPT, /* number: that record is on both nodes' disks; has no answer */
	FSAL_RECORD_ALONE, /* number: that record is on ours, and there is no other; has no answer */
	FSAL_CLIENT_RELEASE, /* path: the address of clients that are dead */
	FSAL_OP_COUNT
};
const char *fsal_op_name(enum fsal_op op);

struct fsal_request {
	enum fsal_op op;
	uint64_t number;  /* where the operation has one */
	const char *path; /* absolute; or the text that the operation has instead */
};

struct fsal_answer {
	bool ok;
	char error[FSAL_TEXT_MAX]; /* printable; when not ok */
	int errnum;                /* likewise: its errno value; 0 from one that does not say */
	bool replace;              /* LOAD, not ok: the server is of no more use */
	uint64_t bytes;            /* DUMP, PRECOPY, DUMP_SINCE: of the body behind the line */
	int64_t run_us;            /* what it took the module; 0 when it does not say */
	union {
		struct {
			bool ready, state_ready, gate_open, in_grace;
			bool has_load, can_load; /* an older module has no load; a server that serves can take none */
			int64_t late_clients; /* whose opens and locks are being made still; 0 from an older module */
			char reason[FSAL_TEXT_MAX], state_reason[FSAL_TEXT_MAX], load_reason[FSAL_TEXT_MAX];
		} status;
		struct {
			bool drained;
			int64_t held, running, unsent_connections;
		} drain;
		struct {
			int64_t clients, opens, locks;
			int64_t held, drain_us; /* at the gate; waited until nothing ran. 0 from an older module */
			uint64_t base;     /* PRECOPY: its name */
		} dump;            /* PRECOPY, DUMP_SINCE, too; the counts are of the whole */
		struct {
			int64_t late_clients; /* as in status */
		} load;
		int64_t clients;   /* CLIENT_RELEASE: how many it let go of */
		bool in_grace;     /* GRACE_START, GRACE_LIFT */
		int64_t wait_ms;   /* RECORDS: how long an answer is held at most */
	} u;
};

/* The line with its newline: its length, or a negative errno with err filled. */
int fsal_request_encode(const struct fsal_request *req, char *buf, size_t size, struct err *err);

/* The answer to op, of a line without its newline. 0, or -EPROTO with err filled. */
int fsal_answer_decode(enum fsal_op op, const char *line, size_t len, struct fsal_answer *out,
		       struct err *err);

/* A new client's record, whose client waits for our word. The name is not trusted. */
struct fsal_record {
	uint64_t id;
	char name[CLIENT_ENTRY_MAX];
};

/* A line of the module after FSAL_RECORDS, without its newline. 0, or -EPROTO. */
int fsal_record_decode(const char *line, size_t len, struct fsal_record *out, struct err *err);

#endif
