// SPDX-License-Identifier: GPL-2.0-or-later
#include "tcp_abandon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"

static const char *where = "connections";

/* By its name in /proc: cheaper than to fetch each of thousands of open files. */
static bool is_socket(int dir, const char *name)
{
	char text[32];
	ssize_t n = readlinkat(dir, name, text, sizeof(text));

	return n > 7 && memcmp(text, "socket:", 7) == 0;
}

static uint16_t port_of(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)a)->sin_port);
	if (a->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)a)->sin6_port);
	return 0;
}

static bool is_connection(int fd, uint16_t port)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);
	int protocol = 0, listening = 0;
	socklen_t plen = sizeof(protocol), llen = sizeof(listening);

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &plen) == 0 && protocol == IPPROTO_TCP &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &llen) == 0 && !listening &&
	       getsockname(fd, (struct sockaddr *)&a, &len) == 0 && port_of(&a) == port;
}

int tcp_abandon(pid_t pid, int pidfd, uint16_t port, size_t *count, struct err *err)
{
	char path[40];
	struct dirent *e;
	size_t n = 0;
	int on = 1, ret = 0;
	DIR *d;

	if (count)
		*count = 0;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		return err_set(err, ERR_SYSTEM, errno, where, "%s", path);
	while ((e = readdir(d))) {
		AUTO_CLOSE int fd = -1;

		if (!is_socket(dirfd(d), e->d_name))
			continue;
		fd = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(e->d_name), 0);
		if (fd < 0) {
			if (errno != EBADF && ret == 0) /* closed meanwhile: well */
				ret = err_set(err, ERR_SYSTEM, errno, where, "a socket of pid %d", (int)pid);
			continue;
		}
		if (!is_connection(fd, port))
			continue;
		n++;
		if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0 && ret == 0)
			ret = err_set(err, ERR_SYSTEM, errno, where, "TCP_REPAIR");
	}
	closedir(d);
	if (count)
		*count = n;
	return ret;
}
