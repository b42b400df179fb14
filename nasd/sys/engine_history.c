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
#include <unistd.h>

#include "cleanup.h"
#include "log.h"

struct line_job {
	char path[CONF_PATH_MAX];
	char *text;
};

static void trim(struct engine *e)
{
	while (json_array_size(e->history) > HISTORY_MAX)
		json_array_remove(e->history, 0);
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
	if (lines > 10 * (size_t)HISTORY_MAX && json_array_size(e->history)) {
		/* start a new file; the old one stays beside it for the curious */
		char old[CONF_PATH_MAX + 8];

		snprintf(old, sizeof(old), "%s.old", e->history_path);
		if (rename(e->history_path, old) < 0)
			log_warn("%s: cannot be rotated: %s", e->history_path, strerror(errno));
	}
	return 0;
}

static void write_line(void *arg)
{
	struct line_job *j = arg;
	AUTO_CLOSE int fd = open(j->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	size_t len = strlen(j->text);

	if (fd < 0 || write(fd, j->text, len) != (ssize_t)len)
		log_warn("%s: cannot be written: %s", j->path, strerror(errno));
}

static void line_done(void *arg)
{
	struct line_job *j = arg;

	free(j->text);
	free(j);
}

void engine_history_add(struct egroup *g, const struct switch_log *log)
{
	struct engine *e = g->e;
	json_t *entry = engine_log_json(g, log);
	struct line_job *j = calloc(1, sizeof(*j));
	char *text = entry ? json_dumps(entry, JSON_COMPACT) : NULL;

	if (entry) {
		json_array_append(e->history, entry);
		trim(e);
	}
	json_decref(entry);
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
