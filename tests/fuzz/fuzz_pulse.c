/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pulses of the peer: as they are, and with a good HMAC, so that what is behind
 * it is reached. What is accepted is the same again after it was written.
 */
#include "fuzz.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "pulse_msg.h"

static const unsigned char key[PULSE_KEY_SIZE] = "the key of tests/corpus/pulse..";

static void try_datagram(const uint8_t *data, size_t size)
{
	static const struct pulse_msg nothing;
	struct pulse_expect x = { .node = 1, .path = 1, .session = 0x1122334455667788, .key = key, .last_seq = 7 };
	unsigned char again[PULSE_LEN];
	struct pulse_msg m;
	enum pulse_verdict v = pulse_decode(data, size, &x, &m);

	FUZZ_ASSERT(v < PULSE_VERDICTS);
	if (v != PULSE_GOOD) {
		FUZZ_ASSERT(!memcmp(&m, &nothing, sizeof(m)));
		return;
	}
	FUZZ_ASSERT(m.node == 1 && m.path == 1 && m.seq > 7 && m.sent_us >= 0);
	FUZZ_ASSERT(pulse_encode(&m, key, again) == 0);
	FUZZ_ASSERT(!memcmp(again, data, PULSE_LEN));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char sealed[PULSE_LEN];

	try_datagram(data, size);
	if (size < PULSE_BODY_LEN)
		return 0;
	memcpy(sealed, data, PULSE_BODY_LEN);
	FUZZ_ASSERT(!gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, sizeof(key), sealed, PULSE_BODY_LEN,
				      sealed + PULSE_BODY_LEN));
	try_datagram(sealed, sizeof(sealed));
	return 0;
}
