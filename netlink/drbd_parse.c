/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of "drbdsetup events2 --now --statistics" of DRBD 9 (drbdsetup(8)). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drbd_setup.h"

/* One line, not terminated. */
struct line {
	const char *p;
	size_t len;
};

/* The value of " key:value" in the line, copied to out; false when it is not there. */
static bool field(struct line l, const char *key, char *out, size_t size)
{
	size_t klen = strlen(key);

	for (size_t i = 0; i + klen + 1 < l.len; i++) {
		size_t from = i + klen + 2, n = 0;

		if (l.p[i] != ' ' || from > l.len || memcmp(l.p + i + 1, key, klen) != 0 ||
		    l.p[i + 1 + klen] != ':')
			continue;
		while (from + n < l.len && l.p[from + n] != ' ')
			n++;
		if (n >= size)
			return false;
		memcpy(out, l.p + from, n);
		out[n] = 0;
		return true;
	}
	return false;
}

static uint64_t number(struct line l, const char *key)
{
	char text[32];

	return field(l, key, text, sizeof(text)) ? strtoull(text, NULL, 10) : 0;
}

static bool is(struct line l, const char *object)
{
	char head[40];
	int n = snprintf(head, sizeof(head), "exists %s ", object);

	return l.len > (size_t)n && memcmp(l.p, head, (size_t)n) == 0;
}

static bool of(struct line l, const char *key, const char *value)
{
	char text[DRBD_NAME_MAX];

	return field(l, key, text, sizeof(text)) && strcmp(text, value) == 0;
}

static int by_name(const char *text, const char *(*name)(unsigned), unsigned count, int none)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(text, name(i)) == 0)
			return (int)i;
	return none;
}

static const char *role_at(unsigned i)
{
	return drbd_role_name(i);
}

static const char *conn_at(unsigned i)
{
	return i == DRBD_CONNECTING ? "Connecting" : drbd_conn_name(i);
}

static const char *disk_at(unsigned i)
{
	return drbd_disk_name(i);
}

static enum drbd_role role_in(struct line l)
{
	char text[32] = "";

	field(l, "role", text, sizeof(text));
	return (enum drbd_role)by_name(text, role_at, DRBD_SECONDARY + 1, DRBD_ROLE_UNKNOWN);
}

static enum drbd_disk disk_in(struct line l, const char *key)
{
	char text[32] = "";

	field(l, key, text, sizeof(text));
	return (enum drbd_disk)by_name(text, disk_at, DRBD_UPTODATE + 1, DRBD_DISK_UNKNOWN);
}

/* "replication:Established" is 8.4's Connected; "Off" says nothing. */
static enum drbd_conn conn_in(struct line l, const char *key, enum drbd_conn none)
{
	char text[32] = "";

	field(l, key, text, sizeof(text));
	if (strcmp(text, "Established") == 0)
		return DRBD_CONNECTED;
	return (enum drbd_conn)by_name(text, conn_at, DRBD_BEHIND + 1, (int)none);
}

static void on_resource(struct line l, struct drbd_status *st)
{
	char text[48] = "";

	st->role = role_in(l);
	field(l, "suspended", text, sizeof(text)); /* "no", or a list such as "user,fencing" */
	st->suspended_user = strstr(text, "user");
	st->suspended_nodata = strstr(text, "no-data") || strstr(text, "quorum");
	st->suspended_fencing = strstr(text, "fencing");
}

static void on_device(struct line l, struct drbd_status *st)
{
	char text[8];

	st->disk = disk_in(l, "disk");
	st->volume = (unsigned)number(l, "volume");
	st->minor = (unsigned)number(l, "minor");
	st->size = number(l, "size") * 1024;
	st->writes_pending = (uint32_t)number(l, "upper-pending");
	st->open = field(l, "open", text, sizeof(text)) ? strcmp(text, "yes") == 0 : -1;
}

/* With several peers: a Primary one, the least connected one, the worst disk. */
static void on_connection(struct line l, struct drbd_status *st, bool first)
{
	enum drbd_conn conn = conn_in(l, "connection", DRBD_STANDALONE);
	enum drbd_role role = role_in(l);

	if (first || conn < st->conn)
		st->conn = conn;
	if (first || role == DRBD_PRIMARY)
		st->peer_role = role;
}

static void on_peer_device(struct line l, struct drbd_status *st, bool first)
{
	enum drbd_disk disk = disk_in(l, "peer-disk");
	enum drbd_conn repl = conn_in(l, "replication", DRBD_STANDALONE);
	uint64_t oos = number(l, "out-of-sync") * 1024;
	char done[16];

	if (first || disk < st->peer_disk)
		st->peer_disk = disk;
	if (oos > st->out_of_sync)
		st->out_of_sync = oos;
	if (st->conn == DRBD_CONNECTED && repl > DRBD_CONNECTED)
		st->conn = repl;
	if (repl >= DRBD_SYNC_SOURCE && repl <= DRBD_PAUSED_SYNC_T)
		st->resync_percent = field(l, "done", done, sizeof(done)) ? atoi(done) : 0;
}

static bool next_line(const char **p, const char *end, struct line *l)
{
	const char *nl;

	if (*p >= end)
		return false;
	nl = memchr(*p, '\n', (size_t)(end - *p));
	*l = (struct line){ *p, (size_t)((nl ? nl : end) - *p) };
	*p = nl ? nl + 1 : end;
	return true;
}

/* The device sought: names its resource and volume. */
static bool find_device(const char *text, const char *end, unsigned minor, const char *resource,
			struct drbd_status *st)
{
	struct line l;

	while (next_line(&text, end, &l)) {
		if (!is(l, "device") || !field(l, "name", st->resource, sizeof(st->resource)))
			continue;
		if (resource ? strcmp(st->resource, resource) == 0 : number(l, "minor") == minor) {
			on_device(l, st);
			return true;
		}
	}
	return false;
}

int drbd_setup_parse(const char *text, size_t len, unsigned minor, const char *resource,
		     struct drbd_status *status, struct err *e)
{
	struct drbd_status st = { .api = 9, .open = -1, .resync_percent = -1,
				  .peer_disk = DRBD_DISK_UNKNOWN };
	const char *end = text + len;
	unsigned connections = 0, peer_devices = 0;
	char volume[16];
	struct line l;

	if (!find_device(text, end, minor, resource, &st)) {
		err_set(e, ERR_REFUSED, ENODEV, "drbd", "DRBD has no such device");
		err_remedy(e, "bring the resource up: drbdadm up");
		return -ENODEV;
	}
	snprintf(volume, sizeof(volume), "%u", st.volume);
	while (next_line(&text, end, &l)) {
		if (!of(l, "name", st.resource))
			continue;
		if (is(l, "resource"))
			on_resource(l, &st);
		else if (is(l, "connection"))
			on_connection(l, &st, connections++ == 0);
		else if (is(l, "peer-device") && of(l, "volume", volume))
			on_peer_device(l, &st, peer_devices++ == 0);
	}
	*status = st;
	return 0;
}

enum drbd_fencing drbd_setup_fencing_parse(const char *text)
{
	enum drbd_fencing weakest = DRBD_FENCING_UNKNOWN;
	static const char KEY[] = "fencing";

	/* "            fencing             resource-and-stonith; # ..." */
	for (const char *p = text; (p = strstr(p, KEY)); ) {
		bool word = p > text && strchr(" \t\n", p[-1]);

		p += strlen(KEY);
		if (!word || !strchr(" \t", *p))
			continue;
		p += strspn(p, " \t");
		for (enum drbd_fencing f = DRBD_FENCING_DONT_CARE; f <= DRBD_FENCING_STONITH; f++)
			if (strcspn(p, "; \t\n") == strlen(drbd_fencing_name(f)) &&
			    !strncmp(p, drbd_fencing_name(f), strlen(drbd_fencing_name(f))) &&
			    (!weakest || f < weakest))
				weakest = f;
	}
	return weakest;
}
