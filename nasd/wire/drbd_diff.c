/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happened between two looks at DRBD: drbd_model_diff of drbd_events.h. */
#include "drbd_events.h"

#include <stdio.h>
#include <string.h>

struct differ {
	void (*fn)(const struct drbd_diff *diff, void *data);
	void *data;
	struct drbd_diff diff;
	unsigned n;
};

/* Without a peer DRBD says nothing, or these; to tell them apart helps nobody. */
static const char *or_word(const char *text, const char *word)
{
	return text[0] ? text : word;
}

static void compare(struct differ *d, const char *what, const char *old, const char *now)
{
	if (!strcmp(old, now))
		return;
	d->diff.what = what;
	d->diff.old = or_word(old, "none");
	d->diff.now = or_word(now, "none");
	d->n++;
	if (d->fn)
		d->fn(&d->diff, d->data);
}

static const struct drbd_volume *volume_of(const struct drbd_resource *r, unsigned number)
{
	static const struct drbd_volume none;

	for (unsigned i = 0; i < r->n_volumes; i++)
		if (r->volumes[i].volume == number)
			return &r->volumes[i];
	return &none;
}

static void compare_volume(struct differ *d, unsigned number, const struct drbd_resource *old,
			   const struct drbd_resource *now)
{
	const struct drbd_volume *a = volume_of(old, number), *b = volume_of(now, number);

	d->diff.volume = number;
	compare(d, "disk", a->disk, b->disk);
	compare(d, "peer disk", or_word(a->peer_disk, "DUnknown"), or_word(b->peer_disk, "DUnknown"));
	compare(d, "replication", or_word(a->replication, "Off"), or_word(b->replication, "Off"));
	d->diff.volume = 0;
}

static void compare_resource(struct differ *d, const struct drbd_resource *old, const struct drbd_resource *now)
{
	d->diff.resource = now->name;
	compare(d, "role", old->role, now->role);
	compare(d, "connection", old->connection, now->connection);
	compare(d, "peer role", or_word(old->peer_role, "Unknown"), or_word(now->peer_role, "Unknown"));
	compare(d, "I/O", old->suspended ? "suspended" : "running", now->suspended ? "suspended" : "running");
	for (unsigned i = 0; i < now->n_volumes; i++)
		compare_volume(d, now->volumes[i].volume, old, now);
	for (unsigned i = 0; i < old->n_volumes; i++)
		if (!volume_of(now, old->volumes[i].volume)->exists)
			compare_volume(d, old->volumes[i].volume, old, now);
}

unsigned drbd_model_diff(const struct drbd_model *old, const struct drbd_model *now,
			 void (*fn)(const struct drbd_diff *diff, void *data), void *data)
{
	struct differ d = { .fn = fn, .data = data };
	struct drbd_resource none;

	memset(&none, 0, sizeof(none));
	for (unsigned i = 0; i < now->n_resources; i++) {
		const struct drbd_resource *r = &now->resources[i], *was = drbd_model_find(old, r->name);

		d.diff.resource = r->name;
		if (!was)
			compare(&d, "resource", "", "configured");
		compare_resource(&d, was ? was : &none, r);
	}
	for (unsigned i = 0; i < old->n_resources; i++) {
		d.diff.resource = old->resources[i].name;
		if (!drbd_model_find(now, d.diff.resource))
			compare(&d, "resource", "configured", "");
	}
	return d.n;
}

char *drbd_diff_format(const struct drbd_diff *diff, char *buf, size_t size)
{
	if (diff->volume)
		snprintf(buf, size, "%s of volume %u: %s -> %s", diff->what, diff->volume, diff->old, diff->now);
	else
		snprintf(buf, size, "%s: %s -> %s", diff->what, diff->old, diff->now);
	return buf;
}

/* The words that leave nothing to wish for; leaving one is a loss. */
bool drbd_diff_is_loss(const struct drbd_diff *diff)
{
	static const char *const best[][2] = {
		{ "connection", "Connected" }, { "disk", "UpToDate" },	   { "peer disk", "UpToDate" },
		{ "I/O", "running" },	       { "resource", "configured" },
	};

	for (size_t i = 0; i < sizeof(best) / sizeof(best[0]); i++)
		if (!strcmp(diff->what, best[i][0]))
			return !strcmp(diff->old, best[i][1]);
	return false;
}
