/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watchdog_dev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"

enum { LEGACY_MAJOR = 10, LEGACY_MINOR = 130 }; /* /dev/watchdog: the first one, as a misc device */

/* Can it not be stopped once it runs? When the kernel does not say: it cannot. */
static bool no_way_out(const struct stat *st)
{
	char path[96], c = '1';

	if (major(st->st_rdev) == LEGACY_MAJOR && minor(st->st_rdev) == LEGACY_MINOR)
		snprintf(path, sizeof(path), "/sys/class/watchdog/watchdog0/nowayout");
	else
		snprintf(path, sizeof(path), "/sys/dev/char/%u:%u/nowayout", major(st->st_rdev), minor(st->st_rdev));
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 || read(fd, &c, 1) != 1 || c != '0';
}

static void ask_device(struct watchdog_dev *d, const struct stat *st, unsigned timeout_s)
{
	struct watchdog_info info = { 0 };
	int seconds = (int)timeout_s;

	if (ioctl(d->fd, WDIOC_GETSUPPORT, &info) == 0) {
		snprintf(d->identity, sizeof(d->identity), "%.32s", (const char *)info.identity);
		d->can_disarm = (info.options & WDIOF_MAGICCLOSE) && !no_way_out(st);
	}
	if (ioctl(d->fd, WDIOC_SETTIMEOUT, &seconds) < 0 && ioctl(d->fd, WDIOC_GETTIMEOUT, &seconds) < 0)
		seconds = 0;
	d->timeout_s = seconds > 0 ? (unsigned)seconds : 0;
}

int watchdog_dev_open(struct watchdog_dev *d, const char *path, unsigned timeout_s, struct err *err)
{
	struct stat st;

	memset(d, 0, sizeof(*d));
	d->fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_APPEND);
	if (d->fd < 0)
		return err_set(err, ERR_SYSTEM, errno, path, "cannot open the watchdog device");
	if (fstat(d->fd, &st) == 0 && S_ISCHR(st.st_mode)) {
		ask_device(d, &st, timeout_s);
		return 0;
	}
	snprintf(d->identity, sizeof(d->identity), "not a device");
	d->can_disarm = true;
	d->timeout_s = timeout_s;
	return 0;
}

int watchdog_dev_feed(struct watchdog_dev *d, struct err *err)
{
	ssize_t n;

	do
		n = write(d->fd, ".", 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return err_set(err, ERR_SYSTEM, n < 0 ? errno : EIO, "watchdog device", "cannot feed it");
	return 0;
}

int watchdog_dev_disarm(struct watchdog_dev *d, struct err *err)
{
	ssize_t n;

	do
		n = write(d->fd, "V", 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return err_set(err, ERR_SYSTEM, n < 0 ? errno : EIO, "watchdog device", "cannot disarm it");
	close(d->fd);
	d->fd = -1;
	return 0;
}

void watchdog_dev_abandon(struct watchdog_dev *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}
