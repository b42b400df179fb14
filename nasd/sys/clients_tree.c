/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "clients_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "log.h"

/* A record of CLIENT_ENTRY_MAX spreads over this many directories. */
enum { TREE_DEPTH_MAX = CLIENT_ENTRY_MAX / NAME_MAX + 1 };

static const char *where = "client records";

int clients_db_path(const char *state_dir, const char *group, enum clients_db db, char *buf,
		    size_t size, struct err *err)
{
	static const char *const below[CLIENTS_DBS] = {
		[CLIENTS_DB_RECOV] = "v4recov/node" CLIENTS_OWN_NODEID,
		[CLIENTS_DB_OLD] = "v4old/node" CLIENTS_OWN_NODEID,
		[CLIENTS_DB_TAKEOVER] = "v4recov/node" CLIENTS_TAKEOVER_NODEID,
	};
	int n = snprintf(buf, size, "%s/%s/%s", state_dir ? state_dir : CLIENTS_STATE_DIR,
			 group, below[db]);

	if (n < 0 || (size_t)n >= size)
		return err_set(err, ERR_INPUT, ENAMETOOLONG, where, "the state directory's path is too long");
	return 0;
}

static int mark_path(const char *state_dir, const char *group, char *buf, size_t size)
{
	int n = snprintf(buf, size, "%s/%s/records-installed", state_dir ? state_dir : CLIENTS_STATE_DIR,
			 group);

	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

bool clients_mark_get(const char *state_dir, const char *group)
{
	char path[PATH_MAX];

	return mark_path(state_dir, group, path, sizeof(path)) == 0 && access(path, F_OK) == 0;
}

int clients_mark_set(const char *state_dir, const char *group, bool on, struct err *err)
{
	char path[PATH_MAX];
	AUTO_CLOSE int fd = -1;

	if (mark_path(state_dir, group, path, sizeof(path)) < 0)
		return err_set(err, ERR_INPUT, ENAMETOOLONG, where, "the state directory's path is too long");
	if (on)
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (on ? fd < 0 || fsync(fd) < 0 : unlink(path) < 0 && errno != ENOENT)
		return err_set(err, ERR_SYSTEM, errno, where, "cannot %s %s", on ? "write" : "remove", path);
	return 0;
}

int clients_mkdirs(const char *path, struct err *err)
{
	char buf[PATH_MAX];
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(buf))
		return err_set(err, ERR_INPUT, ENAMETOOLONG, where, "path too long: %.64s...", path);
	memcpy(buf, path, len + 1);
	for (char *p = buf + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(buf, 0755) < 0 && errno != EEXIST)
			return err_set(err, ERR_SYSTEM, errno, where, "cannot make %s", buf);
		*p = '/';
	}
	if (mkdir(buf, 0700) < 0 && errno != EEXIST)
		return err_set(err, ERR_SYSTEM, errno, where, "cannot make %s", buf);
	return 0;
}

int clients_sync_dir(const char *path, struct err *err)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_set(err, ERR_SYSTEM, errno, where, "cannot sync %s", path);
	return 0;
}

/* ---- reading */

struct reader {
	int inotify;
	struct client_set *out;
	struct client_entry entry; /* the name so far */
};

static void watch_fd(int inotify, int dirfd)
{
	char path[64];

	if (inotify < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", dirfd);
	if (inotify_add_watch(inotify, path, IN_CREATE | IN_DELETE | IN_MOVE | IN_ONLYDIR) < 0)
		log_warn("client records: cannot watch a directory: %s", strerror(errno));
}

static int read_leaf(struct reader *r)
{
	if (client_entry_check(&r->entry, NULL) < 0) {
		log_info("client records: passed over \"%.100s\"", r->entry.text);
		return 0;
	}
	return client_set_add(r->out, &r->entry);
}

/* Reads the directory fd (consumed), whose name so far is len bytes long.
 * Returns how many children it has, or a negative code. */
static int read_dir(struct reader *r, int fd, size_t len, int depth)
{
	int children = 0, ret = 0;
	struct dirent *d;
	DIR *dir;

	watch_fd(r->inotify, fd);
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -errno;
	}
	while (ret >= 0 && (d = readdir(dir))) {
		size_t n = strlen(d->d_name);
		int sub;

		/* ganesha keeps revoked handles in files that begin with \1 */
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") || d->d_name[0] == '\1')
			continue;
		children++;
		if (len + n >= sizeof(r->entry.text) || depth >= TREE_DEPTH_MAX)
			continue;
		sub = -1;
		if (n == NAME_MAX || d->d_type != DT_DIR) {
			sub = openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
			if (sub < 0)
				continue; /* gone meanwhile, or no directory */
		}
		memcpy(r->entry.text + len, d->d_name, n + 1);
		if (n == NAME_MAX) {
			ret = read_dir(r, sub, len + n, depth + 1);
			r->entry.text[len + n] = '\0';
		} else {
			if (sub >= 0)
				close(sub);
			ret = 0;
		}
		if (ret == 0)
			ret = read_leaf(r);
	}
	closedir(dir);
	return ret < 0 ? ret : children;
}

int clients_tree_read(const char *path, int inotify, struct client_set *out, struct err *err)
{
	struct reader r = {.inotify = inotify, .out = out, .entry = {.kind = CLIENT_RECORD}};
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, where, "cannot open %s", path);
	ret = read_dir(&r, fd, 0, 0);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, where, "cannot read %s", path);
	return 0;
}

/* ---- writing */

static int write_record(int top, const char *text)
{
	char path[CLIENT_ENTRY_MAX + TREE_DEPTH_MAX + 1];
	size_t len = strlen(text), at = 0;

	for (size_t pos = 0; pos < len; pos += NAME_MAX) {
		size_t n = len - pos < NAME_MAX ? len - pos : NAME_MAX;

		if (pos)
			path[at++] = '/';
		memcpy(path + at, text + pos, n);
		at += n;
		path[at] = '\0';
		if (mkdirat(top, path, 0700) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

int clients_tree_write(const char *path, const struct client_set *set, struct err *err)
{
	AUTO_CLOSE int top = -1;
	int ret = clients_mkdirs(path, err);

	if (ret < 0)
		return ret;
	top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0)
		return err_set(err, ERR_SYSTEM, errno, where, "cannot open %s", path);
	for (size_t i = 0; i < set->n && ret == 0; i++) {
		if (set->entries[i]->kind != CLIENT_RECORD)
			continue;
		ret = client_text_check(CLIENT_RECORD, set->entries[i]->text, err);
		if (ret < 0)
			return ret;
		ret = write_record(top, set->entries[i]->text);
	}
	if (ret == 0 && fsync(top) < 0)
		ret = -errno;
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, where, "cannot write to %s", path);
	return 0;
}

/* The directories below top that a long name is spread over. */
static int sync_long(int top, const char *record)
{
	size_t len = strlen(record), pos = 0;
	char name[NAME_MAX + 1];
	int fd = dup(top), ret = 0;

	for (int next; fd >= 0 && ret == 0 && len - pos > NAME_MAX; pos += NAME_MAX, fd = next) {
		snprintf(name, sizeof(name), "%s", record + pos);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(fd);
		if (next >= 0 && fsync(next) < 0)
			ret = -errno;
	}
	if (fd >= 0)
		close(fd);
	return ret;
}

int clients_tree_sync(const char *path, const struct client_set *set, struct err *err)
{
	AUTO_CLOSE int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = 0;

	if (top < 0 && errno == ENOENT)
		return 0;
	if (top < 0 || fsync(top) < 0)
		ret = -errno;
	for (size_t i = 0; ret == 0 && i < set->n; i++)
		if (set->entries[i]->kind == CLIENT_RECORD)
			ret = sync_long(top, set->entries[i]->text);
	return ret < 0 ? err_set(err, ERR_SYSTEM, -ret, where, "cannot sync %s", path) : 0;
}

/* ---- emptying */

static int clear_dir(int fd, int depth)
{
	struct dirent *d;
	int ret = 0;
	DIR *dir = fdopendir(fd);

	if (!dir) {
		close(fd);
		return -errno;
	}
	while (ret == 0 && (d = readdir(dir))) {
		int sub;

		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			continue;
		if (errno == ENOTDIR) {
			ret = unlinkat(dirfd(dir), d->d_name, 0) == 0 || errno == ENOENT ? 0 : -errno;
			continue;
		}
		sub = errno == ENOTEMPTY && depth < 2 * TREE_DEPTH_MAX
			      ? openat(dirfd(dir), d->d_name,
				       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
			      : -1;
		ret = sub < 0 ? -errno : clear_dir(sub, depth + 1);
		if (ret == 0 && unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			ret = -errno;
	}
	closedir(dir);
	return ret;
}

int clients_tree_clear(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret;

	if (fd < 0 && errno == ENOENT)
		return 0;
	ret = fd < 0 ? -errno : clear_dir(fd, 0);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, where, "cannot empty %s", path);
	return 0;
}
