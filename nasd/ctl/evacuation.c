/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "evacuation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "view.h"

/* ---- places */

static int roomiest(const struct evacuation_host *hosts, size_t n, uint64_t want)
{
	int best = EVACUATION_NO_ROOM;

	for (size_t i = 0; i < n; i++)
		if (hosts[i].usable && hosts[i].free_kib >= want &&
		    (best < 0 || hosts[i].free_kib > hosts[best].free_kib))
			best = (int)i;
	return best;
}

/* The largest that has not been looked at; NULL: all have. */
static struct evacuation_guest *largest(struct evacuation_guest *guests, const bool *seen, size_t n)
{
	struct evacuation_guest *g = NULL;

	for (size_t i = 0; i < n; i++)
		if (!seen[i] && (!g || guests[i].memory_kib > g->memory_kib))
			g = &guests[i];
	return g;
}

void evacuation_place(struct evacuation_guest *guests, size_t n, struct evacuation_host *hosts, size_t n_hosts)
{
	bool *seen = calloc(n ? n : 1, sizeof(*seen));
	struct evacuation_guest *g;

	for (size_t i = 0; i < n; i++)
		guests[i].to = EVACUATION_NO_ROOM;
	while (seen && (g = largest(guests, seen, n))) {
		seen[g - guests] = true;
		g->to = roomiest(hosts, n_hosts, g->memory_kib);
		if (g->to != EVACUATION_NO_ROOM)
			hosts[g->to].free_kib -= g->memory_kib;
	}
	free(seen);
}

/* ---- the record */

json_t *evacuation_record_new(const char *hypervisor)
{
	return json_pack("{s:i, s:s, s:[]}", "v", 1, "hypervisor", hypervisor, "guests");
}

static int find(const json_t *guests, const char *uuid)
{
	for (size_t i = 0; i < json_array_size(guests); i++)
		if (!strcmp(js_text(json_array_get(guests, i), "uuid"), uuid))
			return (int)i;
	return -1;
}

bool evacuation_record_add(json_t *record, const char *name, const char *uuid)
{
	json_t *guests = json_object_get(record, "guests");
	int i = find(guests, uuid);

	if (i >= 0)
		json_array_remove(guests, (size_t)i);
	return json_array_append_new(guests, json_pack("{s:s, s:s}", "name", name, "uuid", uuid)) == 0;
}

bool evacuation_record_has(const json_t *record, const char *uuid)
{
	return find(json_object_get(record, "guests"), uuid) >= 0;
}

void evacuation_record_remove(json_t *record, const char *uuid)
{
	json_t *guests = json_object_get(record, "guests");
	int i = find(guests, uuid);

	if (i >= 0)
		json_array_remove(guests, (size_t)i);
}

/* What is wrong with it; NULL: nothing. */
static const char *flaw(const json_t *record, const char *hypervisor)
{
	const json_t *guests = json_object_get(record, "guests");

	if (!json_is_object(record))
		return "is no JSON object";
	if (js_int(record, "v") != 1)
		return "is of another version";
	if (strcmp(js_text(record, "hypervisor"), hypervisor) != 0)
		return "is of another hypervisor";
	if (!json_is_array(guests))
		return "has no list of guests";
	for (size_t i = 0; i < json_array_size(guests); i++) {
		const json_t *g = json_array_get(guests, i);

		if (!js_text(g, "name")[0] || !js_text(g, "uuid")[0])
			return "has a guest without name or uuid";
	}
	return NULL;
}

int evacuation_record_parse(const char *text, size_t len, const char *hypervisor, const char *where, json_t **out,
			    struct err *err)
{
	json_t *record = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *wrong = flaw(record, hypervisor);

	if (!wrong) {
		*out = record;
		return 0;
	}
	json_decref(record);
	err_set(err, ERR_INPUT, EINVAL, where, "the record of the guests that were sent away %s", wrong);
	err_remedy(err, "take the file away, and bring the guests back with 'nasctl migrate'");
	return -EINVAL;
}
