/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The numbered, checksummed blocks the probe writes, and the arithmetic of the
 * ring they form.  Pure: no system call, no global state.
 *
 * Sequence numbers start at 1 and have no holes: a write that fails is tried
 * again under its own number.  Number s lives in block s % blocks.  So one
 * number, the newest acknowledged one, says what every block of the ring must
 * hold, and a lost acknowledged write is seen afterwards by anybody who knows
 * the run id and that number.
 */
#ifndef PROBE_BLOCK_H
#define PROBE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#define PROBE_BLOCK 4096U /* not BLOCK_SIZE: <linux/fs.h> has another one */

/* What a look at one block found. */
enum block_state {
	BLOCK_GOOD,       /* ours, intact, the number asked for (or the one in flight) */
	BLOCK_EMPTY,      /* not one of our blocks at all: zeroes, or somebody's data */
	BLOCK_CORRUPT,    /* our magic, but the checksum does not fit: torn or damaged */
	BLOCK_FOREIGN,    /* intact, but of another run */
	BLOCK_MISPLACED,  /* intact, but its number belongs to another block */
	BLOCK_STALE,      /* intact, but older than the acknowledged write: it was lost */
	BLOCK_FUTURE      /* intact, but newer than anything this run has sent */
};

/* What is written in a block's head. */
struct block_head {
	uint64_t run;      /* random, one per run */
	uint64_t seq;      /* from 1 */
	uint64_t mono_ns;  /* the writer's clocks when the block was filled */
	uint64_t wall_ns;
};

/* Tables for CRC32C, eight bytes at a time; fill once with block_codec_init(). */
struct block_codec {
	uint32_t crc[8][256];
};

void block_codec_init(struct block_codec *codec);

/* CRC32C (Castagnoli, RFC 3720 appendix B.4) of len bytes. */
uint32_t block_crc32c(const struct block_codec *codec, const void *data, size_t len);

/* Fill all PROBE_BLOCK bytes at buf; the payload depends on run and seq alone. */
void block_fill(const struct block_codec *codec, void *buf, const struct block_head *head);

/*
 * Judge the block with this index in a ring of so many blocks, when acked is
 * the newest acknowledged number and acked + 1 may have been sent as well.
 * head, when not NULL, receives what an intact block says.  A block that no
 * acknowledged write has reached yet is BLOCK_GOOD whatever it holds, unless
 * it claims a number of this run that was never sent.
 */
enum block_state block_judge(const struct block_codec *codec, const void *buf, uint64_t run,
			     uint64_t index, uint64_t blocks, uint64_t acked,
			     struct block_head *head);

/* The newest number <= acked that lives in block index; 0 when there is none. */
uint64_t block_expected(uint64_t index, uint64_t blocks, uint64_t acked);

/* A short English word for a state, for reports. */
const char *block_state_name(enum block_state state);

#endif
