/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What nasd and nasd-watchdog say to each other over a unix datagram socket.
 * Pure. One datagram, one line of text:
 *
 *   nasd -> watchdog   "beat 1 SESSION SEQ MONO_US active|idle\n"
 *   watchdog -> nasd   "dog 1 SEQ none|closed|armed|kept|starving|failed\n"
 *
 * SESSION is when the sender was started and MONO_US when it found itself
 * healthy, both CLOCK_MONOTONIC in microseconds; SEQ begins with 1 and grows.
 * The answer goes to the sender's address, if it has bound one.
 *
 * nasd sends a beat from its event loop, every 200 ms or so, and only when what
 * it vouches for is well: the loop turns, the journal can be written, no lane is
 * stuck past its deadline. "active": this node has, or may have, any part of a
 * group's service in place. A nasd that has just been started says nothing until
 * it knows, and "idle" only when it is sure.
 */
#ifndef FENCE_BEAT_H
#define FENCE_BEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum { BEAT_MAX = 128, BEAT_VERSION = 1 };
#define BEAT_SOCKET "/run/nasd/watchdog.sock"

struct fence_beat {
	uint64_t session, seq;
	int64_t mono_us;
	bool active;
};

/* The watchdog's side, in its answers. */
enum dog_state {
	DOG_NONE,      /* configured without a device: nothing guards this node */
	DOG_CLOSED,    /* the device is closed: the node is not active */
	DOG_ARMED,     /* open and fed as long as beats arrive */
	DOG_KEPT,      /* not active, but fed, because the device cannot be disarmed */
	DOG_STARVING,  /* no fresh beat: not fed, the node will be reset */
	DOG_FAILED,    /* the device cannot be opened or fed */
	DOG_STATE_COUNT
};
const char *dog_state_name(enum dog_state s);

/* Both write a whole datagram to buf (BEAT_MAX) and return its length. */
size_t beat_format(const struct fence_beat *b, char *buf);
size_t dog_format(uint64_t seq, enum dog_state s, char *buf);

/* Exactly one such line. 0, or -EPROTO with err filled. */
int beat_parse(const char *text, size_t len, struct fence_beat *b, struct err *err);
int dog_parse(const char *text, size_t len, uint64_t *seq, enum dog_state *s, struct err *err);

#endif
