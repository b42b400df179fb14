/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NASD_COND_H
#define NASD_COND_H

#include <pthread.h>

/* Its waits end by CLOCK_MONOTONIC. */
static inline void cond_init_monotonic(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

#endif
