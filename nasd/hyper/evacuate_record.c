/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evacuate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "evacuation.h"

#define RECORD_DIR "/var/lib/nasd/evacuated"
enum { RECORD_MAX = 1 << 20 };

static void path_of(const struct evacuation *ev, const char *suffix, char path[256])
{
	snprintf(path, 256, RECORD_DIR "/%s%s", ev->of->name, suffix);
}

static int take_lock(struct evacuation *ev, struct err *err)
{
	char path[256];

	path_of(ev, ".lock", path);
	if ((mkdir("/var/lib/nasd", 0755) < 0 && errno != EEXIST) || (mkdir(RECORD_DIR, 0700) < 0 && errno != EEXIST))
		return err_set(err, ERR_SYSTEM, errno, RECORD_DIR, "cannot be made");
	ev->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (ev->lock < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot be opened");
	if (flock(ev->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	err_set(err, ERR_REFUSED, EBUSY, ev->of->name, "another 'nasctl evacuate' of it runs on this node");
	err_remedy(err, "wait for its end; 'fuser %s' says who it is", path);
	return -EBUSY;
}

int evacuate_record_open(struct evacuation *ev, struct err *err)
{
	AUTO_FREE char *text = malloc(RECORD_MAX);
	AUTO_CLOSE int fd = -1;
	char path[256];
	ssize_t n;
	int r = take_lock(ev, err);

	if (r < 0)
		return r;
	path_of(ev, ".json", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		ev->record = evacuation_record_new(ev->of->name);
		return ev->record ? 0 : err_set(err, ERR_SYSTEM, ENOMEM, path, "no memory");
	}
	n = fd < 0 || !text ? -1 : read(fd, text, RECORD_MAX);
	if (n < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot be read");
	return evacuation_record_parse(text, (size_t)n, ev->of->name, path, &ev->record, err);
}

static int write_new(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t len = strlen(text);

	return fd >= 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0 ? 0 : -1;
}

int evacuate_record_write(struct evacuation *ev, struct err *err)
{
	AUTO_FREE char *text = json_dumps(ev->record, JSON_INDENT(2));
	AUTO_CLOSE int dir = open(RECORD_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool empty = !json_array_size(json_object_get(ev->record, "guests"));
	char path[256], fresh[256];

	path_of(ev, ".json", path);
	path_of(ev, ".new", fresh);
	if (empty ? unlink(path) < 0 && errno != ENOENT
		  : !text || write_new(fresh, text) < 0 || rename(fresh, path) < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot be written");
	return dir >= 0 && fsync(dir) == 0 ? 0 : err_set(err, ERR_SYSTEM, errno, RECORD_DIR, "cannot be synced");
}

void evacuate_record_close(struct evacuation *ev)
{
	json_decref(ev->record);
	if (ev->lock >= 0)
		close(ev->lock);
}
