/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heartbeat: a numbered line at a steady pace, whatever the disk does (the
 * stand-in for somebody watching a video in the guest).  The same thread takes
 * the commands that come in on the channel:
 *
 *   stop       verify everything, print the summary, end
 *   report     print the figures since the start
 *   mark       print the figures since the last mark and start new ones
 *   time US    set the clock (guests only; it has just been restored from an
 *              RTC of one second's resolution, or stood still in a live move)
 */
#ifndef PROBE_HEARTBEAT_H
#define PROBE_HEARTBEAT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "report.h"

struct heartbeat {
	struct control *control;
	struct report *report;
	uint64_t pace_ns;
	bool set_clock; /* obey "time" */
	atomic_bool end;
};

/* A thread's main function; arg is a struct heartbeat. */
void *heartbeat_thread(void *arg);

#endif
