/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "msg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	F_REOPEN = 1 << 0,
	F_TIMEOUT = 1 << 1,
	F_ID = 1 << 2,
	F_NODE = 1 << 3,
	F_PATH = 1 << 4,
	F_BYTES = 1 << 5,
	F_RECORD = 1 << 6,
	F_BASE = 1 << 7,
	F_ADDRESS = 1 << 8,
};

static const struct op_row {
	const char *word;
	unsigned fields; /* all of them, and no others */
} ops[MSG_OP_COUNT] = {
	[MSG_STATUS] = {"status", 0},
	[MSG_GATE] = {"gate", F_REOPEN},
	[MSG_DRAIN] = {"drain", F_TIMEOUT},
	[MSG_THAW] = {"thaw", 0},
	[MSG_COMMIT] = {"commit", 0},
	[MSG_RELEASE] = {"release", F_PATH},
	[MSG_RESTORE] = {"restore", F_PATH},
	[MSG_DUMP] = {"dump", 0},
	[MSG_PRECOPY] = {"precopy", 0},
	[MSG_DUMP_SINCE] = {"dump-since", F_BASE},
	[MSG_LOAD] = {"load", F_BYTES},
	[MSG_EXPORT_ADD] = {"export-add", F_ID | F_PATH},
	[MSG_EXPORT_REMOVE] = {"export-remove", F_ID},
	[MSG_GRACE_START] = {"grace-start", F_NODE},
	[MSG_GRACE_LIFT] = {"grace-lift", 0},
	[MSG_RECORDS] = {"records", 0},
	[MSG_RECORD_KEPT] = {"record-kept", F_RECORD},
	[MSG_RECORD_ALONE] = {"record-alone", F_RECORD},
	[MSG_CLIENT_RELEASE] = {"client-release", F_ADDRESS},
};

static const struct number_row {
	const char *key;
	unsigned field;
	json_int_t min, max;
} numbers[] = {
	{"reopen_ms", F_REOPEN, 100, 600000},
	{"timeout_ms", F_TIMEOUT, 0, 60000},
	{"id", F_ID, 1, 65535},
	{"node_id", F_NODE, 0, 65535},
	{"bytes", F_BYTES, 1, MSG_BODY_MAX},
	{"record", F_RECORD, 1, INT64_MAX},
	{"base", F_BASE, 1, INT64_MAX},
};

const char *msg_op_name(enum msg_op op)
{
	return op >= MSG_STATUS && op < MSG_OP_COUNT ? ops[op].word : "?";
}

static int find_op(const json_t *obj, enum msg_op *op, struct fault *fault)
{
	const char *word = json_string_value(json_object_get(obj, "op"));

	if (json_integer_value(json_object_get(obj, "v")) != MSG_VERSION)
		return fault_set(fault, EPROTO, "not a request of version %d", MSG_VERSION);
	for (int i = MSG_STATUS; word && i < MSG_OP_COUNT; i++)
		if (!strcmp(ops[i].word, word)) {
			*op = (enum msg_op)i;
			return 0;
		}
	return fault_set(fault, EPROTO, "no such operation: %.40s", word ? word : "(none)");
}

static void put_number(struct msg_request *out, unsigned field, json_int_t value)
{
	if (field == F_REOPEN)
		out->reopen_ms = value;
	else if (field == F_TIMEOUT)
		out->timeout_ms = value;
	else if (field == F_ID)
		out->id = (unsigned)value;
	else if (field == F_BYTES)
		out->bytes = (size_t)value;
	else if (field == F_RECORD)
		out->record = (uint64_t)value;
	else if (field == F_BASE)
		out->base = (uint64_t)value;
	else
		out->node_id = (unsigned)value;
}

static int read_number(const struct number_row *row, const json_t *value, struct msg_request *out,
		       struct fault *fault)
{
	json_int_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < row->min || n > row->max)
		return fault_set(fault, EPROTO, "%s is not a number from %lld to %lld", row->key,
				 (long long)row->min, (long long)row->max);
	put_number(out, row->field, n);
	return 0;
}

static int read_path(const json_t *value, struct msg_request *out, struct fault *fault)
{
	const char *path = json_string_value(value);

	/* jansson refuses a NUL in a string, so what strlen sees is all of it */
	if (!path || path[0] != '/' || strlen(path) >= sizeof(out->path))
		return fault_set(fault, EPROTO, "path is not an absolute path");
	strcpy(out->path, path);
	return 0;
}

static int read_address(const json_t *value, struct msg_request *out, struct fault *fault)
{
	const char *text = json_string_value(value);
	size_t len = text ? strlen(text) : 0;

	if (!len || len >= sizeof(out->address) || strspn(text, "0123456789abcdef:.") != len)
		return fault_set(fault, EPROTO, "address is not an IP address");
	memcpy(out->address, text, len + 1);
	return 0;
}

static int read_fields(const json_t *obj, unsigned fields, struct msg_request *out,
		       struct fault *fault)
{
	size_t expected = 2; /* v and op */
	int ret = 0;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers) && ret == 0; i++)
		if (fields & numbers[i].field) {
			ret = read_number(&numbers[i], json_object_get(obj, numbers[i].key), out, fault);
			expected++;
		}
	if (ret == 0 && fields & F_PATH) {
		ret = read_path(json_object_get(obj, "path"), out, fault);
		expected++;
	}
	if (ret == 0 && fields & F_ADDRESS) {
		ret = read_address(json_object_get(obj, "address"), out, fault);
		expected++;
	}
	if (ret == 0 && json_object_size(obj) != expected)
		ret = fault_set(fault, EPROTO, "fields that %s does not have", msg_op_name(out->op));
	return ret;
}

int msg_parse(const char *line, size_t len, struct msg_request *out, struct fault *fault)
{
	json_error_t e;
	json_t *obj;
	int ret;

	memset(out, 0, sizeof(*out));
	if (len >= MSG_LINE_MAX)
		return fault_set(fault, EPROTO, "a line of more than %d bytes", MSG_LINE_MAX);
	obj = json_loadb(line, len, JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(obj))
		ret = fault_set(fault, EPROTO, "not a JSON object");
	else
		ret = find_op(obj, &out->op, fault);
	if (ret == 0)
		ret = read_fields(obj, ops[out->op].fields, out, fault);
	json_decref(obj);
	return ret;
}

/* A fault may quote what somebody sent. */
static json_t *fault_object(const struct fault *fault)
{
	char text[FAULT_TEXT_MAX];
	size_t i;

	for (i = 0; i < sizeof(text) - 1 && fault->text[i]; i++)
		text[i] = fault->text[i] >= ' ' && fault->text[i] <= '~' ? fault->text[i] : '?';
	text[i] = '\0';
	return json_pack("{sisbsiss}", "v", MSG_VERSION, "ok", 0, "errno", fault->errnum, "error", text);
}

/* With its newline; obj is taken over. */
static char *line_of(json_t *obj)
{
	char *text = obj ? json_dumps(obj, JSON_COMPACT) : NULL, *line = NULL;
	size_t len;

	if (text) {
		len = strlen(text);
		line = len + 1 < MSG_LINE_MAX ? malloc(len + 2) : NULL;
		if (line) {
			memcpy(line, text, len);
			memcpy(line + len, "\n", 2);
		}
	}
	free(text);
	json_decref(obj);
	return line;
}

char *msg_answer(json_t *fields, const struct fault *fault)
{
	json_t *obj = fault ? fault_object(fault) : json_pack("{sisb}", "v", MSG_VERSION, "ok", 1);

	if (obj && fields && json_object_update_missing(obj, fields) < 0) {
		json_decref(obj);
		obj = NULL;
	}
	json_decref(fields);
	return line_of(obj);
}

char *msg_record(uint64_t id, const char *name)
{
	return line_of(json_pack("{sisIss}", "v", MSG_VERSION, "record", (json_int_t)id, "name", name));
}
