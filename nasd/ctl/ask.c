/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clocks.h"
#include "conn.h"
#include "printable.h"

enum { ASK_TIMEOUT_S = 15, PATIENT_TIMEOUT_S = 120 };

static const struct {
	const char *name;
	enum cli_exit code;
} codes[] = {
	{ "input", CLI_USAGE },   { "refused", CLI_REFUSED }, { "system", CLI_FAILED },
	{ "timeout", CLI_UNKNOWN }, { "peer", CLI_FAILED },   { "internal", CLI_FAILED },
};

static enum cli_exit code_of(const json_t *error)
{
	const char *cls = js_text(error, "class");

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (!strcmp(cls, codes[i].name))
			return codes[i].code;
	return CLI_FAILED;
}

static enum cli_exit fail(struct answer *a, enum cli_exit code, const struct err *err)
{
	a->error = ctl_error_json(err);
	a->code = code;
	return code;
}

static int64_t deadline_of(const struct cli *cli, const struct ctl_request *req)
{
	bool patient = req->cmd == CTL_SWITCHOVER || req->cmd == CTL_TAKEOVER || req->cmd == CTL_FENCE_CHECK;
	unsigned seconds = patient ? PATIENT_TIMEOUT_S : ASK_TIMEOUT_S;

	if (cli->timeout_s)
		seconds = cli->timeout_s;
	else if (req->cmd == CTL_WATCH)
		return 0;
	return monotonic_us() + (int64_t)seconds * 1000000;
}

/* The result is in: what it says. */
static enum cli_exit take_result(const struct cli *cli, json_t *obj, struct answer *a)
{
	json_t *o = cli->json ? json_incref(obj) : json_printable(obj);
	bool ok = !strcmp(js_text(o, "result"), "ok");
	struct err err;

	a->data = json_incref(json_object_get(o, "data"));
	a->findings = json_incref(json_object_get(o, "findings"));
	a->error = ok ? NULL : json_incref(json_object_get(o, "error"));
	a->told = true;
	json_decref(o);
	if (!ok && !a->error) {
		err_set(&err, ERR_PEER, EPROTO, "nasd", "an error that does not say which");
		return fail(a, CLI_FAILED, &err);
	}
	a->code = ok ? CLI_DONE : code_of(a->error);
	return a->code;
}

/* Reads up to the result. */
static enum cli_exit converse(const struct cli *cli, struct conn *c, const struct ctl_request *req,
			      bool (*on_event)(json_t *event, void *data), void *data, struct answer *a)
{
	int64_t deadline = deadline_of(cli, req);
	AUTO_FREE char *text = ctl_request_format(req);
	struct err err;
	int ret = -ENOMEM;

	err_clear(&err);
	if (text)
		ret = conn_send(c, text, deadline, &err);
	while (ret == 0) {
		enum cli_exit code;
		bool go_on = true;
		json_t *obj;
		char *line;
		size_t len;

		ret = conn_line(c, deadline, &line, &len, &err);
		if (ret < 0)
			break;
		obj = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
		if (!json_is_object(obj)) {
			ret = err_set(&err, ERR_PEER, EPROTO, c->path, "the answer is not a JSON object");
			err_remedy(&err, "use the nasctl that was installed with this nasd");
		} else if (json_object_get(obj, "result")) {
			code = take_result(cli, obj, a);
			json_decref(obj);
			return code;
		} else if (on_event) {
			json_t *clean = cli->json ? json_incref(obj) : json_printable(obj);

			go_on = on_event(clean, data);
			json_decref(clean);
		}
		json_decref(obj);
		if (!go_on)
			return CLI_DONE;
	}
	/* It may have been carried out all the same. */
	if (ctl_cmd_changes(req->cmd))
		err_remedy(&err, "the outcome is not known: look at 'nasctl status' and %s",
			   req->cmd == CTL_FENCE_CONFIRM ? "'nasctl fence status'" : "'nasctl history'");
	if (ret == -ETIMEDOUT || ctl_cmd_changes(req->cmd))
		return fail(a, CLI_UNKNOWN, &err);
	return fail(a, ret == -ECONNRESET || ret == -EPIPE ? CLI_UNREACHABLE : CLI_FAILED, &err);
}

enum cli_exit ask(const struct cli *cli, const struct ctl_request *req,
		  bool (*on_event)(json_t *event, void *data), void *data, struct answer *a)
{
	enum cli_exit code;
	struct conn c;
	struct err err;

	memset(a, 0, sizeof(*a));
	err_clear(&err);
	if (conn_open(&c, cli->socket, ctl_cmd_is_public(req->cmd), &err) < 0)
		return fail(a, err.cls == ERR_REFUSED ? CLI_REFUSED : err.cls == ERR_INPUT ? CLI_USAGE :
			    CLI_UNREACHABLE, &err);
	code = converse(cli, &c, req, on_event, data, a);
	conn_close(&c);
	return code;
}

void answer_free(struct answer *a)
{
	json_decref(a->data);
	json_decref(a->error);
	json_decref(a->findings);
	memset(a, 0, sizeof(*a));
}

void print_json(const json_t *obj)
{
	json_dumpf(obj, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
	putchar('\n');
	fflush(stdout);
}

enum cli_exit answer_complain(const struct cli *cli, const struct answer *a)
{
	json_t *o;

	if (cli->json) {
		o = json_pack("{s:O}", "error", a->error);
		if (o && a->findings)
			json_object_set(o, "findings", a->findings);
		print_json(o);
		json_decref(o);
		return a->code;
	}
	o = json_printable(a->error);
	fprintf(stderr, "nasctl: %s: %s\n", js_text(o, "where"), js_text(o, "message"));
	if (js_text(o, "remedy")[0])
		fprintf(stderr, "remedy: %s\n", js_text(o, "remedy"));
	json_decref(o);
	return a->code;
}

enum cli_exit complain(const struct cli *cli, enum cli_exit code, const struct err *err)
{
	struct answer a = { .code = code, .error = ctl_error_json(err) };

	answer_complain(cli, &a);
	answer_free(&a);
	return code;
}

/* data, printable, with the newlines of data[key]; a new reference. */
static json_t *printable_lines(const json_t *data, const char *key)
{
	AUTO_FREE char *text = strdup(js_text(data, key));
	json_t *clean = json_printable(data);

	if (clean && text) {
		printable(text, true);
		json_object_set_new(clean, key, json_string(text));
	}
	return clean;
}

enum cli_exit ask_show_lines(const struct cli *cli, const struct ctl_request *req, const char *key,
			     void (*show)(FILE *out, const struct view *v, const json_t *data))
{
	struct cli raw = *cli;
	struct answer a;
	enum cli_exit code;
	json_t *clean;

	raw.json = true; /* not printable yet: that would cost the newlines */
	code = ask(&raw, req, NULL, NULL, &a);
	if (a.error) {
		answer_complain(cli, &a);
	} else if (cli->json) {
		print_json(a.data);
	} else {
		clean = printable_lines(a.data, key);
		show(stdout, &cli->view, clean);
		json_decref(clean);
	}
	answer_free(&a);
	return code;
}

enum cli_exit ask_show(const struct cli *cli, const struct ctl_request *req,
		       void (*show)(FILE *out, const struct view *v, const json_t *data))
{
	struct answer a;
	enum cli_exit code = ask(cli, req, NULL, NULL, &a);

	if (a.error)
		answer_complain(cli, &a);
	else if (cli->json)
		print_json(a.data);
	else
		show(stdout, &cli->view, a.data);
	answer_free(&a);
	return code;
}

enum cli_exit take_name(const struct cli *cli, const char *what, const char *name, char out[NAME_MAX_LEN])
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = name ? strlen(name) : 0;
	struct err err;

	err_clear(&err);
	if (!name)
		return CLI_DONE;
	if (len && len < NAME_MAX_LEN && strspn(name, allowed) == len) {
		memcpy(out, name, len + 1);
		return CLI_DONE;
	}
	err_set(&err, ERR_INPUT, EINVAL, what, "'%.64s' cannot be a name", name);
	err_remedy(&err, "1 to %d letters, digits, '.', '_' or '-'", NAME_MAX_LEN - 1);
	return complain(cli, CLI_USAGE, &err);
}

/* The group that is meant; NULL with err filled. */
static const json_t *find_group(const json_t *status, const char *name, struct err *err)
{
	const json_t *groups = json_object_get(status, "groups");

	if (!name && json_array_size(groups) == 1)
		return json_array_get(groups, 0);
	for (size_t i = 0; name && i < json_array_size(groups); i++)
		if (!strcmp(js_text(json_array_get(groups, i), "name"), name))
			return json_array_get(groups, i);
	err_set(err, ERR_INPUT, EINVAL, "group", name ? "there is no group '%s'" : "there are several groups%s",
		name ? name : "");
	err_remedy(err, name ? "'nasctl status' shows them" : "say which with --group");
	return NULL;
}

enum cli_exit other_node(const struct cli *cli, const char *group, char out[NAME_MAX_LEN])
{
	struct ctl_request req = { .cmd = CTL_STATUS };
	const char *self, *peer, *owner;
	const json_t *g;
	struct answer a;
	struct err err;
	enum cli_exit code = ask(cli, &req, NULL, NULL, &a);

	if (a.error) {
		answer_complain(cli, &a);
		answer_free(&a);
		return code;
	}
	err_clear(&err);
	self = js_text(a.data, "node");
	peer = js_text(json_object_get(a.data, "peer"), "node");
	g = find_group(a.data, group, &err);
	owner = js_text(g, "owner");
	if (g)
		code = take_name(cli, "node", !strcmp(owner, self) ? peer : self, out);
	else
		code = complain(cli, CLI_USAGE, &err);
	answer_free(&a);
	return code;
}
