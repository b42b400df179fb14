/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Set-up, the clock, and the order of events. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DRBD_RECONNECT_US = 500000,
	SETTLE_MAX_US = 180000000,
	QUIET_US = 6000000, /* longer than the longest wait between two tries */
	TICKS_AT_ONCE_MAX = 50,
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
	return s;
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

static void boot_id(const struct sim *s, int node, char *out)
{
	snprintf(out, JOURNAL_BOOT_ID_LEN, "boot-%d-%u", node, s->n[node].boot);
}

/* What nasd does with a journal that has grown. */
static void compact(struct sim_node *n, const struct journal_state *j)
{
	struct journal_rec recs[JOURNAL_SUMMARY_MAX];
	size_t k = journal_summary(j, "vmstore", recs);

	if (!k || k > n->cap_disk)
		return;
	memcpy(n->disk, recs, k * sizeof(recs[0]));
	n->n_disk = k;
}

void sim_start(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];
	struct group_config cfg = { .name = "vmstore", .self = node, .node_names = { "nas1", "nas2" },
				    .switchover_us = SIM_SWITCHOVER_US, .freeze_us = SIM_FREEZE_US,
				    .monitor_us = 2000000 };
	struct journal_state j;

	n->restart_at = 0;
	if (n->core)
		return;
	if (!n->powered) {
		n->powered = true;
		n->boot++;
		if (s->n[1 - node].powered)
			s->drbd_due = s->now + DRBD_RECONNECT_US;
	}
	boot_id(s, node, cfg.boot_id);
	snprintf(cfg.fs_uuid, sizeof(cfg.fs_uuid), "%s", world_uuid);
	sim_fold(s, node, &j);
	if (prng_chance(&s->r, 20))
		compact(n, &j);
	n->core = group_new(&cfg);
	if (!n->core)
		abort();
	n->life++;
	n->poisoned = false;
	sim_say(s, node, "nasd starts, boot %s, journal: epoch %llu of %d, phase %s %llu", cfg.boot_id,
		(unsigned long long)j.epoch, j.owner, txn_phase_name(j.phase), (unsigned long long)j.txn_epoch);
	group_start(n->core, s->now, &j);
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
			sim_record_durable(s, node, &n->lane[0].rec);
		world_run(&s->w, node, n->lane[0].step, msg);
	}
	n->journal_wait = false;
	n->n_lane = 0;
	n->unknown_of = STEP_NONE;
	memset(n->facts_due, 0, sizeof(n->facts_due));
	n->sync_due = 0;
}

void sim_kill_now(struct sim *s, int node, bool power, bool keep)
{
	struct sim_node *n = &s->n[node];

	if (n->core) {
		sim_say(s, node, "%s (%s)", power ? "POWER OFF" : "KILLED", keep ? "kept" : "lost");
		end_work(s, node, keep);
		group_free(n->core);
		n->core = NULL;
		link_break(&s->link, &s->r, s->now);
		link_end_died(&s->link, node);
	}
	if (power && n->powered) {
		n->powered = false;
		n->cause = false;
		world_power_off(&s->w, node);
		s->drbd_due = 0;
	}
}

void sim_cut(struct sim *s, bool drbd_too)
{
	sim_say(s, -1, "link cut%s", drbd_too ? ", replication too" : "");
	s->link.cut = true;
	link_break(&s->link, &s->r, s->now);
	if (drbd_too) {
		s->w.drbd_connected = false;
		s->drbd_due = 0;
	}
}

void sim_heal(struct sim *s)
{
	if (s->link.cut)
		sim_say(s, -1, "link heals");
	s->link.cut = false;
	if (!s->w.drbd_connected && !s->drbd_due && s->n[0].powered && s->n[1].powered)
		s->drbd_due = s->now + DRBD_RECONNECT_US;
}

void sim_server_dies(struct sim *s, int node)
{
	if (!s->n[node].powered)
		return;
	sim_say(s, node, "the server dies");
	world_server_dies(&s->w, node);
	if (s->n[node].core && prng_chance(&s->r, 70)) {
		group_server_died(s->n[node].core, s->now, "ganesha ended by itself");
		sim_drain(s, node);
	}
}

/* ---- what a test asks for */

int sim_request(struct sim *s, int node, enum request_kind kind, int target, bool confirmed)
{
	struct group_request r = { .kind = kind, .target = target, .peer_confirmed_dead = confirmed, .by = "test" };
	struct sim_reply *p;

	if (!s->n[node].core || s->n_replies == SIM_REQUESTS_MAX)
		return -1;
	p = &s->replies[s->n_replies++];
	p->id = r.id = s->n_replies;
	p->node = node;
	p->life = s->n[node].life;
	p->asked = s->now;
	sim_say(s, node, "request %llu: %s to %d%s", (unsigned long long)r.id,
		kind == REQUEST_SWITCHOVER ? "switchover" : kind == REQUEST_TAKEOVER ? "takeover" : "check", target,
		confirmed ? ", peer confirmed dead" : "");
	group_request(s->n[node].core, s->now, &r);
	sim_drain(s, node);
	return (int)s->n_replies - 1;
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

/* ---- events */

enum event_kind {
	EV_TICK, EV_JOB, EV_JOURNAL, EV_FACTS, EV_SYNC, EV_UP, EV_DOWN, EV_MESSAGE, EV_RESTART, EV_SCRIPT, EV_DRBD,
};

struct event {
	enum event_kind kind;
	int node;
	size_t arg;
	int64_t at;
};

struct choice {
	struct event best;
	unsigned ties;
};

/* Of events at the same time, chance picks one. */
static void offer(struct sim *s, struct choice *c, enum event_kind kind, int node, size_t arg, int64_t at)
{
	if (at < s->now)
		at = s->now;
	if (c->ties && at > c->best.at)
		return;
	if (c->ties && at == c->best.at) {
		if (prng_below(&s->r, ++c->ties))
			return;
	} else {
		c->ties = 1;
	}
	c->best = (struct event){ kind, node, arg, at };
}

static void offer_node(struct sim *s, struct choice *c, int i)
{
	struct sim_node *n = &s->n[i];

	if (n->restart_at)
		offer(s, c, EV_RESTART, i, 0, n->restart_at);
	if (!n->core)
		return;
	offer(s, c, EV_TICK, i, 0, group_next_tick(n->core));
	if (n->n_lane)
		offer(s, c, EV_JOB, i, 0, n->lane[0].end);
	if (n->journal_wait)
		offer(s, c, EV_JOURNAL, i, 0, n->journal_due);
	for (size_t t = 0; t < 3; t++)
		if (n->facts_due[t])
			offer(s, c, EV_FACTS, i, t, n->facts_due[t]);
	if (n->sync_due)
		offer(s, c, EV_SYNC, i, 0, n->sync_due);
	if (s->link.up_due[i])
		offer(s, c, EV_UP, i, 0, s->link.up_due[i]);
	if (s->link.down_due[i])
		offer(s, c, EV_DOWN, i, 0, s->link.down_due[i]);
	if (link_due(&s->link, 1 - i) != INT64_MAX)
		offer(s, c, EV_MESSAGE, i, 0, link_due(&s->link, 1 - i));
}

static struct event next_event(struct sim *s)
{
	struct choice c = { .ties = 0 };
	const bool alive[2] = { s->n[0].core != NULL, s->n[1].core != NULL };

	link_try(&s->link, &s->r, s->now, alive);
	for (int i = 0; i < 2; i++)
		offer_node(s, &c, i);
	for (size_t i = 0; i < s->n_script; i++)
		offer(s, &c, EV_SCRIPT, 0, i, s->script[i].at);
	if (s->drbd_due)
		offer(s, &c, EV_DRBD, 0, 0, s->drbd_due);
	if (!c.ties) /* both off, nothing planned */
		c.best = (struct event){ EV_DRBD, 0, 0, s->now + 1000000 };
	return c.best;
}

static void tick(struct sim *s, int node)
{
	struct sim_node *n = &s->n[node];

	if (n->ticks_at != s->now)
		n->ticks_here = 0;
	n->ticks_at = s->now;
	if (++n->ticks_here > TICKS_AT_ONCE_MAX)
		sim_broken(s, "node %d ticks without end at one time", node);
	group_tick(n->core, s->now);
}

static void link_event(struct sim *s, enum event_kind kind, int node)
{
	if (kind == EV_UP) {
		s->link.up_due[node] = 0;
		s->link.up[node] = true;
		sim_say(s, node, "peer up");
		group_peer_up(s->n[node].core, s->now, true, true);
	} else {
		s->link.down_due[node] = 0;
		s->link.up[node] = false;
		if (s->n[node].sync_due) { /* as engine_clients.c */
			struct err e;

			s->n[node].sync_due = 0;
			err_set(&e, ERR_PEER, 0, "clients", "the link to the peer was lost");
			group_clients_synced(s->n[node].core, s->now, false, &e);
		}
		sim_say(s, node, "peer down");
		group_peer_down(s->n[node].core, s->now, "cut");
	}
}

static void message(struct sim *s, int node)
{
	struct link_msg *lm = link_take(&s->link, 1 - node);

	sim_say(s, node, "gets %s %llu", msg_type_name(lm->msg.type), (unsigned long long)lm->msg.epoch);
	group_message(s->n[node].core, s->now, &lm->msg);
	free(lm);
}

static void facts(struct sim *s, int node, enum facts_tag tag)
{
	struct facts f;

	s->n[node].facts_due[tag] = 0;
	world_facts(&s->w, node, &f);
	if (sim_take_fault(s, node, STEP_CHECK, false) == FAULT_FAIL)
		snprintf(f.drbd_cstate, sizeof(f.drbd_cstate), "WFConnection");
	f.collected_us = s->now;
	group_facts(s->n[node].core, s->now, tag, &f);
}

static void clients_synced(struct sim *s, int node)
{
	struct err e = { .cls = ERR_PEER, .msg = "an entry could not be sent" };

	s->n[node].sync_due = 0;
	group_clients_synced(s->n[node].core, s->now, s->n[node].sync_ok, s->n[node].sync_ok ? NULL : &e);
}

static void run_script(struct sim *s, size_t i)
{
	sim_fn fn = s->script[i].fn;
	int arg = s->script[i].arg;

	s->script[i] = s->script[--s->n_script];
	fn(s, arg);
}

static void dispatch(struct sim *s, const struct event *e)
{
	switch (e->kind) {
	case EV_TICK: tick(s, e->node); break;
	case EV_JOB: sim_lane_finished(s, e->node); break;
	case EV_JOURNAL: sim_journal_finished(s, e->node); break;
	case EV_FACTS: facts(s, e->node, (enum facts_tag)e->arg); break;
	case EV_SYNC: clients_synced(s, e->node); break;
	case EV_UP:
	case EV_DOWN: link_event(s, e->kind, e->node); break;
	case EV_MESSAGE: message(s, e->node); break;
	case EV_RESTART: sim_start(s, e->node); return;
	case EV_SCRIPT: run_script(s, e->arg); return;
	case EV_DRBD:
		if (s->drbd_due && s->n[0].powered && s->n[1].powered)
			s->w.drbd_connected = !s->link.cut || s->w.drbd_connected;
		s->drbd_due = 0;
		return;
	}
	sim_drain(s, e->node);
}

bool sim_step(struct sim *s)
{
	struct event e;

	if (s->broken[0])
		return false;
	e = next_event(s);
	s->now = e.at;
	s->events++;
	dispatch(s, &e);
	promises_always(s);
	return !s->broken[0];
}

bool sim_run(struct sim *s, int64_t us)
{
	int64_t until = s->now + us;

	while (!s->broken[0]) {
		struct event e = next_event(s);

		if (e.at > until) {
			s->now = until;
			return true;
		}
		if (!sim_step(s))
			return false;
	}
	return false;
}

/* ---- settling */

static bool quiet(const struct sim *s)
{
	for (int i = 0; i < 2; i++) {
		struct group_view v;

		if (!s->n[i].core || s->n[i].n_lane || s->n[i].journal_wait || !s->link.up[i])
			return false;
		group_look(s->n[i].core, &v);
		if ((v.state != GS_ACTIVE && v.state != GS_STANDBY) || v.step != STEP_NONE)
			return false;
		if (v.log && v.log->result == RESULT_RUNNING)
			return false;
	}
	for (size_t i = 0; i < s->n_replies; i++)
		if (!s->replies[i].replies && s->n[s->replies[i].node].life == s->replies[i].life)
			return false;
	return true;
}

bool sim_settle(struct sim *s)
{
	int64_t until = s->now + SETTLE_MAX_US, since = -1;

	memset(s->faults, 0, sizeof(s->faults));
	s->kill.armed = false;
	s->cut_at_msg = -1;
	s->n_script = 0;
	sim_heal(s);
	for (int i = 0; i < 2; i++) {
		s->n[i].bad_writes = 0;
		if (s->n[i].poisoned)
			sim_kill_now(s, i, false, true);
		if (!s->n[i].core && !s->n[i].restart_at)
			s->n[i].restart_at = s->now + 1;
	}
	sim_heal(s);
	while (s->now < until && sim_step(s)) {
		sim_heal(s);
		if (!quiet(s))
			since = -1;
		else if (since < 0)
			since = s->now;
		else if (s->now - since > QUIET_US)
			break;
	}
	if (!s->broken[0])
		promises_quiet(s);
	return !s->broken[0];
}

/* ---- looking */

enum group_state sim_state(const struct sim *s, int node)
{
	struct group_view v;

	if (!s->n[node].core)
		return GS_STARTING;
	group_look(s->n[node].core, &v);
	return v.state;
}

int sim_active(const struct sim *s)
{
	for (int i = 0; i < 2; i++) {
		const struct machine *m = &s->w.m[i];

		if (sim_state(s, i) == GS_ACTIVE && m->primary && m->mounted && m->address &&
		    m->server == SERVER_SERVING && !m->gated)
			return i;
	}
	return NODE_NONE;
}

void sim_fold(const struct sim *s, int node, struct journal_state *j)
{
	journal_state_init(j);
	for (size_t i = 0; i < s->n[node].n_disk; i++)
		journal_fold(j, &s->n[node].disk[i]);
}
