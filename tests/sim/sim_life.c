/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who hears whom: the networks, the pulses on both of them, each node's clock,
 * and nodes that stand still for a while. Judged by core/liveness as
 * sys/engine_liveness.c does it.
 */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum {
	INTERVAL_US = 200000, DEAD_AFTER_US = 600000,
	REFUSED_FOR_US = 2500000,
	DELAY_MIN_US = 100,
	WATCHDOG_DEADLINES = 2,
	WATCHDOG_BOOT_US = 4000000,
	LINK_PATIENCE_MIN_US = 600000, LINK_PATIENCE_MAX_US = 2500000,
};

/* ---- clocks */

int64_t sim_clock(const struct sim *s, int node)
{
	const struct sim_node *n = &s->n[node];
	int64_t since = s->now - n->clock_at;

	if (n->paused_until && n->clock_stops)
		return n->clock_local;
	return n->clock_local + since + since * n->ppm / 1000000;
}

int64_t sim_wall(const struct sim *s)
{
	return 1700000000000000 + s->now + s->wall_off_us;
}

int64_t sim_when(const struct sim *s, int node, int64_t local)
{
	const struct sim_node *n = &s->n[node];
	int64_t wait = local - sim_clock(s, node);

	if (wait <= 0)
		return s->now;
	return s->now + (n->ppm ? wait * 1000000 / (1000000 + n->ppm) + 2 : wait);
}

void sim_clock_set(struct sim *s, int node, int64_t local, int ppm)
{
	s->n[node].clock_at = s->now;
	s->n[node].clock_local = local;
	s->n[node].ppm = ppm;
}

/* ---- nodes that stand still */

bool sim_runs(const struct sim *s, int node)
{
	return s->n[node].powered && !s->n[node].paused_until;
}

void sim_pause(struct sim *s, int node, int64_t us, bool clock_stops)
{
	struct sim_node *n = &s->n[node];

	if (!sim_runs(s, node))
		return;
	sim_say(s, node, "stands still for %lld ms%s", (long long)us / 1000, clock_stops ? ", its clock too" : "");
	if (clock_stops)
		sim_clock_set(s, node, sim_clock(s, node), n->ppm);
	n->paused_until = s->now + us;
	n->clock_stops = clock_stops;
	s->pauses++;
	if (s->link.connected && us > LINK_PATIENCE_MIN_US)
		s->link.stalled_due = s->now + prng_range(&s->r, LINK_PATIENCE_MIN_US, LINK_PATIENCE_MAX_US);
	sim_networks(s);
}

void sim_resumed(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];

	sim_say(s, node, "goes on");
	if (n->clock_stops)
		n->clock_at = s->now;
	n->paused_until = 0;
	n->resumed_at = s->now;
	sim_networks(s);
}

/* ---- networks */

bool sim_net_carries(const struct sim *s, int net, int from)
{
	return !s->net[net].cut[from] && !s->cuts_pulses && (net != NET_CLIENTS || (!s->leg_cut[0] && !s->leg_cut[1]));
}

static bool open_both_ways(const struct sim *s, int net)
{
	return sim_net_carries(s, net, 0) && sim_net_carries(s, net, 1);
}

void sim_leg(struct sim *s, int node, bool cut)
{
	if (s->leg_cut[node] == cut)
		return;
	sim_say(s, node, "%s", cut ? "is cut off from the clients" : "reaches the clients again");
	s->leg_cut[node] = cut;
	sim_networks(s);
}

void sim_net_cut(struct sim *s, int net, int from)
{
	sim_say(s, -1, "network %d is cut%s", net, from < 0 ? "" : from ? " from nas2" : " from nas1");
	for (int i = 0; i < 2; i++)
		if (from < 0 || from == i)
			s->net[net].cut[i] = true;
	sim_networks(s);
}

void sim_net_heal(struct sim *s, int net)
{
	sim_say(s, -1, "network %d heals", net);
	s->net[net] = (struct sim_net){ .delay_max = 2000 };
	sim_networks(s);
}

void sim_networks(struct sim *s)
{
	bool run = sim_runs(s, 0) && sim_runs(s, 1);

	drbd_reach(&s->w.d, &s->r, s->now, run && open_both_ways(s, NET_DRBD));
	if (s->link.connected && !open_both_ways(s, s->link.over))
		link_break(&s->link, &s->r, s->now, -1);
	s->link.over = open_both_ways(s, NET_CLIENTS) ? NET_CLIENTS : NET_DRBD;
	s->link.no_network = !open_both_ways(s, s->link.over);
	sim_drbd_changed(s);
}

/* ---- the peer's life, as the core is told of it */

static void peer_life(const struct sim *s, int node, struct peer_life *l)
{
	const struct sim_node *n = &s->n[node];

	memset(l, 0, sizeof(*l));
	l->silent = n->silent;
	l->node_answers = n->node_answers;
	l->ever_heard = liveness_ever_heard(&n->live);
	l->heard_us = liveness_heard_us(&n->live);
	l->paused_us = liveness_paused_us(&n->live);
	memcpy(l->boot_id, n->peer_boot, sizeof(l->boot_id));
}

void sim_life_told(struct sim *s, int node)
{
	struct peer_life l;

	if (!s->heartbeat)
		return;
	peer_life(s, node, &l);
	group_peer_life(s->n[node].core, sim_clock(s, node), &l);
}

static void judge(struct sim *s, int node, bool paused)
{
	struct sim_node *n = &s->n[node];
	int64_t now = sim_clock(s, node);
	bool silent = liveness_silent(&n->live, now);
	bool answers = silent && n->refused_us > liveness_heard_us(&n->live) && now - n->refused_us < REFUSED_FOR_US;

	if (silent == n->silent && answers == n->node_answers && !paused)
		return;
	sim_say(s, node, "the peer is %s%s%s", silent ? "silent" : "heard", answers ? ", its node answers" : "",
		paused ? "; was asleep" : "");
	n->silent = silent;
	n->node_answers = answers;
	sim_life_told(s, node);
}

void sim_life_begins(struct sim *s, int node)
{
	static const struct liveness_rules rules = { INTERVAL_US, DEAD_AFTER_US, SIM_NETS + 1 };
	struct sim_node *n = &s->n[node];

	if (!s->heartbeat)
		return;
	liveness_init(&n->live, &rules, sim_clock(s, node));
	n->peer_boot[0] = '\0';
	n->silent = n->node_answers = n->stuck = false;
	n->refused_us = -1;
	n->heard_life[0] = n->heard_life[1] = 0;
	n->beat_due = sim_clock(s, node);
	n->pulse_due = s->now;
}

/* A node that must stand down and cannot is reset. */
static void watchdog(struct sim *s, int node)
{
	struct group_view v;

	group_look(s->n[node].core, &v);
	if (v.state != GS_STANDING_DOWN || v.step == STEP_NONE ||
	    sim_clock(s, node) - v.step_since_us < (int64_t)WATCHDOG_DEADLINES * 1000 * step_row(v.step)->deadline_ms)
		return;
	sim_say(s, node, "cannot stand down: the watchdog resets it");
	sim_kill_now(s, node, true, true);
	s->n[node].restart_at = s->now + WATCHDOG_BOOT_US;
}

void sim_beat(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];
	int64_t now = sim_clock(s, node);
	bool paused = liveness_tick(&n->live, now);

	n->beat_due = liveness_next(&n->live, now);
	judge(s, node, paused);
	watchdog(s, node);
}

/* ---- signs of life */

static void send_pulse(struct sim *s, int from, unsigned path)
{
	const struct sim_net *net = &s->net[path];
	struct sim_node *n = &s->n[from];
	unsigned copies = net->dup && prng_chance(&s->r, net->dup) ? 2 : 1;

	if (!sim_net_carries(s, (int)path, from) || (net->loss && prng_chance(&s->r, net->loss)))
		return;
	while (copies-- && s->n_pulses < SIM_PULSES_MAX)
		s->pulses[s->n_pulses++] = (struct sim_pulse){
			.due = s->now + prng_range(&s->r, DELAY_MIN_US, net->delay_max), .to = 1 - from,
			.path = path, .life = n->life, .seq = n->pulse_seq,
		};
}

void sim_pulses_out(struct sim *s, int node)
{
	s->n[node].pulse_due = s->now + INTERVAL_US;
	s->n[node].pulse_seq++;
	for (unsigned p = 0; p < SIM_NETS; p++)
		send_pulse(s, node, p);
}

/* The key of a nasd's pulses is told over the link. */
static bool key_known(const struct sim *s, int node, const struct sim_pulse *p)
{
	return s->link.known_life[node] == p->life;
}

void sim_pulse_in(struct sim *s, size_t i)
{
	struct sim_pulse p = s->pulses[i];
	struct sim_node *n = &s->n[p.to], *from = &s->n[1 - p.to];

	s->pulses[i] = s->pulses[--s->n_pulses];
	if (!n->core) {
		if (n->powered && from->core && sim_runs(s, 1 - p.to) && sim_net_carries(s, (int)p.path, p.to))
			from->refused_us = sim_clock(s, 1 - p.to);
		return;
	}
	if (!key_known(s, p.to, &p))
		return;
	if (n->heard_life[p.path] == p.life && p.seq <= n->heard_seq[p.path])
		return; /* again, or overtaken */
	n->heard_life[p.path] = p.life;
	n->heard_seq[p.path] = p.seq;
	liveness_heard(&n->live, p.path, sim_clock(s, p.to));
	if (n->silent)
		judge(s, p.to, false);
}

void sim_heard_link(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];

	if (!s->heartbeat)
		return;
	liveness_heard(&n->live, SIM_NETS, sim_clock(s, node));
	if (n->silent)
		judge(s, node, false);
}
