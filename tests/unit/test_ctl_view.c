/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nasctl prints, from canned answers. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ctl_view.h"
#include "move.h"
#include "printable.h"
#include "table.h"
#include "timeline.h"

static void expect_part(const char *got, const char *part)
{
	ck_assert_msg(strstr(got, part) != NULL, "no '%s' in:\n%s", part, got);
}

/* ---- values */

START_TEST(durations)
{
	static const struct {
		int64_t us;
		const char *text;
	} rows[] = {
		{ -1, "-" }, { 0, "0 us" }, { 999, "999 us" }, { 3100, "3.1 ms" }, { 99949, "99.9 ms" },
		{ 99960, "100 ms" }, { 337900, "338 ms" }, { 999499, "999 ms" }, { 999600, "1.00 s" },
		{ 1930000, "1.93 s" }, { 61500000, "61.5 s" }, { 252000000, "4 min 12 s" }, { INT64_C(7380000000), "2 h 3 min" },
		{ INT64_C(439200000000), "5 d 2 h" },
	};
	char buf[VIEW_VALUE_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		ck_assert_str_eq(view_duration(rows[i].us, buf), rows[i].text);
	view_duration(INT64_MAX, buf);
}
END_TEST

START_TEST(sizes_and_times)
{
	char buf[VIEW_VALUE_MAX];

	ck_assert_str_eq(view_bytes(0, buf), "0 B");
	ck_assert_str_eq(view_bytes(1023, buf), "1023 B");
	ck_assert_str_eq(view_bytes(1572864, buf), "1.5 MiB");
	ck_assert_str_eq(view_bytes(INT64_C(200) << 30, buf), "200 GiB");
	view_bytes(INT64_MAX, buf);
	ck_assert_str_eq(view_time("2026-11-22T10:00:00.123Z", buf), "2026-11-22 10:00:00 UTC");
	ck_assert_str_eq(view_time("yesterday", buf), "yesterday");
}
END_TEST

START_TEST(what_a_terminal_must_not_see)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "plain, Gr\xc3\xbc\xc3\x9f" "e", "plain, Gr\xc3\xbc\xc3\x9f" "e" },
		{ "\033[31mred\033[0m", "[31mred[0m" },
		{ "a\nb\tc\rd", "ab cd" },
		{ "c1 \xc2\x9b" "31m", "c1 31m" },
		{ "del\x7f", "del" },
		{ "bidi \xe2\x80\xae" "gpj.exe", "bidi gpj.exe" },
		{ "broken \xff\xc3", "broken " },
		{ "long form \xc0\x9b", "long form " },
		{ "surrogate \xed\xa0\x80.", "surrogate ." },
		{ "", "" },
	};
	char text[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		strcpy(text, rows[i].in);
		printable(text, false);
		ck_assert_str_eq(text, rows[i].out);
	}
	strcpy(text, "\ta\n\033b\n");
	printable(text, true);
	ck_assert_str_eq(text, "\ta\nb\n");
}
END_TEST

START_TEST(printable_json_reaches_everything)
{
	json_t *o = parse("{\"a\":[{\"b\":\"x\\u001b[2Jy\"},\"\\u009b\",7,null,true]}");
	json_t *clean = json_printable(o), *want = parse("{\"a\":[{\"b\":\"x[2Jy\"},\"\",7,null,true]}");

	ck_assert(json_equal(clean, want));
	json_decref(o);
	json_decref(clean);
	json_decref(want);
}
END_TEST

START_TEST(columns_align)
{
	struct table t = { 0 };
	char *buf = NULL;
	size_t len;
	FILE *f = open_memstream(&buf, &len);

	table_add(&t, "a\tbb\tc");
	table_add(&t, "\033[31mr\xc3\xb6t\033[0m\t\tx");
	table_add(&t, "last\tword\t");
	table_print(&t, f, "> ");
	fclose(f);
	expect(buf, "> a     bb    c\n> \033[31mr\xc3\xb6t\033[0m         x\n> last  word\n");
}
END_TEST

/* ---- answers */

START_TEST(findings)
{
	expect(shown(view_findings, &plain,
		     "[{\"check\":\"peer-connected\",\"node\":null,\"ok\":true,\"message\":\"connected\",\"remedy\":\"\"},"
		     "{\"check\":\"drbd-uptodate\",\"node\":\"nas2\",\"ok\":false,\"message\":\"Inconsistent\","
		     "\"remedy\":\"wait\"}]"),
	       "ok    peer-connected         -        connected\n"
	       "FAIL  drbd-uptodate          nas2     Inconsistent\n"
	       "      remedy: wait\n");
}
END_TEST

START_TEST(plan)
{
	expect(shown(view_plan, &plain,
		     "[{\"name\":\"check\",\"stage\":\"check\",\"side\":\"both\",\"deadline_ms\":5000,\"undo\":\"\",\"help\":\"look\"},"
		     "{\"name\":\"warm\",\"stage\":\"check\",\"side\":\"target\",\"deadline_ms\":400,\"undo\":\"\",\"help\":\"x\"}]"),
	       "STAGE  STEP   WHERE   DEADLINE  UNDO  WHAT\n"
	       "check  check  both    5.00 s    -     look\n"
	       "       warm   target  400 ms    -     x\n");
}
END_TEST

START_TEST(history)
{
	char *got = shown(view_history, &plain,
			  "[{\"kind\":\"switchover\",\"result\":\"done\",\"group\":\"g\",\"epoch\":3,\"source\":\"nas1\","
			  "\"target\":\"nas2\",\"began\":\"2026-11-22T10:00:00.000Z\",\"total_us\":1930000,"
			  "\"freeze_us\":412000,\"requested_by\":\"uid 0 pid 7\",\"error\":null,\"steps\":[]},"
			  "{\"kind\":\"takeover\",\"result\":\"failed\",\"group\":\"g\",\"epoch\":2,\"source\":null,"
			  "\"target\":\"nas1\",\"total_us\":5,\"error\":{\"where\":\"step mount\",\"message\":\"no\"}}]");

	expect_part(got, "2026-11-22 10:00:00 UTC  g      switchover  nas1 -> nas2  3      done    412 ms  1.93 s  uid 0 pid 7\n");
	expect_part(got, "takeover    nas1          2      failed  -       5 us    -            step mount: no\n");
	free(got);
	expect(shown(view_history, &plain, "[]"), "no move so far\n");
}
END_TEST

static const char status_text[] =
	"{\"node\":\"nas1\",\"version\":\"0.1.0\",\"cluster\":\"demo\",\"config_hash\":\"0123456789abcdef\",\"uptime_s\":61,"
	"\"trigger\":\"manual\",\"peer\":{\"node\":\"nas2\",\"connected\":true,\"address\":\"10.77.2.12\",\"rtt_us\":412,"
	"\"version\":\"0.1.0\",\"config_same\":false,\"last_heard_ms\":120},\"groups\":[{\"name\":\"g\",\"state\":\"active\","
	"\"owner\":\"nas1\",\"epoch\":4,\"detail\":\"\",\"transaction\":null,\"local\":{\"valid\":true,\"drbd_known\":true,"
	"\"drbd_role\":\"Primary\",\"drbd_disk\":\"UpToDate\",\"drbd_cstate\":\"Connected\",\"mounted\":true,"
	"\"server\":\"serving\",\"server_pid\":8,\"exports_present\":1,\"exports_wanted\":1,\"clients\":2,\"connections\":1,"
	"\"journal_ok\":true,\"addresses\":[{\"text\":\"10.77.1.100/24\",\"ifname\":\"eth0\",\"present\":true,"
	"\"link_up\":true}]},\"peer\":{\"valid\":true,\"drbd_known\":true,\"drbd_role\":\"Secondary\","
	"\"drbd_disk\":\"Inconsistent\",\"drbd_cstate\":\"SyncTarget\",\"drbd_out_of_sync\":1048576,\"mount_dir_exists\":true,"
	"\"server\":\"warm\",\"server_pid\":9,\"clients\":2,\"journal_ok\":true,\"addresses\":[{\"text\":\"10.77.1.100/24\","
	"\"ifname\":\"eth0\",\"present\":false,\"link_up\":false}]},\"peer_facts_age_ms\":400,"
	"\"clients\":[{\"address\":\"10.77.1.22\",\"port\":812,\"local\":\"10.77.1.100\"}],\"client_records\":2,"
	"\"replicated\":2,\"last\":null}]}";

START_TEST(status)
{
	char *got = shown(view_status, &plain, status_text);

	expect_part(got, "nasd 0.1.0 on nas1, cluster demo, up 61.0 s, takeover: manual, configuration 0123456789ab\n");
	expect_part(got, "peer nas2: connected at 10.77.2.12, nasd 0.1.0, round trip 412 us, heard 120 ms ago, "
			 "configuration DIFFERENT\n");
	expect_part(got, "group g: active, owner nas1, epoch 4\n");
	expect_part(got, "  replication     Connected                 SyncTarget, out of sync 1.0 MiB\n");
	expect_part(got, "  10.77.1.100/24  present on eth0           absent, eth0 DOWN\n");
	expect_part(got, "nas2: data NOT up to date, ganesha warm, 2 client records (the active has 2), seen 400 ms ago\n");
	expect_part(got, "  connected    10.77.1.22 port 812 to 10.77.1.100\n");
	expect_part(got, "  last move    none so far\n");
	free(got);
}
END_TEST

static const char alarming_text[] =
	"{\"node\":\"nas1\",\"peer\":{\"node\":\"nas2\"},\"groups\":[{\"name\":\"g\",\"state\":\"active\","
	"\"owner\":\"nas1\",\"epoch\":4,\"peer_owner\":\"nas1\",\"peer_epoch\":3,\"split_brain\":true,\"resource\":\"r0\","
	"\"local\":{\"valid\":true,\"drbd_cstate\":\"StandAlone\",\"drbd_role\":\"Primary\",\"drbd_disk\":\"UpToDate\",\"drbd_out_of_sync\":12582912,"
	"\"drbd_alone_wall_us\":1795356067000000,\"mounted\":true,\"fs_readonly\":true,\"fs_size_bytes\":1073741824,"
	"\"fs_free_bytes\":1048576,\"server_unanswered_ms\":4000,\"server_silent_ms\":0,\"addresses\":[{\"text\":"
	"\"10.77.1.100/24\",\"ifname\":\"eth0\",\"present\":true,\"answered\":true,\"answered_mac\":\"02:00:00:00:00:09\"}]},"
	"\"peer\":{\"valid\":true,\"drbd_role\":\"Secondary\",\"drbd_disk\":\"Diskless\",\"drbd_out_of_sync\":4096,"
	"\"addresses\":[{\"text\":\"10.77.1.100/24\",\"ifname\":\"eth0\",\"answered\":true,\"answered_mac\":\"02:00:00:00:00:08\"}]}}]}";

START_TEST(alarms)
{
	char *got = shown(view_status, &plain, alarming_text);

	expect_part(got, "\n  SPLIT BRAIN  both copies of r0 were changed while they did not replicate; nothing resolves that by "
			 "itself\n"
			 "    nas1: Primary, disk UpToDate, 12.0 MiB changed here since 2026-11-22 14:01:07 UTC or before; its "
			 "journal: owner nas1, epoch 4; MOUNTED HERE\n"
			 "    nas2: Secondary, disk Diskless, 4.0 KiB changed here; its journal: owner nas1, epoch 3\n"
			 "    to keep nas1's copy and lose the 4.0 KiB changed on nas2:\n"
			 "      on nas2: drbdadm disconnect r0; drbdadm connect --discard-my-data r0\n"
			 "      on nas1: drbdadm connect r0\n"
			 "    to keep nas2's copy and lose the 12.0 MiB changed on nas1: (end the service there first: nasd(8), "
			 "SPLIT BRAIN)\n"
			 "      on nas1: drbdadm connect --discard-my-data r0\n");
	expect_part(got, "\n  READ-ONLY    nas1: ");
	expect_part(got, "\n  nearly full  nas1: 1.0 MiB free in the filesystem");
	expect_part(got, "\n  NO ANSWER    nas1: ganesha has not answered an NFS call for 4.00 s, but it does otherwise\n");
	expect_part(got, "\n  STOLEN       10.77.1.100/24: another host, 02:00:00:00:00:09, answers for it on eth0: ");
	expect_part(got, "\n  DISK         nas2: its own disk is Diskless; ");
	/* the standby's own look at an address that the active has is no theft */
	ck_assert_ptr_null(strstr(got, "another host, 02:00:00:00:00:08"));
	free(got);
	got = shown(view_status, &plain, status_text);
	ck_assert_ptr_null(strstr(got, "SPLIT BRAIN"));
	ck_assert_ptr_null(strstr(got, "NO ANSWER"));
	ck_assert_ptr_null(strstr(got, "FULL"));
	free(got);
}
END_TEST

/* Whatever is missing or of another type: no crash. */
START_TEST(poor_answers)
{
	static const char *const poor[] = {
		"{}", "[]", "null", "7", "[[]]", "[null]", "{\"groups\":[{}]}", "{\"groups\":[{\"local\":7,\"peer\":[]}]}",
		"{\"groups\":{\"a\":1},\"peer\":\"x\"}", "{\"groups\":[{\"local\":{\"valid\":true}}]}",
		"{\"groups\":[{\"owner\":\"a\",\"peer\":{\"valid\":true,\"addresses\":[{},7]}}],\"node\":\"a\"}",
		"[{\"error\":7,\"steps\":[7],\"total_us\":\"x\"}]",
	};
	static void (*const views[])(FILE *, const struct view *, const json_t *) = {
		view_status, view_findings, view_plan, view_history, view_step, view_entry_summary,
	};
	const struct view colour = { .width = 40, .colour = true, .utf8 = true };

	for (size_t i = 0; i < sizeof(poor) / sizeof(*poor); i++) {
		json_t *o = json_loads(poor[i], JSON_DECODE_ANY, NULL);

		for (size_t j = 0; j < sizeof(views) / sizeof(*views); j++) {
			char *buf = NULL;
			size_t len;
			FILE *f = open_memstream(&buf, &len);

			views[j](f, &colour, o);
			fclose(f);
			free(buf);
		}
		json_decref(o);
	}
}
END_TEST

/* ---- moves */

START_TEST(verdicts)
{
	json_t *old = parse("{\"epoch\":3,\"began\":\"a\",\"result\":\"done\"}");
	json_t *back = parse("{\"epoch\":4,\"began\":\"b\",\"result\":\"rolled-back\"}");
	json_t *failed = parse("{\"epoch\":4,\"began\":\"b\",\"result\":\"failed\"}");
	json_t *refused = parse("{\"epoch\":3,\"began\":\"b\",\"result\":\"refused\"}");

	ck_assert_int_eq(move_verdict(CLI_FAILED, old, back), CLI_ROLLED_BACK);
	ck_assert_int_eq(move_verdict(CLI_UNKNOWN, NULL, back), CLI_ROLLED_BACK);
	ck_assert_int_eq(move_verdict(CLI_UNKNOWN, old, failed), CLI_FAILED);
	ck_assert_int_eq(move_verdict(CLI_FAILED, old, refused), CLI_REFUSED);
	/* an old entry says nothing of this request */
	ck_assert_int_eq(move_verdict(CLI_REFUSED, back, back), CLI_REFUSED);
	ck_assert_int_eq(move_verdict(CLI_UNKNOWN, back, NULL), CLI_UNKNOWN);
	json_decref(old);
	json_decref(back);
	json_decref(failed);
	json_decref(refused);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl_view");
	TCase *tc = tcase_create("all");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, durations);
	tcase_add_test(tc, sizes_and_times);
	tcase_add_test(tc, what_a_terminal_must_not_see);
	tcase_add_test(tc, printable_json_reaches_everything);
	tcase_add_test(tc, columns_align);
	tcase_add_test(tc, findings);
	tcase_add_test(tc, plan);
	tcase_add_test(tc, history);
	tcase_add_test(tc, status);
	tcase_add_test(tc, alarms);
	tcase_add_test(tc, poor_answers);
	tcase_add_test(tc, verdicts);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
