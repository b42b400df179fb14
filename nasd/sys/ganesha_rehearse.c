/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ganesha_rehearse.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clocks.h"
#include "ganesha_conf.h"
#include "ganesha_priv.h"
#include "log.h"
#include "wait_fd.h"

enum {
	REQUESTS_US = 200000,
	CONNECTIONS = 4,
	ROUNDS = 4,             /* on each: NULL, then SEQUENCE */
	NFS_PROGRAM = 100003,
	BADSESSION = 10052,     /* NFS4ERR_BADSESSION */
	LAST_FRAGMENT = 0x80000000,
	REQUEST_WORDS = 64,
	ANSWER_MAX = 256,
};

static const char *where = "rehearsal";

/* ---- an export */

static int ask(struct fsal_client *c, enum fsal_op op, const char *path, int64_t deadline, struct err *err)
{
	struct fsal_request req = { op, GANESHA_REHEARSAL_ID, path };
	struct fsal_answer a;

	return fsal_client_do(c, &req, NULL, deadline - monotonic_us(), &a, err);
}

/* The first one makes ganesha load the FSAL below and much else; when it goes,
 * the module touches all of that. */
static int rehearse_export(struct ganesha *g, int64_t deadline, struct err *err)
{
	struct fsal_client c;
	char path[PATH_MAX];
	int ret = ganesha_path(g, "rehearsal.conf", path, sizeof(path), err);

	if (ret == 0)
		ret = ganesha_module_open(g, &c, err);
	if (ret < 0)
		return ret;
	ret = ask(&c, FSAL_EXPORT_ADD, path, deadline, err);
	if (ret == 0)
		ret = ask(&c, FSAL_EXPORT_REMOVE, NULL, deadline, err);
	fsal_client_close(&c);
	return ret;
}

/* ---- requests: RFC 5531 (RPC, record marking), RFC 8881 (COMPOUND, SEQUENCE) */

struct words {
	uint32_t word[REQUEST_WORDS];
	size_t n;
};

static void put(struct words *w, uint32_t value)
{
	w->word[w->n++] = htonl(value);
}

/* Returns its length in bytes. */
static size_t make_request(struct words *w, bool sequence)
{
	const uint32_t head[] = { 0, 0 /* xid */, 0 /* CALL */, 2, NFS_PROGRAM, 4, sequence /* NULL, COMPOUND */,
				  0, 0, 0, 0 /* AUTH_NONE, twice */ };
	const uint32_t compound[] = { 0 /* no tag */, 1 /* minor version */, 1 /* operation: */, 53 /* SEQUENCE */,
				      UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX /* session */,
				      1 /* sequence */, 0 /* slot */, 0 /* highest slot */, 0 /* to be cached */ };

	w->n = 0;
	for (size_t i = 0; i < sizeof(head) / sizeof(*head); i++)
		put(w, head[i]);
	for (size_t i = 0; sequence && i < sizeof(compound) / sizeof(*compound); i++)
		put(w, compound[i]);
	w->word[0] = htonl((uint32_t)(LAST_FRAGMENT | (w->n - 1) * sizeof(uint32_t)));
	return w->n * sizeof(uint32_t);
}

static int wait_for(int fd, short events, int64_t deadline, struct err *err)
{
	int ret = wait_fd(fd, events, deadline);

	if (ret == -ETIMEDOUT)
		return err_set(err, ERR_TIMEOUT, ETIMEDOUT, where, "the server takes too long");
	return ret < 0 ? err_set(err, ERR_SYSTEM, -ret, where, "poll") : 0;
}

static int receive(int fd, void *buf, size_t len, int64_t deadline, struct err *err)
{
	for (size_t have = 0; have < len;) {
		ssize_t n = recv(fd, (char *)buf + have, len - have, MSG_DONTWAIT);

		if (n > 0)
			have += (size_t)n;
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return err_set(err, ERR_SYSTEM, n < 0 ? errno : EPIPE, where, "the server hung up");
		else if (wait_for(fd, POLLIN, deadline, err) < 0)
			return -ETIMEDOUT;
	}
	return 0;
}

/* It must be executed; of a compound, the status counts. */
static int read_answer(int fd, bool sequence, int64_t deadline, struct err *err)
{
	uint32_t mark, word[ANSWER_MAX / sizeof(uint32_t)];
	size_t len;
	int ret = receive(fd, &mark, sizeof(mark), deadline, err);

	if (ret < 0)
		return ret;
	len = ntohl(mark) & ~(uint32_t)LAST_FRAGMENT;
	if (len > sizeof(word) || len < (sequence ? 7 : 6) * sizeof(*word))
		return err_set(err, ERR_INPUT, EPROTO, where, "an answer of %zu bytes", len);
	ret = receive(fd, word, len, deadline, err);
	if (ret < 0)
		return ret;
	/* xid, REPLY, accepted, verifier (2), success */
	if (word[0] || word[1] != htonl(1) || word[2] || word[4] || word[5])
		return err_set(err, ERR_INPUT, EPROTO, where, "the server refuses");
	if (sequence && word[6] != htonl(BADSESSION))
		return err_set(err, ERR_INPUT, EPROTO, where, "the server answers %u", (unsigned)ntohl(word[6]));
	return 0;
}

/* All of a round at once: each is worked on by a thread of its own. */
static int run_round(const int *fd, bool sequence, int64_t deadline, struct err *err)
{
	struct words w;
	size_t len = make_request(&w, sequence);
	int ret = 0;

	for (int i = 0; i < CONNECTIONS && ret == 0; i++)
		if (send(fd[i], w.word, len, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)len)
			ret = err_set(err, ERR_SYSTEM, errno, where, "the server does not read");
	for (int i = 0; i < CONNECTIONS && ret == 0; i++)
		ret = read_answer(fd[i], sequence, deadline, err);
	return ret;
}

/* ---- connections */

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static bool same_ip(const struct sockaddr *a, const union address *b)
{
	const union address *x = (const void *)a;

	if (!a || a->sa_family != b->any.sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return x->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return !memcmp(&x->v6.sin6_addr, &b->v6.sin6_addr, sizeof(b->v6.sin6_addr));
}

static bool is_here(const union address *a)
{
	struct ifaddrs *list, *i;
	bool found = false;

	if (getifaddrs(&list) < 0)
		return false;
	for (i = list; i && !found; i = i->ifa_next)
		found = same_ip(i->ifa_addr, a);
	freeifaddrs(list);
	return found;
}

static int find_address(const struct conf_nfs *nfs, union address *out, struct err *err)
{
	*out = (union address){ 0 };
	out->any.sa_family = nfs->bind.family == AF_INET6 ? AF_INET6 : AF_INET;
	if (nfs->bind.family == AF_INET6) {
		out->v6.sin6_port = htons(nfs->port);
		memcpy(&out->v6.sin6_addr, nfs->bind.bytes, sizeof(out->v6.sin6_addr));
	} else {
		out->v4.sin_port = htons(nfs->port);
		out->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	if (nfs->bind.family == AF_INET)
		memcpy(&out->v4.sin_addr, nfs->bind.bytes, sizeof(out->v4.sin_addr));
	if (nfs->bind.family && !is_here(out))
		return err_set(err, ERR_REFUSED, EADDRNOTAVAIL, where, "%s is not on this node", nfs->bind.text);
	return 0;
}

static int connect_one(const union address *a, int64_t deadline, int *out, struct err *err)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), why = 0;
	const struct linger reset = { .l_onoff = 1 };
	socklen_t len = sizeof(why);

	*out = fd;
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, where, "socket");
	/* no state of TCP outlives it on either side */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(fd, &a->any, sizeof(*a)) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return err_set(err, ERR_SYSTEM, errno, where, "connect");
	if (wait_for(fd, POLLOUT, deadline, err) < 0)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len) < 0 || why)
		return err_set(err, ERR_SYSTEM, why, where, "connect");
	return 0;
}

int ganesha_rehearse_requests(const struct conf_nfs *nfs, int64_t timeout_us, struct err *err)
{
	int64_t deadline = monotonic_us() + timeout_us;
	int fd[CONNECTIONS], n = 0;
	union address a;
	int ret = find_address(nfs, &a, err);

	while (ret == 0 && n < CONNECTIONS)
		ret = connect_one(&a, deadline, &fd[n++], err);
	for (int round = 0; round < ROUNDS && ret == 0; round++)
		ret = run_round(fd, round > 0, deadline, err);
	while (n-- > 0)
		if (fd[n] >= 0)
			close(fd[n]);
	return ret;
}

void ganesha_rehearse(struct ganesha *g, int64_t deadline)
{
	int64_t began = monotonic_us(), exported, left;
	char text[ERR_MSG_MAX + ERR_WHERE_MAX + ERR_REMEDY_MAX];
	struct err e = { 0 };

	if (g->module_used && rehearse_export(g, deadline, &e) < 0)
		log_info("ganesha %s: no export could be rehearsed: %s", g->group->name, e.msg);
	exported = monotonic_us();
	left = deadline - exported < REQUESTS_US ? deadline - exported : REQUESTS_US;
	e = (struct err){ 0 };
	if (ganesha_rehearse_requests(&g->group->nfs, left, &e) < 0)
		log_debug("ganesha %s: no requests could be rehearsed: %s", g->group->name,
			  err_format(&e, text, sizeof(text)));
	else
		log_debug("ganesha %s: rehearsed an export in %lld us, requests in %lld us", g->group->name,
			  (long long)(exported - began), (long long)(monotonic_us() - exported));
}
