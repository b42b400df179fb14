/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_load_text on anything: an error with a place, or a configuration whose
 * dump loads again to the same dump, and what is shown of it to something.
 *
 *     clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Inasd/base \
 *         -Inasd/conf tests/fuzz/fuzz_conf.c nasd/conf/[a-z]*.c nasd/base/err.c \
 *         -lconfuse -lgnutls -o fuzz_conf && ./fuzz_conf WORKDIR tests/corpus/conf
 *
 * libconfuse's scanner keeps static buffers; they stay reachable and are no
 * leak. Its own faults (see conf_scan.h) are kept from it by the scan.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"
#include "err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf *a, *b;
	struct err err = { 0 };

	if (conf_load_text("fuzz", (const char *)data, size, &a, &err) < 0) {
		if (a || err.cls != ERR_INPUT || strncmp(err.where, "fuzz:", 5) || !err.msg[0])
			abort();
		return 0;
	}
	char *text = conf_dump(a);
	if (!text || conf_load_text("dump", text, strlen(text), &b, &err) < 0)
		abort();
	if (memcmp(a, b, sizeof(*a)))
		abort();
	free(text);
	conf_free(b);
	text = conf_dump_shown(a);
	if (!text || conf_load_text("shown", text, strlen(text), &b, &err) < 0)
		abort();
	free(text);
	conf_free(a);
	conf_free(b);
	return 0;
}
