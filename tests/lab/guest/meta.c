/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "meta.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

#define SIZE_LIMIT 512U /* a file holds 1 to so many bytes */

/* What came of one operation, and what it learnt. */
struct outcome {
	int err;          /* errno, or 0 */
	const char *part; /* what failed, when it is not the operation itself: "write", "close" */
	const char *name; /* in place of the operation's, when it is not one of ours */
	uint64_t size;
	uint64_t inode;
	uint64_t began_mono_ns;
	uint64_t began_wall_ns;
};

static int fail(struct meta *m, const char *what, int err)
{
	report_event(m->report, "ev=fatal what=%s file=%s errno=%d text=\"%s\"", what, m->opt->meta, err,
		     strerror(err));
	return -err;
}

static void stats_init(struct meta_stats *s, const struct options *opt)
{
	memset(s, 0, sizeof(*s));
	gaps_init(&s->gaps, opt->pace_ns, opt->gap_ns);
	s->begin_mono_ns = clock_mono_ns();
}

int meta_open(struct meta *m, const struct options *opt, struct report *report, struct control *control)
{
	memset(m, 0, sizeof(*m));
	m->opt = opt;
	m->report = report;
	m->control = control;
	dirmodel_init(&m->model);
	if (getrandom(&m->run, sizeof(m->run), 0) != (ssize_t)sizeof(m->run))
		return fail(m, "random", errno);
	m->random = m->run;
	if (mkdir(opt->meta, 0755) == 0)
		m->made_parent = true;
	else if (errno != EEXIST)
		return fail(m, "mkdir", errno);
	m->parent_fd = open(opt->meta, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->parent_fd < 0)
		return fail(m, "open", errno);
	snprintf(m->dir_name, sizeof(m->dir_name), "%.64s.%016" PRIx64, opt->name, m->run);
	if (mkdirat(m->parent_fd, m->dir_name, 0755))
		return fail(m, "mkdir", errno);
	m->dir_fd = openat(m->parent_fd, m->dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->dir_fd < 0)
		return fail(m, "open", errno);
	stats_init(&m->section, opt);
	stats_init(&m->total, opt);
	report_event(report,
		     "ev=start name=%s meta=%s/%s run=%016" PRIx64 " pace_ms=%" PRIu64 " wall_us=%" PRIu64
		     " mono_us=%" PRIu64,
		     opt->name, opt->meta, m->dir_name, m->run, opt->pace_ns / NS_PER_MS,
		     clock_wall_ns() / NS_PER_US, clock_mono_ns() / NS_PER_US);
	return 0;
}

/* ---- the operations themselves; each returns 0 or errno */

static int create_file(struct meta *m, const char *name, struct outcome *out)
{
	char text[SIZE_LIMIT];
	struct stat st;
	int fd = openat(m->dir_fd, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	int err = 0;

	if (fd < 0)
		return errno;
	out->size = 1 + dirmodel_random(&m->random) % SIZE_LIMIT;
	memset(text, 'x', sizeof(text));
	out->part = "write";
	if (write(fd, text, out->size) != (ssize_t)out->size)
		err = errno ? errno : EIO;
	else if (fstat(fd, &st))
		err = errno;
	else
		out->inode = st.st_ino;
	if (close(fd) && !err) { /* NFS writes back here */
		out->part = "close";
		err = errno;
	}
	return err;
}

/* From the server, not from the client's attribute cache. */
static void look(struct meta *m, const char *name, struct dirmodel_seen *seen, int *err)
{
	struct statx sx;

	*err = 0;
	if (statx(m->dir_fd, name, AT_SYMLINK_NOFOLLOW | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &sx)) {
		*err = errno;
		*seen = (struct dirmodel_seen){ .kind = errno == ENOENT ? DIRMODEL_ABSENT
									: DIRMODEL_UNKNOWN };
		return;
	}
	*seen = (struct dirmodel_seen){ .kind = S_ISDIR(sx.stx_mode) ? DIRMODEL_DIR : DIRMODEL_FILE,
					.links = sx.stx_nlink,
					.size = sx.stx_size,
					.inode = sx.stx_ino };
}

static int perform(struct meta *m, const struct dirmodel_op *op, struct outcome *out)
{
	char name[DIRMODEL_NAME_SIZE], to[DIRMODEL_NAME_SIZE];
	int rc = 0;

	dirmodel_name(op->name, name);
	dirmodel_name(op->to, to);
	errno = 0;
	switch (op->verb) {
	case DIRMODEL_CREATE:
		return create_file(m, name, out);
	case DIRMODEL_LINK:
		rc = linkat(m->dir_fd, name, m->dir_fd, to, 0);
		break;
	case DIRMODEL_RENAME:
		rc = renameat(m->dir_fd, name, m->dir_fd, to);
		break;
	case DIRMODEL_UNLINK:
		rc = unlinkat(m->dir_fd, name, 0);
		break;
	case DIRMODEL_MKDIR:
		rc = mkdirat(m->dir_fd, name, 0755);
		break;
	case DIRMODEL_RMDIR:
		rc = unlinkat(m->dir_fd, name, AT_REMOVEDIR);
		break;
	case DIRMODEL_STAT:
	case DIRMODEL_LIST:
	case DIRMODEL_VERBS:
		break; /* these report what they find themselves: below */
	}
	return rc ? errno : 0;
}

/* ---- what is wrong is reported, counted, and taken as it is */

static void complain(struct meta *m, const struct dirmodel_op *op, const char *what, const struct outcome *out)
{
	char name[DIRMODEL_NAME_SIZE], to[DIRMODEL_NAME_SIZE + 4] = "";
	bool bad = strcmp(what, "failed") != 0;

	dirmodel_name(op->name, name);
	if (op->verb == DIRMODEL_RENAME || op->verb == DIRMODEL_LINK) {
		memcpy(to, " to=", 4);
		dirmodel_name(op->to, to + 4);
	}
	m->total.violations += bad;
	m->section.violations += bad;
	m->total.errors += !bad;
	m->section.errors += !bad;
	report_event(m->report,
		     "ev=%s op=%s name=%s%s what=%s errno=%d text=\"%s\" ms=%.3f wall_us=%" PRIu64,
		     bad ? "bad" : "error", out->part ? out->part : dirmodel_verb_name(op->verb),
		     out->name ? out->name : name, to, what, out->err, strerror(out->err), (double)(clock_mono_ns() - out->began_mono_ns) / 1e6,
		     out->began_wall_ns / NS_PER_US);
}

static void adopt(struct meta *m, unsigned number)
{
	char name[DIRMODEL_NAME_SIZE];
	struct dirmodel_seen seen;
	int err;

	dirmodel_name(number, name);
	look(m, name, &seen, &err);
	dirmodel_adopt(&m->model, number, &seen);
}

static bool do_stat(struct meta *m, struct dirmodel_op *op, struct outcome *out)
{
	char name[DIRMODEL_NAME_SIZE];
	struct dirmodel_seen seen;
	const char *wrong;

	dirmodel_name(op->name, name);
	look(m, name, &seen, &out->err);
	wrong = seen.kind == DIRMODEL_UNKNOWN ? "failed" : dirmodel_differs(&m->model, op->name, &seen);
	if (wrong)
		complain(m, op, wrong, out);
	/* Also when all is well: a directory's inode is seen here first. */
	dirmodel_adopt(&m->model, op->name, &seen);
	return !wrong;
}

/* Read the directory anew, from its begin. */
static bool do_list(struct meta *m, struct dirmodel_op *op, struct outcome *out)
{
	struct dirmodel_listing listing;
	struct dirent *entry;
	bool good = true;
	int fd = openat(m->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	out->err = dir ? 0 : errno;
	dirmodel_list_begin(&listing);
	for (errno = 0; dir && (entry = readdir(dir)); errno = 0) {
		const char *wrong;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		wrong = dirmodel_list_entry(&listing, &m->model, entry->d_name);
		if (!wrong)
			continue;
		good = false;
		op->name = dirmodel_number(entry->d_name);
		out->name = entry->d_name;
		complain(m, op, wrong, out);
		out->name = NULL;
		if (op->name < DIRMODEL_NAMES)
			adopt(m, op->name);
	}
	if (dir && errno)
		out->err = errno;
	if (out->err) {
		complain(m, op, "failed", out);
	} else {
		for (unsigned n = 0; (n = dirmodel_list_missing(&listing, &m->model, n)) < DIRMODEL_NAMES; n++) {
			good = false;
			op->name = n;
			complain(m, op, "missing", out);
			adopt(m, n);
		}
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return good && !out->err;
}

static void note_completion(struct meta *m, enum dirmodel_verb verb, const struct outcome *out)
{
	struct meta_stats *both[] = { &m->section, &m->total };
	uint64_t mono = clock_mono_ns(), wall = clock_wall_ns(), took = mono - out->began_mono_ns;
	struct gap gap = { 0 };
	bool report = false;

	for (unsigned i = 0; i < 2; i++) {
		struct meta_stats *s = both[i];

		hist_add(&s->op, took);
		s->done[verb]++;
		if (took > s->longest_ns) {
			s->longest_ns = took;
			s->longest_wall_ns = out->began_wall_ns;
			s->longest_verb = verb;
		}
		report = gaps_note(&s->gaps, mono, wall, &gap);
	}
	atomic_fetch_add(&m->control->acked, 1);
	if (report)
		report_event(m->report,
			     "ev=gap ms=%.3f interval_ms=%.3f begin_wall_us=%" PRIu64
			     " begin_mono_us=%" PRIu64 " seq=%" PRIu64 " op=%s",
			     (double)gap.length_ns / 1e6, (double)gap.interval_ns / 1e6,
			     gap.begin_wall_ns / NS_PER_US, gap.begin_mono_ns / NS_PER_US,
			     atomic_load(&m->control->acked), dirmodel_verb_name(verb));
}

/* One operation with everything that belongs to it.  False when it was not as it must be. */
static bool step(struct meta *m, struct dirmodel_op op)
{
	struct outcome out = { .began_mono_ns = clock_mono_ns(), .began_wall_ns = clock_wall_ns() };
	enum dirmodel_verb verb = op.verb;
	bool good;

	if (verb == DIRMODEL_STAT || verb == DIRMODEL_LIST) {
		good = verb == DIRMODEL_STAT ? do_stat(m, &op, &out) : do_list(m, &op, &out);
		if (!out.err || good)
			note_completion(m, verb, &out);
		return good;
	}
	out.err = perform(m, &op, &out);
	if (out.err == 0) {
		dirmodel_done(&m->model, &op, out.size, out.inode);
		note_completion(m, verb, &out);
		return true;
	}
	if (out.part) /* the name was made; what is in it is not as it must be */
		complain(m, &op, "failed", &out);
	else
		complain(m, &op, dirmodel_judge(verb, out.err) == DIRMODEL_REPLAYED ? "replayed" : "failed", &out);
	adopt(m, op.name);
	if (verb == DIRMODEL_RENAME || verb == DIRMODEL_LINK)
		adopt(m, op.to);
	return false;
}

/* Names that could not be looked at after an error are looked at until they can be. */
static void look_again(struct meta *m)
{
	for (unsigned n = 0; n < DIRMODEL_NAMES; n++)
		if (m->model.kind[n] == DIRMODEL_UNKNOWN)
			adopt(m, n);
}

static void end_section(struct meta *m)
{
	struct gaps gaps = m->section.gaps;

	meta_report(m, "section", &m->section);
	stats_init(&m->section, m->opt);
	gaps_clear(&gaps);
	m->section.gaps = gaps; /* the gap that is running belongs to the new section */
}

/* Everything is looked at once more, removed, and must be gone. */
static void finish(struct meta *m)
{
	uint64_t began = clock_mono_ns();

	look_again(m);
	(void)step(m, (struct dirmodel_op){ .verb = DIRMODEL_LIST });
	for (unsigned n = 0; n < DIRMODEL_NAMES; n++)
		(void)step(m, (struct dirmodel_op){ .verb = DIRMODEL_STAT, .name = n });
	/* Twice: what failed once may work when tried again. */
	for (unsigned i = 0; i < 2 * DIRMODEL_NAMES; i++) {
		struct dirmodel_op op = { .name = i % DIRMODEL_NAMES };

		if (m->model.kind[op.name] != DIRMODEL_FILE && m->model.kind[op.name] != DIRMODEL_DIR)
			continue;
		op.verb = m->model.kind[op.name] == DIRMODEL_DIR ? DIRMODEL_RMDIR : DIRMODEL_UNLINK;
		(void)step(m, op);
	}
	look_again(m);
	(void)step(m, (struct dirmodel_op){ .verb = DIRMODEL_LIST });
	close(m->dir_fd);
	if (unlinkat(m->parent_fd, m->dir_name, AT_REMOVEDIR)) {
		struct outcome out = { .err = errno, .part = "clean", .began_mono_ns = clock_mono_ns(),
				       .began_wall_ns = clock_wall_ns() };

		complain(m, &(struct dirmodel_op){ .verb = DIRMODEL_RMDIR }, "failed", &out);
	}
	close(m->parent_fd);
	if (m->made_parent)
		(void)rmdir(m->opt->meta); /* somebody else's files may be in it by now */
	report_event(m->report, "ev=verified violations=%" PRIu64 " errors=%" PRIu64 " ms=%" PRIu64,
		     m->total.violations, m->total.errors, (clock_mono_ns() - began) / NS_PER_MS);
}

void meta_run(struct meta *m)
{
	struct clock_pace pace = clock_pace_begin(m->opt->pace_ns, m->opt->seconds);

	while (!atomic_load(&m->control->stop)) {
		struct dirmodel_op op;

		dirmodel_choose(&m->model, dirmodel_random(&m->random), &op);
		if (!step(m, op))
			look_again(m);
		if (atomic_exchange(&m->control->mark, false))
			end_section(m);
		if (atomic_exchange(&m->control->show, false))
			meta_report(m, "report", &m->total);
		if (!clock_pace_wait(&pace))
			break;
	}
	finish(m);
}

bool meta_clean(const struct meta *m)
{
	return !m->total.errors && !m->total.violations;
}
