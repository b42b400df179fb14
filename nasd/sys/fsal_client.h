/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to the module in a group's ganesha (fsal/README.md). Everything
 * waits for as long as it is told and no longer: a module that hangs costs that.
 * After any error the connection is of no more use; what was asked for may
 * have happened, or happen yet.
 */
#ifndef NASD_SYS_FSAL_CLIENT_H
#define NASD_SYS_FSAL_CLIENT_H

#include <sys/types.h>

#include "fsal_msg.h"

struct fsal_client {
	int fd; /* -1: closed */
	size_t used;
	char line[FSAL_LINE_MAX]; /* read, and not handed out yet */
};

/* Connects to the socket, where process pid must listen. */
int fsal_client_open(struct fsal_client *c, const char *path, pid_t pid, struct err *err);
void fsal_client_close(struct fsal_client *c);

/*
 * One request and its answer. body (of req->number bytes) goes with FSAL_LOAD.
 * 0: answered, which may be a refusal (answer->ok). -ETIMEDOUT and others: not.
 */
int fsal_client_ask(struct fsal_client *c, const struct fsal_request *req, const char *body,
		    int64_t timeout_us, struct fsal_answer *answer, struct err *err);

/* The same; a refusal is an error as well (ERR_REFUSED, -EPERM). */
int fsal_client_do(struct fsal_client *c, const struct fsal_request *req, const char *body,
		   int64_t timeout_us, struct fsal_answer *answer, struct err *err);

/*
 * Several requests without a body at once, which the module carries out in their
 * order; then the answer to each, in that order. A refusal is an error as above, and
 * the next one may be heard all the same.
 */
int fsal_client_send(struct fsal_client *c, const struct fsal_request *reqs, size_t n, int64_t timeout_us,
		     struct err *err);
int fsal_client_hear(struct fsal_client *c, enum fsal_op op, int64_t timeout_us, struct fsal_answer *answer,
		     struct err *err);

/* The body that an answer has announced, terminated; to be freed. */
int fsal_client_body(struct fsal_client *c, size_t len, int64_t timeout_us, char **out, struct err *err);

#endif
