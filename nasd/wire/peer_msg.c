/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peer_msg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clients_text.h"
#include "json_field.h"
#include "json_tables.h"

static const char *phase_word(unsigned v)
{
	return txn_phase_name((enum txn_phase)v);
}

static const char *op_word(unsigned v)
{
	return clients_op_name((enum clients_op)v);
}

#define M(member, key, kind) JF_ROW(peer_msg, member, key, kind)
#define EPOCH M(epoch, "epoch", JF_U64)
#define COMMON M(group, "group", JF_NAME), EPOCH

static const struct jf intro_rows[] = {
	EPOCH,
	M(u.intro.node, "node", JF_NAME),
	M(u.intro.version, "version", JF_EXACT),
	M(u.intro.protocol, "protocol", JF_UINT),
	M(u.intro.config_hash, "config_hash", JF_NAME0),
	M(u.intro.boot_id, "boot_id", JF_NAME),
	M(u.intro.pulse_key, "pulse_key", JF_NAME),
	M(u.intro.pulse_session, "pulse_session", JF_U64),
};

static const struct jf hello_rows[] = {
	COMMON,
	M(u.hello.epoch, "owner_epoch", JF_U64),
	M(u.hello.max_epoch, "max_epoch", JF_U64),
	M(u.hello.owner, "owner", JF_NODE),
	JF_ROW_ENUM(peer_msg, u.hello.phase, "phase", phase_word, TXN_NONE, TXN_COMMITTED),
	M(u.hello.txn_epoch, "txn_epoch", JF_U64),
	M(u.hello.serving, "serving", JF_BOOL),
	M(u.hello.active, "active", JF_BOOL),
};

static const struct jf heartbeat_rows[] = {
	EPOCH,
	M(u.heartbeat.sent_us, "sent_us", JF_I64),
	M(u.heartbeat.echo_us, "echo_us", JF_I64),
	M(u.heartbeat.echo_held_us, "echo_held_us", JF_I64),
};

static const struct jf bare_rows[] = { COMMON };

static const struct jf facts_msg_rows[] = {
	COMMON,
	JF_ROW_OBJECT(peer_msg, u.facts, "facts", &json_facts_table, NULL),
};

static const struct jf step_rows[] = {
	COMMON,
	JF_ROW_OBJECT(peer_msg, u.step, "report", &json_report_table, NULL),
};

static const struct jf clients_rows[] = {
	COMMON,
	JF_ROW_ENUM(peer_msg, u.clients.op, "op", op_word, CLIENTS_FULL_BEGIN, CLIENTS_FULL_END),
	M(u.clients.seq, "seq", JF_U64),
	M(u.clients.text, "entries", JF_LINES),
};

static const struct jf ack_rows[] = { COMMON, M(u.clients.seq, "seq", JF_U64) };

static const struct jf state_rows[] = {
	COMMON,
	M(u.state.offset, "offset", JF_U64),
	M(u.state.total, "total", JF_U64),
	M(u.state.text, "text", JF_LINES),
};

static const struct jf answer_rows[] = {
	COMMON,
	M(u.answer.ok, "ok", JF_BOOL),
	JF_ROW_OBJECT(peer_msg, u.answer.err, "error", &json_error_table, json_error_present),
	M(u.answer.target, "target", JF_NODE),
	M(u.answer.request, "request", JF_U64),
};

static const struct jf_table intro_table = JF_TABLE(intro_rows);
static const struct jf_table hello_table = JF_TABLE(hello_rows);
static const struct jf_table heartbeat_table = JF_TABLE(heartbeat_rows);
static const struct jf_table bare_table = JF_TABLE(bare_rows);
static const struct jf_table facts_msg_table = JF_TABLE(facts_msg_rows);
static const struct jf_table step_table = JF_TABLE(step_rows);
static const struct jf_table clients_table = JF_TABLE(clients_rows);
static const struct jf_table ack_table = JF_TABLE(ack_rows);
static const struct jf_table state_table = JF_TABLE(state_rows);
static const struct jf_table answer_table = JF_TABLE(answer_rows);

static const struct jf_table *table_of(enum msg_type type)
{
	switch (type) {
	case MSG_INTRO: return &intro_table;
	case MSG_HELLO: return &hello_table;
	case MSG_HEARTBEAT: return &heartbeat_table;
	case MSG_FACTS: return &facts_msg_table;
	case MSG_STEP: return &step_table;
	case MSG_CLIENTS: return &clients_table;
	case MSG_CLIENTS_ACK: return &ack_table;
	case MSG_FACTS_REQ:
	case MSG_PREPARE:
	case MSG_PREPARED:
	case MSG_COMMIT:
	case MSG_CLAIM:
	case MSG_CLAIMED:
	case MSG_OUTDATE: return &bare_table;
	case MSG_REFUSED:
	case MSG_ABORT:
	case MSG_DONE:
	case MSG_REQUEST:
	case MSG_REPLY:
	case MSG_STATE_ACK:
	case MSG_OUTDATED: return &answer_table;
	case MSG_STATE: return &state_table;
	}
	return NULL;
}

/* What the table cannot say. */
static int check_intro(const struct peer_intro *i, struct err *err)
{
	if (strspn(i->pulse_key, "0123456789abcdef") != PULSE_KEY_LEN - 1)
		return err_set(err, ERR_INPUT, EPROTO, "pulse_key", "not %d lower-case hex digits", PULSE_KEY_LEN - 1);
	return 0;
}

static int check_state(const struct msg_state *s, struct err *err)
{
	size_t len = strlen(s->text);

	if (!len || s->total > STATE_TEXT_MAX || s->offset > s->total || len > s->total - s->offset)
		return err_set(err, ERR_INPUT, EPROTO, "text", "%zu bytes at %llu of %llu", len,
			       (unsigned long long)s->offset, (unsigned long long)s->total);
	return 0;
}

static int check_clients(const struct msg_clients *c, struct err *err)
{
	bool wanted = c->op == CLIENTS_ADD || c->op == CLIENTS_DEL;
	const char *p = c->text;
	struct client_entry e;
	unsigned line = 1;
	int r;

	if (wanted == !*p)
		return err_set(err, ERR_INPUT, EPROTO, "entries", wanted ? "\"%s\" needs some" : "\"%s\" has none",
			       clients_op_name(c->op));
	while ((r = clients_text_next(&p, &e)) > 0)
		line++;
	if (r < 0)
		return err_set(err, ERR_INPUT, EPROTO, "entries", "line %u is no entry", line);
	return 0;
}

static int check_message(const struct peer_msg *m, struct err *err)
{
	if (m->type == MSG_INTRO)
		return check_intro(&m->u.intro, err);
	if (m->type == MSG_CLIENTS)
		return check_clients(&m->u.clients, err);
	return m->type == MSG_STATE ? check_state(&m->u.state, err) : 0;
}

static int name_message(struct err *err, enum msg_type type, int ret)
{
	char prefix[64];

	snprintf(prefix, sizeof(prefix), "peer message %s", msg_type_name(type));
	jf_err_prefix(err, prefix, ": ");
	return ret;
}

int peer_msg_encode(const struct peer_msg *msg, char *buf, size_t size, struct err *err)
{
	const struct jf_table *table = table_of(msg->type);
	struct err own = { 0 };
	json_t *obj;
	size_t len;
	int r;

	if (!table)
		return err_set(err, ERR_INTERNAL, EINVAL, "peer message", "type %u is unknown",
			       (unsigned)msg->type);
	r = check_message(msg, &own);
	obj = r ? NULL : jf_write(table, msg, &own);
	if (!obj) {
		if (own.cls == ERR_INPUT)
			own.cls = ERR_INTERNAL; /* it is ours that is wrong */
		name_message(&own, msg->type, 0);
		if (err)
			*err = own;
		return -own.errnum;
	}
	if (size > PEER_MSG_MAX)
		size = PEER_MSG_MAX;
	len = json_dumpb(obj, buf, size, JSON_COMPACT);
	json_decref(obj);
	if (!len || len > size) {
		err_set(err, ERR_INTERNAL, EMSGSIZE, "", "%zu bytes, there is room for %zu", len, size);
		return name_message(err, msg->type, -EMSGSIZE);
	}
	return (int)len;
}

int peer_msg_decode(unsigned type, const void *payload, size_t len, struct peer_msg *msg, struct err *err)
{
	const struct jf_table *table = table_of((enum msg_type)type);
	json_t *obj;
	int r;

	memset(msg, 0, sizeof(*msg));
	if (!table)
		return err_set(err, ERR_INPUT, EPROTO, "peer message", "type %u is unknown", type);
	if (len > PEER_MSG_MAX) {
		err_set(err, ERR_INPUT, EPROTO, "", "%zu bytes, the limit is %d", len, PEER_MSG_MAX);
		return name_message(err, (enum msg_type)type, -EPROTO);
	}
	obj = jf_parse_object(len ? payload : "", len, "", EPROTO, err);
	if (!obj)
		return name_message(err, (enum msg_type)type, -EPROTO);
	msg->type = (enum msg_type)type;
	r = jf_read(table, obj, msg, err);
	json_decref(obj);
	if (!r)
		r = check_message(msg, err);
	if (!r)
		return 0;
	memset(msg, 0, sizeof(*msg));
	return name_message(err, (enum msg_type)type, r);
}
