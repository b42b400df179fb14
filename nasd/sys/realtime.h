/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A node that swaps, or whose processor is busy, must still send its heartbeats
 * and hear the peer's: nasd's memory stays in memory, and its event loop runs
 * before ordinary work. Neither is inherited: lanes are ordinary threads, ganesha
 * an ordinary process.
 */
#ifndef NASD_SYS_REALTIME_H
#define NASD_SYS_REALTIME_H

#include "err.h"

/*
 * Locks the memory that this process has, and what it will get as it is touched
 * (an allocation does not become slower, or fail, for it). Nothing is locked when
 * RLIMIT_MEMLOCK is in the way.
 */
int realtime_lock_memory(struct err *err);

/* The calling thread at the lowest real-time priority; its children and threads
 * begin as ordinary ones. */
int realtime_raise(struct err *err);

/* Both, for the calling thread; what is not allowed is logged. Before any lane. */
void realtime_begin(void);

#endif
