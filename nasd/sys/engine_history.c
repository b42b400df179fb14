/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finished moves: one JSON object per line in state_dir/history.jsonl, the
 * newest HISTORY_MAX in memory. For people and programs to read; nothing is
 * decided by it, so a line that cannot be written is logged and passed over.
 */
#include "engine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "log.h"

enum { FILE_MAX = 16 << 20 };

struct line_job {
	char path[CONF_PATH_MAX];
	char *text;
};

static void trim(struct engine *e)
{
	while (json_array_size(e->history) > HISTORY_MAX)
		json_array_remove(e->history, 0);
}

/* A new file begins; the old one stays beside it for the curious. */
static void rotate(const char *path)
{
	char old[CONF_PATH_MAX + 8];

	snprintf(old, sizeof(old), "%s.old", path);
	if (rename(path, old) < 0)
		log_warn("%s: cannot be rotated: %s", path, strerror(errno));
}

int engine_history_open(struct engine *e, struct err *err)
{
	char *line = NULL;
	size_t cap = 0, lines = 0;
	ssize_t n;
	FILE *f;

	e->history = json_array();
	if (!e->history)
		return err_set(err, ERR_SYSTEM, ENOMEM, "history", "no memory");
	snprintf(e->history_path, sizeof(e->history_path), "%s/history.jsonl", e->spec.state_dir);
	f = fopen(e->history_path, "re");
	if (!f)
		return 0;
	while ((n = getline(&line, &cap, f)) > 0) {
		json_t *entry = json_loadb(line, (size_t)n, 0, NULL);

		lines++;
		if (json_is_object(entry))
			json_array_append(e->history, entry);
		json_decref(entry);
		trim(e);
	}
	free(line);
	fclose(f);
	if (lines > 10 * (size_t)HISTORY_MAX && json_array_size(e->history))
		rotate(e->history_path);
	return 0;
}

static void write_line(void *arg)
{
	struct line_job *j = arg;
	AUTO_CLOSE int fd = -1;
	size_t len = strlen(j->text);
	struct stat st;

	/* a server that dies again and again is a move each time */
	if (stat(j->path, &st) == 0 && st.st_size > FILE_MAX)
		rotate(j->path);
	fd = open(j->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, j->text, len) != (ssize_t)len)
		log_warn("%s: cannot be written: %s", j->path, strerror(errno));
}

static void line_done(void *arg)
{
	struct line_job *j = arg;

	free(j->text);
	free(j);
}

static void write_entry(struct engine *e, json_t *entry)
{
	struct line_job *j = calloc(1, sizeof(*j));
	char *text = json_dumps(entry, JSON_COMPACT);

	if (!j || !text || asprintf(&j->text, "%s\n", text) < 0) {
		free(j);
		free(text);
		return;
	}
	free(text);
	snprintf(j->path, sizeof(j->path), "%s", e->history_path);
	if (lane_submit(e->journal_lane, write_line, line_done, j) < 0)
		line_done(j);
}

/* The group's newest entry, when it is provisional: dropped when it is of the
 * same move (a better one comes), written as it is when not. */
static void settle_provisional(struct egroup *g, const struct switch_log *log)
{
	json_t *list = g->e->history;

	for (size_t n = json_array_size(list); n-- > 0;) {
		json_t *h = json_array_get(list, n);
		const char *group = json_string_value(json_object_get(h, "group"));
		const char *kind = json_string_value(json_object_get(h, "kind"));

		if (!group || !kind || strcmp(group, g->conf->name))
			continue;
		if (!json_object_get(h, "provisional"))
			return;
		if (!strcmp(kind, switch_kind_name(log->kind)) &&
		    json_integer_value(json_object_get(h, "epoch")) == (json_int_t)log->epoch) {
			json_array_remove(list, n);
		} else {
			json_object_del(h, "provisional");
			write_entry(g->e, h);
		}
		return;
	}
}

void engine_history_add(struct egroup *g, const struct switch_log *log, bool provisional)
{
	struct engine *e = g->e;
	json_t *entry = engine_log_json(g, log);

	settle_provisional(g, log);
	if (!entry)
		return;
	if (provisional)
		json_object_set_new(entry, "provisional", json_true());
	else
		write_entry(e, entry);
	json_array_append_new(e->history, entry);
	trim(e);
}
