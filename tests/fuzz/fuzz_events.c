/* SPDX-License-Identifier: GPL-2.0-or-later */
/* drbdsetup events2: fed whole and byte by byte, with the same outcome; the
 * model stays within its bounds whatever comes. */
#include "fuzz.h"

#include "drbd_events.h"

static void run(const uint8_t *data, size_t size, size_t piece, struct drbd_model *m, unsigned *errors)
{
	static struct drbd_events p;

	drbd_events_init(&p);
	drbd_model_flush(m);
	*errors = 0;
	for (size_t at = 0; at < size;) {
		size_t used = 0, part = size - at < piece ? size - at : piece;
		struct drbd_event ev;
		struct err err = { 0 };
		int r = drbd_events_feed(&p, (const char *)data + at, part, &used, &ev, &err);

		FUZZ_ASSERT(used > 0 && used <= part);
		at += used;
		if (r > 0)
			r = drbd_model_apply(m, &ev, &err);
		if (r < 0) {
			fuzz_check_error(&err);
			++*errors;
		}
		FUZZ_ASSERT(m->n_resources <= DRBD_RESOURCES_MAX);
		for (unsigned i = 0; i < m->n_resources; i++) {
			FUZZ_ASSERT(m->resources[i].n_volumes <= DRBD_VOLUMES_MAX);
			FUZZ_ASSERT(drbd_model_find(m, m->resources[i].name) == &m->resources[i]);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct drbd_model whole, bytes;
	unsigned errors_whole, errors_bytes;

	run(data, size, size ? size : 1, &whole, &errors_whole);
	run(data, size, 1, &bytes, &errors_bytes);
	FUZZ_ASSERT(errors_whole == errors_bytes);
	FUZZ_ASSERT(!memcmp(&whole, &bytes, sizeof(whole)));
	return 0;
}
