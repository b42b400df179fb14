/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The peer link. First byte odd: the second byte is a message type and the rest
 * its payload, so that messages are reached without a CRC. First byte 254: the
 * rest is an error's text, which must always be sendable. Else the rest is a byte
 * stream, fed to the frame decoder in pieces and decoded from there.
 * What is accepted is the same again after it was written and read.
 */
#include "fuzz.h"

#include "frame.h"
#include "peer_msg.h"

static void try_message(unsigned type, const void *payload, size_t len)
{
	static struct peer_msg msg, back;
	static char buf[PEER_MSG_MAX];
	struct err err = { 0 };
	int n;

	if (peer_msg_decode(type, payload, len, &msg, &err)) {
		fuzz_check_error(&err);
		memset(&back, 0, sizeof(back));
		FUZZ_ASSERT(!memcmp(&msg, &back, sizeof(msg)));
		return;
	}
	FUZZ_ASSERT(err.cls == ERR_NONE);
	n = peer_msg_encode(&msg, buf, sizeof(buf), &err);
	FUZZ_ASSERT(n > 0);
	FUZZ_ASSERT(!peer_msg_decode(type, buf, (size_t)n, &back, &err));
	FUZZ_ASSERT(!memcmp(&msg, &back, sizeof(msg)));
}

static void try_stream(const uint8_t *data, size_t size, size_t piece)
{
	static struct frame_decoder dec;
	static unsigned char again[FRAME_MAX];
	size_t at = 0;

	frame_decoder_init(&dec);
	while (at < size) {
		size_t part = size - at < piece ? size - at : piece, used = frame_feed(&dec, data + at, part);
		struct frame f;
		struct err err = { 0 };
		int r;

		FUZZ_ASSERT(used > 0 && used <= part);
		at += used;
		while ((r = frame_next(&dec, &f, &err)) > 0) {
			FUZZ_ASSERT(frame_encode(f.type, f.seq, f.payload, f.len, again, sizeof(again), &err) ==
				    (int)(FRAME_HEADER_LEN + f.len));
			FUZZ_ASSERT(!memcmp(again, f.payload - FRAME_HEADER_LEN, FRAME_HEADER_LEN + f.len));
			try_message(f.type, f.payload, f.len);
		}
		if (r < 0) {
			fuzz_check_error(&err);
			return;
		}
	}
}

static void try_text(const uint8_t *data, size_t size)
{
	static struct peer_msg msg, back;
	static char buf[PEER_MSG_MAX];
	struct err err = { 0 };
	int n;

	memset(&msg, 0, sizeof(msg));
	msg.type = MSG_ABORT;
	msg.group[0] = 'g';
	msg.u.answer.err.cls = ERR_SYSTEM;
	memcpy(msg.u.answer.err.msg, data, size < ERR_MSG_MAX ? size : ERR_MSG_MAX - 1);
	n = peer_msg_encode(&msg, buf, sizeof(buf), &err);
	FUZZ_ASSERT(n > 0);
	FUZZ_ASSERT(!peer_msg_decode(MSG_ABORT, buf, (size_t)n, &back, &err));
	FUZZ_ASSERT(strlen(back.u.answer.err.msg) <= strlen(msg.u.answer.err.msg));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] % 2)
		try_message(data[1], data + 2, size - 2);
	else if (data[0] == 254)
		try_text(data + 2, size - 2);
	else
		try_stream(data + 2, size - 2, data[1] + 1U);
	return 0;
}
