/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal_file_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

enum { PATH_SIZE = 512, PID_TEXT = 24 };

struct journal_file {
	const struct journal_file_io *io;
	char path[PATH_SIZE];
	int fd, lock_fd;
	uint64_t len;             /* of what is known to be on the disk */
	bool poisoned;
};

static const struct journal_file_io real_io = { write, fdatasync, ftruncate, rename };

static int sys_err(const struct journal_file *j, struct err *err, const char *what)
{
	return err_set(err, ERR_SYSTEM, errno, j->path, "%s", what);
}

static int poison(struct journal_file *j, struct err *err, const char *what)
{
	int errnum = errno;

	j->poisoned = true;
	err_set(err, ERR_SYSTEM, errnum, j->path,
		"%s: what is on the disk is unknown, the journal takes no more records", what);
	err_remedy(err, "check the disk under it (dmesg), then restart nasd");
	return -EIO;
}

static int check_usable(const struct journal_file *j, struct err *err)
{
	if (!j->poisoned)
		return 0;
	err_set(err, ERR_SYSTEM, EIO, j->path, "the journal failed earlier and takes no more records");
	err_remedy(err, "check the disk under it (dmesg), then restart nasd");
	return -EIO;
}

/* The directory part of path, "." when there is none. */
static void dir_of(const char *path, char *dir)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		strcpy(dir, ".");
	else if (slash == path)
		strcpy(dir, "/");
	else
		snprintf(dir, PATH_SIZE, "%.*s", (int)(slash - path), path);
}

/* Makes a new or renamed name in the directory of path durable. */
static int sync_dir(const char *path)
{
	char dir[PATH_SIZE];
	AUTO_CLOSE int fd = -1;

	dir_of(path, dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* EINVAL: this file system has no such notion, its names are durable. */
	return fsync(fd) < 0 && errno != EINVAL ? -1 : 0;
}

static int make_dir(const struct journal_file *j, struct err *err)
{
	char dir[PATH_SIZE];

	dir_of(j->path, dir);
	if (mkdir(dir, 0700) == 0)
		return sync_dir(dir) < 0 ? sys_err(j, err, "cannot sync its parent directory") : 0;
	return errno == EEXIST ? 0 : sys_err(j, err, "cannot create its directory");
}

/* The lock is a file of its own: a compaction replaces the journal's inode. */
static int take_lock(struct journal_file *j, struct err *err)
{
	char path[PATH_SIZE + 8], pid[PID_TEXT] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "%s.lock", j->path);
	j->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (j->lock_fd < 0)
		return sys_err(j, err, "cannot open its lock file");
	if (flock(j->lock_fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return sys_err(j, err, "cannot lock it");
		n = pread(j->lock_fd, pid, sizeof(pid) - 1, 0);
		pid[n > 0 ? strcspn(pid, "\n") : 0] = '\0';
		err_set(err, ERR_REFUSED, EBUSY, j->path, "another nasd uses it (process %s)",
			*pid ? pid : "unknown");
		err_remedy(err, "stop that one first (systemctl stop nasd)");
		return -EBUSY;
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(j->lock_fd, 0) < 0 || pwrite(j->lock_fd, pid, (size_t)n, 0) != n)
		return sys_err(j, err, "cannot write its lock file");
	return 0;
}

static int open_file(struct journal_file *j, struct err *err)
{
	struct stat st;

	j->fd = open(j->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (j->fd < 0)
		return sys_err(j, err, "cannot open it");
	if (fstat(j->fd, &st) < 0)
		return sys_err(j, err, "cannot look at it");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REFUSED, EINVAL, j->path, "not a regular file");
	/* What an earlier nasd wrote and did not live to sync is read as fact: make it one. */
	if (j->io->fdatasync(j->fd) < 0 || sync_dir(j->path) < 0)
		return sys_err(j, err, "cannot sync it");
	j->len = (uint64_t)st.st_size;
	return 0;
}

int journal_file_open_io(const char *path, const struct journal_file_io *io,
			 struct journal_file **out, struct err *err)
{
	struct journal_file *j;
	int ret;

	if (!*path || strlen(path) + 16 > PATH_SIZE)
		return err_set(err, ERR_INPUT, ENAMETOOLONG, path, "not a usable path for the journal");
	j = calloc(1, sizeof(*j));
	if (!j)
		return err_set(err, ERR_SYSTEM, ENOMEM, path, "cannot open it");
	j->io = io;
	j->fd = j->lock_fd = -1;
	strcpy(j->path, path);
	ret = make_dir(j, err);
	if (ret == 0)
		ret = take_lock(j, err);
	if (ret == 0)
		ret = open_file(j, err);
	if (ret < 0) {
		journal_file_close(j);
		return ret;
	}
	*out = j;
	return 0;
}

int journal_file_open(const char *path, struct journal_file **out, struct err *err)
{
	return journal_file_open_io(path, &real_io, out, err);
}

int journal_file_read(struct journal_file *j, unsigned char **data, size_t *len, struct err *err)
{
	AUTO_FREE unsigned char *buf = malloc((size_t)j->len + 1);
	size_t got = 0;
	ssize_t n;

	if (!buf)
		return err_set(err, ERR_SYSTEM, ENOMEM, j->path, "cannot read it");
	while (got < j->len) {
		n = pread(j->fd, buf + got, (size_t)j->len - got, (off_t)got);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return sys_err(j, err, "cannot read it");
		if (n == 0)
			return err_set(err, ERR_SYSTEM, EIO, j->path, "shorter than it was");
		got += (size_t)n;
	}
	*data = buf;
	*len = got;
	buf = NULL;
	return 0;
}

/* Writes all of it, whatever pieces the kernel takes it in. */
static int write_all(const struct journal_file *j, int fd, const unsigned char *p, size_t len)
{
	ssize_t n;

	while (len) {
		n = j->io->write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int append(struct journal_file *j, const void *data, size_t len, bool sync, struct err *err)
{
	int errnum;

	if (check_usable(j, err) < 0)
		return -EIO;
	if (write_all(j, j->fd, data, len) < 0) {
		errnum = errno;
		if (j->io->ftruncate(j->fd, (off_t)j->len) < 0)
			return poison(j, err, "a record could be neither written nor taken back");
		errno = errnum;
		return sys_err(j, err, "a record cannot be written");
	}
	/* The kernel may have dropped the pages after reporting: no second try. */
	if (sync && j->io->fdatasync(j->fd) < 0)
		return poison(j, err, "the disk did not take a record");
	j->len += len;
	return 0;
}

int journal_file_append(struct journal_file *j, const void *data, size_t len, struct err *err)
{
	return append(j, data, len, true, err);
}

int journal_file_append_lazily(struct journal_file *j, const void *data, size_t len, struct err *err)
{
	return append(j, data, len, false, err);
}

int journal_file_truncate(struct journal_file *j, uint64_t len, struct err *err)
{
	if (check_usable(j, err) < 0)
		return -EIO;
	if (len > j->len)
		return err_set(err, ERR_INTERNAL, EINVAL, j->path, "cut to more than it has");
	if (j->io->ftruncate(j->fd, (off_t)len) < 0)
		return sys_err(j, err, "cannot cut off its torn end");
	if (j->io->fdatasync(j->fd) < 0)
		return poison(j, err, "the disk did not take the cut");
	j->len = len;
	return 0;
}

int journal_file_rewrite(struct journal_file *j, const void *data, size_t len, struct err *err)
{
	char tmp[PATH_SIZE + 8];
	AUTO_CLOSE int fd = -1;
	int old, ret;

	if (check_usable(j, err) < 0)
		return -EIO;
	snprintf(tmp, sizeof(tmp), "%s.new", j->path);
	if (unlink(tmp) < 0 && errno != ENOENT)
		return sys_err(j, err, "cannot remove a stale temporary file");
	fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return sys_err(j, err, "cannot create its successor");
	if (write_all(j, fd, data, len) < 0 || j->io->fdatasync(fd) < 0 ||
	    j->io->rename(tmp, j->path) < 0) {
		ret = sys_err(j, err, "cannot write its successor");
		unlink(tmp);
		return ret;
	}
	/* Renamed: appends go to the new file, the old one has no name any more. */
	old = j->fd;
	j->fd = take_fd(&fd);
	fd = old;
	j->len = len;
	if (sync_dir(j->path) < 0)
		return poison(j, err, "the directory could not be synced after a compaction");
	return 0;
}

uint64_t journal_file_length(const struct journal_file *j)
{
	return j->len;
}

bool journal_file_poisoned(const struct journal_file *j)
{
	return j->poisoned;
}

void journal_file_close(struct journal_file *j)
{
	if (!j)
		return;
	if (j->fd >= 0)
		close(j->fd);
	if (j->lock_fd >= 0)
		close(j->lock_fd);
	free(j);
}
