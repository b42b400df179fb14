/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The probe's blocks: checksum, ring arithmetic, and what each damage is called. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "block.h"

#define RUN    0x1122334455667788ULL
#define BLOCKS 16U

static struct block_codec codec;
static unsigned char buf[PROBE_BLOCK];

static void setup(void)
{
	block_codec_init(&codec);
	memset(buf, 0, sizeof(buf));
}

static void fill(uint64_t run, uint64_t seq)
{
	struct block_head head = { .run = run, .seq = seq, .mono_ns = 5, .wall_ns = 6 };

	block_fill(&codec, buf, &head);
}

/* RFC 3720 appendix B.4, and the check value of the CRC catalogues. */
START_TEST(crc_known_values)
{
	unsigned char b[32];

	ck_assert_uint_eq(block_crc32c(&codec, "123456789", 9), 0xe3069283U);
	memset(b, 0, sizeof(b));
	ck_assert_uint_eq(block_crc32c(&codec, b, sizeof(b)), 0x8a9136aaU);
	memset(b, 0xff, sizeof(b));
	ck_assert_uint_eq(block_crc32c(&codec, b, sizeof(b)), 0x62a8ab43U);
	for (unsigned i = 0; i < sizeof(b); i++)
		b[i] = (unsigned char)i;
	ck_assert_uint_eq(block_crc32c(&codec, b, sizeof(b)), 0x46dd794eU);
	ck_assert_uint_eq(block_crc32c(&codec, b, 0), 0U);
}
END_TEST

/* Against the definition: the newest of all numbers that live there. */
START_TEST(expected_is_the_newest)
{
	for (uint64_t blocks = 1; blocks < 9; blocks++)
		for (uint64_t acked = 0; acked < 40; acked++)
			for (uint64_t index = 0; index < blocks; index++) {
				uint64_t want = 0;

				for (uint64_t s = 1; s <= acked; s++)
					if (s % blocks == index)
						want = s;
				ck_assert_uint_eq(block_expected(index, blocks, acked), want);
			}
	ck_assert_uint_eq(block_expected(0, 0, 5), 0);
	ck_assert_uint_eq(block_expected(7, 7, 50), 0);
	ck_assert_uint_eq(block_expected(3, 16, UINT64_MAX), UINT64_MAX - 12);
}
END_TEST

START_TEST(good_and_its_head)
{
	struct block_head head;

	fill(RUN, 35);
	ck_assert_int_eq(block_judge(&codec, buf, RUN, 3, BLOCKS, 40, &head), BLOCK_GOOD);
	ck_assert_uint_eq(head.seq, 35);
	ck_assert_uint_eq(head.run, RUN);
	ck_assert_uint_eq(head.mono_ns, 5);
	ck_assert_uint_eq(head.wall_ns, 6);
	/* The one write that may be in flight is good before it is acknowledged. */
	ck_assert_int_eq(block_judge(&codec, buf, RUN, 3, BLOCKS, 34, NULL), BLOCK_GOOD);
}
END_TEST

START_TEST(lost_and_unsent)
{
	fill(RUN, 19);
	ck_assert_int_eq(block_judge(&codec, buf, RUN, 3, BLOCKS, 35, NULL), BLOCK_STALE);
	ck_assert_int_eq(block_judge(&codec, buf, RUN, 3, BLOCKS, 34, NULL), BLOCK_GOOD);
	fill(RUN, 51);
	ck_assert_int_eq(block_judge(&codec, buf, RUN, 3, BLOCKS, 35, NULL), BLOCK_FUTURE);
	ck_assert_int_eq(block_judge(&codec, buf, RUN, 4, BLOCKS, 60, NULL), BLOCK_MISPLACED);
}
END_TEST

START_TEST(not_ours)
{
	ck_assert_int_eq(block_judge(&codec, buf, RUN, 3, BLOCKS, 35, NULL), BLOCK_EMPTY);
	ck_assert_int_eq(block_judge(&codec, buf, RUN, 3, BLOCKS, 2, NULL), BLOCK_GOOD);
	fill(RUN + 1, 35);
	ck_assert_int_eq(block_judge(&codec, buf, RUN, 3, BLOCKS, 35, NULL), BLOCK_FOREIGN);
	ck_assert_int_eq(block_judge(&codec, buf, RUN, 3, BLOCKS, 2, NULL), BLOCK_GOOD);
}
END_TEST

/* Every single damaged byte is seen; one in the magic makes it nobody's block. */
START_TEST(any_damaged_byte)
{
	fill(RUN, 35);
	for (unsigned i = 0; i < PROBE_BLOCK; i++) {
		enum block_state state;

		buf[i] ^= 0x10;
		state = block_judge(&codec, buf, RUN, 3, BLOCKS, 35, NULL);
		if (i < 8)
			ck_assert_int_eq(state, BLOCK_EMPTY);
		else
			ck_assert_msg(state == BLOCK_CORRUPT, "byte %u: %s", i, block_state_name(state));
		buf[i] ^= 0x10;
	}
}
END_TEST

/* A torn write: the new block's beginning with the old one's end. */
START_TEST(torn)
{
	unsigned char old[PROBE_BLOCK];

	fill(RUN, 19);
	memcpy(old, buf, sizeof(old));
	fill(RUN, 35);
	memcpy(buf + 512, old + 512, sizeof(old) - 512);
	ck_assert_int_eq(block_judge(&codec, buf, RUN, 3, BLOCKS, 35, NULL), BLOCK_CORRUPT);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("probe_block");
	TCase *tc = tcase_create("block");
	SRunner *sr;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, crc_known_values);
	tcase_add_test(tc, expected_is_the_newest);
	tcase_add_test(tc, good_and_its_head);
	tcase_add_test(tc, lost_and_unsent);
	tcase_add_test(tc, not_ours);
	tcase_add_test(tc, any_damaged_byte);
	tcase_add_test(tc, torn);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
