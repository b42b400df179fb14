/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "load_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

uint64_t clock_wall_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000U + (uint64_t)ts.tv_nsec / 1000U;
}

/* Replies that are still waited for count with their age, and so does the gap that runs. */
static void add_waiting(struct pool *p, uint64_t now_ns, unsigned *connected, unsigned *waiting)
{
	struct pool_times *t = &p->second;
	uint64_t gap = now_ns - p->last_reply_ns;

	*connected = *waiting = 0;
	for (unsigned i = 0; i < p->opt->clients; i++) {
		const struct connection *c = &p->connections[i];

		*connected += c->connected;
		if (!c->client.pending)
			continue;
		(*waiting)++;
		if (now_ns - c->client.asked_ns > t->longest_reply_ns)
			t->longest_reply_ns = now_ns - c->client.asked_ns;
	}
	if (gap > t->longest_gap_ns)
		t->longest_gap_ns = gap;
}

void report_second(struct pool *p, uint64_t now_ns)
{
	const struct client_counts *n = &p->shared.counts;
	unsigned connected, waiting;

	add_waiting(p, now_ns, &connected, &waiting);
	printf("ev=second n=%u wall_us=%" PRIu64 " replies=%" PRIu64 " longest_reply_ms=%.3f longest_gap_ms=%.3f"
	       " connected=%u waiting=%u holding=%" PRIu64 " survived=%" PRIu64 " lost=%" PRIu64 "\n",
	       ++p->seconds, clock_wall_us(), p->second.replies, (double)p->second.longest_reply_ns / 1e6,
	       (double)p->second.longest_gap_ns / 1e6, connected, waiting, n->holding, n->survived,
	       n->sessions_lost);
	memset(&p->second, 0, sizeof(p->second));
}

void report_ready(struct pool *p, uint64_t now_ns)
{
	printf("ev=ready clients=%u opens=%u files=%u ms=%.1f longest_reply_ms=%.3f wall_us=%" PRIu64 "\n",
	       p->opt->clients, p->opt->opens, p->opt->files, (double)(now_ns - p->begin_ns) / 1e6,
	       (double)p->total.longest_reply_ns / 1e6, clock_wall_us());
}

void report_check(struct pool *p)
{
	printf("ev=check stateids=%" PRIu64 " bad=%" PRIu64 " wall_us=%" PRIu64 "\n",
	       p->shared.counts.stateids_tested, p->shared.counts.stateids_bad, clock_wall_us());
}

void report_complaint(void *arg, unsigned client, const char *op, uint32_t status)
{
	struct pool *p = arg;
	const char *name = nfs41_error_name(status);

	if (p->lines++ < ERROR_LINES)
		printf("ev=error client=%u op=%s status=%u name=%s wall_us=%" PRIu64 "\n", client, op, status,
		       name ? name : "unknown", clock_wall_us());
}

void report_summary(struct pool *p, uint64_t now_ns)
{
	const struct client_counts *n = &p->shared.counts;
	const struct pool_times *t = &p->total;

	printf("{\"ev\":\"summary\",\"name\":\"%s\",\"clients\":%u,\"opens\":%u,\"seconds\":%.3f,\"renew_ms\":%.0f",
	       p->opt->name, p->opt->clients, p->opt->opens, (double)(now_ns - p->begin_ns) / 1e9,
	       (double)p->opt->renew_ns / 1e6);
	printf(",\"replies\":%" PRIu64 ",\"reconnects\":%" PRIu64 ",\"timeouts\":%" PRIu64
	       ",\"sessions_survived\":%" PRIu64 ",\"sessions_lost\":%" PRIu64 ",\"clients_kept\":%" PRIu64,
	       n->replies, p->reconnects, p->timeouts, n->survived, n->sessions_lost, n->clients_kept);
	printf(",\"opens_reclaimed\":%" PRIu64 ",\"locks_reclaimed\":%" PRIu64 ",\"reclaims_failed\":%" PRIu64
	       ",\"waits\":%" PRIu64 ",\"state_lost\":%" PRIu64 ",\"stateids_tested\":%" PRIu64
	       ",\"stateids_bad\":%" PRIu64 ",\"errors\":%" PRIu64 ",\"not_closed\":%" PRIu64,
	       n->opens_reclaimed, n->locks_reclaimed, n->reclaims_failed, n->grace_waits, n->state_lost,
	       n->stateids_tested, n->stateids_bad, n->errors, n->holding);
	printf(",\"longest_reply_ms\":%.3f,\"longest_reply_wall_us\":%" PRIu64 ",\"longest_gap_ms\":%.3f"
	       ",\"longest_gap_wall_us\":%" PRIu64 ",\"longest_recover_ms\":%.3f,\"longest_reclaim_ms\":%.3f"
	       ",\"clean\":%s}\n",
	       (double)t->longest_reply_ns / 1e6, t->longest_reply_wall_ns / 1000U, (double)t->longest_gap_ns / 1e6,
	       t->longest_gap_wall_ns / 1000U, (double)n->longest_recover_ns / 1e6,
	       (double)n->longest_reclaim_ns / 1e6, pool_clean(p) ? "true" : "false");
}
