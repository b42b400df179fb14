/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "json_field.h"

/* The fields a request may have besides v and cmd. */
enum ctl_field {
	FIELD_GROUP = 1 << 0,
	FIELD_NODE = 1 << 1,
	FIELD_DEAD = 1 << 2,
	FIELD_LIMIT = 1 << 3,
	FIELD_STEP = 1 << 4,
	FIELD_WHAT = 1 << 5,
	FIELD_WHEN = 1 << 6,
	FIELD_RESOURCE = 1 << 7,
	FIELD_OLD_COPY = 1 << 8,
	FIELD_HOLD = 1 << 9,
	FIELD_BY = 1 << 10,
	FIELD_ADDRESS = 1 << 11,
	FIELD_END = 1 << 12,
};

enum { HISTORY_LIMIT_MAX = 100000, HOLD_MAX = 3600 };

enum access { LOOKS, RUNS, CHANGES };

struct command {
	const char *name;
	enum access access;
	unsigned needs, allows;
};

static const struct command commands[CTL_CMD_COUNT] = {
	[CTL_STATUS] = { "status", LOOKS, 0, 0 },
	[CTL_WATCH] = { "watch", LOOKS, 0, 0 },
	[CTL_CHECK] = { "check", LOOKS, FIELD_NODE, FIELD_GROUP },
	[CTL_PLAN] = { "plan", LOOKS, FIELD_NODE, FIELD_GROUP },
	[CTL_SWITCHOVER] = { "switchover", CHANGES, FIELD_NODE, FIELD_GROUP | FIELD_HOLD | FIELD_BY },
	[CTL_TAKEOVER] = { "takeover", CHANGES, FIELD_NODE, FIELD_GROUP | FIELD_DEAD | FIELD_OLD_COPY | FIELD_BY },
	[CTL_HISTORY] = { "history", LOOKS, 0, FIELD_GROUP | FIELD_LIMIT },
	[CTL_CONFIG] = { "config", LOOKS, 0, 0 },
	[CTL_VERSION_CMD] = { "version", LOOKS, 0, 0 },
	[CTL_INJECT] = { "inject", CHANGES, FIELD_STEP | FIELD_WHAT | FIELD_WHEN, FIELD_GROUP },
	[CTL_FENCE_PEER] = { "fence-peer", CHANGES, FIELD_RESOURCE, 0 },
	[CTL_FENCE_CONFIRM] = { "fence-confirm", CHANGES, FIELD_NODE, 0 },
	[CTL_FENCE_STATUS] = { "fence-status", LOOKS, 0, 0 },
	[CTL_GO] = { "go", CHANGES, 0, FIELD_GROUP },
	[CTL_FENCE_CHECK] = { "fence-check", RUNS, 0, 0 },
	[CTL_RELEASE] = { "release", CHANGES, FIELD_NODE, FIELD_GROUP },
	[CTL_CLIENT_RELEASE] = { "client-release", CHANGES, FIELD_ADDRESS, FIELD_GROUP },
};

/* Nodes are host names, and DRBD names its resources; all else is named by the
 * configuration's rule. */
enum charset { OURS, HOST, ADDRESS };

struct name_field {
	const char *key;
	unsigned bit;
	size_t offset, size;
	enum charset charset;
};

#define AT(member) offsetof(struct ctl_request, member), sizeof(((struct ctl_request *)NULL)->member)

static const struct name_field name_fields[] = {
	{ "group", FIELD_GROUP, AT(group), OURS },
	{ "node", FIELD_NODE, AT(node), HOST },
	{ "peer_confirmed_dead", FIELD_DEAD, AT(peer_confirmed_dead), HOST },
	{ "step", FIELD_STEP, AT(step), OURS },
	{ "what", FIELD_WHAT, AT(what), OURS },
	{ "when", FIELD_WHEN, AT(when), OURS },
	{ "by", FIELD_BY, AT(by), OURS },
	{ "resource", FIELD_RESOURCE, AT(resource), HOST },
	{ "address", FIELD_ADDRESS, AT(address), ADDRESS },
};
enum { NAME_FIELDS = sizeof(name_fields) / sizeof(name_fields[0]) };

const char *ctl_cmd_name(enum ctl_cmd cmd)
{
	return (unsigned)cmd < CTL_CMD_COUNT ? commands[cmd].name : "invalid";
}

bool ctl_cmd_changes(enum ctl_cmd cmd)
{
	return (unsigned)cmd >= CTL_CMD_COUNT || commands[cmd].access == CHANGES;
}

bool ctl_cmd_is_public(enum ctl_cmd cmd)
{
	return (unsigned)cmd < CTL_CMD_COUNT && commands[cmd].access == LOOKS;
}

#define REFUSE(err, ...) err_set(err, ERR_INPUT, EINVAL, "control request", __VA_ARGS__)

/* Of these characters, and of them one at least. */
static bool is_made_of(const char *s, const char *characters)
{
	size_t n = strspn(s, characters);

	return n > 0 && s[n] == '\0';
}

static int read_name(const struct name_field *f, const json_t *v, struct ctl_request *req, struct err *err)
{
	const char *s = json_string_value(v);

	if (!s)
		return REFUSE(err, "\"%s\" must be a string", f->key);
	if (json_string_length(v) >= f->size)
		return REFUSE(err, "\"%s\" is longer than %zu characters", f->key, f->size - 1);
	if (f->charset == HOST && !jf_is_name(s, strlen(s)))
		return REFUSE(err, "\"%s\" is not the name of a %s (letters, digits, '-', '.', '_')", f->key,
			      f->bit == FIELD_RESOURCE ? "resource" : "node");
	if (f->charset == ADDRESS && !is_made_of(s, "0123456789abcdefABCDEF:."))
		return REFUSE(err, "\"%s\" is not an IP address", f->key);
	if (f->charset == OURS && !is_made_of(s, "abcdefghijklmnopqrstuvwxyz0123456789_-"))
		return REFUSE(err, "\"%s\" is not a name (a-z, 0-9, '_', '-')", f->key);
	memcpy((char *)req + f->offset, s, json_string_length(v) + 1);
	return 0;
}

static int read_number(const char *key, const json_t *v, int most, unsigned *out, struct err *err)
{
	json_int_t n = json_integer_value(v);

	if (!json_is_integer(v) || n < 1 || n > most)
		return REFUSE(err, "\"%s\" must be an integer from 1 to %d", key, most);
	*out = (unsigned)n;
	return 0;
}

/* One field besides v and cmd; *bit says which it was. */
static int read_field(const char *key, const json_t *v, struct ctl_request *req, unsigned *bit, struct err *err)
{
	char clean[NAME_MAX_LEN];

	for (unsigned i = 0; i < NAME_FIELDS; i++) {
		if (!strcmp(key, name_fields[i].key)) {
			*bit = name_fields[i].bit;
			return read_name(&name_fields[i], v, req, err);
		}
	}
	if (!strcmp(key, "limit")) {
		*bit = FIELD_LIMIT;
		return read_number(key, v, HISTORY_LIMIT_MAX, &req->limit, err);
	}
	if (!strcmp(key, "hold")) {
		*bit = FIELD_HOLD;
		return read_number(key, v, HOLD_MAX, &req->hold, err);
	}
	if (!strcmp(key, "accept_old_copy")) {
		*bit = FIELD_OLD_COPY;
		req->accept_old_copy = json_is_true(v);
		return json_is_boolean(v) ? 0 : REFUSE(err, "\"accept_old_copy\" must be true or false");
	}
	jf_clean_text(clean, sizeof(clean), key);
	return REFUSE(err, "unknown field \"%s\"", clean);
}

static const char *field_key(unsigned bit)
{
	for (unsigned i = 0; i < NAME_FIELDS; i++)
		if (name_fields[i].bit == bit)
			return name_fields[i].key;
	return "limit";
}

static int check_injection(const struct ctl_request *req, struct err *err)
{
	if (step_by_name(req->step) == STEP_NONE)
		return REFUSE(err, "there is no step \"%s\"", req->step);
	if (strcmp(req->what, "fail") && strcmp(req->what, "unknown") && strcmp(req->what, "kill") &&
	    strcmp(req->what, "reset") && strcmp(req->what, "stall"))
		return REFUSE(err, "\"what\" must be fail, unknown, kill, reset or stall");
	if (strcmp(req->when, "before") && strcmp(req->when, "after"))
		return REFUSE(err, "\"when\" must be before or after");
	return 0;
}

static int check_trigger(const struct ctl_request *req, struct err *err)
{
	if (!req->by[0])
		return 0;
	if (strcmp(req->by, "pacemaker") && strcmp(req->by, "keepalived"))
		return REFUSE(err, "\"by\" must be pacemaker or keepalived");
	if (req->peer_confirmed_dead[0] || req->accept_old_copy)
		return REFUSE(err, "\"by\" goes with proof, not with an operator's word");
	return 0;
}

static int read_head(const json_t *obj, struct ctl_request *req, struct err *err)
{
	const json_t *v = json_object_get(obj, "v");
	const char *cmd = json_string_value(json_object_get(obj, "cmd"));
	char clean[NAME_MAX_LEN];

	if (!json_is_integer(v))
		return REFUSE(err, "the protocol version \"v\" is missing or not an integer");
	if (json_integer_value(v) != CTL_VERSION) {
		REFUSE(err, "protocol version %lld, this nasd speaks version %d",
		       (long long)json_integer_value(v), CTL_VERSION);
		err_remedy(err, "use the nasctl that was installed with this nasd");
		return -EINVAL;
	}
	if (!cmd)
		return REFUSE(err, "the command \"cmd\" is missing or not a string");
	for (int i = 0; i < CTL_CMD_COUNT; i++) {
		if (!strcmp(cmd, commands[i].name)) {
			req->cmd = (enum ctl_cmd)i;
			return 0;
		}
	}
	jf_clean_text(clean, sizeof(clean), cmd);
	return REFUSE(err, "unknown command \"%s\"", clean);
}

static int read_request(json_t *obj, struct ctl_request *req, struct err *err)
{
	const struct command *c;
	unsigned seen = 0;
	const char *key;
	json_t *v;
	int r = read_head(obj, req, err);

	if (r)
		return r;
	c = &commands[req->cmd];
	json_object_foreach(obj, key, v) {
		unsigned bit = 0;

		if (!strcmp(key, "v") || !strcmp(key, "cmd"))
			continue;
		r = read_field(key, v, req, &bit, err);
		if (r)
			return r;
		if (!(bit & (c->needs | c->allows)))
			return REFUSE(err, "\"%s\" has no field \"%s\"", c->name, key);
		seen |= bit;
	}
	for (unsigned bit = 1; bit < FIELD_END; bit <<= 1)
		if (c->needs & ~seen & bit)
			return REFUSE(err, "\"%s\" needs the field \"%s\"", c->name, field_key(bit));
	return req->cmd == CTL_INJECT ? check_injection(req, err) : check_trigger(req, err);
}

int ctl_request_parse(const char *line, size_t len, struct ctl_request *req, struct err *err)
{
	json_t *obj;
	int r;

	memset(req, 0, sizeof(*req));
	if (len > CTL_REQUEST_MAX)
		return REFUSE(err, "longer than %d bytes", CTL_REQUEST_MAX);
	if (len && memchr(line, '\n', len))
		return REFUSE(err, "a newline inside the request");
	obj = jf_parse_object(len ? line : "", len, "control request", EINVAL, err);
	if (!obj)
		return -EINVAL;
	r = read_request(obj, req, err);
	json_decref(obj);
	if (r)
		memset(req, 0, sizeof(*req));
	return r;
}

char *ctl_request_format(const struct ctl_request *req)
{
	json_t *obj = json_pack("{s:i,s:s}", "v", CTL_VERSION, "cmd", ctl_cmd_name(req->cmd));
	char *line = NULL;
	int r = obj ? 0 : -1;
	size_t len;

	for (unsigned i = 0; !r && i < NAME_FIELDS; i++) {
		const char *value = (const char *)req + name_fields[i].offset;

		if (value[0])
			r = json_object_set_new(obj, name_fields[i].key, json_string(value));
	}
	if (!r && req->limit)
		r = json_object_set_new(obj, "limit", json_integer(req->limit));
	if (!r && req->hold)
		r = json_object_set_new(obj, "hold", json_integer(req->hold));
	if (!r && req->accept_old_copy)
		r = json_object_set_new(obj, "accept_old_copy", json_true());
	len = r ? 0 : json_dumpb(obj, NULL, 0, JSON_COMPACT);
	if (len)
		line = malloc(len + 2);
	if (line) {
		json_dumpb(obj, line, len, JSON_COMPACT);
		line[len] = '\n';
		line[len + 1] = '\0';
	}
	json_decref(obj);
	return line;
}

/* json_string of what is printable in text. */
static json_t *clean_string(const char *text)
{
	char clean[ERR_MSG_MAX + 128];

	jf_clean_text(clean, sizeof(clean), text);
	return json_string(clean);
}

json_t *ctl_error_json(const struct err *err)
{
	char msg[ERR_MSG_MAX + 128];
	bool sys = err->cls == ERR_SYSTEM && err->errnum;

	snprintf(msg, sizeof(msg), "%s%s%s%s", err->msg, sys ? " (" : "", sys ? strerror(err->errnum) : "",
		 sys ? ")" : "");
	return json_pack("{s:s,s:o,s:o,s:o,s:o*}", "class", err_class_name(err->cls), "where",
			 clean_string(err->where), "message", clean_string(msg), "remedy",
			 clean_string(err->remedy), "again",
			 !sys && err->errnum == EAGAIN ? json_true() : NULL);
}

json_t *ctl_finding_json(const struct finding *f, const char *const node_names[2])
{
	bool named = f->node == 0 || f->node == 1;

	return json_pack("{s:o,s:s?,s:b,s:o,s:o}", "check", clean_string(f->check), "node",
			 named ? node_names[f->node] : NULL, "ok", f->ok, "message", clean_string(f->message),
			 "remedy", clean_string(f->remedy));
}
