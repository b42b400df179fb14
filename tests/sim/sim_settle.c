/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults end, and what is left to look at. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum {
	SETTLE_MAX_US = 180000000,
	RECOVER_MAX_US = 60000000,
	QUIET_US = 6000000, /* longer than the longest wait between two tries */
};

bool sim_quiet(const struct sim *s)
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
	if (s->heartbeat && !drbd_whole(&s->w.d))
		return false;
	for (size_t i = 0; i < s->n_replies; i++)
		if (!s->replies[i].replies && s->n[s->replies[i].node].life == s->replies[i].life)
			return false;
	return true;
}

/* What kept the pair from working ends, but nobody boots a node. */
static void faults_end(struct sim *s)
{
	memset(s->faults, 0, sizeof(s->faults));
	s->kill.armed = false;
	s->cut_at_msg = -1;
	s->n_script = 0;
	for (int i = 0; i < SIM_NETS; i++)
		sim_net_heal(s, i);
	sim_heal(s);
	for (int i = 0; i < 2; i++) {
		s->device[i] = DEVICE_WORKS;
		sim_leg(s, i, false);
		s->n[i].bad_writes = 0;
		if (s->n[i].paused_until > s->now)
			s->n[i].paused_until = s->now + 1;
		if (s->n[i].poisoned)
			sim_kill_now(s, i, false, true);
		if (!s->n[i].core && s->n[i].powered && !s->n[i].restart_at)
			s->n[i].restart_at = s->now + 1;
	}
}

/* Why one more thing has failed than the pair can bear without a human; NULL: not. */
static const char *excuse(const struct sim *s)
{
	struct journal_state j;
	int on = s->n[0].powered ? 0 : 1;

	if (s->no_devices || s->manual)
		return "it is configured to wait for a human";
	if (!s->n[0].powered && !s->n[1].powered)
		return "both nodes are off";
	if (s->w.d.e[0].standalone || s->w.d.e[1].standalone || s->w.d.lies)
		return "split brain";
	sim_fold(s, on, &j);
	if (s->n[1 - on].powered) {
		struct journal_state k;

		sim_fold(s, 1 - on, &k);
		return j.owner == NODE_NONE && k.owner == NODE_NONE ? "nobody was ever given the group" : NULL;
	}
	if (j.owner == NODE_NONE)
		return "nobody was ever given the group";
	if (s->w.d.e[on].disk != DISK_UPTODATE)
		return "the other node is off, and this one's copy is not known to be the newest";
	if (!s->n[on].met && strcmp(j.owner_boot, s->n[on].boot_text) != 0)
		return "the other node is off, and this one was rebooted before it knew whose the group is";
	if (j.owner == on && strcmp(j.owner_boot, s->n[on].boot_text) && strcmp(j.active_boot, s->n[on].boot_text))
		return "the other node is off, and this one was";
	return NULL;
}

/* A cluster manager goes on asking whichever node it likes. */
static void ask_on(struct sim *s)
{
	int node = s->n[0].core ? (int)prng_below(&s->r, 2) : 1;
	bool open = false;

	for (size_t i = 0; i < s->n_replies; i++) {
		const struct sim_reply *p = &s->replies[i];

		open = open || (!p->replies && s->n[p->node].core && s->n[p->node].life == p->life);
	}
	if (open || s->n_replies >= SIM_REQUESTS_MAX - 1 || s->now < s->ask_again)
		return;
	s->ask_again = s->now + 2000000;
	if (s->n[node].core)
		sim_request(s, node, REQUEST_ASKED, node, false);
}

/* Without a human: one node comes to serve, unless two things have failed. */
static void recovers(struct sim *s)
{
	int64_t until = s->now + RECOVER_MAX_US;
	const char *why;

	if (!s->heartbeat)
		return;
	for (int i = 0; i < 2; i++)
		if (!s->n[i].powered && s->n[1 - i].powered)
			s->n[i].restart_at = 0;
	while (s->now < until && sim_active(s) == NODE_NONE && sim_step(s))
		if (s->asked)
			ask_on(s);
	why = excuse(s);
	if (s->broken[0] || sim_active(s) != NODE_NONE) {
		s->recovered++;
		return;
	}
	s->excused++;
	if (!why)
		sim_broken(s, "nobody serves %d s after the last fault (%s, %s)", RECOVER_MAX_US / 1000000,
			   group_state_name(sim_state(s, 0)), group_state_name(sim_state(s, 1)));
	sim_say(s, -1, "nobody serves: %s", why ? why : "");
}

static void boot_all(struct sim *s)
{
	for (int i = 0; i < 2; i++)
		if (!s->n[i].core && !s->n[i].restart_at)
			s->n[i].restart_at = s->now + 1;
}

bool sim_settle(struct sim *s)
{
	int64_t until, since = -1;

	faults_end(s);
	recovers(s);
	until = s->now + SETTLE_MAX_US;
	boot_all(s);
	while (s->now < until && sim_step(s)) {
		if (!s->heartbeat)
			sim_heal(s);
		boot_all(s);
		if (!sim_quiet(s))
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

		if (sim_state(s, i) == GS_ACTIVE && s->w.d.e[i].primary && m->mounted && m->address &&
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
