/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `nasctl evacuate`: which guest goes where, and the record of those that have gone,
 * by which they are brought back. Pure.
 */
#ifndef NASD_CTL_EVACUATION_H
#define NASD_CTL_EVACUATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "err.h"

struct evacuation_host {
	bool usable;        /* may guests be sent there? */
	uint64_t free_kib;  /* in: what is free there; out: what is left with the guests that were placed */
};

struct evacuation_guest {
	uint64_t memory_kib;
	int to;             /* out: index of the host; EVACUATION_NO_ROOM */
};

enum { EVACUATION_NO_ROOM = -1 };

/*
 * The largest guest first, each to the usable host that has the most memory left (of
 * equals the first). One that fits nowhere does not keep smaller ones from a place.
 */
void evacuation_place(struct evacuation_guest *guests, size_t n, struct evacuation_host *hosts, size_t n_hosts);

/*
 * The record: {"v":1,"hypervisor":"vnode2","guests":[{"name","uuid"}...]}, the guests
 * that were sent away from a hypervisor and have not been brought back.
 * A new one, empty. NULL: no memory.
 */
json_t *evacuation_record_new(const char *hypervisor);
/* What a file has. 0 and *out (the caller's), or -EINVAL with err filled: where is the file's name. */
int evacuation_record_parse(const char *text, size_t len, const char *hypervisor, const char *where, json_t **out,
			    struct err *err);
/* Once only, whatever its name was. False: no memory. */
bool evacuation_record_add(json_t *record, const char *name, const char *uuid);
bool evacuation_record_has(const json_t *record, const char *uuid);
/* One that is not in it is passed over. */
void evacuation_record_remove(json_t *record, const char *uuid);

#endif
