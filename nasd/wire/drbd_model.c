/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The model that the events of drbd_events.c add up to. */
#include "drbd_events.h"

#include <errno.h>
#include <string.h>

void drbd_model_flush(struct drbd_model *m)
{
	memset(m, 0, sizeof(*m));
}

static struct drbd_resource *find(struct drbd_model *m, const char *name)
{
	for (unsigned i = 0; i < m->n_resources; i++)
		if (!strcmp(m->resources[i].name, name))
			return &m->resources[i];
	return NULL;
}

const struct drbd_resource *drbd_model_find(const struct drbd_model *m, const char *name)
{
	return find((struct drbd_model *)m, name);
}

/* Takes src over when it was given; whether that changed anything. */
static bool take(char dst[DRBD_NAME_LEN], const char src[DRBD_NAME_LEN])
{
	if (!src[0] || !strcmp(dst, src))
		return false;
	memcpy(dst, src, DRBD_NAME_LEN);
	return true;
}

#define MISFIT(err, name, ...) err_set(err, ERR_INPUT, EPROTO, name, __VA_ARGS__)

static int apply_resource(struct drbd_model *m, const struct drbd_event *ev, struct err *err)
{
	struct drbd_resource *r = find(m, ev->name);
	bool changed = false;

	if (ev->verb == DRBD_DESTROY) {
		if (!r)
			return 0;
		*r = m->resources[--m->n_resources];
		memset(&m->resources[m->n_resources], 0, sizeof(*r));
		return 1;
	}
	if (ev->verb == DRBD_RENAME) {
		if (!r || find(m, ev->new_name))
			return MISFIT(err, ev->name, "DRBD renames it to \"%s\", which cannot be", ev->new_name);
		return take(r->name, ev->new_name);
	}
	if (!r && ev->verb == DRBD_CHANGE)
		return MISFIT(err, ev->name, "DRBD changes a resource that it did not announce");
	if (!r) {
		if (m->n_resources == DRBD_RESOURCES_MAX)
			return MISFIT(err, ev->name, "more than %d DRBD resources", DRBD_RESOURCES_MAX);
		r = &m->resources[m->n_resources++];
		memset(r, 0, sizeof(*r));
		changed = take(r->name, ev->name);
	}
	changed |= take(r->role, ev->role);
	if (ev->has_suspended && r->suspended != ev->suspended) {
		r->suspended = ev->suspended;
		changed = true;
	}
	return changed;
}

/* The peer is gone, and with it what was known of its disks. */
static void forget_peer(struct drbd_resource *r)
{
	r->has_peer = false;
	memset(r->conn_name, 0, sizeof(r->conn_name));
	memset(r->connection, 0, sizeof(r->connection));
	memset(r->peer_role, 0, sizeof(r->peer_role));
	for (unsigned i = 0; i < r->n_volumes; i++) {
		struct drbd_volume *v = &r->volumes[i];

		memset(v->peer_disk, 0, sizeof(v->peer_disk));
		memset(v->replication, 0, sizeof(v->replication));
		v->out_of_sync = 0;
		v->done_centi = 0;
	}
}

static int apply_connection(struct drbd_resource *r, const struct drbd_event *ev, struct err *err)
{
	bool changed = !r->has_peer;

	if (r->has_peer && ev->conn_name[0] && r->conn_name[0] && strcmp(r->conn_name, ev->conn_name) != 0)
		return MISFIT(err, r->name, "a second peer \"%s\" besides \"%s\"", ev->conn_name, r->conn_name);
	if (ev->verb == DRBD_DESTROY) {
		if (r->has_peer)
			forget_peer(r);
		return !changed;
	}
	r->has_peer = true;
	changed |= take(r->conn_name, ev->conn_name);
	changed |= take(r->connection, ev->connection);
	changed |= take(r->peer_role, ev->role);
	return changed;
}

static struct drbd_volume *find_volume(struct drbd_resource *r, unsigned number)
{
	for (unsigned i = 0; i < r->n_volumes; i++)
		if (r->volumes[i].volume == number)
			return &r->volumes[i];
	return NULL;
}

/* Finds or adds; the order of device and peer-device lines does not matter. */
static struct drbd_volume *want_volume(struct drbd_resource *r, unsigned number, struct err *err)
{
	struct drbd_volume *v = find_volume(r, number);

	if (v)
		return v;
	if (r->n_volumes == DRBD_VOLUMES_MAX) {
		MISFIT(err, r->name, "more than %d volumes", DRBD_VOLUMES_MAX);
		return NULL;
	}
	v = &r->volumes[r->n_volumes++];
	memset(v, 0, sizeof(*v));
	v->volume = number;
	return v;
}

static int apply_device(struct drbd_resource *r, const struct drbd_event *ev, struct err *err)
{
	struct drbd_volume *v = find_volume(r, ev->volume);
	bool changed;

	if (ev->verb == DRBD_DESTROY) {
		if (!v)
			return 0;
		*v = r->volumes[--r->n_volumes];
		memset(&r->volumes[r->n_volumes], 0, sizeof(*v));
		return 1;
	}
	v = want_volume(r, ev->volume, err);
	if (!v)
		return -EPROTO;
	changed = !v->exists;
	v->exists = true;
	if (ev->has_minor && v->minor != ev->minor) {
		v->minor = ev->minor;
		changed = true;
	}
	return take(v->disk, ev->disk) | changed;
}

static int apply_peer_device(struct drbd_resource *r, const struct drbd_event *ev, struct err *err)
{
	struct drbd_volume *v = find_volume(r, ev->volume);
	bool changed = false;

	if (ev->verb == DRBD_DESTROY) {
		if (!v)
			return 0;
		memset(v->peer_disk, 0, sizeof(v->peer_disk));
		memset(v->replication, 0, sizeof(v->replication));
		v->out_of_sync = 0;
		v->done_centi = 0;
		return 1;
	}
	v = want_volume(r, ev->volume, err);
	if (!v)
		return -EPROTO;
	changed |= take(v->replication, ev->replication);
	changed |= take(v->peer_disk, ev->peer_disk);
	if (ev->has_out_of_sync && v->out_of_sync != ev->out_of_sync) {
		v->out_of_sync = ev->out_of_sync;
		changed = true;
	}
	if (ev->has_done && v->done_centi != ev->done_centi) {
		v->done_centi = ev->done_centi;
		changed = true;
	}
	return changed;
}

int drbd_model_apply(struct drbd_model *m, const struct drbd_event *ev, struct err *err)
{
	struct drbd_resource *r = find(m, ev->name);
	bool known = r || ev->verb == DRBD_DESTROY;
	int was;

	switch (ev->object) {
	case DRBD_DUMP_END:
		was = m->complete;
		m->complete = true;
		return !was;
	case DRBD_HELPER:
	case DRBD_PATH: return 0;
	case DRBD_RESOURCE: return apply_resource(m, ev, err);
	case DRBD_CONNECTION:
	case DRBD_DEVICE:
	case DRBD_PEER_DEVICE: break;
	}
	if (!r)
		return known ? 0 :
			       MISFIT(err, ev->name, "DRBD speaks of a part of a resource that it did not announce");
	if (ev->object == DRBD_CONNECTION)
		return apply_connection(r, ev, err);
	return ev->object == DRBD_DEVICE ? apply_device(r, ev, err) : apply_peer_device(r, ev, err);
}
