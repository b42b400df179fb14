/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A group's DRBD device, thin over netlink/drbd.h: brief patience where the
 * kernel's answer is about to change, names of who holds it open, and the words
 * of struct facts.
 */
#ifndef NASD_SYS_DRBD_DEV_H
#define NASD_SYS_DRBD_DEV_H

#include "conf.h"
#include "drbd.h"
#include "model.h"

/*
 * Change the role, never by force. DONE also when it has the role already (the
 * detail says so), and for Secondary when there is no such device. UNKNOWN: no
 * answer in time. detail and e as in effects_run.
 */
enum outcome drbd_dev_promote(const struct conf_drbd *d, unsigned timeout_ms, char *detail,
			      size_t size, struct err *e);
enum outcome drbd_dev_demote(const struct conf_drbd *d, unsigned timeout_ms, char *detail,
			     size_t size, struct err *e);

/* Whether it has the role. */
enum outcome drbd_dev_is(const struct conf_drbd *d, enum drbd_role role, char *detail, size_t size,
			 struct err *e);

/* Whether a move may count on it: connected, both disks UpToDate, I/O runs. */
enum outcome drbd_dev_ready(const struct conf_drbd *d, struct err *e);

/* The fencing policy where asking costs a program's start (DRBD 9). */
struct drbd_policy {
	enum drbd_fencing fencing;
	int64_t asked_us; /* monotonic; 0: not yet */
};

/* Fills the drbd_* fields. policy is the caller's, and renewed when it is old. */
void drbd_dev_facts(const struct conf_drbd *d, struct drbd_policy *policy, struct facts *out);

/*
 * The lower disk of the device as sysfs tells it ("/dev/loop0"); the Secondary
 * itself cannot be opened. False when the kernel does not tell.
 */
bool drbd_dev_lower_disk(const struct conf_drbd *d, char *path, size_t size);

#endif
