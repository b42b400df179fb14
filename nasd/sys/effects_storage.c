/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clocks.h"
#include "drbd_dev.h"
#include "effects_int.h"

enum {
	PRESYNC_ROUNDS = 5,
	LATE_POLL_US = 10000,
	UNMOUNT_WAIT_US = 300000, /* a killed server's descriptors close a little later */
};

enum outcome mounted_here(struct effects *fx, struct err *e)
{
	struct filesystem_state st;

	if (filesystem_look(&fx->fs, &st, e) < 0)
		return OUTCOME_UNKNOWN;
	return st.mounted || st.covered || st.elsewhere ? OUTCOME_DONE : OUTCOME_FAILED;
}

/* ---- PRESYNC */

/* A state that came with the last move and is not complete cannot be dumped: better
 * to wait here than to have the clients reclaim. */
static void wait_for_late_opens(struct effects *fx, int64_t until)
{
	struct ganesha_module m;

	for (ganesha_module_look(fx->ganesha, &m); m.late && monotonic_us() < until;
	     ganesha_module_look(fx->ganesha, &m))
		usleep(LATE_POLL_US);
}

enum outcome presync_run(struct effects *fx, struct word *w)
{
	int64_t until = monotonic_us() + (int64_t)fx->group->limits.precopy_us;
	struct ganesha_state server;
	uint64_t first, dirty;
	int rounds = 0;

	wait_for_late_opens(fx, until);
	state_copy_ahead(fx);
	if (filesystem_dirty(&first, w->err) < 0)
		return OUTCOME_FAILED;
	dirty = first;
	/* At least once: the figure is the system's, and may be late. */
	do {
		if (filesystem_sync(&fx->fs, w->err) < 0 || filesystem_dirty(&dirty, w->err) < 0)
			return OUTCOME_FAILED;
		rounds++;
	} while (dirty > fx->group->limits.dirty_bytes && rounds < PRESYNC_ROUNDS &&
		 monotonic_us() < until);
	ganesha_state(fx->ganesha, &server);
	if (server.pid > 0)
		filesystem_shed(&fx->fs, server.pid);
	SAY(w, "%s%" PRIu64 " KiB dirty, was %" PRIu64 " KiB; %d round%s",
	    dirty > fx->group->limits.dirty_bytes ? "still above the limit: " : "", dirty >> 10,
	    first >> 10, rounds, rounds == 1 ? "" : "s");
	return OUTCOME_DONE;
}

enum outcome presync_verify(struct effects *fx, struct word *w)
{
	uint64_t dirty;

	if (filesystem_dirty(&dirty, w->err) < 0)
		return OUTCOME_UNKNOWN;
	if (dirty > fx->group->limits.dirty_bytes)
		return refuse(w, fx->fs.point, "", "%" PRIu64 " KiB are dirty", dirty >> 10);
	SAY(w, "%" PRIu64 " KiB dirty", dirty >> 10);
	return OUTCOME_DONE;
}

/* ---- UNMOUNT, MOUNT */

/* A server that has released the filesystem is there yet. Should it be what keeps
 * it busy all the same, its time has come. */
static int unmount(struct effects *fx, bool *already, struct filesystem_state *after, struct word *w)
{
	struct ganesha_state st;
	int ret = filesystem_unmount(&fx->fs, UNMOUNT_WAIT_US, already, after, w->err);

	if (ret != -EBUSY)
		return ret;
	ganesha_state(fx->ganesha, &st);
	if (st.state != SERVER_DOWN || !st.pid ||
	    ganesha_stop(fx->ganesha, UNMOUNT_WAIT_US, NULL) != OUTCOME_DONE)
		return ret;
	err_clear(w->err);
	return filesystem_unmount(&fx->fs, UNMOUNT_WAIT_US, already, after, w->err);
}

enum outcome unmount_run(struct effects *fx, struct word *w)
{
	struct filesystem_state st;
	bool already;

	if (unmount(fx, &already, &st, w) < 0)
		return w->err->cls == ERR_REFUSED ? OUTCOME_FAILED : OUTCOME_UNKNOWN;
	if (st.elsewhere) {
		char remedy[ERR_REMEDY_MAX];

		snprintf(remedy, sizeof(remedy), "umount %.200s", st.elsewhere_point);
		return refuse(w, fx->fs.device, remedy, "is also mounted at %s", st.elsewhere_point);
	}
	SAY(w, "%s", already ? "already unmounted" : fx->fs.point);
	return OUTCOME_DONE;
}

enum outcome unmount_verify(struct effects *fx, struct word *w)
{
	switch (mounted_here(fx, w->err)) {
	case OUTCOME_DONE: return refuse(w, fx->fs.device, "", "is mounted");
	case OUTCOME_FAILED: return OUTCOME_DONE;
	case OUTCOME_UNKNOWN: break;
	}
	return OUTCOME_UNKNOWN;
}

/* mount(2) has three ways to end, too: an error other than these may have come
 * after the filesystem was set up, so the table of mounts decides. */
enum outcome mount_run(struct effects *fx, struct word *w)
{
	struct err why;
	bool already;

	if (filesystem_mount(&fx->fs, &already, w->err) == 0) {
		SAY(w, "%s%s on %s", already ? "already: " : "", fx->fs.device, fx->fs.point);
		return OUTCOME_DONE;
	}
	why = *w->err;
	switch (mount_verify(fx, w)) {
	case OUTCOME_DONE: return OUTCOME_DONE;
	case OUTCOME_UNKNOWN: return OUTCOME_UNKNOWN;
	case OUTCOME_FAILED: break;
	}
	*w->err = why;
	return OUTCOME_FAILED;
}

enum outcome mount_verify(struct effects *fx, struct word *w)
{
	struct filesystem_state st;

	if (filesystem_look(&fx->fs, &st, w->err) < 0)
		return OUTCOME_UNKNOWN;
	if (!st.mounted)
		return refuse(w, fx->fs.point, "", "%s is not mounted there", fx->fs.device);
	if (st.readonly)
		return refuse(w, fx->fs.point, "find the cause in the kernel log, unmount and fsck",
			      "is read-only");
	return OUTCOME_DONE;
}

/* ---- DRBD */

static unsigned drbd_patience_ms(const struct effects *fx)
{
	uint64_t ms = fx->group->limits.step_us / 1000;

	return ms < 100 ? 100 : ms > 600000 ? 600000 : (unsigned)ms;
}

enum outcome secondary_run(struct effects *fx, struct word *w)
{
	enum outcome o = mounted_here(fx, w->err);

	if (o == OUTCOME_UNKNOWN)
		return o;
	if (o == OUTCOME_DONE)
		return refuse(w, fx->fs.device, "unmount it first", "is mounted");
	return drbd_dev_demote(&fx->group->drbd, drbd_patience_ms(fx), w->text, EFFECTS_DETAIL_MAX,
			       w->err);
}

enum outcome secondary_verify(struct effects *fx, struct word *w)
{
	return drbd_dev_is(&fx->group->drbd, DRBD_SECONDARY, w->text, EFFECTS_DETAIL_MAX, w->err);
}

enum outcome primary_run(struct effects *fx, struct word *w)
{
	return drbd_dev_promote(&fx->group->drbd, drbd_patience_ms(fx), w->text, EFFECTS_DETAIL_MAX,
				w->err);
}

enum outcome primary_verify(struct effects *fx, struct word *w)
{
	return drbd_dev_is(&fx->group->drbd, DRBD_PRIMARY, w->text, EFFECTS_DETAIL_MAX, w->err);
}

static enum outcome outcome_of(int ret, const struct err *e)
{
	return ret == 0 ? OUTCOME_DONE : outcome_of_error(e);
}

enum outcome effects_outdate(struct effects *fx, struct err *e)
{
	struct err own = { 0 };
	int ret = drbd_outdate(fx->group->drbd.minor, drbd_patience_ms(fx), e ? e : &own);

	/* worse than outdated, as when a resync was cut short: no more can be asked of it */
	if (ret == -ENODATA) {
		err_clear(e ? e : &own);
		return OUTCOME_DONE;
	}
	return outcome_of(ret, e ? e : &own);
}

enum outcome effects_resume_io(struct effects *fx, struct err *e)
{
	struct err own = { 0 };

	return outcome_of(drbd_resume_io(fx->group->drbd.minor, drbd_patience_ms(fx), e ? e : &own), e ? e : &own);
}
