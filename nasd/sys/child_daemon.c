/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes that outlive nasd: started, found again, ended. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "child_spawn.h"
#include "cleanup.h"
#include "wait_fd.h"

enum { STAT_SIZE = 1024, EXE_SIZE = 512 };

int child_spawn_daemon(const char *path, const char *const argv[], const char *const envp[],
		       const char *log_path, struct child_proc *out, struct err *err)
{
	AUTO_CLOSE int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	AUTO_CLOSE int log = -1;
	struct spawn_request req = { .path = path, .argv = argv, .envp = envp, .session = true };
	struct child_proc p = { .pidfd = -1 };
	int ret;

	if (in < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot open /dev/null");
	log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
	if (log < 0)
		return err_set(err, ERR_SYSTEM, errno, log_path, "cannot open the log file");
	req.fds[0] = in;
	req.fds[1] = log;
	req.fds[2] = log;
	ret = child_spawn(&req, &p.pid, &p.pidfd, err);
	if (ret < 0)
		return ret;
	/* Even when it has ended already: as a zombie it still has a start time. */
	p.start_time = child_start_time(p.pid);
	*out = p;
	return 0;
}

/*
 * Fields 3 (state) and 22 (start time) of /proc/PID/stat (proc(5)); the name in
 * field 2 may hold spaces and parentheses, so count from the last one.
 */
static int read_stat(pid_t pid, char *state, uint64_t *start)
{
	char path[40], text[STAT_SIZE], *p;
	AUTO_CLOSE int fd = -1;
	ssize_t n;
	int field;

	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	p = strrchr(text, ')');
	if (!p || p[1] != ' ')
		return -EPROTO;
	p += 2;
	*state = *p;
	for (field = 3; field < 22 && p; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	if (!p || sscanf(p, "%" SCNu64, start) != 1)
		return -EPROTO;
	return 0;
}

uint64_t child_start_time(pid_t pid)
{
	uint64_t start;
	char state;

	return pid > 0 && read_stat(pid, &state, &start) == 0 ? start : 0;
}

static int check_exe(pid_t pid, const char *exe, struct err *err)
{
	static const char deleted[] = " (deleted)";
	char path[40], link[EXE_SIZE];
	AUTO_FREE char *real = realpath(exe, NULL);
	ssize_t n;
	size_t len;

	snprintf(path, sizeof(path), "/proc/%ld/exe", (long)pid);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot tell what the process runs");
	link[n] = '\0';
	len = strlen(link);
	if (len >= sizeof(deleted) && !strcmp(link + len - (sizeof(deleted) - 1), deleted))
		link[len - (sizeof(deleted) - 1)] = '\0';
	if (strcmp(link, exe) && (!real || strcmp(link, real)))
		return err_set(err, ERR_REFUSED, ESRCH, path, "process %ld runs %s, not %s",
			       (long)pid, link, exe);
	return 0;
}

int child_adopt(pid_t pid, uint64_t start_time, const char *exe, struct child_proc *out,
		struct err *err)
{
	AUTO_CLOSE int fd = -1;
	uint64_t start = 0;
	char state = '?';
	int ret;

	if (pid <= 0)
		return err_set(err, ERR_INPUT, ESRCH, "adopt", "%ld is not a process", (long)pid);
	/* First the handle, then the questions: the answers are about whoever the
	 * handle holds, as long as it is alive afterwards. */
	fd = pidfd_open(pid, 0);
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "adopt", "process %ld", (long)pid);
	ret = read_stat(pid, &state, &start);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, "adopt", "process %ld", (long)pid);
	if (start != start_time)
		return err_set(err, ERR_REFUSED, ESRCH, "adopt",
			       "process %ld began at another time: it is somebody else", (long)pid);
	if (state == 'Z' || state == 'X')
		return err_set(err, ERR_REFUSED, ESRCH, "adopt", "process %ld has ended", (long)pid);
	ret = exe ? check_exe(pid, exe, err) : 0;
	if (ret < 0)
		return ret;
	if (child_ended(fd))
		return err_set(err, ERR_REFUSED, ESRCH, "adopt", "process %ld has ended", (long)pid);
	out->pid = pid;
	out->start_time = start;
	out->pidfd = take_fd(&fd);
	return 0;
}

bool child_ended(int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

int child_reap(int pidfd, int *status)
{
	siginfo_t si = { 0 };

	if (waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | WNOHANG) < 0)
		return -errno;
	if (si.si_pid == 0)
		return -EAGAIN;
	if (status)
		*status = si.si_status;
	return 0;
}

/* Waits for the end, whatever signals come in between. */
static bool wait_end(int pidfd, uint64_t timeout_us)
{
	return wait_fd(pidfd, POLLIN, monotonic_us() + (int64_t)timeout_us) == 0 || child_ended(pidfd);
}

int child_kill(int pidfd, int sig, uint64_t timeout_us, struct err *err)
{
	if (sig && pidfd_send_signal(pidfd, sig, NULL, 0) < 0 && errno != ESRCH)
		return err_set(err, ERR_SYSTEM, errno, "kill", "cannot send signal %d", sig);
	if (!wait_end(pidfd, timeout_us))
		return err_set(err, ERR_TIMEOUT, ETIMEDOUT, "kill",
			       "the process has not ended %llu ms after signal %d",
			       (unsigned long long)timeout_us / 1000, sig);
	child_reap(pidfd, NULL);
	return 0;
}

void child_proc_release(struct child_proc *p)
{
	if (p->pidfd >= 0)
		close(p->pidfd);
	p->pidfd = -1;
}
