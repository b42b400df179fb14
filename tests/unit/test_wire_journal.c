/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "corpus.h"

#include <errno.h>

#include "journal_line.h"

static void must_fail(const struct corpus_file *f)
{
	struct journal_scan scan;
	struct journal_rec rec;
	struct err err = { 0 };
	int r;

	memset(&rec, 0xa5, sizeof(rec));
	journal_scan_init(&scan, f->bytes, f->len);
	while ((r = journal_scan_next(&scan, &rec, &err)) > 0)
		;
	corpus_check_error(f, r, &err);
	ck_assert_int_eq(r, -EBADMSG);
	ck_assert_msg(!strncmp(err.where, "journal line ", 13), "%s: %s", f->name, err.where);
	ck_assert(err.remedy[0]);
	ck_assert(!scan.torn);
	ck_assert(corpus_all_zero(&rec, sizeof(rec)));
}

START_TEST(corpus)
{
	ck_assert_uint_ge(corpus_each("tests/corpus/journal", "", must_fail), 20);
}
END_TEST

/* A record with its padding zeroed, as the decoder leaves it. */
static struct journal_rec *sample(uint64_t seq)
{
	static struct journal_rec rec;

	memset(&rec, 0, sizeof(rec));
	rec.seq = seq;
	strcpy(rec.kind, "intent");
	strcpy(rec.group, "vmstore");
	rec.epoch = 7;
	rec.owner = 1;
	strcpy(rec.step, "drbd-secondary");
	strcpy(rec.boot_id, "6e5f1b3a-90d1-4f0c-8f0e-0b4dd3b5f4a1");
	rec.wall_us = 1795341600000000;
	strcpy(rec.text, "switchover nas2");
	return &rec;
}

static size_t add(char *buf, size_t at, size_t size, const struct journal_rec *rec)
{
	struct err err = { 0 };
	int n = journal_line_encode(rec, buf + at, size - at, &err);

	ck_assert_msg(n > 0, "%s: %s", err.where, err.msg);
	return at + (size_t)n;
}

static void round_trip(const struct journal_rec *rec)
{
	char line[JOURNAL_LINE_MAX];
	struct journal_rec back;
	struct err err = { 0 };
	size_t len = add(line, 0, sizeof(line), rec);

	ck_assert_int_eq(line[len - 1], '\n');
	ck_assert_ptr_eq(memchr(line, '\n', len), line + len - 1);
	memset(&back, 0xa5, sizeof(back));
	ck_assert_msg(journal_line_decode(line, len - 1, &back, &err) == 0, "%s", err.msg);
	ck_assert_mem_eq(&back, rec, sizeof(back));
}

START_TEST(round_trips)
{
	struct journal_rec *rec = sample(1);

	round_trip(rec);
	memset(rec, 0, sizeof(*rec));
	rec->seq = 1;
	rec->kind[0] = 'k';
	rec->owner = NODE_NONE;
	round_trip(rec);
	/* every field to its limit */
	rec->seq = rec->epoch = INT64_MAX;
	rec->owner = 0;
	rec->wall_us = INT64_MIN;
	memset(rec->kind, 'k', JOURNAL_KIND_LEN - 1);
	memset(rec->group, 'g', NAME_MAX_LEN - 1);
	memset(rec->step, 's', NAME_MAX_LEN - 1);
	memset(rec->boot_id, 'b', JOURNAL_BOOT_ID_LEN - 1);
	memset(rec->text, '\\', JOURNAL_TEXT_LEN - 1);
	round_trip(rec);
}
END_TEST

START_TEST(the_line_itself)
{
	char line[JOURNAL_LINE_MAX];
	struct journal_rec rec = { .seq = 2, .kind = "commit", .group = "g", .epoch = 5, .owner = 1,
				   .step = "commit", .wall_us = -1, .text = "a\nb \"c\"" };
	size_t len = add(line, 0, sizeof(line), &rec);
	static const char want[] = " {\"seq\":2,\"kind\":\"commit\",\"group\":\"g\",\"epoch\":5,\"owner\":1,"
				   "\"step\":\"commit\",\"boot_id\":\"\",\"wall_us\":-1,\"text\":\"a?b \\\"c\\\"\"}\n";

	ck_assert_uint_eq(len, 8 + strlen(want));
	ck_assert_mem_eq(line + 8, want, strlen(want));
}
END_TEST

START_TEST(what_cannot_be_written)
{
	char line[JOURNAL_LINE_MAX];
	struct journal_rec *rec = sample(0);
	struct err err = { 0 };

	ck_assert_int_lt(journal_line_encode(rec, line, sizeof(line), &err), 0);
	rec = sample(1);
	rec->kind[0] = '\0';
	ck_assert_int_lt(journal_line_encode(rec, line, sizeof(line), &err), 0);
	ck_assert_str_eq(err.where, "journal record: kind");
	rec = sample(1);
	rec->owner = 5;
	ck_assert_int_lt(journal_line_encode(rec, line, sizeof(line), &err), 0);
	ck_assert_int_eq(journal_line_encode(sample(1), line, 60, &err), -EMSGSIZE);
}
END_TEST

/* A power cut can leave any beginning of the last line: at each length the
 * lines before it are read and the cut is found at its start. */
START_TEST(torn_at_every_byte)
{
	char text[4 * JOURNAL_LINE_MAX];
	size_t len = 0, last = 0;

	for (uint64_t seq = 10; seq < 13; seq++) {
		last = len;
		len = add(text, len, sizeof(text), sample(seq));
	}
	for (size_t cut = last; cut <= len; cut++) {
		char *exact = malloc(cut);
		struct journal_scan scan;
		struct journal_rec rec;
		struct err err = { 0 };
		uint64_t n = 0;
		int r;

		memcpy(exact, text, cut);
		journal_scan_init(&scan, exact, cut);
		while ((r = journal_scan_next(&scan, &rec, &err)) > 0)
			ck_assert_uint_eq(rec.seq, 10 + n++);
		ck_assert_int_eq(r, 0);
		ck_assert_int_eq(journal_scan_next(&scan, &rec, &err), 0);
		ck_assert_uint_eq(n, cut == len ? 3 : 2);
		ck_assert_int_eq(scan.torn, cut != len && cut != last);
		if (scan.torn)
			ck_assert_uint_eq(scan.torn_at, last);
		free(exact);
	}
}
END_TEST

START_TEST(torn_in_other_ways)
{
	static const char *const tails[] = { "\n", "00000000 {}\n", "garbage\n", "garbage" };
	char text[2 * JOURNAL_LINE_MAX];
	struct journal_scan scan;
	struct journal_rec rec;
	struct err err = { 0 };
	size_t len = add(text, 0, sizeof(text), sample(1));

	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		memcpy(text + len, tails[i], strlen(tails[i]));
		journal_scan_init(&scan, text, len + strlen(tails[i]));
		ck_assert_int_eq(journal_scan_next(&scan, &rec, &err), 1);
		ck_assert_int_eq(journal_scan_next(&scan, &rec, &err), 0);
		ck_assert(scan.torn);
		ck_assert_uint_eq(scan.torn_at, len);
	}
	memset(text + len, 0, 600); /* a block that was allocated but not written */
	journal_scan_init(&scan, text, len + 600);
	ck_assert_int_eq(journal_scan_next(&scan, &rec, &err), 1);
	ck_assert_int_eq(journal_scan_next(&scan, &rec, &err), 0);
	ck_assert(scan.torn);

	journal_scan_init(&scan, NULL, 0);
	ck_assert_int_eq(journal_scan_next(&scan, &rec, &err), 0);
	ck_assert(!scan.torn);
	/* a sequence number that does not grow is damage, not a torn write */
	len = add(text, len, sizeof(text), sample(1));
	journal_scan_init(&scan, text, len);
	ck_assert_int_eq(journal_scan_next(&scan, &rec, &err), 1);
	ck_assert_int_eq(journal_scan_next(&scan, &rec, &err), -EBADMSG);
	ck_assert_str_eq(err.where, "journal line 2");
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("journal");

	tcase_add_test(tc, corpus);
	tcase_add_test(tc, round_trips);
	tcase_add_test(tc, the_line_itself);
	tcase_add_test(tc, what_cannot_be_written);
	tcase_add_test(tc, torn_at_every_byte);
	tcase_add_test(tc, torn_in_other_ways);
	return corpus_run(tc, "wire/journal");
}
