/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DRBD watched: a script stands in for drbdsetup and prints what a real one has. */
#include "corpus.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drbd_watch.h"
#include "log.h"
#include "scratch.h"

enum { CHANGES_MAX = 128, LINE_LEN = 200 };

struct seen {
	unsigned n, live, dead, losses;
	char lines[CHANGES_MAX][LINE_LEN];
	char why[300];
};

static char dir[64];
static unsigned warnings;
static char warning[1024];

static void sink(enum log_priority prio, const struct log_fields *fields, const char *message, void *data)
{
	(void)fields;
	(void)data;
	if (prio > LOGP_WARNING)
		return;
	warnings++;
	snprintf(warning, sizeof(warning), "%s", message);
}

static void on_change(const struct drbd_diff *d, void *data)
{
	struct seen *s = data;
	char text[160];

	ck_assert_uint_lt(s->n, CHANGES_MAX);
	s->losses += drbd_diff_is_loss(d);
	snprintf(s->lines[s->n++], LINE_LEN, "%s %s", d->resource, drbd_diff_format(d, text, sizeof(text)));
}

static void on_live(bool live, const char *why, void *data)
{
	struct seen *s = data;

	s->live += live;
	s->dead += !live;
	snprintf(s->why, sizeof(s->why), "%s", why);
}

static const struct drbd_watch_ops ops = { on_change, on_live };

static void write_file(const char *name, const char *text, mode_t mode)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static bool file_exists(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static struct drbd_watch *start(sd_event *event, const char *script, struct seen *s)
{
	char program[128], text[2048];
	struct drbd_watch_spec spec = { .program = program, .retry_us = 20000, .idle_us = 100000 };
	struct drbd_watch *w;
	struct err err;

	if (script) {
		snprintf(text, sizeof(text), "#!/bin/sh\nD=%s\n%s\n", dir, script);
		write_file("drbdsetup", text, 0755);
	}
	snprintf(program, sizeof(program), "%s/drbdsetup", dir);
	memset(s, 0, sizeof(*s));
	w = drbd_watch_new(event, &spec, &ops, s, &err);
	ck_assert_msg(w != NULL, "%s", err.msg);
	return w;
}

/* Runs the loop until the condition holds; 10 s at most. */
#define UNTIL(event, cond) \
	do { \
		for (int turns_ = 0; !(cond); turns_++) { \
			ck_assert_msg(turns_ < 1000, "not within 10 s: %s", #cond); \
			ck_assert_int_ge(sd_event_run(event, 10000), 0); \
		} \
	} while (0)

static sd_event *setup(void)
{
	sd_event *event = NULL;

	snprintf(dir, sizeof(dir), "/tmp/nasd-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_ge(sd_event_new(&event), 0);
	warnings = 0;
	warning[0] = '\0';
	return event;
}

static void teardown(sd_event *event, struct drbd_watch *w)
{
	drbd_watch_free(w);
	sd_event_unref(event);
	ck_assert_int_eq(scratch_remove(dir), 0);
}

static const char *const recorded[] = {
	"r0 connection: StandAlone -> Unconnected",
	"r0 connection: Unconnected -> Connecting",
	"r0 connection: Connecting -> Connected",
	"r0 peer role: Unknown -> Primary",
	"r0 disk: UpToDate -> Outdated",
	"r0 peer disk: DUnknown -> UpToDate",
	"r0 replication: Off -> WFBitMapT",
	"r0 replication: WFBitMapT -> WFSyncUUID",
	"r0 disk: Outdated -> Inconsistent",
	"r0 replication: WFSyncUUID -> SyncTarget",
	"r0 disk: Inconsistent -> UpToDate",
	"r0 replication: SyncTarget -> Established",
	"r0 disk: UpToDate -> Failed",
	"r0 disk: Failed -> Diskless",
};

/* What the kernel of the lab said, in pieces that end anywhere. */
START_TEST(recorded_stream)
{
	static struct seen s;
	sd_event *event = setup();
	char cwd[256], script[1024];
	struct drbd_watch *w;

	ck_assert_ptr_nonnull(getcwd(cwd, sizeof(cwd)));
	snprintf(script, sizeof(script),
		 "[ \"$*\" = events2 ] || exit 9\n"
		 "F=%s/tests/corpus/events-real/drbd84-secondary\n"
		 "head -c 1000 $F; sleep 0.05; tail -c +1001 $F; exec sleep 60",
		 cwd);
	w = start(event, script, &s);
	ck_assert(!drbd_watch_live(w));
	UNTIL(event, s.n && !strcmp(s.lines[s.n - 1], "r0 I/O: suspended -> running"));
	ck_assert(drbd_watch_live(w));
	ck_assert_uint_eq(s.live, 1);
	ck_assert_uint_eq(s.dead, 0);
	ck_assert_uint_eq(warnings, 0);
	for (size_t i = 0; i < sizeof(recorded) / sizeof(recorded[0]); i++)
		ck_assert_str_eq(s.lines[i], recorded[i]);
	ck_assert_str_eq(drbd_watch_find(w, "r0")->connection, "Connected");
	ck_assert_ptr_null(drbd_watch_find(w, "r1"));
	ck_assert_uint_eq(s.losses, 8);
	teardown(event, w);
}
END_TEST

/* The stream ends; what has changed meanwhile is told when it is back. */
START_TEST(restart_tells_what_was_missed)
{
	static struct seen s;
	sd_event *event = setup();
	struct drbd_watch *w = start(event,
				     "echo \"exists resource name:r0 role:$(cat $D/role) suspended:no\"\n"
				     "echo 'exists -'\n"
				     "while [ ! -e $D/stop ]; do sleep 0.01; done\n"
				     "rm $D/stop; echo 'good bye' >&2; exit 3",
				     &s);

	write_file("role", "Secondary", 0644);
	UNTIL(event, s.live == 1);
	ck_assert_uint_eq(s.n, 0);
	write_file("role", "Primary", 0644);
	write_file("stop", "", 0644);
	UNTIL(event, s.dead == 1);
	ck_assert(!drbd_watch_live(w));
	ck_assert_msg(strstr(s.why, "ended with status 3: good bye") != NULL, "%s", s.why);
	ck_assert_str_eq(drbd_watch_find(w, "r0")->role, "Secondary");
	UNTIL(event, s.live == 2);
	ck_assert_uint_eq(s.n, 1);
	ck_assert_str_eq(s.lines[0], "r0 role: Secondary -> Primary");
	ck_assert_uint_eq(warnings, 1);
	teardown(event, w);
}
END_TEST

/* A line that cannot be: the program is ended and started afresh. */
START_TEST(bad_line)
{
	static struct seen s;
	sd_event *event = setup();
	struct drbd_watch *w = start(event,
				     "echo 'exists resource name:r0 role:Primary suspended:no'\n"
				     "echo 'exists -'\n"
				     "[ -e $D/second ] || { >$D/second; echo 'exists nonsense'; }\n"
				     "exec sleep 60",
				     &s);

	UNTIL(event, s.dead == 1);
	ck_assert_msg(strstr(s.why, "line 3") != NULL, "%s", s.why);
	UNTIL(event, s.live == 2);
	ck_assert_uint_eq(s.n, 0);
	ck_assert_uint_eq(warnings, 1);
	teardown(event, w);
}
END_TEST

/* No DRBD in the kernel: one warning for many tries. */
START_TEST(no_drbd)
{
	static struct seen s;
	sd_event *event = setup();
	struct drbd_watch *w = start(event,
				     "echo x >>$D/tries; [ $(wc -l <$D/tries) -lt 4 ] || >$D/enough\n"
				     "echo 'Failed to modprobe drbd' >&2; exit 20",
				     &s);

	UNTIL(event, file_exists("enough"));
	ck_assert_uint_eq(warnings, 1);
	ck_assert_msg(strstr(warning, "status 20: Failed to modprobe drbd") != NULL, "%s", warning);
	ck_assert_uint_eq(s.live + s.dead, 0);
	teardown(event, w);
}
END_TEST

/* No drbdsetup: one warning; installed later, it is found. */
START_TEST(no_program)
{
	static struct seen s;
	sd_event *event = setup();
	struct drbd_watch *w = start(event, NULL, &s);

	UNTIL(event, warnings);
	ck_assert_msg(strstr(warning, "No such file") != NULL, "%s", warning);
	write_file("drbdsetup.new", "#!/bin/sh\necho 'exists -'; exec sleep 60\n", 0755);
	{
		char from[128], to[128];

		snprintf(from, sizeof(from), "%s/drbdsetup.new", dir);
		snprintf(to, sizeof(to), "%s/drbdsetup", dir);
		ck_assert_int_eq(rename(from, to), 0);
	}
	UNTIL(event, s.live);
	ck_assert_uint_eq(warnings, 1);
	teardown(event, w);
}
END_TEST

/* It ends with the watch. */
START_TEST(ends_with_us)
{
	static struct seen s;
	sd_event *event = setup();
	struct drbd_watch *w = start(event, "echo $$ >$D/pid; echo 'exists -'; exec sleep 60", &s);
	char path[128];
	int pid = 0;
	FILE *f;

	UNTIL(event, s.live);
	snprintf(path, sizeof(path), "%s/pid", dir);
	f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%d", &pid), 1);
	fclose(f);
	ck_assert_int_eq(kill(pid, 0), 0);
	drbd_watch_free(w);
	ck_assert_int_ne(kill(pid, 0), 0);
	teardown(event, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys_drbd_watch");
	TCase *tc = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	log_set_sink(sink, NULL);
	suite_add_tcase(s, tc);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, recorded_stream);
	tcase_add_test(tc, restart_tells_what_was_missed);
	tcase_add_test(tc, bad_line);
	tcase_add_test(tc, no_drbd);
	tcase_add_test(tc, no_program);
	tcase_add_test(tc, ends_with_us);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
