/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "clocks.h"
#include "ganesha_priv.h"
#include "ganesha_rehearse.h"
#include "log.h"

enum {
	KILL_US = 2000000,
	TROUBLE_US = 10000000,
	PROVE_US = 1500000,
	PROVE_LOOK_US = 10000,
	GREET_US = 1000000, /* a bus greets at once or not at all */
	RETRY_US = 500, /* when another export operation holds ganesha's lock */
	IDS_MAX = 4 * CONF_EXPORTS_MAX,
};

static const char *where = "ganesha";

/* ---- life of the handle */

static void copy_default(char *to, size_t size, const char *value, const char *or_this)
{
	snprintf(to, size, "%s", value ? value : or_this);
}

int ganesha_new(const struct conf_group *group, int node, const struct ganesha_env *env,
		struct ganesha **out, struct err *err)
{
	static const struct ganesha_env none;
	struct ganesha *g = calloc(1, sizeof(*g));
	const char *run, *log;
	int ret;

	if (!g)
		return err_set(err, ERR_SYSTEM, ENOMEM, where, "out of memory");
	env = env ? env : &none;
	run = env->run_dir ? env->run_dir : "/run/nasd";
	log = env->log_dir ? env->log_dir : "/var/log/nasd";
	g->group = group;
	g->node = node;
	g->server.pidfd = g->bus_proc.pidfd = -1;
	g->gated.fd = -1;
	pthread_mutex_init(&g->lock, NULL);
	snprintf(g->run_dir, sizeof(g->run_dir), "%s/%s", run, group->name);
	snprintf(g->log_path, sizeof(g->log_path), "%s/%s-ganesha.log", log, group->name);
	copy_default(g->state_dir, sizeof(g->state_dir), env->state_dir, CLIENTS_STATE_DIR);
	copy_default(g->program, sizeof(g->program), env->program, "/usr/bin/ganesha.nfsd");
	copy_default(g->bus_program, sizeof(g->bus_program), env->bus_program, "/usr/bin/dbus-daemon");
	copy_default(g->plugins_dir, sizeof(g->plugins_dir), env->plugins_dir, "");
	copy_default(g->module_dir, sizeof(g->module_dir), env->module_dir, "");
	ret = clients_mkdirs(g->run_dir, err);
	if (ret == 0)
		ret = clients_mkdirs(log, err);
	if (ret < 0) {
		ganesha_free(g);
		return ret;
	}
	ganesha_adopt(g);
	*out = g;
	return 0;
}

void ganesha_free(struct ganesha *g)
{
	if (!g)
		return;
	ganesha_dbus_close(&g->bus);
	fsal_client_close(&g->gated);
	child_proc_release(&g->server);
	child_proc_release(&g->bus_proc);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

/* ---- looking */

static enum server_state state_of(enum phase p)
{
	switch (p) {
	case PHASE_NONE: return SERVER_DOWN;
	case PHASE_STARTING: return SERVER_STARTING;
	case PHASE_WARM: return SERVER_WARM;
	case PHASE_ACTIVATING: return SERVER_SERVING; /* some of the service may be in place */
	case PHASE_SERVING: return SERVER_SERVING;
	case PHASE_RELEASED: return SERVER_DOWN;
	}
	return SERVER_DOWN;
}

void ganesha_state(struct ganesha *g, struct ganesha_state *out)
{
	*out = (struct ganesha_state){.state = SERVER_DOWN};
	pthread_mutex_lock(&g->lock);
	snprintf(out->reason, sizeof(out->reason), "%s", g->reason);
	if (ganesha_server_alive(g)) {
		out->state = state_of(g->phase);
		out->pid = (int)g->server.pid;
		out->tenure = g->tenure;
	} else if (g->server.pidfd >= 0) {
		snprintf(out->reason, sizeof(out->reason), "pid %d ended by itself; see %.100s",
			 (int)g->server.pid, g->log_path);
		if (g->troubled_pid != g->server.pid)
			g->troubled_at = monotonic_us();
		g->troubled_pid = g->server.pid;
	}
	pthread_mutex_unlock(&g->lock);
}

static enum outcome open_bus(struct ganesha *g, int64_t timeout_us, struct err *err)
{
	char sock[PATH_MAX];

	if (!ganesha_server_alive(g)) {
		err_set(err, ERR_REFUSED, ESRCH, where, "the server does not run");
		return OUTCOME_FAILED;
	}
	if (ganesha_path(g, "bus", sock, sizeof(sock), err) < 0 ||
	    ganesha_dbus_open(&g->bus, sock, timeout_us < GREET_US ? timeout_us : GREET_US, err) < 0)
		return OUTCOME_FAILED;
	return OUTCOME_DONE;
}

/* Without D-Bus: the export's path is there, and the server holds a file of that
 * filesystem open (VFS keeps each root open). */
static unsigned exports_held(const struct ganesha *g)
{
	char path[64];
	unsigned n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)g->server.pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	for (size_t i = 0; i < g->group->n_exports; i++) {
		struct stat want, have;
		struct dirent *d;
		bool held = false;

		if (stat(g->group->exports[i].path, &want) < 0 || !S_ISDIR(want.st_mode))
			continue;
		rewinddir(dir);
		while (!held && (d = readdir(dir)))
			held = fstatat(dirfd(dir), d->d_name, &have, 0) == 0 &&
			       have.st_dev == want.st_dev && S_ISDIR(have.st_mode);
		n += held;
	}
	closedir(dir);
	return n;
}

enum outcome ganesha_exports_present(struct ganesha *g, unsigned *present, int64_t timeout_us,
				     struct err *err)
{
	uint16_t ids[IDS_MAX];
	size_t n = 0;
	struct err why = {0};
	enum outcome o = open_bus(g, timeout_us, &why);

	*present = 0;
	if (o == OUTCOME_DONE)
		o = ganesha_dbus_exports(g->bus, ids, IDS_MAX, &n, timeout_us, &why);
	if (o == OUTCOME_FAILED && ganesha_server_alive(g) && g->cold) {
		*present = exports_held(g);
		return OUTCOME_DONE;
	}
	if (o != OUTCOME_DONE && err)
		*err = why;
	for (size_t i = 0; i < n && o == OUTCOME_DONE; i++)
		for (size_t k = 0; k < g->group->n_exports; k++)
			*present += ids[i] == g->group->exports[k].id;
	return o;
}

enum outcome ganesha_grace_active(struct ganesha *g, bool *active, int64_t timeout_us,
				  struct err *err)
{
	enum outcome o = open_bus(g, timeout_us, err);

	return o == OUTCOME_DONE ? ganesha_dbus_get_grace(g->bus, active, timeout_us, err) : o;
}

enum outcome ganesha_clients(struct ganesha *g, unsigned *count, int64_t timeout_us,
			     struct err *err)
{
	enum outcome o = open_bus(g, timeout_us, err);

	return o == OUTCOME_DONE ? ganesha_dbus_clients(g->bus, count, timeout_us, err) : o;
}

/* ---- stopping */

static enum outcome kill_outcome(int ret)
{
	return ret == 0 ? OUTCOME_DONE : ret == -ETIMEDOUT ? OUTCOME_UNKNOWN : OUTCOME_FAILED;
}

enum outcome ganesha_stop(struct ganesha *g, int64_t timeout_us, struct err *err)
{
	return kill_outcome(ganesha_server_kill(g, timeout_us, err));
}

enum outcome ganesha_stop_all(struct ganesha *g, int64_t timeout_us, struct err *err)
{
	enum outcome o = ganesha_stop(g, timeout_us, err);

	return o == OUTCOME_DONE ? kill_outcome(ganesha_bus_stop(g, timeout_us, err)) : o;
}

/* ---- starting */

/* What a failed start leaves: nothing, or an unknown. */
static enum outcome start_failed(struct ganesha *g)
{
	int ret = ganesha_server_kill(g, KILL_US, NULL);

	return ret == 0 ? OUTCOME_FAILED : OUTCOME_UNKNOWN;
}

/* records: where the records of earlier tenures are to be when it starts.
 * dbus: it is of no use without. */
static enum outcome start_once(struct ganesha *g, const char *config, enum clients_db records, bool dbus,
			       int64_t deadline, struct err *err)
{
	int ret = ganesha_server_kill(g, KILL_US, err);

	if (ret < 0)
		return kill_outcome(ret);
	g->cold = !dbus;
	ret = ganesha_write_configs(g, err);
	if (ret == 0)
		ret = ganesha_gather_records(g, records, err);
	if (ret == 0 && ganesha_bus_start(g, deadline, dbus ? err : NULL) < 0 && dbus)
		ret = -EIO;
	if (ret == 0)
		ret = ganesha_server_spawn(g, config, err);
	if (ret == 0)
		ret = ganesha_server_wait(g, dbus, deadline, err);
	g->started_at = monotonic_us();
	if (ret < 0)
		g->troubled_at = g->started_at;
	return ret == 0 ? OUTCOME_DONE : start_failed(g);
}

/* A server that does not come up with the module does without: it can do all but
 * move its clients' state. */
static enum outcome start(struct ganesha *g, const char *config, enum clients_db records, bool dbus,
			  int64_t deadline, struct err *err)
{
	int64_t now = monotonic_us();
	struct err why = {0};
	enum outcome o = start_once(g, config, records, dbus, now + (deadline - now) * 3 / 4, &why);

	if (o != OUTCOME_FAILED || !g->module_used) {
		if (o != OUTCOME_DONE && err)
			*err = why;
		return o;
	}
	log_warn("ganesha %s: does not start with the module, tried without it: %s", g->group->name, why.msg);
	g->module_bad_at = monotonic_us();
	snprintf(g->module_why, sizeof(g->module_why), "the server does not start with the module: %.100s", why.msg);
	return start_once(g, config, records, dbus, deadline, err);
}

/* After one that has ended by itself, the next is not trusted before it has run for
 * a while: a move must not find out in the freeze. */
static enum outcome prove(struct ganesha *g, struct err *err)
{
	int64_t now = monotonic_us();
	bool troubled = g->troubled_at && now - g->troubled_at < TROUBLE_US;

	while (ganesha_server_alive(g) && troubled && monotonic_us() < g->started_at + PROVE_US)
		nanosleep(&(struct timespec){.tv_nsec = PROVE_LOOK_US * 1000L}, NULL);
	if (ganesha_server_alive(g))
		return OUTCOME_DONE;
	g->troubled_at = monotonic_us();
	err_set(err, ERR_SYSTEM, EIO, where, "the server ended soon after it was warm");
	err_remedy(err, "read %s", g->log_path);
	return start_failed(g);
}

static enum outcome start_warm(struct ganesha *g, int64_t timeout_us, bool rehearse, struct err *err)
{
	int64_t deadline = monotonic_us() + timeout_us;
	bool grace;
	enum outcome o;

	if (ganesha_server_alive(g) && g->phase == PHASE_SERVING)
		return OUTCOME_DONE;
	if (ganesha_server_alive(g) && g->phase == PHASE_WARM &&
	    ganesha_grace_active(g, &grace, timeout_us / 4, NULL) == OUTCOME_DONE)
		return rehearse ? prove(g, err) : OUTCOME_DONE;
	o = start(g, "ganesha.conf", CLIENTS_DB_TAKEOVER, true, deadline, err);
	if (o == OUTCOME_DONE && ganesha_set_phase(g, PHASE_WARM, err) < 0)
		o = start_failed(g);
	if (o == OUTCOME_DONE && g->module_used)
		ganesha_module_wait(g, deadline);
	if (o == OUTCOME_DONE && rehearse) {
		ganesha_rehearse(g, deadline);
		o = prove(g, err);
	}
	return o;
}

enum outcome ganesha_start_warm(struct ganesha *g, int64_t timeout_us, struct err *err)
{
	return start_warm(g, timeout_us, true, err);
}

/* ---- activation */

static int read_db(const struct ganesha *g, enum clients_db db, struct client_set *out,
		   struct err *err)
{
	char path[PATH_MAX];
	int ret = clients_db_path(g->state_dir, g->group->name, db, path, sizeof(path), err);

	return ret < 0 ? ret : clients_tree_read(path, -1, out, err);
}

/* A client that has found its way to the warm server has state there that a
 * reclaim would trip over (COMPLETE_ALREADY). */
static bool is_virgin(const struct ganesha *g)
{
	struct client_set set = {0};
	bool virgin = read_db(g, CLIENTS_DB_RECOV, &set, NULL) == 0 && set.n == 0;

	client_set_free(&set);
	return virgin;
}

static int not_loaded(enum clients_op op, const struct client_entry *e, void *data)
{
	(void)data;
	if (op == CLIENTS_ADD)
		log_err("ganesha: did not load the record %.100s", e->text);
	return op == CLIENTS_ADD;
}

/* The databases of this tenure are the truth from here. */
static int forget_installed(const struct ganesha *g, struct err *err)
{
	char path[PATH_MAX];
	int ret = clients_mark_set(g->state_dir, g->group->name, false, err);

	if (ret == 0)
		ret = clients_db_path(g->state_dir, g->group->name, CLIENTS_DB_TAKEOVER, path, sizeof(path), err);
	return ret == 0 ? clients_tree_clear(path, err) : ret;
}

/* ganesha makes a record with each client: of those that come late the installed one
 * is all there is until then. Without the mark it counts beside the others. */
static int records_of_load(struct ganesha *g, const struct ganesha_load *load, struct err *err)
{
	if (!load->late)
		return forget_installed(g, err);
	g->installed_left = true;
	return clients_mark_set(g->state_dir, g->group->name, false, err);
}

void ganesha_settle_records(struct ganesha *g, const struct ganesha_module *seen)
{
	struct err e = {0};

	if (!g->installed_left || g->phase != PHASE_SERVING || !seen->answered || seen->late || seen->in_grace)
		return;
	if (forget_installed(g, &e) == 0)
		g->installed_left = false;
	else
		log_warn("ganesha %s: client records that have served are left, and tried again: %s", g->group->name, e.msg);
}

/* c: by the module; NULL: over D-Bus. */
static enum outcome ask_for_grace(struct ganesha *g, struct fsal_client *c, bool *active, int64_t deadline,
				  struct err *err)
{
	enum outcome o;

	if (c)
		return ganesha_module_grace(c, active, err) == 0 ? OUTCOME_DONE : OUTCOME_FAILED;
	o = ganesha_dbus_grace(g->bus, "4:" CLIENTS_TAKEOVER_NODEID, deadline - monotonic_us(), err);
	return o == OUTCOME_DONE ? ganesha_dbus_get_grace(g->bus, active, deadline - monotonic_us(), err) : o;
}

/*
 * Enters grace with the installed records. ganesha answers with success also
 * when it could not read them, but it notes in v4old what it has read. Without
 * a record there is nothing to reclaim, and nobody has to wait.
 */
static enum outcome enter_grace(struct ganesha *g, struct fsal_client *c, int64_t deadline, struct err *err)
{
	struct client_set installed = {0}, loaded = {0};
	enum outcome o = OUTCOME_FAILED;
	bool active = false;

	if (read_db(g, CLIENTS_DB_TAKEOVER, &installed, err) < 0)
		goto out;
	if (installed.n == 0) {
		if (clients_mark_set(g->state_dir, g->group->name, false, err) == 0)
			o = OUTCOME_DONE;
		goto out;
	}
	o = ask_for_grace(g, c, &active, deadline, err);
	if (o != OUTCOME_DONE)
		goto out;
	o = OUTCOME_FAILED;
	if (!active)
		err_set(err, ERR_REFUSED, EPROTO, where, "it is not in grace after grace was asked for");
	else if (read_db(g, CLIENTS_DB_OLD, &loaded, err) == 0 &&
		 clients_diff(&loaded, &installed, not_loaded, NULL))
		err_set(err, ERR_REFUSED, EPROTO, where, "it did not load every client record");
	else if (forget_installed(g, err) == 0)
		o = OUTCOME_DONE;
out:
	client_set_free(&installed);
	client_set_free(&loaded);
	return o;
}

static enum outcome add_export(struct ganesha *g, struct fsal_client *c, unsigned id, int64_t deadline,
			       struct err *err)
{
	char name[32], path[PATH_MAX];
	enum outcome o;
	bool busy;

	snprintf(name, sizeof(name), "export-%u.conf", id);
	if (ganesha_path(g, name, path, sizeof(path), err) < 0)
		return OUTCOME_FAILED;
	if (c)
		return ganesha_module_add_export(c, path, id, err) == 0 ? OUTCOME_DONE : OUTCOME_FAILED;
	for (;;) {
		o = ganesha_dbus_add_export(g->bus, path, id, &busy, deadline - monotonic_us(), err);
		if (o == OUTCOME_DONE || !busy || monotonic_us() > deadline)
			return o;
		nanosleep(&(struct timespec){.tv_nsec = RETRY_US * 1000L}, NULL);
	}
}

static enum outcome check_exports(struct ganesha *g, int64_t deadline, struct err *err)
{
	unsigned present;
	enum outcome o = ganesha_exports_present(g, &present, deadline - monotonic_us(), err);

	if (o != OUTCOME_DONE || present == g->group->n_exports)
		return o;
	err_set(err, ERR_REFUSED, ENOENT, where, "%u of %zu exports are there", present,
		g->group->n_exports);
	err_remedy(err, "read %s", g->log_path);
	return OUTCOME_FAILED;
}

/* The module's answer is the server's own; D-Bus is asked what has come of it. */
static enum outcome add_exports(struct ganesha *g, struct fsal_client *c, int64_t deadline, struct err *err)
{
	enum outcome o = OUTCOME_DONE;

	ganesha_write_blkid(g);
	for (size_t i = 0; i < g->group->n_exports && o == OUTCOME_DONE; i++)
		o = add_export(g, c, g->group->exports[i].id, deadline, err);
	return o == OUTCOME_DONE && !c ? check_exports(g, deadline, err) : o;
}

/* The exports first: a state refers to their files. No client comes before the
 * floating address does. */
static enum outcome move_in(struct ganesha *g, struct fsal_client *c, struct ganesha_load *load,
			    int64_t deadline, struct err *err)
{
	int64_t began = monotonic_us(), added, loaded;
	enum outcome o = add_exports(g, c, deadline, err);
	size_t len;
	int ret;

	if (o != OUTCOME_DONE)
		return o;
	added = monotonic_us();
	ret = ganesha_module_load(c, load, err);
	loaded = monotonic_us();
	if (ret < 0)
		return OUTCOME_FAILED;
	if (ret > 0)
		return enter_grace(g, c, deadline, err);
	o = records_of_load(g, load, err) == 0 ? OUTCOME_DONE : OUTCOME_FAILED;
	len = strlen(load->word);
	snprintf(load->word + len, sizeof(load->word) - len, " (exports %.1f, load %.1f, records %.1f ms)",
		 (double)(added - began) / 1e3, (double)(loaded - added) / 1e3,
		 (double)(monotonic_us() - loaded) / 1e3);
	return o;
}

static enum outcome activate_warm(struct ganesha *g, struct ganesha_load *load, int64_t deadline,
				  struct err *err)
{
	struct fsal_client client, *c = NULL;
	enum outcome o = OUTCOME_DONE;
	struct err why = {0};

	if (ganesha_module_open(g, &client, &why) == 0)
		c = &client;
	else
		o = open_bus(g, deadline - monotonic_us(), err);
	if (!c && load->text)
		snprintf(load->word, sizeof(load->word), "no module: %.140s", why.msg);
	if (o == OUTCOME_DONE && ganesha_set_phase(g, PHASE_ACTIVATING, err) < 0)
		o = OUTCOME_FAILED;
	if (o == OUTCOME_DONE && c && load->text) {
		o = move_in(g, c, load, deadline, err);
	} else if (o == OUTCOME_DONE) {
		o = enter_grace(g, c, deadline, err);
		if (o == OUTCOME_DONE)
			o = add_exports(g, c, deadline, err);
	}
	if (c)
		fsal_client_close(c);
	return o;
}

/* With the exports in its configuration: ganesha reads the records of its own
 * directory, enters grace and only then exports and listens. */
static enum outcome activate_cold(struct ganesha *g, int64_t deadline, struct err *err)
{
	enum outcome o = start(g, "cold.conf", CLIENTS_DB_RECOV, false, deadline, err);

	if (o == OUTCOME_DONE && ganesha_set_phase(g, PHASE_ACTIVATING, err) < 0)
		o = OUTCOME_FAILED;
	if (o == OUTCOME_DONE)
		o = check_exports(g, deadline, err);
	return o == OUTCOME_DONE || start_failed(g) == OUTCOME_FAILED ? o : OUTCOME_UNKNOWN;
}

enum outcome ganesha_activate(struct ganesha *g, int64_t timeout_us, struct err *err)
{
	struct ganesha_load none = {0};

	return ganesha_activate_with(g, &none, timeout_us, err);
}

enum outcome ganesha_activate_with(struct ganesha *g, struct ganesha_load *load, int64_t timeout_us,
				   struct err *err)
{
	int64_t deadline = monotonic_us() + timeout_us;
	bool served = g->phase == PHASE_SERVING || g->phase == PHASE_ACTIVATING;
	struct err why = {0};
	char text[600];
	enum outcome o = OUTCOME_DONE;

	if (served && ganesha_server_alive(g) && check_exports(g, deadline, NULL) == OUTCOME_DONE &&
	    g->phase == PHASE_SERVING)
		return OUTCOME_DONE;
	if (served || !ganesha_server_alive(g) || g->phase != PHASE_WARM || !is_virgin(g)) {
		o = kill_outcome(ganesha_server_kill(g, KILL_US, err));
		if (o != OUTCOME_DONE)
			return o;
		/* what a rehearsal would save, it would cost now */
		o = start_warm(g, timeout_us / 2, false, &why);
	}
	if (o == OUTCOME_DONE)
		o = activate_warm(g, load, monotonic_us() + timeout_us / 2, &why);
	if (o != OUTCOME_DONE) {
		log_warn("ganesha %s: started cold, because: %s", g->group->name,
			 err_format(&why, text, sizeof(text)));
		load->moved = false;
		o = activate_cold(g, deadline, err);
	}
	if (o == OUTCOME_DONE && ganesha_set_phase(g, PHASE_SERVING, err) < 0)
		o = OUTCOME_UNKNOWN;
	return o;
}
