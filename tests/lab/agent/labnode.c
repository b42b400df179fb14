// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * labnode: PID 1 of a lab node. Sets the node up (boot.c), then serves the
 * exec channel and the services, and reaps what is orphaned.
 *
 * As PID 1 it takes from the environment (the kernel's command line):
 *   lab_state=DIR   the lab's state directory on the host
 *   lab_share=DIR   this node's directory in it; its last part is the name
 *   lab_addr=ADDR   where to listen on the control network
 * Otherwise: labnode service REQUEST...   (see service.c)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node.h"
#include "proto.h"

static int agent_listen(const char *addr)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(LAB_PORT_AGENT) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!addr || inet_pton(AF_INET, addr, &sa.sin_addr) != 1)
		boot_fail("lab_addr is no address: %s", addr ? addr : "(none)");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    listen(fd, 64))
		boot_fail("listen on %s: %s", addr, strerror(errno));
	return fd;
}

static void agent_accept(int lfd)
{
	int one = 1, fd = accept4(lfd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fork() == 0)
		session_run(fd);
	close(fd);
}

static void reap(int sfd)
{
	struct signalfd_siginfo si;
	pid_t pid;
	int st;

	if (read(sfd, &si, sizeof(si)) < 0)
		return;
	while ((pid = waitpid(-1, &st, WNOHANG)) > 0)
		service_reaped(pid, st);
}

static void serve(int64_t born)
{
	struct pollfd p[3];
	sigset_t chld;
	char text[64];

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	p[0].fd = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
	p[1].fd = agent_listen(getenv("lab_addr"));
	p[2].fd = service_listen();
	for (int i = 0; i < 3; i++)
		p[i].events = POLLIN;
	service_tick();
	snprintf(text, sizeof(text), "%d", (int)(lab_now_ms() - born));
	boot_report("ready", text);
	for (;;) {
		if (poll(p, 3, service_tick()) < 0)
			continue;
		if (p[0].revents)
			reap(p[0].fd);
		if (p[1].revents)
			agent_accept(p[1].fd);
		if (p[2].revents)
			service_accept(p[2].fd);
	}
}

int main(int argc, char **argv)
{
	struct rlimit nofile = { 65536, 65536 };
	int64_t born = lab_now_ms();
	const char *state = getenv("lab_state"), *share = getenv("lab_share");

	if (argc > 2 && !strcmp(argv[1], "service"))
		return service_client(argc - 2, argv + 2);
	if (getpid() != 1 || !state || !share)
		lab_die("labnode is PID 1 of a lab node; else: labnode service list|start|stop|restart|kill NAME");
	setsid();
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &nofile);
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("LANG", "C.UTF-8", 1);
	boot_root(state, share);
	boot_run("/lab/boot.conf");
	signal(SIGPIPE, SIG_DFL);
	serve(born);
	return 0;
}
