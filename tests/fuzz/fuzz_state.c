/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A copy of the clients' state and the changes since: two texts, with a zero byte
 * between them. What comes out of good ones has no more than both, is the same again
 * in a buffer that was used before, and ends where it says.
 */
#include "fuzz.h"

#include "state_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *middle = memchr(data, 0, size);
	size_t n = middle ? (size_t)(middle - data) : size;
	char *base = calloc(1, n + 1), *changes = calloc(1, size - n + 1);
	struct state_text one = { 0 }, two = { 0 };
	struct err err = { 0 };

	FUZZ_ASSERT(base && changes);
	memcpy(base, data, n);
	if (middle)
		memcpy(changes, middle + 1, size - n - 1);
	if (state_text_merge(base, changes, &one, &err) < 0) {
		fuzz_check_error(&err);
	} else {
		FUZZ_ASSERT(one.len == strlen(one.text));
		FUZZ_ASSERT(one.len <= n + size - n + STATE_TEXT_HEAD_MAX);
		FUZZ_ASSERT(!state_text_merge(base, changes, &two, &err));
		FUZZ_ASSERT(!state_text_merge(base, changes, &one, &err));
		FUZZ_ASSERT(!strcmp(one.text, two.text));
	}
	free(one.text);
	free(two.text);
	free(base);
	free(changes);
	return 0;
}
