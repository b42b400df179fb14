/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A control request: refused with an error and nothing left behind, or the
 * same again after it was written and read. */
#include "fuzz.h"

#include "control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_request req, back;
	struct err err = { 0 };
	char *line;

	if (ctl_request_parse((const char *)data, size, &req, &err)) {
		fuzz_check_error(&err);
		memset(&back, 0, sizeof(back));
		FUZZ_ASSERT(!memcmp(&req, &back, sizeof(req)));
		return 0;
	}
	FUZZ_ASSERT(err.cls == ERR_NONE);
	line = ctl_request_format(&req);
	FUZZ_ASSERT(line && strlen(line) > 1);
	FUZZ_ASSERT(!ctl_request_parse(line, strlen(line) - 1, &back, &err));
	FUZZ_ASSERT(!memcmp(&req, &back, sizeof(req)));
	free(line);
	return 0;
}
