// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * labctl: the host's side of the supervisor and of the exec channel.
 *
 *   labctl STATE req WORD...        one request; prints the answer
 *   labctl STATE exec [-n] NODE CMD...  run in a node (-n: no standard input)
 *   labctl STATE down               end the lab and wait until it has gone
 *
 * Exit status: the command's; 125 for the lab's own failures.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "proto.h"

#define CONNECT_MS 10000

static int sup_connect(const char *state)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/sup.sock", state);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		lab_die("no lab is running in %s (%s); start one with: lab up",
			state, strerror(errno));
	return fd;
}

static void send_line(int fd, int argc, char **argv)
{
	char line[500];
	size_t len = 0;

	for (int i = 0; i < argc; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s",
					i ? " " : "", argv[i]);
	if (len >= sizeof(line) - 1)
		lab_die("request too long");
	line[len++] = '\n';
	if (lab_write_all(fd, line, len))
		lab_die("the lab's supervisor has gone");
}

static int do_req(const char *state, int argc, char **argv)
{
	int fd = sup_connect(state), rc = 0, any = 0;
	char buf[4096];
	ssize_t n;

	send_line(fd, argc, argv);
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if (!any && n >= 5 && !memcmp(buf, "error", 5)) {
			rc = 125;
			lab_write_all(2, "lab: ", 5);
		}
		any = 1;
		lab_write_all(rc ? 2 : 1, buf, (size_t)n);
	}
	if (!any && strcmp(argv[0], "status"))
		lab_die("the lab's supervisor gave no answer");
	return rc;
}

static int do_down(const char *state)
{
	char path[512], *words[] = { "down" }, c;
	int fd = sup_connect(state), pid = 0, pfd = -1;
	FILE *f;

	snprintf(path, sizeof(path), "%s/sup.pid", state);
	f = fopen(path, "re");
	if (f && fscanf(f, "%d", &pid) == 1)
		pfd = (int)syscall(SYS_pidfd_open, pid, 0);
	send_line(fd, 1, words);
	while (read(fd, &c, 1) > 0)
		;
	if (pfd >= 0) {
		struct pollfd p = { .fd = pfd, .events = POLLIN };

		if (poll(&p, 1, 10000) != 1)
			lab_die("supervisor %d has not ended after 10 s", pid);
	}
	return 0;
}

/* The connection to the node's agent, and in *HOLD the one that keeps it. */
static int agent_connect(const char *state, char *node, int *hold)
{
	char *words[] = { "connect", node }, text[512];
	char ctl[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) - 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = ctl, .msg_controllen = sizeof(ctl) };
	struct cmsghdr *h;
	struct pollfd p = { .events = POLLOUT };
	socklen_t len = sizeof(int);
	int err = 0;
	ssize_t n;

	*hold = sup_connect(state);
	send_line(*hold, 2, words);
	n = recvmsg(*hold, &m, MSG_CMSG_CLOEXEC);
	h = CMSG_FIRSTHDR(&m);
	if (n <= 0 || !h || h->cmsg_type != SCM_RIGHTS) {
		text[n > 0 ? n - 1 : 0] = 0;
		lab_die("exec %s: %s", node, n > 0 ? text : "no answer");
	}
	memcpy(&p.fd, CMSG_DATA(h), sizeof(int));
	if (poll(&p, 1, CONNECT_MS) != 1)
		lab_die("exec %s: no answer in %d s (is it paused?)", node,
			CONNECT_MS / 1000);
	if (getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &err, &len) || err)
		lab_die("exec %s: %s", node, strerror(err));
	lab_nonblock(p.fd, 0);
	return p.fd;
}

static void send_command(int sock, int argc, char **argv)
{
	static char cmd[LAB_FRAME_MAX];
	size_t len = 1;

	for (int i = 0; i < argc; i++) {
		size_t l = strlen(argv[i]) + 1;

		if (len + l > sizeof(cmd))
			lab_die("exec: the command is longer than %d bytes",
				LAB_FRAME_MAX);
		memcpy(cmd + len, argv[i], l);
		len += l;
	}
	if (lab_send_frame(sock, 'C', cmd, len))
		lab_die("exec: the node has gone");
}

/* One frame from the agent; exits when it is the last one. */
static void from_agent(int sock, const char *node)
{
	static uint8_t buf[LAB_FRAME_MAX];
	char type = 0;
	ssize_t n = lab_read_frame(sock, &type, buf, sizeof(buf));

	if (n < 0)
		lab_die("exec %s: the node has gone", node);
	if (type == 'o' && lab_write_all(1, buf, (size_t)n))
		exit(128 + SIGPIPE);
	if (type == 'e')
		lab_write_all(2, buf, (size_t)n);
	if (type == 'x' && n == 1)
		exit(buf[0]);
	if (type == 'E')
		lab_die("exec %s: %.*s", node, (int)n, (char *)buf);
}

/*
 * Standard input on its way: never blocks, so that output is read meanwhile
 * (cat with more than the buffers hold would otherwise stop for ever).
 */
struct input {
	int fd;		/* -1: ended */
	size_t at, len;
	uint8_t buf[LAB_HDR + 32768];
};

static void input_read(struct input *in)
{
	ssize_t n = read(in->fd, in->buf + LAB_HDR, sizeof(in->buf) - LAB_HDR);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		n = 0;
		in->fd = -1;
	}
	in->buf[0] = 'i';
	lab_put32(in->buf + 1, (uint32_t)n);
	in->at = 0;
	in->len = LAB_HDR + (size_t)n;
}

static void input_send(struct input *in, int sock)
{
	ssize_t n = send(sock, in->buf + in->at, in->len - in->at,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {	/* when the agent has closed, its last frame still comes */
		in->fd = -1;
		in->len = 0;
		return;
	}
	in->at += (size_t)n;
	if (in->at == in->len)
		in->len = 0;
}

static void __attribute__((noreturn))
do_exec(const char *state, int argc, char **argv)
{
	static struct input in;
	int hold, sock;

	if (argc > 1 && !strcmp(argv[0], "-n")) {
		in.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		argc--;
		argv++;
	}
	if (argc < 2)
		lab_die("usage: lab exec [-n] NODE CMD...");
	sock = agent_connect(state, argv[0], &hold);
	send_command(sock, argc - 1, argv + 1);
	for (;;) {
		short out = in.len ? POLLOUT : 0;
		struct pollfd p[2] = {
			{ .fd = sock, .events = (short)(POLLIN | out) },
			{ .fd = in.len ? -1 : in.fd, .events = POLLIN },
		};

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
			from_agent(sock, argv[0]);
		if (in.len && p[0].revents & POLLOUT)
			input_send(&in, sock);
		if (p[1].revents)
			input_read(&in);
	}
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	if (argc > 3 && !strcmp(argv[2], "req"))
		return do_req(argv[1], argc - 3, argv + 3);
	if (argc > 3 && !strcmp(argv[2], "exec"))
		do_exec(argv[1], argc - 3, argv + 3);
	if (argc == 3 && !strcmp(argv[2], "down"))
		return do_down(argv[1]);
	lab_die("usage: labctl STATE req WORD... | exec [-n] NODE CMD... | down");
}
