/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the effects share.
 *
 *     effects.c          the table, construction, dispatch
 *     effects_storage.c  PRESYNC UNMOUNT DRBD_* MOUNT
 *     effects_server.c   WARM SERVER_STOP EXPORT REWARM
 *     effects_state.c    GATE, and the clients' state
 *     effects_net.c      ADDRESS_* ANNOUNCE CONFIRM
 *     facts.c            what is, for status and checks
 *     facts_server.c     ... of the server, and whether it answers
 *
 * Locks, never held together: server_lock for the calls of ganesha.h, which
 * want one thread at a time; data_lock for the members below it.
 */
#ifndef NASD_SYS_EFFECTS_INT_H
#define NASD_SYS_EFFECTS_INT_H

#include <pthread.h>
#include <stdio.h>

#include "addr.h"
#include "clients.h"
#include "drbd_dev.h"
#include "effects.h"
#include "filesystem.h"
#include "flow.h"
#include "fsal_msg.h"
#include "ganesha.h"
#include "silence.h"

struct flow_list {
	struct net_flow *at;
	size_t n;
};

/* Who else answers for an address that this node has. */
struct theft {
	bool seen;
	char mac[18];
};

struct effects {
	const struct conf *conf;
	const struct conf_group *group;
	int self;
	char *state_dir, *run_dir, *log_dir, *module_dir; /* module_dir may be NULL */
	struct filesystem fs;
	struct net_addr addrs[CONF_ADDRESSES_MAX];
	size_t n_addrs;
	int64_t added_at;            /* monotonic, the steps' thread; 0: ANNOUNCE looks for itself */

	pthread_mutex_t server_lock;
	struct ganesha *ganesha;

	pthread_mutex_t data_lock;
	struct client_set clients;   /* of effects_set_clients */
	bool have_clients;
	struct flow_list cut;        /* what the last ADDRESS_DEL cut off, or the next will */
	size_t cut_present;          /* addresses present then */
	int64_t cut_at;              /* when that was seen; 0: ADDRESS_DEL has used it */
	unsigned last_exports;       /* as last seen, for facts while a step runs */
	uint64_t exported_tenure;    /* the server that was last seen with every export */
	bool last_grace;
	struct ganesha_module last_module;
	struct drbd_policy policy;

	/* one thread at a time asks for facts */
	struct silence silence_nfs, silence_any; /* NULL calls; these, D-Bus or the module */
	int64_t alone_since_us;      /* wall clock; 0: DRBD is connected */
	struct theft thefts[CONF_ADDRESSES_MAX];
	int64_t theft_at;            /* monotonic; looked for then */

	/* the clients' state, under data_lock */
	char why_not[FSAL_TEXT_MAX]; /* the target cannot take it */
	char *dump;                  /* GATE's, or the copy of PRESYNC */
	size_t dump_len;
	uint64_t dump_base;          /* PRESYNC: its name; GATE: since which it has the changes, 0: all */
	uint64_t since;              /* what GATE is to use; 0: nothing */
	char *state;                 /* for EXPORT */
	size_t state_len;
	bool state_own;
	int64_t gated_opens;         /* what GATE's dump counted */
	int64_t gated_until;         /* monotonic; GATE's gate stays closed up to then, 0: open */
	bool sealed;                 /* ... and its server has ended behind it */
};

/* What a step hands back besides its outcome; text is never NULL. */
struct word {
	char *text; /* EFFECTS_DETAIL_MAX bytes */
	struct err *err;
};

#define SAY(w, ...) snprintf((w)->text, EFFECTS_DETAIL_MAX, __VA_ARGS__)

/* FAILED with the error of e, or UNKNOWN when it tells of a timeout. */
enum outcome outcome_of_error(const struct err *e);

/* An ERR_REFUSED without an errno; returns OUTCOME_FAILED. */
enum outcome refuse(struct word *w, const char *where, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

typedef enum outcome (*effect_fn)(struct effects *fx, struct word *w);

enum outcome presync_run(struct effects *fx, struct word *w);
enum outcome presync_verify(struct effects *fx, struct word *w);
enum outcome unmount_run(struct effects *fx, struct word *w);
enum outcome unmount_verify(struct effects *fx, struct word *w);
enum outcome secondary_run(struct effects *fx, struct word *w);
enum outcome secondary_verify(struct effects *fx, struct word *w);
enum outcome primary_run(struct effects *fx, struct word *w);
enum outcome primary_verify(struct effects *fx, struct word *w);
enum outcome mount_run(struct effects *fx, struct word *w);
enum outcome mount_verify(struct effects *fx, struct word *w);

enum outcome warm_run(struct effects *fx, struct word *w);
enum outcome warm_verify(struct effects *fx, struct word *w);
enum outcome server_stop_run(struct effects *fx, struct word *w);
enum outcome server_stop_verify(struct effects *fx, struct word *w);
void state_copy_ahead(struct effects *fx);
enum outcome gate_run(struct effects *fx, struct word *w);
enum outcome gate_verify(struct effects *fx, struct word *w);
/* Whether the server can let go of the filesystem behind its gate, and live on. */
bool state_releasable(struct effects *fx, int64_t *opens);
/* The server has ended: whether behind the gate. */
void state_seal(struct effects *fx);
/* Whether requests are held here; opens the gate. */
bool state_gated(struct effects *fx);
enum outcome state_thaw(struct effects *fx, struct word *w);
/* Takes the state for EXPORT; NULL when there is none. To be freed. */
char *state_take(struct effects *fx, struct ganesha_load *load);
enum outcome export_run(struct effects *fx, struct word *w);
enum outcome export_verify(struct effects *fx, struct word *w);
enum outcome rewarm_run(struct effects *fx, struct word *w);
enum outcome rewarm_verify(struct effects *fx, struct word *w);

enum outcome address_del_run(struct effects *fx, struct word *w);
enum outcome address_del_verify(struct effects *fx, struct word *w);
enum outcome address_add_run(struct effects *fx, struct word *w);
enum outcome address_add_verify(struct effects *fx, struct word *w);
enum outcome announce_run(struct effects *fx, struct word *w);
enum outcome announce_verify(struct effects *fx, struct word *w);
enum outcome confirm_run(struct effects *fx, struct word *w);
enum outcome confirm_verify(struct effects *fx, struct word *w);

/* Whether every export is served; asks the server only when that is not known of
 * this tenure yet. */
enum outcome exports_served(struct effects *fx, struct word *w);

/* Fills in what is of the server; out has the addresses already. */
void facts_server(struct effects *fx, struct facts *out);

/* How many of the floating addresses are present here. */
int addresses_present(struct effects *fx, size_t *n, struct err *e);

/* Whether the group's filesystem is mounted here (at its place or elsewhere);
 * DONE: it is, FAILED: it is not, UNKNOWN. */
enum outcome mounted_here(struct effects *fx, struct err *e);

#endif
