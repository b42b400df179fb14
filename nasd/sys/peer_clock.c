/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peer_clock.h"

#include <string.h>

enum { RTT_MAX_US = 60 * 1000 * 1000 };

void peer_clock_restart(struct peer_clock *c)
{
	c->stale = true;
	c->heard_sent_us = 0;
	c->heard_at_us = 0;
	c->newest_rtt_us = -1;
}

void peer_clock_fill(const struct peer_clock *c, int64_t now_us, struct peer_msg *m)
{
	memset(m, 0, sizeof(*m));
	m->type = MSG_HEARTBEAT;
	m->u.heartbeat.sent_us = now_us;
	if (c->heard_sent_us) {
		m->u.heartbeat.echo_us = c->heard_sent_us;
		m->u.heartbeat.echo_held_us = now_us - c->heard_at_us;
	}
}

void peer_clock_take(struct peer_clock *c, int64_t now_us, const struct peer_msg *m)
{
	int64_t sent = m->u.heartbeat.sent_us, echo = m->u.heartbeat.echo_us;
	int64_t held = m->u.heartbeat.echo_held_us;
	int64_t rtt;

	if (sent <= 0 || sent > INT64_MAX / 4)
		return;
	c->heard_sent_us = sent;
	c->heard_at_us = now_us;
	/* An echo is of our own past, and no longer held than that is ago. */
	if (echo <= 0 || echo > now_us || held < 0 || held > now_us - echo || held >= sent)
		return;
	rtt = now_us - echo - held;
	if (rtt > RTT_MAX_US)
		return;
	if (c->stale)
		c->count = c->next = 0;
	c->stale = false;
	c->newest_rtt_us = rtt;
	c->samples[c->next].rtt_us = rtt;
	/* ((t2 - t1) + (t3 - t4)) / 2 with t2 = sent - held and t3 = sent. */
	c->samples[c->next].offset_us = ((sent - held - echo) + (sent - now_us)) / 2;
	c->next = (c->next + 1) % PEER_CLOCK_SAMPLES;
	if (c->count < PEER_CLOCK_SAMPLES)
		c->count++;
}

bool peer_clock_offset(const struct peer_clock *c, int64_t *offset_us, int64_t *rtt_us)
{
	unsigned i, best = 0;

	if (!c->count)
		return false;
	for (i = 1; i < c->count; i++)
		if (c->samples[i].rtt_us < c->samples[best].rtt_us)
			best = i;
	*offset_us = c->samples[best].offset_us;
	*rtt_us = c->samples[best].rtt_us;
	return true;
}
