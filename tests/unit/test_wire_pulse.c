/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "corpus.h"

#include <errno.h>

#include "pulse_msg.h"

static const unsigned char key[PULSE_KEY_SIZE] = "the key of tests/corpus/pulse..";

static const struct pulse_msg sample = {
	.node = 1, .path = 1, .n_paths = 2, .session = 0x1122334455667788, .seq = 8, .sent_us = 0x0102030405060708,
	.heard_ms = { 5, PULSE_NEVER, PULSE_NEVER, PULSE_NEVER },
};

/* What tests/corpus/pulse was made for. */
static struct pulse_expect expected(void)
{
	return (struct pulse_expect){ .node = 1, .path = 1, .session = sample.session, .key = key, .last_seq = 7 };
}

static enum pulse_verdict judge(const void *datagram, size_t len, const struct pulse_expect *x)
{
	struct pulse_msg m;
	enum pulse_verdict v;

	memset(&m, 0xa5, sizeof(m));
	v = pulse_decode(datagram, len, x, &m);
	ck_assert(v == PULSE_GOOD || corpus_all_zero(&m, sizeof(m)));
	return v;
}

/* A file's name begins with the verdict. */
static void as_named(const struct corpus_file *f)
{
	struct pulse_expect x = expected();
	char name[32];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(f->name, "-."), f->name);
	ck_assert_str_eq(pulse_verdict_name(judge(f->bytes, f->len, &x)), name);
}

START_TEST(corpus)
{
	ck_assert_uint_ge(corpus_each("tests/corpus/pulse", "", as_named), 25);
}
END_TEST

START_TEST(as_hex)
{
	unsigned char out[PULSE_LEN];
	char hex[2 * PULSE_LEN + 1];

	ck_assert_int_eq(pulse_encode(&sample, key, out), 0);
	for (size_t i = 0; i < sizeof(out); i++)
		snprintf(hex + 2 * i, 3, "%02x", out[i]);
	ck_assert_str_eq(hex, "4e415350"         /* NASP */
			      "01" "01" "01" "02" /* version, node, path, paths */
			      "1122334455667788" /* session */
			      "0000000000000008" /* sequence number */
			      "0102030405060708" /* sent */
			      "00000005ffffffffffffffffffffffff"
			      /* Python: hmac.new(key, body, "sha256") */
			      "cd7f99b3f3d608b709a66b6a42c562620d4f96f369e565caae0e61a8adba6b9f");
}
END_TEST

START_TEST(round_trips)
{
	for (unsigned n = 1; n <= PULSE_PATHS_MAX; n++) {
		struct pulse_msg m = { .node = n % 2, .path = n - 1, .n_paths = n, .session = UINT64_MAX,
				       .seq = UINT64_MAX, .sent_us = INT64_MAX },
				 back;
		struct pulse_expect x = { .node = n % 2, .path = n - 1, .session = UINT64_MAX, .key = key,
					  .last_seq = UINT64_MAX - 1 };
		unsigned char out[PULSE_LEN];

		for (unsigned i = 0; i < PULSE_PATHS_MAX; i++)
			m.heard_ms[i] = i < n ? i : PULSE_NEVER;
		ck_assert_int_eq(pulse_encode(&m, key, out), 0);
		ck_assert_int_eq(pulse_decode(out, sizeof(out), &x, &back), PULSE_GOOD);
		ck_assert_mem_eq(&back, &m, sizeof(m));
	}
}
END_TEST

START_TEST(every_bit_counts)
{
	unsigned char out[PULSE_LEN];
	struct pulse_expect x = expected();

	ck_assert_int_eq(pulse_encode(&sample, key, out), 0);
	ck_assert_int_eq(judge(out, sizeof(out), &x), PULSE_GOOD);
	for (size_t bit = 0; bit < 8 * sizeof(out); bit++) {
		out[bit / 8] = (unsigned char)(out[bit / 8] ^ 1U << bit % 8);
		ck_assert_int_ne(judge(out, sizeof(out), &x), PULSE_GOOD);
		out[bit / 8] = (unsigned char)(out[bit / 8] ^ 1U << bit % 8);
	}
	for (size_t len = 0; len < sizeof(out); len++)
		ck_assert_int_eq(judge(out, len, &x), PULSE_BAD_LENGTH);
}
END_TEST

START_TEST(what_the_receiver_expects)
{
	unsigned char out[PULSE_LEN], other[PULSE_KEY_SIZE] = { 1 };
	struct pulse_expect x = expected();

	ck_assert_int_eq(pulse_encode(&sample, key, out), 0);
	x.last_seq = 8;
	ck_assert_int_eq(judge(out, sizeof(out), &x), PULSE_REPLAY);
	x.last_seq = UINT64_MAX;
	ck_assert_int_eq(judge(out, sizeof(out), &x), PULSE_REPLAY);
	x = expected();
	x.key = other;
	ck_assert_int_eq(judge(out, sizeof(out), &x), PULSE_BAD_MAC);
	x.session++;
	ck_assert_int_eq(judge(out, sizeof(out), &x), PULSE_BAD_SESSION);
	x.key = NULL;
	ck_assert_int_eq(judge(out, sizeof(out), &x), PULSE_NO_KEY);
	x.path = 0;
	ck_assert_int_eq(judge(out, sizeof(out), &x), PULSE_BAD_PATH);
	x.node = 0; /* our own, sent back to us */
	ck_assert_int_eq(judge(out, sizeof(out), &x), PULSE_BAD_NODE);
}
END_TEST

static void must_not_encode(struct pulse_msg m)
{
	unsigned char out[PULSE_LEN];

	ck_assert_int_eq(pulse_encode(&m, key, out), -EINVAL);
}

START_TEST(what_cannot_be_sent)
{
	struct pulse_msg m = sample;

	m.node = 2;
	must_not_encode(m);
	m = sample;
	m.path = 2;
	must_not_encode(m);
	m = sample;
	m.n_paths = 0;
	m.path = 0;
	must_not_encode(m);
	m.n_paths = PULSE_PATHS_MAX + 1;
	must_not_encode(m);
	m = sample;
	m.seq = 0;
	must_not_encode(m);
	m = sample;
	m.sent_us = -1;
	must_not_encode(m);
	m = sample;
	m.heard_ms[3] = 0;
	must_not_encode(m);
}
END_TEST

START_TEST(keys)
{
	static const char good[] = "00ff0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab";
	static const char *const bad[] = { "", "00", "00FF0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab",
					   "0gff0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab",
					   "00ff0123456789abcdef0123456789abcdef0123456789abcdef0123456789abc" };
	unsigned char k[PULSE_KEY_SIZE];

	ck_assert_int_eq(pulse_key_parse(good, k), 0);
	ck_assert_uint_eq(k[0], 0);
	ck_assert_uint_eq(k[1], 0xff);
	ck_assert_uint_eq(k[2], 0x01);
	ck_assert_uint_eq(k[31], 0xab);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(pulse_key_parse(bad[i], k), -EINVAL);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("pulse");

	tcase_add_test(tc, corpus);
	tcase_add_test(tc, as_hex);
	tcase_add_test(tc, round_trips);
	tcase_add_test(tc, every_bit_counts);
	tcase_add_test(tc, what_the_receiver_expects);
	tcase_add_test(tc, what_cannot_be_sent);
	tcase_add_test(tc, keys);
	return corpus_run(tc, "wire/pulse");
}
