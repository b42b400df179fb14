/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nasd-fence-peer: see nasd-fence-peer(8). Meanings are in peer_handler.h. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "cleanup.h"
#include "clocks.h"
#include "peer_handler.h"

enum { LINE_MAX_BYTES = 1 << 20, AGAIN_MS = 300 };

struct program {
	const char *socket, *resource;
	long wait_ms;         /* for the answer; drbdadm ends a handler after 600 s */
	long reach_ms;        /* for a nasd that is not there */
	int64_t began_ms;
	char *request;
	char *buf;            /* LINE_MAX_BYTES */
};

static int64_t now_ms(void)
{
	return monotonic_us() / 1000;
}

/* The kernel runs us: standard error leads nowhere then, the system's log does. */
static void say(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(int priority, const char *fmt, ...)
{
	char text[FENCE_EXPLAIN_MAX + 256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	syslog(priority, "%s", text);
	fprintf(stderr, "nasd-fence-peer: %s\n", text);
}

static const char usage[] =
	"usage: nasd-fence-peer [options] [RESOURCE]     (default: $DRBD_RESOURCE)\n"
	"  -S, --socket PATH   nasd's control socket, default /run/nasd/control.sock\n"
	"  -w, --wait S        how long to wait for proof, default 540\n"
	"  -r, --reach S       how long to wait for a nasd that is not there, default 60\n"
	"  -V, --version   -h, --help\n";

static bool seconds(const char *text, long *ms)
{
	char *end;
	long n = strtol(text, &end, 10);

	*ms = n * 1000;
	return end != text && !*end && n >= 0 && n <= 3600;
}

/* -1: go on; otherwise the exit status. Never one that DRBD takes for proof. */
static int read_options(int argc, char **argv, struct program *p)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 'S' }, { "wait", required_argument, NULL, 'w' },
		{ "reach", required_argument, NULL, 'r' },  { "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },	    { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "S:w:r:Vh", options, NULL)) != -1) {
		if (c == 'S')
			p->socket = optarg;
		else if (c == 'V')
			return puts("nasd-fence-peer " NASD_VERSION) < 0;
		else if (c == 'h')
			return fputs(usage, stdout) < 0;
		else if (!(c == 'w' && seconds(optarg, &p->wait_ms)) && !(c == 'r' && seconds(optarg, &p->reach_ms)))
			goto bad;
	}
	if (argc - optind > 1)
		goto bad;
	if (optind < argc)
		p->resource = argv[optind];
	if (p->resource)
		return -1;
	fputs("nasd-fence-peer: no resource: DRBD_RESOURCE is not set\n", stderr);
bad:
	fputs(usage, stderr);
	return FENCE_EXIT_FROZEN;
}

/* ---- the conversation */

static int dial(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return take_fd(&fd);
}

enum talk { TALK_ANSWER, TALK_REFUSED, TALK_LOST, TALK_TIMEOUT };

/* The lines in the first len bytes of the buffer; what is left stays. */
static enum fence_peer_line take_lines(struct program *p, size_t *len, enum fence_peer_answer *answer, char *reason)
{
	enum fence_peer_line what = FENCE_LINE_EVENT;
	size_t start = 0;
	char *nl;

	while (what == FENCE_LINE_EVENT && (nl = memchr(p->buf + start, '\n', *len - start))) {
		size_t n = (size_t)(nl - p->buf) - start;

		what = fence_peer_reply(p->buf + start, n, p->resource, answer, reason);
		start += n + 1;
	}
	*len -= start;
	memmove(p->buf, p->buf + start, *len);
	return what;
}

static enum talk talk(struct program *p, int fd, enum fence_peer_answer *answer, char *reason)
{
	int64_t deadline = p->began_ms + p->wait_ms;
	struct pollfd pfd = { fd, POLLIN, 0 };
	size_t len = strlen(p->request);

	if (send(fd, p->request, len, MSG_NOSIGNAL) != (ssize_t)len)
		return TALK_LOST;
	for (len = 0;;) {
		int64_t left = deadline - now_ms();
		enum fence_peer_line what;
		ssize_t n;

		if (left <= 0)
			return TALK_TIMEOUT;
		if (poll(&pfd, 1, (int)left) <= 0)
			continue;
		n = read(fd, p->buf + len, LINE_MAX_BYTES - len);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return TALK_LOST;
		len += (size_t)n;
		what = take_lines(p, &len, answer, reason);
		if (what != FENCE_LINE_EVENT)
			return what == FENCE_LINE_ANSWER ? TALK_ANSWER : TALK_REFUSED;
		if (len == LINE_MAX_BYTES) {
			snprintf(reason, FENCE_EXPLAIN_MAX, "what nasd said is too long");
			return TALK_REFUSED;
		}
	}
}

static void wait_a_moment(void)
{
	struct timespec t = { 0, AGAIN_MS * 1000000L };

	nanosleep(&t, NULL);
}

/* Asks until there is an answer: a nasd that is restarted meanwhile is asked again. */
static enum fence_peer_answer ask(struct program *p, char *reason)
{
	enum fence_peer_answer answer = FENCE_PEER_NO_PROOF;
	int64_t reached_ms = p->began_ms;

	for (;;) {
		AUTO_CLOSE int fd = dial(p->socket);
		int64_t now = now_ms();

		if (fd >= 0) {
			switch (talk(p, fd, &answer, reason)) {
			case TALK_ANSWER:
				return answer;
			case TALK_REFUSED:
				return FENCE_PEER_NO_PROOF;
			case TALK_TIMEOUT:
				snprintf(reason, FENCE_EXPLAIN_MAX, "nasd has no proof after %ld s", p->wait_ms / 1000);
				return FENCE_PEER_NO_PROOF;
			case TALK_LOST:
				reached_ms = now = now_ms();
				break;
			}
		}
		if (now - reached_ms >= p->reach_ms || now - p->began_ms >= p->wait_ms) {
			snprintf(reason, FENCE_EXPLAIN_MAX, "nasd cannot be asked: %s: %s", p->socket,
				 fd < 0 ? strerror(-fd) : "it hung up");
			return FENCE_PEER_NO_PROOF;
		}
		wait_a_moment();
	}
}

int main(int argc, char **argv)
{
	struct program p = { .socket = "/run/nasd/control.sock", .resource = getenv("DRBD_RESOURCE"),
			     .wait_ms = 540000, .reach_ms = 60000, .began_ms = now_ms() };
	char reason[FENCE_EXPLAIN_MAX] = "";
	enum fence_peer_answer answer = FENCE_PEER_NO_PROOF;
	int status = read_options(argc, argv, &p);

	if (status >= 0)
		return status ? FENCE_EXIT_FROZEN : 0;
	openlog("nasd-fence-peer", LOG_PID, LOG_DAEMON);
	signal(SIGPIPE, SIG_IGN);
	p.request = fence_peer_request(p.resource);
	p.buf = malloc(LINE_MAX_BYTES);
	if (p.request && p.buf)
		answer = ask(&p, reason);
	else
		snprintf(reason, sizeof(reason), p.request ? "no memory" : "no resource has such a name");
	status = fence_peer_exit(answer);
	say(status == FENCE_EXIT_FROZEN ? LOG_ERR : LOG_NOTICE, "%s: exit status %d, %s%s%s", p.resource, status,
	    fence_peer_exit_text(status), reason[0] ? ": " : "", reason);
	free(p.request);
	free(p.buf);
	return status;
}
