/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "split.h"

#include <string.h>

static bool connected(const struct facts *f)
{
	return strcmp(f->drbd_peer_role, "Unknown") != 0;
}

bool split_stands_alone(const struct facts *f)
{
	return f && f->valid && f->drbd_known && !strcmp(f->drbd_cstate, "StandAlone");
}

bool split_brain(const struct facts *a, const struct facts *b)
{
	if (!a || !a->valid || !a->drbd_known || !b || !b->valid || !b->drbd_known || connected(a) || connected(b))
		return false;
	if (a->drbd_changed_alone && b->drbd_changed_alone)
		return true;
	return a->drbd_changed_alone == b->drbd_changed_alone && split_stands_alone(a) && split_stands_alone(b) &&
	       a->drbd_out_of_sync && b->drbd_out_of_sync;
}
