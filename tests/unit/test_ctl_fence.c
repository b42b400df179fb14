/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nasctl fence: what it shows of recorded answers, and what it asks before it
 * passes an operator's word on. */
#include "corpus.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "ctl_view.h"

static const char idle[] =
	"{\"trigger\":\"heartbeat\",\"peer\":\"nas1\",\"phase\":\"idle\",\"explain\":\"nas1 is heard\",\"since\":null,"
	"\"story\":\"\",\"devices\":["
	"{\"name\":\"ipmi-1\",\"node\":\"nas1\",\"level\":1,\"agent\":\"/usr/sbin/fence_ipmilan\",\"said\":\"on\","
	"\"text\":\"status: on\",\"verified\":false},"
	"{\"name\":\"pdu-1\",\"node\":\"nas1\",\"level\":2,\"agent\":\"/usr/sbin/fence_apc\",\"said\":\"\","
	"\"text\":\"\",\"verified\":false}],\"watchdog\":\"armed\",\"questions\":[],"
	"\"liveness\":{\"silent\":false,\"heard_ms\":120,\"pauses\":0,\"paths\":["
	"{\"name\":\"10.77.2.11\",\"heard_ms\":120,\"peer_heard_ms\":95},"
	"{\"name\":\"10.77.1.11\",\"heard_ms\":2500,\"peer_heard_ms\":null},"
	"{\"name\":\"link\",\"heard_ms\":130}]}}";

START_TEST(in_peace)
{
	expect(shown(view_fence_status, &plain, idle),
	       "fencing of nas1: nothing under way\n"
	       "  nas1 is heard\n"
	       "  takeover     heartbeat\n"
	       "  watchdog     armed: it resets this node should nasd hang\n"
	       "  heard        120 ms ago\n"
	       "    PATH        HEARD HERE  HEARD THERE\n"
	       "    10.77.2.11  120 ms ago  95.0 ms ago\n"
	       "    10.77.1.11  2.50 s ago  never\n"
	       "    link        130 ms ago  -\n"
	       "\n"
	       "NODE  LEVEL  DEVICE  AGENT                    SAID  VERIFIED  TEXT\n"
	       "nas1  1      ipmi-1  /usr/sbin/fence_ipmilan  on    -         status: on\n"
	       "nas1  2      pdu-1   /usr/sbin/fence_apc      -     -\n");
}
END_TEST

static const char proven[] =
	"{\"trigger\":\"heartbeat\",\"peer\":\"nas1\",\"phase\":\"proven\",\"explain\":\"level 1 switched it off\","
	"\"since\":\"2026-11-22T10:00:00.250Z\",\"story\":\"+0 ms pdu-1: off\\n+35 ms pdu-1: off: done\\n"
	"+70 ms nas1 is fenced by level 1\",\"devices\":[{\"name\":\"pdu-1\",\"node\":\"nas1\",\"level\":1,"
	"\"agent\":\"/usr/sbin/fence_lab\",\"said\":\"off\",\"text\":\"status: off\",\"verified\":true}],"
	"\"watchdog\":\"starving\",\"questions\":[{\"resource\":\"r0\",\"since\":\"2026-11-22T09:59:59.000Z\"}],"
	"\"liveness\":{\"silent\":true,\"node_answers\":true,\"heard_ms\":null,\"pauses\":2,\"paths\":[]}}";

START_TEST(after_a_run)
{
	char *got;

	expect(shown(view_fence_status, &plain, proven),
	       "fencing of nas1: proven to be off (2026-11-22 10:00:00 UTC)\n"
	       "  level 1 switched it off\n"
	       "  takeover     heartbeat\n"
	       "  watchdog     STARVING: this node is about to be reset\n"
	       "  heard        never: silent, though the node runs (without nasd); this node itself was paused 2 times\n"
	       "  DRBD asks    r0, since 2026-11-22 09:59:59 UTC: its I/O is frozen until there is proof\n"
	       "\n"
	       "NODE  LEVEL  DEVICE  AGENT                SAID  VERIFIED  TEXT\n"
	       "nas1  1      pdu-1   /usr/sbin/fence_lab  off   yes       status: off\n"
	       "\n"
	       "the last run\n"
	       "  +0 ms pdu-1: off\n"
	       "  +35 ms pdu-1: off: done\n"
	       "  +70 ms nas1 is fenced by level 1\n");
	got = shown(view_fence_status, &(struct view){ .width = 100, .colour = true }, proven);
	ck_assert_ptr_nonnull(strstr(got, "\033[1mproven to be off\033[0m"));
	ck_assert_ptr_nonnull(strstr(got, "\033[1;31mSTARVING"));
	free(got);
	/* it is back: the proof is history; and what has not ended has no such time */
	got = shown(view_fence_status, &plain, "{\"peer\":\"n\",\"phase\":\"proven\",\"since\":\"x\","
		    "\"liveness\":{\"silent\":false,\"heard_ms\":1}}");
	ck_assert_msg(!strncmp(got, "fencing of n: was switched off, and is heard again (x)\n", 54), "%s", got);
	free(got);
	got = shown(view_fence_status, &plain, "{\"peer\":\"n\",\"phase\":\"fencing\",\"since\":\"x\"}");
	ck_assert_msg(!strncmp(got, "fencing of n: being switched off\n", 33), "%s", got);
	free(got);
}
END_TEST

START_TEST(every_word_has_its_text)
{
	static const char *const phases[] = { "idle", "delay", "fencing", "failed", "proven", "cancelled" };
	static const char *const dogs[] = { "none", "closed", "armed", "kept", "starving", "failed", "absent" };
	char text[128];

	for (size_t i = 0; i < sizeof(phases) / sizeof(*phases); i++) {
		snprintf(text, sizeof(text), "{\"peer\":\"n\",\"phase\":\"%s\"}", phases[i]);
		char *got = shown(view_fence_status, &plain, text);

		snprintf(text, sizeof(text), "fencing of n: %s\n", phases[i]);
		ck_assert_msg(strncmp(got, text, strlen(text)) != 0, "%s is not explained", phases[i]);
		free(got);
	}
	for (size_t i = 0; i < sizeof(dogs) / sizeof(*dogs); i++) {
		snprintf(text, sizeof(text), "{\"watchdog\":\"%s\"}", dogs[i]);
		char *got = shown(view_fence_status, &plain, text);

		snprintf(text, sizeof(text), "  watchdog     %s\n", dogs[i]);
		ck_assert_msg(!strstr(got, text), "%s is not explained", dogs[i]);
		free(got);
	}
	/* a later nasd's word is shown as it is */
	expect(shown(view_fence_status, &plain, "{\"peer\":\"n\",\"phase\":\"new\",\"watchdog\":\"odd\",\"trigger\":\"t\"}"),
	       "fencing of n: new\n  takeover     t\n  watchdog     odd\n  heard        -\n\n"
	       "no fence device: add sections `fence NAME { ... }', see nasd.conf(5)\n");
}
END_TEST

START_TEST(checks)
{
	expect(shown(view_fence_check, &plain,
		     "{\"devices\":[{\"name\":\"pdu-a\",\"node\":\"nas1\",\"level\":1,\"ok\":true,\"said\":\"on\",\"text\":\"status: on\"}],"
		     "\"ready\":true}"),
	       "ok    pdu-a            nas1     level 1  status: on\n"
	       "ready: each device answers, and says that its node is on\n");
	expect(shown(view_fence_check, &plain,
		     "{\"devices\":[{\"name\":\"pdu-a\",\"node\":\"nas1\",\"level\":1,\"ok\":false,\"said\":\"off\",\"text\":\"status: off\"},"
		     "{\"name\":\"ipmi\",\"node\":\"nas1\",\"level\":2,\"ok\":false,\"said\":\"timeout\",\"text\":\"\"},"
		     "{\"name\":\"good\",\"node\":\"nas1\",\"level\":3,\"ok\":true,\"said\":\"on\",\"text\":\"\"}],\"ready\":false}"),
	       "FAIL  pdu-a            nas1     level 1  status: off\n"
	       "      the device says off of a node that runs: it switches something else\n"
	       "FAIL  ipmi             nas1     level 2  timeout\n"
	       "ok    good             nas1     level 3  on\n"
	       "not ready: 2 of 3 devices do not say that their node is on\n");
	expect(shown(view_fence_check, &plain, "{\"devices\":[],\"ready\":false}"),
	       "not ready: there is no fence device; see nasd.conf(5)\n");
}
END_TEST

/* Whatever is missing or of another type: no crash. */
START_TEST(poor_answers)
{
	static const char *const poor[] = {
		"{}", "[]", "null", "7", "{\"devices\":7,\"liveness\":[],\"questions\":{}}", "{\"devices\":[7,null,[]]}",
		"{\"liveness\":{\"paths\":[7,{}],\"heard_ms\":\"x\",\"pauses\":-1}}", "{\"questions\":[null,{}]}",
		"{\"story\":7,\"since\":{}}", "{\"story\":\"\\n\\n\"}", "{\"ready\":\"yes\"}",
	};
	const struct view colour = { .width = 40, .colour = true, .utf8 = true };

	for (size_t i = 0; i < sizeof(poor) / sizeof(*poor); i++) {
		free(shown(view_fence_status, &colour, poor[i]));
		free(shown(view_fence_check, &colour, poor[i]));
	}
}
END_TEST

/* ---- the command, before a nasd of ours */

struct talk {
	int status;          /* nasctl's exit status */
	char request[512];   /* what it sent; empty: it never asked */
	char out[4096];      /* its standard output and error */
};

static size_t read_some(int fd, char *buf, size_t size)
{
	ssize_t n = read(fd, buf, size - 1);

	buf[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void nasctl(const char *socket_path, char *const *args, int n, const char *dead, bool json, int in, int out)
{
	struct cli cli = { .socket = socket_path, .args = args, .n_args = n, .confirmed_dead = dead, .json = json,
			   .view = plain };

	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	int code = (int)cli_fence(&cli);

	fflush(NULL);
	_exit(code);
}

/*
 * Runs `nasctl fence ARGS`. typed: what is typed on its terminal; NULL: there is
 * none. reply: nasd's answer.
 */
static void talk(struct talk *t, char *const *args, int n, const char *dead, const char *typed, bool json,
		 const char *reply)
{
	char dir[] = "/tmp/nasd-test-fence-XXXXXX";
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), out[2], terminal = -1, in, status;
	size_t used = 0;
	pid_t pid;

	memset(t, 0, sizeof(*t));
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", dir);
	ck_assert_int_eq(bind(server, (struct sockaddr *)&sa, sizeof(sa)), 0);
	ck_assert_int_eq(listen(server, 1), 0);
	ck_assert_int_eq(pipe2(out, O_CLOEXEC), 0);
	if (typed) {
		ck_assert_int_eq(openpty(&terminal, &in, NULL, NULL, NULL), 0);
		ck_assert_int_eq(write(terminal, typed, strlen(typed)), (ssize_t)strlen(typed));
	} else {
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	pid = fork();
	if (pid == 0)
		nasctl(sa.sun_path, args, n, dead, json, in, out[1]);
	close(out[1]);
	for (;;) {
		struct pollfd p[2] = { { .fd = out[0], .events = POLLIN }, { .fd = server, .events = POLLIN } };

		ck_assert_int_gt(poll(p, 2, -1), 0);
		if (p[1].revents) {
			int c = accept(server, NULL, NULL);

			read_some(c, t->request, sizeof(t->request));
			ck_assert_int_eq(write(c, reply, strlen(reply)), (ssize_t)strlen(reply));
			close(c);
		} else {
			size_t got = read_some(out[0], t->out + used, sizeof(t->out) - used);

			used += got;
			if (!got)
				break;
		}
	}
	waitpid(pid, &status, 0);
	t->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	close(in);
	close(out[0]);
	close(server);
	if (terminal >= 0)
		close(terminal);
	unlink(sa.sun_path);
	rmdir(dir);
}

static const char ok_note[] = "{\"result\":\"ok\",\"data\":{\"note\":\"nas1 counts as off\"}}\n";
static const char confirm_request[] = "{\"v\":1,\"cmd\":\"fence-confirm\",\"node\":\"nas1\"}\n";

START_TEST(a_word_is_given_twice)
{
	static const struct {
		const char *dead, *typed;
		int status;
	} rows[] = {
		{ "nas1", NULL, CLI_DONE },	{ "nas1", "nas2\n", CLI_DONE }, { NULL, "nas1\n", CLI_DONE },
		{ "nas2", NULL, CLI_USAGE },	{ "NAS1", NULL, CLI_USAGE },	{ NULL, NULL, CLI_USAGE },
		{ "nas2", "nas1\n", CLI_USAGE }, { "", NULL, CLI_USAGE },
		{ NULL, "nas2\n", CLI_REFUSED }, { NULL, "\n", CLI_REFUSED },	{ NULL, "yes\n", CLI_REFUSED },
		{ NULL, "nas1 \n", CLI_REFUSED }, { NULL, "\004", CLI_REFUSED },
	};
	char *args[] = { "confirm", "nas1" };

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct talk t;

		talk(&t, args, 2, rows[i].dead, rows[i].typed, false, ok_note);
		ck_assert_msg(t.status == rows[i].status, "row %zu: status %d: %s", i, t.status, t.out);
		ck_assert_str_eq(t.request, rows[i].status == CLI_DONE ? confirm_request : "");
		ck_assert_ptr_nonnull(strstr(t.out, "If it still writes, both copies of the data diverge"));
		if (rows[i].status == CLI_DONE)
			ck_assert_ptr_nonnull(strstr(t.out, "nas1 counts as off\n"));
		else
			ck_assert_ptr_nonnull(strstr(t.out, "nothing has changed"));
	}
}
END_TEST

START_TEST(nasd_refuses)
{
	char *args[] = { "confirm", "nas1" };
	struct talk t;

	talk(&t, args, 2, "nas1", NULL, false,
	     "{\"result\":\"error\",\"error\":{\"class\":\"refused\",\"where\":\"fence\",\"message\":\"nas1 is heard\","
	     "\"remedy\":\"switch it off first\"}}\n");
	ck_assert_int_eq(t.status, CLI_REFUSED);
	ck_assert_ptr_nonnull(strstr(t.out, "nas1 is heard"));
	ck_assert_ptr_nonnull(strstr(t.out, "remedy: switch it off first"));
	/* it hangs up: what came of it is not known */
	talk(&t, args, 2, "nas1", NULL, false, "");
	ck_assert_int_eq(t.status, CLI_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(t.out, "nasctl fence status"));
}
END_TEST

START_TEST(the_other_verbs)
{
	char *status[] = { "status" }, *check[] = { "check" }, *more[] = { "status", "nas1" }, *none[] = { "confirm" },
	     *odd[] = { "off", "nas1" };
	char reply[2048];
	struct talk t;

	snprintf(reply, sizeof(reply), "{\"result\":\"ok\",\"data\":%s}\n", proven);
	talk(&t, status, 1, NULL, NULL, false, reply);
	ck_assert_int_eq(t.status, CLI_DONE);
	ck_assert_str_eq(t.request, "{\"v\":1,\"cmd\":\"fence-status\"}\n");
	ck_assert_ptr_nonnull(strstr(t.out, "  +35 ms pdu-1: off: done\n  +70 ms")); /* lines are lines */
	talk(&t, status, 1, NULL, NULL, true, reply);
	json_t *got = json_loads(t.out, 0, NULL), *want = json_loads(proven, 0, NULL);
	ck_assert(json_equal(got, want));
	json_decref(got);
	json_decref(want);
	/* what a device says does not reach the terminal as a command */
	talk(&t, status, 1, NULL, NULL, false,
	     "{\"result\":\"ok\",\"data\":{\"peer\":\"n\",\"story\":\"a\\u001b[2Jb\\nc\",\"explain\":\"x\\u001by\"}}\n");
	ck_assert_ptr_null(strchr(t.out, '\033'));
	ck_assert_ptr_nonnull(strstr(t.out, "  a[2Jb\n  c\n"));
	talk(&t, check, 1, NULL, NULL, false, "{\"result\":\"ok\",\"data\":{\"devices\":[],\"ready\":false}}\n");
	ck_assert_int_eq(t.status, CLI_REFUSED);
	ck_assert_str_eq(t.request, "{\"v\":1,\"cmd\":\"fence-check\"}\n");
	talk(&t, check, 1, NULL, NULL, true, "{\"result\":\"ok\",\"data\":{\"devices\":[],\"ready\":true}}\n");
	ck_assert_int_eq(t.status, CLI_DONE);
	talk(&t, more, 2, NULL, NULL, false, ok_note);
	ck_assert_int_eq(t.status, CLI_USAGE);
	talk(&t, none, 1, NULL, NULL, false, ok_note);
	ck_assert_int_eq(t.status, CLI_USAGE);
	talk(&t, odd, 2, NULL, NULL, false, ok_note);
	ck_assert_int_eq(t.status, CLI_USAGE);
	talk(&t, status, 1, "nas1", NULL, false, ok_note);
	ck_assert_int_eq(t.status, CLI_USAGE);
	ck_assert_str_eq(t.request, "");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("fence");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, in_peace);
	tcase_add_test(tc, after_a_run);
	tcase_add_test(tc, every_word_has_its_text);
	tcase_add_test(tc, checks);
	tcase_add_test(tc, poor_answers);
	tcase_add_test(tc, a_word_is_given_twice);
	tcase_add_test(tc, nasd_refuses);
	tcase_add_test(tc, the_other_verbs);
	return corpus_run(tc, "ctl/fence");
}
