/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char world_uuid[] = "7d0f2c1e-0000-4000-8000-000000000001";

void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	drbd_init(&w->d);
	clients_init(&w->c);
}

bool world_serves(const struct world *w, int node)
{
	const struct machine *m = &w->m[node];

	return w->d.e[node].primary || m->mounted || m->address || m->server == SERVER_SERVING;
}

static void broken(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void broken(struct world *w, const char *fmt, ...)
{
	va_list ap;

	if (w->broken[0])
		return;
	va_start(ap, fmt);
	vsnprintf(w->broken, sizeof(w->broken), fmt, ap);
	va_end(ap);
}

static enum outcome refuse(char *msg, const char *why)
{
	snprintf(msg, 200, "%s", why);
	return OUTCOME_FAILED;
}

static enum outcome export(struct machine *m, struct world *w, int node, char *msg)
{
	if (!m->mounted)
		return refuse(msg, "not mounted");
	m->gated = false;
	if (m->server == SERVER_SERVING) {
		clients_gate_opens(&w->c, node);
		return OUTCOME_DONE;
	}
	if (m->address) /* the server comes up without exports first: ESTALE for the clients */
		broken(w, "node %d starts its server under a present address", node);
	m->server = SERVER_SERVING;
	m->server_fell = false;
	clients_server_starts(&w->c, node);
	return OUTCOME_DONE;
}

static enum outcome warm(struct machine *m, char *msg)
{
	if (m->mounted)
		return refuse(msg, "the filesystem is mounted here");
	m->server = SERVER_WARM;
	m->server_fell = false;
	return OUTCOME_DONE;
}

enum outcome world_run(struct world *w, int node, enum step_id step, char *msg)
{
	struct machine *m = &w->m[node];

	switch (step) {
	case STEP_WARM:
	case STEP_REWARM: return warm(m, msg);
	case STEP_PRESYNC:
	case STEP_CONFIRM: return OUTCOME_DONE;
	case STEP_GATE:
		m->gated = m->server == SERVER_SERVING;
		if (m->gated)
			clients_dumped(&w->c, node);
		return OUTCOME_DONE;
	case STEP_ADDRESS_DEL:
		m->address = false;
		m->server_fell = false;
		return OUTCOME_DONE;
	case STEP_SERVER_STOP:
		if (m->server == SERVER_SERVING)
			m->server = SERVER_DOWN, clients_server_died(&w->c, node);
		m->gated = false;
		return OUTCOME_DONE;
	case STEP_UNMOUNT:
		if (m->server == SERVER_SERVING)
			return refuse(msg, "the filesystem is busy");
		m->mounted = false;
		return OUTCOME_DONE;
	case STEP_DRBD_SECONDARY:
		if (m->mounted)
			return refuse(msg, "the filesystem is mounted");
		drbd_demote(&w->d, node);
		return OUTCOME_DONE;
	case STEP_MOUNT:
		if (!w->d.e[node].primary)
			return refuse(msg, "not Primary");
		m->mounted = true;
		return OUTCOME_DONE;
	case STEP_EXPORT: return export(m, w, node, msg);
	case STEP_ADDRESS_ADD:
		if (m->server != SERVER_SERVING)
			return refuse(msg, "not all exports are served");
		m->address = true;
		return OUTCOME_DONE;
	case STEP_ANNOUNCE: return m->address ? OUTCOME_DONE : refuse(msg, "no address here");
	case STEP_NONE:
	case STEP_CHECK:
	case STEP_RESERVE:
	case STEP_HOLD:
	case STEP_CLIENTS:
	case STEP_COMMIT:
	case STEP_DRBD_PRIMARY:
	case STEP_DETECT:
	case STEP_FENCE:
	case STEP_COUNT: break;
	}
	broken(w, "node %d runs step %s, which has no effect", node, step_name(step));
	return OUTCOME_FAILED;
}

static enum outcome holds(bool yes)
{
	return yes ? OUTCOME_DONE : OUTCOME_FAILED;
}

enum outcome world_verify(struct world *w, int node, enum step_id step)
{
	const struct machine *m = &w->m[node];
	bool primary = w->d.e[node].primary;

	switch (step) {
	case STEP_WARM:
	case STEP_REWARM: return holds(m->server == SERVER_WARM);
	case STEP_PRESYNC:
	case STEP_GATE: /* without it the clients reclaim */
	case STEP_CONFIRM: return OUTCOME_DONE;
	case STEP_ADDRESS_DEL: return holds(!m->address);
	case STEP_SERVER_STOP: return holds(m->server != SERVER_SERVING);
	case STEP_UNMOUNT: return holds(!m->mounted);
	case STEP_DRBD_SECONDARY: return holds(!primary);
	case STEP_DRBD_PRIMARY: return holds(primary);
	case STEP_MOUNT: return holds(m->mounted);
	case STEP_EXPORT: return holds(m->server == SERVER_SERVING && !m->gated);
	case STEP_ADDRESS_ADD: return holds(m->address);
	case STEP_ANNOUNCE: return OUTCOME_FAILED; /* leaves no trace */
	case STEP_NONE:
	case STEP_CHECK:
	case STEP_RESERVE:
	case STEP_HOLD:
	case STEP_CLIENTS:
	case STEP_COMMIT:
	case STEP_DETECT:
	case STEP_FENCE:
	case STEP_COUNT: break;
	}
	broken(w, "node %d verifies step %s, which has no effect", node, step_name(step));
	return OUTCOME_FAILED;
}

bool world_answers(const struct world *w, int node)
{
	const struct machine *m = &w->m[node];

	return m->address && m->server == SERVER_SERVING && !m->gated;
}

void world_power_on(struct world *w, int node)
{
	drbd_attach(&w->d, node);
}

void world_power_off(struct world *w, int node)
{
	clients_server_died(&w->c, node);
	memset(&w->m[node], 0, sizeof(w->m[node]));
	w->m[node].server = SERVER_DOWN;
	drbd_detach(&w->d, node);
}

void world_server_dies(struct world *w, int node)
{
	if (w->m[node].server == SERVER_SERVING)
		w->m[node].server_fell = true;
	clients_server_died(&w->c, node);
	w->m[node].gated = false;
	w->m[node].server = SERVER_DOWN;
}

void world_facts(const struct world *w, int node, struct facts *f)
{
	const struct machine *m = &w->m[node];

	memset(f, 0, sizeof(*f));
	f->valid = true;
	drbd_sim_facts(&w->d, node, f);
	f->mount_dir_exists = true;
	f->mounted = m->mounted;
	snprintf(f->fs_uuid, sizeof(f->fs_uuid), "%s", world_uuid);
	f->server = m->server;
	f->exports_wanted = 1;
	f->exports_present = m->server == SERVER_SERVING;
	f->n_addresses = 1;
	snprintf(f->addresses[0].text, sizeof(f->addresses[0].text), "192.0.2.100/24");
	snprintf(f->addresses[0].ifname, sizeof(f->addresses[0].ifname), "eth0");
	f->addresses[0].link_up = true;
	f->addresses[0].present = m->address;
	f->journal_ok = true;
}
