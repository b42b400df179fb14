/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For tests/hyper.sh, by LD_PRELOAD: libvirt's test driver in the place of hypervisors.
 * Each connection sees the domains in $HYPER_DIR/at/HOST; a move puts one's file into
 * another host's folder. What the driver does not know of nodes and disks is made up.
 * With HYPER_BREAK the connection breaks by which a move is asked for (a file broke says
 * so), and it ends when the file job is taken away. A file cut: no hypervisor answers then.
 * A file half: a post-copy from vnode2 has broken off ("failed" in it) or goes on, and a move
 * that takes it up fails where it says "for good", and where it says "dies" the source's half
 * does, and the call never comes back. What is asked of libvirt is in a file asked.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

enum { HOST_LEN = 6, MIB = 1 << 20 };

static bool broken;

/* The host of "qemu+tcp://vnode2/system". */
static const char *host_of(const char *uri)
{
	const char *at = strstr(uri, "://");

	return at ? at + 3 : uri;
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static int shell(const char *fmt, const char *one, const char *two)
{
	char text[1024], *preload = getenv("LD_PRELOAD") ? strdup(getenv("LD_PRELOAD")) : NULL;
	int r;

	unsetenv("LD_PRELOAD");
	snprintf(text, sizeof(text), fmt, one, two);
	r = system(text);
	if (preload)
		setenv("LD_PRELOAD", preload, 1);
	free(preload);
	return r;
}

static void in_dir(char out[512], const char *name)
{
	snprintf(out, 512, "%s/%s", getenv("HYPER_DIR"), name);
}

static bool there_is(const char *name)
{
	char path[512];

	in_dir(path, name);
	return access(path, F_OK) == 0;
}

static bool says(const char *name, const char *word)
{
	char path[512], text[64] = "";
	FILE *f;

	in_dir(path, name);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return strstr(text, word) != NULL;
}

/* Its file is node.HOST.PID.N, N being whether it was opened after the break. */
virConnectPtr virConnectOpen(const char *uri)
{
	virConnectPtr (*real)(const char *) = (virConnectPtr(*)(const char *))next("virConnectOpen");
	char file[64], path[512], url[600];
	virConnectPtr c;

	if (broken && there_is("cut"))
		return NULL;
	snprintf(file, sizeof(file), "node.%.6s.%d.%d", host_of(uri), getpid(), broken);
	in_dir(path, file);
	shell("cd \"$HYPER_DIR\"; { echo '<node>'; cat at/%.6s/*.dom 2>/dev/null; echo '</node>'; } >'%s'", host_of(uri), path);
	snprintf(url, sizeof(url), "test://%s", path);
	c = real(url);
	unlink(path);
	return c;
}

static const char *file_of(virConnectPtr c)
{
	static char uri[600];
	char *text = virConnectGetURI(c);

	snprintf(uri, sizeof(uri), "%s", text ? text : "/node.?.0.0");
	free(text);
	return strrchr(uri, '/') + 1;
}

/* Those to the source that broke, or all. */
static bool is_dead(virConnectPtr c)
{
	const char *file = file_of(c);

	return broken && (there_is("cut") || (!strncmp(file, "node.vnode2.", 12) && file[strlen(file) - 1] == '0'));
}

static int say_nothing(void)
{
	virResetLastError();
	return -1;
}

int virConnectIsAlive(virConnectPtr c)
{
	return !is_dead(c);
}

/* A connection of the test driver does not see what has moved since. */
virDomainPtr virDomainLookupByName(virConnectPtr c, const char *name)
{
	virDomainPtr (*real)(virConnectPtr, const char *) = (virDomainPtr(*)(virConnectPtr, const char *))next("virDomainLookupByName");
	char file[200], uri[32];
	virDomainPtr d;

	if (!broken)
		return real(c, name);
	if (is_dead(c))
		return say_nothing(), NULL;
	snprintf(uri, sizeof(uri), "x://%.6s", file_of(c) + strlen("node."));
	snprintf(file, sizeof(file), "at/%s/%.100s.dom", host_of(uri), name);
	d = there_is(file) ? real(c, name) : real(c, "nobody of that name");
	return d || !there_is(file) ? d : real(virConnectOpen(uri), name);
}

int virDomainGetState(virDomainPtr d, int *state, int *reason, unsigned flags)
{
	bool source = !strncmp(file_of(virDomainGetConnect(d)), "node.vnode2.", 12);
	bool half = there_is("half") && !strcmp(virDomainGetName(d), "a");
	int r = half && !says("half", "failed") ? 0 : 1; /* ..._FAILED is the next one */

	(void)flags;
	if (half && source && !there_is("at/vnode2/a.dom"))
		return virDomainLookupByName(virDomainGetConnect(d), "nobody of that name") ? 0 : -1;
	*state = half && source ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING;
	if (reason)
		*reason = !half ? 0 : (source ? VIR_DOMAIN_PAUSED_POSTCOPY : VIR_DOMAIN_RUNNING_POSTCOPY) + r;
	return is_dead(virDomainGetConnect(d)) ? say_nothing() : 0;
}

int virDomainGetJobInfo(virDomainPtr d, virDomainJobInfoPtr info)
{
	info->type = there_is("job") ? VIR_DOMAIN_JOB_UNBOUNDED : VIR_DOMAIN_JOB_NONE;
	return is_dead(virDomainGetConnect(d)) ? say_nothing() : 0;
}

int virDomainAbortJob(virDomainPtr d)
{
	char path[512];

	in_dir(path, "job");
	return is_dead(virDomainGetConnect(d)) ? say_nothing() : unlink(path);
}

static void note_asked(virTypedParameterPtr p, unsigned n, unsigned flags)
{
	unsigned long long rate = 0;
	char path[512];
	FILE *f;

	in_dir(path, "asked");
	f = fopen(path, "w");
	if (!f)
		return;
	virTypedParamsGetULLong(p, (int)n, VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY, &rate);
	fprintf(f, "%s%s%llu\n", flags & VIR_MIGRATE_POSTCOPY ? "postcopy " : "", flags & VIR_MIGRATE_POSTCOPY_RESUME ? "resume " : "", rate);
	fclose(f);
}

int virDomainMigrateToURI3(virDomainPtr d, const char *uri, virTypedParameterPtr p, unsigned n, unsigned flags)
{
	char to[16];

	note_asked(p, n, flags);
	snprintf(to, sizeof(to), "%.*s", HOST_LEN, host_of(uri));
	if (getenv("HYPER_SLOW"))
		sleep(2);
	broken = getenv("HYPER_BREAK") != NULL;
	if (broken) {
		shell("touch '%s/%s'", getenv("HYPER_DIR"), "broke");
		return say_nothing();
	}
	if (says("half", "dies"))
		for (shell("rm '%s/at/vnode2/%s.dom'", getenv("HYPER_DIR"), virDomainGetName(d));;)
			pause();
	if (says("half", "for good"))
		return say_nothing();
	if (there_is("half"))
		return shell("cd \"$HYPER_DIR\" && rm half at/vnode2/%s.dom # %s", virDomainGetName(d), to) ? -1 : 0;
	return shell("cd \"$HYPER_DIR/at\" && mv */%s.dom %s/", virDomainGetName(d), to) ? -1 : 0;
}

int virConnectGetLibVersion(virConnectPtr c, unsigned long *version)
{
	(void)c;
	*version = getenv("HYPER_OLD") ? 8004000 : 9000000;
	return 0;
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
