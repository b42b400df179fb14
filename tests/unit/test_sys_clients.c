/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Client records: sets, hostile names, the database, the replica and what a
 * crash or a bad disk leaves of it. In temporary directories. */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients.h"
#include "clients_text.h"
#include "clients_tree.h"

#define A "10.1.1.1-(5:alpha)"
#define B "10.1.1.2-(4:beta)"
#define C "fd77:1::3-(5:gamma)"

static char top[64];

static void make_top(void)
{
	strcpy(top, "/tmp/nasd-test-clients-XXXXXX");
	ck_assert(mkdtemp(top));
}

static void remove_top(void)
{
	clients_tree_clear(top, NULL);
	rmdir(top);
}

static struct client_entry record(const char *text)
{
	struct client_entry e = {.kind = CLIENT_RECORD};

	snprintf(e.text, sizeof(e.text), "%s", text);
	return e;
}

static struct client_entry connection(const char *text)
{
	struct client_entry e = record(text);

	e.kind = CLIENT_CONNECTION;
	return e;
}

static struct msg_clients msg(enum clients_op op, struct client_entry e)
{
	struct msg_clients m = {.op = op};
	size_t len = 0;

	if (e.text[0])
		ck_assert(clients_text_add(m.text, sizeof(m.text), &len, e.kind, e.text));
	return m;
}

/* A valid record of that many bytes in all. */
static struct client_entry long_record(size_t total)
{
	struct client_entry e = {.kind = CLIENT_RECORD};
	size_t digits = total > 1016 ? 4 : 3, owner = total - strlen("10.1.1.1-(:)") - digits;
	size_t at = (size_t)snprintf(e.text, sizeof(e.text), "10.1.1.1-(%zu:", owner);

	for (size_t i = 0; i < owner; i++)
		e.text[at++] = (char)('a' + i % 26);
	e.text[at++] = ')';
	e.text[at] = '\0';
	ck_assert_uint_eq(at, total);
	return e;
}

/* ---- sets */

struct trace {
	char text[256];
	int stop_after;
};

static int note(enum clients_op op, const struct client_entry *e, void *data)
{
	struct trace *t = data;
	size_t n = strlen(t->text);

	snprintf(t->text + n, sizeof(t->text) - n, "%c%.8s ", op == CLIENTS_ADD ? '+' : '-', e->text);
	return --t->stop_after == 0 ? -EINTR : 0;
}

START_TEST(diff)
{
	struct client_set old = {0}, now = {0};
	struct client_entry a = record(A), b = record(B), c = record(C);
	struct trace t = {0};

	ck_assert(!client_set_add(&old, &b) && !client_set_add(&old, &a) && !client_set_add(&old, &a));
	ck_assert_uint_eq(old.n, 2);
	ck_assert_str_eq(old.entries[0]->text, A);
	ck_assert(!client_set_add(&now, &b) && !client_set_add(&now, &c));
	ck_assert_int_eq(clients_diff(&old, &now, note, &t), 0);
	ck_assert_str_eq(t.text, "-10.1.1.1 +fd77:1:: ");
	t = (struct trace){.stop_after = 1};
	ck_assert_int_eq(clients_diff(&old, &now, note, &t), -EINTR);
	ck_assert_str_eq(t.text, "-10.1.1.1 ");
	t = (struct trace){0};
	ck_assert_int_eq(clients_diff(&now, &now, note, &t), 0);
	ck_assert_str_eq(t.text, "");
	ck_assert(!client_set_del(&old, &c) && !client_set_del(&old, &a) && old.n == 1);
	/* the same text as another kind is another entry */
	b.kind = CLIENT_CONNECTION;
	ck_assert(!client_set_has(&old, b.kind, b.text));
	client_set_free(&old);
	client_set_free(&now);
}
END_TEST

START_TEST(set_is_bounded)
{
	struct client_set s = {0};
	char text[64];

	for (int i = 0; i <= CLIENTS_MAX; i++) {
		snprintf(text, sizeof(text), "10.1.%d.%d-(1:x)", i / 250, i % 250);
		struct client_entry e = record(text);

		ck_assert_int_eq(client_set_add(&s, &e), i < CLIENTS_MAX ? 0 : -E2BIG);
	}
	client_set_free(&s);
}
END_TEST

/* ---- names */

START_TEST(names)
{
	static const char *const good[] = {A, B, C, "::ffff:10.1.1.1-(1:x)", "1.2.3.4-(6:a (b) )",
					   "1.2.3.4-(2:..)", "1.2.3.4-(16:0x00ff/no slash)"};
	static const char *const bad[] = {
		"", ".", "..", "x", "../../etc-(1:x)", "/10.1.1.1-(1:x)", "10.1.1.1-(3:a/b)",
		"10.1.1.1", "10.1.1.1-", "10.1.1.1-(", "10.1.1.1-(1", "10.1.1.1-(1:", "10.1.1.1-(1:x",
		"10.1.1.1-(2:x)", "10.1.1.1-(0:x)", "10.1.1.1-(:x)", "10.1.1.1-(-1:x)",
		"10.1.1.1-(00001:x)", "10.1.1.1-(1:x)y", "10.1.1.1-(1:x) ", "10.1.1.1-(2:\t\t)",
		"10.1.1.1-(1:\n)", "10.1.1.1-(1:\x7f)", "10.1.1.1-(1:\xff)", "(unknown)-(1:x)",
		"host-(1:x)", "-(1:x)", "1-(1:x)", "10.1.1.1-(0:)",
		"10.1.1.1 10.1.1.1 10.1.1.1 10.1.1.1 10.1.1.1 10.1.1.1-(1:x)",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111-(1:x)",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct client_entry e = record(good[i]);
		bool slash = strchr(good[i], '/');

		ck_assert_msg((client_entry_check(&e, NULL) == 0) == !slash, "%s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct client_entry e = record(bad[i]);
		struct err err = {0};

		ck_assert_msg(client_entry_check(&e, &err) < 0, "accepted \"%s\"", bad[i]);
		ck_assert_int_eq(err.cls, ERR_INPUT);
	}
	struct client_entry e;

	memset(&e, 'x', sizeof(e));
	e.kind = CLIENT_RECORD;
	ck_assert(client_entry_check(&e, NULL) < 0);
	e = record(A);
	memset(&e.kind, 0x7f, sizeof(e.kind));
	ck_assert(client_entry_check(&e, NULL) < 0);
}
END_TEST

START_TEST(connections)
{
	static const char *const good[] = {"10.1.1.1 700 10.1.1.100 2049",
					   "fd77:1::3 65535 fd77:1::100 2049"};
	static const char *const bad[] = {
		"", "10.1.1.1", "10.1.1.1 700 10.1.1.100", "10.1.1.1 700 10.1.1.100 ",
		"10.1.1.1 700 10.1.1.100 0", "10.1.1.1 65536 10.1.1.100 1", "10.1.1.1 -1 10.1.1.100 1",
		"10.1.1.1 7x 10.1.1.100 1", "10.1.1 700 10.1.1.100 1", "10.1.1.1  700 10.1.1.100 1",
		"10.1.1.1 700 10.1.1.100 2049 5", " 10.1.1.1 700 10.1.1.100 2049",
		"10.1.1.1 700 10.1.1.100 2049\n", "10.1.1.1 00000700 10.1.1.100 2049",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct client_entry e = connection(good[i]);

		ck_assert_msg(client_entry_check(&e, NULL) == 0, "%s", good[i]);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct client_entry e = connection(bad[i]);

		ck_assert_msg(client_entry_check(&e, NULL) < 0, "accepted \"%s\"", bad[i]);
	}
}
END_TEST

/* ---- ganesha's database */

START_TEST(tree_round_trip)
{
	static const size_t lengths[] = {254, 255, 256, 509, 510, 511, 1020, CLIENT_ENTRY_MAX - 1};
	struct client_set set = {0}, back = {0};
	struct client_entry a = record(A);
	char path[128], cmd[300];
	struct stat st;

	client_set_add(&set, &a);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		struct client_entry e = long_record(lengths[i]);

		ck_assert_msg(client_entry_check(&e, NULL) == 0, "%zu", lengths[i]);
		client_set_add(&set, &e);
	}
	snprintf(path, sizeof(path), "%s/tree", top);
	ck_assert_int_eq(clients_tree_read(path, -1, &back, NULL), 0); /* not there: empty */
	ck_assert_uint_eq(back.n, 0);
	ck_assert_int_eq(clients_tree_write(path, &set, NULL), 0);
	ck_assert_int_eq(clients_tree_write(path, &set, NULL), 0);
	ck_assert_int_eq(clients_tree_sync(path, &set, NULL), 0);
	ck_assert_int_eq(clients_tree_sync("/nowhere", &set, NULL), 0);
	ck_assert_int_lt(clients_tree_sync("/dev/null", &set, NULL), 0);
	/* what does not belong there: torn names, files, links out of the tree */
	snprintf(cmd, sizeof(cmd),
		 "cd %s && mkdir '10.1.1.9-(90:torn' junk && touch file '10.1.1.8-(1:f)' && "
		 "ln -s / '10.1.1.7-(1:l)' && touch '%s/\001handle'", path, A);
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_int_eq(clients_tree_read(path, -1, &back, NULL), 0);
	ck_assert_uint_eq(back.n, set.n);
	for (size_t i = 0; i < set.n; i++)
		ck_assert_str_eq(back.entries[i]->text, set.entries[i]->text);
	ck_assert_int_eq(clients_tree_clear(path, NULL), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_nlink, 2);
	ck_assert_int_eq(access("/etc/passwd", F_OK), 0);
	client_set_free(&set);
	client_set_free(&back);
}
END_TEST

static bool readable(const struct clients_watch *w)
{
	struct pollfd p = {.fd = clients_watch_fd(w), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static void db_mkdir(const char *name, const char *sub)
{
	char path[PATH_MAX], dir[256];

	ck_assert_int_eq(clients_db_path(top, "g", CLIENTS_DB_RECOV, dir, sizeof(dir), NULL), 0);
	snprintf(path, sizeof(path), "%s/%s%s%s", dir, name, *sub ? "/" : "", sub);
	ck_assert_msg(mkdir(path, 0700) == 0, "%s", path);
}

START_TEST(watch)
{
	struct clients_watch *w = NULL;
	struct client_set set = {0};
	struct client_entry l = long_record(300);
	char first[256];

	ck_assert_int_eq(clients_watch_new(top, "g", &w, NULL), 0);
	ck_assert(!readable(w));
	db_mkdir(A, "");
	ck_assert(readable(w));
	ck_assert_int_eq(clients_watch_scan(w, &set, NULL), 0);
	ck_assert(!readable(w));
	ck_assert_uint_eq(set.n, 1);
	/* a long name comes in pieces; the second one in a directory that is new */
	memcpy(first, l.text, 255);
	first[255] = '\0';
	db_mkdir(first, "");
	ck_assert_int_eq(clients_watch_scan(w, &set, NULL), 0);
	ck_assert_uint_eq(set.n, 1);
	db_mkdir(first, l.text + 255);
	ck_assert(readable(w));
	ck_assert_int_eq(clients_watch_scan(w, &set, NULL), 0);
	ck_assert_uint_eq(set.n, 2);
	/* what the standby installs shows as well */
	client_set_clear(&set);
	client_set_add(&set, &l);
	ck_assert_int_eq(clients_install(top, "g", &set, NULL), 0);
	ck_assert(readable(w));
	ck_assert_int_eq(clients_watch_scan(w, &set, NULL), 0);
	ck_assert_uint_eq(set.n, 1);
	ck_assert_str_eq(set.entries[0]->text, l.text);
	clients_watch_free(w);
	client_set_free(&set);
}
END_TEST

START_TEST(install_replaces)
{
	struct client_set set = {0}, back = {0};
	struct client_entry a = record(A), b = record(B), x = connection("10.1.1.1 7 10.1.1.2 9");
	struct client_entry evil = record("../../../../tmp/x");
	char path[PATH_MAX];

	ck_assert_int_eq(clients_db_path(top, "g", CLIENTS_DB_TAKEOVER, path, sizeof(path), NULL), 0);
	client_set_add(&set, &a);
	client_set_add(&set, &x);
	ck_assert_int_eq(clients_install(top, "g", &set, NULL), 0);
	client_set_del(&set, &a);
	client_set_add(&set, &b);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(clients_install(top, "g", &set, NULL), 0);
	ck_assert_int_eq(clients_tree_read(path, -1, &back, NULL), 0);
	ck_assert_uint_eq(back.n, 1);
	ck_assert_str_eq(back.entries[0]->text, B);
	client_set_add(&set, &evil);
	ck_assert_int_lt(clients_install(top, "g", &set, NULL), 0);
	client_set_clear(&set);
	ck_assert_int_eq(clients_install(top, "g", &set, NULL), 0);
	ck_assert_int_eq(clients_read_database(top, "g", &back, NULL), 0);
	ck_assert_uint_eq(back.n, 0);
	client_set_free(&set);
	client_set_free(&back);
}
END_TEST

/* ---- the replica */

static struct clients_replica *open_replica(void)
{
	struct clients_replica *r = NULL;
	struct err e = {0};

	ck_assert_msg(clients_replica_open(top, "g", &r, &e) == 0, "%s", e.msg);
	return r;
}

static void apply(struct clients_replica *r, enum clients_op op, struct client_entry e)
{
	struct msg_clients m = msg(op, e);
	struct err err = {0};

	ck_assert_msg(clients_replica_apply(r, &m, &err) == 0 && clients_replica_commit(r, &err) == 0, "%s", err.msg);
}

static struct clients_replica *reopen(struct clients_replica *r, size_t expected)
{
	clients_replica_close(r);
	r = open_replica();
	ck_assert_uint_eq(clients_replica_set(r)->n, expected);
	return r;
}

START_TEST(replica)
{
	struct clients_replica *r = open_replica();
	struct client_entry none = {0}, l = long_record(CLIENT_ENTRY_MAX - 1);

	apply(r, CLIENTS_ADD, record(A));
	apply(r, CLIENTS_ADD, record(A));
	apply(r, CLIENTS_ADD, l);
	apply(r, CLIENTS_ADD, connection("10.1.1.1 700 10.1.1.100 2049"));
	r = reopen(r, 3);
	apply(r, CLIENTS_DEL, record(A));
	apply(r, CLIENTS_DEL, record(B));
	r = reopen(r, 2);
	/* a FULL takes effect at its end, or not at all */
	apply(r, CLIENTS_FULL_BEGIN, none);
	apply(r, CLIENTS_ADD, record(B));
	ck_assert_uint_eq(clients_replica_set(r)->n, 2);
	r = reopen(r, 2);
	apply(r, CLIENTS_FULL_BEGIN, none);
	apply(r, CLIENTS_ADD, record(A));
	apply(r, CLIENTS_FULL_BEGIN, none); /* the sender began anew */
	apply(r, CLIENTS_ADD, record(B));
	apply(r, CLIENTS_ADD, record(C));
	apply(r, CLIENTS_DEL, record(C));
	apply(r, CLIENTS_FULL_END, none);
	r = reopen(r, 1);
	ck_assert_str_eq(clients_replica_set(r)->entries[0]->text, B);
	apply(r, CLIENTS_FULL_BEGIN, none);
	apply(r, CLIENTS_FULL_END, none);
	r = reopen(r, 0);
	clients_replica_close(r);
}
END_TEST

/* A node that hands over keeps its own clients as the copy, and not the peer's of long ago. */
START_TEST(replica_takes_own)
{
	struct clients_replica *r = open_replica();
	struct client_set own = {0};
	struct err err = {0};

	apply(r, CLIENTS_ADD, record(A));
	apply(r, CLIENTS_ADD, connection("10.1.1.1 700 10.1.1.100 2049"));
	ck_assert_int_eq(client_set_put(&own, CLIENT_RECORD, B), 0);
	ck_assert_int_eq(client_set_put(&own, CLIENT_RECORD, C), 0);
	ck_assert_int_eq(clients_replica_take(r, &own, &err), 0);
	ck_assert(client_set_equal(clients_replica_set(r), &own, CLIENT_RECORD));
	ck_assert_int_eq(clients_replica_commit(r, &err), 0);
	client_set_free(&own);
	r = reopen(r, 2);
	apply(r, CLIENTS_DEL, record(C)); /* the new owner's word counts from here */
	r = reopen(r, 1);
	clients_replica_close(r);
}
END_TEST

START_TEST(replica_refuses)
{
	struct clients_replica *r = open_replica();
	struct msg_clients m = msg(CLIENTS_FULL_END, (struct client_entry){0});
	struct err e = {0};

	apply(r, CLIENTS_ADD, record(A));
	ck_assert_int_lt(clients_replica_apply(r, &m, &e), 0);
	ck_assert_int_eq(e.cls, ERR_INPUT);
	m = msg(CLIENTS_ADD, record("../x"));
	ck_assert_int_lt(clients_replica_apply(r, &m, &e), 0);
	m = msg(CLIENTS_DEL, record("end 1 00000000"));
	ck_assert_int_lt(clients_replica_apply(r, &m, &e), 0);
	m = msg(CLIENTS_ADD, record(B));
	memset(&m.op, 0x55, sizeof(m.op));
	ck_assert_int_lt(clients_replica_apply(r, &m, &e), 0);
	r = reopen(r, 1);
	clients_replica_close(r);
}
END_TEST

static void spoil(const char *shell)
{
	char cmd[300];

	snprintf(cmd, sizeof(cmd), "cd %s/g/replica && %s", top, shell);
	ck_assert_int_eq(system(cmd), 0);
}

START_TEST(replica_torn)
{
	struct clients_replica *r = open_replica();

	apply(r, CLIENTS_ADD, record(A));
	apply(r, CLIENTS_ADD, record(B));
	/* power cut while the next version was written beside it */
	spoil("head -c 30 records > records.new");
	r = reopen(r, 2);
	ck_assert_int_ne(access(top, F_OK), -1);
	spoil("test ! -e records.new");
	/* a damaged file: the clients it still names keep their right */
	spoil("sed -i '$d' records");
	r = reopen(r, 2);
	spoil("printf 'nasd-clients 1\\n" A "\\n10.1.1.2-(4:be' > records");
	r = reopen(r, 1);
	spoil("head -c 4096 /dev/urandom > records");
	r = reopen(r, 0);
	spoil(": > records");
	r = reopen(r, 0);
	apply(r, CLIENTS_ADD, record(C));
	r = reopen(r, 1);
	clients_replica_close(r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/clients");
	TCase *t = tcase_create("clients");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, make_top, remove_top);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, diff);
	tcase_add_test(t, set_is_bounded);
	tcase_add_test(t, names);
	tcase_add_test(t, connections);
	tcase_add_test(t, tree_round_trip);
	tcase_add_test(t, watch);
	tcase_add_test(t, install_replaces);
	tcase_add_test(t, replica);
	tcase_add_test(t, replica_takes_own);
	tcase_add_test(t, replica_refuses);
	tcase_add_test(t, replica_torn);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
