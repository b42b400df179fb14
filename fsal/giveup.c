/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "giveup.h"

enum giveup_word giveup_judge(struct giveup *g, int64_t now_us, const struct giveup_look *look)
{
	if (!look->in_grace) {
		g->since_us = 0;
		return GIVEUP_IDLE;
	}
	if (!g->since_us)
		g->since_us = now_us;
	if (now_us - g->since_us >= g->length_us)
		return GIVEUP_OVER;
	if (!g->wait_us || now_us - g->since_us < g->wait_us)
		return GIVEUP_WAIT;
	if (!look->back || look->reclaiming || look->coming)
		return GIVEUP_WAIT;
	return GIVEUP_NOW;
}
