/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * A client's record before its first answer. Without a record on the other node a
 * client cannot reclaim there; ganesha writes it in CREATE_SESSION. The answer to
 * that is held, without a thread, until nasd has said that both nodes have the
 * record on their disks, or that there is no other node; or until Record_Wait (of
 * the block NASD) has passed, which is logged.
 *
 * nasd listens on a connection of its own ("records", fsal/msg.h), which a thread
 * of its own serves: a dump or a drain waits for held answers.
 */
#ifndef FSAL_RECORDS_H
#define FSAL_RECORDS_H

#include "fault.h"
#include "ganesha_api.h"
#include "hold.h"

/* wait_us 0: nothing is held, ever. Before the first request. */
int records_start(int64_t wait_us, struct fault *fault);

/*
 * The answer (result) to a CREATE_SESSION that has just succeeded: held, then
 * NFS_REQ_ASYNC_WAIT and hands off the request; or result.
 */
enum nfs_req_result records_hold(clientid4 clientid, struct svc_req *req, enum nfs_req_result result);

/* Whether this request was held and has been resumed: its result then. */
bool records_resumed(const struct svc_req *req, enum nfs_req_result *result);

/* Takes the connection over (its descriptor); who listened before does not any more.
 * -ENOTSUP when nothing is held, ever. */
int records_listen(int fd, struct fault *fault);

struct records_status {
	int64_t wait_us;
	bool listener;
	size_t waiting;
	uint64_t ended[HOLD_ENDS];
	int64_t took_us, longest_us;
};
void records_status(struct records_status *out);

#endif
