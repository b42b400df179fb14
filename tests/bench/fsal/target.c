/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nfs41.h"
#include "rpc.h"
#include "xdr.h"

enum { OP_READ = 25, OP_WRITE = 38, FILE_SYNC4 = 2 };
enum { CALL_ROOM = TARGET_READ + 8192, REPLY_ROOM = TARGET_READ + 8192, SESSION_MAX = 2 * TARGET_READ };
enum { NAME_SIZE = 32, GRACE_TRIES = 300 };

struct target {
	int fd; /* the connection, or the file */
	bool remote;
	uint32_t xid;
	char name[NAME_SIZE];
	struct nfs41_exchange_id client;
	struct nfs41_session session;
	struct nfs41_fh fh;
	struct nfs41_stateid open;
	unsigned char *call, *reply; /* of a file: none, and what is read and written */
};

/* ---- one compound there and back */

static struct xdr begin(struct target *t, size_t *place)
{
	struct xdr x = xdr_over(t->call, CALL_ROOM);

	rpc_begin_call(&x, ++t->xid, "bench");
	*place = nfs41_begin(&x, "");
	return x;
}

/* In the session, on the file. */
static struct xdr begin_in_session(struct target *t, size_t *place)
{
	struct xdr x = begin(t, place);

	nfs41_put_sequence(&x, &t->session, false);
	return x;
}

static void send_all(int fd, const unsigned char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			die("send: %s", strerror(errno));
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
}

/* Sends x and waits for its answer; up to the results. The compound's status. */
static uint32_t exchange(struct target *t, struct xdr *x, size_t place, uint32_t operations)
{
	size_t have = 0, used = 0;
	uint32_t xid, status, results;
	long len;

	nfs41_end(x, place, operations);
	rpc_end_call(x);
	if (x->bad)
		die("a request does not fit");
	send_all(t->fd, t->call, x->at);
	while ((len = rpc_record(t->reply, have, REPLY_ROOM, &used)) == 0) {
		ssize_t n = recv(t->fd, t->reply + have, REPLY_ROOM - have, 0);

		if (n == 0 || (n < 0 && errno != EINTR))
			die("recv: %s", n ? strerror(errno) : "closed by the server");
		have += n > 0 ? (size_t)n : 0U;
	}
	if (len < 0 || used != have)
		die("a reply that is too long, or more than one");
	*x = xdr_over(t->reply, (size_t)len);
	if (rpc_get_reply(x, &xid) < 0 || xid != t->xid)
		die("not the reply to our call");
	status = nfs41_get_head(x, &results);
	return status;
}

static void expect(struct xdr *x, uint32_t op)
{
	uint32_t status = nfs41_get_result(x, op);

	if (status != NFS4_OK || x->bad)
		die("%s: status %u", nfs41_op_name(op) ? nfs41_op_name(op) : "READ or WRITE", status);
}

/* After an exchange that was begun in the session. */
static void expect_sequence(struct target *t, struct xdr *x)
{
	expect(x, OP_SEQUENCE);
	(void)nfs41_get_sequence(x, &t->session);
	t->session.sequenceid++;
}

/* ---- from nothing to an open file */

static void put_channel(struct xdr *x)
{
	xdr_put_u32(x, 0);           /* padding */
	xdr_put_u32(x, SESSION_MAX); /* request, response, cached response */
	xdr_put_u32(x, SESSION_MAX);
	xdr_put_u32(x, 4096);
	xdr_put_u32(x, 16); /* operations */
	xdr_put_u32(x, 2);  /* slots */
	xdr_put_u32(x, 0);  /* no RDMA */
}

static void put_large_session(struct xdr *x, const struct nfs41_exchange_id *client)
{
	xdr_put_u32(x, OP_CREATE_SESSION);
	xdr_put_u64(x, client->clientid);
	xdr_put_u32(x, client->sequenceid);
	xdr_put_u32(x, 0);
	put_channel(x);
	put_channel(x);
	xdr_put_u32(x, 0x40000000); /* a callback program, never called */
	xdr_put_u32(x, 1);
	xdr_put_u32(x, 0); /* AUTH_NONE */
}

static void make_session(struct target *t, uint64_t verifier)
{
	size_t place;
	struct xdr x = begin(t, &place);

	nfs41_put_exchange_id(&x, verifier, t->name);
	exchange(t, &x, place, 1);
	expect(&x, OP_EXCHANGE_ID);
	nfs41_get_exchange_id(&x, &t->client);
	x = begin(t, &place);
	put_large_session(&x, &t->client);
	exchange(t, &x, place, 1);
	expect(&x, OP_CREATE_SESSION);
	nfs41_get_create_session(&x, &t->session);
	t->session.sequenceid = 0;
	x = begin_in_session(t, &place);
	nfs41_put_reclaim_complete(&x);
	exchange(t, &x, place, 2);
	expect_sequence(t, &x);
	expect(&x, OP_RECLAIM_COMPLETE);
}

static uint32_t put_path(struct xdr *x, const char *path)
{
	uint32_t n = 0;

	for (; *path; path += strcspn(path, "/"), n++) {
		path += strspn(path, "/");
		nfs41_put_lookup(x, path, strcspn(path, "/"));
	}
	return n;
}

/* False while the server is in grace. */
static bool try_open(struct target *t, const char *path)
{
	struct nfs41_owner owner = {.clientid = t->client.clientid, .name = t->name};
	size_t place;
	struct xdr x = begin_in_session(t, &place);
	uint32_t lookups, status;

	nfs41_put_rootfh(&x);
	lookups = put_path(&x, path);
	nfs41_put_open(&x, &owner, t->name);
	nfs41_put_getfh(&x);
	status = exchange(t, &x, place, lookups + 4U);
	expect_sequence(t, &x);
	if (status == NFS4ERR_GRACE)
		return false;
	expect(&x, OP_PUTROOTFH);
	while (lookups-- > 0)
		expect(&x, OP_LOOKUP);
	expect(&x, OP_OPEN);
	nfs41_get_open(&x, &t->open);
	expect(&x, OP_GETFH);
	nfs41_get_fh(&x, &t->fh);
	if (x.bad)
		die("OPEN: an answer that cannot be read");
	return true;
}

static void connect_to(struct target *t, const char *where)
{
	struct sockaddr_in sa = {.sin_family = AF_INET};
	char address[NAME_SIZE];
	const char *port = strchr(where, ':');

	if (!port || (size_t)(port - where) >= sizeof(address))
		die("%s: not ADDRESS:PORT/PATH", where);
	memcpy(address, where, (size_t)(port - where));
	address[port - where] = '\0';
	sa.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
	if (inet_pton(AF_INET, address, &sa.sin_addr) != 1)
		die("%s: not an IPv4 address", address);
	t->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (t->fd < 0 || connect(t->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		die("%s: %s", where, strerror(errno));
	(void)setsockopt(t->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static void open_remote(struct target *t, const char *where)
{
	const char *path = strchr(where, '/');
	int tries = 0;

	if (!path)
		die("%s: no path", where);
	connect_to(t, where);
	t->reply = malloc(REPLY_ROOM);
	t->call = malloc(CALL_ROOM);
	if (!t->reply || !t->call)
		die("no memory");
	make_session(t, (uint64_t)getpid());
	while (!try_open(t, path)) {
		if (++tries == GRACE_TRIES)
			die("%s: in grace all the time", where);
		usleep(100 * 1000);
	}
}

static void open_local(struct target *t, const char *where)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", where, t->name);
	t->fd = open(path, O_RDWR | O_CREAT | O_SYNC | O_DIRECT | O_CLOEXEC, 0600);
	if (t->fd < 0)
		die("%s: %s", path, strerror(errno));
	t->reply = aligned_alloc(TARGET_WRITE, TARGET_READ);
	if (!t->reply)
		die("no memory");
	memset(t->reply, 'w', TARGET_READ);
}

struct target *target_open(const char *where, unsigned number)
{
	struct target *t = calloc(1, sizeof(*t));

	if (!t)
		die("no memory");
	snprintf(t->name, sizeof(t->name), "bench-%u", number);
	t->remote = where[0] != '/';
	if (t->remote)
		open_remote(t, where);
	else
		open_local(t, where);
	return t;
}

/* ---- the two operations */

static void remote_write(struct target *t, uint64_t offset, uint32_t size)
{
	static const unsigned char data[TARGET_READ];
	size_t place;
	struct xdr x = begin_in_session(t, &place);

	nfs41_put_fh(&x, &t->fh);
	xdr_put_u32(&x, OP_WRITE);
	nfs41_put_stateid(&x, &t->open);
	xdr_put_u64(&x, offset);
	xdr_put_u32(&x, FILE_SYNC4);
	xdr_put_opaque(&x, data, size);
	exchange(t, &x, place, 3);
	expect_sequence(t, &x);
	expect(&x, OP_PUTFH);
	expect(&x, OP_WRITE);
	if (xdr_get_u32(&x) != size || xdr_get_u32(&x) != FILE_SYNC4 || x.bad)
		die("WRITE: not all of it, or not stable");
}

static void remote_read(struct target *t, uint64_t offset)
{
	size_t place;
	struct xdr x = begin_in_session(t, &place);

	nfs41_put_fh(&x, &t->fh);
	xdr_put_u32(&x, OP_READ);
	nfs41_put_stateid(&x, &t->open);
	xdr_put_u64(&x, offset);
	xdr_put_u32(&x, TARGET_READ);
	exchange(t, &x, place, 3);
	expect_sequence(t, &x);
	expect(&x, OP_PUTFH);
	expect(&x, OP_READ);
	(void)xdr_get_u32(&x); /* eof */
	if (xdr_get_opaque(&x, NULL, TARGET_READ) != TARGET_READ || x.bad)
		die("READ: not all of it");
}

static void write_bytes(struct target *t, uint64_t offset, uint32_t size)
{
	if (t->remote)
		remote_write(t, offset, size);
	else if (pwrite(t->fd, t->reply, size, (off_t)offset) != (ssize_t)size)
		die("pwrite: %s", strerror(errno));
}

void target_fill(struct target *t)
{
	for (uint64_t at = 0; at < TARGET_FILE; at += TARGET_READ)
		write_bytes(t, at, TARGET_READ);
}

void target_write(struct target *t, uint64_t offset)
{
	write_bytes(t, offset, TARGET_WRITE);
}

void target_read(struct target *t, uint64_t offset)
{
	if (t->remote)
		remote_read(t, offset);
	else if (pread(t->fd, t->reply, TARGET_READ, (off_t)offset) != TARGET_READ)
		die("pread: %s", strerror(errno));
}

void target_close(struct target *t)
{
	close(t->fd);
	free(t->call);
	free(t->reply);
	free(t);
}
