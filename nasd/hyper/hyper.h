/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests and hypervisors, for `nasctl guests`, `nasctl migrate` and `nasctl evacuate`.
 *
 * A program of its own (nasd-hyper), which nasctl becomes: nasd never waits for
 * libvirt, and a NAS node without libvirt loses these commands only.
 *
 *   main.c       options
 *   interrupt.c  signals
 *   host.c       connections to hypervisors
 *   guest.c      the guests whose disks lie on an export
 *   preflight.c  may this guest move there?
 *   nas.c        the other half of a move with --with-nas, asked of nasd
 *   migrate.c    the move
 *   postcopy.c   the part of it after the guest has gone on at the target
 *   evacuate.h   the moves of all guests of a hypervisor
 *
 * The two halves need no common commitment: the storage has the same address on
 * either NAS, and is mounted on both hypervisors, so that each of the four ways in
 * which a move can end (the guest here or there, the storage here or there) is
 * whole. Each half is atomic by itself: the guest's by libvirt (peer to peer: the
 * source's libvirtd drives it), the storage's by nasd. This program may die at any
 * moment: nasd calls off what is held when its requester hangs up, and libvirtd
 * finishes or gives up what it began.
 *
 * Only the freezes are laid over each other: nasd holds its move before the freeze,
 * and is told to go when the source's QEMU has stopped the guest.
 *
 *   the guest's move        the storage's   what is done             they end
 *   not begun               refused         nothing                  here, here
 *   fails or is cancelled   held            hang up                  here, here
 *   (this program dies)     held            nasd calls it off        there or here, here
 *   running                 called off      cancel the guest's       here, here
 *   stopped: go             freezes         wait for both            there, there
 *   stopped: go, fails      freezes         wait for the storage's   here, there
 *   stopped: go             rolled back     wait for the guest's     there, here
 *   post-copy, breaks off   moved           say so; resumed later    between the two, there
 */
#ifndef NASD_HYPER_H
#define NASD_HYPER_H

#include <libvirt/libvirt.h>

#include "cli.h"
#include "conf.h"
#include "err.h"

enum { GUEST_NAME_MAX = 128, GUEST_DISKS_MAX = 16, GUEST_NICS_MAX = 16 };

struct hyper_options {
	struct cli cli;
	const char *config;      /* nasd.conf */
	const char *guest, *to;  /* migrate; evacuate: guest is the hypervisor */
	const char *with_nas;    /* NULL: the storage stays */
	unsigned bandwidth;      /* MiB/s; 0: not limited */
	unsigned downtime_ms;    /* of the guest, that libvirt may plan with; 0: as it is set */
	unsigned force_after_s;  /* then the guest is stopped so that it converges; 0: never */
	unsigned timeout_s;      /* then the move is given up */
	bool auto_converge;
	bool postcopy;           /* the guest may go on at the target before its memory is there, */
	unsigned postcopy_after_s; /* ... after so long; 0: after the first pass */
	bool resume;             /* a post-copy that has broken off */
	unsigned jobs;           /* evacuate: so many at a time */
	bool skip, back;
};

/* ---- interrupt.c: SIGINT, SIGTERM and SIGHUP are noted from then on, and end a poll */
void hyper_catch_signals(void);
bool hyper_interrupted(void);

/* ---- host.c */
struct host {
	const struct conf_hypervisor *conf;
	virConnectPtr conn;      /* NULL: not connected */
	bool lost;               /* it has not answered since */
	struct err err;          /* why not */
};

/* Once, before any connection: no messages on standard error; events run in a thread. */
int hyper_begin(struct err *err);
/* 0, or a negative errno with h->err filled. host_close is due either way. */
int host_open(struct host *h, const struct conf_hypervisor *conf);
/* The same, within us at most: a host that is off does not answer for minutes. */
int host_open_within(struct host *h, const struct conf_hypervisor *conf, int64_t us);
void host_close(struct host *h);
/* libvirt's last error of this thread as ours. Returns -EIO. */
int host_error(struct err *err, const char *where, const char *what);

/* Of the call of libvirt that has just failed: there is no such domain, and nothing else is wrong. */
bool host_no_domain(void);

/* What could be had there without swapping, KiB. */
unsigned long long host_free_kib(virConnectPtr conn);

/* ---- guest.c */
struct guest_disk {
	char target[16];         /* "vda" */
	char path[256];          /* of a file; else empty */
	char cache[16];          /* as configured; empty: libvirt's default */
	char error_policy[16];   /* likewise */
	bool shareable;          /* QEMU takes no lock that keeps a second one out */
	const struct conf_group *group; /* NULL: not on an export */
	const struct conf_export *export;
};

struct guest_nic {
	char network[64], bridge[64]; /* one of them, or neither */
};

struct guest {
	char name[GUEST_NAME_MAX];
	char uuid[VIR_UUID_STRING_BUFLEN];
	int state;               /* VIR_DOMAIN_... */
	int reason;              /* VIR_DOMAIN_..._..., of that state */
	bool persistent;
	unsigned long memory_kib;
	char cpu_mode[24], type[16]; /* "custom", "kvm" */
	char memory_source[16];  /* of <memoryBacking>: "file"; empty: QEMU's own */
	struct guest_disk disks[GUEST_DISKS_MAX];
	size_t n_disks;
	struct guest_nic nics[GUEST_NICS_MAX];
	size_t n_nics;
	size_t more;             /* disks and interfaces beyond that room */
	const struct conf_group *group; /* of the first disk on an export; NULL: none is */
};

const char *guest_state_name(const struct guest *g);
int guest_read(struct guest *g, virDomainPtr dom, const struct host *h, const struct conf *c, struct err *err);
/* The <cpu> of a domain, and text made fit for XML. The caller frees them; NULL: none. */
char *guest_cpu_xml(virDomainPtr dom);
char *guest_xml_text(const char *text);
enum cli_exit hyper_guests(const struct hyper_options *o, const struct conf *c);

/* ---- preflight.c: findings as nasd's own: {"check","node","ok","message","remedy"} */
struct move {
	const struct hyper_options *o;
	const struct conf *c;
	struct host from, to;
	virDomainPtr dom;
	struct guest g;
};

/* A new array. *ready: all hold. */
json_t *preflight(const struct move *m, bool *ready);

/* ---- postcopy.c: a domain that is one half of a guest in post-copy, whole or broken off */
bool postcopy_state(int state, int reason);
bool postcopy_domain(virDomainPtr dom);
/* What its operator takes upon himself. */
#define POSTCOPY_RISK "once it goes on there, its memory is on both hypervisors: it cannot be cancelled then, and is lost when either dies"
/* Of one that is in it, and what to do; %s: its name. */
#define POSTCOPY_BETWEEN "is in post-copy, between two hypervisors"
#define POSTCOPY_WAIT "wait for its end: nasctl guests; where it has broken off: nasctl migrate %.100s --to HYPERVISOR --postcopy-resume"
enum { POSTCOPY_LIBVIRT = 8005000 }; /* which has VIR_MIGRATE_POSTCOPY_RESUME */

/* ---- nas.c */
struct nas;

enum nas_state { NAS_BEGUN, NAS_HELD, NAS_GONE_ON, NAS_ENDED };

/* The storage's half begins; it is held for hold_s at most. NULL: no memory, no thread. */
struct nas *nas_begin(const struct hyper_options *o, const char *group, unsigned hold_s);
enum nas_state nas_look(struct nas *n);
/* Until it is held or has ended. NAS_BEGUN: a signal has come before that, or us is over. */
enum nas_state nas_wait_held(struct nas *n, int64_t us);
/* It has ended before it was told to go. */
bool nas_called_off(struct nas *n);
/* The freeze may begin. From any thread; once. False: it could not be told so. */
bool nas_go(struct nas *n);
/* Hangs up: what is held is called off. */
void nas_leave(struct nas *n);
/* Waits for the end, us at most (then it hangs up, and CLI_UNKNOWN). *result (NULL allowed): the
 * history entry or the error, owned by n. */
enum cli_exit nas_end(struct nas *n, int64_t us, const json_t **result);
void nas_free(struct nas *n);

/* ---- migrate.c */
enum cli_exit hyper_migrate(const struct hyper_options *o, const struct conf *c);

/* ---- evacuate.c */
enum cli_exit hyper_evacuate(const struct hyper_options *o, const struct conf *c);

#endif
