/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which connection counts. Several may be on their way (attempts); the newest
 * one whose other end has the key and introduces itself as the peer is the one
 * in use. On the connecting node only one attempt at a time gets as far as our
 * introduction, so the two nodes never choose different ones.
 */
#include "peer_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clocks.h"
#include "identity.h"
#include "log.h"
#include "peer_link_int.h"

static const char *peer_name(const struct peer_link *l)
{
	return l->conf->nodes[!l->self].name;
}

/* ---- heartbeats */

static void send_heartbeat(struct peer_link *l)
{
	struct peer_msg m;

	peer_clock_fill(&l->clock, monotonic_us(), &m);
	peer_conn_send(l->in_use, &m);
}

static int on_beat(sd_event_source *source, uint64_t usec, void *data)
{
	struct peer_link *l = data;

	(void)usec;
	if (!l->in_use)
		return 0;
	send_heartbeat(l);
	sd_event_source_set_time_relative(source, l->conf->cluster.heartbeat_interval_us);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* Later than the sockets in the same turn of the loop: when we ourselves slept
 * (stopped, starved), what arrived meanwhile is heard first; and if the peer slept
 * as well, as when their host does, it is given its whole time anew. */
static int on_silence(sd_event_source *source, uint64_t usec, void *data)
{
	struct peer_link *l = data;
	int64_t now = monotonic_us();

	(void)usec;
	if (!l->in_use)
		return 0;
	liveness_tick(&l->life, now);
	if (liveness_silent(&l->life, now)) {
		peer_conn_fail(l->in_use, "nothing heard for %lld ms", (long long)l->life.rules.dead_after_us / 1000);
		return 0;
	}
	sd_event_source_set_time(source, (uint64_t)liveness_next(&l->life, now));
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/* ---- up and down */

static void drop_attempts(struct peer_link *l, const struct peer_conn *but)
{
	size_t i;

	for (i = 0; i < LINK_ATTEMPTS; i++) {
		if (!l->attempts[i] || l->attempts[i] == but)
			continue;
		peer_conn_free(l->attempts[i]);
		l->attempts[i] = NULL;
	}
}

static void set_last_error(struct peer_link *l, const char *reason)
{
	snprintf(l->last_error, sizeof(l->last_error), "%s", reason);
}

/* in_use is gone already, or about to be freed by the caller. */
static void go_down(struct peer_link *l, const char *reason)
{
	int64_t now = monotonic_us();

	l->in_use = NULL;
	l->since_wall_us = wall_us();
	set_last_error(l, reason);
	sd_event_source_set_enabled(l->beat, SD_EVENT_OFF);
	sd_event_source_set_enabled(l->silence, SD_EVENT_OFF);
	log_warn("link to %s is down: %s", peer_name(l), reason);
	/* Two nodes that disagree at once would otherwise do so five times a second. */
	peer_dial_schedule(l, now - l->up_at_us < LINK_FLAP_US ? LINK_FLAP_US : 0);
	l->ops.down(reason, l->data);
}

static void go_up(struct peer_link *l, struct peer_conn *c, const struct peer_intro *intro)
{
	const struct conf_cluster *cl = &l->conf->cluster;
	struct liveness_rules rules = { (int64_t)cl->heartbeat_interval_us, (int64_t)cl->dead_after_us, 1 };

	l->in_use = c;
	liveness_init(&l->life, &rules, monotonic_us());
	l->up_at_us = monotonic_us();
	l->since_wall_us = wall_us();
	l->connects++;
	snprintf(l->version, sizeof(l->version), "%s", intro->version);
	l->config_same = !strcmp(intro->config_hash, l->conf->hash);
	memset(l->said, 0, sizeof(l->said));
	peer_conn_settled(c);
	peer_clock_restart(&l->clock);
	log_notice("link to %s is up: %s, nasd %s%s", peer_name(l), peer_conn_address(c),
		   intro->version, l->config_same ? "" : ", its configuration differs from ours");
	sd_event_source_set_time_relative(l->beat, cl->heartbeat_interval_us);
	sd_event_source_set_enabled(l->beat, SD_EVENT_ONESHOT);
	sd_event_source_set_time(l->silence, (uint64_t)liveness_next(&l->life, monotonic_us()));
	sd_event_source_set_enabled(l->silence, SD_EVENT_ONESHOT);
	send_heartbeat(l);
	l->ops.up(intro, l->data);
}

static void replace(struct peer_link *l)
{
	struct peer_conn *old = l->in_use;

	go_down(l, "replaced by a newer connection");
	peer_conn_free(old);
}

/* ---- what connections report */

/* Index among the attempts; LINK_ATTEMPTS when it is none. */
static size_t attempt_index(const struct peer_link *l, const struct peer_conn *c)
{
	size_t i;

	for (i = 0; i < LINK_ATTEMPTS && l->attempts[i] != c; i++)
		continue;
	return i;
}

static void on_secured(struct peer_conn *c, void *data)
{
	struct peer_link *l = data;
	struct peer_msg m;

	if (l->self != LISTENING_NODE)
		drop_attempts(l, c);
	memset(&m, 0, sizeof(m));
	m.type = MSG_INTRO;
	m.u.intro = l->own;
	if (peer_conn_send(c, &m) < 0)
		peer_conn_fail(c, "our introduction cannot be sent");
}

static void take_intro(struct peer_link *l, struct peer_conn *c, size_t slot,
		       const struct peer_msg *msg)
{
	const struct peer_intro *intro = &msg->u.intro;

	if (msg->type != MSG_INTRO) {
		peer_conn_fail(c, "it sent %s before its introduction", msg_type_name(msg->type));
		return;
	}
	if (strcmp(intro->node, peer_name(l))) {
		peer_conn_fail(c, "it introduces itself as node \"%s\", expected \"%s\"",
			       intro->node, peer_name(l));
		return;
	}
	l->last_heard_us = monotonic_us();
	l->attempts[slot] = NULL;
	if (l->in_use)
		replace(l);
	go_up(l, c, intro);
}

static void on_message(struct peer_conn *c, const struct peer_msg *msg, void *data)
{
	struct peer_link *l = data;
	size_t slot = attempt_index(l, c);

	if (slot < LINK_ATTEMPTS) {
		take_intro(l, c, slot, msg);
		return;
	}
	l->last_heard_us = monotonic_us();
	liveness_heard(&l->life, 0, l->last_heard_us);
	if (msg->type == MSG_INTRO)
		peer_conn_fail(c, "it introduced itself twice");
	else if (msg->type == MSG_HEARTBEAT)
		peer_clock_take(&l->clock, l->last_heard_us, msg);
	else
		l->ops.message(msg, l->data);
}

/* One line for each change of reason at one place, not for each attempt. */
static void say_refused(struct peer_link *l, size_t slot, const char *address, const char *reason)
{
	struct link_said *s = &l->said[l->self == LISTENING_NODE ? 0 : slot];
	int64_t now = monotonic_us();
	char text[sizeof(l->last_error)];

	snprintf(text, sizeof(text), "%.46s: %s", address, reason);
	if (!l->in_use)
		set_last_error(l, text);
	if (!strcmp(s->reason, reason) &&
	    (l->self != LISTENING_NODE || now - s->at_us < LINK_SAY_AGAIN_US))
		return;
	/* who connects may choose the words of the reason: not so often */
	if (l->self == LISTENING_NODE && s->at_us && now - s->at_us < LINK_FLAP_US)
		return;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	s->at_us = now;
	if (l->self == LISTENING_NODE)
		log_warn("connection from %s turned away: %s", address, reason);
	else
		log_warn("cannot reach %s at %s: %s", peer_name(l), address, reason);
}

static void on_closed(struct peer_conn *c, const char *reason, void *data)
{
	struct peer_link *l = data;
	size_t slot = attempt_index(l, c);

	if (c == l->in_use) {
		go_down(l, reason);
	} else if (slot < LINK_ATTEMPTS) {
		l->attempts[slot] = NULL;
		l->refused++;
		say_refused(l, slot, peer_conn_address(c), reason);
	}
	peer_conn_free(c);
}

static const struct peer_conn_ops conn_ops = {
	.secured = on_secured,
	.message = on_message,
	.closed = on_closed,
};

int peer_link_attempt(struct peer_link *l, size_t slot, int *fd, const struct sockaddr *addr)
{
	struct peer_conn_spec spec = {
		.creds = l->creds,
		.server = l->self == LISTENING_NODE,
		.connect_us = LINK_CONNECT_US,
		.deadline_us = LINK_DEADLINE_US,
		.dead_after_us = l->conf->cluster.dead_after_us,
		.ops = &conn_ops,
		.data = l,
	};

	return peer_conn_new(l->event, &spec, fd, addr, &l->attempts[slot]);
}

/* ---- the interface */

static int add_timer(struct peer_link *l, sd_event_source **source, sd_event_time_handler_t fn)
{
	int ret = sd_event_add_time_relative(l->event, source, CLOCK_MONOTONIC, 0, 1000, fn, l);

	return ret < 0 ? ret : sd_event_source_set_enabled(*source, SD_EVENT_OFF);
}

static int start(struct peer_link *l, struct err *err)
{
	int ret = identity_make(l->conf, l->self, &l->own, err);

	if (ret == 0)
		ret = tls_creds_new(l->conf, l->self, &l->creds, err);
	if (ret < 0)
		return ret;
	ret = add_timer(l, &l->beat, on_beat);
	if (ret >= 0)
		ret = add_timer(l, &l->silence, on_silence);
	if (ret >= 0)
		ret = sd_event_source_set_priority(l->silence, SD_EVENT_PRIORITY_NORMAL + 10);
	if (ret >= 0)
		ret = peer_dial_start(l);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, "peer link", "cannot be started");
	return 0;
}

int peer_link_new(sd_event *event, const struct conf *conf, int self,
		  const struct peer_link_ops *ops, void *data, struct peer_link **out,
		  struct err *err)
{
	struct peer_link *l;
	int ret;

	if (strlen(conf->nodes[0].name) >= NAME_MAX_LEN || strlen(conf->nodes[1].name) >= NAME_MAX_LEN)
		return err_set(err, ERR_REFUSED, ENAMETOOLONG, "peer link",
			       "a node's name has more than %d characters", NAME_MAX_LEN - 1);
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_set(err, ERR_SYSTEM, ENOMEM, "peer link", "cannot be started");
	l->event = sd_event_ref(event);
	l->conf = conf;
	l->self = self;
	l->ops = *ops;
	l->data = data;
	l->since_wall_us = wall_us();
	l->clock.newest_rtt_us = -1;
	peer_dial_init(l);
	ret = start(l, err);
	if (ret < 0) {
		peer_link_free(l);
		return ret;
	}
	*out = l;
	return 0;
}

void peer_link_free(struct peer_link *l)
{
	if (!l)
		return;
	peer_dial_stop(l);
	drop_attempts(l, NULL);
	peer_conn_free(l->in_use);
	sd_event_source_disable_unref(l->beat);
	sd_event_source_disable_unref(l->silence);
	tls_creds_free(l->creds);
	sd_event_unref(l->event);
	free(l);
}

int64_t peer_link_heard_us(const struct peer_link *l)
{
	return l->last_heard_us;
}

const struct peer_intro *peer_link_own_intro(const struct peer_link *l)
{
	return &l->own;
}

bool peer_link_is_up(const struct peer_link *l)
{
	return l->in_use && !peer_conn_is_broken(l->in_use);
}

size_t peer_link_queued(const struct peer_link *l)
{
	return l->in_use ? peer_conn_queued(l->in_use) : 0;
}

int peer_link_send(struct peer_link *l, const struct peer_msg *msg)
{
	if (!peer_link_is_up(l))
		return -ENOTCONN;
	return peer_conn_send(l->in_use, msg);
}

bool peer_link_clock_offset_us(const struct peer_link *l, int64_t *offset_us, int64_t *rtt_us)
{
	return peer_clock_offset(&l->clock, offset_us, rtt_us);
}

void peer_link_status(const struct peer_link *l, struct peer_link_status *out)
{
	memset(out, 0, sizeof(*out));
	snprintf(out->node, sizeof(out->node), "%s", peer_name(l));
	out->connected = peer_link_is_up(l);
	if (l->in_use)
		snprintf(out->address, sizeof(out->address), "%s", peer_conn_address(l->in_use));
	out->since_wall_us = l->since_wall_us;
	out->rtt_us = l->in_use ? l->clock.newest_rtt_us : -1;
	out->last_heard_us = l->last_heard_us;
	snprintf(out->version, sizeof(out->version), "%s", l->version);
	out->config_same = l->config_same;
	out->connects = l->connects;
	out->refused = l->refused;
	snprintf(out->last_error, sizeof(out->last_error), "%s", l->last_error);
}
