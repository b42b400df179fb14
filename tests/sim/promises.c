/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must always hold, and what must hold once all is quiet. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { REPLY_SLACK_US = 5000000, SEEN_WITHIN_US = 400000 };

static void one_writer(struct sim *s)
{
	if (s->n[0].cause || s->n[1].cause)
		return;
	if (world_serves(&s->w, 0) && world_serves(&s->w, 1))
		sim_broken(s, "two writers: parts of the service on both nodes (%d%d%d%d, %d%d%d%d)",
			   s->w.d.e[0].primary, s->w.m[0].mounted, s->w.m[0].server == SERVER_SERVING, s->w.m[0].address,
			   s->w.d.e[1].primary, s->w.m[1].mounted, s->w.m[1].server == SERVER_SERVING, s->w.m[1].address);
}

static void address_last(struct sim *s, int i)
{
	const struct machine *m = &s->w.m[i];

	if (!m->address || m->server_fell)
		return;
	if (m->server != SERVER_SERVING || !m->mounted || !s->w.d.e[i].primary)
		sim_broken(s, "node %d: the address is present without the service behind it", i);
}

/* By the node's own clock, and not while it stands still or just has. */
static void answered_in_time(struct sim *s)
{
	for (size_t i = 0; i < s->n_replies; i++) {
		const struct sim_reply *p = &s->replies[i];
		const struct sim_node *n = &s->n[p->node];

		if (p->replies || !n->core || n->life != p->life || n->paused_until ||
		    s->now - n->resumed_at < REPLY_SLACK_US)
			continue;
		if (sim_clock(s, p->node) > p->asked + p->hold_us + SIM_SWITCHOVER_US + REPLY_SLACK_US)
			sim_broken(s, "request %llu is not answered in time", (unsigned long long)p->id);
	}
}

void promises_always(struct sim *s)
{
	if (s->w.broken[0])
		sim_broken(s, "%s", s->w.broken);
	if (s->w.d.broken[0])
		sim_broken(s, "%s", s->w.d.broken);
	if (s->w.c.broken[0])
		sim_broken(s, "%s", s->w.c.broken);
	one_writer(s);
	address_last(s, 0);
	address_last(s, 1);
	answered_in_time(s);
}

/* The newest owner that any durable record names. */
static int newest_owner(const struct sim *s, uint64_t *epoch)
{
	struct journal_state j[2];
	int k;

	sim_fold(s, 0, &j[0]);
	sim_fold(s, 1, &j[1]);
	k = j[1].epoch > j[0].epoch;
	*epoch = j[k].epoch;
	return j[k].owner;
}

/* Steps that take nothing from and give nothing to the other node. */
static bool harmless(enum step_id step)
{
	return step == STEP_NONE || step == STEP_WARM || step == STEP_REWARM || step == STEP_PRESYNC ||
	       step == STEP_GATE || step == STEP_ANNOUNCE || step == STEP_CONFIRM;
}

static bool looks_at(enum step_id looked, enum step_id step)
{
	if (step == STEP_WARM || step == STEP_REWARM)
		return looked == STEP_WARM || looked == STEP_REWARM;
	return looked == step || looked == step_row(step)->undo;
}

void promises_answered(struct sim *s, int node, const struct sim_job *j, enum outcome o)
{
	enum step_id *unknown = &s->n[node].unknown_of;

	if (j->op == OP_RUN && o == OUTCOME_UNKNOWN)
		*unknown = j->step;
	else if (harmless(*unknown) && j->step != *unknown)
		*unknown = STEP_NONE; /* other steps have gone over it since */
	else if (j->op == OP_VERIFY && o != OUTCOME_UNKNOWN && *unknown != STEP_NONE && looks_at(j->step, *unknown))
		*unknown = STEP_NONE;
}

void promises_before_run(struct sim *s, int node, enum step_id step)
{
	enum step_stage stage = step_row(step)->stage;
	struct journal_state own;
	uint64_t epoch;
	int owner;

	if (s->n[node].unknown_of == step || !harmless(s->n[node].unknown_of))
		sim_broken(s, "node %d runs %s before it has looked what became of %s", node, step_name(step),
			   step_name(s->n[node].unknown_of));
	if (step == STEP_GATE && s->n[node].waits_for_go)
		sim_broken(s, "node %d begins the freeze of a move that is held", node);
	if (stage != STAGE_ACQUIRE && stage != STAGE_ACTIVATE)
		return;
	owner = newest_owner(s, &epoch);
	sim_fold(s, node, &own);
	if (own.owner != node)
		sim_broken(s, "node %d runs %s, but its own journal does not give it the group", node, step_name(step));
	else if (owner != node && owner != NODE_NONE && !s->n[node].cause && !s->n[node].behind)
		sim_broken(s, "node %d runs %s under epoch %llu, but epoch %llu is %d's", node, step_name(step),
			   (unsigned long long)own.epoch, (unsigned long long)epoch, owner);
}

/* The group is given away only by one that has stood down, and has written it. */
void promises_before_send(struct sim *s, int node, const struct peer_msg *m)
{
	struct journal_state own;

	if (m->type != MSG_COMMIT && m->type != MSG_CLAIMED)
		return;
	sim_fold(s, node, &own);
	if (own.owner != 1 - node || own.epoch != m->epoch)
		sim_broken(s, "node %d sends %s %llu without a durable record", node, msg_type_name(m->type),
			   (unsigned long long)m->epoch);
	if (world_serves(&s->w, node))
		sim_broken(s, "node %d sends %s %llu before it has stood down", node, msg_type_name(m->type),
			   (unsigned long long)m->epoch);
}

void promises_record(struct sim *s, int node, const struct journal_rec *r)
{
	int *seen;

	(void)node;
	if (!strcmp(r->kind, "begin") && r->epoch < SIM_EPOCHS_MAX) {
		if (s->epoch_begun[r->epoch] || s->epoch_owner[r->epoch] != -2)
			sim_broken(s, "a switchover begins under the used epoch %llu", (unsigned long long)r->epoch);
		s->epoch_begun[r->epoch] = true;
	}
	if (strcmp(r->kind, "owner") || r->epoch >= SIM_EPOCHS_MAX)
		return;
	seen = &s->epoch_owner[r->epoch];
	if (*seen != -2 && *seen != r->owner)
		sim_broken(s, "epoch %llu is used for owner %d and for owner %d", (unsigned long long)r->epoch, *seen,
			   r->owner);
	*seen = r->owner;
}

/* The server that answers has every write that anybody was told is stable. */
void promises_served(struct sim *s, int node)
{
	if (!drbd_complete(&s->w.d, node) && !s->w.d.lies)
		sim_broken(s, "node %d serves without an acknowledged write", node);
}

/* Only what has lost its peer, or serves nobody, has the other node switched off. */
void promises_fence(struct sim *s, int node)
{
	const struct drbd_end *e = &s->w.d.e[node];

	if (e->connected && e->primary && s->w.d.e[1 - node].connected && !e->lost_due &&
	    s->now - e->connected_at > SEEN_WITHIN_US)
		sim_broken(s, "node %d has its peer switched off, though DRBD is connected and nothing is held", node);
}

/* DRBD is told that it may go on without the peer. */
void promises_told(struct sim *s, int node)
{
	const struct drbd_end *o = &s->w.d.e[1 - node];

	if (o->attached && (o->primary || o->disk == DISK_UPTODATE) && !s->w.d.lies)
		sim_broken(s, "DRBD on node %d may go on, but node %d %s", node, 1 - node,
			   o->primary ? "is Primary" : "has a copy that counts as the newest");
}

/* The group is taken from a node that does not serve, onto a copy that is the newest now. */
void promises_takeover(struct sim *s, int node)
{
	if (world_serves(&s->w, 1 - node) && !s->w.d.lies)
		sim_broken(s, "node %d takes the group over from a node that serves", node);
	if (s->w.d.e[node].disk != DISK_UPTODATE && !(s->w.d.e[node].connected && s->n[1 - node].powered))
		sim_broken(s, "node %d takes the group over with a copy that is not the newest", node);
}

static void quiet_replies(struct sim *s)
{
	for (size_t i = 0; i < s->n_replies; i++)
		if (s->replies[i].replies != 1 && s->n[s->replies[i].node].life == s->replies[i].life)
			sim_broken(s, "request %llu has %u answers", (unsigned long long)s->replies[i].id,
				   s->replies[i].replies);
}

static void quiet_node(struct sim *s, int i, int owner)
{
	enum group_state want = owner == i ? GS_ACTIVE : GS_STANDBY;
	const struct machine *m = &s->w.m[i];
	struct group_view v;

	if (sim_state(s, i) != want) {
		sim_broken(s, "at rest node %d is %s, not %s", i, group_state_name(sim_state(s, i)),
			   group_state_name(want));
		return;
	}
	group_look(s->n[i].core, &v);
	if (want == GS_ACTIVE && sim_active(s) != i)
		sim_broken(s, "at rest node %d says active but does not serve in full", i);
	if (want == GS_STANDBY && (world_serves(&s->w, i) || m->server != SERVER_WARM))
		sim_broken(s, "at rest the standby %d is not clean and warm", i);
	if (v.log && v.log->result == RESULT_RUNNING)
		sim_broken(s, "at rest the log of node %d is still running", i);
	if (want == GS_STANDBY && v.detail[0] && owner != NODE_NONE)
		sim_broken(s, "at rest the standby %d still says '%.120s'", i, v.detail);
}

void promises_quiet(struct sim *s)
{
	uint64_t epoch;
	int owner = newest_owner(s, &epoch);

	quiet_replies(s);
	if (s->heartbeat && !s->w.d.lies && (!drbd_whole(&s->w.d) || !drbd_complete(&s->w.d, 0) || !drbd_complete(&s->w.d, 1)))
		sim_broken(s, "at rest the copies are not whole");
	for (int i = 0; i < 2 && !s->broken[0]; i++)
		quiet_node(s, i, owner);
}
