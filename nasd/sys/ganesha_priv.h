/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared by sys/ganesha*.c only.
 *
 *   ganesha.c        the interface: warm, activate, stop, look
 *   ganesha_proc.c   the two processes: bus and server
 *   ganesha_files.c  what lies in run_dir/<group> and state_dir/<group>:
 *                      bus.conf bus       the private bus
 *                      ganesha.conf export-<id>.conf cold.conf
 *                      ganesha.lock       ganesha's own pid file, which it locks
 *                      ganesha.tenure     "<pid> <start time> <tenure> <phase>"
 *                      blkid.tab          libblkid's cache, for this server only
 *                      server-epoch       (state_dir) the last server epoch used
 *   ganesha_dbus.c   calls
 *   ganesha_module.c nasd's module in the server; in run_dir/<group>:
 *                      fsal.sock          its socket
 *                      plugins/           links to it and to what it stands over
 *   ganesha_rehearse.c what a warm server does once before it has to
 */
#ifndef NASD_SYS_GANESHA_PRIV_H
#define NASD_SYS_GANESHA_PRIV_H

#include <limits.h>
#include <pthread.h>

#include "child.h"
#include "clients_tree.h"
#include "conf.h"
#include "fsal_client.h"
#include "ganesha.h"
#include "ganesha_dbus.h"

/* What this tenure has done; in the tenure file before it is done. */
enum phase {
	PHASE_NONE,
	PHASE_STARTING,
	PHASE_WARM,
	PHASE_ACTIVATING,
	PHASE_SERVING,
	PHASE_RELEASED, /* its tenure is over: it holds nothing, answers nobody, and goes with the next start */
};

enum { GANESHA_DIR_MAX = PATH_MAX - 64 };

struct ganesha {
	const struct conf_group *group;
	int node;
	char run_dir[GANESHA_DIR_MAX];   /* with the group */
	char state_dir[GANESHA_DIR_MAX]; /* without it */
	char log_path[PATH_MAX];
	char program[CONF_PATH_MAX], bus_program[CONF_PATH_MAX], plugins_dir[CONF_PATH_MAX];
	char module_dir[CONF_PATH_MAX];

	/* the caller's thread only */
	struct child_proc bus_proc; /* pidfd -1: none */
	struct sd_bus *bus;
	bool cold;                       /* it was started with its exports, maybe without a bus */
	bool module_used;                /* the configuration that was last written has the module */
	int64_t module_bad_at;           /* the server did not start with it, then; 0: never */
	char module_why[160];            /* why it is not used */
	struct fsal_client gated;        /* which has closed the gate; fd -1: none */
	bool installed_left;             /* installed records are there still: ganesha_settle_records */

	pthread_mutex_t lock;       /* for what follows; never held over a wait */
	struct child_proc server;   /* pidfd -1: none */
	enum phase phase;
	uint64_t tenure;            /* its server epoch */
	int64_t started_at;         /* monotonic; 0: by an earlier nasd */
	int64_t troubled_at;        /* when a server ended by itself, or did not come up; 0: never */
	pid_t troubled_pid;
	char reason[160];
};

/* ---- ganesha_files.c */
int ganesha_path(const struct ganesha *g, const char *name, char *buf, size_t size, struct err *err);
int ganesha_write_configs(struct ganesha *g, struct err *err);
/*
 * Tells libblkid in the server which UUID the group's device has; it believes
 * that for 2 seconds, and probes the device, for some milliseconds, after that.
 * The filesystem is mounted, with that UUID. Best effort.
 */
void ganesha_write_blkid(const struct ganesha *g);

int ganesha_next_epoch(const struct ganesha *g, uint64_t *epoch, struct err *err);
int ganesha_tenure_write(const struct ganesha *g, struct err *err);
void ganesha_tenure_remove(const struct ganesha *g);
struct tenure_record {
	pid_t pid;
	uint64_t start_time, tenure;
	enum phase phase;
};
/* 0, or -ENOENT when there is none or it is no tenure file. */
int ganesha_tenure_read(const struct ganesha *g, struct tenure_record *out);

/*
 * Gathers the records of all databases into one and empties the others, so
 * that none is lost to a new tenure and none counts twice (ganesha would wait
 * for it to reclaim twice).
 */
int ganesha_gather_records(const struct ganesha *g, enum clients_db into, struct err *err);

/* ---- ganesha_module.c */

/*
 * Decides whether the next server is to have the module, and makes what it needs:
 * plugins and socket get their paths (PATH_MAX). Sets module_used and module_why.
 */
void ganesha_module_prepare(struct ganesha *g, char *plugins, char *socket);

/* Connects to the running server's module and hears that it is ready. */
int ganesha_module_open(struct ganesha *g, struct fsal_client *c, struct err *err);

/* Waits until the module of a server that has just started answers, and ends the
 * grace period that a server starts with, and nobody needs. */
void ganesha_module_wait(struct ganesha *g, int64_t deadline);

/* 0; 1: refused, the server is as it was; negative: it must be replaced. */
int ganesha_module_load(struct fsal_client *c, struct ganesha_load *load, struct err *err);

int ganesha_module_grace(struct fsal_client *c, bool *active, struct err *err);
int ganesha_module_add_export(struct fsal_client *c, const char *file, unsigned id, struct err *err);

/* ---- ganesha_proc.c */
/* Finds the processes of an earlier nasd. */
void ganesha_adopt(struct ganesha *g);

int ganesha_bus_start(struct ganesha *g, int64_t deadline, struct err *err);
int ganesha_bus_stop(struct ganesha *g, int64_t timeout_us, struct err *err);

/* Spawns the server with that configuration file; it is STARTING then. */
int ganesha_server_spawn(struct ganesha *g, const char *config, struct err *err);

/* Waits until it listens (and, with dbus, answers there), or has ended. */
int ganesha_server_wait(struct ganesha *g, bool dbus, int64_t deadline, struct err *err);

/* KILL and wait, also for one that nobody has written down. 0 when there is none. */
int ganesha_server_kill(struct ganesha *g, int64_t timeout_us, struct err *err);

/* Sets phase and tenure file. */
int ganesha_set_phase(struct ganesha *g, enum phase phase, struct err *err);

bool ganesha_server_alive(const struct ganesha *g);

#endif
