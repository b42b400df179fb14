// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A node's start: root file system, then boot.conf.
 *
 * Written in C because a fork and exec costs 30 ms in User-Mode Linux: a shell
 * script of the same length takes two seconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/loop.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "node.h"
#include "proto.h"

#define MODULES "/usr/lib/uml/modules/"

static char node_name[64] = "unknown";

void boot_report(const char *verb, const char *text)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
				  .sin_port = htons(LAB_PORT_READY) };
	char line[512];
	int n, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, LAB_HOST_ADDR, &sa.sin_addr);
	n = snprintf(line, sizeof(line), "%s %s %s\n", verb, node_name, text);
	printf("lab: %s", line);
	fflush(stdout);
	if (n > 0 && fd >= 0 && !connect(fd, (struct sockaddr *)&sa, sizeof(sa)))
		lab_write_all(fd, line, strnlen(line, sizeof(line)));
	if (fd >= 0)
		close(fd);
}

void boot_fail(const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	boot_report("failed", text);
	for (;;)
		pause();
}

static void make_dirs(const char *path)
{
	char p[4096];

	snprintf(p, sizeof(p), "%s", path);
	for (char *s = p + 1; *s; s++)
		if (*s == '/') {
			*s = 0;
			mkdir(p, 0755);
			*s = '/';
		}
	mkdir(p, 0755);
}

static void mount_at(const char *type, const char *dir, unsigned long flags,
		     const char *data)
{
	make_dirs(dir);
	if (mount(type, dir, type, flags, data))
		boot_fail("mount %s on %s (%s): %s", type, dir, data ? data : "",
			  strerror(errno));
}

/* One module file; a module that is there already is success. */
static void insmod(const char *path, const char *params)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		boot_fail("insmod %s: %s", path, strerror(errno));
	if (syscall(SYS_finit_module, fd, params, 0) && errno != EEXIST)
		boot_fail("insmod %s: %s", path, strerror(errno));
	close(fd);
}

static int module_is(const char *path, const char *name)
{
	const char *b = strrchr(path, '/');
	size_t i;

	b = b ? b + 1 : path;
	for (i = 0; name[i]; i++)
		if (b[i] != name[i] && !(b[i] == '-' && name[i] == '_') &&
		    !(b[i] == '_' && name[i] == '-'))
			return 0;
	return !strcmp(b + i, ".ko");
}

/* A module after what it needs: modules.dep lists that last first. */
static void modprobe(const char *name, const char *params)
{
	struct utsname u;
	char file[256], path[512], *line = NULL, *word[64], *save = NULL;
	size_t cap = 0;
	int found = 0;
	FILE *f;

	uname(&u);
	snprintf(file, sizeof(file), MODULES "%s/modules.dep", u.release);
	f = fopen(file, "re");
	if (!f)
		boot_fail("%s: %s", file, strerror(errno));
	while (!found && getline(&line, &cap, f) > 0) {
		char *colon = strchr(line, ':');
		int n = 0;

		if (!colon)
			continue;
		*colon = 0;
		if (!module_is(line, name))
			continue;
		found = 1;
		word[n++] = line;
		for (char *w = strtok_r(colon + 1, " \n", &save); w && n < 64;
		     w = strtok_r(NULL, " \n", &save))
			word[n++] = w;
		while (n--) {
			snprintf(path, sizeof(path), MODULES "%s/%s", u.release,
				 word[n]);
			insmod(path, n ? "" : params);
		}
	}
	fclose(f);
	free(line);
	if (!found)
		boot_fail("modprobe %s: not in %s", name, file);
}

void boot_root(const char *state, const char *share)
{
	struct utsname u;
	char path[512];
	const char *base = strrchr(share, '/');

	snprintf(node_name, sizeof(node_name), "%s", base ? base + 1 : share);
	uname(&u);
	snprintf(path, sizeof(path), MODULES "%s/kernel/fs/overlayfs/overlay.ko",
		 u.release);
	insmod(path, "");

	if (mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755"))
		boot_fail("tmpfs on /mnt: %s", strerror(errno));
	make_dirs("/mnt/up");
	make_dirs("/mnt/work");
	make_dirs("/mnt/root");
	snprintf(path, sizeof(path), "%s/root", share);
	mount_at("hostfs", "/mnt/node", 0, path);
	snprintf(path, sizeof(path), "%s/inst", state);
	mount_at("hostfs", "/mnt/inst", 0, path);
	mount_at("overlay", "/mnt/root", 0,
		 "lowerdir=/mnt/node:/mnt/inst:/,upperdir=/mnt/up,workdir=/mnt/work");
	if (chdir("/mnt/root") || mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot(".") || chdir("/"))
		boot_fail("cannot move to the new root: %s", strerror(errno));

	mount_at("proc", "/proc", MS_NOSUID, NULL);
	mount_at("sysfs", "/sys", MS_NOSUID, NULL);
	mount_at("devtmpfs", "/dev", MS_NOSUID, "mode=755");
	mount_at("devpts", "/dev/pts", MS_NOSUID, "ptmxmode=666,mode=620");
	mount_at("tmpfs", "/dev/shm", MS_NOSUID, NULL);
	mount_at("tmpfs", "/run", MS_NOSUID, "mode=755");
	mount_at("tmpfs", "/tmp", MS_NOSUID, "mode=1777");
	mount_at("cgroup2", "/sys/fs/cgroup", MS_NOSUID, NULL);
	make_dirs("/run/lock");
	unlink("/dev/ptmx");
	symlink("pts/ptmx", "/dev/ptmx");
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	mount_at("hostfs", "/lab", 0, share);
}

static void if_up(const char *name)
{
	struct ifreq r = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r))
		boot_fail("interface %s: %s", name, strerror(errno));
	r.ifr_flags = (short)(r.ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &r))
		boot_fail("interface %s up: %s", name, strerror(errno));
	close(fd);
}

static void attr_put(struct nlmsghdr *h, unsigned short type, const void *p,
		     size_t len)
{
	struct rtattr *a = (void *)((char *)h + NLMSG_ALIGN(h->nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	memcpy(RTA_DATA(a), p, len);
	h->nlmsg_len = (uint32_t)(NLMSG_ALIGN(h->nlmsg_len) + RTA_LENGTH(len));
}

/* A fixed address; IPv6 without duplicate detection (it would cost 1 s). */
static void addr_add(const char *ifname, const char *cidr)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
		char attrs[128];
	} q = { 0 };
	struct { struct nlmsghdr h; struct nlmsgerr e; char rest[256]; } r;
	char text[64];
	uint8_t a[16];
	char *slash;
	int v6, fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	snprintf(text, sizeof(text), "%s", cidr);
	slash = strchr(text, '/');
	if (!slash)
		boot_fail("addr %s %s: no /prefix", ifname, cidr);
	*slash = 0;
	v6 = strchr(text, ':') != NULL;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, text, a) != 1)
		boot_fail("addr %s %s: not an address", ifname, cidr);
	q.h.nlmsg_len = NLMSG_LENGTH(sizeof(q.m));
	q.h.nlmsg_type = RTM_NEWADDR;
	q.h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
	q.m.ifa_family = v6 ? AF_INET6 : AF_INET;
	q.m.ifa_prefixlen = (uint8_t)atoi(slash + 1);
	q.m.ifa_flags = v6 ? IFA_F_NODAD : 0;
	q.m.ifa_index = if_nametoindex(ifname);
	attr_put(&q.h, IFA_LOCAL, a, v6 ? 16 : 4);
	attr_put(&q.h, IFA_ADDRESS, a, v6 ? 16 : 4);
	if (fd < 0 || send(fd, &q, q.h.nlmsg_len, 0) < 0 ||
	    recv(fd, &r, sizeof(r), 0) < 0)
		boot_fail("addr %s %s: %s", ifname, cidr, strerror(errno));
	if (r.e.error && r.e.error != -EEXIST)
		boot_fail("addr %s %s: %s", ifname, cidr, strerror(-r.e.error));
	close(fd);
}

static void loop_set(const char *nr, const char *file)
{
	struct loop_config c = { .block_size = 512 };
	char dev[32];
	int fd = open(file, O_RDWR | O_CLOEXEC), lfd;

	snprintf(dev, sizeof(dev), "/dev/loop%s", nr);
	lfd = open(dev, O_RDWR | O_CLOEXEC);
	if (fd < 0 || lfd < 0)
		boot_fail("loop %s %s: %s", nr, file, strerror(errno));
	c.fd = (uint32_t)fd;
	snprintf((char *)c.info.lo_file_name, LO_NAME_SIZE, "%s", file);
	if (ioctl(lfd, LOOP_CONFIGURE, &c))
		boot_fail("loop %s %s: %s", nr, file, strerror(errno));
	close(fd);
	close(lfd);
}

static void sysctl_set(const char *key, const char *val)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/%s", key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || lab_write_all(fd, val, strlen(val)))
		boot_fail("sysctl %s: %s", key, strerror(errno));
	close(fd);
}

static void run_cmd(char **argv)
{
	pid_t pid = fork();
	int st;

	if (pid == 0) {
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &st, 0) < 0)
		boot_fail("run %s: %s", argv[0], strerror(errno));
	if (!WIFEXITED(st) || WEXITSTATUS(st))
		boot_fail("run %s %s: status %d (its words are in the node's log)",
			  argv[0], argv[1] ? argv[1] : "", WEXITSTATUS(st));
}

static int boot_line(int n, char **w)
{
	if (!strcmp(w[0], "hostname") && n == 2)
		return sethostname(w[1], strlen(w[1]));
	if (!strcmp(w[0], "modprobe") && n >= 2)
		return modprobe(w[1], n > 2 ? w[2] : ""), 0;
	if (!strcmp(w[0], "up") && n == 2)
		return if_up(w[1]), 0;
	if (!strcmp(w[0], "addr") && n == 3)
		return addr_add(w[1], w[2]), 0;
	if (!strcmp(w[0], "loop") && n == 3)
		return loop_set(w[1], w[2]), 0;
	if (!strcmp(w[0], "sysctl") && n == 3)
		return sysctl_set(w[1], w[2]), 0;
	if (!strcmp(w[0], "dir") && n == 2)
		return make_dirs(w[1]), 0;
	if (!strcmp(w[0], "bind") && n == 3) {
		make_dirs(w[2]);
		return mount(w[1], w[2], NULL, MS_BIND, NULL);
	}
	if (!strcmp(w[0], "mount") && n == 3)
		return mount_at(w[1], w[2], 0, NULL), 0;
	if (!strcmp(w[0], "run") && n >= 2)
		return run_cmd(w + 1), 0;
	if (!strcmp(w[0], "service") && n >= 4)
		return service_add(n - 1, w + 1);
	errno = EINVAL;
	return -1;
}

void boot_run(const char *file)
{
	FILE *f = fopen(file, "re");
	char *line = NULL, *save = NULL;
	size_t cap = 0;
	int nr = 0;

	if (!f)
		boot_fail("%s: %s", file, strerror(errno));
	while (getline(&line, &cap, f) > 0) {
		char *w[32];
		int n = 0;

		nr++;
		if (line[0] == '#')
			continue;
		for (char *s = strtok_r(line, " \t\n", &save); s && n < 31;
		     s = strtok_r(NULL, " \t\n", &save))
			w[n++] = s;
		w[n] = NULL;
		if (n && boot_line(n, w))
			boot_fail("%s:%d: %s: %s", file, nr, w[0],
				  strerror(errno));
	}
	free(line);
	fclose(f);
}
