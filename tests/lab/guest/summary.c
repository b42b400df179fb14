/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "summary.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "writer.h"

void summary_put_hist(char *buf, size_t size, const char *name, const struct hist *h)
{
	snprintf(buf, size,
		 "\"%s\":{\"n\":%" PRIu64 ",\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"p999\":%.3f,"
		 "\"max\":%.3f}",
		 name, h->count, (double)hist_permille(h, 500) / 1e6,
		 (double)hist_permille(h, 900) / 1e6, (double)hist_permille(h, 990) / 1e6,
		 (double)hist_permille(h, 999) / 1e6, (double)h->max / 1e6);
}

void summary_put_over(char *buf, size_t size, const struct gaps *g)
{
	size_t used = 0;

	for (unsigned i = 0; i < GAPS_LIMITS; i++) {
		int n = snprintf(buf + used, size - used, "%s\"%u\":%" PRIu64, i ? "," : "",
				 gaps_limit_ms[i], g->over[i]);

		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

void summary_report(struct writer *w, const char *kind, const struct writer_stats *s)
{
	char gap[192], interval[192], wlat[192], rlat[192], over[160], locks[160];

	summary_put_hist(gap, sizeof(gap), "gap_ms", &s->gaps.gap);
	summary_put_hist(interval, sizeof(interval), "interval_ms", &s->gaps.interval);
	summary_put_hist(wlat, sizeof(wlat), "write_ms", &s->write);
	summary_put_hist(rlat, sizeof(rlat), "read_ms", &s->read);
	summary_put_over(over, sizeof(over), &s->gaps);
	if (w->locks)
		snprintf(locks, sizeof(locks),
			 "{\"checks\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"reclaim_failed\":%" PRIu64
			 ",\"check_failed\":%" PRIu64 "}",
			 w->locks->checks, w->locks->lost, w->locks->reclaim, w->locks->failures);
	else
		snprintf(locks, sizeof(locks), "null");
	report_event(w->report,
		     "{\"ev\":\"%s\",\"name\":\"%s\",\"run\":\"%016" PRIx64 "\",\"blocks\":%" PRIu64
		     ",\"acked\":%" PRIu64 ",\"seconds\":%.3f,\"pace_ms\":%" PRIu64
		     ",\"writes\":%" PRIu64 ",\"reads\":%" PRIu64 ",\"write_errors\":%" PRIu64
		     ",\"read_errors\":%" PRIu64 ",\"bad_blocks\":%" PRIu64 ",\"gaps_over_ms\":{%s}"
		     ",\"longest_gap_ms\":%.3f,\"longest_gap_wall_us\":%" PRIu64 ",%s,%s,%s,%s"
		     ",\"lock\":%s,\"clean\":%s}",
		     kind, w->opt->name, w->run, w->blocks, atomic_load(&w->control->acked),
		     (double)(clock_mono_ns() - s->begin_mono_ns) / 1e9, w->opt->pace_ns / NS_PER_MS,
		     s->writes, s->reads, s->write_errors, s->read_errors, s->bad_blocks, over,
		     (double)s->gaps.longest_ns / 1e6, s->gaps.longest_wall_ns / NS_PER_US, gap,
		     interval, wlat, rlat, locks, writer_clean(w) ? "true" : "false");
}
