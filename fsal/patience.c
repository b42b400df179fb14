/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "patience.h"

#include <errno.h>

int64_t patience_pause(struct patience *p, int ret)
{
	if (ret != -EAGAIN || p->left_us < PATIENCE_PAUSE_US)
		return 0;
	p->left_us -= PATIENCE_PAUSE_US;
	return PATIENCE_PAUSE_US;
}
