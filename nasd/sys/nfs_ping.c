/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nfs_ping.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "clocks.h"
#include "wait_fd.h"

/* Record marking and message types: RFC 5531 sections 9 and 11. */
enum {
	LAST_FRAGMENT = 1 << 31,
	CALL = 0,
	REPLY = 1,
	RPC_VERSION = 2,
	NFS_PROGRAM = 100003,
	NFS_VERSION = 4,
	CALL_WORDS = 11,
	REPLY_WORDS = 3, /* of which all replies begin: mark, transaction, type */
};

static const char *where = "NFS";

static socklen_t sockaddr_of(const struct net_addr *addr, uint16_t port, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)addr->family;
	if (addr->family == AF_INET) {
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, addr->ip, 4);
		return sizeof(*in);
	}
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, addr->ip, 16);
	return sizeof(*in6);
}

static int connect_within(int fd, const struct net_addr *addr, uint16_t port, int64_t until)
{
	struct linger reset = { .l_onoff = 1 };
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(addr, port, &ss);
	int ret, failure = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&ss, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	ret = wait_fd(fd, POLLOUT, until);
	len = sizeof(failure);
	if (ret == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &len) < 0)
		ret = -errno;
	return ret < 0 ? ret : -failure;
}

static int send_call(int fd, uint32_t xid)
{
	uint32_t call[CALL_WORDS] = { htonl((uint32_t)LAST_FRAGMENT | (sizeof(call) - 4)), htonl(xid), htonl(CALL),
				      htonl(RPC_VERSION), htonl(NFS_PROGRAM), htonl(NFS_VERSION),
				      /* procedure NULL, AUTH_NONE, no verifier */ };
	ssize_t n = send(fd, call, sizeof(call), MSG_NOSIGNAL);

	/* a new connection has room for so little */
	return n == (ssize_t)sizeof(call) ? 0 : n < 0 ? -errno : -EIO;
}

static int read_reply(int fd, uint32_t xid, int64_t until)
{
	uint32_t words[REPLY_WORDS];
	size_t have = 0;

	while (have < sizeof(words)) {
		int ret = wait_fd(fd, POLLIN, until);
		ssize_t n;

		if (ret < 0)
			return ret;
		n = recv(fd, (char *)words + have, sizeof(words) - have, 0);
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		have += n > 0 ? (size_t)n : 0;
	}
	return ntohl(words[1]) == xid && ntohl(words[2]) == REPLY ? 0 : -EPROTO;
}

static int fail(int ret, int64_t limit_us, struct err *err)
{
	if (ret == -ETIMEDOUT)
		return err_set(err, ERR_TIMEOUT, ETIMEDOUT, where, "no answer to a NULL call within %lld ms",
			       (long long)limit_us / 1000);
	if (ret == -ECONNREFUSED)
		return err_set(err, ERR_REFUSED, ECONNREFUSED, where, "nobody listens at the floating address");
	if (ret == -EPROTO)
		return err_set(err, ERR_PEER, EPROTO, where, "what answers at the floating address does not speak RPC");
	return err_set(err, ERR_SYSTEM, -ret, where, "a NULL call failed: %s", strerror(-ret));
}

int nfs_ping(const struct net_addr *addr, uint16_t port, int64_t limit_us, struct err *err)
{
	int64_t until = monotonic_us() + limit_us;
	AUTO_CLOSE int fd = socket(addr->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	uint32_t xid = 0;
	int ret = fd < 0 ? -errno : 0;

	if (getrandom(&xid, sizeof(xid), GRND_NONBLOCK) < 0)
		xid = (uint32_t)until;
	if (ret == 0)
		ret = connect_within(fd, addr, port, until);
	if (ret == 0)
		ret = send_call(fd, xid);
	if (ret == 0)
		ret = read_reply(fd, xid, until);
	return ret < 0 ? fail(ret, limit_us, err) : 0;
}
