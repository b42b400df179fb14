/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nasd-watchdog: see nasd-watchdog(8). Decides nothing; watchdog.h does. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "clocks.h"
#include "log.h"
#include "watchdog.h"
#include "watchdog_dev.h"

enum { MS = 1000, S = 1000000, BATCH = 64, PRIORITY = 20 };

struct program {
	const char *device, *socket;
	unsigned timeout_s;
	int64_t stale_us;
	bool realtime;
	struct watchdog dog;
	struct watchdog_dev dev;
	enum dog_state state;     /* as last logged */
	int sock, signals;
	unsigned long rejected;
};

/* journald reads the "<4>"; people read the rest. */
static void to_stderr(enum log_priority prio, const struct log_fields *fields, const char *message, void *data)
{
	(void)fields;
	(void)data;
	if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s\n", (int)prio, message);
	else
		fprintf(stderr, "nasd-watchdog: %s\n", message);
}

static void log_failure(const struct err *e)
{
	char text[ERR_WHERE_MAX + ERR_MSG_MAX + ERR_REMEDY_MAX];

	log_err("%s", err_format(e, text, sizeof(text)));
}

/* ---- options */

static const char usage[] =
	"usage: nasd-watchdog [options]\n"
	"  -D, --device PATH    the watchdog device, default /dev/watchdog; \"none\": only watch and log\n"
	"  -t, --timeout S      after how long unfed the device resets the node, default 10\n"
	"  -s, --stale MS       how long a beat of nasd vouches for it, default 2000\n"
	"  -S, --socket PATH    default " BEAT_SOCKET "\n"
	"      --no-realtime    neither real-time priority nor locked memory\n"
	"  -V, --version   -h, --help\n";

static bool number(const char *text, long min, long max, long *out)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	return !errno && end != text && !*end && *out >= min && *out <= max;
}

/* 0: go on; otherwise the exit status plus one. */
static int read_options(int argc, char **argv, struct program *p)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'D' },  { "timeout", required_argument, NULL, 't' },
		{ "stale", required_argument, NULL, 's' },   { "socket", required_argument, NULL, 'S' },
		{ "no-realtime", no_argument, NULL, 'r' },   { "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },	     { NULL, 0, NULL, 0 },
	};
	long n;
	int c;

	while ((c = getopt_long(argc, argv, "D:t:s:S:Vh", options, NULL)) != -1) {
		switch (c) {
		case 'D': p->device = optarg; break;
		case 'S': p->socket = optarg; break;
		case 'r': p->realtime = false; break;
		case 't':
			if (!number(optarg, 1, 600, &n))
				goto bad;
			p->timeout_s = (unsigned)n;
			break;
		case 's':
			if (!number(optarg, 100, 60000, &n))
				goto bad;
			p->stale_us = n * MS;
			break;
		case 'V': puts("nasd-watchdog " NASD_VERSION); return 1;
		case 'h': fputs(usage, stdout); return 1;
		default: goto bad;
		}
	}
	if (optind == argc)
		return 0;
bad:
	fputs(usage, stderr);
	return 3;
}

/* ---- setting up */

static void be_realtime(void)
{
	struct sched_param param = { .sched_priority = PRIORITY };

	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		log_warn("memory cannot be locked: %s", strerror(errno));
	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) < 0)
		log_warn("no real-time priority: %s", strerror(errno));
}

/* Is there somebody who listens on this path already? */
static bool in_use(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool used = fd >= 0 && connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0;

	if (fd >= 0)
		close(fd);
	return used;
}

static int open_socket(struct program *p, struct err *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int one = 1;
	mode_t mask;

	if (strlen(p->socket) >= sizeof(sa.sun_path))
		return err_set(err, ERR_INPUT, ENAMETOOLONG, p->socket, "too long for a socket's path");
	strcpy(sa.sun_path, p->socket);
	if (in_use(&sa))
		return err_set(err, ERR_REFUSED, EADDRINUSE, p->socket, "another nasd-watchdog is running");
	unlink(p->socket);
	p->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->sock < 0 || setsockopt(p->sock, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)
		return err_set(err, ERR_SYSTEM, errno, p->socket, "cannot make a socket");
	mask = umask(0177);
	if (bind(p->sock, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		umask(mask);
		return err_set(err, ERR_SYSTEM, errno, p->socket, "cannot bind the socket");
	}
	umask(mask);
	return 0;
}

static int open_signals(struct program *p, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signals < 0 ? err_set(err, ERR_SYSTEM, errno, "signals", "cannot watch them") : 0;
}

/* ---- the work */

static bool do_it(struct program *p, enum watchdog_do what, struct err *e)
{
	switch (what) {
	case WATCHDOG_REST:
		return true;
	case WATCHDOG_OPEN:
		if (watchdog_dev_open(&p->dev, p->device, p->timeout_s, e))
			return false;
		log_notice("%s (%s) is armed: %u s, then %lld ms of silence and it resets this node%s", p->device,
			   p->dev.identity, p->dev.timeout_s, (long long)(p->stale_us / MS),
			   p->dev.can_disarm ? "" : "; it cannot be disarmed");
		if (p->dev.timeout_s != p->timeout_s)
			log_warn("%s: asked for a timeout of %u s, it has settled for %u s", p->device, p->timeout_s,
				 p->dev.timeout_s);
		return true;
	case WATCHDOG_FEED:
		return watchdog_dev_feed(&p->dev, e) == 0;
	case WATCHDOG_DISARM:
		return watchdog_dev_disarm(&p->dev, e) == 0;
	}
	return false;
}

static void log_state(struct program *p)
{
	enum dog_state state = watchdog_state(&p->dog, monotonic_us());

	if (state == p->state)
		return;
	log_write(state == DOG_STARVING || state == DOG_FAILED ? LOGP_ERR : LOGP_NOTICE, NULL, "%s -> %s%s",
		  dog_state_name(p->state), dog_state_name(state),
		  state == DOG_STARVING ? ": nasd is silent while active; the node will be reset" : "");
	p->state = state;
}

static void act(struct program *p)
{
	for (unsigned i = 0; i < 4; i++) { /* open, feed; disarm, keep */
		enum watchdog_do what = watchdog_next(&p->dog, monotonic_us());
		struct err e = { 0 };
		bool ok;

		if (what == WATCHDOG_REST)
			break;
		ok = do_it(p, what, &e);
		if (!ok && !p->dog.failed)
			log_failure(&e);
		watchdog_done(&p->dog, what, ok, p->dev.can_disarm, monotonic_us());
	}
	log_state(p);
}

/* Is the sender root, or who we are? */
static bool trusted(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	struct ucred cred;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS)
		return false;
	memcpy(&cred, CMSG_DATA(c), sizeof(cred));
	return cred.uid == 0 || cred.uid == geteuid();
}

static void reject(struct program *p, const struct err *e)
{
	char text[ERR_WHERE_MAX + ERR_MSG_MAX + ERR_REMEDY_MAX];

	if (p->rejected++ % 1000 == 0)
		log_warn("ignored (%lu so far): %s", p->rejected, err_format(e, text, sizeof(text)));
}

/* One datagram; false when there is none. */
static bool receive(struct program *p)
{
	char buf[BEAT_MAX + 1], control[CMSG_SPACE(sizeof(struct ucred))], answer[BEAT_MAX];
	struct sockaddr_un from;
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(p->sock, &m, 0);
	struct fence_beat beat = { 0 };
	struct err e = { 0 };

	if (n < 0)
		return errno == EINTR;
	if (!trusted(&m))
		err_set(&e, ERR_REFUSED, EPERM, p->socket, "a beat from another user");
	else if (!beat_parse(buf, (size_t)n, &beat, &e))
		watchdog_beat(&p->dog, &beat, monotonic_us(), &e);
	if (e.cls != ERR_NONE) {
		reject(p, &e);
		return true;
	}
	act(p);
	if (m.msg_namelen > sizeof(sa_family_t)) {
		size_t len = dog_format(beat.seq, watchdog_state(&p->dog, monotonic_us()), answer);

		sendto(p->sock, answer, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&from, m.msg_namelen);
	}
	return true;
}

/*
 * Told to end. Not active: disarmed. Active: the device is left running with a
 * last feed, for a successor to take over within its timeout; without one the
 * node is reset, since a nasd that is active must not be without its watchdog.
 */
static void end(struct program *p)
{
	struct err e = { 0 };

	if (!p->dog.open)
		return;
	if (!p->dog.last.active && p->dog.can_disarm && !watchdog_dev_disarm(&p->dev, &e))
		return;
	if (p->dog.last.active && watchdog_state(&p->dog, monotonic_us()) != DOG_STARVING)
		watchdog_dev_feed(&p->dev, &e);
	watchdog_dev_abandon(&p->dev);
	log_warn("ending with the device armed: it resets this node in %u s unless a nasd-watchdog is started",
		 p->dev.timeout_s);
}

static int timeout_ms(const struct program *p)
{
	int64_t now = monotonic_us(), wake = watchdog_wake_us(&p->dog, now), wait;

	/* While active: also look when the last beat goes stale, to say so. */
	if (p->dog.heard && p->dog.last.active && p->state != DOG_STARVING) {
		int64_t stale = p->dog.last.mono_us + p->stale_us + MS;

		wake = wake < 0 || stale < wake ? stale : wake;
	}
	if (wake < 0)
		return -1;
	wait = (wake - now) / MS + 1;
	return wait < 1 ? 1 : wait > 60000 ? 60000 : (int)wait;
}

static void work(struct program *p)
{
	struct pollfd fds[2] = { { p->sock, POLLIN, 0 }, { p->signals, POLLIN, 0 } };

	for (;;) {
		if (poll(fds, 2, timeout_ms(p)) < 0 && errno != EINTR)
			break;
		if (fds[1].revents & POLLIN)
			break;
		for (unsigned i = 0; i < BATCH && receive(p); i++)
			;
		act(p);
	}
	end(p);
}

int main(int argc, char **argv)
{
	struct program p = { .device = "/dev/watchdog", .socket = BEAT_SOCKET, .timeout_s = 10, .stale_us = 2 * S,
			     .realtime = true, .dev = { .fd = -1 }, .sock = -1, .signals = -1 };
	struct watchdog_rules rules = { .retry_us = S };
	struct err e = { 0 };
	int r = read_options(argc, argv, &p);

	if (r)
		return r - 1;
	log_set_sink(to_stderr, NULL);
	rules.stale_us = p.stale_us;
	rules.feed_us = (int64_t)p.timeout_s * S / 5;
	if (rules.feed_us > p.stale_us / 2)
		rules.feed_us = p.stale_us / 2;
	rules.no_device = !strcmp(p.device, "none");
	watchdog_init(&p.dog, &rules);
	p.state = watchdog_state(&p.dog, 0);
	if (p.realtime)
		be_realtime();
	if (open_signals(&p, &e) || open_socket(&p, &e)) {
		log_failure(&e);
		return 1;
	}
	log_info("listening on %s; device %s; from a hang of nasd to the reset at most %lld ms", p.socket, p.device,
		 (long long)(watchdog_worst_us(&rules, (int64_t)p.timeout_s * S) / MS));
	work(&p);
	unlink(p.socket);
	return 0;
}
