/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "cleanup.h"
#include "clocks.h"
#include "ganesha_priv.h"
#include "log.h"
#include "tcp_abandon.h"

enum {
	POLL_US = 2000,         /* between looks at a starting program */
	CALL_US = 1000000,
	BUS_ENDS_US = 2000000,
};

static const char *where = "ganesha";

static void pause_us(long us)
{
	nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
}

bool ganesha_server_alive(const struct ganesha *g)
{
	return g->server.pidfd >= 0 && !child_ended(g->server.pidfd);
}

/* ---- state */

static void set_reason(struct ganesha *g, const char *reason)
{
	snprintf(g->reason, sizeof(g->reason), "%s", reason);
}

int ganesha_set_phase(struct ganesha *g, enum phase phase, struct err *err)
{
	int ret;

	pthread_mutex_lock(&g->lock);
	g->phase = phase;
	set_reason(g, "");
	ret = ganesha_tenure_write(g, err);
	pthread_mutex_unlock(&g->lock);
	return ret;
}

static void forget_server(struct ganesha *g, const char *reason)
{
	fsal_client_close(&g->gated);
	pthread_mutex_lock(&g->lock);
	child_proc_release(&g->server);
	g->server = (struct child_proc){.pidfd = -1};
	g->phase = PHASE_NONE;
	g->installed_left = false;
	g->tenure = 0;
	set_reason(g, reason);
	pthread_mutex_unlock(&g->lock);
	ganesha_tenure_remove(g);
}

/* ---- adoption */

/* A server whose nasd died before it wrote the tenure file still holds the lock
 * on its own pid file. */
static pid_t lock_holder(const struct ganesha *g)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_MAX];
	AUTO_CLOSE int fd = -1;

	if (ganesha_path(g, "ganesha.lock", path, sizeof(path), NULL) < 0)
		return 0;
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fcntl(fd, F_GETLK, &l) < 0 || l.l_type == F_UNLCK)
		return 0;
	return l.l_pid;
}

static void adopt_server(struct ganesha *g)
{
	struct tenure_record t = {0};
	pid_t holder = lock_holder(g);
	struct child_proc p = {.pidfd = -1};

	if (ganesha_tenure_read(g, &t) == 0 &&
	    child_adopt(t.pid, t.start_time, g->program, &p, NULL) == 0) {
		log_info("ganesha %s: found again, pid %d, tenure %" PRIu64, g->group->name,
			 (int)t.pid, t.tenure);
	} else if (holder > 0 &&
		   child_adopt(holder, child_start_time(holder), g->program, &p, NULL) == 0) {
		log_warn("ganesha %s: found pid %d, of a tenure nobody knows", g->group->name,
			 (int)holder);
		t = (struct tenure_record){.phase = PHASE_ACTIVATING};
	} else {
		return;
	}
	pthread_mutex_lock(&g->lock);
	g->server = p;
	g->tenure = t.tenure;
	g->phase = t.phase;
	g->installed_left = true; /* whether there are any, an earlier nasd knew */
	set_reason(g, t.phase == PHASE_ACTIVATING ? "its activation was cut short" : "");
	pthread_mutex_unlock(&g->lock);
}

/* One that cannot be reached is of no use to anybody, and as our child it must be
 * reaped. */
static void forget_bus(struct ganesha *g)
{
	if (g->bus_proc.pidfd >= 0)
		child_kill(g->bus_proc.pidfd, SIGKILL, BUS_ENDS_US, NULL);
	child_proc_release(&g->bus_proc);
	g->bus_proc = (struct child_proc){.pidfd = -1};
}

/* Connects to the bus's socket; -1 when nobody listens. *pid: who does. */
static int bus_connect(const struct ganesha *g, pid_t *pid)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct ucred who = {0};
	socklen_t len = sizeof(who);
	AUTO_CLOSE int fd = -1;

	if (ganesha_path(g, "bus", a.sun_path, sizeof(a.sun_path), NULL) < 0)
		return -1;
	/* without waiting for one that hangs and has its backlog full */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return -1;
	*pid = who.pid;
	return take_fd(&fd);
}

/* The bus needs no file of ours: who listens on the socket is it. */
static bool bus_up(struct ganesha *g)
{
	pid_t pid;
	AUTO_CLOSE int fd = bus_connect(g, &pid);

	if (fd < 0)
		return false;
	if (g->bus_proc.pidfd >= 0 && g->bus_proc.pid == pid)
		return true;
	forget_bus(g);
	return child_adopt(pid, child_start_time(pid), g->bus_program, &g->bus_proc, NULL) == 0;
}

void ganesha_adopt(struct ganesha *g)
{
	/* libdbus ends a server that loses its bus: one without never had any */
	g->cold = !bus_up(g);
	adopt_server(g);
}

/* ---- the bus */

/*
 * libdbus ends a program that loses the system bus, without a word: whoever
 * kills the bus has killed the server. So the kernel shall not choose either.
 */
static void spare_from_oom(pid_t pid)
{
	char path[40];
	AUTO_CLOSE int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "-1000", 5) != 5)
		log_info("ganesha: cannot spare pid %d from the OOM killer", (int)pid);
}

/* No server runs: a bus that hangs, where a new one would hang as well, goes. */
int ganesha_bus_start(struct ganesha *g, int64_t deadline, struct err *err)
{
	char config[PATH_MAX], arg[PATH_MAX + 16], sock[PATH_MAX];
	const char *const argv[] = {g->bus_program, "--nofork", "--nopidfile", "--nosyslog", arg, NULL};
	int ret;

	ret = ganesha_path(g, "bus.conf", config, sizeof(config), err);
	if (ret == 0)
		ret = ganesha_path(g, "bus", sock, sizeof(((struct sockaddr_un *)0)->sun_path), err);
	if (ret < 0)
		return ret;
	ganesha_dbus_close(&g->bus);
	if (bus_up(g) && ganesha_dbus_open(&g->bus, sock, CALL_US, NULL) == 0)
		return 0;
	forget_bus(g);
	snprintf(arg, sizeof(arg), "--config-file=%s", config);
	unlink(sock);
	ret = child_spawn_daemon(g->bus_program, argv, NULL, g->log_path, &g->bus_proc, err);
	if (ret == 0)
		spare_from_oom(g->bus_proc.pid);
	while (ret == 0 && !bus_up(g)) {
		if (child_ended(g->bus_proc.pidfd))
			return err_set(err, ERR_SYSTEM, EIO, where, "dbus-daemon ended at once, see %s",
				       g->log_path);
		if (monotonic_us() > deadline)
			return err_set(err, ERR_TIMEOUT, ETIMEDOUT, where, "dbus-daemon does not listen");
		pause_us(POLL_US);
	}
	return ret;
}

int ganesha_bus_stop(struct ganesha *g, int64_t timeout_us, struct err *err)
{
	int ret = 0;

	ganesha_dbus_close(&g->bus);
	if (bus_up(g))
		ret = child_kill(g->bus_proc.pidfd, SIGTERM,
				 (uint64_t)(timeout_us < BUS_ENDS_US ? timeout_us : BUS_ENDS_US), err);
	child_proc_release(&g->bus_proc);
	g->bus_proc = (struct child_proc){.pidfd = -1};
	return ret;
}

/* ---- the server */

/* fsal/steady: leases that do not end when the wall clock is set. */
static const char *steady_time(const struct ganesha *g, char *env, size_t size)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/libnasdtime.so", g->module_dir);
	if (g->module_dir[0] && access(path, R_OK) == 0) {
		snprintf(env, size, "LD_PRELOAD=%s", path);
		return env;
	}
	log_warn("ganesha %s: libnasdtime.so is not installed: set the clock of this node forward, and its clients lose what they hold",
		 g->group->name);
	return NULL;
}

int ganesha_server_spawn(struct ganesha *g, const char *config, struct err *err)
{
	char conf[PATH_MAX], lock[PATH_MAX], epoch_text[24], bus[PATH_MAX + 48], blkid[PATH_MAX + 24], steady[PATH_MAX + 32];
	const char *const argv[] = {g->program, "-F", "-f", conf, "-L", g->log_path, "-N", "NIV_EVENT",
				    "-p", lock, "-E", epoch_text, "-I", CLIENTS_OWN_NODEID, NULL};
	const char *const envp[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", bus, blkid,
				    steady_time(g, steady, sizeof(steady)), NULL};
	struct child_proc p = {.pidfd = -1};
	uint64_t epoch;
	int ret = ganesha_path(g, config, conf, sizeof(conf), err);

	if (ret == 0)
		ret = ganesha_path(g, "ganesha.lock", lock, sizeof(lock), err);
	if (ret == 0)
		ret = ganesha_next_epoch(g, &epoch, err);
	if (ret < 0)
		return ret;
	snprintf(epoch_text, sizeof(epoch_text), "%" PRIu64, epoch);
	snprintf(bus, sizeof(bus), "DBUS_SYSTEM_BUS_ADDRESS=unix:path=%s/bus", g->run_dir);
	snprintf(blkid, sizeof(blkid), "BLKID_FILE=%s/blkid.tab", g->run_dir);
	ret = child_spawn_daemon(g->program, argv, envp, g->log_path, &p, err);
	if (ret < 0)
		return ret;
	spare_from_oom(p.pid);
	pthread_mutex_lock(&g->lock);
	g->server = p;
	g->tenure = epoch;
	pthread_mutex_unlock(&g->lock);
	return ganesha_set_phase(g, PHASE_STARTING, err);
}

/* The server's own address, or all. hex: as /proc/net/tcp and tcp6 have it, in
 * words of the host's byte order. */
static bool is_bind_address(const char *hex, const struct conf_ip *bind)
{
	static const unsigned char any[16], mapped[12] = {[10] = 0xff, [11] = 0xff};
	unsigned char ip[16] = {0};
	size_t words = strlen(hex) / 8;

	for (size_t i = 0; i < words && i < 4; i++) {
		uint32_t w = 0;

		sscanf(hex + 8 * i, "%8" SCNx32, &w);
		memcpy(ip + 4 * i, &w, sizeof(w));
	}
	if (!bind->family || !memcmp(ip, any, sizeof(ip)))
		return true;
	if (bind->family == AF_INET6)
		return words == 4 && !memcmp(ip, bind->bytes, 16);
	if (words == 4)
		return !memcmp(ip, mapped, sizeof(mapped)) && !memcmp(ip + 12, bind->bytes, 4);
	return !memcmp(ip, bind->bytes, 4);
}

static bool listens(const char *path, const struct conf_nfs *nfs)
{
	enum { LISTENING = 10 }; /* TCP_LISTEN */
	char line[256], hex[33];
	unsigned port, state;
	bool found = false;
	FILE *f = fopen(path, "re");

	while (f && !found && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", hex, &port, &state) != 3)
			continue; /* the heading */
		if (state != LISTENING)
			break; /* they come first */
		found = port == nfs->port && is_bind_address(hex, &nfs->bind);
	}
	if (f)
		fclose(f);
	return found;
}

/*
 * Somebody listens on the port: our server, since a second one could not. Not
 * asked by a connect: the floating address is not here yet, and whoever has it
 * would answer for us, or nobody.
 */
static bool port_open(const struct ganesha *g)
{
	return listens("/proc/net/tcp", &g->group->nfs) || listens("/proc/net/tcp6", &g->group->nfs);
}

static bool dbus_answers(struct ganesha *g)
{
	char sock[PATH_MAX];
	bool grace;

	return ganesha_path(g, "bus", sock, sizeof(sock), NULL) == 0 &&
	       ganesha_dbus_open(&g->bus, sock, CALL_US, NULL) == 0 &&
	       ganesha_dbus_get_grace(g->bus, &grace, CALL_US, NULL) == OUTCOME_DONE;
}

int ganesha_server_wait(struct ganesha *g, bool dbus, int64_t deadline, struct err *err)
{
	bool port = false;

	for (;;) {
		if (!ganesha_server_alive(g)) {
			err_set(err, ERR_SYSTEM, EIO, where, "the server ended while it started");
			err_remedy(err, "read %s", g->log_path);
			return -EIO;
		}
		port = port || port_open(g);
		if (port && (!dbus || dbus_answers(g)))
			return 0;
		if (monotonic_us() > deadline)
			return err_set(err, ERR_TIMEOUT, ETIMEDOUT, where, "the server does not %s",
				       port ? "answer on D-Bus" : "listen");
		pause_us(POLL_US);
	}
}

/* What cannot be had costs a client some seconds at worst, never the move. */
static void silence_connections(const struct ganesha *g)
{
	char why[ERR_MSG_MAX];
	struct err e = {0};

	if (tcp_abandon(g->server.pid, g->server.pidfd, g->group->nfs.port, NULL, &e) < 0 &&
	    ganesha_server_alive(g))
		log_warn("ganesha %s: its connections will end by themselves: %s", g->group->name,
			 err_format(&e, why, sizeof(why)));
}

int ganesha_server_kill(struct ganesha *g, int64_t timeout_us, struct err *err)
{
	int ret;

	/* One whose nasd ended before it wrote down whom it had started would hold
	 * the port and the D-Bus name against every server after it. */
	if (g->server.pidfd < 0)
		adopt_server(g);
	if (g->server.pidfd < 0)
		return 0;
	silence_connections(g);
	ret = child_kill(g->server.pidfd, SIGKILL, (uint64_t)(timeout_us > 0 ? timeout_us : 0), err);
	if (ret == 0)
		forget_server(g, "stopped");
	return ret;
}
