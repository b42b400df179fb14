/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The floor: how long moving a mounted DRBD device between two nodes takes when
 * nothing else is done. Not nasd's code, and none of nasd's duties: no export,
 * no address, no client, no journal, no check, no encryption, no second look.
 *
 *   floor agent PORT                    on one node: obeys one driver, then ends
 *   floor drive PEER PORT ROUNDS        on the other: measures, one JSON line a round
 *
 * Both processes run, are connected, have their netlink socket open and their
 * memory locked before the first round: no program start lies in a round.
 * A round is umount, Secondary on the one, one message, Primary (as soon as
 * DRBD knows of the other's demotion), mount on the other; rounds alternate. The driver's monotonic clock times all of it (and
 * the agent's the two calls made there). Before each round, untimed, the mounted
 * side writes and syncs a few blocks, as a guest would have.
 *
 * The role changes are the messages drbdsetup sends (DRBD 8.4's generic netlink
 * family "drbd", linux/drbd_genl.h): header {minor, flags}, no attributes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "/dev/drbd0"
#define MOUNT  "/srv/vmstore"
#define FSTYPE "ext4"
#define FLAGS  MS_NOATIME

enum { GENL_START = sizeof(struct nlmsghdr) + sizeof(struct genlmsghdr), ATTR_HEAD = sizeof(struct nlattr) };
enum { MINOR = 0, CMD_PRIMARY = 14, CMD_SECONDARY = 15, DRBD_OK = 101, SETTLE_MS = 200, RTTS = 20 };

/* What the driver asks for; the agent answers with two durations. */
enum op { OP_PING = 'p', OP_TAKE = 't', OP_GIVE = 'g', OP_DIRTY = 'd', OP_END = 'e' };

struct reply {
	uint32_t first_us;
	uint32_t second_us;
};

struct drbd_request {
	struct nlmsghdr nl;
	struct genlmsghdr genl;
	uint32_t minor;
	int32_t code;
};

static int nl_sock = -1, proc_drbd = -1;
static uint16_t family;
static uint32_t sequence;

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

/* ---- DRBD */

/* Sends a message and waits for the answer to it; its length. */
static size_t ask_kernel(void *msg, size_t len, char *buf, size_t size)
{
	struct nlmsghdr *nl = msg;
	struct nlmsghdr *answer = (struct nlmsghdr *)(void *)buf;

	nl->nlmsg_len = (uint32_t)len;
	nl->nlmsg_seq = ++sequence;
	if (send(nl_sock, msg, len, 0) < 0)
		die("netlink");
	for (;;) {
		ssize_t n = recv(nl_sock, buf, size, 0);

		if (n < (ssize_t)sizeof(*answer))
			die("netlink");
		if (answer->nlmsg_seq != sequence)
			continue;
		if (answer->nlmsg_type == NLMSG_ERROR) {
			struct nlmsgerr *e = NLMSG_DATA(answer);

			errno = -e->error;
			die("DRBD's netlink family (is the module loaded?)");
		}
		return (size_t)n;
	}
}

static void open_drbd(void)
{
	struct {
		struct nlmsghdr nl;
		struct genlmsghdr genl;
		struct nlattr attr;
		char name[8];
	} req = {
		.nl = { .nlmsg_type = GENL_ID_CTRL, .nlmsg_flags = NLM_F_REQUEST },
		.genl = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 },
		.attr = { .nla_type = CTRL_ATTR_FAMILY_NAME, .nla_len = ATTR_HEAD + sizeof("drbd") },
		.name = "drbd",
	};
	char buf[8192];
	size_t n, at = GENL_START;

	nl_sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (nl_sock < 0)
		die("netlink");
	proc_drbd = open("/proc/drbd", O_RDONLY | O_CLOEXEC);
	if (proc_drbd < 0)
		die("/proc/drbd");
	n = ask_kernel(&req, sizeof(req), buf, sizeof(buf));
	while (at + ATTR_HEAD <= n) {
		struct nlattr a;

		memcpy(&a, buf + at, sizeof(a));
		if (a.nla_type == CTRL_ATTR_FAMILY_ID)
			memcpy(&family, buf + at + ATTR_HEAD, sizeof(family));
		if (a.nla_len < ATTR_HEAD)
			break;
		at += (size_t)(a.nla_len + 3) & ~(size_t)3;
	}
	if (!family) {
		errno = ENODEV;
		die("DRBD");
	}
}

static void role(uint8_t cmd)
{
	struct drbd_request req = {
		.nl = { .nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST },
		.genl = { .cmd = cmd, .version = 1 },
		.minor = MINOR,
	};
	char buf[8192];
	int32_t code;

	if (ask_kernel(&req, sizeof(req), buf, sizeof(buf)) < sizeof(req))
		die("DRBD's answer");
	memcpy(&code, buf + GENL_START + sizeof(uint32_t), sizeof(code));
	/* enum drbd_state_rv: 1 and 2 are success; enum drbd_ret_code: 101 is. */
	if (code == 1 || code == 2 || code == DRBD_OK)
		return;
	fprintf(stderr, "floor: DRBD refuses %s: code %d\n",
		cmd == CMD_PRIMARY ? "Primary" : "Secondary", code);
	exit(1);
}

/* ---- the four calls, and what is not timed */

/*
 * The other side's demotion comes by DRBD's own connection, our message by
 * another: it may be first. DRBD then refuses Primary within itself, sleeps for
 * ping-timeout + 0.1 s (0.6 s in the lab) and tries once more. So: look first.
 */
static void await_secondary(void)
{
	char buf[1024];

	for (int i = 0; i < 1000; i++) {
		ssize_t n = pread(proc_drbd, buf, sizeof(buf) - 1, 0);

		if (n < 0)
			die("/proc/drbd");
		buf[n] = 0;
		if (strstr(buf, " ro:Secondary/Secondary "))
			return;
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
	errno = ETIMEDOUT;
	die("the other side did not become Secondary");
}

static struct reply take(void)
{
	int64_t t0 = now_us(), t1;

	await_secondary();
	role(CMD_PRIMARY);
	t1 = now_us();
	if (mount(DEVICE, MOUNT, FSTYPE, FLAGS, NULL) < 0)
		die("mount " DEVICE);
	return (struct reply){ (uint32_t)(t1 - t0), (uint32_t)(now_us() - t1) };
}

static struct reply give(void)
{
	int64_t t0 = now_us(), t1;

	if (umount(MOUNT) < 0)
		die("umount " MOUNT);
	t1 = now_us();
	role(CMD_SECONDARY);
	return (struct reply){ (uint32_t)(t1 - t0), (uint32_t)(now_us() - t1) };
}

static void dirty(void)
{
	static const char block[32768];
	int fd = open(MOUNT "/.floor", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, block, sizeof(block)) != sizeof(block) || fsync(fd) < 0 ||
	    close(fd) < 0 || unlink(MOUNT "/.floor") < 0)
		die("writing " MOUNT "/.floor");
	sync();
}

/* ---- the two ends */

static void get(int fd, void *p, size_t len)
{
	if (recv(fd, p, len, MSG_WAITALL) != (ssize_t)len) {
		errno = ECONNRESET;
		die("the other end");
	}
}

static void put(int fd, const void *p, size_t len)
{
	if (send(fd, p, len, MSG_NOSIGNAL) != (ssize_t)len)
		die("the other end");
}

static struct reply ask_agent(int fd, char op)
{
	struct reply r;

	put(fd, &op, 1);
	get(fd, &r, sizeof(r));
	return r;
}

static int agent(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd, l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct reply r;
	char op;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (l < 0 || bind(l, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(l, 1) < 0)
		die("listen");
	alarm(60); /* a driver that never comes */
	fd = accept(l, NULL, NULL);
	if (fd < 0)
		die("accept");
	alarm(600);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (;;) {
		get(fd, &op, 1);
		r = (struct reply){ 0, 0 };
		switch (op) {
		case OP_TAKE: r = take(); break;
		case OP_GIVE: r = give(); break;
		case OP_DIRTY: dirty(); break;
		case OP_PING: break;
		case OP_END: return 0;
		default: errno = EPROTO; die("request");
		}
		put(fd, &r, sizeof(r));
	}
}

static int dial(const char *host, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1;

	if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
		errno = EINVAL;
		die(host);
	}
	for (int i = 0; i < 100; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			return fd;
		}
		if (fd >= 0)
			close(fd);
		pause_ms(50); /* the agent may still be starting */
	}
	die("connect");
}

static void report(int round, const char *way, int64_t total, struct reply out, struct reply in)
{
	int64_t calls = (int64_t)out.first_us + out.second_us + in.first_us + in.second_us;

	printf("{\"round\":%d,\"way\":\"%s\",\"total_us\":%lld,\"umount_us\":%u,\"secondary_us\":%u,"
	       "\"primary_us\":%u,\"mount_us\":%u,\"message_us\":%lld}\n",
	       round, way, (long long)total, out.first_us, out.second_us, in.first_us, in.second_us,
	       (long long)(total - calls));
	fflush(stdout);
}

static int drive(const char *host, uint16_t port, int rounds)
{
	int fd = dial(host, port);
	struct reply here, there;
	int64_t t;

	for (int i = 0; i < RTTS; i++) {
		t = now_us();
		ask_agent(fd, OP_PING);
		printf("{\"rtt_us\":%lld}\n", (long long)(now_us() - t));
		pause_ms(20);
	}
	take();
	for (int i = 0; i < rounds; i++) {
		int away = i % 2 == 0;

		if (away)
			dirty();
		else
			ask_agent(fd, OP_DIRTY);
		pause_ms(SETTLE_MS);
		t = now_us();
		if (away) {
			here = give();
			there = ask_agent(fd, OP_TAKE);
			report(i, "there", now_us() - t, here, there);
		} else {
			there = ask_agent(fd, OP_GIVE);
			here = take();
			report(i, "back", now_us() - t, there, here);
		}
	}
	if (rounds % 2)
		ask_agent(fd, OP_GIVE);
	else
		give();
	put(fd, &(char){ OP_END }, 1);
	return 0;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	if (argc == 3 && strcmp(argv[1], "agent") == 0) {
		open_drbd();
		return agent((uint16_t)atoi(argv[2]));
	}
	if (argc == 5 && strcmp(argv[1], "drive") == 0) {
		open_drbd();
		return drive(argv[2], (uint16_t)atoi(argv[3]), atoi(argv[4]));
	}
	fprintf(stderr, "usage: floor agent PORT | floor drive PEER-ADDRESS PORT ROUNDS\n");
	return 2;
}
