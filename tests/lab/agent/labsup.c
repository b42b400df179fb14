// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * labsup STATE: the supervisor of one lab.
 *
 * It is PID 1 of a PID namespace of its own, in a network and a mount
 * namespace of its own: when it dies, however it dies, all of the lab dies,
 * and nothing of it was ever in the host's namespaces.
 *
 * STATE/sup.sock takes one line per connection (see request()); the power
 * switch on the control network takes on, off, reboot, status and time only.
 * STATE/hold is a FIFO: until somebody writes into it, its closing ends the
 * lab, so that a "lab up" that is killed leaves nothing.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto.h"
#include "sup.h"

#define MAX_CLIENTS 240

enum client_kind { C_FREE, C_LINE, C_WAIT, C_EXEC };

struct client {
	enum client_kind kind;
	int fd;
	int power;		/* came over the control network */
	int tcp;		/* C_EXEC: our copy of the connection, or -1 */
	int64_t deadline;	/* C_WAIT */
	char node[32];
	char line[512];
	size_t len;
};

static struct client clients[MAX_CLIENTS];

static void client_close(struct client *c)
{
	if (c->kind == C_EXEC && c->tcp >= 0) {
		shutdown(c->tcp, SHUT_RDWR);
		close(c->tcp);
	}
	close(c->fd);
	c->kind = C_FREE;
}

static void reply(struct client *c, const char *text)
{
	lab_write_all(c->fd, text, strlen(text));
	client_close(c);
}

void sup_conns_drop(const char *node)
{
	for (int i = 0; i < MAX_CLIENTS; i++)
		if (clients[i].kind == C_EXEC && !strcmp(clients[i].node, node))
			client_close(&clients[i]);
}

void sup_waiters_check(void)
{
	char buf[400];

	for (int i = 0; i < MAX_CLIENTS; i++) {
		struct client *c = &clients[i];
		struct sup_node *n;

		if (c->kind != C_WAIT)
			continue;
		n = sup_node_find(c->node);
		if (n && n->state == NODE_READY) {
			snprintf(buf, sizeof(buf), "ok %lld\n",
				 (long long)n->ready_ms);
			reply(c, buf);
		} else if (!n || n->state != NODE_BOOTING) {
			snprintf(buf, sizeof(buf), "error: %s is %s: %s\n",
				 c->node, n ? sup_state_name(n->state) : "unknown",
				 n ? n->text : "");
			reply(c, buf);
		} else if (lab_now_ms() >= c->deadline) {
			snprintf(buf, sizeof(buf),
				 "error: %s is still booting; see its console.log\n",
				 c->node);
			reply(c, buf);
		}
	}
}

static void exec_connect(struct client *c, struct sup_node *n)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(LAB_PORT_AGENT) };
	char ctl[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { .iov_base = "ok\n", .iov_len = 3 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	int one = 1;

	c->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	inet_pton(AF_INET, n->addr, &sa.sin_addr);
	setsockopt(c->tcp, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (c->tcp < 0 ||
	    (connect(c->tcp, (struct sockaddr *)&sa, sizeof(sa)) &&
	     errno != EINPROGRESS)) {
		if (c->tcp >= 0)
			close(c->tcp);
		reply(c, "error: cannot connect to the node's agent\n");
		return;
	}
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &c->tcp, sizeof(int));
	c->kind = C_EXEC;
	if (sendmsg(c->fd, &m, MSG_NOSIGNAL) < 0)
		client_close(c);
}

static void status(struct client *c, const char *only)
{
	struct sup_node *n;
	char buf[512];
	uint64_t ticks, rss;

	for (int i = 0; (n = sup_node_at(i)); i++) {
		if (only && strcmp(n->name, only))
			continue;
		if (c->power) {
			snprintf(buf, sizeof(buf), "%s\n", n->pid ? "on" : "off");
		} else {
			sup_node_usage(n, &ticks, &rss);
			snprintf(buf, sizeof(buf),
				 "%s %s%s pid=%d boots=%d ready_ms=%lld ticks=%llu rss_kib=%llu\n",
				 n->name, sup_state_name(n->state),
				 n->paused ? ",paused" : "", (int)n->pid,
				 n->boots, (long long)n->ready_ms,
				 (unsigned long long)ticks,
				 (unsigned long long)rss);
		}
		lab_write_all(c->fd, buf, strlen(buf));
	}
	client_close(c);
}

/* ready NODE ..., failed NODE TEXT: from the nodes themselves. */
static void report(struct client *c, char *line)
{
	char verb[16], name[32];
	int at = 0;
	struct sup_node *n;

	if (sscanf(line, "%15s %31s %n", verb, name, &at) >= 2 &&
	    (n = sup_node_find(name)) && n->pid) {
		if (strcmp(verb, "ready"))
			n->state = NODE_FAILED;
		else
			sup_node_ready(n);
		snprintf(n->text, sizeof(n->text), "%s", line + at);
		sup_waiters_check();
	}
	client_close(c);
}

/* The one clock of the lab: those of the nodes differ by dozens of milliseconds. */
static int64_t wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* Who switched what, for tests: "TIME-US VERB NODE STATE-BEFORE BY". */
static void log_power(const struct client *c, const char *verb, const struct sup_node *n)
{
	struct sockaddr_in sa = { 0 };
	socklen_t len = sizeof(sa);
	char by[INET_ADDRSTRLEN] = "lab";

	if (c->power && !getpeername(c->fd, (struct sockaddr *)&sa, &len))
		inet_ntop(AF_INET, &sa.sin_addr, by, sizeof(by));
	printf("%lld %s %s %s%s %s\n", (long long)wall_us(), verb, n->name, sup_state_name(n->state),
	       n->paused ? "-paused" : "", by);
	fflush(stdout);
}

static void request(struct client *c)
{
	char verb[16] = "", name[32] = "", err[300] = "", buf[400];
	int arg = 0, rc = 0, words;
	struct sup_node *n;

	words = sscanf(c->line, "%15s %31s %d", verb, name, &arg);
	if (!strcmp(verb, "ready") || !strcmp(verb, "failed")) {
		report(c, c->line);
		return;
	}
	if (!strcmp(verb, "down") && !c->power) {
		reply(c, "ok\n");
		exit(0);	/* as PID 1: the kernel kills the rest */
	}
	if (!strcmp(verb, "status")) {
		status(c, words > 1 ? name : NULL);
		return;
	}
	if (!strcmp(verb, "time")) {
		snprintf(buf, sizeof(buf), "%lld\n", (long long)wall_us());
		reply(c, buf);
		return;
	}
	n = words > 1 ? sup_node_find(name) : NULL;
	if (!n) {
		snprintf(buf, sizeof(buf), "error: no such node: '%s'\n", name);
		reply(c, buf);
		return;
	}
	if (!strcmp(verb, "on") || !strcmp(verb, "off") || !strcmp(verb, "reboot"))
		log_power(c, verb, n);
	if (!strcmp(verb, "on")) {
		rc = c->power && n->pid ? 0 : sup_node_on(n, err, sizeof(err));
	} else if (!strcmp(verb, "off")) {
		sup_node_off(n);
	} else if (!strcmp(verb, "reboot")) {
		sup_node_off(n);
		rc = sup_node_on(n, err, sizeof(err));
	} else if (c->power) {
		rc = -1;
		snprintf(err, sizeof(err), "on, off, reboot, status or time");
	} else if (!strcmp(verb, "pause") || !strcmp(verb, "resume")) {
		rc = sup_node_pause(n, verb[0] == 'p', err, sizeof(err));
	} else if (!strcmp(verb, "wait")) {
		snprintf(c->node, sizeof(c->node), "%s", n->name);
		c->deadline = lab_now_ms() + arg * 1000;
		c->kind = C_WAIT;
		sup_waiters_check();
		return;
	} else if (!strcmp(verb, "connect")) {
		snprintf(c->node, sizeof(c->node), "%s", n->name);
		if (n->state == NODE_READY) {
			exec_connect(c, n);
			return;
		}
		rc = -1;
		snprintf(err, sizeof(err), "it is %s", sup_state_name(n->state));
	} else {
		rc = -1;
		snprintf(err, sizeof(err), "unknown request '%s'", verb);
	}
	if (rc)
		snprintf(buf, sizeof(buf), "error: %s: %s\n", n->name, err);
	reply(c, rc ? buf : "ok\n");
}

static void client_read(struct client *c)
{
	ssize_t n = recv(c->fd, c->line + c->len, sizeof(c->line) - 1 - c->len,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || c->kind != C_LINE) {
		client_close(c);
		return;
	}
	c->len += (size_t)n;
	c->line[c->len] = 0;
	char *nl = strchr(c->line, '\n');

	if (nl) {
		*nl = 0;
		request(c);
	} else if (c->len == sizeof(c->line) - 1) {
		reply(c, "error: line too long\n");
	}
}

static void client_accept(int lfd, int power)
{
	int fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = 0; i < MAX_CLIENTS; i++) {
		struct client *c = &clients[i];

		if (c->kind != C_FREE)
			continue;
		memset(c, 0, sizeof(*c));
		c->kind = C_LINE;
		c->fd = fd;
		c->tcp = -1;
		c->power = power;
		return;
	}
	close(fd);
}

static int listen_on(struct sockaddr *sa, socklen_t len)
{
	int one = 1, fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* The address is put on the control bridge later. */
	if (sa->sa_family == AF_INET) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	}
	if (fd < 0 || bind(fd, sa, len) || listen(fd, 64))
		lab_die("labsup: cannot listen: %s", strerror(errno));
	return fd;
}

static int listen_tcp(uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, LAB_HOST_ADDR, &sa.sin_addr);
	return listen_on((struct sockaddr *)&sa, sizeof(sa));
}

static int listen_unix(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/sup.sock",
		     sup_state_dir) >= (int)sizeof(sa.sun_path))
		lab_die("labsup: the state directory's path is too long");
	unlink(sa.sun_path);
	return listen_on((struct sockaddr *)&sa, sizeof(sa));
}

static void reap(int sfd)
{
	struct signalfd_siginfo si;
	pid_t pid;
	int st;

	if (read(sfd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo != SIGCHLD)
		exit(0);
	while ((pid = waitpid(-1, &st, WNOHANG)) > 0)
		sup_node_reaped(pid, st);
}

static int next_deadline(void)
{
	int64_t now = lab_now_ms(), best = -1;

	for (int i = 0; i < MAX_CLIENTS; i++) {
		int64_t left = clients[i].deadline - now;

		if (clients[i].kind == C_WAIT && (best < 0 || left < best))
			best = left > 0 ? left : 0;
	}
	return best < 0 ? -1 : (int)best + 1;
}

static void supervise(int hold)
{
	struct pollfd p[5 + MAX_CLIENTS];
	sigset_t set;
	char c;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	p[0].fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	p[1].fd = listen_tcp(LAB_PORT_POWER);
	p[2].fd = listen_tcp(LAB_PORT_READY);
	p[3].fd = listen_unix();
	p[4].fd = hold;
	for (;;) {
		for (int i = 0; i < 5; i++)
			p[i].events = POLLIN;
		for (int i = 0; i < MAX_CLIENTS; i++) {
			p[5 + i].fd = clients[i].kind == C_FREE ? -1 : clients[i].fd;
			p[5 + i].events = POLLIN;
			p[5 + i].revents = 0;
		}
		if (poll(p, 5 + MAX_CLIENTS, next_deadline()) < 0)
			continue;
		if (p[4].revents) {
			if (read(hold, &c, 1) != 1)
				exit(1);	/* "lab up" was killed */
			p[4].fd = -1;
			p[4].revents = 0;
			close(hold);
		}
		for (int i = 0; i < MAX_CLIENTS; i++)
			if (p[5 + i].fd >= 0 && p[5 + i].revents &&
			    clients[i].kind != C_FREE &&
			    clients[i].fd == p[5 + i].fd)
				client_read(&clients[i]);
		if (p[0].revents)
			reap(p[0].fd);
		if (p[1].revents)
			client_accept(p[1].fd, 1);
		if (p[2].revents)
			client_accept(p[2].fd, 1);
		if (p[3].revents)
			client_accept(p[3].fd, 0);
		sup_waiters_check();
	}
}

static pid_t child_pid;

static void pass_on(int sig __attribute__((unused)))
{
	kill(child_pid, SIGKILL);
}

int main(int argc, char **argv)
{
	struct rlimit nofile = { 1 << 18, 1 << 18 };
	char path[512], text[64];
	int hold, fd, st;

	if (argc != 2 || argv[1][0] != '/')
		lab_die("usage: labsup STATE-DIR (absolute)");
	sup_state_dir = argv[1];
	signal(SIGPIPE, SIG_IGN);
	if (setrlimit(RLIMIT_NOFILE, &nofile)) {
		getrlimit(RLIMIT_NOFILE, &nofile);
		nofile.rlim_cur = nofile.rlim_max;
		setrlimit(RLIMIT_NOFILE, &nofile);
	}
	snprintf(path, sizeof(path), "%s/hold", sup_state_dir);
	hold = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (hold < 0)
		lab_die("labsup: %s: %s", path, strerror(errno));
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID))
		lab_die("labsup: unshare: %s (are you root?)", strerror(errno));
	child_pid = fork();
	if (child_pid < 0)
		lab_die("labsup: fork: %s", strerror(errno));
	if (!child_pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV, NULL))
			lab_die("labsup: /proc: %s", strerror(errno));
		supervise(hold);
	}
	close(hold);
	signal(SIGTERM, pass_on);
	signal(SIGINT, pass_on);
	snprintf(path, sizeof(path), "%s/sup.pid", sup_state_dir);
	snprintf(text, sizeof(text), "%d %d\n", (int)getpid(), (int)child_pid);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || lab_write_all(fd, text, strlen(text)))
		lab_die("labsup: %s: %s", path, strerror(errno));
	close(fd);
	while (waitpid(child_pid, &st, 0) < 0 && errno == EINTR)
		;
	return 0;
}
