/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "filesystem.h"

#include <blkid/blkid.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libmount/libmount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "clocks.h"
#include "holders.h"
#include "mountinfo.h"

enum {
	UNMOUNT_PAUSE_US = 4000, /* between two attempts */
	MOUNTINFO_SIZE = 16384,  /* mostly all of it, in one read */
	SHED_BYTES_MIN = 1 << 20,
	SHED_FILES_MAX = 256,
};

static void close_stream(FILE **f)
{
	if (*f)
		fclose(*f);
}
#define AUTO_STREAM __attribute__((cleanup(close_stream)))

/* Takes over one line of mountinfo; the later line lies on top. */
static void look_at_mount(const struct filesystem *fs, const struct mountinfo *mi,
			  struct filesystem_state *out)
{
	bool ours = out->dev != 0 && mi->dev == out->dev;
	bool whole = strcmp(mi->root, "/") == 0;

	if (strcmp(mi->point, fs->point) == 0) {
		out->covered = out->covered || out->mounted;
		out->mounted = ours && whole;
		out->point_busy = !out->mounted;
		if (out->point_busy)
			snprintf(out->busy_source, sizeof(out->busy_source), "%.250s", mi->source);
		if (out->mounted)
			out->readonly = mountinfo_has_option(mi->options, "ro") ||
					mountinfo_has_option(mi->super, "ro") ||
					mountinfo_has_option(mi->super, "emergency_ro") ||
					mountinfo_has_option(mi->super, "shutdown");
	}
	if (ours && (strcmp(mi->point, fs->point) != 0 || !whole)) {
		out->elsewhere = true;
		snprintf(out->elsewhere_point, sizeof(out->elsewhere_point), "%.250s", mi->point);
	}
}

int filesystem_look(const struct filesystem *fs, struct filesystem_state *out, struct err *e)
{
	char buf[MOUNTINFO_SIZE];
	AUTO_STREAM FILE *f = fopen("/proc/self/mountinfo", "re");
	AUTO_FREE char *line = NULL;
	struct mountinfo mi;
	struct stat st;
	size_t size = 0;
	ssize_t len;

	memset(out, 0, sizeof(*out));
	if (!f)
		return err_set(e, ERR_SYSTEM, errno, "/proc/self/mountinfo", "cannot be read");
	setvbuf(f, buf, _IOFBF, sizeof(buf));
	if (stat(fs->device, &st) == 0 && S_ISBLK(st.st_mode)) {
		out->device_exists = true;
		out->dev = st.st_rdev;
	}
	while ((len = getline(&line, &size, f)) > 0)
		if (mountinfo_parse(line, (size_t)len, &mi))
			look_at_mount(fs, &mi, out);
	if (ferror(f))
		return err_set(e, ERR_SYSTEM, EIO, "/proc/self/mountinfo", "cannot be read");
	out->covered = out->covered && !out->mounted;
	out->point_exists = lstat(fs->point, &st) == 0 && S_ISDIR(st.st_mode);
	return 0;
}

/* ---- UUID */

static void free_probe(blkid_probe *pr)
{
	blkid_free_probe(*pr);
}

static int probe_uuid(int fd, const char *device, const char *type, char uuid[FS_UUID_MAX],
		      struct err *e)
{
	__attribute__((cleanup(free_probe))) blkid_probe pr = blkid_new_probe();
	char name[32];
	char *types[] = { name, NULL };
	const char *value = NULL;

	if (!pr)
		return err_set(e, ERR_SYSTEM, ENOMEM, device, "out of memory");
	snprintf(name, sizeof(name), "%s", type);
	if (blkid_probe_set_device(pr, fd, 0, 0) != 0)
		return err_set(e, ERR_SYSTEM, EIO, device, "cannot be read");
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_UUID | BLKID_SUBLKS_TYPE);
	blkid_probe_filter_superblocks_type(pr, BLKID_FLTR_ONLYIN, types);
	switch (blkid_do_safeprobe(pr)) {
	case 0:
		break;
	case 1:
	case -2: /* ambivalent: two filesystems of one type cannot be */
		return err_set(e, ERR_REFUSED, ENODATA, device, "holds no %s filesystem", type);
	default:
		return err_set(e, ERR_SYSTEM, EIO, device, "cannot be read");
	}
	if (blkid_probe_lookup_value(pr, "UUID", &value, NULL) != 0 || !value)
		return err_set(e, ERR_REFUSED, ENODATA, device, "its %s filesystem has no UUID", type);
	for (size_t i = 0; i < FS_UUID_MAX; i++)
		if (!(uuid[i] = (char)tolower((unsigned char)value[i])))
			return 0;
	uuid[FS_UUID_MAX - 1] = '\0';
	return 0;
}

int filesystem_uuid(const char *device, const char *type, char uuid[FS_UUID_MAX], struct err *e)
{
	AUTO_CLOSE int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	uuid[0] = '\0';
	if (fd < 0)
		return err_set(e, ERR_SYSTEM, errno, device, "cannot be opened");
	/* What DRBD writes to its lower disk goes past that disk's page cache. */
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return probe_uuid(fd, device, type, uuid, e);
}

/* ---- mount */

int filesystem_split_options(const char *options, unsigned long *flags, char **data, struct err *e)
{
	AUTO_FREE char *user = NULL;
	AUTO_FREE char *vfs = NULL;
	int r;

	*flags = 0;
	*data = NULL;
	if (!options[0])
		return 0;
	r = mnt_split_optstr(options, &user, &vfs, data, 0, 0);
	if (r == 0 && vfs)
		r = mnt_optstr_get_flags(vfs, flags, mnt_get_builtin_optmap(MNT_LINUX_MAP));
	if (r < 0) {
		free(*data);
		*data = NULL;
		return err_set(e, ERR_INPUT, -r, "mount options", "\"%s\" is malformed", options);
	}
	return 0;
}

static int check_mountable(const struct filesystem *fs, const struct filesystem_state *st,
			   struct err *e)
{
	if (!st->device_exists) {
		err_set(e, ERR_REFUSED, ENODEV, fs->device, "is not a block device here");
		err_remedy(e, "bring the DRBD resource up on this node (drbdadm up)");
		return -ENODEV;
	}
	if (!st->point_exists) {
		err_set(e, ERR_REFUSED, ENOTDIR, fs->point, "is not a directory");
		err_remedy(e, "mkdir -p %s", fs->point);
		return -ENOTDIR;
	}
	if (st->point_busy) {
		err_set(e, ERR_REFUSED, EBUSY, fs->point, "%s is mounted there", st->busy_source);
		err_remedy(e, "umount %s", fs->point);
		return -EBUSY;
	}
	return 0;
}

static int check_uuid(const struct filesystem *fs, struct err *e)
{
	char uuid[FS_UUID_MAX];
	int r;

	if (!fs->uuid[0])
		return 0;
	r = filesystem_uuid(fs->device, fs->type, uuid, e);
	if (r < 0 || strcmp(uuid, fs->uuid) == 0)
		return r;
	err_set(e, ERR_REFUSED, ENXIO, fs->device, "holds the filesystem %s, not the configured %s",
		uuid, fs->uuid);
	err_remedy(e, "look which resource this device belongs to, or correct the uuid in nasd.conf");
	return -ENXIO;
}

int filesystem_mount(const struct filesystem *fs, bool *already, struct err *e)
{
	struct filesystem_state st;
	AUTO_FREE char *data = NULL;
	unsigned long flags;
	int r = filesystem_look(fs, &st, e);

	*already = r == 0 && st.mounted;
	if (r < 0 || *already)
		return r;
	if ((r = check_mountable(fs, &st, e)) < 0 || (r = check_uuid(fs, e)) < 0 ||
	    (r = filesystem_split_options(fs->options, &flags, &data, e)) < 0)
		return r;
	if (mount(fs->device, fs->point, fs->type, flags, data) == 0)
		return 0;
	r = err_set(e, ERR_SYSTEM, errno, fs->point, "mount of %s (%s%s%s) failed", fs->device,
		    fs->type, fs->options[0] ? ", " : "", fs->options);
	err_remedy(e, "the kernel log says why (dmesg)");
	return r;
}

/* ---- unmount */

static int busy_error(const struct filesystem *fs, dev_t dev, struct err *e)
{
	struct holders *h = calloc(1, sizeof(*h));
	char who[ERR_MSG_MAX - 40] = "";

	if (h) {
		holders_of_filesystem(dev, fs->point, h);
		holders_format(h, who, sizeof(who));
	}
	free(h);
	if (who[0]) {
		err_set(e, ERR_REFUSED, EBUSY, fs->point, "is held by %s", who);
		err_remedy(e, "end these processes (or unmount these mounts) and try again");
	} else {
		err_set(e, ERR_REFUSED, EBUSY, fs->point, "is busy, and no process could be found that holds it");
		err_remedy(e, "look for a kernel user: an NFS export (exportfs), a swap file, a loop device (losetup)");
	}
	return -EBUSY;
}

/* One unmount, repeated while it is busy. 0 or a negative errno value. */
static int unmount_patiently(const char *point, int64_t until)
{
	for (;;) {
		if (umount2(point, UMOUNT_NOFOLLOW) == 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EBUSY || monotonic_us() >= until)
			return -errno;
		usleep(UNMOUNT_PAUSE_US);
	}
}

int filesystem_unmount(const struct filesystem *fs, int64_t wait_us, bool *already,
		       struct filesystem_state *after, struct err *e)
{
	int64_t until = monotonic_us() + wait_us;
	struct filesystem_state st;
	int r = filesystem_look(fs, &st, e);

	*already = r == 0 && !st.mounted && !st.covered;
	/* A mount on top of ours is not ours to remove; ours may lie there twice. */
	while (r == 0 && st.mounted) {
		r = unmount_patiently(fs->point, until);
		if (r == -EBUSY)
			return busy_error(fs, st.dev, e);
		if (r < 0)
			return err_set(e, ERR_SYSTEM, -r, fs->point, "umount failed");
		r = filesystem_look(fs, &st, e);
	}
	if (r == 0 && st.covered) {
		r = err_set(e, ERR_REFUSED, EBUSY, fs->point, "%s is mounted on top of it",
			    st.busy_source);
		err_remedy(e, "umount %s", fs->point);
	}
	if (after)
		*after = st;
	return r;
}

/* ---- writing back */

void filesystem_shed(const struct filesystem *fs, int pid)
{
	char path[40];
	struct stat dev, st;
	struct dirent *d;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	if (stat(fs->device, &dev) < 0 || !(dir = opendir(path)))
		return;
	while (n < SHED_FILES_MAX && (d = readdir(dir))) {
		AUTO_CLOSE int fd = -1;

		if (fstatat(dirfd(dir), d->d_name, &st, 0) < 0 || !S_ISREG(st.st_mode) || st.st_dev != dev.st_rdev ||
		    st.st_size < SHED_BYTES_MIN)
			continue;
		n++;
		fd = openat(dirfd(dir), d->d_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		if (fd >= 0)
			posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	}
	closedir(dir);
}

int filesystem_sync(const struct filesystem *fs, struct err *e)
{
	AUTO_CLOSE int fd = open(fs->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st, dev;

	if (fd < 0)
		return err_set(e, ERR_SYSTEM, errno, fs->point, "cannot be opened");
	if (fstat(fd, &st) < 0 || stat(fs->device, &dev) < 0 || st.st_dev != dev.st_rdev)
		return err_set(e, ERR_REFUSED, EINVAL, fs->point, "%s is not mounted there", fs->device);
	if (syncfs(fd) < 0)
		return err_set(e, ERR_SYSTEM, errno, fs->point, "syncfs failed: data was not written");
	return 0;
}

static bool parse_kb(const char *text, const char *key, uint64_t *bytes)
{
	size_t len = strlen(key);
	uint64_t kb;

	for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
		if (strncmp(p, key, len) == 0 && sscanf(p + len, " %15" SCNu64 " kB", &kb) == 1) {
			*bytes = kb * 1024;
			return true;
		}
	return false;
}

bool filesystem_parse_dirty(const char *text, uint64_t *bytes)
{
	uint64_t dirty, writeback;

	if (!parse_kb(text, "Dirty:", &dirty) || !parse_kb(text, "Writeback:", &writeback))
		return false;
	*bytes = dirty + writeback;
	return true;
}

/* /sys/dev/block/MAJOR:MINOR is a link to .../NAME. */
static unsigned long ext4_errors(dev_t dev)
{
	char path[300], target[FS_WHERE_MAX], text[24] = "";
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return 0;
	target[n] = '\0';
	snprintf(path, sizeof(path), "/sys/fs/ext4/%.200s/errors_count", strrchr(target, '/') ? strrchr(target, '/') + 1 : target);
	{
		AUTO_STREAM FILE *f = fopen(path, "re");

		if (!f || !fgets(text, sizeof(text), f))
			return 0;
	}
	return strtoul(text, NULL, 10);
}

bool filesystem_broken(const struct filesystem *fs, const struct filesystem_state *st)
{
	struct stat root;

	if (!st->mounted)
		return false;
	if (stat(fs->point, &root) < 0 && (errno == EIO || errno == ESHUTDOWN))
		return true;
	if (!strcmp(fs->type, "ext4") && ext4_errors(st->dev)) {
		AUTO_CLOSE int fd = open(fs->point, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

		return fd < 0 && (errno == EROFS || errno == EIO || errno == ESHUTDOWN);
	}
	return false;
}

void filesystem_room(const struct filesystem *fs, uint64_t *size, uint64_t *unused)
{
	struct statvfs st;

	if (statvfs(fs->point, &st) < 0)
		return;
	*size = (uint64_t)st.f_blocks * st.f_frsize;
	*unused = (uint64_t)st.f_bavail * st.f_frsize;
}

int filesystem_dirty(uint64_t *bytes, struct err *e)
{
	AUTO_CLOSE int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	char text[4096];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	*bytes = 0;
	if (n < 0)
		return err_set(e, ERR_SYSTEM, errno, "/proc/meminfo", "cannot be read");
	text[n] = '\0';
	if (!filesystem_parse_dirty(text, bytes))
		return err_set(e, ERR_SYSTEM, EPROTO, "/proc/meminfo", "has no Dirty and Writeback lines");
	return 0;
}
