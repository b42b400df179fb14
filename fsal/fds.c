/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "fds.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_ROOM = 64, FIRST_FD = 3 };

struct fds_handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

struct fds_entry {
	int fd, flags;
	ino_t ino;
	struct fds_handle handle;
	struct flock *locks;
	size_t n_locks;
};

void fds_make_room(int n)
{
	struct rlimit limit;
	int any, high;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if ((rlim_t)n > limit.rlim_cur)
		n = (int)limit.rlim_cur;
	any = eventfd(0, EFD_CLOEXEC);
	high = any < 0 || n < 1 ? -1 : fcntl(any, F_DUPFD_CLOEXEC, n - 1);
	if (high >= 0)
		close(high);
	if (any >= 0)
		close(any);
}

void fds_init(struct fds *f)
{
	memset(f, 0, sizeof(*f));
	f->hole = -1;
}

void fds_forget(struct fds *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->entries[i].locks);
	free(f->entries);
	free(f->noted);
	if (f->hole >= 0)
		close(f->hole);
	fds_init(f);
}

/* ---- locks */

bool fds_parse_lock(const char *line, struct flock *out)
{
	char kind[16], mode[16], type[16], end[24];
	uint64_t first, last = 0;

	if (sscanf(line, "lock:%*s %15s %15s %15s %*s %*s %" SCNu64 " %23s", kind, mode, type, &first,
		   end) != 5 || strcmp(kind, "OFDLCK") || first > INT64_MAX)
		return false;
	if (strcmp(end, "EOF") && (sscanf(end, "%" SCNu64, &last) != 1 || last < first || last > INT64_MAX))
		return false;
	if (strcmp(type, "WRITE") && strcmp(type, "READ"))
		return false;
	memset(out, 0, sizeof(*out));
	out->l_type = !strcmp(type, "WRITE") ? F_WRLCK : F_RDLCK;
	out->l_whence = SEEK_SET;
	out->l_start = (off_t)first;
	out->l_len = !strcmp(end, "EOF") ? 0 : (off_t)(last - first + 1);
	return true;
}

static int add_lock(struct fds_entry *e, const struct flock *lock)
{
	struct flock *locks = realloc(e->locks, (e->n_locks + 1) * sizeof(*locks));

	if (!locks)
		return -ENOMEM;
	e->locks = locks;
	e->locks[e->n_locks++] = *lock;
	return 0;
}

static int read_locks(struct fds_entry *e)
{
	char path[64], line[256];
	struct flock lock;
	FILE *in;
	int ret = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", e->fd);
	in = fopen(path, "re");
	if (!in)
		return -errno;
	while (ret == 0 && fgets(line, sizeof(line), in))
		if (fds_parse_lock(line, &lock))
			ret = add_lock(e, &lock);
	fclose(in);
	return ret;
}

/* ---- release */

static int make_room(struct fds *f)
{
	size_t room = f->room ? 2 * f->room : FIRST_ROOM;
	struct fds_entry *entries = realloc(f->entries, room * sizeof(*entries));

	if (!entries)
		return -ENOMEM;
	f->entries = entries;
	f->room = room;
	return 0;
}

/* Everything that is needed to open it again; changes nothing. */
static int note_descriptor(struct fds *f, int fd, const struct stat *st, struct fault *fault)
{
	struct fds_entry *e;
	int mount_id;

	if (f->n == f->room && make_room(f) < 0)
		return fault_set(fault, ENOMEM, "out of memory");
	e = &f->entries[f->n];
	memset(e, 0, sizeof(*e));
	e->fd = fd;
	e->ino = st->st_ino;
	e->flags = fcntl(fd, F_GETFL);
	e->handle.head.handle_bytes = MAX_HANDLE_SZ;
	if (e->flags < 0 || name_to_handle_at(fd, "", &e->handle.head, &mount_id, AT_EMPTY_PATH) < 0)
		return fault_set(fault, errno, "descriptor %d has no file handle: %s", fd, strerror(errno));
	f->n++;
	if (!(e->flags & O_PATH) && S_ISREG(st->st_mode) && read_locks(e) < 0)
		return fault_set(fault, EIO, "the locks of descriptor %d cannot be read", fd);
	return 0;
}

/* Calls look with each open number but that of the list itself; ends with its first error. */
static int each_number(int (*look)(struct fds *f, int fd, struct fault *fault), struct fds *f, struct fault *fault)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *d;
	int ret = 0;

	if (!dir)
		return fault_set(fault, errno, "cannot read /proc/self/fd: %s", strerror(errno));
	while (ret == 0 && (d = readdir(dir))) {
		int fd = atoi(d->d_name);

		if (fd >= FIRST_FD && fd != dirfd(dir))
			ret = look(f, fd, fault);
	}
	closedir(dir);
	return ret;
}

static int note_below(struct fds *f, int fd, struct fault *fault)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_dev != f->dev)
		return 0;
	return note_descriptor(f, fd, &st, fault);
}

/* An anonymous file, so that no filesystem is held and the descriptor can be
 * told from all others. */
static int open_hole(struct fds *f, struct fault *fault)
{
	int mem = memfd_create("nasd-released", MFD_CLOEXEC);
	char path[64];
	struct stat st;

	if (mem >= 0) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", mem);
		f->hole = open(path, O_PATH | O_CLOEXEC);
		close(mem);
	}
	if (f->hole < 0 || fstat(f->hole, &st) < 0)
		return fault_set(fault, errno, "no descriptor to put in the place: %s", strerror(errno));
	f->hole_dev = st.st_dev;
	f->hole_ino = st.st_ino;
	return 0;
}

int fds_release(struct fds *f, const char *dir, struct fault *fault)
{
	struct stat st;
	int ret;

	if (f->released)
		return fault_set(fault, EPERM, "a filesystem is released already");
	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return fault_set(fault, ENOTDIR, "%.150s is no directory that can be read", dir);
	fds_forget(f);
	f->dev = st.st_dev;
	ret = open_hole(f, fault);
	if (ret == 0)
		ret = each_number(note_below, f, fault);
	if (ret < 0) {
		fds_forget(f);
		return ret;
	}
	/* dup3 onto an open number fails only for reasons that are bugs here */
	for (size_t i = 0; i < f->n; i++)
		if (dup3(f->hole, f->entries[i].fd, O_CLOEXEC) < 0)
			abort();
	f->released = true;
	return 0;
}

/* ---- for good */

static int note_number(struct fds *f, int fd, struct fault *fault)
{
	size_t want = (size_t)fd + 1;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return 0; /* closed meanwhile */
	if (want > f->n_noted) {
		size_t room = want > 2 * f->n_noted ? want : 2 * f->n_noted;
		dev_t *noted = realloc(f->noted, room * sizeof(*noted));

		if (!noted)
			return fault_set(fault, ENOMEM, "out of memory");
		memset(noted + f->n_noted, 0, (room - f->n_noted) * sizeof(*noted));
		f->noted = noted;
		f->n_noted = room;
	}
	f->noted[fd] = st.st_dev;
	return 0;
}

void fds_note(struct fds *f)
{
	if (f->n_noted)
		memset(f->noted, 0, f->n_noted * sizeof(*f->noted));
	each_number(note_number, f, NULL); /* what is not noted is looked at in fds_drop */
}

/* Those to be closed are all that stay noted on it. */
static int note_dropped(struct fds *f, int fd, struct fault *fault)
{
	if ((size_t)fd < f->n_noted && f->noted[fd] == f->dev)
		return 0;
	return note_number(f, fd, fault);
}

int fds_drop(struct fds *f, const char *dir, struct fault *fault)
{
	struct stat st;
	int ret, n = 0;

	if (f->released)
		return fault_set(fault, EPERM, "a filesystem is released already");
	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
		return fault_set(fault, ENOTDIR, "%.150s is no directory that can be read", dir);
	f->dev = st.st_dev;
	ret = each_number(note_dropped, f, fault);
	if (ret < 0)
		return ret;
	for (size_t from = FIRST_FD, to; from < f->n_noted; from = to + 1) {
		for (to = from; to < f->n_noted && f->noted[to] == f->dev; to++)
			;
		if (to > from && close_range((unsigned)from, (unsigned)to - 1, 0) < 0)
			abort(); /* of a range in order: a bug */
		n += (int)(to - from);
	}
	free(f->noted);
	f->noted = NULL;
	f->n_noted = 0;
	return n;
}

/* ---- restore */

static bool still_ours(const struct fds *f, int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_dev == f->hole_dev && st.st_ino == f->hole_ino;
}

static bool lock_again(const struct fds_entry *e, int fd)
{
	for (size_t i = 0; i < e->n_locks; i++) {
		struct flock lock = e->locks[i];

		if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
			return false;
	}
	return true;
}

static bool restore_one(const struct fds *f, struct fds_entry *e, int mount)
{
	int fd = open_by_handle_at(mount, &e->handle.head,
				   (e->flags & ~(O_CREAT | O_EXCL | O_TRUNC)) | O_CLOEXEC);
	struct stat st;
	bool ok;

	if (fd < 0)
		return false;
	ok = fstat(fd, &st) == 0 && st.st_dev == f->dev && st.st_ino == e->ino && lock_again(e, fd) &&
	     dup3(fd, e->fd, O_CLOEXEC) >= 0;
	/* the lock is the description's, which e->fd shares now */
	close(fd);
	return ok;
}

int fds_restore(struct fds *f, const char *dir, size_t *kept, size_t *lost, struct fault *fault)
{
	int mount;
	struct stat st;

	*kept = *lost = 0;
	if (!f->released)
		return fault_set(fault, EPERM, "no filesystem is released");
	mount = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount < 0 || fstat(mount, &st) < 0 || st.st_dev != f->dev) {
		if (mount >= 0)
			close(mount);
		return fault_set(fault, ENODEV, "the filesystem that was released is not mounted on %.150s",
				 dir);
	}
	for (size_t i = 0; i < f->n; i++) {
		if (!still_ours(f, f->entries[i].fd))
			continue; /* closed by its owner, or restored by an earlier try */
		if (restore_one(f, &f->entries[i], mount))
			++*kept;
		else
			++*lost;
	}
	close(mount);
	if (*lost)
		return fault_set(fault, ESTALE, "%zu of %zu descriptors could not be restored", *lost, f->n);
	fds_forget(f);
	return 0;
}
