/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pulse: the sign of life that goes from each link address of a node to the
 * peer's address of the same index, as one UDP datagram of PULSE_LEN bytes, all
 * numbers big-endian:
 *
 *     0  4  magic "NASP"
 *     4  1  version (PULSE_VERSION)
 *     5  1  the sender's node index, 0 or 1
 *     6  1  path: index of the address it was sent from
 *     7  1  paths that the sender has, 1 to PULSE_PATHS_MAX
 *     8  8  session of the sender's nasd (its INTRO says which)
 *    16  8  sequence number: from 1, grows with each pulse of the session
 *    24  8  when it was sent, the sender's monotonic clock, microseconds
 *    32 16  for each path how many ms ago the sender heard the receiver there,
 *           4 bytes each; PULSE_NEVER: not yet, or no such path
 *    48 32  HMAC-SHA-256 (RFC 2104) of the bytes before it, by the key that the
 *           sender's INTRO told the receiver over TLS
 *
 * Nothing of a pulse is believed before its HMAC; one that was sent before the
 * last one of its path (a replay, or overtaken on the way) is dropped.
 */
#ifndef NASD_WIRE_PULSE_MSG_H
#define NASD_WIRE_PULSE_MSG_H

#include <stddef.h>
#include <stdint.h>

enum {
	PULSE_VERSION = 1,
	PULSE_PATHS_MAX = 4,
	PULSE_KEY_SIZE = 32,
	PULSE_MAC_SIZE = 32,
	PULSE_BODY_LEN = 48,
	PULSE_LEN = PULSE_BODY_LEN + PULSE_MAC_SIZE,
};

#define PULSE_NEVER UINT32_MAX

struct pulse_msg {
	unsigned node, path, n_paths;
	uint64_t session, seq;
	int64_t sent_us;
	uint32_t heard_ms[PULSE_PATHS_MAX]; /* PULSE_NEVER from n_paths on */
};

/* Why a datagram counts for nothing; in the order of the checks. */
enum pulse_verdict {
	PULSE_GOOD = 0,
	PULSE_BAD_LENGTH,
	PULSE_BAD_MAGIC,
	PULSE_BAD_VERSION,
	PULSE_BAD_NODE,     /* not the peer's index */
	PULSE_BAD_PATH,     /* arrived elsewhere than it was sent to */
	PULSE_NO_KEY,       /* the peer has not introduced itself yet */
	PULSE_BAD_SESSION,  /* of another nasd than the one last introduced */
	PULSE_BAD_MAC,
	PULSE_BAD_BODY,     /* authentic and yet nonsense: the peer has a bug */
	PULSE_REPLAY,
	PULSE_VERDICTS
};
const char *pulse_verdict_name(enum pulse_verdict v); /* "good", "length", ... */

/* What the receiver knows of the sender, for one path. */
struct pulse_expect {
	unsigned node, path;
	uint64_t session;
	const unsigned char *key; /* PULSE_KEY_SIZE bytes; NULL: none yet */
	uint64_t last_seq;        /* of the last good one on this path; 0: none */
};

/* 64 lower-case hex digits to the key; anything else is -EINVAL. */
int pulse_key_parse(const char *hex, unsigned char key[PULSE_KEY_SIZE]);

/* 0, or -EINVAL when m cannot be sent, or -EIO when the HMAC cannot be made. */
int pulse_encode(const struct pulse_msg *m, const unsigned char key[PULSE_KEY_SIZE],
		 unsigned char out[PULSE_LEN]);

/* Fills m when the verdict is PULSE_GOOD; else m is all zero. */
enum pulse_verdict pulse_decode(const void *datagram, size_t len, const struct pulse_expect *expect,
				struct pulse_msg *m);

#endif
