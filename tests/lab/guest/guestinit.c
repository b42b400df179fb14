/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guestinit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

#define MODULES     "/modules"
#define MAX_MODULES 32
#define WAIT_NS     (20 * NS_PER_SEC)

static bool load_module(const char *name)
{
	char path[sizeof(MODULES) + 256];
	int fd;
	long rc;

	if ((size_t)snprintf(path, sizeof(path), MODULES "/%s", name) >= sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	rc = syscall(SYS_finit_module, fd, "", 0);
	close(fd);
	return rc == 0 || errno == EEXIST;
}

/* Dependencies are not looked up: whatever loads makes the next round go on. */
static void load_modules(void)
{
	char name[MAX_MODULES][256];
	bool loaded[MAX_MODULES] = { false };
	unsigned count = 0;
	bool progress = true;
	struct dirent *e;
	DIR *dir = opendir(MODULES);

	if (!dir)
		return;
	while ((e = readdir(dir)) && count < MAX_MODULES)
		if (e->d_name[0] != '.')
			snprintf(name[count++], sizeof(name[0]), "%s", e->d_name);
	closedir(dir);
	while (progress) {
		progress = false;
		for (unsigned i = 0; i < count; i++)
			if (!loaded[i] && load_module(name[i]))
				loaded[i] = progress = true;
	}
	for (unsigned i = 0; i < count; i++)
		if (!loaded[i])
			fprintf(stderr, "module %s does not load\n", name[i]);
}

static bool wait_for(const char *path, uint64_t until)
{
	while (access(path, F_OK)) {
		if (clock_mono_ns() >= until)
			return false;
		clock_sleep_until(clock_mono_ns() + 5 * NS_PER_MS);
	}
	return true;
}

/*
 * The first virtio port, whatever its device's number: that depends on the
 * order of QEMU's options.
 */
static bool find_port(char *path, size_t size)
{
	glob_t found;
	bool any = glob("/dev/vport*p*", 0, NULL, &found) == 0;

	if (any)
		snprintf(path, size, "%s", found.gl_pathv[0]);
	globfree(&found);
	return any;
}

const char *guestinit_prepare(const char *disk, const char *report)
{
	static char port[64]; /* handed out: lives as long as the guest */
	uint64_t until;
	int fd;

	(void)mkdir("/dev", 0755);
	(void)mkdir("/proc", 0755);
	(void)mount("dev", "/dev", "devtmpfs", 0, NULL);
	(void)mount("proc", "/proc", "proc", 0, NULL);
	/* The kernel could not open /dev/console: the archive has no device nodes. */
	fd = open("/dev/console", O_RDWR);
	for (int i = 0; fd >= 0 && i < 3; i++)
		(void)dup2(fd, i);
	load_modules();
	until = clock_mono_ns() + WAIT_NS;
	if (!wait_for(disk, until))
		fprintf(stderr, "%s does not appear\n", disk);
	if (report)
		return report;
	while (!find_port(port, sizeof(port))) {
		if (clock_mono_ns() >= until)
			return "/dev/ttyS0";
		clock_sleep_until(clock_mono_ns() + 5 * NS_PER_MS);
	}
	return port;
}

void guestinit_poweroff(void)
{
	sync();
	(void)reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
