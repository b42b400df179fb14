/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "corpus.h"

#include <errno.h>

#include "control.h"

static void must_refuse(const struct corpus_file *f)
{
	struct ctl_request req;
	struct err err = { 0 };
	int r;

	memset(&req, 0xa5, sizeof(req));
	r = ctl_request_parse(f->bytes, f->len, &req, &err);
	corpus_check_error(f, r, &err);
	ck_assert_int_eq(r, -EINVAL);
	ck_assert_msg(corpus_all_zero(&req, sizeof(req)), "%s: left something behind", f->name);
}

START_TEST(corpus)
{
	ck_assert_uint_ge(corpus_each("tests/corpus/control", "", must_refuse), 60);
}
END_TEST

static void round_trip(const struct ctl_request *req)
{
	struct ctl_request back;
	struct err err = { 0 };
	char *line = ctl_request_format(req);
	size_t len;

	ck_assert_ptr_nonnull(line);
	len = strlen(line);
	ck_assert_uint_gt(len, 1);
	ck_assert_int_eq(line[len - 1], '\n');
	ck_assert_ptr_eq(strchr(line, '\n'), line + len - 1);
	ck_assert_msg(ctl_request_parse(line, len - 1, &back, &err) == 0, "%s: %s", line, err.msg);
	ck_assert_mem_eq(req, &back, sizeof(back));
	free(line);
}

START_TEST(every_command_round_trips)
{
	for (int i = 0; i < CTL_CMD_COUNT; i++) {
		struct ctl_request req = { .cmd = (enum ctl_cmd)i };
		bool pair = i == CTL_CHECK || i == CTL_PLAN || i == CTL_SWITCHOVER || i == CTL_TAKEOVER ||
			    i == CTL_RELEASE;

		if (pair || i == CTL_FENCE_CONFIRM)
			memset(req.node, 'n', NAME_MAX_LEN - 1);
		if (i == CTL_FENCE_PEER) {
			memset(req.resource, 'r', CTL_RESOURCE_LEN - 1);
			memcpy(req.resource, "R-0_a.b", 7);
		}
		if (i == CTL_CLIENT_RELEASE)
			strcpy(req.address, "fd77:1::22");
		if (i == CTL_INJECT) {
			strcpy(req.step, "drbd-secondary");
			strcpy(req.what, "unknown");
			strcpy(req.when, "after");
		}
		round_trip(&req);
		if (pair || i == CTL_HISTORY || i == CTL_INJECT || i == CTL_GO) {
			strcpy(req.group, "vm_store-1");
			round_trip(&req);
		}
		if (i == CTL_HISTORY) {
			req.limit = 100000;
			round_trip(&req);
		}
		if (i == CTL_SWITCHOVER) {
			req.hold = 3600;
			round_trip(&req);
		}
		if (i == CTL_TAKEOVER) {
			strcpy(req.peer_confirmed_dead, "NAS-1.example.net");
			round_trip(&req);
			memset(req.peer_confirmed_dead, 0, sizeof(req.peer_confirmed_dead));
			strcpy(req.by, "pacemaker");
			round_trip(&req);
		}
	}
}
END_TEST

/* Running agents changes nothing, and is not for everybody all the same. */
START_TEST(who_may_ask_for_what)
{
	for (int i = 0; i < CTL_CMD_COUNT; i++) {
		bool changes = i == CTL_SWITCHOVER || i == CTL_TAKEOVER || i == CTL_INJECT || i == CTL_FENCE_PEER ||
			       i == CTL_FENCE_CONFIRM || i == CTL_GO || i == CTL_RELEASE || i == CTL_CLIENT_RELEASE;

		ck_assert_int_eq(ctl_cmd_changes((enum ctl_cmd)i), changes);
		ck_assert_int_eq(ctl_cmd_is_public((enum ctl_cmd)i), !changes && i != CTL_FENCE_CHECK);
	}
	ck_assert_str_eq(ctl_cmd_name(CTL_SWITCHOVER), "switchover");
	ck_assert_str_eq(ctl_cmd_name(CTL_CMD_COUNT), "invalid");
	ck_assert(ctl_cmd_changes(CTL_CMD_COUNT)); /* the careful answer */
	ck_assert(!ctl_cmd_is_public(CTL_CMD_COUNT));
}
END_TEST

static void check_json(json_t *obj, const char *want)
{
	char *text = json_dumps(obj, JSON_COMPACT);

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, want);
	free(text);
	json_decref(obj);
}

START_TEST(error_and_finding_json)
{
	static const char *const names[2] = { "nas1", "nas2" };
	struct err err = { 0 };
	struct finding f = { .check = "mount-free", .node = 1, .message = "/srv/a\x1b\xff is busy", .remedy = "unmount it" };

	err_set(&err, ERR_SYSTEM, ENOENT, "step mount", "cannot open\n/dev/drbd0");
	check_json(ctl_error_json(&err),
		   "{\"class\":\"system\",\"where\":\"step mount\",\"message\":\"cannot open?/dev/drbd0 "
		   "(No such file or directory)\",\"remedy\":\"\"}");
	err_set(&err, ERR_REFUSED, EAGAIN, "client", "it was heard");
	check_json(ctl_error_json(&err),
		   "{\"class\":\"refused\",\"where\":\"client\",\"message\":\"it was heard\",\"remedy\":\"\",\"again\":true}");
	check_json(ctl_finding_json(&f, names),
		   "{\"check\":\"mount-free\",\"node\":\"nas2\",\"ok\":false,\"message\":\"/srv/a?? is busy\","
		   "\"remedy\":\"unmount it\"}");
	f.node = NODE_NONE;
	f.ok = true;
	f.message[0] = f.remedy[0] = '\0';
	check_json(ctl_finding_json(&f, names),
		   "{\"check\":\"mount-free\",\"node\":null,\"ok\":true,\"message\":\"\",\"remedy\":\"\"}");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("control");

	tcase_add_test(tc, corpus);
	tcase_add_test(tc, every_command_round_trips);
	tcase_add_test(tc, who_may_ask_for_what);
	tcase_add_test(tc, error_and_finding_json);
	return corpus_run(tc, "wire/control");
}
