/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the metadata client knows of its directory, and what it makes of answers. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dirmodel.h"

static struct dirmodel m;
static struct dirmodel_listing l;

static void done(enum dirmodel_verb verb, unsigned name, unsigned to)
{
	dirmodel_done(&m, &(struct dirmodel_op){ .verb = verb, .name = name, .to = to }, 10, 1000 + name);
}

static const char *differs(unsigned name, enum dirmodel_kind kind, uint64_t links, uint64_t size, uint64_t inode)
{
	return dirmodel_differs(&m, name, &(struct dirmodel_seen){ kind, links, size, inode });
}

START_TEST(names)
{
	char text[DIRMODEL_NAME_SIZE];
	const char *strange[] = { "", "n", "n0", "n000", "m00", "n0x", "nx0", "n48", "n99", ".nfs0001", "n-1" };

	for (unsigned n = 0; n < DIRMODEL_NAMES; n++) {
		dirmodel_name(n, text);
		ck_assert_uint_eq(dirmodel_number(text), n);
	}
	for (unsigned i = 0; i < sizeof(strange) / sizeof(strange[0]); i++)
		ck_assert_uint_eq(dirmodel_number(strange[i]), DIRMODEL_NAMES);
}
END_TEST

START_TEST(judgements)
{
	static const struct {
		enum dirmodel_verb verb;
		bool exists, absent; /* is EEXIST, is ENOENT a second execution? */
	} row[] = {
		{ DIRMODEL_CREATE, true, false },  { DIRMODEL_MKDIR, true, false },
		{ DIRMODEL_LINK, true, true },     { DIRMODEL_RENAME, false, true },
		{ DIRMODEL_UNLINK, false, true },  { DIRMODEL_RMDIR, false, true },
		{ DIRMODEL_STAT, false, true },    { DIRMODEL_LIST, false, false },
	};

	ck_assert_uint_eq(sizeof(row) / sizeof(row[0]), DIRMODEL_VERBS);
	for (unsigned i = 0; i < DIRMODEL_VERBS; i++) {
		ck_assert_int_eq(dirmodel_judge(row[i].verb, 0), DIRMODEL_DONE);
		ck_assert_int_eq(dirmodel_judge(row[i].verb, EIO), DIRMODEL_FAILED);
		ck_assert_int_eq(dirmodel_judge(row[i].verb, ESTALE), DIRMODEL_FAILED);
		ck_assert_int_eq(dirmodel_judge(row[i].verb, EEXIST),
				 row[i].exists ? DIRMODEL_REPLAYED : DIRMODEL_FAILED);
		ck_assert_int_eq(dirmodel_judge(row[i].verb, ENOENT),
				 row[i].absent ? DIRMODEL_REPLAYED : DIRMODEL_FAILED);
	}
}
END_TEST

START_TEST(links_and_renames)
{
	dirmodel_init(&m);
	ck_assert_ptr_null(differs(3, DIRMODEL_ABSENT, 0, 0, 0));
	ck_assert_str_eq(differs(3, DIRMODEL_FILE, 1, 0, 5), "present");
	done(DIRMODEL_CREATE, 3, 0);
	ck_assert_ptr_null(differs(3, DIRMODEL_FILE, 1, 10, 1003));
	ck_assert_str_eq(differs(3, DIRMODEL_ABSENT, 0, 0, 0), "absent");
	ck_assert_str_eq(differs(3, DIRMODEL_DIR, 2, 10, 1003), "kind");
	ck_assert_str_eq(differs(3, DIRMODEL_FILE, 1, 10, 1004), "inode");
	ck_assert_str_eq(differs(3, DIRMODEL_FILE, 2, 10, 1003), "links");
	ck_assert_str_eq(differs(3, DIRMODEL_FILE, 1, 11, 1003), "size");
	ck_assert_ptr_null(differs(3, DIRMODEL_UNKNOWN, 0, 0, 0)); /* not asked: not wrong */

	done(DIRMODEL_LINK, 3, 4);
	ck_assert_ptr_null(differs(3, DIRMODEL_FILE, 2, 10, 1003));
	ck_assert_ptr_null(differs(4, DIRMODEL_FILE, 2, 10, 1003));
	done(DIRMODEL_CREATE, 5, 0);
	done(DIRMODEL_RENAME, 5, 4); /* takes one of the two names away */
	ck_assert_ptr_null(differs(3, DIRMODEL_FILE, 1, 10, 1003));
	ck_assert_ptr_null(differs(4, DIRMODEL_FILE, 1, 10, 1005));
	ck_assert_ptr_null(differs(5, DIRMODEL_ABSENT, 0, 0, 0));
	done(DIRMODEL_RENAME, 4, 5); /* to a free name */
	ck_assert_ptr_null(differs(4, DIRMODEL_ABSENT, 0, 0, 0));
	ck_assert_ptr_null(differs(5, DIRMODEL_FILE, 1, 10, 1005));
	done(DIRMODEL_UNLINK, 3, 0);
	ck_assert_ptr_null(differs(3, DIRMODEL_ABSENT, 0, 0, 0));

	done(DIRMODEL_MKDIR, 7, 0);
	ck_assert_ptr_null(differs(7, DIRMODEL_DIR, 2, 4096, 1007)); /* its links and size are its own */
	done(DIRMODEL_RMDIR, 7, 0);
	ck_assert_ptr_null(differs(7, DIRMODEL_ABSENT, 0, 0, 0));
}
END_TEST

START_TEST(listings)
{
	dirmodel_init(&m);
	done(DIRMODEL_CREATE, 0, 0);
	done(DIRMODEL_CREATE, 1, 0);
	done(DIRMODEL_MKDIR, 47, 0);
	dirmodel_list_begin(&l);
	ck_assert_ptr_null(dirmodel_list_entry(&l, &m, "n00"));
	ck_assert_str_eq(dirmodel_list_entry(&l, &m, "n00"), "repeated");
	ck_assert_str_eq(dirmodel_list_entry(&l, &m, "n02"), "present");
	ck_assert_str_eq(dirmodel_list_entry(&l, &m, ".nfs01"), "foreign");
	ck_assert_uint_eq(dirmodel_list_missing(&l, &m, 0), 1);
	ck_assert_uint_eq(dirmodel_list_missing(&l, &m, 2), 47);
	ck_assert_ptr_null(dirmodel_list_entry(&l, &m, "n47"));
	ck_assert_ptr_null(dirmodel_list_entry(&l, &m, "n01"));
	ck_assert_uint_eq(dirmodel_list_missing(&l, &m, 0), DIRMODEL_NAMES);
	/* Of what could not be looked at nothing is claimed. */
	dirmodel_adopt(&m, 1, &(struct dirmodel_seen){ .kind = DIRMODEL_UNKNOWN });
	dirmodel_list_begin(&l);
	ck_assert_ptr_null(dirmodel_list_entry(&l, &m, "n00"));
	ck_assert_ptr_null(dirmodel_list_entry(&l, &m, "n47"));
	ck_assert_uint_eq(dirmodel_list_missing(&l, &m, 0), DIRMODEL_NAMES);
	ck_assert_ptr_null(dirmodel_list_entry(&l, &m, "n01"));
}
END_TEST

/* A rename that was executed twice: ENOENT, and then both names are looked at. */
START_TEST(adopting)
{
	dirmodel_init(&m);
	done(DIRMODEL_CREATE, 1, 0);
	done(DIRMODEL_LINK, 1, 2);
	dirmodel_adopt(&m, 1, &(struct dirmodel_seen){ .kind = DIRMODEL_ABSENT });
	dirmodel_adopt(&m, 3, &(struct dirmodel_seen){ DIRMODEL_FILE, 2, 10, 1001 });
	ck_assert_ptr_null(differs(1, DIRMODEL_ABSENT, 0, 0, 0));
	ck_assert_ptr_null(differs(2, DIRMODEL_FILE, 2, 10, 1001));
	ck_assert_ptr_null(differs(3, DIRMODEL_FILE, 2, 10, 1001));
	done(DIRMODEL_UNLINK, 2, 0);
	ck_assert_ptr_null(differs(3, DIRMODEL_FILE, 1, 10, 1001)); /* the same file it was */
	/* Seen for what it is, it is not wrong a second time. */
	ck_assert_str_eq(differs(3, DIRMODEL_FILE, 4, 9, 1001), "links");
	dirmodel_adopt(&m, 3, &(struct dirmodel_seen){ DIRMODEL_FILE, 4, 9, 1001 });
	ck_assert_ptr_null(differs(3, DIRMODEL_FILE, 4, 9, 1001));
	/* An inode that was not known is taken from the first look. */
	dirmodel_done(&m, &(struct dirmodel_op){ .verb = DIRMODEL_MKDIR, .name = 9 }, 0, 0);
	ck_assert_ptr_null(differs(9, DIRMODEL_DIR, 2, 0, 77));
	dirmodel_adopt(&m, 9, &(struct dirmodel_seen){ DIRMODEL_DIR, 2, 0, 77 });
	ck_assert_str_eq(differs(9, DIRMODEL_DIR, 2, 0, 78), "inode");
}
END_TEST

static bool is_possible(const struct dirmodel_op *op)
{
	enum dirmodel_kind kind = m.kind[op->name], to = m.kind[op->to];

	switch (op->verb) {
	case DIRMODEL_CREATE:
	case DIRMODEL_MKDIR:
		return kind == DIRMODEL_ABSENT;
	case DIRMODEL_LINK:
		return kind == DIRMODEL_FILE && to == DIRMODEL_ABSENT;
	case DIRMODEL_RENAME:
		if (kind == DIRMODEL_FILE && to == DIRMODEL_FILE)
			return m.object[op->name] != m.object[op->to];
		return (kind == DIRMODEL_FILE || kind == DIRMODEL_DIR) && to == DIRMODEL_ABSENT;
	case DIRMODEL_UNLINK:
		return kind == DIRMODEL_FILE;
	case DIRMODEL_RMDIR:
		return kind == DIRMODEL_DIR;
	case DIRMODEL_STAT:
		return kind == DIRMODEL_FILE || kind == DIRMODEL_DIR;
	case DIRMODEL_LIST:
		return true;
	case DIRMODEL_VERBS:
		break;
	}
	return false;
}

/* Names that mean an object are as many as it has links, always. */
static void check_links(void)
{
	unsigned count[DIRMODEL_NAMES] = { 0 };

	for (unsigned n = 0; n < DIRMODEL_NAMES; n++)
		if (m.kind[n] != DIRMODEL_ABSENT)
			count[m.object[n]]++;
	for (unsigned i = 0; i < DIRMODEL_NAMES; i++) {
		ck_assert_uint_eq(count[i], m.objects[i].names);
		if (count[i])
			ck_assert_uint_eq(count[i], m.objects[i].links);
	}
}

START_TEST(choices)
{
	enum { STEPS = 40000 };
	uint64_t state = 1, chosen[DIRMODEL_VERBS] = { 0 }, over = 0;
	unsigned most = 0;

	dirmodel_init(&m);
	for (unsigned i = 0; i < STEPS; i++) {
		struct dirmodel_op op;
		unsigned used = 0;

		dirmodel_choose(&m, dirmodel_random(&state), &op);
		ck_assert_msg(is_possible(&op), "step %u: %s %u %u", i, dirmodel_verb_name(op.verb), op.name,
			      op.to);
		if (op.verb == DIRMODEL_RENAME && m.kind[op.to] == DIRMODEL_FILE)
			over++;
		chosen[op.verb]++;
		dirmodel_done(&m, &op, 1, 0);
		if (i % 16 == 0)
			check_links();
		for (unsigned n = 0; n < DIRMODEL_NAMES; n++)
			used += m.kind[n] != DIRMODEL_ABSENT;
		most = used > most ? used : most;
	}
	/* Every kind is done often, and the directory has been both full and not. */
	for (unsigned v = 0; v < DIRMODEL_VERBS; v++)
		ck_assert_msg(chosen[v] > STEPS / 32, "%s: %llu", dirmodel_verb_name((enum dirmodel_verb)v),
			      (unsigned long long)chosen[v]);
	ck_assert_uint_gt(over, STEPS / 200);
	ck_assert_uint_ge(most, 20);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("probe_dirmodel");
	TCase *tc = tcase_create("dirmodel");
	SRunner *sr;
	int failed;

	tcase_add_test(tc, names);
	tcase_add_test(tc, judgements);
	tcase_add_test(tc, links_and_renames);
	tcase_add_test(tc, listings);
	tcase_add_test(tc, adopting);
	tcase_add_test(tc, choices);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
