/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pulse_msg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "be.h"

static const unsigned char magic[4] = { 'N', 'A', 'S', 'P' };

enum { /* offsets */
	OFF_VERSION = 4,
	OFF_NODE = 5,
	OFF_PATH = 6,
	OFF_PATHS = 7,
	OFF_SESSION = 8,
	OFF_SEQ = 16,
	OFF_SENT = 24,
	OFF_HEARD = 32,
	OFF_MAC = PULSE_BODY_LEN,
};

_Static_assert((int)OFF_HEARD + 4 * (int)PULSE_PATHS_MAX == (int)OFF_MAC, "the body ends where the HMAC begins");

const char *pulse_verdict_name(enum pulse_verdict v)
{
	switch (v) {
	case PULSE_GOOD: return "good";
	case PULSE_BAD_LENGTH: return "length";
	case PULSE_BAD_MAGIC: return "magic";
	case PULSE_BAD_VERSION: return "version";
	case PULSE_BAD_NODE: return "node";
	case PULSE_BAD_PATH: return "path";
	case PULSE_NO_KEY: return "key";
	case PULSE_BAD_SESSION: return "session";
	case PULSE_BAD_MAC: return "mac";
	case PULSE_BAD_BODY: return "body";
	case PULSE_REPLAY: return "replay";
	case PULSE_VERDICTS: break;
	}
	return "invalid";
}

int pulse_key_parse(const char *hex, unsigned char key[PULSE_KEY_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	const size_t want = 2 * PULSE_KEY_SIZE;

	if (strlen(hex) != want || strspn(hex, digits) != want)
		return -EINVAL;
	for (size_t i = 0; i < PULSE_KEY_SIZE; i++)
		key[i] = (unsigned char)((strchr(digits, hex[2 * i]) - digits) << 4 |
					 (strchr(digits, hex[2 * i + 1]) - digits));
	return 0;
}

static bool body_is_sound(const struct pulse_msg *m)
{
	if (m->node > 1 || !m->n_paths || m->n_paths > PULSE_PATHS_MAX || m->path >= m->n_paths || !m->seq ||
	    m->sent_us < 0)
		return false;
	for (unsigned i = m->n_paths; i < PULSE_PATHS_MAX; i++)
		if (m->heard_ms[i] != PULSE_NEVER)
			return false;
	return true;
}

static bool make_mac(const unsigned char *key, const unsigned char *body, unsigned char *mac)
{
	return gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, PULSE_KEY_SIZE, body, PULSE_BODY_LEN, mac) == 0;
}

int pulse_encode(const struct pulse_msg *m, const unsigned char key[PULSE_KEY_SIZE], unsigned char out[PULSE_LEN])
{
	if (!body_is_sound(m))
		return -EINVAL;
	memcpy(out, magic, sizeof(magic));
	out[OFF_VERSION] = PULSE_VERSION;
	out[OFF_NODE] = (unsigned char)m->node;
	out[OFF_PATH] = (unsigned char)m->path;
	out[OFF_PATHS] = (unsigned char)m->n_paths;
	put_be(out + OFF_SESSION, 8, m->session);
	put_be(out + OFF_SEQ, 8, m->seq);
	put_be(out + OFF_SENT, 8, (uint64_t)m->sent_us);
	for (unsigned i = 0; i < PULSE_PATHS_MAX; i++)
		put_be(out + OFF_HEARD + 4 * i, 4, m->heard_ms[i]);
	return make_mac(key, out, out + OFF_MAC) ? 0 : -EIO;
}

/* All that can be told without the key. */
static enum pulse_verdict check_open(const unsigned char *p, size_t len, const struct pulse_expect *x)
{
	if (len != PULSE_LEN)
		return PULSE_BAD_LENGTH;
	if (memcmp(p, magic, sizeof(magic)) != 0)
		return PULSE_BAD_MAGIC;
	if (p[OFF_VERSION] != PULSE_VERSION)
		return PULSE_BAD_VERSION;
	if (p[OFF_NODE] != x->node)
		return PULSE_BAD_NODE;
	if (p[OFF_PATH] != x->path)
		return PULSE_BAD_PATH;
	if (!x->key)
		return PULSE_NO_KEY;
	return get_be(p + OFF_SESSION, 8) == x->session ? PULSE_GOOD : PULSE_BAD_SESSION;
}

static void read_body(const unsigned char *p, struct pulse_msg *m)
{
	uint64_t sent = get_be(p + OFF_SENT, 8);

	m->node = p[OFF_NODE];
	m->path = p[OFF_PATH];
	m->n_paths = p[OFF_PATHS];
	m->session = get_be(p + OFF_SESSION, 8);
	m->seq = get_be(p + OFF_SEQ, 8);
	m->sent_us = sent <= INT64_MAX ? (int64_t)sent : -1;
	for (unsigned i = 0; i < PULSE_PATHS_MAX; i++)
		m->heard_ms[i] = (uint32_t)get_be(p + OFF_HEARD + 4 * i, 4);
}

enum pulse_verdict pulse_decode(const void *datagram, size_t len, const struct pulse_expect *x,
				struct pulse_msg *m)
{
	enum pulse_verdict v = check_open(datagram, len, x);
	const unsigned char *p = datagram;
	unsigned char mac[PULSE_MAC_SIZE];

	memset(m, 0, sizeof(*m));
	if (v != PULSE_GOOD)
		return v;
	if (!make_mac(x->key, p, mac) || gnutls_memcmp(mac, p + OFF_MAC, sizeof(mac)) != 0)
		return PULSE_BAD_MAC;
	read_body(p, m);
	if (!body_is_sound(m))
		v = PULSE_BAD_BODY;
	else if (m->seq <= x->last_seq)
		v = PULSE_REPLAY;
	if (v != PULSE_GOOD)
		memset(m, 0, sizeof(*m));
	return v;
}
