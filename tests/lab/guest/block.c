/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "block.h"

#include <string.h>

/* Layout, little endian: magic, run, seq, mono, wall (8 bytes each), crc (4). */
#define MAGIC      0x314b4c4244534e41ULL
#define OFF_MAGIC  0U
#define OFF_RUN    8U
#define OFF_SEQ    16U
#define OFF_MONO   24U
#define OFF_WALL   32U
#define OFF_CRC    40U
#define OFF_DATA   48U
#define POLYNOMIAL 0x82f63b78U /* Castagnoli, reflected */

static void put64(unsigned char *p, uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get64(const unsigned char *p)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

static void put32(unsigned char *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static uint32_t get32(const unsigned char *p)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++)
		v |= (uint32_t)p[i] << (8 * i);
	return v;
}

void block_codec_init(struct block_codec *codec)
{
	for (uint32_t n = 0; n < 256; n++) {
		uint32_t c = n;

		for (int k = 0; k < 8; k++)
			c = (c & 1U) ? (c >> 1) ^ POLYNOMIAL : c >> 1;
		codec->crc[0][n] = c;
	}
	for (unsigned t = 1; t < 8; t++)
		for (uint32_t n = 0; n < 256; n++) {
			uint32_t c = codec->crc[t - 1][n];

			codec->crc[t][n] = (c >> 8) ^ codec->crc[0][c & 0xffU];
		}
}

/* Carry a checksum that was begun elsewhere on; the inversions are the caller's. */
static uint32_t crc_update(const struct block_codec *codec, uint32_t crc, const unsigned char *p,
			   size_t len)
{
	for (; len >= 8; p += 8, len -= 8) {
		uint32_t lo = crc ^ get32(p), hi = get32(p + 4);

		crc = codec->crc[7][lo & 0xffU] ^ codec->crc[6][(lo >> 8) & 0xffU] ^
		      codec->crc[5][(lo >> 16) & 0xffU] ^ codec->crc[4][lo >> 24] ^
		      codec->crc[3][hi & 0xffU] ^ codec->crc[2][(hi >> 8) & 0xffU] ^
		      codec->crc[1][(hi >> 16) & 0xffU] ^ codec->crc[0][hi >> 24];
	}
	for (; len > 0; p++, len--)
		crc = (crc >> 8) ^ codec->crc[0][(crc ^ *p) & 0xffU];
	return crc;
}

uint32_t block_crc32c(const struct block_codec *codec, const void *data, size_t len)
{
	return ~crc_update(codec, 0xffffffffU, data, len);
}

/* The checksum covers the whole block but for its own four bytes. */
static uint32_t block_sum(const struct block_codec *codec, const unsigned char *p)
{
	uint32_t crc = crc_update(codec, 0xffffffffU, p, OFF_CRC);

	return ~crc_update(codec, crc, p + OFF_CRC + 4, PROBE_BLOCK - OFF_CRC - 4);
}

void block_fill(const struct block_codec *codec, void *buf, const struct block_head *head)
{
	unsigned char *p = buf;
	uint64_t x = head->run ^ (head->seq * 0x9e3779b97f4a7c15ULL);

	if (x == 0)
		x = 1; /* xorshift stands still at zero */
	put64(p + OFF_MAGIC, MAGIC);
	put64(p + OFF_RUN, head->run);
	put64(p + OFF_SEQ, head->seq);
	put64(p + OFF_MONO, head->mono_ns);
	put64(p + OFF_WALL, head->wall_ns);
	put64(p + OFF_CRC, 0);
	for (size_t off = OFF_DATA; off < PROBE_BLOCK; off += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		put64(p + off, x);
	}
	put32(p + OFF_CRC, block_sum(codec, p));
}

uint64_t block_expected(uint64_t index, uint64_t blocks, uint64_t acked)
{
	uint64_t back;

	if (blocks == 0 || index >= blocks)
		return 0;
	back = (acked % blocks + blocks - index) % blocks;
	return acked > back ? acked - back : 0;
}

enum block_state block_judge(const struct block_codec *codec, const void *buf, uint64_t run,
			     uint64_t index, uint64_t blocks, uint64_t acked,
			     struct block_head *head)
{
	const unsigned char *p = buf;
	uint64_t want = block_expected(index, blocks, acked);
	uint64_t seq;

	if (head)
		memset(head, 0, sizeof(*head));
	if (get64(p + OFF_MAGIC) != MAGIC)
		return want ? BLOCK_EMPTY : BLOCK_GOOD;
	if (get32(p + OFF_CRC) != block_sum(codec, p))
		return want ? BLOCK_CORRUPT : BLOCK_GOOD;
	seq = get64(p + OFF_SEQ);
	if (head) {
		head->run = get64(p + OFF_RUN);
		head->seq = seq;
		head->mono_ns = get64(p + OFF_MONO);
		head->wall_ns = get64(p + OFF_WALL);
	}
	if (get64(p + OFF_RUN) != run)
		return want ? BLOCK_FOREIGN : BLOCK_GOOD;
	if (blocks == 0 || seq % blocks != index)
		return BLOCK_MISPLACED;
	if (seq > acked)
		return seq == acked + 1 ? BLOCK_GOOD : BLOCK_FUTURE;
	return seq == want ? BLOCK_GOOD : BLOCK_STALE;
}

const char *block_state_name(enum block_state state)
{
	switch (state) {
	case BLOCK_GOOD:
		return "good";
	case BLOCK_EMPTY:
		return "empty";
	case BLOCK_CORRUPT:
		return "corrupt";
	case BLOCK_FOREIGN:
		return "foreign";
	case BLOCK_MISPLACED:
		return "misplaced";
	case BLOCK_STALE:
		return "stale";
	case BLOCK_FUTURE:
		return "future";
	}
	return "unknown";
}
