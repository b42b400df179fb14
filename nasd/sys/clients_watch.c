/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The active's side: what ganesha's recovery database of a group holds. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "cleanup.h"
#include "clients_tree.h"

struct clients_watch {
	int inotify;
	char paths[CLIENTS_DBS][PATH_MAX];
	char state_dir[PATH_MAX - 64], group[NAME_MAX_LEN];
	struct client_set last; /* to know when to sync */
};

static int read_all(char paths[CLIENTS_DBS][PATH_MAX], bool installed, int inotify,
		    struct client_set *out, struct err *err)
{
	int ret = 0;

	client_set_clear(out);
	if (installed)
		return clients_tree_read(paths[CLIENTS_DB_TAKEOVER], inotify, out, err);
	/* From where ganesha moves records to where it moves them, so that none
	 * is missed: takeover -> old -> recov. */
	for (int db = CLIENTS_DBS - 1; db >= 0 && ret == 0; db--)
		ret = clients_tree_read(paths[db], inotify, out, err);
	return ret;
}

static int all_paths(const char *state_dir, const char *group, char paths[CLIENTS_DBS][PATH_MAX],
		     struct err *err)
{
	int ret = 0;

	for (int db = 0; db < CLIENTS_DBS && ret == 0; db++)
		ret = clients_db_path(state_dir, group, (enum clients_db)db, paths[db], PATH_MAX, err);
	return ret;
}

int clients_read_database(const char *state_dir, const char *group, struct client_set *out,
			  struct err *err)
{
	char paths[CLIENTS_DBS][PATH_MAX];
	int ret = all_paths(state_dir, group, paths, err);

	if (ret < 0)
		return ret;
	return read_all(paths, clients_mark_get(state_dir, group), -1, out, err);
}

int clients_watch_new(const char *state_dir, const char *group, struct clients_watch **out,
		      struct err *err)
{
	struct clients_watch *w = calloc(1, sizeof(*w));
	int ret;

	if (!w)
		return err_set(err, ERR_SYSTEM, ENOMEM, "client records", "out of memory");
	snprintf(w->state_dir, sizeof(w->state_dir), "%s", state_dir ? state_dir : CLIENTS_STATE_DIR);
	snprintf(w->group, sizeof(w->group), "%s", group);
	w->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	ret = w->inotify < 0
		      ? err_set(err, ERR_SYSTEM, errno, "client records", "cannot watch them")
		      : all_paths(state_dir, group, w->paths, err);
	for (int db = 0; db < CLIENTS_DBS && ret == 0; db++)
		ret = clients_mkdirs(w->paths[db], err);
	/* the first scan finds what is there and adds the watches */
	if (ret == 0)
		ret = clients_watch_scan(w, &w->last, err);
	if (ret < 0) {
		clients_watch_free(w);
		return ret;
	}
	*out = w;
	return 0;
}

void clients_watch_free(struct clients_watch *w)
{
	if (!w)
		return;
	if (w->inotify >= 0)
		close(w->inotify);
	client_set_free(&w->last);
	free(w);
}

int clients_watch_fd(const struct clients_watch *w)
{
	return w->inotify;
}

static int changed(enum clients_op op, const struct client_entry *e, void *data)
{
	(void)op, (void)e, (void)data;
	return 1;
}

/* Every directory is watched, also those that are not to be read now. */
static int watch_all(struct clients_watch *w, struct client_set *out, struct err *err)
{
	int ret = read_all(w->paths, false, w->inotify, out, err);

	if (ret == 0 && clients_mark_get(w->state_dir, w->group))
		ret = read_all(w->paths, true, w->inotify, out, err);
	return ret;
}

int clients_watch_scan(struct clients_watch *w, struct client_set *out, struct err *err)
{
	char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	int ret;

	/* Which event it was does not matter: all is read again. */
	while (read(w->inotify, events, sizeof(events)) > 0)
		;
	ret = watch_all(w, out, err);
	if (ret < 0 || out == &w->last || !clients_diff(&w->last, out, changed, NULL))
		return ret;
	/* ganesha does not sync its mkdir: a power cut could lose a client */
	ret = clients_sync_dir(w->paths[CLIENTS_DB_RECOV], err);
	if (ret == 0 && client_set_copy(&w->last, out) < 0)
		ret = err_set(err, ERR_SYSTEM, ENOMEM, "client records", "out of memory");
	return ret;
}

int clients_records_sync(const char *state_dir, const char *group, const struct client_set *set, struct err *err)
{
	char path[PATH_MAX];
	int ret = clients_db_path(state_dir, group, CLIENTS_DB_RECOV, path, sizeof(path), err);

	return ret < 0 ? ret : clients_tree_sync(path, set, err);
}

/* ---- where the next grace reads them */

int clients_install(const char *state_dir, const char *group, const struct client_set *set,
		    struct err *err)
{
	char path[PATH_MAX];
	struct client_set there = {0}, want = {0};
	int ret = clients_db_path(state_dir, group, CLIENTS_DB_TAKEOVER, path, sizeof(path), err);

	if (ret == 0)
		ret = clients_mkdirs(path, err);
	for (size_t i = 0; i < set->n && ret == 0; i++)
		if (set->entries[i]->kind == CLIENT_RECORD)
			ret = client_set_put(&want, CLIENT_RECORD, set->entries[i]->text);
	if (ret == 0)
		ret = clients_tree_read(path, -1, &there, err);
	/* mostly it was installed before the freeze, and nothing is left to do */
	if (ret == 0 && clients_diff(&there, &want, changed, NULL)) {
		ret = clients_tree_clear(path, err);
		if (ret == 0)
			ret = clients_tree_write(path, &want, err);
	}
	if (ret == 0 && !clients_mark_get(state_dir, group))
		ret = clients_mark_set(state_dir, group, true, err);
	client_set_free(&there);
	client_set_free(&want);
	return ret;
}
