// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * labprobe: the lab's own latencies, measured inside of its nodes.
 *
 *   labprobe echo PORT              answers 64-byte messages over TCP, for ever
 *   labprobe rtt ADDR PORT COUNT    round trips to it, one after the other
 *   labprobe write FILE COUNT       4 KiB O_DIRECT|O_DSYNC writes, in place
 *   labprobe sleep COUNT            how late 1 ms sleeps end
 *
 * One line: count, median, 99th and 99.9th percentile, longest (milliseconds),
 * and how many took over 50 and over 200 ms.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto.h"

#define MSG 64

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const char *what, double *v, int n)
{
	int over50 = 0, over200 = 0;

	for (int i = 0; i < n; i++) {
		over50 += v[i] > 50;
		over200 += v[i] > 200;
	}
	qsort(v, (size_t)n, sizeof(*v), cmp);
	printf("%s: n %d  p50 %.2f  p99 %.2f  p99.9 %.2f  max %.2f ms  over 50 ms %d  over 200 ms %d\n",
	       what, n, v[n / 2], v[(int)(n * 0.99)], v[(int)(n * 0.999)],
	       v[n - 1], over50, over200);
}

static int do_echo(int port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	char buf[MSG];

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) || listen(fd, 4))
		lab_die("echo: %s", strerror(errno));
	for (;;) {
		int c = accept(fd, NULL, NULL);

		setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		while (!lab_read_all(c, buf, MSG) && !lab_write_all(c, buf, MSG))
			;
		close(c);
	}
}

static int do_rtt(const char *host, const char *port, double *v, int n)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(port)) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	char buf[MSG] = { 0 };

	if (inet_pton(AF_INET, host, &sa.sin_addr) != 1)
		lab_die("rtt: not an IPv4 address: %s", host);
	for (int i = 0; connect(fd, (struct sockaddr *)&sa, sizeof(sa)); i++) {
		if (i == 100)
			lab_die("rtt: %s: %s", host, strerror(errno));
		usleep(20000);
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (int i = -20; i < n; i++) {
		double t = now_ms();

		if (lab_write_all(fd, buf, MSG) || lab_read_all(fd, buf, MSG))
			lab_die("rtt: connection lost");
		if (i >= 0)
			v[i] = now_ms() - t;
	}
	report("rtt", v, n);
	return 0;
}

static int do_write(const char *file, double *v, int n)
{
	int fd = open(file, O_RDWR | O_CREAT | O_DIRECT | O_DSYNC, 0600);
	void *p;

	if (fd < 0 || posix_memalign(&p, 4096, 4096))
		lab_die("write: %s: %s", file, strerror(errno));
	memset(p, 0x5a, 4096);
	for (int i = 0; i < 64; i++)
		if (pwrite(fd, p, 4096, (off_t)i * 4096) != 4096)
			lab_die("write: %s", strerror(errno));
	for (int i = 0; i < n; i++) {
		double t = now_ms();

		if (pwrite(fd, p, 4096, (off_t)(i % 64) * 4096) != 4096)
			lab_die("write: %s", strerror(errno));
		v[i] = now_ms() - t;
	}
	report("write", v, n);
	return 0;
}

static int do_sleep(double *v, int n)
{
	for (int i = 0; i < n; i++) {
		double t = now_ms();

		usleep(1000);
		v[i] = now_ms() - t - 1;
	}
	report("sleep", v, n);
	return 0;
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[argc - 1]) : 0;
	double *v = calloc(n > 0 ? (size_t)n : 1, sizeof(double));

	if (!v || n < 1)
		lab_die("usage: labprobe echo PORT | rtt ADDR PORT N | write FILE N | sleep N");
	if (argc == 3 && !strcmp(argv[1], "echo"))
		return do_echo(n);
	if (argc == 5 && !strcmp(argv[1], "rtt"))
		return do_rtt(argv[2], argv[3], v, n);
	if (argc == 4 && !strcmp(argv[1], "write"))
		return do_write(argv[2], v, n);
	if (argc == 3 && !strcmp(argv[1], "sleep"))
		return do_sleep(v, n);
	lab_die("labprobe: unknown request '%s'", argv[1]);
}
