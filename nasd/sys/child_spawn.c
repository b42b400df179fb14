/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "child_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

enum { FIRST_FREE_FD = 3 };

static int set_attributes(posix_spawnattr_t *attr, bool session)
{
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
	sigset_t none, all;
	int ret;

	sigemptyset(&none);
	sigfillset(&all);
	/* A session of its own includes a process group of its own. */
	flags = (short)(flags | (session ? POSIX_SPAWN_SETSID : POSIX_SPAWN_SETPGROUP));
	ret = posix_spawnattr_setflags(attr, flags);
	if (!ret)
		ret = posix_spawnattr_setsigmask(attr, &none);
	if (!ret)
		ret = posix_spawnattr_setsigdefault(attr, &all);
	if (!ret && !session)
		ret = posix_spawnattr_setpgroup(attr, 0);
	return ret;
}

static int set_actions(posix_spawn_file_actions_t *actions, const int fds[3])
{
	int ret = 0, i;

	for (i = 0; i < 3 && !ret; i++)
		ret = posix_spawn_file_actions_adddup2(actions, fds[i], i);
	if (!ret)
		ret = posix_spawn_file_actions_addclosefrom_np(actions, FIRST_FREE_FD);
	if (!ret)
		ret = posix_spawn_file_actions_addchdir_np(actions, "/");
	return ret;
}

static int spawn(const struct spawn_request *req, const int fds[3], pid_t *pid)
{
	static const char *const clean_env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL
	};
	const char *const *envp = req->envp ? req->envp : clean_env;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int ret;

	ret = posix_spawnattr_init(&attr);
	if (ret)
		return ret;
	ret = posix_spawn_file_actions_init(&actions);
	if (ret) {
		posix_spawnattr_destroy(&attr);
		return ret;
	}
	ret = set_attributes(&attr, req->session);
	if (!ret)
		ret = set_actions(&actions, fds);
	/* The prototype predates const; neither array is written to. */
	if (!ret)
		ret = posix_spawn(pid, req->path, &actions, &attr, (char **)(uintptr_t)req->argv,
				  (char **)(uintptr_t)envp);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return ret;
}

/*
 * Copies above 2: dup2 to 0-2 in order must not overwrite a source that is
 * still needed, and a descriptor that is in place already would keep its
 * close-on-exec flag.
 */
static int lift(const int fds[3], int lifted[3])
{
	int i;

	for (i = 0; i < 3; i++) {
		lifted[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FIRST_FREE_FD);
		if (lifted[i] < 0) {
			int errnum = errno;

			while (i-- > 0)
				close(lifted[i]);
			return errnum;
		}
	}
	return 0;
}

int child_spawn(const struct spawn_request *req, pid_t *pid, int *pidfd, struct err *err)
{
	int fds[3], ret, i;

	if (req->path[0] != '/')
		return err_set(err, ERR_INTERNAL, EINVAL, req->path, "not an absolute path");
	ret = lift(req->fds, fds);
	if (!ret) {
		ret = spawn(req, fds, pid);
		for (i = 0; i < 3; i++)
			close(fds[i]);
	}
	if (ret) {
		err_set(err, ERR_SYSTEM, ret, req->path, "cannot be run");
		return -ret;
	}
	*pidfd = pidfd_open(*pid, 0);
	if (*pidfd < 0) {
		ret = errno;
		/* Ours and not reaped yet: the number still means that process. */
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
		return err_set(err, ERR_SYSTEM, ret, req->path, "cannot be watched (pidfd)");
	}
	return 0;
}
