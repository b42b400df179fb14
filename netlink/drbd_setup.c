/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drbd_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "sock.h"

enum { OUT_MAX = 64 * 1024, QUERY_MS = 5000 };

static const char DRBDSETUP[] = "/usr/sbin/drbdsetup";

/* After fork: async-signal-safe calls only. An errno on fail_fd means: not started. */
static _Noreturn void child(const char *const argv[], int out_fd, int fail_fd)
{
	static char *const env[] = { (char *)(uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
				     (char *)(uintptr_t) "LC_ALL=C", NULL };
	sigset_t none;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), err;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
	/* All pipes are close-on-exec; what others opened carelessly is closed too. */
	if (dup2(null, 0) >= 0 && dup2(out_fd, 1) >= 0 && dup2(out_fd, 2) >= 0) {
		close_range(3, ~0u, 1u << 2); /* CLOSE_RANGE_CLOEXEC: fail_fd lives until exec */
		execve(argv[0], (char *const *)(uintptr_t)argv, env);
	}
	err = errno;
	if (write(fail_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

/* Reads until the end of the stream; false at the deadline. Too much text is dropped. */
static bool collect(int fd, int64_t until, char *out, size_t size)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char drop[512];
	size_t used = 0;

	for (;;) {
		int64_t left = until - net_now_ms();
		bool full = used + 1 >= size;
		ssize_t n;

		if (left <= 0)
			return false;
		if (poll(&pfd, 1, (int)left) <= 0)
			continue;
		n = read(fd, full ? drop : out + used, full ? sizeof(drop) : size - 1 - used);
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return true;
		if (n > 0 && !full)
			used += (size_t)n;
		out[used] = 0;
	}
}

/* Reaps pid, which may live a little longer than its output; kills it at the deadline. */
static bool reap(pid_t pid, int64_t until, int *status)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	bool in_time = true;
	pid_t got;

	while ((got = waitpid(pid, status, in_time ? WNOHANG : 0)) == 0 || (got < 0 && errno == EINTR)) {
		if (in_time && net_now_ms() >= until) {
			kill(-pid, SIGKILL);
			in_time = false;
		}
		if (in_time)
			nanosleep(&pause, NULL);
	}
	return in_time;
}

static int judge(const char *program, int status, bool in_time, unsigned timeout_ms, int *exit_code,
		 struct err *e)
{
	if (!in_time)
		return err_set(e, ERR_TIMEOUT, ETIMEDOUT, program, "killed after %u ms", timeout_ms);
	if (!WIFEXITED(status))
		return err_set(e, ERR_SYSTEM, EIO, program, "died of signal %d", WTERMSIG(status));
	*exit_code = WEXITSTATUS(status);
	return 0;
}

int drbd_setup_run(const char *const argv[], unsigned timeout_ms, char *out, size_t size, int *exit_code,
		   struct err *e)
{
	int64_t until = net_now_ms() + timeout_ms;
	int outp[2], failp[2], status = 0, why = 0;
	bool in_time;
	pid_t pid;

	out[0] = 0;
	if (pipe2(outp, O_CLOEXEC) < 0)
		return err_set(e, ERR_SYSTEM, errno, argv[0], "cannot make a pipe");
	AUTO_CLOSE int out_r = outp[0];
	AUTO_CLOSE int out_w = outp[1];
	if (pipe2(failp, O_CLOEXEC) < 0)
		return err_set(e, ERR_SYSTEM, errno, argv[0], "cannot make a pipe");
	AUTO_CLOSE int fail_r = failp[0];
	AUTO_CLOSE int fail_w = failp[1];
	pid = fork();
	if (pid < 0)
		return err_set(e, ERR_SYSTEM, errno, argv[0], "cannot fork");
	if (pid == 0)
		child(argv, out_w, fail_w);
	setpgid(pid, pid); /* both do it, so that it is done whoever comes first */
	close(take_fd(&out_w));
	close(take_fd(&fail_w));
	in_time = collect(out_r, until, out, size);
	in_time = reap(pid, in_time ? until : 0, &status) && in_time;
	if (fcntl(fail_r, F_SETFL, O_NONBLOCK) == 0 && read(fail_r, &why, sizeof(why)) == sizeof(why))
		return err_set(e, ERR_SYSTEM, why, argv[0], "cannot start the program");
	return judge(argv[0], status, in_time, timeout_ms, exit_code, e);
}

static void first_line(char *text)
{
	text[strcspn(text, "\n")] = 0;
}

/* drbdsetup prints "...State change failed: (-12) Device is held open by someone". */
static int refused(const char *where, char *text, int exit_code, struct err *e)
{
	static const struct {
		const char *code;
		int errnum;
	} codes[] = { { "(-1)", EALREADY }, { "(-2)", ENODATA },  { "(-6)", EISCONN },
		      { "(-12)", EBUSY },   { "(-16)", ENODATA }, { "(-18)", EAGAIN } };
	int errnum = EPERM;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strstr(text, codes[i].code))
			errnum = codes[i].errnum;
	first_line(text);
	err_set(e, ERR_REFUSED, errnum, where, "drbdsetup failed (exit status %d): %.200s", exit_code, text);
	err_remedy(e, "drbdsetup status --verbose shows the state");
	return -errnum;
}

int drbd_setup_change(const char *verb, const char *object, const char *option, unsigned timeout_ms,
		      const char *where, struct err *e)
{
	const char *argv[] = { DRBDSETUP, verb, object, option, NULL };
	char out[1024];
	int exit_code = 0;
	int ret = drbd_setup_run(argv, timeout_ms, out, sizeof(out), &exit_code, e);

	return ret || exit_code == 0 ? ret : refused(where, out, exit_code, e);
}

/* What drbdsetup prints, to be freed. */
static int ask(const char *const argv[], const char *where, char **out, struct err *e)
{
	int exit_code = 0, ret;

	*out = malloc(OUT_MAX);
	if (!*out)
		return err_set(e, ERR_SYSTEM, ENOMEM, "drbdsetup", "no memory");
	ret = drbd_setup_run(argv, QUERY_MS, *out, OUT_MAX, &exit_code, e);
	return ret || exit_code == 0 ? ret : refused(where, *out, exit_code, e);
}

int drbd_setup_query(unsigned minor, const char *resource, struct drbd_status *status, struct err *e)
{
	const char *const argv[] = { DRBDSETUP, "events2", "--now", "--statistics", NULL };
	AUTO_FREE char *out = NULL;
	int ret = ask(argv, "drbdsetup events2", &out, e);

	return ret ? ret : drbd_setup_parse(out, strlen(out), minor, resource, status, e);
}

int drbd_setup_fencing(const char *resource, enum drbd_fencing *fencing, struct err *e)
{
	const char *const argv[] = { DRBDSETUP, "show", "--show-defaults", resource, NULL };
	AUTO_FREE char *out = NULL;
	int ret = ask(argv, "drbdsetup show", &out, e);

	if (!ret)
		*fencing = drbd_setup_fencing_parse(out);
	return ret;
}
