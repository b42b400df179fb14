/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Set-up, timers, and the peer's messages. */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "clocks.h"
#include "frame.h"
#include "identity.h"
#include "log.h"

enum {
	MONITOR_US = 2000000, LANE_END_US = 2000000,
	ASKED_US = 100000000, /* nasctl and a cluster manager wait a little longer */
};

/* ---- time */

static void set_timer(struct egroup *g)
{
	int64_t t = group_next_tick(g->core);

	sd_event_source_set_time(g->timer, t > 0 ? (uint64_t)t : 0);
	sd_event_source_set_enabled(g->timer, SD_EVENT_ONESHOT);
}

void egroup_settle(struct egroup *g)
{
	if (g->draining)
		return;
	g->draining = true;
	egroup_drain(g);
	g->draining = false;
	set_timer(g);
	engine_end_look(g->e);
}

static int tick(sd_event_source *s, uint64_t usec, void *data)
{
	struct egroup *g = data;

	(void)s;
	(void)usec;
	group_tick(g->core, monotonic_us());
	egroup_settle(g);
	return 0;
}

/* ---- the peer */

static void peer_up(const struct peer_intro *intro, void *data)
{
	struct engine *e = data;
	struct peer_link_status s;

	peer_link_status(e->link, &s);
	engine_liveness_peer_up(e, intro);
	log_notice("connected to %s (nasd %s) at %s, configuration %s", intro->node, intro->version, s.address,
		   s.config_same ? "the same" : "DIFFERENT");
	for (size_t i = 0; i < e->n_groups; i++) {
		struct egroup *g = &e->groups[i];

		group_peer_up(g->core, monotonic_us(), s.config_same, intro->protocol == FRAME_VERSION);
		egroup_clients_peer_up(g);
		egroup_settle(g);
	}
	engine_control_changed(e);
}

static void peer_down(const char *reason, void *data)
{
	struct engine *e = data;

	log_warn("the link to the peer is down: %s", reason);
	for (size_t i = 0; i < e->n_groups; i++) {
		struct egroup *g = &e->groups[i];

		g->peer_facts_at = 0;
		egroup_clients_peer_down(g);
		egroup_state_peer_down(g);
		group_peer_down(g->core, monotonic_us(), reason);
		egroup_settle(g);
	}
	engine_control_changed(e);
}

static void peer_message(const struct peer_msg *m, void *data)
{
	struct engine *e = data;
	struct egroup *g = NULL;
	int64_t offset = 0, rtt;

	for (size_t i = 0; i < e->n_groups; i++)
		if (!strcmp(e->groups[i].conf->name, m->group))
			g = &e->groups[i];
	if (!g) {
		log_warn("message %s about the unknown group '%s' passed over", msg_type_name(m->type), m->group);
		return;
	}
	log_debug("%s: from the peer: %s, epoch %llu", g->conf->name, msg_type_name(m->type),
		  (unsigned long long)m->epoch);
	if (m->type == MSG_CLIENTS) {
		egroup_clients_message(g, &m->u.clients);
	} else if (m->type == MSG_CLIENTS_ACK) {
		egroup_clients_ack(g, m->u.clients.seq);
	} else if (m->type == MSG_STATE) {
		egroup_state_message(g, m);
	} else if (m->type == MSG_STATE_ACK) {
		egroup_state_ack(g, m);
	} else if (m->type == MSG_STEP) {
		struct peer_msg local = *m;

		peer_link_clock_offset_us(e->link, &offset, &rtt);
		local.u.step.start_us -= offset;
		group_message(g->core, monotonic_us(), &local);
	} else {
		if (m->type == MSG_FACTS)
			g->peer_facts_at = monotonic_us();
		group_message(g->core, monotonic_us(), m);
	}
	egroup_settle(g);
}

/* ---- set-up */

static enum group_trigger trigger_of(enum conf_trigger t)
{
	switch (t) {
	case CONF_TRIGGER_MANUAL: return TRIGGER_MANUAL;
	case CONF_TRIGGER_HEARTBEAT: return TRIGGER_HEARTBEAT;
	case CONF_TRIGGER_PACEMAKER:
	case CONF_TRIGGER_KEEPALIVED: return TRIGGER_ASKED;
	}
	return TRIGGER_MANUAL;
}

static void fencing_of(const struct conf *c, int peer, struct group_config *out)
{
	uint64_t random = 0;

	out->trigger = trigger_of(c->cluster.trigger);
	out->asked_moves = c->cluster.trigger == CONF_TRIGGER_PACEMAKER;
	out->hold_down_us = (int64_t)c->cluster.hold_down_us;
	out->can_fence = c->cluster.trigger == CONF_TRIGGER_PACEMAKER;
	out->need_verified = !out->can_fence;
	for (size_t i = 0; i < c->n_fences; i++) {
		if (c->fences[i].node != peer)
			continue;
		out->can_fence = true;
		out->need_verified = out->need_verified && c->fences[i].verify;
	}
	if (c->cluster.takeover_delay_random_us && getrandom(&random, sizeof(random), 0) == sizeof(random))
		random %= c->cluster.takeover_delay_random_us + 1;
	out->takeover_delay_us = (int64_t)(c->cluster.takeover_delay_us + random);
	if (c->cluster.trigger == CONF_TRIGGER_PACEMAKER)
		out->takeover_delay_us = 0; /* it has fenced before it asks */
	out->fence_retry_us = (int64_t)c->cluster.fence_retry_us;
}

static void group_config_of(const struct engine *e, const struct conf_group *c, struct group_config *out)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->name, sizeof(out->name), "%s", c->name);
	out->self = e->spec.self;
	for (int i = 0; i < 2; i++)
		snprintf(out->node_names[i], sizeof(out->node_names[i]), "%s", e->node_names[i]);
	snprintf(out->boot_id, sizeof(out->boot_id), "%s", e->boot_id);
	out->wall_us = wall_us();
	snprintf(out->fs_uuid, sizeof(out->fs_uuid), "%s", c->fs.uuid);
	out->switchover_us = (int64_t)c->limits.switchover_us;
	out->asked_us = ASKED_US;
	out->freeze_us = (int64_t)c->limits.freeze_us;
	out->monitor_us = MONITOR_US;
	out->hung_after_us = (int64_t)c->nfs.hung_after_us;
	fencing_of(e->conf, 1 - e->spec.self, out);
	/* else two would decide where the group is */
	out->leaves_bad_server = c->on_failure == CONF_FAILURE_SWITCHOVER && out->trigger != TRIGGER_ASKED;
}

static int group_open(struct engine *e, size_t i, struct err *err)
{
	struct egroup *g = &e->groups[i];
	struct effects_paths paths = { e->spec.state_dir, e->spec.run_dir, e->spec.log_dir, e->spec.module_dir };
	struct group_config cfg;
	int ret;

	g->e = e;
	g->conf = &e->conf->groups[i];
	pthread_mutex_init(&g->inject.lock, NULL);
	group_config_of(e, g->conf, &cfg);
	g->core = group_new(&cfg);
	if (!g->core)
		return err_set(err, ERR_SYSTEM, ENOMEM, g->conf->name, "no memory");
	g->fx = effects_new(e->conf, i, e->spec.self, &paths, err);
	if (!g->fx)
		return -EIO;
	g->steps = lane_new(e->event, "steps", err);
	g->side = g->steps ? lane_new(e->event, "side", err) : NULL;
	if (!g->side)
		return -EIO;
	ret = egroup_clients_open(g, err);
	if (ret == 0)
		ret = egroup_state_open(g, err);
	if (ret < 0)
		return ret;
	ret = sd_event_add_time(e->event, &g->timer, CLOCK_MONOTONIC, 0, 1000, tick, g);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, g->conf->name, "timer");
	sd_event_source_set_enabled(g->timer, SD_EVENT_OFF);
	return 0;
}

static int open_all(struct engine *e, struct err *err)
{
	static const struct peer_link_ops ops = { peer_up, peer_down, peer_message };
	int ret = identity_boot_id(e->boot_id, err);

	pthread_mutex_init(&e->journal_lock, NULL);
	e->journal_lane = ret < 0 ? NULL : lane_new(e->event, "journal", err);
	e->witness_lane = e->journal_lane ? lane_new(e->event, "witness", err) : NULL;
	if (!e->witness_lane)
		return ret < 0 ? ret : -EIO;
	e->n_groups = e->conf->n_groups;
	for (size_t i = 0; i < e->n_groups; i++)
		e->groups[i].conf = &e->conf->groups[i];
	/* first, since it keeps a second nasd out */
	ret = engine_journal_open(e, err);
	if (ret == 0)
		ret = engine_history_open(e, err);
	for (size_t i = 0; ret == 0 && i < e->n_groups; i++)
		ret = group_open(e, i, err);
	if (ret == 0)
		ret = peer_link_new(e->event, e->conf, e->spec.self, &ops, e, &e->link, err);
	if (ret == 0)
		ret = engine_fence_open(e, err);
	if (ret == 0)
		ret = engine_liveness_open(e, err);
	if (ret == 0)
		ret = engine_control_open(e, err);
	if (ret == 0)
		ret = engine_beat_open(e, err);
	if (ret == 0)
		ret = engine_watch_open(e, err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < e->n_groups; i++) {
		group_start(e->groups[i].core, monotonic_us(), &e->journal_states[i]);
		egroup_settle(&e->groups[i]);
	}
	return 0;
}

struct engine *engine_new(sd_event *event, const struct engine_spec *spec, struct err *err)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e) {
		err_set(err, ERR_SYSTEM, ENOMEM, "engine", "no memory");
		return NULL;
	}
	e->event = event;
	e->spec = *spec;
	e->conf = spec->conf;
	e->started_us = monotonic_us();
	/* request ids must not repeat over a restart: the peer may still answer an old one */
	e->next_request = (uint64_t)wall_us();
	e->node_names[0] = e->conf->nodes[0].name;
	e->node_names[1] = e->conf->nodes[1].name;
	if (open_all(e, err) < 0) {
		engine_free(e);
		return NULL;
	}
	return e;
}

/* False: a thread is stuck in it and still uses it, and the engine, and the configuration. */
static bool group_close(struct egroup *g)
{
	bool stuck;

	egroup_announce_stop(g);
	sd_event_source_unref(g->announce_timer);
	sd_event_source_unref(g->hush_timer);
	sd_event_source_unref(g->timer);
	stuck = lane_free(g->steps, LANE_END_US) < 0;
	stuck = lane_free(g->side, LANE_END_US) < 0 || stuck;
	stuck = lane_free(g->records_lane, LANE_END_US) < 0 || stuck;
	if (stuck)
		return false;
	egroup_clients_close(g);
	egroup_state_close(g);
	effects_free(g->fx);
	group_free(g->core);
	return true;
}

int engine_free(struct engine *e)
{
	bool stuck = false;

	if (!e)
		return 0;
	sd_event_source_unref(e->end_timer);
	engine_watch_close(e);
	engine_beat_close(e);
	control_server_free(e->control);
	engine_liveness_close(e);
	engine_fence_close(e);
	peer_link_free(e->link);
	for (size_t i = 0; i < e->n_groups; i++)
		if (e->groups[i].e && !group_close(&e->groups[i]))
			stuck = true;
	stuck = lane_free(e->witness_lane, LANE_END_US) < 0 || stuck;
	if (lane_free(e->journal_lane, LANE_END_US) < 0 || stuck)
		return -ETIMEDOUT;
	journal_file_close(e->journal);
	json_decref(e->history);
	free(e);
	return 0;
}
