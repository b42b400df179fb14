/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The peer heard, or silent: pulses on every path and the TLS link, judged by
 * core/liveness. Told to engine_fence.c, to the log and to the operator.
 *
 * The tick comes later than the sockets in the same turn of the loop, and what it
 * found is what engine_liveness_get says: nobody acts on a silence that only
 * means that the loop has not read its sockets yet.
 */
#include "engine_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "liveness.h"
#include "log.h"
#include "pulse.h"

enum {
	BEGIN_PRIORITY = SD_EVENT_PRIORITY_NORMAL - 50,
	TICK_PRIORITY = SD_EVENT_PRIORITY_NORMAL + 10,
	TICK_ACCURACY_US = 1000,
	REFUSED_FOR_US = 2500 * 1000, /* kernels say it no more than once a second */
	LIST_MAX = 256,
};

struct engine_liveness {
	struct engine *e;
	struct liveness life;
	struct pulse *pulse;
	unsigned link;            /* the TLS link's path, after the pulse's */
	sd_event_source *timer;
	bool begun;               /* the loop runs */
	char boot_id[BOOT_ID_LEN];
	int64_t since_us;         /* paths are expected to work since: introduced, or heard again; 0: not yet */
	bool silent, node_answers; /* as told last */
	int64_t silent_us;        /* last heard before the present silence */
	bool said[PULSE_PATHS_MAX]; /* that this path alone is silent */
};

static const char *peer_of(const struct engine_liveness *v)
{
	return v->e->node_names[1 - v->e->spec.self];
}

static void path_name(const struct engine_liveness *v, const struct pulse_status *s, unsigned path, char *buf,
		      size_t size)
{
	snprintf(buf, size, "%s", path == v->link ? "link" : s->paths[path].peer_address);
}

/* ---- what is told to people */

/* "10.77.2.11 640, 10.77.1.11 never, link 700" */
static void list_paths(const struct engine_liveness *v, int64_t now, char *buf, size_t size)
{
	struct pulse_status s;
	size_t len = 0;

	pulse_status(v->pulse, now, &s);
	buf[0] = '\0';
	for (unsigned i = 0; i <= v->link && len < size; i++) {
		char name[CONF_IP_MAX], ms[24] = "never";

		path_name(v, &s, i, name, sizeof(name));
		if (v->life.heard_us[i] >= 0)
			snprintf(ms, sizeof(ms), "%" PRId64, (now - v->life.heard_us[i]) / 1000);
		len += (size_t)snprintf(buf + len, size - len, "%s%s %s", i ? ", " : "", name, ms);
	}
}

static void say_silence(struct engine_liveness *v, int64_t now)
{
	int64_t heard = liveness_heard_us(&v->life);
	char paths[LIST_MAX];

	if (v->silent && heard >= 0) {
		list_paths(v, now, paths, sizeof(paths));
		log_warn("nothing heard of %s on any path for %" PRId64 " ms (%s)", peer_of(v), (now - heard) / 1000, paths);
	} else if (v->silent) {
		log_warn("nothing heard of %s since this nasd started, %" PRId64 " ms ago", peer_of(v),
			 (now - v->e->started_us) / 1000);
	} else if (heard > v->silent_us) {
		log_notice("%s is heard%s, after %" PRId64 " ms of silence", peer_of(v), v->silent_us >= 0 ? " again" : "",
			   (heard - (v->silent_us >= 0 ? v->silent_us : v->e->started_us)) / 1000);
	}
}

static void say_pause(const struct engine_liveness *v)
{
	if (v->life.pause_us)
		log_warn("this node was paused for %" PRId64 " ms (stopped, swapped out, starved of its processor?): "
			 "%s is given %" PRId64 " ms to be heard", v->life.pause_us / 1000, peer_of(v),
			 v->life.rules.dead_after_us / 1000);
	else
		log_warn("the monotonic clock went back: %s is given %" PRId64 " ms to be heard", peer_of(v),
			 v->life.rules.dead_after_us / 1000);
}

/* Since when it could have been heard on the path, and was not. */
static int64_t missed_since(const struct engine_liveness *v, const struct pulse_path_status *s)
{
	int64_t from = v->life.patient_us > v->since_us ? v->life.patient_us : v->since_us;

	return s->heard_us > from ? s->heard_us : from;
}

/* A path that is silent for twice the time while others are not: part of the network is gone. */
static void say_path(struct engine_liveness *v, unsigned i, const struct pulse_path_status *s, int64_t now)
{
	int64_t limit = v->life.rules.dead_after_us, missed = now - missed_since(v, s);

	if (!v->said[i] && missed >= 2 * limit) {
		v->said[i] = true;
		log_warn("no heartbeat of %s comes from %s to %s (for %" PRId64 " ms), though it is heard otherwise: look at "
			 "that network%s", peer_of(v), s->peer_address, s->address, missed / 1000,
			 s->heard_us < 0 ? ", and whether a firewall drops UDP" : "");
	} else if (v->said[i] && s->heard_us >= 0 && now - s->heard_us < limit) {
		v->said[i] = false;
		log_notice("heartbeats of %s come from %s to %s again", peer_of(v), s->peer_address, s->address);
	}
}

static void say_paths(struct engine_liveness *v, int64_t now)
{
	struct pulse_status s;

	if (v->silent || !v->since_us)
		return;
	pulse_status(v->pulse, now, &s);
	for (unsigned i = 0; i < s.n_paths; i++)
		say_path(v, i, &s.paths[i], now);
}

/* ---- judging */

static void hear_link(struct engine_liveness *v)
{
	int64_t heard = peer_link_heard_us(v->e->link);

	if (heard && heard > v->life.heard_us[v->link])
		liveness_heard(&v->life, v->link, heard);
}

static bool node_answers(const struct engine_liveness *v, int64_t now)
{
	int64_t refused = pulse_refused_us(v->pulse);

	return v->silent && refused >= 0 && refused > liveness_heard_us(&v->life) && now - refused < REFUSED_FOR_US;
}

/* What is believed now becomes what is told. */
static void update(struct engine_liveness *v, int64_t now, bool paused)
{
	bool silent = liveness_silent(&v->life, now), was = v->silent, answered = v->node_answers;

	v->silent = silent;
	if (silent != was)
		say_silence(v, now);
	if (silent && !was)
		v->silent_us = liveness_heard_us(&v->life);
	else if (was && !silent && v->since_us)
		v->since_us = now; /* the other paths have time to follow */
	v->node_answers = node_answers(v, now);
	if (v->node_answers && !answered)
		log_warn("nasd does not run on %s, but the node does: it refuses our heartbeats", peer_of(v));
	say_paths(v, now);
	if (silent != was || v->node_answers != answered || paused)
		engine_fence_life_changed(v->e);
}

static void on_heard(unsigned path, int64_t now, void *data)
{
	struct engine_liveness *v = data;

	liveness_heard(&v->life, path, now);
	if (v->silent)
		update(v, now, false);
}

static void init_life(struct engine_liveness *v, int64_t now)
{
	const struct conf_cluster *c = &v->e->conf->cluster;
	struct liveness_rules rules = { .interval_us = (int64_t)c->heartbeat_interval_us,
					.dead_after_us = (int64_t)c->dead_after_us, .n_paths = v->link + 1 };

	liveness_init(&v->life, &rules, now);
}

/* The loop's first turn, before anything else in it: how long the start took is no pause. */
static void begin(struct engine_liveness *v, int64_t now)
{
	v->begun = true;
	init_life(v, now);
	sd_event_source_set_priority(v->timer, TICK_PRIORITY);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	struct engine_liveness *v = data;
	int64_t now = monotonic_us();
	bool paused;

	(void)usec;
	if (!v->begun)
		begin(v, now);
	hear_link(v);
	paused = liveness_tick(&v->life, now);
	if (paused)
		say_pause(v);
	update(v, now, paused);
	sd_event_source_set_time(source, (uint64_t)liveness_next(&v->life, now));
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- the interface */

int engine_liveness_open(struct engine *e, struct err *err)
{
	static const struct pulse_ops ops = { on_heard };
	struct engine_liveness *v = calloc(1, sizeof(*v));
	int ret;

	if (!v)
		return err_set(err, ERR_SYSTEM, ENOMEM, "liveness", "no memory");
	e->liveness = v;
	v->e = e;
	v->silent_us = -1;
	ret = pulse_new(e->event, e->conf, e->spec.self, &ops, v, &v->pulse, err);
	if (ret < 0)
		return ret;
	v->link = pulse_paths(v->pulse);
	ret = sd_event_add_time_relative(e->event, &v->timer, CLOCK_MONOTONIC, 0, TICK_ACCURACY_US, on_tick, v);
	if (ret >= 0)
		ret = sd_event_source_set_priority(v->timer, BEGIN_PRIORITY);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, "liveness", "timer");
	init_life(v, monotonic_us());
	return 0;
}

void engine_liveness_close(struct engine *e)
{
	struct engine_liveness *v = e->liveness;

	if (!v)
		return;
	e->liveness = NULL;
	sd_event_source_disable_unref(v->timer);
	pulse_free(v->pulse);
	free(v);
}

void engine_liveness_peer_up(struct engine *e, const struct peer_intro *intro)
{
	struct engine_liveness *v = e->liveness;
	int64_t now = monotonic_us();

	if (v->boot_id[0] && strcmp(v->boot_id, intro->boot_id) != 0)
		log_notice("%s has been booted since it was introduced last", peer_of(v));
	snprintf(v->boot_id, sizeof(v->boot_id), "%s", intro->boot_id);
	if (pulse_keys(v->pulse, peer_link_own_intro(e->link), intro) < 0)
		log_err("the introduction of %s has no pulse key: heartbeats by the link only", peer_of(v));
	v->since_us = now;
	hear_link(v);
	update(v, now, true);
}

void engine_liveness_get(struct engine *e, struct peer_life *out)
{
	struct engine_liveness *v = e->liveness;

	hear_link(v);
	*out = (struct peer_life){
		.silent = v->silent && liveness_silent(&v->life, monotonic_us()),
		.node_answers = v->node_answers,
		.ever_heard = liveness_ever_heard(&v->life),
		.heard_us = liveness_heard_us(&v->life),
		.paused_us = liveness_paused_us(&v->life),
	};
	snprintf(out->boot_id, sizeof(out->boot_id), "%s", v->boot_id);
}

/* ---- for the operator */

static json_t *ago_ms(int64_t now, int64_t then)
{
	return then < 0 ? json_null() : json_integer((now - then) / 1000);
}

static json_t *path_json(const struct engine_liveness *v, const struct pulse_status *s, unsigned i, int64_t now)
{
	const struct pulse_path_status *p = &s->paths[i];
	char name[CONF_IP_MAX];
	json_t *o;

	path_name(v, s, i, name, sizeof(name));
	o = json_pack("{s:s, s:b, s:o}", "name", name, "silent", (int)liveness_path_silent(&v->life, i, now), "heard_ms",
		      ago_ms(now, v->life.heard_us[i]));
	if (!o || i == v->link)
		return o;
	json_object_set_new(o, "peer_heard_ms", p->peer_heard_us < 0 ? json_null() : json_integer(p->peer_heard_us / 1000));
	json_object_set_new(o, "own_address", json_string(p->address));
	json_object_set_new(o, "open", json_boolean(p->open));
	json_object_set_new(o, "sent", json_integer((json_int_t)p->sent));
	json_object_set_new(o, "received", json_integer((json_int_t)p->received));
	json_object_set_new(o, "send_errors", json_integer((json_int_t)p->send_errors));
	return o;
}

json_t *engine_liveness_json(struct engine *e)
{
	const struct engine_liveness *v = e->liveness;
	json_t *paths = json_array(), *dropped = json_object();
	int64_t now = monotonic_us();
	struct pulse_status s;

	pulse_status(v->pulse, now, &s);
	for (unsigned i = 0; i <= v->link; i++)
		json_array_append_new(paths, path_json(v, &s, i, now));
	for (unsigned i = PULSE_GOOD + 1; i < PULSE_VERDICTS; i++)
		if (s.verdicts[i])
			json_object_set_new(dropped, pulse_verdict_name((enum pulse_verdict)i),
					    json_integer((json_int_t)s.verdicts[i]));
	return json_pack("{s:b, s:b, s:o, s:I, s:o, s:I, s:s, s:o, s:o}", "silent", (int)v->silent, "node_answers",
			 (int)v->node_answers, "heard_ms", ago_ms(now, liveness_heard_us(&v->life)), "pauses",
			 (json_int_t)v->life.pauses, "paused_ms", ago_ms(now, v->life.paused_us), "longest_pause_ms",
			 (json_int_t)(v->life.longest_us / 1000), "boot_id", v->boot_id, "paths", paths, "dropped", dropped);
}
