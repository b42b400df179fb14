/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Framing of the peer link. A frame is a fixed header of 32 bytes, all numbers
 * big-endian, and its payload:
 *
 *     0  4  magic "NASD"
 *     4  2  protocol version (FRAME_VERSION)
 *     6  1  type (enum msg_type, not judged here)
 *     7  1  flags, none defined yet: zero
 *     8  4  payload length, at most FRAME_PAYLOAD_MAX
 *    12  8  sequence number: per connection and direction, 1, 2, 3, ...
 *    20  4  CRC-32 (zlib's) of the payload
 *    24  8  reserved: zero
 *
 * The decoder takes bytes as they come (push) and gives whole frames. An error
 * is final: the stream cannot be trusted after it, close the connection.
 */
#ifndef NASD_WIRE_FRAME_H
#define NASD_WIRE_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum {
	/* 2: STATE, STATE_ACK, the row gate, state_moves in FACTS; 3: CLIENTS with many entries;
	 * 4: boot_id, pulse_key, pulse_session in INTRO, drbd_fencing and
	 * what becomes of server, filesystem and copy in FACTS; OUTDATE, OUTDATED */
	FRAME_VERSION = 4,
	FRAME_HEADER_LEN = 32,
	FRAME_PAYLOAD_MAX = 64 * 1024,
	FRAME_MAX = FRAME_HEADER_LEN + FRAME_PAYLOAD_MAX,
};

struct frame {
	uint8_t type;
	uint8_t flags;
	uint64_t seq;
	const unsigned char *payload; /* in the decoder, until its next feed or next */
	size_t len;
};

/* One direction of one connection; about 64 KiB, so not for the stack. */
struct frame_decoder {
	uint64_t next_seq;
	size_t start, end; /* unread bytes of buf */
	int failed;        /* the error given before, 0 while all is well */
	struct err error;
	unsigned char buf[FRAME_MAX];
};

/* Makes dec ready for a new connection. */
void frame_decoder_init(struct frame_decoder *dec);

/*
 * Hands len bytes to the decoder and returns how many it took: fewer than len
 * only when a frame must be fetched with frame_next first.
 */
size_t frame_feed(struct frame_decoder *dec, const void *bytes, size_t len);

/*
 * The next whole frame: 1 with frame filled, 0 when more bytes are needed, or a
 * negative errno with err filled (-EPROTO, or -EPROTONOSUPPORT for another
 * version); asked again it gives the same error.
 */
int frame_next(struct frame_decoder *dec, struct frame *frame, struct err *err);

/*
 * The header and payload as one frame in out, which must have room for
 * FRAME_HEADER_LEN + len bytes: their number, or -EMSGSIZE with err filled.
 */
int frame_encode(uint8_t type, uint64_t seq, const void *payload, size_t len, unsigned char *out,
		 size_t size, struct err *err);

#endif
