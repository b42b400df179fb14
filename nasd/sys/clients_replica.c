/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standby's copy of the client records, in state_dir/<group>/replica:
 *
 *     records      "nasd-clients 1", one record a line, "end <count> <crc32>";
 *                  written as a whole beside it, synced and renamed
 *     connections  one a line; not synced
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cleanup.h"
#include "clients_text.h"
#include "clients_tree.h"
#include "log.h"

#define HEADER "nasd-clients 1"

enum { LINE_MAX_LEN = CLIENT_ENTRY_MAX + 64 };

struct clients_replica {
	char dir[PATH_MAX - 32];
	struct client_set set;     /* in force */
	struct client_set pending; /* of a FULL under way */
	bool full;
	bool unwritten[CLIENT_CONNECTION + 1]; /* by kind: the disk has an older set */
};

static const char *where = "client replica";

static const char *file_name(enum client_kind kind)
{
	return kind == CLIENT_RECORD ? "records" : "connections";
}

/* ---- writing */

static int put_lines(FILE *f, const struct client_set *set, enum client_kind kind)
{
	uLong crc = crc32(0, NULL, 0);
	unsigned n = 0;

	fprintf(f, "%s\n", HEADER);
	for (size_t i = 0; i < set->n; i++) {
		const char *t = set->entries[i]->text;

		if (set->entries[i]->kind != kind)
			continue;
		crc = crc32(crc, (const Bytef *)t, (uInt)strlen(t) + 1);
		fprintf(f, "%s\n", t);
		n++;
	}
	fprintf(f, "end %u %08lx\n", n, crc);
	return fflush(f) || ferror(f) ? -EIO : 0;
}

static int write_file(const struct clients_replica *r, const struct client_set *set,
		      enum client_kind kind, struct err *err)
{
	char tmp[PATH_MAX], final[PATH_MAX];
	int ret;
	FILE *f;

	snprintf(final, sizeof(final), "%s/%s", r->dir, file_name(kind));
	snprintf(tmp, sizeof(tmp), "%s/%s.new", r->dir, file_name(kind));
	f = fopen(tmp, "we");
	if (!f)
		return err_set(err, ERR_SYSTEM, errno, where, "cannot write %s", tmp);
	ret = put_lines(f, set, kind);
	if (ret == 0 && kind == CLIENT_RECORD && fsync(fileno(f)) < 0)
		ret = -errno;
	if (fclose(f) != 0 && ret == 0)
		ret = -errno;
	if (ret == 0 && rename(tmp, final) < 0)
		ret = -errno;
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, where, "cannot write %s", final);
	return kind == CLIENT_RECORD ? clients_sync_dir(r->dir, err) : 0;
}

/* ---- reading */

/* Takes the lines of f into the set; false when the file is not whole. What a
 * damaged file still says of a client is taken all the same: the line has been
 * true, and a client that is forgotten loses its locks. */
static bool get_lines(FILE *f, struct client_set *set, enum client_kind kind)
{
	struct client_entry e = {.kind = kind};
	char line[LINE_MAX_LEN], end[64];
	uLong crc = crc32(0, NULL, 0);
	unsigned n = 0;
	bool header = false, whole = false;

	while (fgets(line, sizeof(line), f)) {
		size_t len = strcspn(line, "\n");

		whole = false;
		line[len] = '\0';
		if (!header && !strcmp(line, HEADER)) {
			header = true;
			continue;
		}
		snprintf(end, sizeof(end), "end %u %08lx", n, crc);
		if (!strcmp(line, end)) {
			whole = header;
			continue;
		}
		if (len >= sizeof(e.text))
			continue;
		memcpy(e.text, line, len + 1);
		if (client_entry_check(&e, NULL) < 0 || client_set_add(set, &e) < 0)
			continue;
		crc = crc32(crc, (const Bytef *)e.text, (uInt)len + 1);
		n++;
	}
	return whole;
}

static int read_file(struct clients_replica *r, enum client_kind kind, struct err *err)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.new", r->dir, file_name(kind));
	unlink(path);
	snprintf(path, sizeof(path), "%s/%s", r->dir, file_name(kind));
	f = fopen(path, "re");
	if (!f && errno == ENOENT)
		return 0;
	if (!f)
		return err_set(err, ERR_SYSTEM, errno, where, "cannot open %s", path);
	r->unwritten[kind] = !get_lines(f, &r->set, kind);
	if (r->unwritten[kind] && kind == CLIENT_RECORD)
		log_err("client replica: %s is damaged; %zu records are left of it", path, r->set.n);
	fclose(f);
	return 0;
}

int clients_replica_open(const char *state_dir, const char *group, struct clients_replica **out,
			 struct err *err)
{
	struct clients_replica *r = calloc(1, sizeof(*r));
	int n, ret;

	if (!r)
		return err_set(err, ERR_SYSTEM, ENOMEM, where, "out of memory");
	n = snprintf(r->dir, sizeof(r->dir), "%s/%s/replica",
		     state_dir ? state_dir : CLIENTS_STATE_DIR, group);
	ret = n < 0 || (size_t)n >= sizeof(r->dir)
		      ? err_set(err, ERR_INPUT, ENAMETOOLONG, where, "the path is too long")
		      : clients_mkdirs(r->dir, err);
	if (ret == 0)
		ret = read_file(r, CLIENT_RECORD, err);
	if (ret == 0)
		ret = read_file(r, CLIENT_CONNECTION, err);
	if (ret < 0) {
		clients_replica_close(r);
		return ret;
	}
	*out = r;
	return 0;
}

void clients_replica_close(struct clients_replica *r)
{
	if (!r)
		return;
	client_set_free(&r->set);
	client_set_free(&r->pending);
	free(r);
}

/* ---- applying */

static int full_begin(struct clients_replica *r)
{
	client_set_clear(&r->pending);
	r->full = true;
	return 0;
}

static int full_end(struct clients_replica *r, struct err *err)
{
	struct client_set old = r->set;

	if (!r->full)
		return err_set(err, ERR_INPUT, EPROTO, where, "FULL_END without FULL_BEGIN");
	for (enum client_kind k = CLIENT_RECORD; k <= CLIENT_CONNECTION; k++)
		r->unwritten[k] = r->unwritten[k] || !client_set_equal(&r->set, &r->pending, k);
	r->set = r->pending;
	r->pending = old;
	client_set_clear(&r->pending);
	r->full = false;
	return 0;
}

/* Adds or deletes in what is in force, or in the pending set. */
static int one(struct clients_replica *r, enum clients_op op, const struct client_entry *e, struct err *err)
{
	struct client_set *set = r->full ? &r->pending : &r->set;
	bool add = op == CLIENTS_ADD;
	int ret = client_entry_check(e, err);

	if (ret < 0 || client_set_has(set, e->kind, e->text) == add)
		return ret;
	ret = add ? client_set_add(set, e) : client_set_del(set, e);
	if (ret < 0)
		return err_set(err, ret == -E2BIG ? ERR_INPUT : ERR_SYSTEM, -ret, where,
			       "cannot take one more client");
	if (!r->full)
		r->unwritten[e->kind] = true;
	return 0;
}

static int several(struct clients_replica *r, const struct msg_clients *m, struct err *err)
{
	const char *p = m->text;
	struct client_entry e;
	int ret;

	while ((ret = clients_text_next(&p, &e)) > 0) {
		ret = one(r, m->op, &e, err);
		if (ret < 0)
			return ret;
	}
	return ret < 0 ? err_set(err, ERR_INPUT, EPROTO, where, "a line is no entry") : 0;
}

int clients_replica_take(struct clients_replica *r, const struct client_set *set, struct err *err)
{
	full_begin(r);
	if (client_set_copy(&r->pending, set) < 0) {
		r->full = false;
		return err_set(err, ERR_SYSTEM, ENOMEM, where, "no memory");
	}
	return full_end(r, err);
}

int clients_replica_apply(struct clients_replica *r, const struct msg_clients *m, struct err *err)
{
	switch (m->op) {
	case CLIENTS_FULL_BEGIN: return full_begin(r);
	case CLIENTS_FULL_END: return full_end(r, err);
	case CLIENTS_ADD:
	case CLIENTS_DEL: return several(r, m, err);
	}
	return err_set(err, ERR_INPUT, EPROTO, where, "unknown operation %d", (int)m->op);
}

int clients_replica_commit(struct clients_replica *r, struct err *err)
{
	for (enum client_kind k = CLIENT_RECORD; k <= CLIENT_CONNECTION; k++) {
		int ret = r->unwritten[k] ? write_file(r, &r->set, k, err) : 0;

		if (ret < 0)
			return ret;
		r->unwritten[k] = false;
	}
	return 0;
}

const struct client_set *clients_replica_set(const struct clients_replica *r)
{
	return &r->set;
}
