/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "summary.h"

#define BULK_BLOCKS 64U /* 256 KiB for each read of the final verification */
#define RETRY_NS    (10 * NS_PER_MS)

static int fail(struct writer *w, const char *what, int err)
{
	report_event(w->report, "ev=fatal what=%s file=%s errno=%d text=\"%s\"", what, w->opt->file,
		     err, strerror(err));
	return -err;
}

/* The bytes to work on: what was asked for, or a device's own size. */
static int find_size(struct writer *w, uint64_t *size)
{
	struct stat st;

	if (fstat(w->fd, &st))
		return fail(w, "stat", errno);
	*size = w->opt->size;
	if (S_ISBLK(st.st_mode)) {
		uint64_t dev = 0;

		if (ioctl(w->fd, BLKGETSIZE64, &dev))
			return fail(w, "size", errno);
		if (*size == 0)
			*size = dev < OPTIONS_DEFAULT_SIZE ? dev : OPTIONS_DEFAULT_SIZE;
		return *size > dev ? fail(w, "size", ENOSPC) : 0;
	}
	if (*size == 0)
		*size = OPTIONS_DEFAULT_SIZE;
	/* Allocated by writing, not here: the server's work is part of the test. */
	if ((uint64_t)st.st_size < *size && ftruncate(w->fd, (off_t)*size))
		return fail(w, "truncate", errno);
	return 0;
}

static void stats_init(struct writer_stats *s, const struct options *opt)
{
	memset(s, 0, sizeof(*s));
	gaps_init(&s->gaps, opt->pace_ns, opt->gap_ns);
	s->begin_mono_ns = clock_mono_ns();
}

int writer_open(struct writer *w, const struct options *opt, struct report *report,
		struct control *control, struct lock_watch *locks)
{
	int flags = O_RDWR | O_CREAT | O_DSYNC | O_CLOEXEC | (opt->direct ? O_DIRECT : 0);
	uint64_t size = 0;
	int rc;

	memset(w, 0, sizeof(*w));
	w->opt = opt;
	w->report = report;
	w->control = control;
	block_codec_init(&w->codec);
	if (getrandom(&w->run, sizeof(w->run), GRND_NONBLOCK) != (ssize_t)sizeof(w->run))
		w->run = clock_wall_ns() ^ (clock_mono_ns() << 20); /* early in a guest's life */
	w->buf = aligned_alloc(PROBE_BLOCK, PROBE_BLOCK);
	w->bulk = aligned_alloc(PROBE_BLOCK, (size_t)PROBE_BLOCK * BULK_BLOCKS);
	if (!w->buf || !w->bulk)
		return fail(w, "memory", ENOMEM);
	w->fd = open(opt->file, flags, 0644);
	if (w->fd < 0)
		return fail(w, "open", errno);
	rc = find_size(w, &size);
	if (rc)
		return rc;
	w->blocks = size / PROBE_BLOCK;
	if (opt->lock) {
		rc = lock_watch_open(locks, opt->file, &opt->lock_range);
		if (rc)
			return fail(w, "open-for-lock", -rc);
		rc = lock_take(w->fd, &opt->lock_range);
		if (rc)
			return fail(w, "lock", -rc);
		w->locks = locks;
	}
	stats_init(&w->section, opt);
	stats_init(&w->total, opt);
	report_event(report,
		     "ev=start name=%s file=%s run=%016" PRIx64 " blocks=%" PRIu64
		     " pace_ms=%" PRIu64 " direct=%d lock=%d wall_us=%" PRIu64 " mono_us=%" PRIu64,
		     opt->name, opt->file, w->run, w->blocks, opt->pace_ns / NS_PER_MS, opt->direct,
		     opt->lock, clock_wall_ns() / NS_PER_US, clock_mono_ns() / NS_PER_US);
	return 0;
}

/* An acknowledged write: figures for both sections, an event for a long gap. */
static void note_completion(struct writer *w, uint64_t began, uint64_t mono)
{
	uint64_t wall = clock_wall_ns();
	struct gap gap;

	hist_add(&w->section.write, mono - began);
	hist_add(&w->total.write, mono - began);
	w->section.writes++;
	w->total.writes++;
	(void)gaps_note(&w->section.gaps, mono, wall, &gap);
	if (gaps_note(&w->total.gaps, mono, wall, &gap))
		report_event(w->report,
			     "ev=gap ms=%.3f interval_ms=%.3f begin_wall_us=%" PRIu64
			     " begin_mono_us=%" PRIu64 " seq=%" PRIu64,
			     (double)gap.length_ns / 1e6, (double)gap.interval_ns / 1e6,
			     gap.begin_wall_ns / NS_PER_US, gap.begin_mono_ns / NS_PER_US,
			     atomic_load(&w->control->acked));
}

/* One write of the next number, tried once.  False when it failed. */
static bool write_next(struct writer *w)
{
	uint64_t seq = atomic_load(&w->control->acked) + 1;
	struct block_head head = { .run = w->run,
				   .seq = seq,
				   .mono_ns = clock_mono_ns(),
				   .wall_ns = clock_wall_ns() };
	ssize_t n;
	int err;

	block_fill(&w->codec, w->buf, &head);
	n = pwrite(w->fd, w->buf, PROBE_BLOCK, (off_t)(seq % w->blocks * PROBE_BLOCK));
	err = n < 0 ? errno : EIO;
	if (n == (ssize_t)PROBE_BLOCK) {
		uint64_t now = clock_mono_ns();

		atomic_store(&w->control->acked, seq);
		note_completion(w, head.mono_ns, now);
		return true;
	}
	if (n < 0 && err == EINTR)
		return false; /* the stop signal; the number is sent again or not at all */
	w->section.write_errors++;
	w->total.write_errors++;
	report_event(w->report, "ev=error op=write seq=%" PRIu64 " errno=%d text=\"%s\" wall_us=%" PRIu64,
		     seq, err, strerror(err), clock_wall_ns() / NS_PER_US);
	return false;
}

static void judge(struct writer *w, const unsigned char *block, uint64_t index)
{
	struct block_head head;
	uint64_t acked = atomic_load(&w->control->acked);
	enum block_state state =
		block_judge(&w->codec, block, w->run, index, w->blocks, acked, &head);

	if (state == BLOCK_GOOD)
		return;
	w->section.bad_blocks++;
	w->total.bad_blocks++;
	report_event(w->report,
		     "ev=bad state=%s block=%" PRIu64 " want=%" PRIu64 " seq=%" PRIu64
		     " acked=%" PRIu64 " wall_us=%" PRIu64,
		     block_state_name(state), index, block_expected(index, w->blocks, acked), head.seq,
		     acked, clock_wall_ns() / NS_PER_US);
}

/* Read blocks first to first + count - 1 and judge them. */
static bool read_back(struct writer *w, unsigned char *buf, uint64_t first, uint64_t count)
{
	uint64_t began = clock_mono_ns();
	ssize_t n = pread(w->fd, buf, count * PROBE_BLOCK, (off_t)(first * PROBE_BLOCK));
	int err = n < 0 ? errno : EIO;

	if (n == (ssize_t)(count * PROBE_BLOCK)) {
		if (count == 1) {
			uint64_t took = clock_mono_ns() - began;

			hist_add(&w->section.read, took);
			hist_add(&w->total.read, took);
		}
		w->section.reads += count;
		w->total.reads += count;
		for (uint64_t i = 0; i < count; i++)
			judge(w, buf + i * PROBE_BLOCK, first + i);
		return true;
	}
	if (n < 0 && err == EINTR)
		return false;
	w->section.read_errors++;
	w->total.read_errors++;
	report_event(w->report, "ev=error op=read block=%" PRIu64 " errno=%d text=\"%s\" wall_us=%" PRIu64,
		     first, err, strerror(err), clock_wall_ns() / NS_PER_US);
	return false;
}

/* By turns the newest block (was it written?) and an older one (is it still?). */
static void verify_one(struct writer *w, uint64_t turn)
{
	uint64_t acked = atomic_load(&w->control->acked);
	uint64_t live = acked < w->blocks ? acked : w->blocks;
	uint64_t back = turn % 2 ? 0 : (turn * 2654435761U) % live;

	(void)read_back(w, w->buf, (acked - back) % w->blocks, 1);
}

/* Every block of the ring; an error is tried again a few times, and counted. */
static void verify_all(struct writer *w)
{
	uint64_t began = clock_mono_ns();

	for (uint64_t at = 0; at < w->blocks;) {
		uint64_t count = w->blocks - at < BULK_BLOCKS ? w->blocks - at : BULK_BLOCKS;

		for (unsigned tries = 0; tries < 5 && !read_back(w, w->bulk, at, count); tries++)
			clock_sleep_until(clock_mono_ns() + RETRY_NS);
		at += count;
	}
	report_event(w->report, "ev=verified blocks=%" PRIu64 " bad=%" PRIu64 " ms=%" PRIu64, w->blocks,
		     w->total.bad_blocks, (clock_mono_ns() - began) / NS_PER_MS);
}

static void end_section(struct writer *w)
{
	struct gaps *kept = &w->section.gaps;
	struct gaps gaps;

	summary_report(w, "section", &w->section);
	gaps = *kept;
	stats_init(&w->section, w->opt);
	gaps_clear(&gaps);
	w->section.gaps = gaps; /* the gap that is running belongs to the new section */
}

void writer_run(struct writer *w)
{
	struct clock_pace pace = clock_pace_begin(w->opt->pace_ns, w->opt->seconds);
	uint64_t writes = 0;

	while (!atomic_load(&w->control->stop)) {
		if (write_next(w)) {
			writes++;
			if (w->opt->verify_every && writes % w->opt->verify_every == 0)
				verify_one(w, writes / w->opt->verify_every);
		}
		if (atomic_exchange(&w->control->mark, false))
			end_section(w);
		if (atomic_exchange(&w->control->show, false))
			summary_report(w, "report", &w->total);
		if (!clock_pace_wait(&pace))
			break;
	}
	verify_all(w);
}

bool writer_clean(const struct writer *w)
{
	const struct writer_stats *s = &w->total;

	return !s->write_errors && !s->read_errors && !s->bad_blocks &&
	       !(w->locks && (w->locks->lost || w->locks->reclaim || w->locks->failures));
}
