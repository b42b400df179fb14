/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DRBD 8.4 over generic netlink. The numbers are the kernel's ABI
 * (linux/drbd_genl.h and linux/drbd.h, which are no exported headers): family
 * "drbd", version 1, an 8 byte family header, nested attributes.
 */
#include "drbd.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <stdio.h>
#include <string.h>

#include <netlink/attr.h>

#include "bounded.h"
#include "drbd_code.h"
#include "drbd_setup.h"
#include "sock.h"

enum {
	CMD_GET_STATUS = 2,
	CMD_PRIMARY = 14,
	CMD_SECONDARY = 15,
	CMD_RESUME_IO = 24,
	CMD_OUTDATE = 25,

	NLA_CFG_REPLY = 1,
	NLA_CFG_CONTEXT = 2,
	NLA_DISK_CONF = 3,
	NLA_SET_ROLE_PARMS = 6,
	NLA_STATE_INFO = 8,
	NLA_TOP_MAX = 63,

	REPLY_INFO_TEXT = 1,
	CONTEXT_VOLUME = 1,
	CONTEXT_RESOURCE = 2,
	CONTEXT_MAX = 4,
	DISK_FENCING = 7,
	DISK_MAX = 31,
	ROLE_ASSUME_UPTODATE = 1,
	STATE_CURRENT = 2,
	STATE_CAPACITY = 3, /* 512-byte sectors */
	STATE_UUIDS = 7,    /* enum drbd_uuid_index: current, bitmap, history */
	STATE_BITS_OOS = 10,
	STATE_BITS_RS_TOTAL = 11,
	STATE_AP_PENDING = 22,
	STATE_MAX = 23,

	BYTES_PER_BIT = 4096,
	NO_ERROR = 101,
};

struct drbd_header {
	uint32_t minor;
	int32_t code; /* flags in a request */
};

struct family {
	uint16_t id;
	unsigned version;
};

struct query {
	unsigned minor;
	const char *resource; /* when looking for a name */
	struct drbd_status *status;
	bool found;
	int32_t code;
	char text[160];
};

static void on_family(struct nlmsghdr *nlh, void *arg)
{
	struct family *f = arg;
	struct nlattr *tb[CTRL_ATTR_MAX + 1];

	if (nlmsg_parse(nlh, GENL_HDRLEN, tb, CTRL_ATTR_MAX, NULL) < 0 || !tb[CTRL_ATTR_FAMILY_ID] ||
	    !tb[CTRL_ATTR_VERSION])
		return;
	f->id = nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	f->version = nla_get_u32(tb[CTRL_ATTR_VERSION]);
}

/* A family's number stays while its module does, which is not unloaded and loaded again
 * between the two halves of one change of role: so what was heard just now holds. */
enum { FAMILY_HOLDS_MS = 1000 };

struct heard {
	struct family family; /* id 0: none */
	int64_t at_ms;
};

static _Thread_local struct heard heard;

static int ask_family(struct nl_sock *sock, struct family *f, const char *where, struct err *e)
{
	AUTO_NL_MSG struct nl_msg *msg = nlmsg_alloc_simple(GENL_ID_CTRL, 0);
	struct genlmsghdr genl = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	int ret;

	*f = (struct family){ 0 };
	if (!msg || nlmsg_append(msg, &genl, sizeof(genl), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, "drbd") < 0)
		return err_set(e, ERR_SYSTEM, ENOMEM, where, "no memory for a netlink message");
	ret = net_sock_request(sock, msg, NET_SOCK_TIMEOUT_MS, on_family, f);
	if (!ret && f->id)
		return 0;
	if (ret && ret != -ENOENT)
		return err_set(e, ret == -ETIMEDOUT ? ERR_TIMEOUT : ERR_SYSTEM, -ret, where,
			       "cannot ask the kernel for DRBD");
	err_set(e, ERR_REFUSED, ENODEV, where, "DRBD is not loaded");
	err_remedy(e, "modprobe drbd, then drbdadm up");
	return -ENODEV;
}

/* Which API does the kernel speak? -ENODEV: no DRBD. */
static int find_family(struct nl_sock *sock, struct family *f, const char *where, struct err *e)
{
	int64_t now = net_now_ms();
	int ret;

	*f = heard.family;
	if (heard.family.id && now - heard.at_ms < FAMILY_HOLDS_MS)
		return 0;
	ret = ask_family(sock, f, where, e);
	heard.family = *f;
	heard.at_ms = now;
	return ret;
}

/* The bitmap has a UUID from the first write without the peer to the end of the
 * resync. The lowest bit says Primary. */
static bool changed_alone(const struct nlattr *uuids)
{
	enum { BITMAP = 1 };
	uint64_t uuid = 0;

	if (uuids && nla_len(uuids) >= (int)((BITMAP + 1) * sizeof(uuid)))
		memcpy(&uuid, (const char *)nla_data(uuids) + BITMAP * sizeof(uuid), sizeof(uuid));
	return (uuid & ~UINT64_C(1)) != 0;
}

static void decode_state(const struct nlattr *state, struct drbd_status *st)
{
	struct nlattr *tb[STATE_MAX + 1];
	uint64_t oos_bits, total;
	uint32_t s;

	if (nla_parse_nested(tb, STATE_MAX, (struct nlattr *)(uintptr_t)state, NULL) < 0 ||
	    !tb[STATE_CURRENT])
		return;
	/* union drbd_state, bit by bit from the low end */
	s = nla_get_u32(tb[STATE_CURRENT]);
	st->role = s & 3;
	st->peer_role = s >> 2 & 3;
	st->conn = s >> 4 & 31;
	st->disk = s >> 9 & 15;
	st->peer_disk = s >> 13 & 15;
	st->suspended_user = s >> 17 & 1;
	st->suspended_nodata = s >> 21 & 1;
	st->suspended_fencing = s >> 22 & 1;
	st->size = tb[STATE_CAPACITY] ? nla_get_u64(tb[STATE_CAPACITY]) * 512 : 0;
	oos_bits = tb[STATE_BITS_OOS] ? nla_get_u64(tb[STATE_BITS_OOS]) : 0;
	st->out_of_sync = oos_bits * BYTES_PER_BIT;
	st->changed_alone = changed_alone(tb[STATE_UUIDS]);
	st->writes_pending = tb[STATE_AP_PENDING] ? nla_get_u32(tb[STATE_AP_PENDING]) : 0;
	total = tb[STATE_BITS_RS_TOTAL] ? nla_get_u64(tb[STATE_BITS_RS_TOTAL]) : 0;
	st->resync_percent = -1;
	if (total > 0 && st->conn >= DRBD_SYNC_SOURCE && st->conn <= DRBD_PAUSED_SYNC_T)
		st->resync_percent = oos_bits >= total ? 0 : (int)((total - oos_bits) * 100 / total);
}

/* "" when the attribute is missing or not terminated within its length. */
static void copy_string(const struct nlattr *a, char *out, size_t size)
{
	out[0] = 0;
	if (a && nla_len(a) > 0)
		snprintf(out, size, "%.*s", nla_len(a), (const char *)nla_data(a));
}

static void decode_context(const struct nlattr *context, struct drbd_status *st)
{
	struct nlattr *tb[CONTEXT_MAX + 1];

	if (nla_parse_nested(tb, CONTEXT_MAX, (struct nlattr *)(uintptr_t)context, NULL) < 0)
		return;
	copy_string(tb[CONTEXT_RESOURCE], st->resource, sizeof(st->resource));
	if (tb[CONTEXT_VOLUME])
		st->volume = nla_get_u32(tb[CONTEXT_VOLUME]);
}

/* Of the disk's options, so told only of a disk that is attached. */
static void decode_disk(const struct nlattr *disk, struct drbd_status *st)
{
	struct nlattr *tb[DISK_MAX + 1];
	uint32_t policy;

	if (nla_parse_nested(tb, DISK_MAX, (struct nlattr *)(uintptr_t)disk, NULL) < 0 ||
	    !tb[DISK_FENCING])
		return;
	policy = nla_get_u32(tb[DISK_FENCING]); /* 0 dont-care, 1 resource-only, 2 resource-and-stonith */
	if (policy <= 2)
		st->fencing = DRBD_FENCING_DONT_CARE + policy;
}

/* A reply to any command: the code, the kernel's words, and the state if told. */
static void on_reply(struct nlmsghdr *nlh, void *arg)
{
	struct query *q = arg;
	struct nlattr *tb[NLA_TOP_MAX + 1], *text[REPLY_INFO_TEXT + 1];
	struct drbd_status st = { .api = 8, .open = -1 };
	struct drbd_header dh;
	int header = GENL_HDRLEN + (int)sizeof(dh);

	if (nlmsg_datalen(nlh) < header || nlmsg_parse(nlh, header, tb, NLA_TOP_MAX, NULL) < 0)
		return;
	memcpy(&dh, (const char *)nlmsg_data(nlh) + GENL_HDRLEN, sizeof(dh));
	if (!q->resource)
		q->code = dh.code;
	if (tb[NLA_CFG_REPLY] && nla_parse_nested(text, REPLY_INFO_TEXT, tb[NLA_CFG_REPLY], NULL) >= 0)
		copy_string(text[REPLY_INFO_TEXT], q->text, sizeof(q->text));
	if (!q->status || q->found || !tb[NLA_STATE_INFO] || dh.minor == UINT32_MAX)
		return;
	st.minor = dh.minor;
	if (tb[NLA_CFG_CONTEXT])
		decode_context(tb[NLA_CFG_CONTEXT], &st);
	if (tb[NLA_DISK_CONF])
		decode_disk(tb[NLA_DISK_CONF], &st);
	decode_state(tb[NLA_STATE_INFO], &st);
	if (q->resource ? strcmp(st.resource, q->resource) != 0 : st.minor != q->minor)
		return;
	*q->status = st;
	q->found = true;
}

static int command(struct nl_sock *sock, const struct family *f, unsigned char cmd, int flags,
		   bool force, unsigned timeout_ms, struct query *q)
{
	AUTO_NL_MSG struct nl_msg *msg = nlmsg_alloc_simple(f->id, flags);
	struct genlmsghdr genl = { .cmd = cmd, .version = 1 };
	struct drbd_header dh = { .minor = q->minor };
	struct nlattr *nest;

	if (!msg || nlmsg_append(msg, &genl, sizeof(genl), NLMSG_ALIGNTO) < 0 ||
	    nlmsg_append(msg, &dh, sizeof(dh), NLMSG_ALIGNTO) < 0)
		return -ENOMEM;
	if (force) {
		nest = nla_nest_start(msg, NLA_SET_ROLE_PARMS);
		if (!nest || nla_put_u8(msg, ROLE_ASSUME_UPTODATE, 1) < 0)
			return -ENOMEM;
		nla_nest_end(msg, nest);
	}
	return net_sock_request(sock, msg, timeout_ms, on_reply, q);
}

static int query_8(struct nl_sock *sock, const struct family *f, struct query *q, const char *where,
		   struct err *e)
{
	int ret = -EINTR;

	for (int i = 0; i < 5 && ret == -EINTR; i++) {
		q->found = false;
		q->code = NO_ERROR;
		ret = command(sock, f, CMD_GET_STATUS, q->resource ? NLM_F_DUMP : 0, false,
			      NET_SOCK_TIMEOUT_MS, q);
	}
	if (ret == -ETIMEDOUT)
		return err_set(e, ERR_TIMEOUT, ETIMEDOUT, where, "DRBD did not answer within %d ms",
			       NET_SOCK_TIMEOUT_MS);
	if (ret)
		return err_set(e, ERR_SYSTEM, -ret, where, "cannot ask DRBD for its state");
	ret = drbd_code_judge(q->code, where, q->text, e);
	if (!ret && !q->found) {
		err_set(e, ERR_REFUSED, ENODEV, where, "DRBD has no such device");
		err_remedy(e, "bring the resource up: drbdadm up");
		ret = -ENODEV;
	}
	return ret;
}

static int query(struct query *q, const char *where, struct err *e)
{
	AUTO_NL_SOCK struct nl_sock *sock = net_sock_open(NETLINK_GENERIC, where, e);
	struct family f;
	int ret;

	if (!sock)
		return -EIO;
	ret = find_family(sock, &f, where, e);
	if (ret)
		return ret;
	return f.version == 1 ? query_8(sock, &f, q, where, e) :
				drbd_setup_query(q->minor, q->resource, q->status, e);
}

int drbd_query(unsigned minor, struct drbd_status *status, struct err *e)
{
	struct query q = { .minor = minor, .status = status };
	char where[ERR_WHERE_MAX];

	snprintf(where, sizeof(where), "drbd minor %u", minor);
	return query(&q, where, e);
}

int drbd_query_resource(const char *resource, struct drbd_status *status, struct err *e)
{
	struct query q = { .minor = UINT32_MAX, .resource = resource, .status = status };
	char where[ERR_WHERE_MAX];

	snprintf(where, sizeof(where), "drbd resource %.64s", resource);
	return query(&q, where, e);
}

enum verb { VERB_PRIMARY, VERB_PRIMARY_FORCE, VERB_SECONDARY, VERB_OUTDATE, VERB_RESUME_IO };

static const struct {
	unsigned char cmd;
	const char *setup;  /* drbdsetup's word */
	const char *option; /* and its option */
	bool of_resource;   /* drbdsetup wants the resource, not the minor */
	const char *where;
} VERBS[] = {
	[VERB_PRIMARY] = { CMD_PRIMARY, "primary", NULL, true, "to Primary" },
	[VERB_PRIMARY_FORCE] = { CMD_PRIMARY, "primary", "--force", true, "to Primary" },
	[VERB_SECONDARY] = { CMD_SECONDARY, "secondary", NULL, true, "to Secondary" },
	[VERB_OUTDATE] = { CMD_OUTDATE, "outdate", NULL, false, "to Outdated" },
	[VERB_RESUME_IO] = { CMD_RESUME_IO, "resume-io", NULL, false, "to resume I/O" },
};

struct change {
	unsigned minor;
	enum verb verb;
	unsigned timeout_ms;
	struct heard heard; /* by the thread that wants it */
};

static int change_8(struct nl_sock *sock, const struct family *f, const struct change *c,
		    const char *where, struct err *e)
{
	struct query q = { .minor = c->minor };
	int ret = command(sock, f, VERBS[c->verb].cmd, 0, c->verb == VERB_PRIMARY_FORCE, c->timeout_ms, &q);

	if (ret == -ETIMEDOUT || (ret == 0 && q.code == 0))
		return -ETIMEDOUT;
	if (ret) {
		err_set(e, ERR_SYSTEM, -ret, where, "cannot send the request to DRBD");
		if (ret == -EPERM)
			err_remedy(e, "run as root, or with CAP_NET_ADMIN");
		return ret;
	}
	return drbd_code_judge(q.code, where, q.text, e);
}

static int change_9(const struct change *c, const char *where, struct err *e)
{
	struct drbd_status st;
	char object[DRBD_NAME_MAX];
	int ret;

	snprintf(object, sizeof(object), "%u", c->minor);
	if (VERBS[c->verb].of_resource) {
		ret = drbd_setup_query(c->minor, NULL, &st, e);
		if (ret)
			return ret;
		memcpy(object, st.resource, sizeof(object));
	}
	return drbd_setup_change(VERBS[c->verb].setup, object, VERBS[c->verb].option, c->timeout_ms, where, e);
}

static void change_where(const struct change *c, char *buf, size_t size)
{
	snprintf(buf, size, "drbd minor %u %s", c->minor, VERBS[c->verb].where);
}

/* In a thread of its own: the kernel blocks it until the change is complete. */
static int change_thread(const void *arg, struct err *e)
{
	const struct change *c = arg;
	char where[ERR_WHERE_MAX];
	struct family f;
	int ret;

	heard = c->heard;
	change_where(c, where, sizeof(where));
	AUTO_NL_SOCK struct nl_sock *sock = net_sock_open(NETLINK_GENERIC, where, e);
	if (!sock)
		return -EIO;
	ret = find_family(sock, &f, where, e);
	if (ret)
		return ret;
	return f.version == 1 ? change_8(sock, &f, c, where, e) : change_9(c, where, e);
}

static int change(const struct change *c, struct err *e)
{
	char where[ERR_WHERE_MAX];
	int ret = net_bounded_run(change_thread, c, sizeof(*c), c->timeout_ms, e);

	if (ret != -ETIMEDOUT)
		return ret;
	change_where(c, where, sizeof(where));
	err_set(e, ERR_TIMEOUT, ETIMEDOUT, where,
		"DRBD did not answer within %u ms; it may be done yet", c->timeout_ms);
	err_remedy(e, "look at DRBD's state before doing anything else");
	return ret;
}

int drbd_primary(unsigned minor, bool force, unsigned timeout_ms, struct err *e)
{
	const struct change c = { minor, force ? VERB_PRIMARY_FORCE : VERB_PRIMARY, timeout_ms, heard };

	return change(&c, e);
}

int drbd_secondary(unsigned minor, unsigned timeout_ms, struct err *e)
{
	const struct change c = { minor, VERB_SECONDARY, timeout_ms, heard };

	return change(&c, e);
}

int drbd_outdate(unsigned minor, unsigned timeout_ms, struct err *e)
{
	const struct change c = { minor, VERB_OUTDATE, timeout_ms, heard };
	struct drbd_status st;
	char where[ERR_WHERE_MAX];
	int ret = change(&c, e), seen;

	/* A connected node says yes and stays UpToDate; a Primary, that it has no good disk. */
	if (ret != 0 && ret != -ENODATA)
		return ret;
	seen = drbd_query(minor, &st, ret ? NULL : e);
	if (seen < 0)
		return seen; /* it may be Primary */
	change_where(&c, where, sizeof(where));
	if (st.role == DRBD_PRIMARY) {
		err_set(e, ERR_REFUSED, EBUSY, where, "%s is Primary here", st.resource);
		err_remedy(e, "only a Secondary's disk can be outdated");
		return -EBUSY;
	}
	if (ret || st.disk <= DRBD_OUTDATED)
		return ret;
	err_set(e, ERR_REFUSED, EISCONN, where, "its disk is %s still (%s)", drbd_disk_name(st.disk),
		drbd_conn_name(st.conn));
	err_remedy(e, "try again when DRBD has lost its peer");
	return -EISCONN;
}

int drbd_resume_io(unsigned minor, unsigned timeout_ms, struct err *e)
{
	const struct change c = { minor, VERB_RESUME_IO, timeout_ms, heard };

	return change(&c, e);
}
