/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "drbd_code.h"

#include <errno.h>
#include <stddef.h>

struct meaning {
	int32_t code;
	int errnum;
	enum err_class cls;
	const char *msg;
	const char *remedy;
};

static const struct meaning MEANINGS[] = {
	{ -1, EALREADY, ERR_REFUSED, "the peer is Primary, and only one node may be",
	  "make the peer Secondary first (nasctl switchover does)" },
	{ -2, ENODATA, ERR_REFUSED, "this node has no up-to-date data",
	  "connect it to the peer and wait for the resync; forcing it may lose writes" },
	{ -6, EISCONN, ERR_REFUSED, "the disk of a connected node cannot be outdated",
	  "none is needed: DRBD keeps it up to date" },
	{ -7, EPERM, ERR_REFUSED, "the peer is neither connected nor known to be outdated or fenced",
	  "restore the replication link, or fence the peer" },
	{ -8, EAGAIN, ERR_REFUSED, "a resync is running", "wait until it is done" },
	{ -10, EPERM, ERR_REFUSED, "the peer refused the change",
	  "look at the peer's kernel log for the reason" },
	{ -11, ENODATA, ERR_REFUSED, "this node has no disk attached", "drbdadm attach" },
	{ -12, EBUSY, ERR_REFUSED, "the device is held open",
	  "unmount it and end the programs that use it" },
	{ -13, ENOTCONN, ERR_REFUSED, "the resource has no network configuration", "drbdadm adjust" },
	{ -15, ENOTCONN, ERR_REFUSED, "a connection to the peer is needed", "drbdadm connect" },
	{ -16, ENODATA, ERR_REFUSED, "this node's disk is worse than outdated already",
	  "connect it to the peer and wait for the resync" },
	{ -18, EAGAIN, ERR_REFUSED, "another state change is under way", "try again" },
	{ -19, EAGAIN, ERR_REFUSED, "both nodes changed their state at the same time", "try again" },
	{ -20, EALREADY, ERR_REFUSED, "the peer is Primary for another volume of the resource",
	  "make the peer Secondary for all volumes first" },
	{ -21, ENOTCONN, ERR_REFUSED, "the connection was lost on the way", "look at the connection" },
	{ 122, ENOMEM, ERR_SYSTEM, "the kernel has no memory", "" },
	{ 126, EPROTO, ERR_INTERNAL, "the kernel misses an attribute in the request",
	  "report this, with the version of DRBD" },
	{ 127, ENODEV, ERR_REFUSED, "DRBD has no device with this minor number",
	  "bring the resource up: drbdadm up" },
	{ 129, EINTR, ERR_TIMEOUT, "interrupted; the outcome is unknown", "query the state" },
	{ 152, EPERM, ERR_SYSTEM, "not permitted", "run as root, or with CAP_NET_ADMIN" },
	{ 158, ENODEV, ERR_REFUSED, "DRBD has no such resource", "bring it up: drbdadm up" },
	{ 162, EINVAL, ERR_INTERNAL, "DRBD calls the request invalid",
	  "report this, with the version of DRBD" },
};

int drbd_code_judge(int32_t code, const char *where, const char *text, struct err *e)
{
	const char *sep = text[0] ? ": " : "";

	if ((code > 0 && code < 100) || code == 101)
		return 0;
	for (size_t i = 0; i < sizeof(MEANINGS) / sizeof(MEANINGS[0]); i++) {
		const struct meaning *m = &MEANINGS[i];

		if (m->code != code)
			continue;
		err_set(e, m->cls, m->errnum, where, "%s%s%.200s", m->msg, sep, text);
		if (m->remedy[0])
			err_remedy(e, "%s", m->remedy);
		return -m->errnum;
	}
	err_set(e, ERR_REFUSED, EPERM, where, "DRBD refused with code %d%s%.200s", (int)code, sep, text);
	err_remedy(e, "look at the kernel log for the reason");
	return -EPERM;
}
