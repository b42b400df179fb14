/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "be.h"

static const unsigned char frame_magic[4] = { 'N', 'A', 'S', 'D' };

enum { /* offsets in the header */
	OFF_MAGIC = 0,
	OFF_VERSION = 4,
	OFF_TYPE = 6,
	OFF_FLAGS = 7,
	OFF_LENGTH = 8,
	OFF_SEQ = 12,
	OFF_CRC = 20,
	OFF_RESERVED = 24,
};

static uint32_t payload_crc(const void *payload, size_t len)
{
	static const unsigned char nothing[1];

	/* zlib gives the initial value, not a checksum, for a NULL buffer */
	return (uint32_t)crc32(0, len ? payload : nothing, (uInt)len);
}

int frame_encode(uint8_t type, uint64_t seq, const void *payload, size_t len, unsigned char *out,
		 size_t size, struct err *err)
{
	if (len > FRAME_PAYLOAD_MAX || size < FRAME_HEADER_LEN + len)
		return err_set(err, ERR_INTERNAL, EMSGSIZE, "peer frame",
			       "%zu bytes of payload do not fit (limit %d, room for %zu with the header)", len,
			       FRAME_PAYLOAD_MAX, size);
	memset(out, 0, FRAME_HEADER_LEN);
	memcpy(out + OFF_MAGIC, frame_magic, sizeof(frame_magic));
	put_be(out + OFF_VERSION, 2, FRAME_VERSION);
	out[OFF_TYPE] = type;
	put_be(out + OFF_LENGTH, 4, len);
	put_be(out + OFF_SEQ, 8, seq);
	put_be(out + OFF_CRC, 4, payload_crc(payload, len));
	if (len)
		memcpy(out + FRAME_HEADER_LEN, payload, len);
	return (int)(FRAME_HEADER_LEN + len);
}

void frame_decoder_init(struct frame_decoder *dec)
{
	dec->next_seq = 1;
	dec->start = dec->end = 0;
	dec->failed = 0;
	err_clear(&dec->error);
}

size_t frame_feed(struct frame_decoder *dec, const void *bytes, size_t len)
{
	size_t room;

	if (dec->failed)
		return len; /* nothing after an error counts */
	if (dec->start) {
		memmove(dec->buf, dec->buf + dec->start, dec->end - dec->start);
		dec->end -= dec->start;
		dec->start = 0;
	}
	room = sizeof(dec->buf) - dec->end;
	if (len > room)
		len = room;
	if (len)
		memcpy(dec->buf + dec->end, bytes, len);
	dec->end += len;
	return len;
}

static int check_header(const unsigned char *h, uint64_t next_seq, struct err *err)
{
	unsigned version = (unsigned)get_be(h + OFF_VERSION, 2);
	uint64_t length = get_be(h + OFF_LENGTH, 4), seq = get_be(h + OFF_SEQ, 8);

	if (memcmp(h + OFF_MAGIC, frame_magic, sizeof(frame_magic)) != 0)
		return err_set(err, ERR_PEER, EPROTO, "peer frame", "this is not nasd's protocol (bad magic)");
	if (version != FRAME_VERSION) {
		err_set(err, ERR_PEER, EPROTONOSUPPORT, "peer frame",
			"the peer speaks protocol version %u, this node version %d", version, FRAME_VERSION);
		err_remedy(err, "install the same version of nasd on both nodes");
		return -EPROTONOSUPPORT;
	}
	if (h[OFF_FLAGS])
		return err_set(err, ERR_PEER, EPROTO, "peer frame", "unknown flags 0x%02x", h[OFF_FLAGS]);
	if (length > FRAME_PAYLOAD_MAX)
		return err_set(err, ERR_PEER, EPROTO, "peer frame", "payload of %llu bytes, the limit is %d",
			       (unsigned long long)length, FRAME_PAYLOAD_MAX);
	if (get_be(h + OFF_RESERVED, 8))
		return err_set(err, ERR_PEER, EPROTO, "peer frame", "the reserved bytes are not zero");
	if (seq != next_seq)
		return err_set(err, ERR_PEER, EPROTO, "peer frame", "sequence number %llu, expected %llu",
			       (unsigned long long)seq, (unsigned long long)next_seq);
	return 0;
}

static int decode_next(struct frame_decoder *dec, struct frame *frame, struct err *err)
{
	const unsigned char *h = dec->buf + dec->start;
	size_t have = dec->end - dec->start, len;
	uint32_t want, got;
	int r;

	if (have < FRAME_HEADER_LEN)
		return 0;
	r = check_header(h, dec->next_seq, err);
	if (r)
		return r;
	len = (size_t)get_be(h + OFF_LENGTH, 4);
	if (have < FRAME_HEADER_LEN + len)
		return 0;
	want = (uint32_t)get_be(h + OFF_CRC, 4);
	got = payload_crc(h + FRAME_HEADER_LEN, len);
	if (want != got)
		return err_set(err, ERR_PEER, EPROTO, "peer frame",
			       "the payload's CRC is %08x, the header says %08x", got, want);
	*frame = (struct frame){
		.type = h[OFF_TYPE],
		.flags = h[OFF_FLAGS],
		.seq = dec->next_seq++,
		.payload = h + FRAME_HEADER_LEN,
		.len = len,
	};
	dec->start += FRAME_HEADER_LEN + len;
	return 1;
}

int frame_next(struct frame_decoder *dec, struct frame *frame, struct err *err)
{
	if (!dec->failed) {
		int r = decode_next(dec, frame, &dec->error);

		if (r >= 0)
			return r;
		dec->failed = r;
	}
	if (err)
		*err = dec->error;
	return dec->failed;
}
