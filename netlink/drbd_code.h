/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Within netlink/ only: DRBD's return codes in words. Pure. */
#ifndef NASD_NETLINK_DRBD_CODE_H
#define NASD_NETLINK_DRBD_CODE_H

#include <stdint.h>

#include "err.h"

/*
 * Judges a return code of DRBD (enum drbd_state_rv is positive for success and
 * negative for refusals, enum drbd_ret_code is above 100; linux/drbd.h). text
 * is what the kernel added, or "". Returns 0 or a negative errno.
 */
int drbd_code_judge(int32_t code, const char *where, const char *text, struct err *e);

#endif
