/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The effects behind the rows of the step table, for one group on this node:
 * thin calls of netlink/, the filesystem and the server. Nothing is decided
 * here, nothing is undone here, and nothing is remembered that the world can
 * be asked for (but for what SERVER_STOP left and whom to tickle).
 *
 * One step at a time runs (the group's worker thread calls effects_run); the
 * other functions may be called from any thread while it does.
 */
#ifndef NASD_SYS_EFFECTS_H
#define NASD_SYS_EFFECTS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "err.h"
#include "model.h"

enum { EFFECTS_DETAIL_MAX = 200 }; /* as step_report.message */

/* NULL members take the defaults named here. The strings are copied. */
struct effects_paths {
	const char *state_dir; /* "/var/lib/nasd" */
	const char *run_dir;   /* "/run/nasd" */
	const char *log_dir;   /* "/var/log/nasd" */
	const char *module_dir; /* none: where ganesha's module is */
};

struct effects;
struct fsal_client;

/*
 * Prepares the effects of conf->groups[group] on node self (0 or 1). conf must
 * outlive it. Changes nothing in the world. NULL on error.
 */
struct effects *effects_new(const struct conf *conf, size_t group, int self,
			    const struct effects_paths *paths, struct err *e);
void effects_free(struct effects *fx);

/*
 * Runs a step (OP_RUN), or looks whether its effect is in place (OP_VERIFY).
 *
 *   OP_RUN     DONE: the effect is in place now (also when it was before; the
 *              detail then mostly begins with "already"). FAILED: it is not, and the
 *              world is as if the step had not run, but for parts that running
 *              the step (or its inverse) again puts right; e says why. UNKNOWN:
 *              a timeout or an error after which only OP_VERIFY knows.
 *   OP_VERIFY  DONE: in place; FAILED: not in place; UNKNOWN: cannot be told.
 *              Changes nothing.
 *
 * The inverse of a step is another step: ADDRESS_ADD of ADDRESS_DEL, EXPORT of
 * SERVER_STOP, MOUNT of UNMOUNT, DRBD_PRIMARY of DRBD_SECONDARY, and the other
 * way round. A few orders are refused whoever asks (FAILED, ERR_REFUSED): WARM
 * and REWARM while the filesystem is mounted here, EXPORT before it is,
 * ADDRESS_ADD before the exports are there, DRBD_SECONDARY while mounted.
 *
 * ANNOUNCE leaves no trace, so its VERIFY says FAILED: announce again. CONFIRM
 * never fails: after a few seconds without a client it is DONE with a warning.
 *
 * Blocks. Own waiting is bounded (conf limits); a system call that hangs
 * (syncfs, umount, mount on a stuck disk) is not, so the caller keeps the
 * deadline and treats a step that has not returned as UNKNOWN.
 *
 * detail (EFFECTS_DETAIL_MAX bytes, may be NULL) gets a word for the timeline,
 * e gets the error when the outcome is not DONE; e may be NULL. STEP_CHECK,
 * RESERVE, CLIENTS and COMMIT have no effect here: FAILED, ERR_INTERNAL.
 */
enum outcome effects_run(struct effects *fx, enum step_id step, enum step_op op, char *detail,
			 struct err *e);

/*
 * Whether nothing of the service is in place here: no floating address, no
 * exports, no mount, DRBD not Primary. DONE: nothing is. FAILED: something is,
 * named in detail. UNKNOWN: could not be told; to be treated as FAILED by who
 * wants to hand over and as DONE by nobody.
 */
enum outcome effects_standby_safe(struct effects *fx, char *detail, struct err *e);

/*
 * Collects what this node sees of the group. probe_addresses asks the link who
 * else answers for the floating addresses: all at the same time, about half a
 * second; for check only. Never fails: what could not
 * be read says so in its own field. Leaves the journal_* and clients fields to
 * the caller (0).
 */
void effects_facts(struct effects *fx, bool probe_addresses, struct facts *out);

/*
 * The client records and connections that hold for this group now, replacing
 * earlier ones; copied. EXPORT installs the RECORDs for the grace, ANNOUNCE
 * tickles the CONNECTIONs, CONFIRM waits for one of them. The target of a move
 * or takeover hands in its replica; NULL (as at first) stands for what this
 * node has itself: ganesha's own database, and the connections that the last
 * ADDRESS_DEL here has cut (a roll-back, a restart of the active). ADDRESS_DEL
 * of addresses that were present goes back to NULL by itself.
 */
struct client_set;
int effects_set_clients(struct effects *fx, const struct client_set *set, struct err *e);

/*
 * Before a freeze, in any thread: notes who is connected, so that ADDRESS_DEL
 * need not ask within the next 2 seconds. Negative: ADDRESS_DEL asks.
 */
int effects_remember(struct effects *fx, struct err *e);

/*
 * The clients' state, for a move in which nobody has to reclaim.
 *
 * effects_expect: before GATE, why the target cannot take the state ("" or NULL:
 * it can). GATE never fails for want of it: its detail says why then.
 * effects_expect is for PRESYNC, too: that copies a large state ahead.
 * effects_take_dump: after GATE, the state to hand over; NULL: there is none. *base
 * is 0, or names the copy since which it has the changes. After PRESYNC, that copy
 * and its name.
 * effects_since: before GATE, the copy that the target has; 0: none.
 * effects_give_state: before EXPORT, which uses it once, whatever comes of it:
 * the target's is what the source has handed over, the source's own (own) is
 * what GATE has dumped, and is used when SERVER_STOP ended the server behind the
 * closed gate. NULL: none. Both texts are of malloc and change hands.
 */
void effects_expect(struct effects *fx, const char *why_not);
char *effects_take_dump(struct effects *fx, size_t *len, uint64_t *base);
void effects_since(struct effects *fx, uint64_t base);
void effects_give_state(struct effects *fx, char *text, size_t len, bool own);

/*
 * What fencing asks of DRBD, in any thread; each waits for DRBD up to the limit
 * of a step. DONE: it is so. FAILED: DRBD refused, and e says why. UNKNOWN: no
 * answer in time.
 *
 * effects_outdate: this node's disk will not become Primary before it has been
 * resynced. Refused by a Primary, and by a node that is connected.
 * effects_resume_io: the Primary's frozen I/O goes on without the peer, whose
 * disk is the older one from there on: with proof only that it does not write.
 */
enum outcome effects_outdate(struct effects *fx, struct err *e);
enum outcome effects_resume_io(struct effects *fx, struct err *e);

/*
 * New clients' records. effects_server_runs: whether a server runs; cheap, any thread.
 * effects_records: a connection to its module, on which it tells of them from now
 * on (struct fsal_record). Blocks some 100 ms at most. -ECONNREFUSED and the like:
 * not yet; ERR_REFUSED: this module never will.
 */
bool effects_server_runs(struct effects *fx);
int effects_records(struct effects *fx, struct fsal_client *c, struct err *e);

/*
 * The clients at that address (as inet_ntop writes it) are dead, as the caller vouches:
 * what they held is free when this returns. Some milliseconds; blocks 4 s at most. -EAGAIN: one of
 * them is heard, or (ERR_TIMEOUT) not all is free yet; ERR_REFUSED: this server has no module. Any thread.
 */
int effects_release_client(struct effects *fx, const char *address, int64_t *clients, struct err *e);

/*
 * Announces every floating address that is present here once more, without
 * tickles: the repetitions of ANNOUNCE, on the schedule of net_announce_due(),
 * which the caller keeps. An address that has left is passed over. Some
 * hundred microseconds.
 */
int effects_announce_again(struct effects *fx, struct err *e);

#endif
