/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One nfs-ganesha per group and tenure, with a D-Bus of its own.
 *
 * Both programs are started in sessions of their own and survive a restart of
 * nasd: ganesha_new finds them again by run_dir/<group>/{ganesha,bus}.pid and
 * adopts them when executable and start time agree; anything else is forgotten.
 *
 *     down --start_warm--> starting --> warm --activate--> serving --stop--> down
 *
 * The server lives and dies with its bus (libdbus ends a program that loses the
 * system bus), so a dead bus shows as a dead server.
 *
 * A warm server listens and has no export. A server that has served is never
 * warm again ("one process, one tenure"): stop it and start it afresh.
 *
 * All functions but ganesha_state block (bounded by the timeout they are given)
 * and are to be called by one thread at a time per group. ganesha_state is
 * thread-safe.
 */
#ifndef NASD_SYS_GANESHA_H
#define NASD_SYS_GANESHA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

struct conf_group;
struct ganesha;

/* Where things are; NULL: the default in brackets. */
struct ganesha_env {
	const char *run_dir;     /* ["/run/nasd"]     run_dir/<group>/... */
	const char *state_dir;   /* ["/var/lib/nasd"] state_dir/<group>/... */
	const char *log_dir;     /* ["/var/log/nasd"] log_dir/<group>-ganesha.log */
	const char *program;     /* ["/usr/bin/ganesha.nfsd"] */
	const char *bus_program; /* ["/usr/bin/dbus-daemon"] */
	const char *plugins_dir; /* [ganesha's own] */
	const char *module_dir;  /* [none] where libfsalnasd.so is; without it the clients reclaim */
};

/* A look at the server, for facts and the watchdog. */
struct ganesha_state {
	enum server_state state;
	int pid;           /* 0 when none */
	uint64_t tenure;   /* of that process: grows with each start on this node; 0 when none */
	char reason[160];  /* why it is down, or what it is waiting for; may be empty */
};

/*
 * The handle of a group. group must outlive it. node is this node's index (0 or
 * 1): it decides the lowest bit of the server epoch. Starts nothing.
 */
int ganesha_new(const struct conf_group *group, int node, const struct ganesha_env *env,
		struct ganesha **out, struct err *err);

/* Forgets the handle; the processes live on. g may be NULL. */
void ganesha_free(struct ganesha *g);

/*
 * Makes it warm: bus and server started where they are not, and the server
 * answers on its port and on D-Bus. Nothing to do when it is warm or serving
 * this tenure. OUTCOME_FAILED: nothing of it is left running.
 */
enum outcome ganesha_start_warm(struct ganesha *g, int64_t timeout_us, struct err *err);

/*
 * Ends the tenure: SIGKILL and wait until the process is gone (its sockets and
 * files are then closed). Done when there is none. Part of the freeze, so it
 * does nothing else. OUTCOME_UNKNOWN: killed, but not gone in time (a process
 * in an uninterruptible wait).
 */
enum outcome ganesha_stop(struct ganesha *g, int64_t timeout_us, struct err *err);

/*
 * The same end of a tenure without the time that a process takes to die: behind
 * its closed gate (ganesha_gate), which is committed, the module lets go of the
 * filesystem mounted at point; opens (ganesha_dump) decides how long it may take. The
 * server then holds nothing and answers nobody, counts as down, and is killed by the
 * next start or stop. Negative: stop it, its gate may not open any more.
 */
int ganesha_release(struct ganesha *g, const char *point, int64_t opens, struct err *err);

/* Stops the bus too; for an orderly end of the group on this node. */
enum outcome ganesha_stop_all(struct ganesha *g, int64_t timeout_us, struct err *err);

/*
 * Starts to serve: grace with the records that clients_install put in place,
 * then all exports. The filesystem must be mounted. From the first export on, a
 * known client may reclaim, and nobody else gets an open or a lock until the
 * last of them has, plus up to half a lease (ganesha looks only then), or until
 * the grace period is over. Without a record there is no grace. A server that
 * has served is stopped and started first. A server that is not warm, or
 * does not take an export over D-Bus, is started with the exports in its
 * configuration (slower, the same promises). Done: every export is present.
 */
enum outcome ganesha_activate(struct ganesha *g, int64_t timeout_us, struct err *err);

/* The clients' state as the other server's module has dumped it. */
struct ganesha_load {
	const char *text;
	size_t len;
	bool moved;     /* out: it was loaded, and no client has to reclaim */
	bool late;      /* out: and not all of its clients are there yet */
	char word[160]; /* out: how it went */
};

/*
 * The same with a state to be loaded: there is no grace then, and the records
 * that were installed have served. When it cannot be loaded, all of it is as if
 * there had been none; a server that has taken half of it is replaced.
 */
enum outcome ganesha_activate_with(struct ganesha *g, struct ganesha_load *load, int64_t timeout_us,
				   struct err *err);

/* ---- the module in the server. Each of these waits some 100 ms at most for one
 * that does not answer. */

struct ganesha_module {
	bool answered;     /* it is there, and says something */
	bool moves;        /* state can be dumped and loaded */
	bool gate_open;    /* or there is none */
	bool in_grace;
	int64_t late;      /* clients who are being made still, after a load */
	char reason[160];  /* why it does not move */
};

void ganesha_module_look(struct ganesha *g, struct ganesha_module *out);

/* See effects_release_client. Any thread. */
int ganesha_module_release_client(struct ganesha *g, const char *address, int64_t *clients, struct err *err);

/* Of a serving server: the records that were installed for it go when all clients of a
 * load are there, with records of their own. */
void ganesha_settle_records(struct ganesha *g, const struct ganesha_module *seen);

/* See effects_records. Any thread. */
struct fsal_client;
int ganesha_module_records(struct ganesha *g, struct fsal_client *c, struct err *err);

/*
 * The clients' opens and locks, as they are while requests run, and the name of this
 * copy: text is to be freed.
 */
int ganesha_precopy(struct ganesha *g, char **text, size_t *len, uint64_t *base, struct err *err);

struct ganesha_dump {
	bool closed;       /* the gate: requests are held from now on */
	char *text;        /* the state, terminated, to be freed; NULL: clients will reclaim */
	size_t len;
	int64_t clients, opens, locks, held;
	int64_t gate_us, drain_us, dump_us;
	uint64_t since;    /* text is what has changed since that copy; 0: it is the whole */
};

/*
 * Closes the gate, waits until nothing is in flight (drain_us at most) and dumps
 * the state; of a since that is not 0 and the last copy's name, what has changed. The gate opens by itself after reopen_us without a word from us. 0,
 * or negative with err when there is no dump; the gate may be closed then.
 */
int ganesha_gate(struct ganesha *g, int64_t reopen_us, int64_t drain_us, uint64_t since,
		 struct ganesha_dump *out, struct err *err);
int ganesha_thaw(struct ganesha *g, struct err *err);

/* How many of the group's exports the server has. */
enum outcome ganesha_exports_present(struct ganesha *g, unsigned *present, int64_t timeout_us,
				     struct err *err);

enum outcome ganesha_grace_active(struct ganesha *g, bool *active, int64_t timeout_us,
				  struct err *err);

/* How many clients the server knows (confirmed or not, by its own list). */
enum outcome ganesha_clients(struct ganesha *g, unsigned *count, int64_t timeout_us,
			     struct err *err);

/* Cheap: no D-Bus call, no wait. */
void ganesha_state(struct ganesha *g, struct ganesha_state *out);

#endif
