/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "ganesha_conf.h"
#include "ganesha_priv.h"
#include "log.h"

enum { CONFIG_MAX = 16384 };

static const char *where = "ganesha";

static const char *const phase_words[] = {
	[PHASE_NONE] = "none",
	[PHASE_STARTING] = "starting",
	[PHASE_WARM] = "warm",
	[PHASE_ACTIVATING] = "activating",
	[PHASE_SERVING] = "serving",
	[PHASE_RELEASED] = "released",
};

int ganesha_path(const struct ganesha *g, const char *name, char *buf, size_t size, struct err *err)
{
	int n = snprintf(buf, size, "%s/%s", g->run_dir, name);

	if (n < 0 || (size_t)n >= size)
		return err_set(err, ERR_INPUT, ENAMETOOLONG, where, "the run directory's path is too long");
	return 0;
}

/* Writes beside it and renames; sync: it survives a power cut. */
static int write_whole(const char *path, const char *text, size_t len, bool sync, struct err *err)
{
	char tmp[PATH_MAX];
	AUTO_CLOSE int fd = -1;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.new", path) >= sizeof(tmp))
		return err_set(err, ERR_INPUT, ENAMETOOLONG, where, "path too long: %.64s...", path);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0 || write(fd, text, len) != (ssize_t)len || (sync && fsync(fd) < 0) ||
	    rename(tmp, path) < 0)
		return err_set(err, ERR_SYSTEM, errno ? errno : EIO, where, "cannot write %s", path);
	return 0;
}

static int write_run_file(const struct ganesha *g, const char *name, const char *text, size_t len,
			  struct err *err)
{
	char path[PATH_MAX];
	int ret = ganesha_path(g, name, path, sizeof(path), err);

	return ret < 0 ? ret : write_whole(path, text, len, false, err);
}

/* ---- configuration */

static int write_bus_config(const struct ganesha *g, struct err *err)
{
	char text[PATH_MAX + 1024];
	int n = snprintf(text, sizeof(text),
			 "<busconfig>\n"
			 "  <listen>unix:path=%s/bus</listen>\n"
			 "  <auth>EXTERNAL</auth>\n"
			 "  <policy context=\"default\">\n"
			 "    <allow own=\"*\"/>\n"
			 "    <allow send_destination=\"*\"/>\n"
			 "    <allow receive_sender=\"*\"/>\n"
			 "  </policy>\n"
			 "</busconfig>\n",
			 g->run_dir);

	return write_run_file(g, "bus.conf", text, (size_t)n, err);
}

static int too_long(struct err *err)
{
	return err_set(err, ERR_INTERNAL, ENOSPC, where, "a configuration file does not fit its buffer");
}

static int write_rehearsal(const struct ganesha *g, struct err *err)
{
	char text[PATH_MAX + 1024];
	int n = ganesha_conf_rehearsal(g->run_dir, text, sizeof(text));

	return n < 0 ? too_long(err) : write_run_file(g, "rehearsal.conf", text, (size_t)n, err);
}

/* ganesha.conf for the warm one, export-<id>.conf for AddExport, cold.conf with all. */
int ganesha_write_configs(struct ganesha *g, struct err *err)
{
	struct ganesha_paths paths = {
		.state_dir = g->state_dir,
		.plugins_dir = g->plugins_dir[0] ? g->plugins_dir : NULL,
	};
	size_t size = (CONF_EXPORTS_MAX + 1) * (size_t)CONFIG_MAX, at;
	AUTO_FREE char *all = malloc(size);
	char plugins[PATH_MAX], socket[PATH_MAX];
	int ret, n, more = 0;

	if (!all)
		return err_set(err, ERR_SYSTEM, ENOMEM, where, "out of memory");
	ganesha_module_prepare(g, plugins, socket);
	if (g->module_used) {
		paths.plugins_dir = plugins;
		paths.module_socket = socket;
	}
	n = ganesha_conf_core(g->group, g->node, &paths, all, size);
	if (n < 0)
		return too_long(err);
	at = (size_t)n;
	if (g->module_used)
		more = ganesha_conf_no_export(all + at, size - at);
	if (more < 0)
		return too_long(err);
	ret = write_bus_config(g, err);
	if (ret == 0)
		ret = write_run_file(g, "ganesha.conf", all, at + (size_t)more, err);
	if (ret == 0 && g->module_used)
		ret = write_rehearsal(g, err);
	for (size_t i = 0; i < g->group->n_exports && ret == 0; i++) {
		char name[32];

		n = ganesha_conf_export(g->group, &g->group->exports[i], g->module_used, all + at, size - at);
		if (n < 0)
			return too_long(err);
		snprintf(name, sizeof(name), "export-%u.conf", g->group->exports[i].id);
		ret = write_run_file(g, name, all + at, (size_t)n, err);
		at += (size_t)n;
	}
	return ret < 0 ? ret : write_run_file(g, "cold.conf", all, at, err);
}

void ganesha_write_blkid(const struct ganesha *g)
{
	char text[512];
	struct stat st;
	int n;

	if (stat(g->group->drbd.device, &st) < 0 || !S_ISBLK(st.st_mode))
		return;
	/* a second ago: the server's clock may be behind by a part of one, and libblkid
	 * reads the device anew when this is in its future, or two seconds old */
	n = snprintf(text, sizeof(text), "<device DEVNO=\"0x%04llx\" TIME=\"%lld.0\" UUID=\"%s\" TYPE=\"%s\">%s</device>\n",
		     (unsigned long long)st.st_rdev, (long long)time(NULL) - 1, g->group->fs.uuid, g->group->fs.type,
		     g->group->drbd.device);
	write_run_file(g, "blkid.tab", text, (size_t)n, NULL);
}

/* ---- the server epoch */

/*
 * Client ids, state ids and the write verifier begin with it, so no two tenures
 * of the pair may share one: the lowest bit is the node, the rest is the time
 * in units of two seconds, or what follows the last one.
 */
int ganesha_next_epoch(const struct ganesha *g, uint64_t *epoch, struct err *err)
{
	uint64_t last = 0, node = (uint64_t)g->node, next = (uint64_t)time(NULL) / 2 * 2 + node;
	char path[PATH_MAX + 32], text[32] = "";
	AUTO_CLOSE int fd = -1;
	int n;

	snprintf(path, sizeof(path), "%s/%s/server-epoch", g->state_dir, g->group->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		last = strtoull(text, NULL, 10);
	if (next <= last)
		next = last / 2 * 2 + 2 + node;
	if (next > UINT32_MAX)
		return err_set(err, ERR_REFUSED, ERANGE, where, "no server epoch after %" PRIu64 " (in %s)",
			       last, path);
	n = snprintf(text, sizeof(text), "%" PRIu64 "\n", next);
	*epoch = next;
	return write_whole(path, text, (size_t)n, true, err);
}

/* ---- the tenure file */

int ganesha_tenure_write(const struct ganesha *g, struct err *err)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "%d %" PRIu64 " %" PRIu64 " %s\n", (int)g->server.pid,
			 g->server.start_time, g->tenure, phase_words[g->phase]);

	return write_run_file(g, "ganesha.tenure", text, (size_t)n, err);
}

void ganesha_tenure_remove(const struct ganesha *g)
{
	char path[PATH_MAX];

	if (ganesha_path(g, "ganesha.tenure", path, sizeof(path), NULL) == 0)
		unlink(path);
}

int ganesha_tenure_read(const struct ganesha *g, struct tenure_record *out)
{
	char path[PATH_MAX], text[128] = "", word[16] = "";
	AUTO_CLOSE int fd = -1;
	int pid;

	if (ganesha_path(g, "ganesha.tenure", path, sizeof(path), NULL) < 0)
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -ENOENT;
	if (sscanf(text, "%d %" SCNu64 " %" SCNu64 " %15s", &pid, &out->start_time, &out->tenure,
		   word) != 4 || pid <= 1)
		return -ENOENT;
	out->pid = pid;
	/* what cannot be read is taken for the most that it can have done */
	out->phase = PHASE_ACTIVATING;
	for (size_t i = 0; i < sizeof(phase_words) / sizeof(*phase_words); i++)
		if (!strcmp(word, phase_words[i]))
			out->phase = (enum phase)i;
	return 0;
}

/* ---- client records */

static int clear_db(const struct ganesha *g, enum clients_db db, struct err *err)
{
	char path[PATH_MAX];
	int ret = clients_db_path(g->state_dir, g->group->name, db, path, sizeof(path), err);

	return ret < 0 ? ret : clients_tree_clear(path, err);
}

/* The order is such that a crash leaves at least one whole set behind. */
int ganesha_gather_records(const struct ganesha *g, enum clients_db into, struct err *err)
{
	bool installed = clients_mark_get(g->state_dir, g->group->name);
	struct client_set set = {0};
	char path[PATH_MAX];
	int ret = clients_read_database(g->state_dir, g->group->name, &set, err);

	if (ret == 0 && installed && into != CLIENTS_DB_TAKEOVER)
		ret = clear_db(g, into, err);
	if (ret == 0)
		ret = clients_db_path(g->state_dir, g->group->name, into, path, sizeof(path), err);
	if (ret == 0)
		ret = clients_tree_write(path, &set, err);
	if (ret == 0 && into != CLIENTS_DB_TAKEOVER)
		ret = clients_mark_set(g->state_dir, g->group->name, false, err);
	for (int db = 0; db < CLIENTS_DBS && ret == 0; db++)
		if (db != (int)into)
			ret = clear_db(g, (enum clients_db)db, err);
	client_set_free(&set);
	return ret;
}
