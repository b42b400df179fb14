/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests/hyper.sh, by LD_PRELOAD: libvirt's test driver in the place of hypervisors.
 * Each connection sees the domains in $HYPER_DIR/at/HOST; a move puts one's file into
 * another host's folder. What the driver does not know of nodes and disks is made up.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libvirt/libvirt.h>

enum { HOST_LEN = 6, MIB = 1 << 20 };

/* The host of "qemu+tcp://vnode2/system". */
static const char *host_of(const char *uri)
{
	const char *at = strstr(uri, "://");

	return at ? at + 3 : uri;
}

static int shell(const char *fmt, const char *one, const char *two)
{
	char text[1024];

	unsetenv("LD_PRELOAD");
	snprintf(text, sizeof(text), fmt, one, two, getpid());
	return system(text);
}

virConnectPtr virConnectOpen(const char *uri)
{
	virConnectPtr (*real)(const char *) = (virConnectPtr(*)(const char *))dlsym(RTLD_NEXT, "virConnectOpen");
	char *preload = getenv("LD_PRELOAD") ? strdup(getenv("LD_PRELOAD")) : NULL;
	const char *dir = getenv("HYPER_DIR");
	char name[512];
	virConnectPtr c;

	shell("cd '%s'; { echo '<node>'; cat at/%.6s/*.dom 2>/dev/null; echo '</node>'; } >node.%d", dir, host_of(uri));
	if (preload)
		setenv("LD_PRELOAD", preload, 1);
	free(preload);
	snprintf(name, sizeof(name), "test://%s/node.%d", dir, getpid());
	c = real(name);
	unlink(name + strlen("test://"));
	return c;
}

int virDomainMigrateToURI3(virDomainPtr d, const char *uri, virTypedParameterPtr p, unsigned n, unsigned flags)
{
	char to[16];

	(void)p, (void)n, (void)flags;
	snprintf(to, sizeof(to), "%.*s", HOST_LEN, host_of(uri));
	if (getenv("HYPER_SLOW"))
		sleep(2);
	return shell("cd \"$HYPER_DIR/at\" && mv */%s.dom %s/", virDomainGetName(d), to) ? -1 : 0;
}

int virConnectSetKeepAlive(virConnectPtr c, int interval, unsigned count)
{
	(void)c, (void)interval, (void)count;
	return 0;
}

int virNodeGetMemoryStats(virConnectPtr c, int cell, virNodeMemoryStatsPtr s, int *n, unsigned flags)
{
	(void)c, (void)cell, (void)s, (void)n, (void)flags;
	return -1;
}

unsigned long long virNodeGetFreeMemory(virConnectPtr c)
{
	(void)c;
	return 512ULL * MIB;
}

virStorageVolPtr virStorageVolLookupByPath(virConnectPtr c, const char *path)
{
	static int volume;

	(void)c, (void)path;
	return (virStorageVolPtr)&volume;
}

int virStorageVolGetInfo(virStorageVolPtr v, virStorageVolInfoPtr info)
{
	(void)v;
	info->capacity = 64ULL * MIB;
	return 0;
}

int virStorageVolFree(virStorageVolPtr v)
{
	(void)v;
	return 0;
}

int virDomainGetBlockInfo(virDomainPtr d, const char *disk, virDomainBlockInfoPtr info, unsigned flags)
{
	(void)d, (void)disk, (void)flags;
	info->capacity = 64ULL * MIB;
	return 0;
}
