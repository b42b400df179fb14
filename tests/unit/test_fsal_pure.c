/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* The module's gate, its search in memory, and its requests. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "msg.h"
#include "scan.h"
#include "state.h"

/* ---- scan: a library made of arrays */

struct element {
	const char *name;
	void *funct, *resume, *free_res;
	unsigned size, perm;
};

static const struct scan_op_layout layout = {
	sizeof(struct element), offsetof(struct element, name), offsetof(struct element, funct),
};

static unsigned char code[256], others[256];
static struct element words[64];

static bool read_all(void *data, uintptr_t addr, void *buf, size_t len)
{
	(void)data;
	if (addr < 4096 || addr == 0xdeadbee8)
		return false;
	memcpy(buf, (const void *)addr, len);
	return true;
}

static const struct scan_reader reader = {.read = read_all};

static struct scan_range range_of(const void *bytes, size_t len)
{
	return (struct scan_range){.addr = (uintptr_t)bytes, .len = len, .bytes = bytes};
}

static void fill(size_t from)
{
	static const char *const names[] = {"A", "B", "C", "D"};

	for (size_t i = 0; i < 4; i++)
		words[from + i] = (struct element){.name = names[i], .funct = &code[16 * i]};
}

static int find(uintptr_t *table, struct fault *f)
{
	const struct scan_op_anchor anchors[] = {
		{2, "C", (uintptr_t)&code[32]}, {0, "A", 0}, {3, "D", (uintptr_t)&code[48]},
	};
	struct scan_range where = range_of(words, sizeof(words)), text = range_of(code, sizeof(code));

	return scan_op_table(&where, &text, &reader, &layout, anchors, 3, table, f);
}

START_TEST(table_is_found)
{
	uintptr_t table = 0;
	struct fault f = {0};

	memset(words, 0, sizeof(words));
	ck_assert_int_eq(find(&table, &f), -ENOENT);
	ck_assert_ptr_nonnull(strstr(f.text, "C"));
	fill((size_t)_i);
	ck_assert_int_eq(find(&table, &f), 0);
	ck_assert_uint_eq(table, (uintptr_t)&words[_i]);
	words[_i].name = "X"; /* an anchor's name */
	ck_assert_int_eq(find(&table, &f), -ENOENT);
	words[_i].name = "A";
	words[_i].funct = others; /* not in the code */
	ck_assert_int_eq(find(&table, &f), -ENOENT);
	words[_i].funct = code;
	words[_i + 3].name = (const char *)16; /* cannot be read */
	ck_assert_int_eq(find(&table, &f), -ENOENT);
}
END_TEST

START_TEST(table_is_not_guessed)
{
	uintptr_t table;
	struct fault f = {0};

	memset(words, 0, sizeof(words));
	fill(1);
	fill(20);
	ck_assert_int_eq(find(&table, &f), -EEXIST);
	memset(words, 0, sizeof(words));
	fill(60);
	words[60] = (struct element){0};
	ck_assert_int_eq(find(&table, &f), -ENOENT);
	/* the first element would lie before the range */
	memset(words, 0, sizeof(words));
	words[1] = (struct element){.name = "C", .funct = &code[32]};
	ck_assert_int_eq(find(&table, &f), -ENOENT);
}
END_TEST

static bool has_tag(const struct scan_reader *rd, uintptr_t addr, const void *key)
{
	char tag[8];

	return rd->read(rd->data, addr, tag, sizeof(tag)) && !memcmp(tag, key, sizeof(tag));
}

START_TEST(object_is_found_once)
{
	static _Alignas(16) char one[8] = "thetag!";
	static _Alignas(16) char two[8] = "thetag!";
	static _Alignas(16) char other[8] = "other!!";
	uintptr_t data[] = {0, 7, 0xdeadbee8, (uintptr_t)other, (uintptr_t)one, (uintptr_t)one, 0};
	struct scan_range where = range_of(data, sizeof(data));
	struct fault f = {0};
	uintptr_t found = 0;

	ck_assert_int_eq(scan_object(&where, &reader, has_tag, "thetag!", "it", &found, &f), 0);
	ck_assert_uint_eq(found, (uintptr_t)one);
	data[6] = (uintptr_t)two;
	ck_assert_int_eq(scan_object(&where, &reader, has_tag, "thetag!", "it", &found, &f), -EEXIST);
	ck_assert_int_eq(scan_object(&where, &reader, has_tag, "nothing", "it", &found, &f), -ENOENT);
	ck_assert_ptr_nonnull(strstr(f.text, "it"));
}
END_TEST

START_TEST(method_is_found)
{
	uintptr_t data[] = {0, (uintptr_t) "AddExport", (uintptr_t)others, (uintptr_t) "AddExport",
			    (uintptr_t)&code[9], (uintptr_t) "AddExport2", (uintptr_t)code};
	struct scan_range where = range_of(data, sizeof(data)), text = range_of(code, sizeof(code));
	struct fault f = {0};
	uintptr_t m = 0;

	ck_assert_int_eq(scan_method(&where, &text, &reader, "AddExport", &m, &f), 0);
	ck_assert_uint_eq(m, (uintptr_t)&data[3]);
	ck_assert_int_eq(scan_method(&where, &text, &reader, "AddExpor", &m, &f), -ENOENT);
	data[2] = (uintptr_t)code;
	ck_assert_int_eq(scan_method(&where, &text, &reader, "AddExport", &m, &f), -EEXIST);
}
END_TEST

START_TEST(operand_is_found)
{
	static unsigned char text[64], variables[64];
	struct scan_range where = range_of(text, sizeof(text)), vars = range_of(variables, sizeof(variables));
	const int32_t distance = 40;
	struct fault f = {0};
	uintptr_t addr = 0;

	/* the variables as if they were 64 bytes behind the code */
	vars.addr = where.addr + 32;
	memset(text, 0x90, sizeof(text));
	memcpy(text + 10, "\x48\x8d\x05", 3);
	memcpy(text + 13, &distance, 4);
	text[17] = 0xf0;
	ck_assert_int_eq(scan_operand(&where, "48 8d 05 ?? ?? ?? ?? f0", &vars, "it", &addr, &f), 0);
	ck_assert_uint_eq(addr, where.addr + 17 + 40);
	ck_assert_int_eq(scan_operand(&where, "48 8d 05 ?? ?? ?? ?? f1", &vars, "it", &addr, &f), -ENOENT);
	vars.len = 24; /* its four bytes are not all within */
	ck_assert_int_eq(scan_operand(&where, "48 8d 05 ?? ?? ?? ?? f0", &vars, "it", &addr, &f), -ENOENT);
	vars.len = 64;
	memcpy(text + 56, text + 10, 8);
	ck_assert_int_eq(scan_operand(&where, "48 8d 05 ?? ?? ?? ?? f0", &vars, "it", &addr, &f), -EEXIST);
	text[63] = 0x90;
	ck_assert_int_eq(scan_operand(&where, "48 8d 05 ?? ?? ?? ?? f0", &vars, "it", &addr, &f), 0);
	/* at the very end: a part of it is nothing */
	memcpy(text + 60, "\x48\x8d\x05", 3);
	ck_assert_int_eq(scan_operand(&where, "48 8d 05 ?? ?? ?? ??", &vars, "it", &addr, &f), -EEXIST);
	ck_assert_int_eq(scan_operand(&where, "48 8d", &vars, "it", &addr, &f), -EINVAL);
	ck_assert_int_eq(scan_operand(&where, "48 8x ?? ?? ?? ??", &vars, "it", &addr, &f), -EINVAL);
}
END_TEST

START_TEST(build_id)
{
	static const unsigned char notes[] = {
		4, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 'X', 'Y', 'Z', 0, 1, 2, 0, 0,
		4, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 0xab, 0xcd, 0x01, 0,
	};
	char id[SCAN_BUILD_ID_MAX];
	struct fault f = {0};

	for (size_t len = 0; len <= sizeof(notes); len++) {
		unsigned char *copy = malloc(len + !len);
		struct scan_range r = {.len = len, .bytes = copy};

		memcpy(copy, notes, len);
		ck_assert_int_eq(scan_build_id(&r, id, &f), len == sizeof(notes) ? 0 : -ENOENT);
		free(copy);
	}
	ck_assert_str_eq(id, "abcd01");
	ck_assert(scan_known("ffff x\nabcd01 lib\n", "abcd01"));
	ck_assert(scan_known("abcd01", "abcd01"));
	ck_assert(!scan_known("abcd012 lib\nxabcd01\n# abcd01\n", "abcd01"));
	ck_assert(!scan_known("abcd lib\n", "abcd01"));
	ck_assert(!scan_known(" lib\n", ""));
}
END_TEST

/* ---- gate */

static struct gate gate;

static void *thing(size_t i)
{
	static char things[5000];

	return &things[i];
}

START_TEST(gate_holds_and_gives_back)
{
	struct fault f = {0};
	void **held;
	size_t n;
	bool go_on;

	gate_init(&gate);
	ck_assert_int_eq(gate_enter(&gate, thing(0), &go_on), 0);
	ck_assert(go_on);
	ck_assert_int_eq(gate_close(&gate, 100, 50, &f), 0);
	for (size_t i = 0; i < 5000; i++) {
		ck_assert_int_eq(gate_enter(&gate, thing(i), &go_on), 0);
		ck_assert(!go_on);
	}
	ck_assert_int_eq(gate_open(&gate, &held, &n, &f), 0);
	ck_assert_uint_eq(n, 5000);
	for (size_t i = 0; i < n; i++)
		ck_assert_ptr_eq(held[i], thing(i));
	free(held);
	ck_assert_int_eq(gate_enter(&gate, thing(0), &go_on), 0);
	ck_assert(go_on);
	ck_assert_int_eq(gate_open(&gate, &held, &n, &f), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_ptr_null(held);
	gate_free(&gate);
}
END_TEST

START_TEST(gate_expires)
{
	struct fault f = {0};
	void **held;
	size_t n;

	gate_init(&gate);
	ck_assert(!gate_expired(&gate, 1000000));
	ck_assert_int_eq(gate_close(&gate, 100, 50, &f), 0);
	ck_assert(!gate_expired(&gate, 149));
	ck_assert(gate_expired(&gate, 150));
	gate_heard(&gate, 140);
	gate_heard(&gate, 120); /* late */
	ck_assert(!gate_expired(&gate, 189));
	ck_assert(gate_expired(&gate, 190));
	/* again, with another time: the same closing */
	ck_assert_int_eq(gate_close(&gate, 200, 1000, &f), 0);
	ck_assert_uint_eq(gate.closed_count, 1);
	ck_assert(!gate_expired(&gate, 1199));
	/* not while the filesystem is gone */
	ck_assert_int_eq(gate_set_released(&gate, true, &f), 0);
	ck_assert(!gate_expired(&gate, 5000));
	ck_assert_int_eq(gate_open(&gate, &held, &n, &f), -EPERM);
	ck_assert_int_eq(gate_set_released(&gate, false, &f), 0);
	ck_assert(gate_expired(&gate, 5000));
	ck_assert_int_eq(gate_commit(&gate, &f), 0);
	ck_assert(!gate_expired(&gate, 5000));
	ck_assert_int_eq(gate_open(&gate, &held, &n, &f), -EPERM);
	ck_assert_int_eq(gate_close(&gate, 1, 1, &f), -EPERM);
	ck_assert_str_eq(gate_state_name(gate.state), "committed");
	gate_free(&gate);
}
END_TEST

START_TEST(gate_refuses)
{
	struct fault f = {0};

	gate_init(&gate);
	ck_assert_int_eq(gate_commit(&gate, &f), -EPERM);
	ck_assert_int_eq(gate_set_released(&gate, true, &f), -EPERM);
	ck_assert_str_eq(f.text, "the gate is open");
	gate_free(&gate);
}
END_TEST

/* ---- msg */

static int parse(const char *line, struct msg_request *r)
{
	struct fault f = {0};
	int ret = msg_parse(line, strlen(line), r, &f);

	ck_assert_msg((ret == 0) == (f.text[0] == '\0'), "%s: %s", line, f.text);
	return ret;
}

START_TEST(msg_good)
{
	static struct msg_request r;

	ck_assert_int_eq(parse("{\"v\":1,\"op\":\"status\"}", &r), 0);
	ck_assert_int_eq(r.op, MSG_STATUS);
	ck_assert_int_eq(parse("{\"reopen_ms\":5000,\"op\":\"gate\",\"v\":1}", &r), 0);
	ck_assert_int_eq(r.op, MSG_GATE);
	ck_assert_int_eq(r.reopen_ms, 5000);
	ck_assert_int_eq(parse("{\"v\":1,\"op\":\"export-add\",\"id\":7,\"path\":\"/x/y\"}", &r), 0);
	ck_assert_uint_eq(r.id, 7);
	ck_assert_str_eq(r.path, "/x/y");
	ck_assert_int_eq(parse("{\"v\":1,\"op\":\"grace-start\",\"node_id\":0}", &r), 0);
	ck_assert_int_eq(parse("{\"v\":1,\"op\":\"load\",\"bytes\":268435456}", &r), 0);
	ck_assert_uint_eq(r.bytes, MSG_BODY_MAX);
	ck_assert_int_eq(parse("{\"v\":1,\"op\":\"records\"}", &r), 0);
	ck_assert_int_eq(parse("{\"v\":1,\"op\":\"record-kept\",\"record\":9007199254740993}", &r), 0);
	ck_assert_int_eq(r.op, MSG_RECORD_KEPT);
	ck_assert_uint_eq(r.record, 9007199254740993u);
	ck_assert_int_eq(parse("{\"v\":1,\"op\":\"client-release\",\"address\":\"fd77:1::22\"}", &r), 0);
	ck_assert_str_eq(r.address, "fd77:1::22");
	ck_assert_int_eq(parse("{\"v\":1,\"op\":\"record-alone\",\"record\":1}", &r), 0);
	for (int op = MSG_STATUS; op < MSG_OP_COUNT; op++)
		ck_assert_str_ne(msg_op_name((enum msg_op)op), "?");
}
END_TEST

START_TEST(msg_bad)
{
	static const char *const lines[] = {
		"", " ", "null", "[]", "{", "{}", "{\"v\":1}", "{\"op\":\"status\"}",
		"{\"v\":2,\"op\":\"status\"}", "{\"v\":\"1\",\"op\":\"status\"}",
		"{\"v\":1,\"op\":\"\"}", "{\"v\":1,\"op\":7}", "{\"v\":1,\"op\":\"nothing\"}",
		"{\"v\":1,\"op\":\"status\",\"x\":1}", "{\"v\":1,\"op\":\"status\"}x",
		"{\"v\":1,\"op\":\"status\",\"op\":\"status\"}", "{\"v\":1,\"op\":\"gate\"}",
		"{\"v\":1,\"op\":\"gate\",\"reopen_ms\":\"5\"}", "{\"v\":1,\"op\":\"gate\",\"reopen_ms\":-1}",
		"{\"v\":1,\"op\":\"gate\",\"reopen_ms\":99}", "{\"v\":1,\"op\":\"gate\",\"reopen_ms\":600001}",
		"{\"v\":1,\"op\":\"gate\",\"reopen_ms\":500.0}",
		"{\"v\":1,\"op\":\"gate\",\"reopen_ms\":99999999999999999999}",
		"{\"v\":1,\"op\":\"client-release\"}", "{\"v\":1,\"op\":\"client-release\",\"address\":\"\"}",
		"{\"v\":1,\"op\":\"client-release\",\"address\":\"vnode2\"}", "{\"v\":1,\"op\":\"client-release\",\"address\":7}",
		"{\"v\":1,\"op\":\"client-release\",\"address\":\"1111:1111:1111:1111:1111:1111:1111:1111:1111:1\"}",
		"{\"v\":1,\"op\":\"release\",\"path\":\"relative\"}", "{\"v\":1,\"op\":\"release\",\"path\":\"\"}",
		"{\"v\":1,\"op\":\"release\",\"path\":\"/a\\u0000b\"}", "{\"v\":1,\"op\":\"release\",\"path\":[\"/\"]}",
		"{\"v\":1,\"op\":\"export-add\",\"id\":0,\"path\":\"/x\"}",
		"{\"v\":1,\"op\":\"export-add\",\"id\":65536,\"path\":\"/x\"}",
		"{\"v\":1,\"op\":\"export-add\",\"id\":1}", "\xff\xfe", "{\"v\":1,\"op\":\"load\"}",
		"{\"v\":1,\"op\":\"load\",\"bytes\":0}", "{\"v\":1,\"op\":\"load\",\"bytes\":268435457}",
		"{\"v\":1,\"op\":\"records\",\"record\":1}", "{\"v\":1,\"op\":\"record-kept\"}",
		"{\"v\":1,\"op\":\"record-kept\",\"record\":0}", "{\"v\":1,\"op\":\"record-alone\",\"record\":-1}",
		"{\"v\":1,\"op\":\"record-alone\",\"record\":\"1\"}",
	};
	static struct msg_request r;
	static char big[2 * MSG_LINE_MAX];

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		ck_assert_msg(parse(lines[i], &r) == -EPROTO, "%s", lines[i]);
	memset(big, ' ', sizeof(big) - 1);
	ck_assert_int_eq(parse(big, &r), -EPROTO);
	memcpy(big, "{\"v\":1,\"op\":\"release\",\"path\":\"/", 31);
	memset(big + 31, 'a', MSG_PATH_MAX);
	strcpy(big + 31 + MSG_PATH_MAX, "\"}");
	ck_assert_int_eq(parse(big, &r), -EPROTO);
}
END_TEST

START_TEST(msg_answers)
{
	struct fault f = {.errnum = 22, .text = "bad \"\n\xff path"};
	char *line = msg_answer(json_pack("{sisb}", "held", 3, "drained", 1), NULL);

	ck_assert_str_eq(line, "{\"v\":1,\"ok\":true,\"held\":3,\"drained\":true}\n");
	free(line);
	line = msg_answer(json_pack("{si}", "held", 3), &f);
	ck_assert_str_eq(line, "{\"v\":1,\"ok\":false,\"errno\":22,\"error\":\"bad \\\"?? path\",\"held\":3}\n");
	free(line);
	line = msg_answer(NULL, NULL);
	ck_assert_str_eq(line, "{\"v\":1,\"ok\":true}\n");
	free(line);
}
END_TEST

/* ---- state */

static const struct state_client_row a_client = {
	.id = 0xfedcba9876543210U, .verifier = {1, 2, 3, 4, 5, 6, 7, 0xff},
	.owner = {(const unsigned char *)"Linux NFSv4.2 x", 15}, .minor = 2, .pnfs_flags = 0x10000,
	.server_addr = UINT32_MAX, .create_seq = 2, .uid = 0, .gid = 7, .stateid_counter = 99,
	.reclaim_complete = true, .address = "::ffff:10.0.0.1",
};
static const uint32_t sequences[] = {0, 5, UINT32_MAX};
static const struct state_session_row a_session = {
	.id = "0123456789abcde", .fore = {0, 1, 2, 3, 4, 5}, .back = {6, 7, 8, 9, 10, 11},
	.cb_program = 0x40000000, .n_slots = 3, .slots = sequences,
};
static const struct state_reply_row a_reply = {.slot = 2, .xdr = {(const unsigned char *)"reply", 5}};
static const struct state_open_row an_open = {
	.owner = {(const unsigned char *)"o", 1}, .handle = {(const unsigned char *)"handle", 6},
	.other = "other-other", .seqid = 3, .access = 3, .deny = 0, .access_prev = 0xa, .deny_prev = 2,
};
static const struct state_range some_ranges[] = {{true, 0, 0}, {false, UINT64_MAX, 7}};
static const struct state_lock_row a_lock = {
	.owner = {(const unsigned char *)"", 0}, .handle = {(const unsigned char *)"handle", 6},
	.other = "OTHER-OTHER", .open_other = "other-other", .seqid = 1, .n_ranges = 2, .ranges = some_ranges,
};

static const struct state_server_row a_server = {
	.epoch = 1700000000, .client_counter = UINT32_MAX, .session_counter = UINT64_MAX,
	.write_verifier = {0, 1, 2, 3, 4, 5, 6, 0xf7},
};

static void write_example(struct state_text *t)
{
	struct fault f = {0};

	state_begin(t, &a_server);
	state_put_client(t, &a_client);
	state_put_session(t, &a_session);
	state_put_reply(t, &a_reply);
	state_put_session(t, &a_session);
	state_put_open(t, &an_open);
	state_put_lock(t, &a_lock);
	state_put_client(t, &a_client);
	state_put_open(t, &an_open);
	ck_assert_int_eq(state_end(t, &f), 0);
}

/* A sink that writes what it reads. */
static int again_server(void *t, const struct state_server_row *s, struct fault *f)
{
	(void)f;
	state_begin(t, s);
	return 0;
}
static int again_client(void *t, const struct state_client_row *c, struct fault *f)
{
	(void)f;
	state_put_client(t, c);
	return 0;
}
static int again_session(void *t, const struct state_session_row *s, struct fault *f)
{
	(void)f;
	state_put_session(t, s);
	return 0;
}
static int again_reply(void *t, const struct state_reply_row *r, struct fault *f)
{
	(void)f;
	state_put_reply(t, r);
	return 0;
}
static int again_open(void *t, const struct state_open_row *o, struct fault *f)
{
	(void)f;
	state_put_open(t, o);
	return 0;
}
static int again_lock(void *t, const struct state_lock_row *l, struct fault *f)
{
	return l->seqid == 77 ? fault_set(f, ENOLCK, "no") : (state_put_lock(t, l), 0);
}

static const struct state_sink again = {again_server, again_client, again_session, again_reply, again_open, again_lock};
static const struct state_sink nothing;

START_TEST(state_round_trip)
{
	struct state_text one = {0}, two = {0};
	struct fault f = {0};

	write_example(&one);
	ck_assert_msg(state_read(one.text, one.len, &again, &two, &f) == 0, "%s", f.text);
	ck_assert_int_eq(state_end(&two, &f), 0);
	ck_assert_str_eq(one.text, two.text);
	ck_assert_uint_eq(one.counts.clients, 2);
	ck_assert_uint_eq(one.counts.ranges, 2);
	ck_assert_mem_eq(&one.counts, &two.counts, sizeof(one.counts));
	ck_assert_uint_eq(one.len, strlen(one.text));
	state_free(&one);
	state_free(&two);
}
END_TEST

/* Nothing but the whole text is taken: not a part of it, not with a byte too many
 * or one that changed its kind. */
START_TEST(state_malformed)
{
	struct state_text t = {0};
	struct fault f = {0};

	write_example(&t);
	for (size_t len = 0; len < t.len; len++) {
		char *copy = malloc(len + !len);

		memcpy(copy, t.text, len);
		ck_assert_int_eq(state_read(copy, len, &nothing, NULL, &f), -EPROTO);
		free(copy);
	}
	for (size_t i = 0; i < t.len; i++) {
		char was = t.text[i];

		t.text[i] = '~';
		/* an address may have it */
		if (state_read(t.text, t.len, &nothing, NULL, &f) == 0)
			ck_assert_msg(strchr(".:f10", was), "accepted ~ for %c at %zu", was, i);
		t.text[i] = '\0';
		ck_assert_int_eq(state_read(t.text, t.len, &nothing, NULL, &f), -EPROTO);
		t.text[i] = was;
	}
	state_free(&t);
}
END_TEST

START_TEST(state_refused)
{
#define HEAD "nasd-state 2\nserver 1 1 1 0102030405060708\n"
	static const char *const texts[] = {
		"nasd-state 1\nepoch 1\nend 2\n", "nasd-state 3\nserver 1 1 1 0102030405060708\nend 2\n",
		"server 1 1 1 0102030405060708\nend 1\n", "nasd-state 2\nend 1\n", HEAD "end 3\n",
		HEAD "end 2\n\n", HEAD "end 2\nend 3\n", "nasd-state 2\nserver 01 1 1 0102030405060708\nend 2\n",
		"nasd-state 2\nserver -1 1 1 0102030405060708\nend 2\n",
		"nasd-state 2\nserver 18446744073709551616 1 1 0102030405060708\nend 2\n",
		"nasd-state 2\nserver 1 4294967296 1 0102030405060708\nend 2\n",
		"nasd-state 2\nserver 1 1 1 01020304050607\nend 2\n",
		"nasd-state 2\nserver 1 1 1 0102030405060708 \nend 2\n",
		"nasd-state 2\nserver  1 1 1 0102030405060708\nend 2\n",
		HEAD "open 00 00 00 1 1 1 1 1\nend 3\n",
		HEAD "client 1 0102030405060708 00 1 0 0 0 0 0 0 2 0 -\nend 3\n",
		HEAD "client 1 0102030405060708 0 1 0 0 0 0 0 0 1 0 -\nend 3\n",
		HEAD "client 1 01020304050607 00 1 0 0 0 0 0 0 1 0 -\nend 3\n",
		HEAD "client 1 0102030405060708 00 1 0 0 0 0 4294967296 0 1 0 -\nend 3\n",
		HEAD "client 1 0102030405060708 0G 1 0 0 0 0 0 0 1 0 -\nend 3\n",
		HEAD "client 1 0102030405060708 00 1 0 0 0 0 0 0 1 0 - -\nend 3\n",
	};
	struct state_text t = {0}, into = {0};
	struct state_lock_row l = a_lock;
	struct fault f = {0};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		ck_assert_msg(state_read(texts[i], strlen(texts[i]), &nothing, NULL, &f) == -EPROTO, "%s",
			      texts[i]);
	/* what the sink says is what comes back */
	state_begin(&t, &a_server);
	state_put_client(&t, &a_client);
	state_put_session(&t, &a_session);
	state_put_open(&t, &an_open);
	l.seqid = 77;
	state_put_lock(&t, &l);
	ck_assert_int_eq(state_end(&t, &f), 0);
	ck_assert_int_eq(state_read(t.text, t.len, &again, &into, &f), -ENOLCK);
	state_free(&t);
	/* a reply without a session */
	state_begin(&t, &a_server);
	state_put_client(&t, &a_client);
	state_put_reply(&t, &a_reply);
	ck_assert_int_eq(state_end(&t, &f), 0);
	ck_assert_int_eq(state_read(t.text, t.len, &nothing, NULL, &f), -EPROTO);
	state_free(&t);
	/* a lock without an open */
	state_begin(&t, &a_server);
	state_put_client(&t, &a_client);
	state_put_lock(&t, &a_lock);
	ck_assert_int_eq(state_end(&t, &f), 0);
	ck_assert_int_eq(state_read(t.text, t.len, &nothing, NULL, &f), -EPROTO);
	state_free(&t);
	state_free(&into);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsal pure");
	TCase *t = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_loop_test(t, table_is_found, 0, 61);
	tcase_add_test(t, table_is_not_guessed);
	tcase_add_test(t, object_is_found_once);
	tcase_add_test(t, method_is_found);
	tcase_add_test(t, operand_is_found);
	tcase_add_test(t, build_id);
	tcase_add_test(t, gate_holds_and_gives_back);
	tcase_add_test(t, gate_expires);
	tcase_add_test(t, gate_refuses);
	tcase_add_test(t, msg_good);
	tcase_add_test(t, msg_bad);
	tcase_add_test(t, msg_answers);
	tcase_add_test(t, state_round_trip);
	tcase_add_test(t, state_malformed);
	tcase_add_test(t, state_refused);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
