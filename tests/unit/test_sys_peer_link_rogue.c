/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The peer link and a peer that has the key and misbehaves: raw TLS, our own bytes. */
#include "link_pair.h"

#include <fcntl.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "frame.h"

struct rogue {
	gnutls_session_t session;
	gnutls_psk_client_credentials_t cred;
	int fd;
};

static void raw_send(struct ctx *x, struct rogue *r, const void *data, size_t len)
{
	const char *p = data;
	int64_t end = now_us() + 3000000;

	while (len && now_us() < end) {
		ssize_t n = gnutls_record_send(r->session, p, len);

		sd_event_run(x->event, 1000);
		if (n == GNUTLS_E_AGAIN)
			continue;
		if (n < 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

static void rogue_open(struct ctx *x, struct rogue *r)
{
	unsigned char raw[32];
	gnutls_datum_t key = { raw, 32 };
	gnutls_datum_t name = { (unsigned char *)"testcluster/nas2", 16 };
	gnutls_datum_t alpn = { (unsigned char *)"testcluster", 11 };
	const char *secret = "0123456789abcdef0123456789abcdef";
	int ret;

	gnutls_hash_fast(GNUTLS_DIG_SHA256, secret, strlen(secret), raw);
	r->fd = connect_raw(x);
	gnutls_psk_allocate_client_credentials(&r->cred);
	gnutls_psk_set_client_credentials2(r->cred, &name, &key, GNUTLS_PSK_KEY_RAW);
	gnutls_init(&r->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
	gnutls_priority_set_direct(r->session, "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK", NULL);
	gnutls_credentials_set(r->session, GNUTLS_CRD_PSK, r->cred);
	gnutls_alpn_set_protocols(r->session, &alpn, 1, 0);
	gnutls_transport_set_int(r->session, r->fd);
	ck_assert_int_eq(fcntl(r->fd, F_SETFL, O_NONBLOCK), 0);
	while ((ret = gnutls_handshake(r->session)) == GNUTLS_E_AGAIN)
		sd_event_run(x->event, 1000);
	ck_assert_msg(ret == 0, "%s", gnutls_strerror(ret));
}

static void rogue_close(struct rogue *r)
{
	gnutls_deinit(r->session);
	gnutls_psk_free_client_credentials(r->cred);
	close(r->fd);
}

static void rogue_frame(struct ctx *x, struct rogue *r, uint8_t type, uint64_t seq, const char *text)
{
	unsigned char buf[4096];
	int len = frame_encode(type, seq, text, strlen(text), buf, sizeof(buf), NULL);

	ck_assert_int_gt(len, 0);
	raw_send(x, r, buf, (size_t)len);
}

static void introduce(struct ctx *x, struct rogue *r, const char *node)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"epoch\":0,\"node\":\"%s\",\"version\":\"0.0.1\",\"protocol\":%d,"
		 "\"config_hash\":\"%s\",\"boot_id\":\"b\",\"pulse_key\":\"%064d\",\"pulse_session\":0}", node,
		 FRAME_VERSION, x->side[0].conf->hash, 0);
	rogue_frame(x, r, MSG_INTRO, 1, text);
}

/* Longer than the 3 s that the link allows for the introduction. */
static void await_error(struct ctx *x, const char *part)
{
	RUN_UNTIL(x, strstr(status_of(&x->side[0]).last_error, part) != NULL, 5000);
}

START_TEST(rogue_with_the_key)
{
	static const char heartbeat[] = "{\"epoch\":0,\"sent_us\":1,\"echo_us\":0,\"echo_held_us\":0}";
	struct rogue r;
	struct ctx x;
	unsigned i;

	setup(&x);
	start(&x, 0);
	/* Garbage inside TLS. */
	rogue_open(&x, &r);
	raw_send(&x, &r, "this is not a frame, but long enough to be one", 46);
	await_error(&x, "malformed");
	rogue_close(&r);
	/* Speaks before it introduces itself. */
	rogue_open(&x, &r);
	rogue_frame(&x, &r, MSG_HEARTBEAT, 1, heartbeat);
	await_error(&x, "before its introduction");
	rogue_close(&r);
	/* Introduces itself as somebody else. */
	rogue_open(&x, &r);
	introduce(&x, &r, "nas9");
	await_error(&x, "\"nas9\"");
	rogue_close(&r);
	ck_assert_int_eq(x.side[0].ups, 0);
	/* Silent after the handshake. */
	rogue_open(&x, &r);
	await_error(&x, "did not introduce");
	rogue_close(&r);
	/* Floods, correctly: the loop goes on, and its silence is noticed afterwards. */
	rogue_open(&x, &r);
	introduce(&x, &r, "nas2");
	RUN_UNTIL(&x, x.side[0].ups == 1, 1000);
	for (i = 2; i < 5000; i++)
		rogue_frame(&x, &r, MSG_HEARTBEAT, i, heartbeat);
	ck_assert_int_eq(x.side[0].downs, 0);
	RUN_UNTIL(&x, x.side[0].downs == 1, 1500);
	ck_assert_ptr_nonnull(strstr(x.side[0].reason, "nothing heard for 300 ms"));
	rogue_close(&r);
	teardown(&x);
}
END_TEST

START_TEST(newest_wins)
{
	struct ctx x;
	struct rogue r;

	setup(&x);
	start(&x, 0);
	start(&x, 1);
	RUN_UNTIL(&x, both_up(&x), 2000);
	rogue_open(&x, &r);
	introduce(&x, &r, "nas2");
	RUN_UNTIL(&x, x.side[0].downs == 1, 1000);
	ck_assert_ptr_nonnull(strstr(x.side[0].reason, "replaced"));
	ck_assert_int_eq(x.side[0].ups, 2);
	/* The old end is told, comes back and wins in turn. */
	RUN_UNTIL(&x, x.side[0].ups == 3 && both_up(&x), 3000);
	rogue_close(&r);
	run_for(&x, 400);
	ck_assert(both_up(&x));
	teardown(&x);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/peer_link and a rogue");
	TCase *t = tcase_create("rogue");

	tcase_add_test(t, rogue_with_the_key);
	tcase_add_test(t, newest_wins);
	return link_run(s, t);
}
