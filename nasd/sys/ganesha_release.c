/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a tenure in the freeze. */
#include <errno.h>

#include "ganesha_priv.h"
#include "log.h"

/* Some hundred descriptors in some milliseconds; a process that dies is no slower. */
enum { RELEASE_US = 30000 };

int ganesha_release(struct ganesha *g, const char *point, struct err *err)
{
	struct fsal_request req = { FSAL_RELEASE, 0, point };
	struct fsal_answer a;
	struct fsal_client c;
	int ret = ganesha_module_open(g, &c, err);

	if (ret < 0)
		return ret;
	ret = fsal_client_do(&c, &req, NULL, RELEASE_US, &a, err);
	fsal_client_close(&c);
	return ret < 0 ? ret : ganesha_set_phase(g, PHASE_RELEASED, err);
}
