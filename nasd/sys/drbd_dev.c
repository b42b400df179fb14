/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drbd_dev.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clocks.h"
#include "drbd_setup.h"
#include "holders.h"

enum {
	RETRY_PAUSE_US = 4000,
	RETRY_US = 500000, /* udev's probes of a device that has just been closed */
	PEER_PAUSE_US = 500,
	PEER_US = 1000000,
	POLICY_US = 10000000,
};

static int set_role(const struct conf_drbd *d, enum drbd_role role, unsigned timeout_ms,
		    struct err *e)
{
	if (role == DRBD_PRIMARY)
		return drbd_primary(d->minor, false, timeout_ms, e);
	return drbd_secondary(d->minor, timeout_ms, e);
}

/* Refusals that the next milliseconds may lift: a probe holds the device, a
 * state change is under way, the peer's demotion has not reached us. */
static bool passing(enum drbd_role role, int r)
{
	return r == -EAGAIN || r == (role == DRBD_PRIMARY ? -EALREADY : -EBUSY);
}

static int set_role_patiently(const struct conf_drbd *d, enum drbd_role role, unsigned timeout_ms,
			      unsigned *tries, struct err *e)
{
	int64_t until = monotonic_us() + RETRY_US;
	int r;

	for (*tries = 1; ; (*tries)++) {
		r = set_role(d, role, timeout_ms, e);
		if (!passing(role, r) || monotonic_us() >= until)
			return r;
		usleep(RETRY_PAUSE_US);
	}
}

/*
 * The peer's demotion comes by DRBD's connection, word of it by ours, which may
 * be faster; and so may be word of its death. DRBD 8.4, asked too early, sleeps for
 * ping-timeout + 0.1 s before it looks again; so it is asked when it knows, or when
 * that takes too long.
 */
static void await_peer_demotion(const struct conf_drbd *d, const struct drbd_status *now)
{
	int64_t until = monotonic_us() + PEER_US;
	struct drbd_status st = *now;

	while (st.peer_role == DRBD_PRIMARY && monotonic_us() < until) {
		usleep(PEER_PAUSE_US);
		if (drbd_query(d->minor, &st, NULL) < 0)
			return;
	}
}

static void name_holders(const struct conf_drbd *d, struct err *e)
{
	struct holders *h = calloc(1, sizeof(*h));
	char who[ERR_MSG_MAX - 40] = "";
	struct stat st;

	if (h && stat(d->device, &st) == 0 && S_ISBLK(st.st_mode)) {
		holders_of_device(st.st_rdev, h);
		holders_format(h, who, sizeof(who));
	}
	free(h);
	if (!who[0])
		return;
	err_set(e, ERR_REFUSED, EBUSY, d->device, "is held by %s", who);
	err_remedy(e, "end these processes (or unmount these mounts) and try again");
}

static enum outcome change_role(const struct conf_drbd *d, enum drbd_role role, unsigned timeout_ms,
				char *detail, size_t size, struct err *e)
{
	int64_t began = monotonic_us(), asked, waited;
	struct drbd_status st;
	unsigned tries;
	int r = drbd_query(d->minor, &st, e);

	asked = waited = monotonic_us();
	if (r == 0 && st.role == role) {
		snprintf(detail, size, "already %s", drbd_role_name(role));
		return OUTCOME_DONE;
	}
	if (r == -ENODEV && role == DRBD_SECONDARY) {
		snprintf(detail, size, "already: there is no such device");
		return OUTCOME_DONE;
	}
	if (r < 0)
		return OUTCOME_FAILED; /* nothing was asked of it */
	if (role == DRBD_PRIMARY) {
		await_peer_demotion(d, &st);
		waited = monotonic_us();
	}
	r = set_role_patiently(d, role, timeout_ms, &tries, e);
	if (r == 0) {
		snprintf(detail, size, "%s is %s%s; asked %.1f, peer %.1f, change %.1f ms", d->resource,
			 drbd_role_name(role), tries > 1 ? ", after being busy for a moment" : "",
			 (double)(asked - began) / 1e3, (double)(waited - asked) / 1e3, (double)(monotonic_us() - waited) / 1e3);
		return OUTCOME_DONE;
	}
	if (!e || e->cls != ERR_REFUSED)
		return r == -ENODEV ? OUTCOME_FAILED : OUTCOME_UNKNOWN;
	if (r == -EBUSY)
		name_holders(d, e);
	return OUTCOME_FAILED;
}

enum outcome drbd_dev_promote(const struct conf_drbd *d, unsigned timeout_ms, char *detail,
			      size_t size, struct err *e)
{
	return change_role(d, DRBD_PRIMARY, timeout_ms, detail, size, e);
}

enum outcome drbd_dev_demote(const struct conf_drbd *d, unsigned timeout_ms, char *detail,
			     size_t size, struct err *e)
{
	return change_role(d, DRBD_SECONDARY, timeout_ms, detail, size, e);
}

enum outcome drbd_dev_is(const struct conf_drbd *d, enum drbd_role role, char *detail, size_t size,
			 struct err *e)
{
	struct drbd_status st;
	int r = drbd_query(d->minor, &st, e);

	if (r == -ENODEV)
		return role == DRBD_SECONDARY ? OUTCOME_DONE : OUTCOME_FAILED;
	if (r < 0)
		return OUTCOME_UNKNOWN;
	if (st.role == role) {
		snprintf(detail, size, "%s is %s", d->resource, drbd_role_name(role));
		return OUTCOME_DONE;
	}
	err_set(e, ERR_REFUSED, 0, d->resource, "is %s, not %s", drbd_role_name(st.role),
		drbd_role_name(role));
	return OUTCOME_FAILED;
}

enum outcome drbd_dev_ready(const struct conf_drbd *d, struct err *e)
{
	struct drbd_status st;
	int r = drbd_query(d->minor, &st, e);

	if (r < 0)
		return r == -ETIMEDOUT ? OUTCOME_UNKNOWN : OUTCOME_FAILED;
	if (st.conn != DRBD_CONNECTED) {
		err_set(e, ERR_REFUSED, ENOTCONN, d->resource, "DRBD is not connected (%s)",
			drbd_conn_name(st.conn));
		err_remedy(e, "wait for the resync, or check the replication network and drbdadm connect %s",
			   d->resource);
		return OUTCOME_FAILED;
	}
	/* a peer whose disk is gone is left for that very reason */
	if (st.disk != DRBD_UPTODATE || (st.peer_disk != DRBD_UPTODATE && st.peer_disk != DRBD_DISKLESS &&
					 st.peer_disk != DRBD_FAILED)) {
		err_set(e, ERR_REFUSED, ENODATA, d->resource, "the disks are %s here and %s on the peer",
			drbd_disk_name(st.disk), drbd_disk_name(st.peer_disk));
		err_remedy(e, "let DRBD resync first: drbdadm status %s", d->resource);
		return OUTCOME_FAILED;
	}
	if (st.suspended_user || st.suspended_nodata || st.suspended_fencing) {
		err_set(e, ERR_REFUSED, EBUSY, d->resource, "DRBD has suspended I/O");
		err_remedy(e, "find out why, then drbdadm resume-io %s", d->resource);
		return OUTCOME_FAILED;
	}
	return OUTCOME_DONE;
}

static enum drbd_fencing fencing_of(const struct drbd_status *st, struct drbd_policy *p)
{
	if (st->api < 9)
		return st->fencing;
	if (!p->asked_us || monotonic_us() - p->asked_us >= POLICY_US) {
		p->fencing = DRBD_FENCING_UNKNOWN;
		drbd_setup_fencing(st->resource, &p->fencing, NULL);
		p->asked_us = monotonic_us();
	}
	return p->fencing;
}

void drbd_dev_facts(const struct conf_drbd *d, struct drbd_policy *policy, struct facts *out)
{
	struct drbd_status st;
	struct err e = { 0 };
	char text[512];

	if (drbd_query(d->minor, &st, &e) < 0) {
		snprintf(out->drbd_error, sizeof(out->drbd_error), "%.159s",
			 err_format(&e, text, sizeof(text)));
		return;
	}
	out->drbd_known = true;
	snprintf(out->drbd_role, sizeof(out->drbd_role), "%s", drbd_role_name(st.role));
	snprintf(out->drbd_peer_role, sizeof(out->drbd_peer_role), "%s", drbd_role_name(st.peer_role));
	snprintf(out->drbd_cstate, sizeof(out->drbd_cstate), "%s", drbd_conn_name(st.conn));
	snprintf(out->drbd_disk, sizeof(out->drbd_disk), "%s", drbd_disk_name(st.disk));
	snprintf(out->drbd_peer_disk, sizeof(out->drbd_peer_disk), "%s", drbd_disk_name(st.peer_disk));
	out->drbd_out_of_sync = st.out_of_sync;
	snprintf(out->drbd_fencing, sizeof(out->drbd_fencing), "%s",
		 drbd_fencing_name(fencing_of(&st, policy)));
	out->drbd_changed_alone = st.changed_alone;
	out->drbd_suspended = st.suspended_user || st.suspended_nodata || st.suspended_fencing;
}

bool drbd_dev_lower_disk(const struct conf_drbd *d, char *path, size_t size)
{
	char dir[64];
	struct dirent *de;
	bool found = false;
	DIR *slaves;

	snprintf(dir, sizeof(dir), "/sys/block/drbd%u/slaves", d->minor);
	slaves = opendir(dir);
	while (slaves && !found && (de = readdir(slaves)))
		if (de->d_name[0] != '.') {
			snprintf(path, size, "/dev/%s", de->d_name);
			found = true;
		}
	if (slaves)
		closedir(slaves);
	return found;
}
