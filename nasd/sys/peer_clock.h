/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far the peer's monotonic clock is from ours, from heartbeats that echo
 * each other's send times (the four timestamps of RFC 5905, section 8). Pure.
 */
#ifndef NASD_SYS_PEER_CLOCK_H
#define NASD_SYS_PEER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

enum { PEER_CLOCK_SAMPLES = 16 };

struct peer_clock {
	struct {
		int64_t rtt_us, offset_us;
	} samples[PEER_CLOCK_SAMPLES];
	unsigned count, next;
	bool stale;               /* the samples are from an earlier connection */
	int64_t heard_sent_us;    /* the peer's newest sent_us; 0: none */
	int64_t heard_at_us;      /* when that arrived, our clock */
	int64_t newest_rtt_us;    /* -1: none on this connection */
};

/* A new connection (or the first): the old samples hold until one comes in. */
void peer_clock_restart(struct peer_clock *c);

/* Fills the heartbeat that is sent now. */
void peer_clock_fill(const struct peer_clock *c, int64_t now_us, struct peer_msg *heartbeat);

/* Takes one that arrived now. Nonsense in it is passed over. */
void peer_clock_take(struct peer_clock *c, int64_t now_us, const struct peer_msg *heartbeat);

/* The sample with the least round trip; false while there is none. */
bool peer_clock_offset(const struct peer_clock *c, int64_t *offset_us, int64_t *rtt_us);

#endif
