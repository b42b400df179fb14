/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "realtime.h"

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "log.h"

int realtime_lock_memory(struct err *err)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY }, now = { 0, 0 };

	/* With a limit, it is an allocation that fails one day. */
	if (setrlimit(RLIMIT_MEMLOCK, &all) < 0 &&
	    (getrlimit(RLIMIT_MEMLOCK, &now) < 0 || now.rlim_cur != RLIM_INFINITY)) {
		err_set(err, ERR_REFUSED, EPERM, "memory", "not locked: at most %llu KiB may be",
			(unsigned long long)now.rlim_cur / 1024);
		err_remedy(err, "LimitMEMLOCK=infinity in the unit");
		return -EPERM;
	}
	/* First all there is, touched or not; then also what comes, once it is touched. */
	if (mlockall(MCL_CURRENT) < 0 || mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		return err_set(err, ERR_SYSTEM, errno, "memory", "cannot be locked");
	return 0;
}

int realtime_raise(struct err *err)
{
	struct sched_param p = { .sched_priority = sched_get_priority_min(SCHED_RR) };
	int errnum;

	if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &p) == 0)
		return 0;
	errnum = errno;
	err_set(err, ERR_SYSTEM, errnum, "event loop", "no real-time priority");
	if (errnum == EPERM)
		err_remedy(err, "CAP_SYS_NICE or LimitRTPRIO=1 in the unit, and no RestrictRealtime");
	return -errnum;
}

void realtime_begin(void)
{
	struct err e = { 0 };
	char text[1024];

	if (realtime_lock_memory(&e) < 0)
		log_warn("%s", err_format(&e, text, sizeof(text)));
	err_clear(&e);
	if (realtime_raise(&e) < 0)
		log_warn("%s; heartbeats may be late on a busy node", err_format(&e, text, sizeof(text)));
}
