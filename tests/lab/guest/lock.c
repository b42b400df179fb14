/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

static struct flock to_flock(const struct range *range, short type)
{
	return (struct flock){ .l_type = type,
			       .l_whence = SEEK_SET,
			       .l_start = (off_t)range->first,
			       .l_len = (off_t)(range->last - range->first + 1) };
}

int lock_take(int fd, const struct range *range)
{
	struct flock fl = to_flock(range, F_WRLCK);

	return fcntl(fd, F_SETLK, &fl) ? -errno : 0;
}

int lock_watch_open(struct lock_watch *w, const char *path, const struct range *range)
{
	memset(w, 0, sizeof(*w));
	w->range = *range;
	/*
	 * POSIX locks go away when the process closes any descriptor of the
	 * file, so this one stays open to the end.
	 */
	w->probe_fd = open(path, O_RDWR | O_CLOEXEC);
	if (w->probe_fd < 0)
		return -errno;
	w->kmsg_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (w->kmsg_fd >= 0)
		(void)lseek(w->kmsg_fd, 0, SEEK_END); /* only what comes from now on */
	return 0;
}

/* Count what the NFS client has said about lost locks since the last look. */
static uint64_t read_kmsg(struct lock_watch *w)
{
	char record[8192];
	uint64_t found = 0;

	for (unsigned i = 0; w->kmsg_fd >= 0 && i < 1000; i++) {
		ssize_t n = read(w->kmsg_fd, record, sizeof(record) - 1);

		if (n < 0 && errno == EPIPE)
			continue; /* records were overwritten; the next read goes on */
		if (n <= 0)
			break;
		record[n] = '\0';
		if (strstr(record, "Lock reclaim failed") || strstr(record, "lost lock"))
			found++;
	}
	return found;
}

const char *lock_watch_check(struct lock_watch *w)
{
	struct flock fl = to_flock(&w->range, F_WRLCK);
	uint64_t reclaim = read_kmsg(w);

	w->checks++;
	if (reclaim) {
		w->reclaim += reclaim;
		return "reclaim-failed";
	}
	/* An open file description is another owner than the process. */
	if (fcntl(w->probe_fd, F_OFD_GETLK, &fl)) {
		w->failures++;
		return "check-failed";
	}
	if (fl.l_type == F_UNLCK) {
		w->lost++;
		return "lost";
	}
	return NULL;
}

struct lock_test {
	const char *file;
	struct range range;
	uint64_t count;
	uint64_t seconds;
	uint64_t pace_ms;
};

static volatile sig_atomic_t stop_asked;

static void on_stop(int sig)
{
	(void)sig;
	stop_asked = 1;
}

static int parse(struct lock_test *t, int argc, char **argv)
{
	bool have_range = false;

	*t = (struct lock_test){ .pace_ms = 200 };
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!value)
			return -1;
		if (strcmp(argv[i], "--file") == 0) {
			t->file = value;
		} else if (strcmp(argv[i], "--range") == 0) {
			if (options_parse_range(value, &t->range))
				return -1;
			have_range = true;
		} else if (strcmp(argv[i], "--count") == 0) {
			if (options_parse_size(value, &t->count))
				return -1;
		} else if (strcmp(argv[i], "--seconds") == 0) {
			if (options_parse_size(value, &t->seconds))
				return -1;
		} else if (strcmp(argv[i], "--pace") == 0) {
			if (options_parse_size(value, &t->pace_ms))
				return -1;
		} else {
			return -1;
		}
	}
	if (t->count == 0 && t->seconds == 0)
		t->count = 1;
	return t->file && have_range ? 0 : -1;
}

int lock_test_main(int argc, char **argv)
{
	struct lock_test t;
	uint64_t refused = 0, stolen = 0, errors = 0, tries = 0, begin, next;
	struct sigaction sa = { .sa_handler = on_stop }; /* no SA_RESTART: leave fcntl too */
	int fd;

	if (parse(&t, argc, argv)) {
		fprintf(stderr, "usage: probe lock-test --file F --range A-B "
				"[--count N | --seconds S] [--pace MS]\n");
		return 2;
	}
	fd = open(t.file, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "probe: %s: %s\n", t.file, strerror(errno));
		return 2;
	}
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	begin = next = clock_mono_ns();
	while (!stop_asked && (t.count == 0 || tries < t.count) &&
	       (t.seconds == 0 || clock_mono_ns() - begin < t.seconds * NS_PER_SEC)) {
		struct flock fl = to_flock(&t.range, F_WRLCK);

		if (tries)
			clock_sleep_until(next);
		tries++;
		if (fcntl(fd, F_SETLK, &fl) == 0) {
			stolen++;
			printf("ev=stolen try=%" PRIu64 " wall_us=%" PRIu64 "\n", tries,
			       clock_wall_ns() / NS_PER_US);
			fl.l_type = F_UNLCK;
			(void)fcntl(fd, F_SETLK, &fl);
		} else if (errno == EAGAIN || errno == EACCES) {
			refused++;
		} else if (errno != EINTR) {
			errors++;
			printf("ev=lock-error try=%" PRIu64 " errno=%d wall_us=%" PRIu64 "\n", tries,
			       errno, clock_wall_ns() / NS_PER_US);
		}
		next = clock_mono_ns() + t.pace_ms * NS_PER_MS;
	}
	printf("{\"ev\":\"lock-test\",\"file\":\"%s\",\"tries\":%" PRIu64 ",\"refused\":%" PRIu64
	       ",\"stolen\":%" PRIu64 ",\"errors\":%" PRIu64 "}\n",
	       t.file, tries, refused, stolen, errors);
	return stolen ? 1 : errors ? 3 : 0;
}
