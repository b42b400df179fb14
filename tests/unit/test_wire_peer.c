/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "corpus.h"

#include <errno.h>

#include "frame.h"
#include "peer_msg.h"

/* ---- malformed input */

/* A byte stream: it must come to exactly one error, in the framing or in the
 * first message that is no good. */
static void frame_must_fail(const struct corpus_file *f)
{
	static struct frame_decoder dec;
	static struct peer_msg msg;
	size_t at = 0;
	int r = 0;
	struct err err = { 0 };

	frame_decoder_init(&dec);
	while (r >= 0) {
		struct frame frame = { 0 };

		r = frame_next(&dec, &frame, &err);
		if (r > 0) {
			memset(&msg, 0xa5, sizeof(msg));
			r = peer_msg_decode(frame.type, frame.payload, frame.len, &msg, &err);
			if (r)
				ck_assert(corpus_all_zero(&msg, sizeof(msg)));
		} else if (!r) {
			size_t used;

			ck_assert_msg(at < f->len, "%s: no error to its end", f->name);
			used = frame_feed(&dec, f->bytes + at, f->len - at);
			ck_assert_uint_gt(used, 0);
			at += used;
		}
	}
	corpus_check_error(f, r, &err);
	if (dec.failed) { /* and it stays so */
		struct frame frame;
		struct err again = { 0 };

		ck_assert_uint_eq(frame_feed(&dec, "x", 1), 1);
		ck_assert_int_eq(frame_next(&dec, &frame, &again), r);
		ck_assert_mem_eq(&again, &err, sizeof(err));
	}
}

static unsigned type_by_name(const char *name, size_t len)
{
	for (unsigned t = MSG_HELLO; t <= MSG_OUTDATED; t++)
		if (strlen(msg_type_name((enum msg_type)t)) == len && !memcmp(msg_type_name((enum msg_type)t), name, len))
			return t;
	return 0;
}

/* "TYPE newline payload" */
static void message_must_fail(const struct corpus_file *f)
{
	static struct peer_msg msg;
	const char *nl = memchr(f->bytes, '\n', f->len);
	struct err err = { 0 };
	unsigned type;
	int r;

	ck_assert_ptr_nonnull(nl);
	type = type_by_name(f->bytes, (size_t)(nl - f->bytes));
	ck_assert_msg(type != 0, "%s: no such type", f->name);
	memset(&msg, 0xa5, sizeof(msg));
	r = peer_msg_decode(type, nl + 1, f->len - (size_t)(nl + 1 - f->bytes), &msg, &err);
	corpus_check_error(f, r, &err);
	ck_assert_int_eq(r, -EPROTO);
	ck_assert_msg(strstr(err.where, msg_type_name((enum msg_type)type)) != NULL, "%s: %s", f->name, err.where);
	ck_assert(corpus_all_zero(&msg, sizeof(msg)));
}

static void any_file(const struct corpus_file *f)
{
	(void)f;
}

START_TEST(corpus)
{
	unsigned frames = corpus_each("tests/corpus/peer", ".frame", frame_must_fail);
	unsigned messages = corpus_each("tests/corpus/peer", ".msg", message_must_fail);

	ck_assert_uint_ge(frames, 30);
	ck_assert_uint_ge(messages, 80);
	ck_assert_uint_eq(frames + messages, corpus_each("tests/corpus/peer", "", any_file));
}
END_TEST

/* ---- frames */

START_TEST(header_as_hex)
{
	unsigned char out[FRAME_HEADER_LEN + 9];
	char hex[2 * sizeof(out) + 1];
	struct err err = { 0 };
	int n = frame_encode(MSG_HEARTBEAT, 0x0102030405060708, "123456789", 9, out, sizeof(out), &err);

	ck_assert_int_eq(n, (int)sizeof(out));
	for (size_t i = 0; i < sizeof(out); i++)
		snprintf(hex + 2 * i, 3, "%02x", out[i]);
	/* cbf43926 is the check value of this CRC for "123456789" */
	ck_assert_str_eq(hex, "4e415344"         /* NASD */
			      "0004" "02" "00"   /* version, type, flags */
			      "00000009"         /* length */
			      "0102030405060708" /* sequence number */
			      "cbf43926"         /* CRC */
			      "0000000000000000" /* reserved */
			      "313233343536373839");
}
END_TEST

START_TEST(frames_in_pieces)
{
	static struct frame_decoder dec;
	static unsigned char stream[3 * FRAME_MAX], big[FRAME_PAYLOAD_MAX];
	static const size_t sizes[] = { 0, FRAME_PAYLOAD_MAX, 1 };
	static const size_t pieces[] = { 1, 7, 31, 32, 33, 4096, sizeof(stream) };
	size_t len = 0;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (unsigned char)(i * 7 + (i >> 8));
	for (unsigned i = 0; i < 3; i++) {
		int n = frame_encode((uint8_t)(i + 1), i + 1, big, sizes[i], stream + len, sizeof(stream) - len, NULL);

		ck_assert_int_gt(n, 0);
		len += (size_t)n;
	}
	for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
		size_t at = 0;
		unsigned got = 0;

		frame_decoder_init(&dec);
		while (got < 3) {
			struct frame f;
			struct err err = { 0 };
			size_t part = len - at < pieces[p] ? len - at : pieces[p];
			int r = frame_next(&dec, &f, &err);

			ck_assert_msg(r >= 0, "%s", err.msg);
			if (!r) {
				ck_assert_uint_lt(at, len);
				at += frame_feed(&dec, stream + at, part);
				continue;
			}
			ck_assert_uint_eq(f.type, got + 1);
			ck_assert_uint_eq(f.seq, got + 1);
			ck_assert_uint_eq(f.len, sizes[got]);
			ck_assert(!f.len || !memcmp(f.payload, big, f.len));
			got++;
		}
		ck_assert_uint_eq(at, len);
	}
}
END_TEST

START_TEST(version_error_names_both)
{
	static struct frame_decoder dec;
	unsigned char out[FRAME_HEADER_LEN];
	struct frame f;
	struct err err = { 0 };

	ck_assert_int_eq(frame_encode(1, 1, NULL, 0, out, sizeof(out), NULL), FRAME_HEADER_LEN);
	out[5] = 9;
	frame_decoder_init(&dec);
	frame_feed(&dec, out, sizeof(out));
	ck_assert_int_eq(frame_next(&dec, &f, &err), -EPROTONOSUPPORT);
	ck_assert_ptr_nonnull(strstr(err.msg, "version 9"));
	ck_assert_ptr_nonnull(strstr(err.msg, "version 4"));
	ck_assert(err.remedy[0]);
	ck_assert_int_eq(frame_encode(1, 1, out, FRAME_PAYLOAD_MAX + 1, out, sizeof(out), &err), -EMSGSIZE);
}
END_TEST

/* ---- messages */

static void round_trip(const struct peer_msg *msg)
{
	static char buf[PEER_MSG_MAX];
	static struct peer_msg back;
	struct err err = { 0 };
	int n = peer_msg_encode(msg, buf, sizeof(buf), &err);

	ck_assert_msg(n > 0, "%s: %s: %s", msg_type_name(msg->type), err.where, err.msg);
	memset(&back, 0xa5, sizeof(back));
	ck_assert_msg(peer_msg_decode(msg->type, buf, (size_t)n, &back, &err) == 0, "%.*s\n%s: %s", n, buf,
		      err.where, err.msg);
	ck_assert_mem_eq(&back, msg, sizeof(back));
	ck_assert_int_eq(peer_msg_encode(msg, buf, (size_t)n, &err), n);
	ck_assert_int_eq(peer_msg_encode(msg, buf, (size_t)n - 1, &err), -EMSGSIZE);
}

/* Fills a text field to its last byte, with what JSON has to escape. */
#define FILL(field) fill((field), sizeof(field))
static void fill(char *field, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++)
		field[i] = "\"\\/ a"[i % 5];
	field[size - 1] = '\0';
}

static struct peer_msg *start(enum msg_type type, bool extreme)
{
	static struct peer_msg msg;

	memset(&msg, 0, sizeof(msg));
	msg.type = type;
	if (type != MSG_HEARTBEAT && type != MSG_INTRO)
		memset(msg.group, 'g', extreme ? NAME_MAX_LEN - 1 : 1);
	msg.epoch = extreme ? INT64_MAX : 0;
	return &msg;
}

static void fill_facts(struct facts *f)
{
	*f = (struct facts){
		.valid = true, .collected_us = INT64_MIN, .drbd_known = true, .drbd_out_of_sync = INT64_MAX,
		.drbd_suspended = true, .mount_dir_exists = true, .mounted = true, .mount_dir_busy = true,
		.device_mounted_elsewhere = true, .fs_readonly = true, .dirty_bytes = INT64_MAX,
		.server = SERVER_SERVING, .server_pid = INT32_MAX, .exports_present = UINT32_MAX,
		.exports_wanted = UINT32_MAX, .in_grace = true, .state_moves = true, .clients = UINT32_MAX,
		.connections = UINT32_MAX, .n_addresses = GROUP_ADDRS_MAX, .journal_ok = true,
	};
	memset(f->group, 'Z', sizeof(f->group) - 1);
	FILL(f->drbd_error);
	FILL(f->drbd_role);
	FILL(f->drbd_peer_role);
	FILL(f->drbd_cstate);
	FILL(f->drbd_disk);
	FILL(f->drbd_peer_disk);
	FILL(f->drbd_fencing);
	FILL(f->fs_uuid);
	FILL(f->server_error);
	FILL(f->state_reason);
	FILL(f->journal_error);
	for (unsigned i = 0; i < GROUP_ADDRS_MAX; i++) {
		FILL(f->addresses[i].text);
		FILL(f->addresses[i].ifname);
		FILL(f->addresses[i].answered_mac);
		f->addresses[i].present = i & 1;
		f->addresses[i].link_up = i & 2;
		f->addresses[i].answered = i & 4;
	}
}

static void fill_body(struct peer_msg *m)
{
	switch (m->type) {
	case MSG_INTRO:
		memset(m->u.intro.node, 'n', sizeof(m->u.intro.node) - 1);
		FILL(m->u.intro.version);
		m->u.intro.protocol = UINT32_MAX;
		memset(m->u.intro.config_hash, 'f', sizeof(m->u.intro.config_hash) - 1);
		memset(m->u.intro.boot_id, '-', sizeof(m->u.intro.boot_id) - 1);
		memset(m->u.intro.pulse_key, 'f', sizeof(m->u.intro.pulse_key) - 1);
		m->u.intro.pulse_session = INT64_MAX;
		break;
	case MSG_HELLO:
		m->u.hello = (struct msg_hello){ .epoch = INT64_MAX, .max_epoch = INT64_MAX, .owner = NODE_NONE,
						 .phase = TXN_COMMITTED, .txn_epoch = INT64_MAX, .serving = true,
						 .active = true };
		break;
	case MSG_HEARTBEAT:
		m->u.heartbeat.sent_us = INT64_MIN;
		m->u.heartbeat.echo_us = INT64_MAX;
		m->u.heartbeat.echo_held_us = -1;
		break;
	case MSG_FACTS: fill_facts(&m->u.facts); break;
	case MSG_STEP:
		m->u.step = (struct step_report){ .step = STEP_REWARM, .node = 1, .outcome = OUTCOME_UNKNOWN,
						  .start_us = INT64_MIN, .duration_us = INT64_MAX, .skipped = true };
		FILL(m->u.step.message);
		break;
	case MSG_CLIENTS:
		m->u.clients.op = CLIENTS_DEL;
		m->u.clients.seq = INT64_MAX;
		FILL(m->u.clients.text);
		for (size_t i = CLIENT_ENTRY_MAX; i < CLIENTS_TEXT_MAX; i += CLIENT_ENTRY_MAX)
			m->u.clients.text[i - 1] = '\n';
		m->u.clients.text[CLIENTS_TEXT_MAX - 2] = '\n';
		for (size_t i = 0; i < CLIENTS_TEXT_MAX - 2; i += CLIENT_ENTRY_MAX)
			memcpy(m->u.clients.text + i, "connection ", 11);
		break;
	case MSG_STATE:
		m->u.state.total = STATE_TEXT_MAX;
		m->u.state.offset = STATE_TEXT_MAX - (STATE_PIECE_MAX - 1);
		FILL(m->u.state.text);
		for (size_t i = 0; i < STATE_PIECE_MAX - 1; i += 90)
			m->u.state.text[i] = '\n';
		break;
	case MSG_CLIENTS_ACK: m->u.clients.seq = INT64_MAX; break;
	case MSG_REFUSED:
	case MSG_ABORT:
	case MSG_DONE:
	case MSG_REQUEST:
	case MSG_REPLY:
	case MSG_STATE_ACK:
	case MSG_OUTDATED:
		m->u.answer.ok = true;
		m->u.answer.err.cls = ERR_INTERNAL;
		m->u.answer.err.errnum = INT32_MAX;
		FILL(m->u.answer.err.where);
		FILL(m->u.answer.err.msg);
		FILL(m->u.answer.err.remedy);
		m->u.answer.target = NODE_NONE;
		m->u.answer.request = INT64_MAX;
		break;
	case MSG_FACTS_REQ:
	case MSG_PREPARE:
	case MSG_PREPARED:
	case MSG_COMMIT:
	case MSG_CLAIM:
	case MSG_CLAIMED:
	case MSG_OUTDATE: break;
	}
}

START_TEST(every_type_round_trips)
{
	for (unsigned t = MSG_HELLO; t <= MSG_OUTDATED; t++) {
		struct peer_msg *m = start((enum msg_type)t, false);

		ck_assert_str_ne(msg_type_name((enum msg_type)t), "invalid");
		if (t == MSG_STEP) /* those that have no all-zero form */
			m->u.step.step = STEP_CHECK;
		if (t == MSG_STATE) {
			m->u.state.text[0] = '\n';
			m->u.state.total = 1;
		}
		if (t == MSG_INTRO) {
			m->u.intro.node[0] = 'a';
			m->u.intro.boot_id[0] = 'b';
			memset(m->u.intro.pulse_key, '0', sizeof(m->u.intro.pulse_key) - 1);
		}
		round_trip(m);
		m = start((enum msg_type)t, true);
		fill_body(m);
		round_trip(m);
	}
}
END_TEST

START_TEST(every_word_round_trips)
{
	for (unsigned s = STEP_CHECK; s < STEP_COUNT; s++) {
		struct peer_msg *m = start(MSG_STEP, false);

		m->u.step.step = (enum step_id)s;
		m->u.step.outcome = (enum outcome)(s % 3);
		round_trip(m);
		ck_assert_int_eq(step_by_name(step_name((enum step_id)s)), s);
	}
	ck_assert_int_eq(step_by_name("none"), STEP_NONE);
	for (unsigned s = SERVER_DOWN; s <= SERVER_SERVING; s++) {
		struct peer_msg *m = start(MSG_FACTS, false);

		m->u.facts.server = (enum server_state)s;
		m->u.facts.n_addresses = s;
		round_trip(m);
	}
	for (unsigned p = TXN_NONE; p <= TXN_COMMITTED; p++) {
		struct peer_msg *m = start(MSG_HELLO, false);

		m->u.hello.phase = (enum txn_phase)p;
		m->u.hello.owner = p % 2 ? 1 : NODE_NONE;
		round_trip(m);
	}
	for (unsigned c = ERR_INPUT; c <= ERR_INTERNAL; c++) {
		struct peer_msg *m = start(MSG_REFUSED, false);

		m->u.answer.err.cls = (enum err_class)c;
		round_trip(m);
	}
	for (unsigned op = CLIENTS_FULL_BEGIN; op <= CLIENTS_FULL_END; op++) {
		struct peer_msg *m = start(MSG_CLIENTS, false);

		m->u.clients.op = (enum clients_op)op;
		if (op == CLIENTS_ADD || op == CLIENTS_DEL)
			strcpy(m->u.clients.text, "record (18:Linux NFSv4.2 vn\xc3\xb6" "de2)\n");
		round_trip(m);
	}
}
END_TEST

static void must_not_encode(const struct peer_msg *m, const char *field)
{
	char buf[4096];
	struct err err = { 0 };

	ck_assert_int_lt(peer_msg_encode(m, buf, sizeof(buf), &err), 0);
	ck_assert_int_eq(err.cls, ERR_INTERNAL);
	ck_assert_msg(strstr(err.where, field) != NULL, "%s: %s", err.where, err.msg);
}

START_TEST(what_cannot_be_sent)
{
	struct peer_msg *m = start(MSG_COMMIT, false);

	m->epoch = (uint64_t)INT64_MAX + 1;
	must_not_encode(m, "COMMIT: epoch");
	m = start(MSG_COMMIT, false);
	m->group[0] = '\0';
	must_not_encode(m, "group");
	m = start(MSG_STEP, false);
	must_not_encode(m, "report.name");
	m->u.step.step = STEP_COUNT;
	must_not_encode(m, "report.name");
	m = start(MSG_HELLO, false);
	m->u.hello.owner = 2;
	must_not_encode(m, "owner");
	m = start(MSG_CLIENTS, false);
	m->u.clients.op = CLIENTS_ADD;
	must_not_encode(m, "entries");
	strcpy(m->u.clients.text, "record bytes \xff that are no text\n");
	must_not_encode(m, "entries");
	strcpy(m->u.clients.text, "record without an end");
	must_not_encode(m, "entries");
	m = start(MSG_FACTS, false);
	m->u.facts.n_addresses = GROUP_ADDRS_MAX + 1;
	must_not_encode(m, "facts.addresses");
	m = start(MSG_FACTS, false);
	memset(m->u.facts.drbd_role, 'x', sizeof(m->u.facts.drbd_role));
	must_not_encode(m, "facts.drbd_role");
	m = start(MSG_STATE, false);
	must_not_encode(m, "text");
	m->u.state.total = 3;
	strcpy(m->u.state.text, "a\tb");
	must_not_encode(m, "text");
	m = start(MSG_INTRO, false);
	m->u.intro.node[0] = m->u.intro.boot_id[0] = 'a';
	strcpy(m->u.intro.pulse_key, "00ff");
	must_not_encode(m, "pulse_key");
	m->type = (enum msg_type)77;
	must_not_encode(m, "peer message");
}
END_TEST

START_TEST(texts_for_people_are_cleaned)
{
	struct peer_msg *m = start(MSG_ABORT, false), back;
	char buf[4096];
	struct err err = { 0 };
	int n;

	m->u.answer.err.cls = ERR_SYSTEM;
	strcpy(m->u.answer.err.msg, "umount: \"/srv\n\x1b[31m\xe4\xc3\xa4\xed\xa0\x80\xc2\x85\"");
	n = peer_msg_encode(m, buf, sizeof(buf), &err);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(peer_msg_decode(MSG_ABORT, buf, (size_t)n, &back, &err), 0);
	ck_assert_str_eq(back.u.answer.err.msg, "umount: \"/srv??[31m?\xc3\xa4?????\"");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("peer");

	tcase_add_test(tc, corpus);
	tcase_add_test(tc, header_as_hex);
	tcase_add_test(tc, frames_in_pieces);
	tcase_add_test(tc, version_error_names_both);
	tcase_add_test(tc, every_type_round_trips);
	tcase_add_test(tc, every_word_round_trips);
	tcase_add_test(tc, what_cannot_be_sent);
	tcase_add_test(tc, texts_for_people_are_cleaned);
	return corpus_run(tc, "wire/peer");
}
