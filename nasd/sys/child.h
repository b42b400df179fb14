/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs run by nasd. Always: absolute path, argv without a shell, the
 * environment that the caller gives and nothing else, every descriptor but 0-2
 * closed, signals at their defaults. Started with vfork semantics
 * (posix_spawn): no copy of nasd's page tables.
 */
#ifndef NASD_SYS_CHILD_H
#define NASD_SYS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "err.h"

enum child_end {
	CHILD_EXITED,     /* code holds the exit status */
	CHILD_SIGNALLED,  /* code holds the signal (not ours) */
	CHILD_TIMED_OUT,  /* we ended it: what it did is unknown */
	CHILD_NOT_RUN,    /* the program could not be executed: nothing was done */
};

struct child_spec {
	const char *path;         /* absolute */
	const char *const *argv;  /* NULL-terminated, argv[0] included */
	const char *const *envp;  /* NULL-terminated; NULL: PATH and LC_ALL=C only */
	const void *input;        /* stdin; NULL: /dev/null */
	size_t input_len;
	size_t output_max;        /* per stream, more is read and dropped; 0: 64 KiB */
	uint64_t timeout_us;      /* then TERM to its group; 0: 10 s */
	uint64_t kill_after_us;   /* after TERM, KILL; 0: 1 s */
	int cancel_fd;            /* readable: its time is over now, as if timeout_us had passed;
	                           * before the start: CHILD_NOT_RUN, -ECANCELED. 0: none */
};

struct child_result {
	enum child_end end;
	int code;
	char *out, *err_out;      /* stdout and stderr, always terminated */
	size_t out_len, err_len;
	bool truncated;           /* output_max was reached on either */
	uint64_t duration_us;
};

/*
 * Runs a program to its end; blocks, for lanes. Returns 0 when it exited with
 * status 0. Otherwise a negative code with err filled (the program's last line
 * on stderr included): -ENOENT, -EACCES, ... and CHILD_NOT_RUN when it could
 * not be executed; -ETIMEDOUT (ERR_TIMEOUT) when it was ended; -EIO when it
 * failed by itself, see result. Descendants that hold its pipes open after it
 * ended are killed with its process group. result is always filled and freed by
 * child_result_free.
 */
int child_run(const struct child_spec *spec, struct child_result *result, struct err *err);
void child_result_free(struct child_result *r);

/* A long-running process that survives nasd. */
struct child_proc {
	pid_t pid;
	int pidfd;               /* close-on-exec, owned by the holder of the struct */
	uint64_t start_time;     /* /proc/PID/stat field 22: ticks since boot */
};

/*
 * Starts it in a session of its own, stdin /dev/null, stdout and stderr
 * appended to log_path (created 0640). Returns when the program is executed.
 * As our child it becomes a zombie when it ends: reap it with
 * child_reap(pidfd) when the pidfd becomes readable.
 */
int child_spawn_daemon(const char *path, const char *const argv[], const char *const envp[],
		       const char *log_path, struct child_proc *out, struct err *err);

/*
 * Takes over a process that an earlier nasd started: it must have this start
 * time and run this executable (exe NULL: not compared; a replaced file's
 * " (deleted)" counts as the same). -ESRCH: that process is gone (or a zombie),
 * whoever has its pid now is somebody else.
 */
int child_adopt(pid_t pid, uint64_t start_time, const char *exe, struct child_proc *out,
		struct err *err);

/* Start time of a process; 0 when there is none. */
uint64_t child_start_time(pid_t pid);

/* True when the process behind pidfd has ended (a zombie has). Does not block. */
bool child_ended(int pidfd);

/*
 * Sends sig (0: none, only wait) and waits until the process has ended; blocks,
 * for lanes. Reaps it when it is our child. 0; -ETIMEDOUT when it lives on.
 * An ended process is success.
 */
int child_kill(int pidfd, int sig, uint64_t timeout_us, struct err *err);

/* Reaps our ended child without blocking; *status as in siginfo's si_status.
 * 0; -EAGAIN when it runs; -ECHILD when it is not ours. */
int child_reap(int pidfd, int *status);

/* Closes the pidfd; the process runs on. */
void child_proc_release(struct child_proc *p);

#endif
