/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "meta.h"
#include "summary.h"

static void put_done(char *buf, size_t size, const struct meta_stats *s)
{
	size_t used = 0;

	for (unsigned i = 0; i < DIRMODEL_VERBS; i++) {
		int n = snprintf(buf + used, size - used, "%s\"%s\":%" PRIu64, i ? "," : "",
				 dirmodel_verb_name((enum dirmodel_verb)i), s->done[i]);

		if (n < 0 || (size_t)n >= size - used)
			return;
		used += (size_t)n;
	}
}

void meta_report(struct meta *m, const char *kind, const struct meta_stats *s)
{
	char gap[192], interval[192], op[192], over[160], done[256];

	summary_put_hist(gap, sizeof(gap), "gap_ms", &s->gaps.gap);
	summary_put_hist(interval, sizeof(interval), "interval_ms", &s->gaps.interval);
	summary_put_hist(op, sizeof(op), "op_ms", &s->op);
	summary_put_over(over, sizeof(over), &s->gaps);
	put_done(done, sizeof(done), s);
	report_event(m->report,
		     "{\"ev\":\"%s\",\"name\":\"%s\",\"run\":\"%016" PRIx64 "\",\"meta\":\"%s\",\"acked\":%" PRIu64
		     ",\"seconds\":%.3f,\"pace_ms\":%" PRIu64 ",\"ops\":{%s},\"errors\":%" PRIu64
		     ",\"violations\":%" PRIu64 ",\"longest_op\":{\"op\":\"%s\",\"ms\":%.3f,\"wall_us\":%" PRIu64
		     "},\"gaps_over_ms\":{%s},\"longest_gap_ms\":%.3f,\"longest_gap_wall_us\":%" PRIu64
		     ",%s,%s,%s,\"clean\":%s}",
		     kind, m->opt->name, m->run, m->opt->meta, atomic_load(&m->control->acked),
		     (double)(clock_mono_ns() - s->begin_mono_ns) / 1e9, m->opt->pace_ns / NS_PER_MS, done,
		     s->errors, s->violations, dirmodel_verb_name(s->longest_verb), (double)s->longest_ns / 1e6,
		     s->longest_wall_ns / NS_PER_US, over, (double)s->gaps.longest_ns / 1e6,
		     s->gaps.longest_wall_ns / NS_PER_US, gap, interval, op, meta_clean(m) ? "true" : "false");
}
