/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nasd's module in the server: where it comes from, and what is asked of it. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clocks.h"
#include "ganesha_priv.h"
#include "log.h"

enum {
	ASK_US = 80000,         /* what takes the module no time */
	WORK_US = 150000,       /* what takes it some */
	LOAD_US = 250000,       /* what would cost more to do over */
	BODY_US = 100000,
	PER_BYTE_US = 4,        /* and what grows with the state: a load, 1 ms per open in the slowest node seen */
	STATE_MOST_US = 8000000, /* but not for ever: a freeze has its limit */
	GATE_US = 200000,       /* with a thousand clients at work; and what a hanging module costs at most */
	PRECOPY_US = 5000000,   /* before the freeze, with pauses */
	DUMP_US = 500000,       /* 211 ms for a thousand clients with ten thousand opens */
	RELEASE_US = 30000,     /* a process that dies is no slower, */
	RELEASE_OPEN_US = 60,   /* and each of its files takes it some time as well */
	START_US = 1000000,
	EXPIRE_US = 2000000,    /* the reaper's round through all clients, and what they held */
	EXPIRE_LOOK_US = 5000,
	POLL_US = 2000,
	DRAIN_LOOK_MS = 3,      /* at most so long is waited for acknowledgements */
	BAD_US = 60000000,      /* before a server is started with it again, after one that failed */
};

#define MODULE_NAME "libfsalnasd.so"
#define BELOW_NAME "libfsalvfs.so"

/* ---- the plugins */

/* The distribution's directory of plugins is that of its architecture. */
static bool find_below(char path[PATH_MAX])
{
	static const char *const patterns[] = {
		"/usr/lib/*/ganesha/" BELOW_NAME, "/usr/lib/ganesha/" BELOW_NAME, "/usr/lib64/ganesha/" BELOW_NAME,
	};
	bool found = false;

	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns) && !found; i++) {
		glob_t g;

		if (glob(patterns[i], 0, NULL, &g) == 0)
			found = snprintf(path, PATH_MAX, "%s", g.gl_pathv[0]) < PATH_MAX;
		globfree(&g);
	}
	return found;
}

static int link_plugin(const char *dir, const char *name, const char *target)
{
	char path[PATH_MAX], now[PATH_MAX];
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	n = readlink(path, now, sizeof(now) - 1);
	if (n > 0 && (size_t)n == strlen(target) && !memcmp(now, target, (size_t)n))
		return 0;
	unlink(path);
	return symlink(target, path) < 0 ? -errno : 0;
}

static bool use(struct ganesha *g, char *plugins, char *socket)
{
	char module[PATH_MAX], below[PATH_MAX];
	const char *why = NULL;

	snprintf(module, sizeof(module), "%s/" MODULE_NAME, g->module_dir);
	if (g->module_bad_at && monotonic_us() - g->module_bad_at < BAD_US)
		return false; /* module_why says it */
	if (g->group->nfs.migrate == CONF_MIGRATE_OFF)
		why = "migrate-state is off";
	else if (!g->module_dir[0] || access(module, R_OK) < 0)
		why = "the ganesha module is not installed (" MODULE_NAME ")";
	else if (!find_below(below))
		why = BELOW_NAME " is not where it is looked for";
	else if (ganesha_path(g, "plugins", plugins, PATH_MAX, NULL) < 0 ||
		 ganesha_path(g, "fsal.sock", socket, PATH_MAX, NULL) < 0 ||
		 (mkdir(plugins, 0755) < 0 && errno != EEXIST) ||
		 link_plugin(plugins, MODULE_NAME, module) < 0 || link_plugin(plugins, BELOW_NAME, below) < 0)
		why = "the directory of its plugins cannot be made";
	snprintf(g->module_why, sizeof(g->module_why), "%s", why ? why : "");
	return !why;
}

void ganesha_module_prepare(struct ganesha *g, char *plugins, char *socket)
{
	g->module_used = use(g, plugins, socket);
	if (!g->module_used)
		log_info("ganesha %s: without the module: %s", g->group->name, g->module_why);
}

/* ---- talking */

/* Whatever configuration it was started with: a server that was adopted may have
 * another than one that would be started now. */
static int connect_to(struct ganesha *g, struct fsal_client *c, struct err *err)
{
	char path[PATH_MAX];
	int ret = ganesha_path(g, "fsal.sock", path, sizeof(path), err);

	c->fd = -1;
	if (ret == 0 && !ganesha_server_alive(g))
		ret = err_set(err, ERR_REFUSED, ESRCH, "ganesha", "the server does not run");
	return ret < 0 ? ret : fsal_client_open(c, path, g->server.pid, err);
}

static int simple(struct fsal_client *c, enum fsal_op op, uint64_t number, const char *path,
		  int64_t timeout_us, struct fsal_answer *a, struct err *err)
{
	struct fsal_request req = { op, number, path };

	return fsal_client_do(c, &req, NULL, timeout_us, a, err);
}

static int64_t for_state_us(size_t len)
{
	int64_t us = LOAD_US + (int64_t)len * PER_BYTE_US;

	return us < STATE_MOST_US ? us : STATE_MOST_US;
}

int ganesha_module_open(struct ganesha *g, struct fsal_client *c, struct err *err)
{
	struct fsal_answer a;
	int ret = connect_to(g, c, err);

	if (ret == 0)
		ret = simple(c, FSAL_STATUS, 0, NULL, ASK_US, &a, err);
	if (ret == 0 && !a.u.status.ready)
		ret = err_set(err, ERR_REFUSED, ENOTSUP, "ganesha's module", "%s", a.u.status.reason);
	if (ret < 0)
		fsal_client_close(c);
	return ret;
}

void ganesha_module_look(struct ganesha *g, struct ganesha_module *out)
{
	struct fsal_answer a = { 0 };
	struct fsal_client c;
	struct err e = { 0 };
	int ret = connect_to(g, &c, &e);

	*out = (struct ganesha_module){ .gate_open = true };
	if (ret == 0)
		ret = simple(&c, FSAL_STATUS, 0, NULL, ASK_US, &a, &e);
	fsal_client_close(&c);
	if (g->group->nfs.migrate == CONF_MIGRATE_OFF)
		snprintf(out->reason, sizeof(out->reason), "migrate-state is off");
	else if (ret < 0 && g->module_why[0])
		snprintf(out->reason, sizeof(out->reason), "%s", g->module_why);
	else if (ret < 0)
		snprintf(out->reason, sizeof(out->reason), "the module in ganesha: %.120s", e.msg);
	if (ret < 0)
		return;
	out->answered = true;
	out->gate_open = a.u.status.gate_open;
	out->in_grace = a.u.status.in_grace;
	out->late = a.u.status.late_clients;
	if (out->reason[0])
		return;
	if (!a.u.status.ready)
		snprintf(out->reason, sizeof(out->reason), "%.159s", a.u.status.reason);
	else if (!a.u.status.state_ready)
		snprintf(out->reason, sizeof(out->reason), "%.159s", a.u.status.state_reason);
	else if (!a.u.status.has_load)
		snprintf(out->reason, sizeof(out->reason), "this module cannot load a state");
	else if (g->phase == PHASE_WARM && !a.u.status.can_load)
		snprintf(out->reason, sizeof(out->reason), "%.159s", a.u.status.load_reason);
	else if (g->phase != PHASE_WARM && a.u.status.in_grace)
		snprintf(out->reason, sizeof(out->reason), "in grace: clients have yet to reclaim");
	out->moves = !out->reason[0];
}

void ganesha_module_wait(struct ganesha *g, int64_t deadline)
{
	int64_t until = monotonic_us() + START_US;
	struct fsal_answer a;
	struct fsal_client c;
	struct err e = { 0 };

	while (ganesha_module_open(g, &c, &e) < 0) {
		if (e.cls == ERR_REFUSED || monotonic_us() > until || monotonic_us() > deadline ||
		    !ganesha_server_alive(g)) {
			log_warn("ganesha %s: its module is of no use: %s", g->group->name, e.msg);
			return;
		}
		usleep(POLL_US);
	}
	simple(&c, FSAL_GRACE_LIFT, 0, NULL, ASK_US, &a, NULL);
	fsal_client_close(&c);
}

int ganesha_module_grace(struct fsal_client *c, bool *active, struct err *err)
{
	struct fsal_answer a;
	int ret = simple(c, FSAL_GRACE_START, strtoul(CLIENTS_TAKEOVER_NODEID, NULL, 10), NULL, WORK_US, &a, err);

	*active = ret == 0 && a.u.in_grace;
	return ret;
}

int ganesha_module_add_export(struct fsal_client *c, const char *file, unsigned id, struct err *err)
{
	struct fsal_answer a;

	return simple(c, FSAL_EXPORT_ADD, id, file, WORK_US, &a, err);
}

int ganesha_module_load(struct fsal_client *c, struct ganesha_load *load, struct err *err)
{
	struct fsal_request req = { FSAL_LOAD, load->len, NULL };
	struct fsal_answer a;
	int ret = fsal_client_ask(c, &req, load->text, for_state_us(load->len), &a, err);

	load->moved = ret == 0 && a.ok;
	if (ret < 0) {
		snprintf(load->word, sizeof(load->word), "no answer to load");
		return ret;
	}
	load->late = load->moved && a.u.load.late_clients > 0;
	if (a.ok) {
		int n = snprintf(load->word, sizeof(load->word), "loaded in %.1f ms", (double)a.run_us / 1e3);

		if (a.u.load.late_clients)
			snprintf(load->word + n, sizeof(load->word) - (size_t)n, ", %lld clients behind it",
				 (long long)a.u.load.late_clients);
		return 0;
	}
	snprintf(load->word, sizeof(load->word), "not loaded: %.140s", a.error);
	if (!a.replace)
		return 1;
	return err_set(err, ERR_REFUSED, EPERM, "ganesha's module", "load: %s", a.error);
}

/* By a connection that any thread may make. */
static int connect_beside(struct ganesha *g, struct fsal_client *c, struct err *err)
{
	struct ganesha_state st;
	char path[PATH_MAX];
	int ret = ganesha_path(g, "fsal.sock", path, sizeof(path), err);

	c->fd = -1;
	ganesha_state(g, &st);
	return ret < 0 ? ret : fsal_client_open(c, path, st.pid, err);
}

int ganesha_module_records(struct ganesha *g, struct fsal_client *c, struct err *err)
{
	struct fsal_answer a;
	int ret = connect_beside(g, c, err);

	if (ret == 0)
		ret = simple(c, FSAL_RECORDS, 0, NULL, ASK_US, &a, err);
	if (ret < 0)
		fsal_client_close(c);
	return ret;
}

int ganesha_module_release_client(struct ganesha *g, const char *address, int64_t *clients, struct err *err)
{
	struct fsal_request req = { FSAL_CLIENT_RELEASE, 0, address };
	int64_t until = monotonic_us() + EXPIRE_US;
	struct fsal_answer a = { .ok = false };
	struct fsal_client c;
	int ret = connect_beside(g, &c, err);

	while (ret == 0) {
		ret = fsal_client_ask(&c, &req, NULL, EXPIRE_US, &a, err);
		if (ret < 0 || a.ok || a.errnum != EINPROGRESS || monotonic_us() >= until)
			break;
		usleep(EXPIRE_LOOK_US);
	}
	*clients = ret == 0 && a.ok ? a.u.clients : 0;
	fsal_client_close(&c);
	if (ret < 0 || a.ok)
		return ret;
	return a.errnum == EINPROGRESS ? err_set(err, ERR_TIMEOUT, EAGAIN, "client-release", "%s", a.error) :
	       err_set(err, ERR_REFUSED, a.errnum == EAGAIN ? EAGAIN : EPERM, "client-release", "%s", a.error);
}

/* ---- the gate */

/* Until nothing runs. The replies that a client has not acknowledged yet go with
 * its slots: should one be lost, the target repeats it. */
static int drain(struct fsal_client *c, int64_t limit_us, struct fsal_answer *a, struct err *err)
{
	int64_t until = monotonic_us() + limit_us;
	int ret;

	do
		ret = simple(c, FSAL_DRAIN, DRAIN_LOOK_MS, NULL, ASK_US, a, err);
	while (ret == 0 && a->u.drain.running > 0 && monotonic_us() < until);
	if (ret == 0 && a->u.drain.running > 0)
		ret = err_set(err, ERR_TIMEOUT, ETIMEDOUT, "drain", "%lld requests still ran",
			      (long long)a->u.drain.running);
	return ret;
}

int ganesha_precopy(struct ganesha *g, char **text, size_t *len, uint64_t *base, struct err *err)
{
	struct fsal_answer a;
	struct fsal_client c;
	int ret = connect_to(g, &c, err);

	*text = NULL;
	if (ret == 0)
		ret = simple(&c, FSAL_PRECOPY, 0, NULL, PRECOPY_US, &a, err);
	if (ret == 0) {
		*base = a.u.dump.base;
		*len = (size_t)a.bytes;
		ret = fsal_client_body(&c, *len, PRECOPY_US, text, err);
	}
	fsal_client_close(&c);
	return ret;
}

static int take_dump(struct fsal_client *c, const struct fsal_answer *a, struct ganesha_dump *out, struct err *err)
{
	out->clients = a->u.dump.clients;
	out->opens = a->u.dump.opens;
	out->locks = a->u.dump.locks;
	out->len = (size_t)a->bytes;
	return fsal_client_body(c, out->len, BODY_US + (int64_t)out->len / 10, &out->text, err);
}

/* What ran when the gate was closed runs for long: waited for, and dumped then; all of
 * it, should the copy that was sent ahead not be the last one. */
static int dump_later(struct fsal_client *c, int64_t drain_us, const struct fsal_request *dump, struct ganesha_dump *out,
		      struct fsal_answer *a, struct err *err)
{
	int ret = drain(c, drain_us, a, err);

	if (ret == 0)
		ret = fsal_client_do(c, dump, NULL, DUMP_US, a, err);
	if (ret == -EPERM && out->since) {
		out->since = 0;
		ret = simple(c, FSAL_DUMP, 0, NULL, DUMP_US, a, err);
	}
	return ret;
}

int ganesha_gate(struct ganesha *g, int64_t reopen_us, int64_t drain_us, uint64_t since,
		 struct ganesha_dump *out, struct err *err)
{
	const struct fsal_request both[] = {
		{ FSAL_GATE, (uint64_t)reopen_us / 1000, NULL }, { since ? FSAL_DUMP_SINCE : FSAL_DUMP, since, NULL },
	};
	int64_t began = monotonic_us(), closed;
	struct fsal_client *c = &g->gated;
	struct fsal_answer a;
	struct err why = { 0 };
	int ret;

	*out = (struct ganesha_dump){ .since = since };
	fsal_client_close(c);
	ret = connect_to(g, c, err);
	if (ret == 0)
		ret = fsal_client_send(c, both, 2, GATE_US, err);
	if (ret == 0)
		ret = fsal_client_hear(c, FSAL_GATE, GATE_US, &a, err);
	out->closed = ret == 0;
	closed = monotonic_us();
	if (ret == 0) {
		ret = fsal_client_hear(c, both[1].op, DUMP_US, &a, &why);
		if (ret == -EPERM)
			ret = dump_later(c, drain_us, &both[1], out, &a, &why);
		if (ret == 0)
			ret = take_dump(c, &a, out, &why);
		if (ret < 0)
			*err = why;
	}
	out->gate_us = closed - began;
	out->dump_us = monotonic_us() - closed;
	if (ret == 0) {
		out->held = a.u.dump.held;
		out->drain_us = a.u.dump.drain_us;
		out->dump_us -= out->drain_us < out->dump_us ? out->drain_us : out->dump_us;
	} else {
		fsal_client_close(c);
	}
	return ret;
}

/* To a server behind its gate: by the connection that closed it, or a new one. It is
 * the last request there. */
int ganesha_thaw(struct ganesha *g, struct err *err)
{
	struct fsal_client *c = &g->gated;
	struct fsal_answer a;
	int ret = c->fd >= 0 && ganesha_server_alive(g) ? 0 : connect_to(g, c, err);

	if (ret == 0)
		ret = simple(c, FSAL_THAW, 0, NULL, WORK_US, &a, err);
	fsal_client_close(c);
	return ret;
}

/* Committed first: then nothing has to be noted of what is let go of. */
int ganesha_release(struct ganesha *g, const char *point, int64_t opens, struct err *err)
{
	const struct fsal_request both[] = { { FSAL_COMMIT, 0, NULL }, { FSAL_RELEASE, 0, point } };
	int64_t patience = RELEASE_US + opens * RELEASE_OPEN_US;
	struct fsal_client *c = &g->gated;
	struct fsal_answer a;
	int ret = c->fd >= 0 && ganesha_server_alive(g) ? 0 : connect_to(g, c, err);

	if (ret == 0)
		ret = fsal_client_send(c, both, 2, patience, err);
	for (size_t i = 0; ret == 0 && i < 2; i++)
		ret = fsal_client_hear(c, both[i].op, patience, &a, err);
	fsal_client_close(c);
	return ret < 0 ? ret : ganesha_set_phase(g, PHASE_RELEASED, err);
}
