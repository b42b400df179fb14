/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DRBD's fence-peer handler: what nasd answers, and the exit status that DRBD
 * reads. Pure; the program is peer_handler/main.c.
 *
 * DRBD (8.4 conn_try_outdate_peer() in drbd_nl.c; 9 likewise) calls the handler
 * when a Primary has lost its peer, with "fencing resource-and-stonith" while its
 * I/O is frozen, and when a node is to be promoted without a peer:
 *
 *   3  the peer's disk is marked Inconsistent                  I/O goes on
 *   4  the peer's disk is outdated                             I/O goes on
 *   5  the peer is down: its disk is marked Outdated, provided
 *      that our own is UpToDate (DRBD assumes it to be dead)   I/O goes on
 *   6  the peer is Primary: we mark our own disk Outdated
 *   7  the peer was fenced: its disk is marked Outdated        I/O goes on
 *   all else: "helper broken", nothing is marked               I/O stays frozen
 *
 * So 5 is not for "I cannot reach it": DRBD goes on writing with it. All of 3, 4,
 * 5 and 7 are proof to DRBD, and are returned for nothing less than proof. What
 * is not understood, not answered in time or not proven is FENCE_EXIT_FROZEN.
 * After that DRBD does not ask again by itself: the peer comes back, or whoever
 * gets the proof later resumes the I/O (drbdadm resume-io; tried with 8.4). So
 * nasd keeps a question open as long as there is hope, and remembers what it owes.
 *
 * The request to nasd's control socket, one line of JSON:
 *   {"v":1,"cmd":"fence-peer","resource":"r0"}
 * nasd begins to fence if it has not yet, and answers when it knows, which may
 * take minutes. When nasd itself promotes, the kernel's call for that returns only
 * after the handler has: nasd has to answer from its event loop meanwhile. Events
 * may come before the result:
 *   {"result":"ok","data":{"resource":"r0","peer":ANSWER,"reason":"..."}}
 *   {"result":"error","error":{...}}
 */
#ifndef FENCE_PEER_HANDLER_H
#define FENCE_PEER_HANDLER_H

#include "evidence.h"

enum fence_peer_answer {
	FENCE_PEER_NO_PROOF,      /* "no-proof" */
	FENCE_PEER_INCONSISTENT,  /* "inconsistent": it says so of its disk, and does not serve */
	FENCE_PEER_OUTDATED,      /* "outdated": it has stood down and outdated its disk */
	FENCE_PEER_DOWN,          /* "down": an operator has seen that it is off */
	FENCE_PEER_PRIMARY,       /* "primary": it says that it serves, under a newer epoch */
	FENCE_PEER_FENCED,        /* "fenced": by an agent or the cluster */
	FENCE_PEER_ANSWER_COUNT
};

enum {
	FENCE_EXIT_FROZEN = 1,
	FENCE_EXIT_INCONSISTENT = 3,
	FENCE_EXIT_OUTDATED = 4,
	FENCE_EXIT_DOWN = 5,
	FENCE_EXIT_PRIMARY = 6,
	FENCE_EXIT_FENCED = 7,
};

/* "fenced" etc., stable words. */
const char *fence_peer_answer_name(enum fence_peer_answer a);

/* The exit status for it; FENCE_EXIT_FROZEN for whatever is not an answer. */
int fence_peer_exit(enum fence_peer_answer a);

/* What DRBD does with an exit status, for the log. */
const char *fence_peer_exit_text(int status);

/*
 * nasd's side: what a piece of evidence (already judged to be proof; NULL: there
 * is none) lets it answer. The peer's stand-down is good for DRBD only when it
 * has outdated its disk: DRBD over there knows nothing of epochs. The operator's
 * word becomes DOWN, which DRBD believes only while our own disk is UpToDate.
 */
enum fence_peer_answer fence_peer_answer_of(const struct fence_evidence *proof, bool peer_disk_outdated);

/* The request line with its newline; the caller frees it. NULL: no memory, or a
 * name that no resource has (letters, digits, '.', '_', '-'). */
char *fence_peer_request(const char *resource);

enum fence_peer_line {
	FENCE_LINE_EVENT,     /* not the result yet */
	FENCE_LINE_ANSWER,
	FENCE_LINE_REFUSED,   /* nasd says that it cannot answer, or nobody understands */
};

/*
 * One line of nasd's reply, without its newline. answer is set to NO_PROOF unless
 * the line is a well-formed result about this resource. reason (FENCE_EXPLAIN_MAX)
 * gets nasd's words, printable, or what is wrong with the line.
 */
enum fence_peer_line fence_peer_reply(const char *line, size_t len, const char *resource,
				      enum fence_peer_answer *answer, char *reason);

#endif
