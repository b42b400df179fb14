/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Set-up, processes and what a test asks for. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MONITOR_US = 2000000, TAKEOVER_DELAY_US = 300000, FENCE_RETRY_US = 5000000,
};

const char *fault_name(enum fault_kind k)
{
	switch (k) {
	case FAULT_NONE: return "none";
	case FAULT_FAIL: return "fail";
	case FAULT_UNKNOWN_DONE: return "unknown, in place";
	case FAULT_UNKNOWN_NOT: return "unknown, not in place";
	case FAULT_STALL: return "stall";
	case FAULT_VERIFY_UNKNOWN: return "verify unknown";
	}
	return "invalid";
}

void sim_say(struct sim *s, int node, const char *fmt, ...)
{
	va_list ap;

	if (!s->trace)
		return;
	fprintf(stderr, "%10.6f %s ", (double)s->now / 1e6, node < 0 ? "----" : node ? "nas2" : "nas1");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

void sim_broken(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->broken[0])
		return;
	va_start(ap, fmt);
	vsnprintf(s->broken, sizeof(s->broken), fmt, ap);
	va_end(ap);
	sim_say(s, -1, "BROKEN: %s", s->broken);
}

struct sim *sim_new(uint64_t seed)
{
	struct sim *s = calloc(1, sizeof(*s));
	const char *trace = getenv("SIM_TRACE");

	if (!s)
		abort();
	s->r.s = seed;
	s->now = 1000000;
	s->step_us = 40000;
	s->cut_at_msg = -1;
	s->trace = trace && *trace == '1';
	for (size_t i = 0; i < SIM_EPOCHS_MAX; i++)
		s->epoch_owner[i] = -2;
	world_init(&s->w);
	link_init(&s->link);
	for (int i = 0; i < SIM_NETS; i++)
		s->net[i].delay_max = 2000;
	for (int i = 0; i < 2; i++)
		sim_clock_set(s, i, s->now, 0);
	return s;
}

void sim_heartbeats(struct sim *s)
{
	s->heartbeat = s->w.d.stonith = true;
	s->client_due = s->now;
}

void sim_free(struct sim *s)
{
	for (int i = 0; i < 2; i++) {
		group_free(s->n[i].core);
		free(s->n[i].disk);
	}
	link_free(&s->link);
	free(s);
}

void sim_own(struct sim *s, int owner, uint64_t epoch)
{
	for (int i = 0; i < 2; i++) {
		struct journal_rec r = { .kind = "owner", .epoch = epoch, .owner = owner };

		snprintf(r.group, sizeof(r.group), "vmstore");
		sim_record_durable(s, i, &r);
	}
}

/* ---- processes */

/* What nasd does with a journal that has grown. */
static void compact(struct sim_node *n, const struct journal_state *j)
{
	struct journal_rec recs[JOURNAL_SUMMARY_MAX];
	size_t k = journal_summary(j, "vmstore", recs);

	if (!k || k > n->cap_disk)
		return;
	memcpy(n->disk, recs, k * sizeof(recs[0]));
	n->n_disk = n->n_synced = k;
}

static void configure(const struct sim *s, int node, struct group_config *cfg)
{
	*cfg = (struct group_config){ .name = "vmstore", .self = node, .node_names = { "nas1", "nas2" },
				      .switchover_us = SIM_SWITCHOVER_US, .asked_us = SIM_SWITCHOVER_US, .freeze_us = SIM_FREEZE_US,
				      .monitor_us = MONITOR_US, .takeover_delay_us = TAKEOVER_DELAY_US,
				      .fence_retry_us = FENCE_RETRY_US, .need_verified = true };
	memcpy(cfg->boot_id, s->n[node].boot_text, sizeof(cfg->boot_id));
	snprintf(cfg->fs_uuid, sizeof(cfg->fs_uuid), "%s", world_uuid);
	cfg->can_fence = s->heartbeat && !s->no_devices;
	cfg->asked_moves = !s->no_asked_moves;
	cfg->hold_down_us = 30000000;
	cfg->wall_us = sim_wall(s);
	cfg->trigger = !s->heartbeat || s->manual ? TRIGGER_MANUAL : s->asked ? TRIGGER_ASKED : TRIGGER_HEARTBEAT;
}

static void power_on(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];

	n->powered = true;
	n->fenced = false;
	n->boot++;
	snprintf(n->boot_text, sizeof(n->boot_text), "boot-%d-%u", node, n->boot);
	world_power_on(&s->w, node);
	sim_networks(s);
}

void sim_start(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];
	struct group_config cfg;
	struct journal_state j;

	n->restart_at = 0;
	if (n->core)
		return;
	if (!n->powered)
		power_on(s, node);
	configure(s, node, &cfg);
	sim_fold(s, node, &j);
	if (prng_chance(&s->r, 20))
		compact(n, &j);
	n->core = group_new(&cfg);
	if (!n->core)
		abort();
	n->life++;
	n->poisoned = n->behind = n->met = false;
	s->link.known_life[node] = 0;
	sim_say(s, node, "nasd starts, boot %s, journal: epoch %llu of %d, phase %s %llu", cfg.boot_id,
		(unsigned long long)j.epoch, j.owner, txn_phase_name(j.phase), (unsigned long long)j.txn_epoch);
	sim_life_begins(s, node);
	group_start(n->core, sim_clock(s, node), &j);
	sim_drain(s, node);
}

/* What was under way on the dead node: did it happen? */
static void end_work(struct sim *s, int node, bool keep)
{
	struct sim_node *n = &s->n[node];
	char msg[200];

	if (n->journal_wait && keep && !n->poisoned)
		sim_record_durable(s, node, &n->rec);
	if (n->n_lane && keep && n->lane[0].op == OP_RUN && !n->poisoned) {
		if (n->lane[0].has_rec)
			sim_record_written(s, node, &n->lane[0].rec);
		if (n->lane[0].step == STEP_DRBD_PRIMARY)
			drbd_promote(&s->w.d, &s->r, s->now, node);
		else if ((n->lane[0].step != STEP_UNMOUNT && n->lane[0].step != STEP_MOUNT) || !drbd_held(&s->w.d, node))
			world_run(&s->w, node, n->lane[0].step, msg);
	}
	n->journal_wait = false;
	n->n_lane = 0;
	n->unknown_of = STEP_NONE;
	memset(n->facts_due, 0, sizeof(n->facts_due));
	n->sync_due = 0;
	n->outdate_due = n->resume_due = n->witness_due = 0;
	sim_fence_dies(s, node);
}

/* Records that were not waited for: as many as had reached the disk by themselves. */
static void lose_unsynced(struct sim *s, struct sim_node *n)
{
	size_t unsynced = n->n_disk - n->n_synced;

	if (unsynced)
		n->n_disk -= prng_below(&s->r, (unsigned)unsynced + 1);
	n->n_synced = n->n_disk;
}

void sim_kill_now(struct sim *s, int node, bool power, bool keep)
{
	struct sim_node *n = &s->n[node];

	if (power)
		n->paused_until = 0;
	if (n->core) {
		sim_say(s, node, "%s (%s)", power ? "POWER OFF" : "KILLED", keep ? "kept" : "lost");
		end_work(s, node, keep);
		group_free(n->core);
		n->core = NULL;
		n->waits_for_go = false;
		link_break(&s->link, &s->r, s->now, -1);
		link_end_died(&s->link, node);
		if (!s->w.d.e[node].ask_due) /* the handler that waited for this nasd */
			sim_drbd_answer(s, node, FENCE_PEER_NO_PROOF);
	}
	if (power && n->powered) {
		n->powered = false;
		n->cause = false;
		lose_unsynced(s, n);
		sim_fence_dies(s, node);
		world_power_off(&s->w, node);
		sim_networks(s);
	}
}

void sim_cut(struct sim *s, bool drbd_too)
{
	sim_say(s, -1, "link cut%s", drbd_too ? ", and all else" : "");
	s->link.cut = true;
	link_break(&s->link, &s->r, s->now, -1);
	s->cuts_pulses = s->cuts_pulses || drbd_too;
	sim_networks(s);
}

void sim_heal(struct sim *s)
{
	if (s->link.cut)
		sim_say(s, -1, "link heals");
	s->link.cut = s->cuts_pulses = false;
	sim_networks(s);
}

void sim_server_dies(struct sim *s, int node)
{
	if (!sim_runs(s, node))
		return;
	sim_say(s, node, "the server dies");
	world_server_dies(&s->w, node);
	if (s->n[node].core && prng_chance(&s->r, 70)) {
		group_server_died(s->n[node].core, sim_clock(s, node), "ganesha ended by itself");
		sim_drain(s, node);
	}
}

/* ---- what a test asks for */

int sim_request(struct sim *s, int node, enum request_kind kind, int target, bool confirmed)
{
	return sim_request_held(s, node, kind, target, confirmed, 0);
}

int sim_request_held(struct sim *s, int node, enum request_kind kind, int target, bool confirmed, int64_t hold_us)
{
	struct group_request r = { .kind = kind, .target = target, .peer_confirmed_dead = confirmed,
				   .hold_us = hold_us, .by = "test", .by_trigger = s->by_trigger };
	struct sim_reply *p;

	if (!s->n[node].core || s->n[node].paused_until || s->n_replies == SIM_REQUESTS_MAX)
		return -1;
	p = &s->replies[s->n_replies++];
	p->id = r.id = s->n_replies;
	p->node = node;
	p->life = s->n[node].life;
	p->asked = sim_clock(s, node);
	p->hold_us = hold_us;
	sim_say(s, node, "request %llu: %s to %d%s%s", (unsigned long long)r.id,
		kind == REQUEST_SWITCHOVER ? "switchover" : kind == REQUEST_TAKEOVER ? "takeover" :
		kind == REQUEST_CONFIRM ? "confirm" : "check", target, confirmed ? ", peer confirmed dead" : "",
		hold_us ? ", to be held" : "");
	if (kind == REQUEST_CONFIRM)
		sim_life_told(s, node);
	group_request(s->n[node].core, sim_clock(s, node), &r);
	sim_drain(s, node);
	return (int)s->n_replies - 1;
}

/* A node that stands still hears of it when it goes on. */
static bool hears(struct sim *s, int node, sim_fn fn, int arg)
{
	if (s->n[node].core && s->n[node].paused_until)
		sim_at(s, s->n[node].paused_until - s->now + 1, fn, arg);
	return s->n[node].core && !s->n[node].paused_until;
}

void sim_go(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];

	if (!hears(s, node, sim_go, node) || !group_go(n->core, sim_clock(s, node)))
		return;
	sim_say(s, node, "go");
	n->waits_for_go = false;
	s->went++;
	sim_drain(s, node);
}

void sim_forsake(struct sim *s, int request)
{
	const struct sim_reply *p = &s->replies[request];

	if (s->n[p->node].life != p->life || !hears(s, p->node, sim_forsake, request))
		return;
	sim_say(s, p->node, "request %llu is forsaken", (unsigned long long)p->id);
	group_forsaken(s->n[p->node].core, sim_clock(s, p->node), p->id);
	sim_drain(s, p->node);
}

struct sim_fault *sim_fault(struct sim *s, int node, enum step_id step, enum fault_kind kind)
{
	for (size_t i = 0; i < SIM_FAULTS_MAX; i++) {
		struct sim_fault *f = &s->faults[i];

		if (f->kind != FAULT_NONE)
			continue;
		*f = (struct sim_fault){ node, step, kind, kind == FAULT_VERIFY_UNKNOWN ? 5 : 1 };
		return f;
	}
	return NULL;
}

void sim_kill_at(struct sim *s, int node, unsigned index, enum kill_when when, bool power)
{
	sim_count(s);
	s->kill = (struct sim_kill){ true, node, index, when, power, prng_range(&s->r, 100000, 3000000) };
	s->killed = false;
}

void sim_at(struct sim *s, int64_t after, sim_fn fn, int arg)
{
	if (s->n_script == SIM_SCRIPT_MAX)
		return;
	s->script[s->n_script].at = s->now + after;
	s->script[s->n_script].fn = fn;
	s->script[s->n_script++].arg = arg;
}

void sim_count(struct sim *s)
{
	s->n[0].actions = s->n[1].actions = 0;
	s->messages = 0;
}
