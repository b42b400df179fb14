/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The load client's codecs, and one client against replies written by hand. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "load_options.h"
#include "nfs41.h"
#include "rpc.h"
#include "xdr.h"

#define SEC UINT64_C(1000000000)

/* ---- XDR and RPC */

START_TEST(xdr_words)
{
	unsigned char buf[64], want[] = { 1, 2, 3, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 'h', 'e', 'l', 'l', 'o', 0, 0, 0 };
	struct xdr x = xdr_over(buf, sizeof(buf));
	char text[8] = "";

	memset(buf, 0xee, sizeof(buf));
	xdr_put_u32(&x, 0x01020304);
	xdr_put_u64(&x, 0x100000002);
	xdr_put_string(&x, "hello");
	ck_assert(!x.bad);
	ck_assert_uint_eq(x.at, sizeof(want));
	ck_assert_mem_eq(buf, want, sizeof(want));
	x = xdr_over(buf, x.at);
	ck_assert_uint_eq(xdr_get_u32(&x), 0x01020304);
	ck_assert_uint_eq(xdr_get_u64(&x), 0x100000002);
	ck_assert_uint_eq(xdr_get_opaque(&x, text, sizeof(text)), 5);
	ck_assert_str_eq(text, "hello");
	ck_assert(!x.bad);
	ck_assert_uint_eq(xdr_get_u32(&x), 0); /* there is no more */
	ck_assert(x.bad);
}
END_TEST

START_TEST(xdr_limits)
{
	unsigned char buf[8] = { 0xff, 0xff, 0xff, 0xff };
	struct xdr x = xdr_over(buf, 7);
	char small[2];

	xdr_put_u32(&x, 1);
	xdr_put_u32(&x, 2); /* three bytes are left */
	ck_assert(x.bad);
	buf[0] = buf[1] = buf[2] = buf[3] = 0xff;
	x = xdr_over(buf, 8);
	ck_assert_uint_eq(xdr_get_opaque(&x, NULL, 0), 0); /* 4 GiB of it */
	ck_assert(x.bad);
	buf[0] = buf[1] = buf[2] = 0;
	buf[3] = 3;
	x = xdr_over(buf, 8);
	ck_assert_uint_eq(xdr_get_opaque(&x, small, sizeof(small)), 3 * !x.bad);
	ck_assert(x.bad);
}
END_TEST

START_TEST(rpc_records)
{
	unsigned char buf[32] = { 0, 0, 0, 2, 'a', 'b', 0x80, 0, 0, 3, 'c', 'd', 'e', 0x80, 0, 0, 1, 'f' };
	unsigned char huge[8] = { 0x80, 0, 1, 0 };
	size_t used = 0;

	for (size_t n = 0; n < 13; n++)
		ck_assert_int_eq(rpc_record(buf, n, sizeof(buf), &used), 0);
	ck_assert_int_eq(rpc_record(buf, 18, sizeof(buf), &used), 5);
	ck_assert_uint_eq(used, 13);
	ck_assert_mem_eq(buf, "abcde", 5);
	ck_assert_int_eq(rpc_record(buf + 13, 5, 19, &used), 1);
	ck_assert_uint_eq(used, 5);
	ck_assert_int_eq(rpc_record(huge, 8, sizeof(huge), &used), -1);
}
END_TEST

START_TEST(rpc_calls)
{
	unsigned char buf[128];
	struct xdr x = xdr_over(buf, sizeof(buf));
	static const unsigned char want[] = {
		0x80, 0, 0, 64, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, /* record, XID, CALL, version */
		0, 1, 0x86, 0xa3, 0, 0, 0, 4, 0, 0, 0, 1,           /* NFS, 4, COMPOUND */
		0, 0, 0, 1, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 2, 'h', 'h', 0, 0, /* AUTH_SYS */
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,                 /* root, root, no more gids */
		0, 0, 0, 0, 0, 0, 0, 0,                             /* AUTH_NONE */
	};

	rpc_begin_call(&x, 7, "hh");
	rpc_end_call(&x);
	ck_assert_uint_eq(x.at, sizeof(want));
	ck_assert_mem_eq(buf, want, sizeof(want));
}
END_TEST

/* ---- a server of a few lines: it answers what it is told to */

static struct client_shared shared;
static struct client c;
static struct client_file files[2];
static uint64_t now;
static uint32_t last_op; /* the last operation that was asked for, and how many */
static uint32_t op_count;

static unsigned char reply_buf[CLIENT_REPLY];
static struct xdr reply;

/* What the client asks now: its XID; the operations are walked over by their known sizes elsewhere. */
static uint32_t read_request(void)
{
	struct xdr x = xdr_over(c.request, c.request_len);
	uint32_t xid;

	(void)xdr_get_u32(&x);
	xid = xdr_get_u32(&x);
	for (unsigned i = 0; i < 6; i++) /* up to the credential */
		(void)xdr_get_u32(&x);
	(void)xdr_get_opaque(&x, NULL, 0);
	(void)xdr_get_u32(&x);
	(void)xdr_get_opaque(&x, NULL, 0);
	(void)xdr_get_opaque(&x, NULL, 0);
	ck_assert_uint_eq(xdr_get_u32(&x), 1); /* the minor version */
	op_count = xdr_get_u32(&x);
	last_op = xdr_get_u32(&x); /* the first one */
	ck_assert(!x.bad);
	return xid;
}

static void begin_reply(uint32_t status, uint32_t results)
{
	reply = xdr_over(reply_buf, sizeof(reply_buf));
	xdr_put_u32(&reply, read_request());
	xdr_put_u32(&reply, 1); /* REPLY */
	xdr_put_u32(&reply, 0); /* accepted */
	xdr_put_u32(&reply, 0);
	xdr_put_u32(&reply, 0); /* verifier */
	xdr_put_u32(&reply, 0); /* success */
	xdr_put_u32(&reply, status);
	xdr_put_string(&reply, "");
	xdr_put_u32(&reply, results);
}

static void put_result(uint32_t op, uint32_t status)
{
	xdr_put_u32(&reply, op);
	xdr_put_u32(&reply, status);
}

static void put_sequence(void)
{
	ck_assert_uint_eq(last_op, OP_SEQUENCE);
	put_result(OP_SEQUENCE, NFS4_OK);
	xdr_put_bytes(&reply, c.session.id, NFS4_SESSIONID);
	xdr_put_u32(&reply, c.session.sequenceid + 1);
	for (unsigned i = 0; i < 4; i++)
		xdr_put_u32(&reply, 0);
}

static void begin_in_session(uint32_t status, uint32_t results)
{
	begin_reply(status, results);
	put_sequence();
}

static void ask(enum client_phase phase)
{
	ck_assert_int_eq(c.phase, phase);
	ck_assert(client_ask(&c, now));
	ck_assert(c.pending);
}

static void answer(void)
{
	ck_assert(!reply.bad);
	ck_assert_int_eq(client_take(&c, reply_buf, reply.at, now), 0);
	ck_assert(!c.pending);
}

static void answer_exchange_id(uint64_t clientid, uint32_t flags)
{
	ask(CLIENT_EXCHANGE_ID);
	begin_reply(0, 1);
	ck_assert_uint_eq(last_op, OP_EXCHANGE_ID);
	put_result(OP_EXCHANGE_ID, NFS4_OK);
	xdr_put_u64(&reply, clientid);
	xdr_put_u32(&reply, 1);
	xdr_put_u32(&reply, flags);
	xdr_put_u32(&reply, 0);
	answer();
}

static void answer_create_session(unsigned char mark)
{
	unsigned char id[NFS4_SESSIONID] = { mark };

	ask(CLIENT_CREATE_SESSION);
	begin_reply(0, 1);
	put_result(OP_CREATE_SESSION, NFS4_OK);
	xdr_put_bytes(&reply, id, sizeof(id));
	for (unsigned i = 0; i < 2 + 14; i++)
		xdr_put_u32(&reply, 0);
	answer();
	ck_assert_uint_eq(c.session.sequenceid, 0);
	ck_assert_uint_eq(c.session.id[0], mark);
}

static void answer_plain(enum client_phase phase, uint32_t op, uint32_t status)
{
	ask(phase);
	begin_in_session(status, 2);
	put_result(op, status);
	answer();
}

static void put_stateid(unsigned char mark)
{
	unsigned char id[NFS4_STATEID] = { 0, 0, 0, 1, mark };

	xdr_put_bytes(&reply, id, sizeof(id));
}

static void put_open(unsigned char mark, uint32_t delegation)
{
	put_result(OP_OPEN, NFS4_OK);
	put_stateid(mark);
	for (unsigned i = 0; i < 6; i++) /* change_info4, rflags */
		xdr_put_u32(&reply, 0);
	xdr_put_u32(&reply, 2); /* attrset: two words */
	xdr_put_u32(&reply, 0);
	xdr_put_u32(&reply, 2);
	xdr_put_u32(&reply, delegation);
	if (delegation == 3)
		xdr_put_u32(&reply, 0); /* WND4_NOT_WANTED */
}

static void answer_open(unsigned char mark)
{
	ask(CLIENT_OPEN);
	begin_in_session(0, 5);
	ck_assert_uint_eq(op_count, 5); /* SEQUENCE, PUTROOTFH, LOOKUP, OPEN, GETFH */
	put_result(OP_PUTROOTFH, 0);
	put_result(OP_LOOKUP, 0);
	put_open(mark, 3);
	put_result(OP_GETFH, 0);
	xdr_put_opaque(&reply, "handle", 6);
	answer();
}

static void answer_lock(enum client_phase phase, unsigned char mark)
{
	ask(phase);
	begin_in_session(0, 3);
	put_result(OP_PUTFH, 0);
	put_result(OP_LOCK, 0);
	put_stateid(mark);
	answer();
}

static void answer_reclaim_open(unsigned char mark)
{
	ask(CLIENT_RECLAIM_OPEN);
	begin_in_session(0, 3);
	put_result(OP_PUTFH, 0);
	put_open(mark, 0);
	answer();
}

static void set_up(void)
{
	now = 100 * SEC;
	memset(files, 0, sizeof(files));
	files[1].number = 1;
	shared = (struct client_shared){ .machine = "m", .name = "t", .path = "/vmstore", .files = 2, .verifier = 1,
					 .renew_ns = 5 * SEC };
	client_init(&c, &shared, 0, files, 2, now);
	answer_exchange_id(77, 0);
	answer_create_session(1);
	answer_plain(CLIENT_RECLAIM_COMPLETE, OP_RECLAIM_COMPLETE, 0);
	for (unsigned char i = 0; i < 2; i++) {
		answer_open((unsigned char)(10 + i));
		answer_lock(CLIENT_LOCK, (unsigned char)(20 + i));
	}
	ck_assert_int_eq(c.phase, CLIENT_STEADY);
	ck_assert_uint_eq(shared.counts.holding, 2);
	ck_assert_uint_eq(shared.counts.errors, 0);
}

START_TEST(renewing)
{
	uint64_t begun;

	set_up();
	begun = now;
	ck_assert(!client_ask(&c, now));
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(c.due_ns > now && c.due_ns <= now + 5 * SEC);
		now = c.due_ns;
		ask(CLIENT_STEADY);
		begin_in_session(0, 1);
		ck_assert_uint_eq(op_count, 1);
		answer();
	}
	ck_assert(now - begun > 10 * SEC);
	ck_assert_uint_eq(c.session.sequenceid, 8); /* RECLAIM_COMPLETE, four, three renewals */
}
END_TEST

/* The same bytes again, and the session goes on. */
START_TEST(surviving)
{
	unsigned char before[CLIENT_REQUEST];
	size_t len;

	set_up();
	now = c.due_ns;
	ask(CLIENT_STEADY);
	len = c.request_len;
	memcpy(before, c.request, len);
	client_disconnected(&c, now);
	now += SEC / 2;
	client_connected(&c, now);
	ck_assert(c.pending);
	ck_assert_uint_eq(c.request_len, len);
	ck_assert_mem_eq(c.request, before, len);
	begin_in_session(0, 1);
	answer();
	ck_assert_uint_eq(shared.counts.survived, 1);
	ck_assert_uint_eq(shared.counts.longest_recover_ns, SEC / 2);

	/* With nothing under way it asks at once; an answer that was not kept is one too. */
	client_disconnected(&c, now);
	client_connected(&c, now);
	ask(CLIENT_STEADY);
	begin_reply(NFS4ERR_RETRY_UNCACHED_REP, 1);
	put_result(OP_SEQUENCE, NFS4ERR_RETRY_UNCACHED_REP);
	answer();
	ck_assert_uint_eq(shared.counts.survived, 2);
	ck_assert_uint_eq(shared.counts.sessions_lost, 0);
	ck_assert_int_eq(c.phase, CLIENT_STEADY);
}
END_TEST

static void lose_session(void)
{
	client_disconnected(&c, now);
	client_connected(&c, now);
	ask(CLIENT_STEADY);
	begin_reply(NFS4ERR_BADSESSION, 1);
	put_result(OP_SEQUENCE, NFS4ERR_BADSESSION);
	answer();
	ck_assert_uint_eq(shared.counts.sessions_lost, 1);
}

START_TEST(reclaiming)
{
	set_up();
	lose_session();
	answer_exchange_id(88, 0);
	answer_create_session(2);
	answer_reclaim_open(30);
	answer_lock(CLIENT_RECLAIM_LOCK, 40);
	/* The second lock is gone: it is taken anew after RECLAIM_COMPLETE. */
	answer_reclaim_open(31);
	ask(CLIENT_RECLAIM_LOCK);
	begin_in_session(10035, 3);
	put_result(OP_PUTFH, 0);
	put_result(OP_LOCK, 10035);
	answer();
	now += 2 * SEC;
	answer_plain(CLIENT_RECLAIM_COMPLETE, OP_RECLAIM_COMPLETE, 0);
	ck_assert_uint_eq(shared.counts.opens_reclaimed, 2);
	ck_assert_uint_eq(shared.counts.locks_reclaimed, 1);
	ck_assert_uint_eq(shared.counts.reclaims_failed, 1);
	ck_assert_uint_eq(shared.counts.holding, 1);
	ck_assert_uint_eq(shared.counts.longest_reclaim_ns, 2 * SEC);
	ck_assert_uint_eq(files[0].lock.data[4], 40);
	/* Not before the grace period is over. */
	ask(CLIENT_LOCK);
	begin_in_session(NFS4ERR_GRACE, 3);
	put_result(OP_PUTFH, 0);
	put_result(OP_LOCK, NFS4ERR_GRACE);
	answer();
	ck_assert_uint_eq(shared.counts.grace_waits, 1);
	ck_assert(!client_ask(&c, now));
	now = c.due_ns;
	answer_lock(CLIENT_LOCK, 41);
	ck_assert_uint_eq(shared.counts.holding, 2);
	ck_assert_int_eq(c.phase, CLIENT_STEADY);
}
END_TEST

/* A stop does not wait for what is to be tried again later. */
START_TEST(ending_early)
{
	set_up();
	files[1].locked = false;
	shared.counts.holding = 1;
	c.phase = CLIENT_LOCK;
	c.at = 1;
	c.due_ns = now;
	ask(CLIENT_LOCK);
	begin_in_session(10010, 3);
	put_result(OP_PUTFH, 0);
	put_result(OP_LOCK, 10010);
	answer();
	ck_assert_uint_eq(shared.counts.errors, 1);
	ck_assert(!client_ask(&c, now));
	shared.stopping = true;
	client_stop(&c, now);
	ask(CLIENT_CLOSE);
	ck_assert_uint_eq(c.at, 0);
}
END_TEST

/* The server lost the session, but knows the client: nothing is reclaimed. */
START_TEST(kept)
{
	set_up();
	lose_session();
	answer_exchange_id(77, EXCHGID4_FLAG_CONFIRMED_R);
	answer_create_session(2);
	ck_assert_int_eq(c.phase, CLIENT_STEADY);
	ck_assert_uint_eq(shared.counts.clients_kept, 1);
	ck_assert_uint_eq(shared.counts.holding, 2);
}
END_TEST

START_TEST(checking_and_ending)
{
	set_up();
	client_check(&c, now);
	ask(CLIENT_CHECK);
	begin_in_session(0, 2);
	put_result(OP_TEST_STATEID, 0);
	xdr_put_u32(&reply, 4);
	for (uint32_t i = 0; i < 4; i++)
		xdr_put_u32(&reply, i == 2 ? 10025 : 0);
	answer();
	ck_assert_uint_eq(shared.counts.stateids_tested, 4);
	ck_assert_uint_eq(shared.counts.stateids_bad, 1);
	ck_assert_int_eq(c.phase, CLIENT_STEADY);

	shared.stopping = true;
	client_stop(&c, now);
	for (unsigned i = 0; i < 2; i++) {
		ask(CLIENT_CLOSE);
		ck_assert_uint_eq(c.at, i);
		begin_in_session(0, 4);
		put_result(OP_PUTFH, 0);
		put_result(OP_LOCKU, 0);
		put_stateid(1);
		put_result(OP_CLOSE, 0);
		put_stateid(1);
		answer();
	}
	ck_assert_uint_eq(shared.counts.holding, 0);
	ask(CLIENT_DESTROY_SESSION);
	begin_reply(0, 1);
	put_result(OP_DESTROY_SESSION, 0);
	answer();
	ask(CLIENT_DESTROY_CLIENTID);
	begin_reply(0, 1);
	put_result(OP_DESTROY_CLIENTID, 0);
	answer();
	ck_assert_int_eq(c.phase, CLIENT_DONE);
	ck_assert(!client_ask(&c, CLIENT_NEVER));
	ck_assert_uint_eq(shared.counts.errors, 0);
}
END_TEST

/* Cut short anywhere, or for another request: refused, and never read beyond. */
START_TEST(nonsense)
{
	set_up();
	c.due_ns = now;
	ask(CLIENT_STEADY);
	begin_in_session(0, 1);
	for (size_t n = 0; n < reply.at; n += 4) {
		unsigned char *copy = malloc(n + 1); /* so that a sanitizer sees what is read beyond */
		struct client untouched = c;

		ck_assert_ptr_nonnull(copy);
		memcpy(copy, reply_buf, n);
		ck_assert_int_eq(client_take(&c, copy, n, now), -1);
		free(copy);
		c = untouched;
	}
	reply_buf[3] ^= 1; /* the XID */
	ck_assert_int_eq(client_take(&c, reply_buf, reply.at, now), -1);
	reply_buf[3] ^= 1;
	ck_assert_int_eq(client_take(&c, reply_buf, reply.at, now), 0);
}
END_TEST

START_TEST(lock_on_the_wire)
{
	static const unsigned char want[] = {
		0, 0, 0, 12, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, /* range */
		0, 0, 0, 1, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2, 'l', 'o', 0, 0,
	};
	struct nfs41_owner owner = { 5, "lo" };
	struct nfs41_stateid open;
	unsigned char buf[256];
	struct xdr x = xdr_over(buf, sizeof(buf));

	memset(open.data, 9, sizeof(open.data));
	nfs41_put_lock(&x, &owner, &open, 7, true);
	ck_assert_uint_eq(x.at, sizeof(want));
	ck_assert_mem_eq(buf, want, sizeof(want));
}
END_TEST

START_TEST(options)
{
	char *good[] = { "p", "--server", "::1", "--path", "/a", "--clients", "1000", "--opens", "10000", "--lease", "30" };
	char *bad[][5] = { { "p", "--server", "::1", "--path", "a" },  { "p", "--server", "::1", "--clients", "0" },
			   { "p", "--server", "::1", "--path", NULL }, { "p", "--server", "::1", "--opens", "1x" },
			   { "p", "--path", "/a", "--name", "a b" },   { "p", "--path", "/a", "--port", "65536" } };
	char *few[] = { "p", "--server", "::1", "--path", "/a", "--clients", "3", "--opens", "10", "--files", "3" };
	struct load_options opt;
	char message[128];

	ck_assert_int_eq(load_options_parse(&opt, 11, good, message, sizeof(message)), 0);
	ck_assert_uint_eq(opt.clients, 1000);
	ck_assert_uint_eq(opt.renew_ns, 10 * SEC);
	ck_assert_uint_eq(opt.timeout_ns, 30 * SEC);
	ck_assert_uint_eq(opt.files, 10000);
	ck_assert_int_eq(load_options_parse(&opt, 11, few, message, sizeof(message)), -1);
	few[10] = "4";
	ck_assert_int_eq(load_options_parse(&opt, 11, few, message, sizeof(message)), 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(load_options_parse(&opt, bad[i][4] ? 5 : 4, bad[i], message, sizeof(message)), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nfs41load");
	TCase *tc = tcase_create("nfs41load");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, xdr_words);
	tcase_add_test(tc, xdr_limits);
	tcase_add_test(tc, rpc_records);
	tcase_add_test(tc, rpc_calls);
	tcase_add_test(tc, lock_on_the_wire);
	tcase_add_test(tc, renewing);
	tcase_add_test(tc, surviving);
	tcase_add_test(tc, reclaiming);
	tcase_add_test(tc, ending_early);
	tcase_add_test(tc, kept);
	tcase_add_test(tc, checking_and_ending);
	tcase_add_test(tc, nonsense);
	tcase_add_test(tc, options);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
