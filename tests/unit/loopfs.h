/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests as root: a fresh ext4 on a loop device, in a mount namespace of the
 * test's own. The loop device goes with its last user (autoclear), so that a
 * test that was killed leaves a file in /tmp and nothing else.
 */
#ifndef NASD_TESTS_LOOPFS_H
#define NASD_TESTS_LOOPFS_H

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

struct loopfs {
	char dir[64];      /* all of it is in here */
	char image[96];
	char point[96];    /* an empty directory */
	char device[32];   /* "/dev/loop7" */
	char uuid[40];
	int fd;            /* keeps the loop device */
};

static inline int loopfs_attach(const char *image, char device[32])
{
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int file = open(image, O_RDWR | O_CLOEXEC), fd = -1;

	for (int i = 0; ctl >= 0 && file >= 0 && i < 20; i++) {
		struct loop_config c = { .fd = (unsigned)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR };
		int nr = ioctl(ctl, LOOP_CTL_GET_FREE);

		snprintf(device, 32, "/dev/loop%d", nr);
		fd = nr < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
		if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &c) == 0)
			break;
		if (fd >= 0)
			close(fd);
		fd = -1;
		usleep(10000);
	}
	if (ctl >= 0)
		close(ctl);
	if (file >= 0)
		close(file);
	return fd;
}

/* The device keeps a descriptor open for its life; NULL: not possible here. */
static inline struct loopfs *loopfs_new(void)
{
	struct loopfs *l = calloc(1, sizeof(*l));
	char command[256];
	int image;

	strcpy(l->dir, "/tmp/nasd-loopfs-XXXXXX");
	strcpy(l->uuid, "5f0e1c2d-1111-4222-8333-0123456789ab");
	l->fd = -1;
	if (!mkdtemp(l->dir)) {
		free(l);
		return NULL;
	}
	snprintf(l->image, sizeof(l->image), "%s/image", l->dir);
	snprintf(l->point, sizeof(l->point), "%s/point", l->dir);
	mkdir(l->point, 0755);
	image = open(l->image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	snprintf(command, sizeof(command), "/sbin/mkfs.ext4 -q -F -U %s %s", l->uuid, l->image);
	if (image >= 0 && ftruncate(image, 16 << 20) == 0 && system(command) == 0)
		l->fd = loopfs_attach(l->image, l->device);
	if (image >= 0)
		close(image);
	return l;
}

static inline void loopfs_free(struct loopfs *l)
{
	if (!l)
		return;
	while (umount2(l->point, MNT_DETACH) == 0)
		;
	if (l->fd >= 0)
		close(l->fd);
	unlink(l->image);
	rmdir(l->point);
	rmdir(l->dir);
	free(l);
}

/* Tries it, and enters the mount namespace: call once, before the tests. */
static inline bool loopfs_possible(void)
{
	struct loopfs *l;
	bool can;

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	l = loopfs_new();
	can = l && l->fd >= 0;
	loopfs_free(l);
	return can;
}

#endif
