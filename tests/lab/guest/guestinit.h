/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What process 1 of the tiny guest does before and after the payload. */
#ifndef PROBE_GUESTINIT_H
#define PROBE_GUESTINIT_H

/*
 * Mount what the payload needs, load every module under /modules (in any
 * order: repeated until nothing more loads), wait for the device nodes.
 * Returns the report channel: report, or when that is NULL the virtio port, or
 * ttyS0 when none has appeared after a long wait (a host without one had better
 * say --report /dev/ttyS0).
 */
const char *guestinit_prepare(const char *disk, const char *report);

/* Power the machine off. */
_Noreturn void guestinit_poweroff(void);

#endif
