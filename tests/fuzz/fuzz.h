/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fuzz targets share. Build: clang -fsanitize=fuzzer,address,undefined */
#ifndef NASD_TESTS_FUZZ_FUZZ_H
#define NASD_TESTS_FUZZ_FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FUZZ_ASSERT(cond) \
	do { \
		if (!(cond)) \
			abort(); \
	} while (0)

/* An error has a class, a place and a message, on one printable line. */
static inline void fuzz_check_error(const struct err *err)
{
	FUZZ_ASSERT(err->cls != ERR_NONE && err->where[0] && err->msg[0]);
	for (const char *p = err->msg; *p; p++)
		FUZZ_ASSERT((unsigned char)*p >= 0x20 && *p != 0x7f);
	for (const char *p = err->where; *p; p++)
		FUZZ_ASSERT((unsigned char)*p >= 0x20 && *p != 0x7f);
}

#endif
