/* SPDX-License-Identifier: LGPL-3.0-or-later */
#ifndef FSAL_LEASE_TIME_H
#define FSAL_LEASE_TIME_H

#include <time.h>

/* time(2) as ganesha's own code has it, for cid_last_renew: fsal/steady comes
 * before libc there, but not for a module loaded with RTLD_DEEPBIND. */
time_t lease_time(void);

#endif
