/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "holders.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "mountinfo.h"

struct search {
	dev_t dev;
	bool whole_device;    /* who has the block device open, not its files */
	const char *point;    /* of the filesystem; NULL for a device */
	struct stat own_ns;   /* our mount namespace */
	struct holders *out;
};

static void close_stream(FILE **f)
{
	if (*f)
		fclose(*f);
}
#define AUTO_STREAM __attribute__((cleanup(close_stream)))

static void close_directory(DIR **d)
{
	if (*d)
		closedir(*d);
}
#define AUTO_DIRECTORY __attribute__((cleanup(close_directory)))

static void add(struct search *s, int pid, const char *name, const char *path, const char *how)
{
	struct holder *h;

	s->out->total++;
	if (s->out->n == HOLDERS_MAX)
		return;
	h = &s->out->at[s->out->n++];
	h->pid = pid;
	snprintf(h->name, sizeof(h->name), "%.31s", name);
	snprintf(h->what, sizeof(h->what), "%.120s (%s)", path, how);
}

static bool read_line(const char *path, char *buf, size_t size)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, size - 1);

	if (n < 0)
		return false;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return true;
}

static void add_process(struct search *s, int pid, const char *path, const char *how)
{
	char file[64], name[64];

	snprintf(file, sizeof(file), "/proc/%d/comm", pid);
	if (!read_line(file, name, sizeof(name)))
		snprintf(name, sizeof(name), "process");
	add(s, pid, name, path, how);
}

/* Whether the object behind a link of /proc is what we look for. */
static bool wanted(const struct search *s, const char *link)
{
	struct stat st;

	if (stat(link, &st) < 0)
		return false;
	return s->whole_device ? S_ISBLK(st.st_mode) && st.st_rdev == s->dev : st.st_dev == s->dev;
}

static bool check_link(struct search *s, int pid, const char *link, const char *how)
{
	char target[256];
	ssize_t n;

	if (!wanted(s, link))
		return false;
	n = readlink(link, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	add_process(s, pid, target, how);
	return true;
}

static bool check_descriptors(struct search *s, int pid)
{
	char path[320];
	AUTO_DIRECTORY DIR *d = NULL;
	struct dirent *de;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (de = readdir(d))) {
		if (!isdigit((unsigned char)de->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%d/fd/%s", pid, de->d_name);
		if (check_link(s, pid, path, "open"))
			return true;
	}
	return false;
}

/* Mapped files whose descriptor is closed: "...-... rwxp off maj:min ino path". */
static bool check_maps(struct search *s, int pid)
{
	AUTO_STREAM FILE *f = NULL;
	AUTO_FREE char *line = NULL;
	char path[64];
	size_t size = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	while (f && getline(&line, &size, f) > 0) {
		unsigned major_no, minor_no;
		int at = 0;

		if (sscanf(line, "%*s %*s %*s %x:%x %*s %n", &major_no, &minor_no, &at) < 2 ||
		    !at || makedev(major_no, minor_no) != s->dev)
			continue;
		line[strcspn(line, "\n")] = '\0';
		add_process(s, pid, line + at, "mapped");
		return true;
	}
	return false;
}

static bool check_process(struct search *s, int pid)
{
	static const struct {
		const char *link, *how;
	} links[] = { { "cwd", "working directory" }, { "root", "root directory" }, { "exe", "program" } };
	char path[64];

	for (size_t i = 0; !s->whole_device && i < sizeof(links) / sizeof(links[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, links[i].link);
		if (check_link(s, pid, path, links[i].how))
			return true;
	}
	return check_descriptors(s, pid) || (!s->whole_device && check_maps(s, pid));
}

/* A filesystem mounted on a directory of ours keeps ours busy. */
static void check_nested(struct search *s)
{
	AUTO_STREAM FILE *f = fopen("/proc/self/mountinfo", "re");
	AUTO_FREE char *line = NULL;
	struct mountinfo mi;
	size_t size = 0;
	ssize_t len;

	while (f && (len = getline(&line, &size, f)) > 0)
		if (mountinfo_parse(line, (size_t)len, &mi) && mountinfo_within(s->point, mi.point) &&
		    strcmp(s->point, mi.point) != 0)
			add(s, 0, "mount", mi.point, "mounted within");
}

/* Another mount namespace may have kept a copy of the mount. */
static bool check_namespace(struct search *s, int pid)
{
	AUTO_STREAM FILE *f = NULL;
	AUTO_FREE char *line = NULL;
	struct mountinfo mi;
	char path[64];
	size_t size = 0;
	struct stat st;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	if (stat(path, &st) < 0 || st.st_ino == s->own_ns.st_ino)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", pid);
	f = fopen(path, "re");
	while (f && (len = getline(&line, &size, f)) > 0) {
		if (!mountinfo_parse(line, (size_t)len, &mi) || mi.dev != s->dev)
			continue;
		add_process(s, pid, mi.point, "mounted in its mount namespace");
		return true;
	}
	return false;
}

static void check_processes(struct search *s)
{
	AUTO_DIRECTORY DIR *d = opendir("/proc");
	struct dirent *de;

	while (d && (de = readdir(d))) {
		int pid = atoi(de->d_name);

		if (pid > 0 && !check_process(s, pid) && s->whole_device)
			check_namespace(s, pid);
	}
}

/* /sys/block/X/holders: device mapper, md and the like on top of it. */
static void check_kernel_holders(struct search *s)
{
	AUTO_DIRECTORY DIR *d = NULL;
	struct dirent *de;
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(s->dev), minor(s->dev));
	d = opendir(path);
	while (d && (de = readdir(d)))
		if (de->d_name[0] != '.')
			add(s, 0, de->d_name, "block device", "on top of it");
}

static void check_own_mounts(struct search *s)
{
	AUTO_STREAM FILE *f = fopen("/proc/self/mountinfo", "re");
	AUTO_FREE char *line = NULL;
	struct mountinfo mi;
	size_t size = 0;
	ssize_t len;

	while (f && (len = getline(&line, &size, f)) > 0)
		if (mountinfo_parse(line, (size_t)len, &mi) && mi.dev == s->dev)
			add(s, 0, "mount", mi.point, "mounted");
}

/* Swap files on the filesystem, or swap on the device. */
static void check_swaps(struct search *s)
{
	AUTO_STREAM FILE *f = fopen("/proc/swaps", "re");
	AUTO_FREE char *line = NULL;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		line[strcspn(line, " \t\n")] = '\0';
		if (line[0] == '/' && wanted(s, line))
			add(s, 0, "swap", line, "in use");
	}
}

/* Loop devices whose file lies on the filesystem. */
static void check_loops(struct search *s)
{
	AUTO_DIRECTORY DIR *d = opendir("/sys/block");
	char path[320], file[256];
	struct dirent *de;

	while (d && (de = readdir(d))) {
		if (strncmp(de->d_name, "loop", 4) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", de->d_name);
		if (read_line(path, file, sizeof(file)) && file[0] == '/' && wanted(s, file))
			add(s, 0, de->d_name, file, "loop device");
	}
}

void holders_of_filesystem(dev_t dev, const char *point, struct holders *out)
{
	struct search s = { .dev = dev, .point = point, .out = out };

	memset(out, 0, sizeof(*out));
	check_nested(&s);
	check_processes(&s);
	check_loops(&s);
	check_swaps(&s);
}

void holders_of_device(dev_t dev, struct holders *out)
{
	struct search s = { .dev = dev, .whole_device = true, .out = out };

	memset(out, 0, sizeof(*out));
	if (stat("/proc/self/ns/mnt", &s.own_ns) < 0)
		memset(&s.own_ns, 0, sizeof(s.own_ns));
	check_own_mounts(&s);
	check_kernel_holders(&s);
	check_processes(&s);
	check_swaps(&s);
}

static void append(char *buf, size_t size, const char *text)
{
	size_t len = strlen(buf);

	if (len < size)
		snprintf(buf + len, size - len, "%s", text);
}

char *holders_format(const struct holders *h, char *buf, size_t size)
{
	char one[256];

	if (size > 0)
		buf[0] = '\0';
	for (size_t i = 0; i < h->n; i++) {
		const struct holder *at = &h->at[i];

		if (at->pid)
			snprintf(one, sizeof(one), "%s%s (pid %d): %s", i ? ", " : "", at->name,
				 at->pid, at->what);
		else
			snprintf(one, sizeof(one), "%s%s: %s", i ? ", " : "", at->name, at->what);
		/* Room is kept for the last word. */
		if (strlen(buf) + strlen(one) + 20 > size) {
			snprintf(one, sizeof(one), " and %zu more", h->total - i);
			append(buf, size, one);
			return buf;
		}
		append(buf, size, one);
	}
	if (h->total > h->n) {
		snprintf(one, sizeof(one), " and %zu more", h->total - h->n);
		append(buf, size, one);
	}
	return buf;
}
