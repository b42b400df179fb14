// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The supervisor's nodes. Each is a User-Mode Linux in its own PID namespace,
 * so that killing its first process kills all of it: without that the node's
 * programs would run on as processes of the host, as root.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto.h"
#include "sup.h"

const char *sup_state_dir;
static struct sup_node nodes[SUP_NODES];

const char *sup_state_name(enum node_state s)
{
	switch (s) {
	case NODE_OFF: return "off";
	case NODE_BOOTING: return "booting";
	case NODE_READY: return "ready";
	case NODE_FAILED: return "failed";
	}
	return "?";
}

struct sup_node *sup_node_at(int i)
{
	return i < SUP_NODES && nodes[i].name[0] ? &nodes[i] : NULL;
}

struct sup_node *sup_node_find(const char *name)
{
	char path[512];
	int i;

	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p))
			return NULL;
	if (!*name || strlen(name) >= sizeof(nodes[0].name))
		return NULL;
	for (i = 0; i < SUP_NODES && nodes[i].name[0]; i++)
		if (!strcmp(nodes[i].name, name))
			return &nodes[i];
	snprintf(path, sizeof(path), "%s/node/%s/cmdline", sup_state_dir, name);
	if (i == SUP_NODES || access(path, R_OK))
		return NULL;
	strcpy(nodes[i].name, name);
	return &nodes[i];
}

static void __attribute__((noreturn))
node_exec(struct sup_node *n, char **argv)
{
	char path[512];
	sigset_t none;
	pid_t pid, got;
	int fd, nul, status;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	snprintf(path, sizeof(path), "%s/node/%s/console.log", sup_state_dir,
		 n->name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	nul = open("/dev/null", O_RDONLY);
	dup2(nul, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	close_range(3, ~0U, 0);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV, NULL)) {
		dprintf(2, "lab: /proc for %s: %s\n", n->name, strerror(errno));
		_exit(1);
	}
	snprintf(path, sizeof(path), "%s/mem", sup_state_dir);
	setenv("TMPDIR", path, 1);
	setenv("HOME", path, 1);
	pid = fork();
	if (pid == 0) {
		const char *program = argv[0];

		/*
		 * A reboot is an exec of argv[0]. A node that was reset (softdog)
		 * ends instead, and "lab boot" is its power button.
		 */
		argv[0] = "/nonexistent/was-reset";
		execvp(program, argv);
		dprintf(2, "lab: %s: %s\n", program, strerror(errno));
		_exit(127);
	}
	/*
	 * PID 1 of the namespace is this small loop, not User-Mode Linux: that
	 * ends itself by signals, which a PID 1 ignores, and would spin.
	 */
	while ((got = wait(&status)) != pid || WIFSTOPPED(status))
		if (got < 0 && errno == ECHILD)
			_exit(1);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* cmdline: the address on the first line, then one argument per line. */
int sup_node_on(struct sup_node *n, char *out, size_t cap)
{
	static char text[8192];
	char path[512], *argv[64], *save = NULL;
	ssize_t len;
	int argc = 0, fd;
	pid_t pid;

	if (n->pid) {
		snprintf(out, cap, "it is on already");
		return -1;
	}
	snprintf(path, sizeof(path), "%s/node/%s/cmdline", sup_state_dir,
		 n->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (len <= 0) {
		snprintf(out, cap, "%s: %s", path, strerror(errno));
		return -1;
	}
	text[len] = 0;
	for (char *s = strtok_r(text, "\n", &save); s && argc < 63;
	     s = strtok_r(NULL, "\n", &save))
		argv[argc++] = s;
	argv[argc] = NULL;
	if (argc < 2) {
		snprintf(out, cap, "%s: too short", path);
		return -1;
	}
	snprintf(n->addr, sizeof(n->addr), "%s", argv[0]);
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, 0,
			     0, 0, 0);
	if (pid == 0)
		node_exec(n, argv + 1);
	if (pid < 0) {
		snprintf(out, cap, "clone: %s", strerror(errno));
		return -1;
	}
	n->pid = pid;
	n->state = NODE_BOOTING;
	n->paused = 0;
	n->text[0] = 0;
	n->started = lab_now_ms();
	n->boots++;
	return 0;
}

static void node_gone(struct sup_node *n, int status)
{
	n->pid = 0;
	n->paused = 0;
	snprintf(n->text, sizeof(n->text), "its %s was %d",
		 WIFSIGNALED(status) ? "ending signal" : "exit status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	n->state = NODE_OFF;
	sup_conns_drop(n->name);
	sup_waiters_check();
}

void sup_node_off(struct sup_node *n)
{
	int status;

	n->restart = 0;
	if (!n->pid)
		return;
	kill(n->pid, SIGKILL);
	/* The namespace's last process is gone when its first one can be reaped. */
	while (waitpid(n->pid, &status, 0) < 0 && errno == EINTR)
		;
	node_gone(n, status);
}

void sup_node_reaped(pid_t pid, int status)
{
	for (int i = 0; i < SUP_NODES; i++)
		if (nodes[i].pid == pid)
			node_gone(&nodes[i], status);
}

static char proc_state(pid_t pid)
{
	char path[64], buf[512], *p;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return '?';
	buf[n] = 0;
	p = strrchr(buf, ')');
	return p ? p[2] : '?';
}

/* User-Mode Linux itself: the first child of the namespace's PID 1. */
static pid_t uml_pid(const struct sup_node *n)
{
	char path[64];
	int pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)n->pid,
		 (int)n->pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	fclose(f);
	return pid;
}

void sup_node_ready(struct sup_node *n)
{
	n->ready_ms = lab_now_ms() - n->started;
	n->state = NODE_READY;
	sup_net_tune(uml_pid(n));
}

/*
 * Only the main process is stopped: its children are under its ptrace, and do
 * nothing without it.
 */
int sup_node_pause(struct sup_node *n, int on, char *out, size_t cap)
{
	pid_t pid = n->pid ? uml_pid(n) : 0;

	if (!pid) {
		snprintf(out, cap, "it is off");
		return -1;
	}
	kill(pid, on ? SIGSTOP : SIGCONT);
	for (int i = 0; i < 2000; i++) {
		if ((proc_state(pid) == 'T') == (on != 0)) {
			n->paused = on;
			return 0;
		}
		usleep(500);
	}
	snprintf(out, cap, "it did not %s within 1 s", on ? "stop" : "go on");
	return -1;
}

static int stat_usage(const char *pid, int is_main, uint64_t *ticks,
		      uint64_t *rss)
{
	char path[300], buf[1024], *p;
	unsigned long v[22];
	ssize_t n;
	int fd, i = 0;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return -1;
	buf[n] = 0;
	p = strrchr(buf, ')');
	if (!p)
		return -1;
	p += 3;		/* the fields after the state: 4 is the parent */
	for (; i < 22 && *p; i++)
		v[i] = strtoul(p, &p, 10);
	if (i < 21)
		return -1;
	*ticks += v[10] + v[11];		/* utime, stime */
	if (is_main) {
		*ticks += v[12] + v[13];	/* of reaped children */
		*rss += v[20] * (unsigned long)sysconf(_SC_PAGESIZE) / 1024;
	}
	return 0;
}

void sup_node_usage(struct sup_node *n, uint64_t *ticks, uint64_t *rss)
{
	char path[300], mine[64] = "", other[64];
	struct dirent *e;
	ssize_t len;
	pid_t uml = n->pid ? uml_pid(n) : 0;
	DIR *d;

	*ticks = *rss = 0;
	if (!n->pid)
		return;
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)n->pid);
	len = readlink(path, mine, sizeof(mine) - 1);
	d = opendir("/proc");
	while (len > 0 && d && (e = readdir(d))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/pid", e->d_name);
		len = readlink(path, other, sizeof(other) - 1);
		if (len <= 0) {
			len = 1;
			continue;
		}
		other[len] = 0;
		if (!strcmp(other, mine))
			stat_usage(e->d_name, atoi(e->d_name) == uml, ticks,
				   rss);
	}
	if (d)
		closedir(d);
}
