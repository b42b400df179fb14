/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal between the cores and the file: lines, sequence, compaction. */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clocks.h"
#include "journal_line.h"
#include "log.h"

enum { COMPACT_ABOVE = 256 * 1024, COMPACT_RUNNING = 1024 * 1024 };

/* What the records in the file add up to: what compaction keeps. */
static void fold(struct engine *e, const struct journal_rec *rec)
{
	for (size_t i = 0; i < e->n_groups; i++)
		if (!strcmp(e->groups[i].conf->name, rec->group))
			journal_fold(&e->journal_states[i], rec);
}

int engine_journal_write(struct engine *e, struct journal_rec *rec, struct err *err)
{
	bool lazy = !strcmp(rec->kind, "intent");
	char line[JOURNAL_LINE_MAX];
	int n, ret;

	pthread_mutex_lock(&e->journal_lock);
	rec->seq = ++e->journal_seq;
	rec->wall_us = wall_us();
	n = journal_line_encode(rec, line, sizeof(line), err);
	if (n < 0)
		ret = n;
	else if (lazy)
		ret = journal_file_append_lazily(e->journal, line, (size_t)n, err);
	else
		ret = journal_file_append(e->journal, line, (size_t)n, err);
	if (ret == 0)
		fold(e, rec);
	atomic_store(&e->journal_len, journal_file_length(e->journal));
	pthread_mutex_unlock(&e->journal_lock);
	if (ret < 0)
		atomic_store(&e->journal_bad, true);
	else if (atomic_load(&e->journal_bad))
		atomic_store(&e->journal_bad, journal_file_poisoned(e->journal));
	return ret;
}

static int put_line(struct engine *e, struct journal_rec *rec, char *buf, size_t room, struct err *err)
{
	rec->seq = ++e->journal_seq;
	if (!rec->wall_us)
		rec->wall_us = wall_us();
	return journal_line_encode(rec, buf, room, err);
}

static void fill_start(const struct engine *e, struct journal_rec *rec)
{
	memset(rec, 0, sizeof(*rec));
	snprintf(rec->kind, sizeof(rec->kind), "start");
	rec->owner = e->spec.self;
	snprintf(rec->boot_id, sizeof(rec->boot_id), "%s", e->boot_id);
	snprintf(rec->text, sizeof(rec->text), "%s", e->node_names[e->spec.self]);
}

/* A start record, and what all others add up to. Under journal_lock, or alone. */
static int compact(struct engine *e, struct err *err)
{
	struct journal_rec recs[JOURNAL_SUMMARY_MAX];
	size_t cap = (CONF_GROUPS_MAX * (size_t)JOURNAL_SUMMARY_MAX + 1) * JOURNAL_LINE_MAX, len;
	AUTO_FREE char *buf = malloc(cap);
	int w;

	if (!buf)
		return err_set(err, ERR_SYSTEM, ENOMEM, "journal", "no memory");
	fill_start(e, &recs[0]);
	w = put_line(e, &recs[0], buf, cap, err);
	len = w < 0 ? 0 : (size_t)w;
	for (size_t i = 0; w >= 0 && i < e->n_groups; i++) {
		size_t n = journal_summary(&e->journal_states[i], e->groups[i].conf->name, recs);

		for (size_t k = 0; w >= 0 && k < n; k++) {
			w = put_line(e, &recs[k], buf + len, cap - len, err);
			len += w < 0 ? 0 : (size_t)w;
		}
	}
	return w < 0 ? w : journal_file_rewrite(e->journal, buf, len, err);
}

static void compact_fn(void *arg)
{
	struct engine *e = arg;
	struct err err;
	int ret;

	err_clear(&err);
	pthread_mutex_lock(&e->journal_lock);
	ret = compact(e, &err);
	/* when it failed: not again before the next record */
	atomic_store(&e->journal_len, ret < 0 ? 0 : journal_file_length(e->journal));
	pthread_mutex_unlock(&e->journal_lock);
	if (ret < 0)
		log_warn("the journal is long and could not be made shorter: %s: %s", err.where, err.msg);
	if (journal_file_poisoned(e->journal))
		atomic_store(&e->journal_bad, true);
}

static void compact_done(void *arg)
{
	struct engine *e = arg;

	e->compacting = false;
}

/* A step would wait for it; one that is tried again and again may. */
static bool may_compact(struct engine *e, unsigned long len)
{
	for (size_t i = 0; i < e->n_groups; i++) {
		struct group_view v;

		group_look(e->groups[i].core, &v);
		if (v.state == GS_STANDBY || v.state == GS_ACTIVE)
			continue;
		if (len < 4 * COMPACT_RUNNING || (v.state != GS_ACTIVATING && v.state != GS_STANDING_DOWN))
			return false;
	}
	return true;
}

void engine_journal_compact(struct engine *e)
{
	unsigned long len = atomic_load(&e->journal_len);

	if (e->compacting || len < COMPACT_RUNNING || !may_compact(e, len))
		return;
	e->compacting = lane_submit(e->journal_lane, compact_fn, compact_done, e) == 0;
}

/* Records speak of nodes by index: read as the other node's they turn everything round. */
static int check_node(const struct engine *e, const struct journal_rec *r, struct err *err)
{
	if (strcmp(r->kind, "start") || r->owner == NODE_NONE || r->owner == e->spec.self)
		return 0;
	err_set(err, ERR_REFUSED, EINVAL, "journal",
		"it was written by node %d of the configuration (then %.31s), this nasd is node %d (%s)", r->owner + 1,
		r->text, e->spec.self + 1, e->node_names[e->spec.self]);
	err_remedy(err, "run nasd under this host's own name (--node), and keep the nodes in the order that nasd.conf had");
	return -EINVAL;
}

static int fold_all(struct engine *e, const char *text, size_t len, struct journal_scan *scan, struct err *err)
{
	struct journal_rec rec;
	int ret;

	journal_scan_init(scan, text, len);
	while ((ret = journal_scan_next(scan, &rec, err)) > 0) {
		ret = check_node(e, &rec, err);
		if (ret < 0)
			return ret;
		e->journal_seq = rec.seq;
		fold(e, &rec);
	}
	return ret;
}

int engine_journal_open(struct engine *e, struct err *err)
{
	struct journal_rec start;
	struct journal_scan scan;
	char path[CONF_PATH_MAX];
	AUTO_FREE unsigned char *data = NULL;
	size_t len;
	int ret;

	snprintf(path, sizeof(path), "%s/journal", e->spec.state_dir);
	for (size_t i = 0; i < e->n_groups; i++)
		journal_state_init(&e->journal_states[i]);
	ret = journal_file_open(path, &e->journal, err);
	if (ret < 0)
		return ret;
	ret = journal_file_read(e->journal, &data, &len, err);
	if (ret < 0)
		return ret;
	ret = fold_all(e, (const char *)data, len, &scan, err);
	if (ret < 0)
		return ret;
	if (scan.torn) {
		log_warn("%s: the last record was cut short by a crash; the effect it announced was not begun", path);
		ret = journal_file_truncate(e->journal, scan.torn_at, err);
		if (ret < 0)
			return ret;
	}
	if (len > COMPACT_ABOVE)
		return compact(e, err);
	fill_start(e, &start);
	return engine_journal_write(e, &start, err);
}
