/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text that `drbdsetup events2` prints, as typed events, and a small model
 * of what they say (drbd-utils 9; kernel modules 8.4 and 9). Reference:
 * drbdsetup(8), "drbdsetup events2". Run it without --timestamps.
 *
 * The parser takes bytes as they come (push). Bad lines give one error each and
 * are passed over; the caller then restarts drbdsetup and calls
 * drbd_events_init and drbd_model_flush, as whenever the stream is restarted.
 */
#ifndef NASD_WIRE_DRBD_EVENTS_H
#define NASD_WIRE_DRBD_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

enum {
	DRBD_LINE_MAX = 2048,
	DRBD_NAME_LEN = 64, /* resource and connection names, states */
	DRBD_RESOURCES_MAX = 16,
	DRBD_VOLUMES_MAX = 16,
};

enum drbd_verb { DRBD_EXISTS, DRBD_CREATE, DRBD_CHANGE, DRBD_DESTROY, DRBD_RENAME, DRBD_CALL, DRBD_RESPONSE };

enum drbd_object {
	DRBD_DUMP_END, /* "exists -": the initial dump is complete */
	DRBD_RESOURCE, DRBD_CONNECTION, DRBD_DEVICE, DRBD_PEER_DEVICE,
	DRBD_PATH, DRBD_HELPER,
};

/* One line. Text that it did not carry is empty, numbers have their has_ flag;
 * keys that are not listed here are passed over. */
struct drbd_event {
	enum drbd_verb verb;
	enum drbd_object object;
	char name[DRBD_NAME_LEN];        /* the resource */
	char new_name[DRBD_NAME_LEN];    /* rename */
	char conn_name[DRBD_NAME_LEN];
	char role[DRBD_NAME_LEN];        /* resource: own; connection: the peer's */
	char connection[DRBD_NAME_LEN];
	char disk[DRBD_NAME_LEN];
	char peer_disk[DRBD_NAME_LEN];
	char replication[DRBD_NAME_LEN];
	char helper[DRBD_NAME_LEN];
	bool has_suspended, suspended;   /* any reason but "no" */
	bool has_peer_node_id, has_volume, has_minor, has_out_of_sync, has_status, has_done;
	unsigned peer_node_id, volume, minor;
	uint64_t out_of_sync;            /* KiB, with --statistics */
	unsigned done_centi;             /* resync done, in 1/100 percent */
	int status;                      /* helper's exit status */
};

struct drbd_events {
	unsigned long line_no;
	size_t len;
	bool too_long;
	char line[DRBD_LINE_MAX];
};

void drbd_events_init(struct drbd_events *p);

/*
 * Takes bytes up to the end of the first line and returns how many it took in
 * *used. 1: event is filled; 0: all taken, no event yet; -EPROTO: a bad line,
 * err says which. Call again with the rest after 1 and -EPROTO.
 */
int drbd_events_feed(struct drbd_events *p, const char *bytes, size_t len, size_t *used,
		     struct drbd_event *event, struct err *err);

/* ---- what the events add up to, for the one peer a pair has */
struct drbd_volume {
	bool exists;             /* the device is known */
	unsigned volume, minor;
	char disk[DRBD_NAME_LEN], peer_disk[DRBD_NAME_LEN], replication[DRBD_NAME_LEN];
	uint64_t out_of_sync;    /* KiB */
	unsigned done_centi;
};

struct drbd_resource {
	char name[DRBD_NAME_LEN];
	char role[DRBD_NAME_LEN];
	bool suspended;
	bool has_peer;
	char conn_name[DRBD_NAME_LEN], connection[DRBD_NAME_LEN], peer_role[DRBD_NAME_LEN];
	unsigned n_volumes;
	struct drbd_volume volumes[DRBD_VOLUMES_MAX];
};

struct drbd_model {
	bool complete;           /* the initial dump was seen to its end */
	unsigned n_resources;
	struct drbd_resource resources[DRBD_RESOURCES_MAX];
};

/* Forgets everything: the stream starts anew. */
void drbd_model_flush(struct drbd_model *m);

/*
 * Takes one event in. 1: something changed, 0: nothing did; negative with err
 * filled when the event does not fit (a second peer, an unknown resource, no
 * room): flush and restart the stream then.
 */
int drbd_model_apply(struct drbd_model *m, const struct drbd_event *event, struct err *err);

/* NULL when it is not known. */
const struct drbd_resource *drbd_model_find(const struct drbd_model *m, const char *name);

/* ---- what happened between two looks */
struct drbd_diff {
	const char *resource;
	const char *what;     /* "role", "connection", "peer role", "I/O", "disk", "peer disk",
			       * "replication", "resource" (it came or went) */
	unsigned volume;
	const char *old, *now; /* DRBD's words, never empty: "none" stands for nothing */
};

/*
 * Calls fn (may be NULL) for each difference in what diff.what lists; counters
 * and progress do not count. The diff is valid during the call. Returns how
 * many there are.
 */
unsigned drbd_model_diff(const struct drbd_model *old, const struct drbd_model *now,
			 void (*fn)(const struct drbd_diff *diff, void *data), void *data);

/* "connection: Connected -> StandAlone"; always terminated, returns buf. */
char *drbd_diff_format(const struct drbd_diff *diff, char *buf, size_t size);

/* Whether redundancy or service was lost by it: worth a warning. */
bool drbd_diff_is_loss(const struct drbd_diff *diff);

#endif
