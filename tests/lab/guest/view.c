/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "view.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "gaps.h"

#define MAX_CONN   8
#define LINE_SIZE  4096
#define TIME_EVERY (5 * NS_PER_SEC)

struct conn {
	int fd; /* or -1 */
	bool greeted; /* told the time, in answer to its first line */
	size_t used;
	char line[LINE_SIZE];
};

struct view {
	const char *listen;
	const char *out;
	const char *control;
	uint64_t beat_ns;
	int listen_fd;
	int control_fd;
	FILE *log;
	struct conn conn[MAX_CONN];
	char command[256];
	size_t command_used;
	struct gaps gaps;
	uint64_t last_beat;
	uint64_t beats;
	uint64_t lost;
	uint64_t repeats;
	bool quit;
};

static int parse(struct view *v, int argc, char **argv)
{
	v->beat_ns = 20 * NS_PER_MS;
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--listen") == 0)
			v->listen = argv[i + 1];
		else if (strcmp(argv[i], "--out") == 0)
			v->out = argv[i + 1];
		else if (strcmp(argv[i], "--control") == 0)
			v->control = argv[i + 1];
		else if (strcmp(argv[i], "--beat") == 0)
			v->beat_ns = strtoull(argv[i + 1], NULL, 10) * NS_PER_MS;
		else
			return -1;
	}
	return argc % 2 && v->listen && v->out && v->control && v->beat_ns ? 0 : -1;
}

static int open_listener(const char *where)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	char host[64];
	const char *colon = strrchr(where, ':');
	int fd, one = 1;

	if (!colon || (size_t)(colon - where) >= sizeof(host)) {
		errno = EINVAL;
		return -1;
	}
	memcpy(host, where, (size_t)(colon - where));
	host[colon - where] = '\0';
	at.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
	if (inet_pton(AF_INET, host, &at.sin_addr) != 1) {
		errno = EINVAL;
		return -1;
	}
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, MAX_CONN)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int open_all(struct view *v)
{
	for (int i = 0; i < MAX_CONN; i++)
		v->conn[i].fd = -1;
	v->listen_fd = open_listener(v->listen);
	if (v->listen_fd < 0) {
		fprintf(stderr, "probe: %s: %s\n", v->listen, strerror(errno));
		return -1;
	}
	v->log = fopen(v->out, "ae");
	if (!v->log) {
		fprintf(stderr, "probe: %s: %s\n", v->out, strerror(errno));
		return -1;
	}
	setvbuf(v->log, NULL, _IOLBF, 1 << 16);
	/* The FIFO last: who sees it knows that the viewer listens. */
	if (mkfifo(v->control, 0600) && errno != EEXIST) {
		fprintf(stderr, "probe: %s: %s\n", v->control, strerror(errno));
		return -1;
	}
	/* Read and write, so that it never reads as closed between two writers. */
	v->control_fd = open(v->control, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (v->control_fd < 0) {
		fprintf(stderr, "probe: %s: %s\n", v->control, strerror(errno));
		return -1;
	}
	return 0;
}

static void send_line(struct conn *c, const char *line)
{
	/* A peer whose buffer is full of a few commands is not reading any. */
	if (send(c->fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		(void)errno;
}

static void send_time(struct conn *c)
{
	char line[64];

	snprintf(line, sizeof(line), "time %" PRIu64 "\n", clock_wall_ns() / NS_PER_US);
	send_line(c, line);
}

static void print_section(struct view *v)
{
	const struct gaps *g = &v->gaps;

	fprintf(v->log,
		"{\"ev\":\"view\",\"rx_us\":%" PRIu64 ",\"beats\":%" PRIu64 ",\"lost\":%" PRIu64
		",\"repeats\":%" PRIu64
		",\"gap_ms\":{\"n\":%" PRIu64 ",\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f}"
		",\"gaps_over_ms\":{\"%u\":%" PRIu64 ",\"%u\":%" PRIu64 ",\"%u\":%" PRIu64
		",\"%u\":%" PRIu64 ",\"%u\":%" PRIu64 "}"
		",\"longest_gap_ms\":%.3f,\"longest_gap_wall_us\":%" PRIu64 "}\n",
		clock_wall_ns() / NS_PER_US, v->beats, v->lost, v->repeats, g->gap.count,
		(double)hist_permille(&g->gap, 500) / 1e6, (double)hist_permille(&g->gap, 900) / 1e6,
		(double)hist_permille(&g->gap, 990) / 1e6, (double)g->gap.max / 1e6, gaps_limit_ms[0],
		g->over[0], gaps_limit_ms[1], g->over[1], gaps_limit_ms[2], g->over[2],
		gaps_limit_ms[3], g->over[3], gaps_limit_ms[4], g->over[4],
		(double)g->longest_ns / 1e6, g->longest_wall_ns / NS_PER_US);
}

static void note_beat(struct view *v, uint64_t n, uint64_t mono, uint64_t wall)
{
	struct gap gap;

	if (n <= v->last_beat) {
		v->repeats++;
		fprintf(v->log, "rx_us=%" PRIu64 " ev=view-repeat n=%" PRIu64 " last=%" PRIu64 "\n",
			wall / NS_PER_US, n, v->last_beat);
		v->last_beat = n; /* a guest that was started anew counts from 1 */
		return;
	}
	if (v->last_beat && n > v->last_beat + 1) {
		v->lost += n - v->last_beat - 1;
		fprintf(v->log, "rx_us=%" PRIu64 " ev=view-lost n=%" PRIu64 " count=%" PRIu64 "\n",
			wall / NS_PER_US, n, n - v->last_beat - 1);
	}
	v->last_beat = n;
	v->beats++;
	if (gaps_note(&v->gaps, mono, wall, &gap))
		fprintf(v->log,
			"rx_us=%" PRIu64 " ev=view-gap ms=%.3f interval_ms=%.3f begin_wall_us=%" PRIu64
			" n=%" PRIu64 "\n",
			wall / NS_PER_US, (double)gap.length_ns / 1e6, (double)gap.interval_ns / 1e6,
			gap.begin_wall_ns / NS_PER_US, n);
}

static void take_line(struct view *v, char *line, uint64_t mono, uint64_t wall)
{
	size_t len = strlen(line);

	if (len && line[len - 1] == '\r')
		line[len - 1] = '\0';
	if (*line == '{')
		fprintf(v->log, "%s\n", line);
	else
		fprintf(v->log, "rx_us=%" PRIu64 " %s\n", wall / NS_PER_US, line);
	if (strncmp(line, "ev=hb n=", 8) == 0)
		note_beat(v, strtoull(line + 8, NULL, 10), mono, wall);
}

static void read_conn(struct view *v, struct conn *c)
{
	uint64_t mono = clock_mono_ns(), wall = clock_wall_ns();
	ssize_t n = recv(c->fd, c->line + c->used, sizeof(c->line) - c->used, MSG_DONTWAIT);
	char *start = c->line, *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fprintf(v->log, "rx_us=%" PRIu64 " ev=view-disconnect fd=%d\n", wall / NS_PER_US, c->fd);
		close(c->fd);
		c->fd = -1;
		return;
	}
	/*
	 * Not when it connects: QEMU does that while the guest still boots, or
	 * waits for a live move to end, and would hand over a time long past.
	 */
	if (!c->greeted)
		send_time(c);
	c->greeted = true;
	c->used += (size_t)n;
	while ((end = memchr(start, '\n', c->used - (size_t)(start - c->line)))) {
		*end = '\0';
		take_line(v, start, mono, wall);
		start = end + 1;
	}
	c->used -= (size_t)(start - c->line);
	memmove(c->line, start, c->used);
	if (c->used == sizeof(c->line))
		c->used = 0; /* no line of ours is that long */
}

static void accept_conn(struct view *v)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	int one = 1, fd = accept4(v->listen_fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	for (int i = 0; i < MAX_CONN; i++) {
		if (v->conn[i].fd >= 0)
			continue;
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		v->conn[i].fd = fd;
		v->conn[i].used = 0;
		fprintf(v->log, "rx_us=%" PRIu64 " ev=view-connect fd=%d from=%s\n",
			clock_wall_ns() / NS_PER_US, fd, inet_ntoa(from.sin_addr));
		v->conn[i].greeted = false;
		return;
	}
	close(fd);
}

static void obey(struct view *v, const char *line)
{
	char out[300];

	if (strcmp(line, "quit") == 0) {
		v->quit = true;
		return;
	}
	fprintf(v->log, "rx_us=%" PRIu64 " ev=view-command text=%s\n", clock_wall_ns() / NS_PER_US, line);
	if (strcmp(line, "mark") == 0 || strcmp(line, "report") == 0)
		print_section(v);
	if (strcmp(line, "mark") == 0) {
		v->beats = v->lost = v->repeats = 0;
		gaps_clear(&v->gaps);
	}
	snprintf(out, sizeof(out), "%s\n", line);
	for (int i = 0; i < MAX_CONN; i++)
		if (v->conn[i].fd >= 0)
			send_line(&v->conn[i], out);
}

static void read_control(struct view *v)
{
	ssize_t n = read(v->control_fd, v->command + v->command_used,
			 sizeof(v->command) - v->command_used);
	char *start = v->command, *end;

	if (n <= 0)
		return;
	v->command_used += (size_t)n;
	while ((end = memchr(start, '\n', v->command_used - (size_t)(start - v->command)))) {
		*end = '\0';
		obey(v, start);
		start = end + 1;
	}
	v->command_used -= (size_t)(start - v->command);
	memmove(v->command, start, v->command_used);
	if (v->command_used == sizeof(v->command))
		v->command_used = 0;
}

static void serve(struct view *v)
{
	uint64_t next_time = clock_mono_ns() + TIME_EVERY;

	while (!v->quit) {
		struct pollfd p[MAX_CONN + 2] = { { .fd = v->listen_fd, .events = POLLIN },
						  { .fd = v->control_fd, .events = POLLIN } };

		for (int i = 0; i < MAX_CONN; i++)
			p[i + 2] = (struct pollfd){ .fd = v->conn[i].fd, .events = POLLIN };
		if (poll(p, MAX_CONN + 2, 1000) < 0)
			continue;
		for (int i = 0; i < MAX_CONN; i++)
			if (p[i + 2].revents)
				read_conn(v, &v->conn[i]);
		if (p[0].revents)
			accept_conn(v);
		if (p[1].revents)
			read_control(v);
		if (clock_mono_ns() >= next_time) {
			next_time = clock_mono_ns() + TIME_EVERY;
			for (int i = 0; i < MAX_CONN; i++)
				if (v->conn[i].fd >= 0 && v->conn[i].greeted)
					send_time(&v->conn[i]);
		}
	}
	print_section(v);
}

int view_main(int argc, char **argv)
{
	struct view *v = calloc(1, sizeof(*v));
	int rc = 1;

	if (!v)
		return 1;
	if (parse(v, argc, argv)) {
		fprintf(stderr, "usage: probe view --listen ADDR:PORT --out FILE --control FIFO "
				"[--beat MS]\n");
		rc = 2;
	} else if (open_all(v) == 0) {
		gaps_init(&v->gaps, v->beat_ns, 20 * NS_PER_MS);
		serve(v);
		fclose(v->log);
		rc = 0;
	}
	free(v);
	return rc;
}
