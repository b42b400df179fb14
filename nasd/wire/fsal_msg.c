/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fsal_msg.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "json_field.h"

enum { VERSION = 1 };

static const struct op_row {
	const char *word, *number, *text; /* the fields' names; NULL: none */
} ops[FSAL_OP_COUNT] = {
	[FSAL_STATUS] = { "status", NULL, NULL },
	[FSAL_GATE] = { "gate", "reopen_ms", NULL },
	[FSAL_DRAIN] = { "drain", "timeout_ms", NULL },
	[FSAL_THAW] = { "thaw", NULL, NULL },
	[FSAL_DUMP] = { "dump", NULL, NULL },
	[FSAL_PRECOPY] = { "precopy", NULL, NULL },
	[FSAL_DUMP_SINCE] = { "dump-since", "base", NULL },
	[FSAL_LOAD] = { "load", "bytes", NULL },
	[FSAL_EXPORT_ADD] = { "export-add", "id", "path" },
	[FSAL_EXPORT_REMOVE] = { "export-remove", "id", NULL },
	[FSAL_GRACE_START] = { "grace-start", "node_id", NULL },
	[FSAL_GRACE_LIFT] = { "grace-lift", NULL, NULL },
	[FSAL_COMMIT] = { "commit", NULL, NULL },
	[FSAL_RELEASE] = { "release", NULL, "path" },
	[FSAL_RECORDS] = { "records", NULL, NULL },
	[FSAL_RECORD_KEPT] = { "record-kept", "record", NULL },
	[FSAL_RECORD_ALONE] = { "record-alone", "record", NULL },
	[FSAL_CLIENT_RELEASE] = { "client-release", NULL, "address" },
};

const char *fsal_op_name(enum fsal_op op)
{
	return op < FSAL_OP_COUNT ? ops[op].word : "invalid";
}

int fsal_request_encode(const struct fsal_request *req, char *buf, size_t size, struct err *err)
{
	const struct op_row *row = &ops[req->op];
	json_t *obj = json_pack("{s:i, s:s}", "v", VERSION, "op", row->word);
	size_t len = 0;

	if (obj && row->number)
		json_object_set_new(obj, row->number, json_integer((json_int_t)req->number));
	if (obj && row->text)
		json_object_set_new(obj, row->text, json_string(req->path));
	if (obj && json_object_size(obj) == 2U + (row->number != NULL) + (row->text != NULL))
		len = json_dumpb(obj, buf, size, JSON_COMPACT);
	json_decref(obj);
	if (!len || len + 1 > size || len + 1 > FSAL_LINE_MAX)
		return err_set(err, ERR_INTERNAL, EMSGSIZE, row->word, "a request that cannot be written");
	buf[len] = '\n';
	return (int)len + 1;
}

/* ---- answers */

struct reader {
	enum fsal_op op;
	const json_t *obj;
	struct err *err;
	int ret;
};

static void wrong(struct reader *r, const char *field)
{
	char where[64];

	if (r->ret < 0)
		return;
	snprintf(where, sizeof(where), "the module's answer to %s", ops[r->op].word);
	r->ret = err_set(r->err, ERR_INPUT, EPROTO, where, "%s is missing or of the wrong kind", field);
}

static bool flag(struct reader *r, const char *field)
{
	const json_t *v = json_object_get(r->obj, field);

	if (!json_is_boolean(v))
		wrong(r, field);
	return json_is_true(v);
}

static int64_t number(struct reader *r, const char *field)
{
	const json_t *v = json_object_get(r->obj, field);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		wrong(r, field);
	return json_is_integer(v) ? json_integer_value(v) : 0;
}

static void text(struct reader *r, const char *field, char out[FSAL_TEXT_MAX])
{
	const char *s = json_string_value(json_object_get(r->obj, field));

	if (!s)
		wrong(r, field);
	jf_clean_text(out, FSAL_TEXT_MAX, s ? s : "");
}

static void read_status(struct reader *r, struct fsal_answer *a)
{
	const char *gate = json_string_value(json_object_get(r->obj, "gate"));

	if (!gate)
		wrong(r, "gate");
	a->u.status.gate_open = gate && !strcmp(gate, "open");
	a->u.status.ready = flag(r, "ready");
	a->u.status.state_ready = flag(r, "state_ready");
	text(r, "reason", a->u.status.reason);
	text(r, "state_reason", a->u.status.state_reason);
	a->u.status.in_grace = flag(r, "in_grace");
	if (json_object_get(r->obj, "late_clients"))
		a->u.status.late_clients = number(r, "late_clients");
	a->u.status.has_load = json_object_get(r->obj, "can_load") != NULL;
	if (!a->u.status.has_load)
		return;
	a->u.status.can_load = flag(r, "can_load");
	if (json_object_get(r->obj, "load_reason"))
		text(r, "load_reason", a->u.status.load_reason);
}

static void read_fields(struct reader *r, struct fsal_answer *a)
{
	switch (r->op) {
	case FSAL_STATUS: read_status(r, a); break;
	case FSAL_DRAIN:
		a->u.drain.drained = flag(r, "drained");
		a->u.drain.held = number(r, "held");
		a->u.drain.running = number(r, "running");
		a->u.drain.unsent_connections = number(r, "unsent_connections");
		break;
	case FSAL_PRECOPY:
	case FSAL_DUMP_SINCE:
	case FSAL_DUMP:
		if (r->op == FSAL_PRECOPY)
			a->u.dump.base = (uint64_t)number(r, "base");
		a->bytes = (uint64_t)number(r, "bytes");
		a->u.dump.clients = number(r, "clients");
		a->u.dump.opens = number(r, "opens");
		a->u.dump.locks = number(r, "locks");
		if (json_object_get(r->obj, "drain_us")) { /* an older module does not say */
			a->u.dump.held = number(r, "held");
			a->u.dump.drain_us = number(r, "drain_us");
		}
		if (r->ret == 0 && (!a->bytes || a->bytes > STATE_TEXT_MAX))
			r->ret = err_set(r->err, ERR_INPUT, EPROTO, "the clients' state", "%llu bytes, the limit is %d",
					 (unsigned long long)a->bytes, STATE_TEXT_MAX);
		break;
	case FSAL_GRACE_START:
	case FSAL_GRACE_LIFT: a->u.in_grace = flag(r, "in_grace"); break;
	case FSAL_CLIENT_RELEASE: a->u.clients = number(r, "clients"); break;
	case FSAL_RECORDS: a->u.wait_ms = number(r, "record_wait_ms"); break;
	case FSAL_LOAD:
		if (json_object_get(r->obj, "late_clients"))
			a->u.load.late_clients = number(r, "late_clients");
		break;
	case FSAL_GATE:
	case FSAL_THAW:
	case FSAL_EXPORT_ADD:
	case FSAL_EXPORT_REMOVE:
	case FSAL_COMMIT:
	case FSAL_RELEASE:
	case FSAL_RECORD_KEPT:
	case FSAL_RECORD_ALONE:
	case FSAL_OP_COUNT: break;
	}
}

static void read_refusal(struct reader *r, struct fsal_answer *a)
{
	text(r, "error", a->error);
	if (json_object_get(r->obj, "errno"))
		a->errnum = (int)(number(r, "errno") & INT16_MAX);
}

int fsal_answer_decode(enum fsal_op op, const char *line, size_t len, struct fsal_answer *out,
		       struct err *err)
{
	struct reader r = { .op = op, .err = err };
	json_t *obj;

	memset(out, 0, sizeof(*out));
	obj = jf_parse_object(len ? line : "", len, "the module's answer", EPROTO, err);
	if (!obj)
		return -EPROTO;
	r.obj = obj;
	if (json_integer_value(json_object_get(obj, "v")) != VERSION)
		wrong(&r, "v");
	out->ok = flag(&r, "ok");
	if (json_object_get(obj, "run_us"))
		out->run_us = number(&r, "run_us");
	if (r.ret == 0 && out->ok)
		read_fields(&r, out);
	else if (r.ret == 0)
		read_refusal(&r, out);
	/* not said: what is half done must not be used */
	if (r.ret == 0 && !out->ok && op == FSAL_LOAD)
		out->replace = !json_is_false(json_object_get(obj, "replace"));
	json_decref(obj);
	if (r.ret < 0)
		memset(out, 0, sizeof(*out));
	return r.ret;
}

int fsal_record_decode(const char *line, size_t len, struct fsal_record *out, struct err *err)
{
	json_t *obj = jf_parse_object(len ? line : "", len, "a record from the module", EPROTO, err);
	const json_t *id = obj ? json_object_get(obj, "record") : NULL;
	const char *name = json_string_value(obj ? json_object_get(obj, "name") : NULL);
	int ret = obj ? 0 : -EPROTO;

	memset(out, 0, sizeof(*out));
	if (ret == 0 && json_integer_value(json_object_get(obj, "v")) != VERSION)
		ret = err_set(err, ERR_INPUT, EPROTO, "a record from the module", "not of version %d", VERSION);
	if (ret == 0 && (!json_is_integer(id) || json_integer_value(id) < 1))
		ret = err_set(err, ERR_INPUT, EPROTO, "a record from the module", "record is no number above 0");
	if (ret == 0 && (!name || !*name || strlen(name) >= sizeof(out->name)))
		ret = err_set(err, ERR_INPUT, EPROTO, "a record from the module", "name is missing, empty or too long");
	if (ret == 0) {
		out->id = (uint64_t)json_integer_value(id);
		memcpy(out->name, name, strlen(name) + 1);
	}
	json_decref(obj);
	return ret;
}
