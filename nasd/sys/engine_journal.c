/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal between the cores and the file: lines, sequence, compaction. */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "journal_line.h"
#include "log.h"

enum { COMPACT_ABOVE = 256 * 1024 };

int engine_journal_write(struct engine *e, struct journal_rec *rec, struct err *err)
{
	char line[JOURNAL_LINE_MAX];
	int n, ret;

	pthread_mutex_lock(&e->journal_lock);
	rec->seq = ++e->journal_seq;
	rec->wall_us = engine_wall_us();
	n = journal_line_encode(rec, line, sizeof(line), err);
	ret = n < 0 ? n : journal_file_append(e->journal, line, (size_t)n, err);
	pthread_mutex_unlock(&e->journal_lock);
	if (ret < 0)
		atomic_store(&e->journal_bad, true);
	else if (atomic_load(&e->journal_bad))
		atomic_store(&e->journal_bad, journal_file_poisoned(e->journal));
	return ret;
}

static struct journal_state *state_of(struct engine *e, struct journal_state *states, const char *group)
{
	for (size_t i = 0; i < e->n_groups; i++)
		if (!strcmp(e->groups[i].conf->name, group))
			return &states[i];
	return NULL;
}

static int compact(struct engine *e, const struct journal_state *states, struct err *err)
{
	struct journal_rec recs[JOURNAL_SUMMARY_MAX];
	size_t cap = CONF_GROUPS_MAX * (size_t)JOURNAL_SUMMARY_MAX * JOURNAL_LINE_MAX, len = 0;
	AUTO_FREE char *buf = malloc(cap);

	if (!buf)
		return err_set(err, ERR_SYSTEM, ENOMEM, "journal", "no memory");
	for (size_t i = 0; i < e->n_groups; i++) {
		size_t n = journal_summary(&states[i], e->groups[i].conf->name, recs);

		for (size_t k = 0; k < n; k++) {
			int w;

			recs[k].seq = ++e->journal_seq;
			recs[k].wall_us = engine_wall_us();
			w = journal_line_encode(&recs[k], buf + len, cap - len, err);
			if (w < 0)
				return w;
			len += (size_t)w;
		}
	}
	return journal_file_rewrite(e->journal, buf, len, err);
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

static int fold_all(struct engine *e, const char *text, size_t len, struct journal_state *states,
		    struct journal_scan *scan, struct err *err)
{
	struct journal_rec rec;
	int ret;

	journal_scan_init(scan, text, len);
	while ((ret = journal_scan_next(scan, &rec, err)) > 0) {
		struct journal_state *s = state_of(e, states, rec.group);

		ret = check_node(e, &rec, err);
		if (ret < 0)
			return ret;
		e->journal_seq = rec.seq;
		if (s)
			journal_fold(s, &rec);
	}
	return ret;
}

int engine_journal_open(struct engine *e, struct journal_state *states, struct err *err)
{
	struct journal_rec start = { .kind = "start", .owner = e->spec.self };
	struct journal_scan scan;
	char path[CONF_PATH_MAX];
	AUTO_FREE unsigned char *data = NULL;
	size_t len;
	int ret;

	snprintf(path, sizeof(path), "%s/journal", e->spec.state_dir);
	for (size_t i = 0; i < e->n_groups; i++)
		journal_state_init(&states[i]);
	ret = journal_file_open(path, &e->journal, err);
	if (ret < 0)
		return ret;
	ret = journal_file_read(e->journal, &data, &len, err);
	if (ret < 0)
		return ret;
	ret = fold_all(e, (const char *)data, len, states, &scan, err);
	if (ret < 0)
		return ret;
	if (scan.torn) {
		log_warn("%s: the last record was cut short by a crash; the effect it announced was not begun", path);
		ret = journal_file_truncate(e->journal, scan.torn_at, err);
		if (ret < 0)
			return ret;
	}
	if (len > COMPACT_ABOVE) {
		ret = compact(e, states, err);
		if (ret < 0)
			return ret;
	}
	snprintf(start.boot_id, sizeof(start.boot_id), "%s", e->boot_id);
	snprintf(start.text, sizeof(start.text), "%s", e->node_names[e->spec.self]);
	return engine_journal_write(e, &start, err);
}
