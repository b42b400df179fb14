/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal. First byte even: the rest is a whole journal to scan. Odd: the
 * rest is the JSON of one line, which gets its CRC here so that the fields are
 * reached. What is accepted is the same again after it was written and read.
 */
#include "fuzz.h"

#include <stdio.h>
#include <zlib.h>

#include "journal_line.h"

static void try_record(const struct journal_rec *rec)
{
	char line[JOURNAL_LINE_MAX];
	struct journal_rec back;
	struct err err = { 0 };
	int n = journal_line_encode(rec, line, sizeof(line), &err);

	FUZZ_ASSERT(n > 1);
	FUZZ_ASSERT(!journal_line_decode(line, (size_t)n - 1, &back, &err));
	FUZZ_ASSERT(!memcmp(rec, &back, sizeof(back)));
}

static void try_line(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 10);
	struct journal_rec rec;
	struct err err = { 0 };

	FUZZ_ASSERT(line);
	snprintf(line, 10, "%08x ", (unsigned)(size ? crc32(0, data, (unsigned)size) : 0));
	memcpy(line + 9, data, size);
	if (journal_line_decode(line, size + 9, &rec, &err))
		fuzz_check_error(&err);
	else
		try_record(&rec);
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal_scan scan;
	struct journal_rec rec;
	struct err err = { 0 };
	int r;

	if (!size)
		return 0;
	if (data[0] % 2) {
		try_line(data + 1, size - 1);
		return 0;
	}
	journal_scan_init(&scan, (const char *)data + 1, size - 1);
	while ((r = journal_scan_next(&scan, &rec, &err)) > 0)
		try_record(&rec);
	if (r < 0) {
		fuzz_check_error(&err);
		FUZZ_ASSERT(!scan.torn);
	} else {
		FUZZ_ASSERT(scan.off == scan.len);
		FUZZ_ASSERT(!scan.torn || scan.torn_at < scan.len);
		FUZZ_ASSERT(journal_scan_next(&scan, &rec, &err) == 0);
	}
	return 0;
}
