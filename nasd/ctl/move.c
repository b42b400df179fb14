/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "move.h"

#include <string.h>
#include <time.h>

struct live {
	const struct cli *cli;
	size_t steps;
	json_t *last;     /* printed last */
	unsigned repeats; /* of it, not printed */
};

static bool same_failure(const json_t *a, const json_t *b)
{
	static const char *const keys[] = { "name", "node", "outcome", "message" };

	if (!a || !strcmp(js_text(a, "outcome"), "done"))
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strcmp(js_text(a, keys[i]), js_text(b, keys[i])) != 0)
			return false;
	return true;
}

static void flush_repeats(struct live *l)
{
	if (l->repeats)
		printf("%10s  the same %u more time%s\n", "", l->repeats, l->repeats > 1 ? "s" : "");
	l->repeats = 0;
	fflush(stdout);
}

static bool on_step(json_t *event, void *data)
{
	struct live *l = data;

	if (strcmp(js_text(event, "event"), "step") != 0)
		return true;
	l->steps++;
	if (l->cli->json)
		return true;
	if (same_failure(l->last, event)) {
		l->repeats++;
		return true;
	}
	if (!l->last)
		view_step_head(stdout, &l->cli->view);
	flush_repeats(l);
	view_step(stdout, &l->cli->view, event);
	fflush(stdout);
	json_decref(l->last);
	l->last = json_incref(event);
	return true;
}

/* The newest history entry of the group, or NULL; a new reference. */
static json_t *newest(const struct cli *cli, const struct ctl_request *move)
{
	struct ctl_request req = { .cmd = CTL_HISTORY, .limit = 1 };
	struct cli quiet = *cli;
	struct answer a;
	json_t *entry;

	memcpy(req.group, move->group, sizeof(req.group));
	quiet.timeout_s = 0;
	ask(&quiet, &req, NULL, NULL, &a);
	entry = json_incref(json_array_get(json_object_get(a.data, "entries"), 0));
	answer_free(&a);
	return entry;
}

static bool is_new(const json_t *before, const json_t *after)
{
	return after && (!before || js_int(before, "epoch") != js_int(after, "epoch") ||
			 strcmp(js_text(before, "began"), js_text(after, "began")) != 0);
}

enum cli_exit move_verdict(enum cli_exit by_error, const json_t *before, const json_t *after)
{
	const char *result = js_text(after, "result");

	if (!is_new(before, after))
		return by_error;
	if (!strcmp(result, "rolled-back"))
		return CLI_ROLLED_BACK;
	if (!strcmp(result, "refused"))
		return CLI_REFUSED;
	if (!strcmp(result, "failed"))
		return CLI_FAILED;
	return by_error;
}

/* The entry is written a moment after the answer, at times. */
static json_t *entry_of(const struct cli *cli, const struct ctl_request *req, const json_t *before, bool expected)
{
	json_t *after = newest(cli, req);

	for (int tries = 0; expected && tries < 10 && !is_new(before, after); tries++) {
		json_decref(after);
		nanosleep(&(struct timespec){ .tv_nsec = 50 * 1000000 }, NULL);
		after = newest(cli, req);
	}
	return after;
}

static enum cli_exit explain(const struct cli *cli, const struct ctl_request *req, struct answer *a,
			     const json_t *before, size_t steps)
{
	json_t *after = NULL;

	/* An answer that never came is not explained by an older one. */
	if (a->told) {
		after = entry_of(cli, req, before, steps > 0);
		a->code = move_verdict(a->code, before, after);
	}
	if (!cli->json && a->findings)
		view_findings(stdout, &cli->view, a->findings);
	if (!cli->json && is_new(before, after))
		view_entry_summary(stdout, &cli->view, after);
	if (!cli->json && a->code == CLI_ROLLED_BACK)
		printf("the service is on %s, as before\n", js_text(after, "source"));
	fflush(stdout);
	json_decref(after);
	return answer_complain(cli, a);
}

/* What of data is a history entry; else a note, such as "it is active there already". */
static void show_end(const struct cli *cli, const json_t *data)
{
	if (cli->json)
		print_json(data);
	else if (json_object_get(data, "result"))
		view_entry_summary(stdout, &cli->view, data);
	else
		printf("%s\n", js_text(data, "note")[0] ? js_text(data, "note") : "done");
}

enum cli_exit move_run(const struct cli *cli, const struct ctl_request *req)
{
	json_t *before = newest(cli, req);
	struct live live = { .cli = cli };
	struct answer a;
	enum cli_exit code = ask(cli, req, on_step, &live, &a);

	flush_repeats(&live);
	json_decref(live.last);
	if (a.error)
		code = explain(cli, req, &a, before, live.steps);
	else
		show_end(cli, a.data);
	answer_free(&a);
	json_decref(before);
	return code;
}
