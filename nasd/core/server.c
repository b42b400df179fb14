/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The active node's own parts: a server that dies or hangs is replaced in place,
 * an address that was taken away is put back, and a node whose disk or clients' link
 * has failed, or whose server keeps failing, is left by a planned switchover when the
 * peer is better off; else it stays.
 */
#include "group_internal.h"

#include <stdio.h>
#include <string.h>

enum {
	LEAVE_AGAIN_US = 60000000,
	DEATHS_WITHIN_US = 600000000,
	GATHER_US = 5000000, /* a little longer than request.c waits for facts */
};

/* ---- leaving this node */

static bool peer_is_fit(const struct group_core *g)
{
	const struct facts *f = &g->facts[group_peer_index(g)];

	return f->valid && f->server == SERVER_WARM && f->drbd_known && !strcmp(f->drbd_disk, "UpToDate");
}

/* The service goes on meanwhile, as well as it can. */
static bool leave(struct group_core *g, int64_t now, const char *why)
{
	struct group_request r = { .kind = REQUEST_SWITCHOVER, .target = group_peer_index(g) };

	if (!g->peer_up || g->req_open || g->gather.active || now < g->srv.leave_at)
		return false;
	g->srv.leave_at = now + LEAVE_AGAIN_US;
	snprintf(r.by, sizeof(r.by), "nasd: %s", why);
	group_set_state(g, g->state, "%s; it is better off on %s", why, group_node_name(g, r.target));
	group_request(g, now, &r);
	return true;
}

/* A link that clients come over is down here and up there. */
static bool link_better_there(const struct group_core *g, const struct facts *f)
{
	const struct facts *p = &g->facts[group_peer_index(g)];

	for (unsigned i = 0; p->valid && i < f->n_addresses && i < p->n_addresses && i < GROUP_ADDRS_MAX; i++)
		if (!f->addresses[i].link_up && p->addresses[i].link_up)
			return true;
	return false;
}

/* Why the group had better be on the other node; NULL: it had not. */
static const char *better_there(const struct group_core *g, const struct facts *f)
{
	if (!strcmp(f->drbd_disk, "Diskless") || !strcmp(f->drbd_disk, "Failed"))
		return "the disk has failed here";
	return link_better_there(g, f) ? "the clients' link is down here" : NULL;
}

static void leave_if_better(struct group_core *g, int64_t now, const struct facts *f)
{
	const char *why = better_there(g, f);

	if (why && g->cfg.trigger == TRIGGER_HEARTBEAT && !strcmp(f->drbd_peer_disk, "UpToDate"))
		leave(g, now, why);
}

/* ---- the server */

static void note_death(struct group_core *g, int64_t now)
{
	memmove(g->srv.died, g->srv.died + 1, sizeof(g->srv.died) - sizeof(g->srv.died[0]));
	g->srv.died[SERVER_DEATHS - 1] = now;
}

static bool dies_too_often(const struct group_core *g, int64_t now)
{
	return g->srv.died[0] && now - g->srv.died[0] <= DEATHS_WITHIN_US;
}

static bool hangs(const struct group_core *g, const struct facts *f)
{
	/* what waits for its disk is no better when it is replaced */
	return g->cfg.hung_after_us && f->server == SERVER_SERVING && !f->drbd_suspended &&
	       f->server_silent_ms >= g->cfg.hung_after_us / 1000;
}

static void replace(struct group_core *g, int64_t now, bool hung, const char *why)
{
	if (!group_log_running(g)) /* else it belongs to the move being confirmed */
		group_begin_log(g, now, SWITCH_RESUME, g->j.epoch, NODE_NONE, g->cfg.self,
				hung ? "nasd: server hangs" : "nasd: server died");
	note_death(g, now);
	g->srv.repairing = true;
	g->srv.hung = hung;
	activate(g, now, !hung, why);
}

void group_server_died(struct group_core *g, int64_t now, const char *reason)
{
	source_hold_lost_server(g, now, reason);
	if (g->state == GS_ACTIVE)
		replace(g, now, false, reason);
	else if (g->state == GS_STANDBY && g->prog.purpose == PURPOSE_NONE)
		program_start(g, now, PURPOSE_REWARM, program_rewarm, true);
}

static void replace_hung(struct group_core *g, int64_t now, const struct facts *f)
{
	char why[120];

	snprintf(why, sizeof(why), "ganesha (pid %d) has answered nothing for %lld s; it is killed and started again in place",
		 f->server_pid, (long long)f->server_silent_ms / 1000);
	replace(g, now, true, why);
}

const enum step_id *server_rows(const struct group_core *g)
{
	return g->srv.hung ? program_replace : program_activate;
}

void server_activated(struct group_core *g)
{
	g->srv.repairing = g->srv.hung = false;
}

void server_left(struct group_core *g)
{
	int64_t leave_at = g->srv.leave_at;

	memset(&g->srv, 0, sizeof(g->srv));
	g->srv.leave_at = leave_at;
}

void server_stopped(struct group_core *g)
{
	g->srv.hung = false;
}

void server_restart_failed(struct group_core *g, int64_t now, const struct err *e)
{
	/* one that does not say what it serves will not say it the next time */
	if (g->cfg.hung_after_us && e->cls == ERR_TIMEOUT && !strcmp(e->where, step_name(STEP_EXPORT)))
		g->srv.hung = true;
	if (!g->srv.repairing || !g->cfg.leaves_bad_server || g->state != GS_ACTIVATING || !peer_is_fit(g))
		return;
	g->srv.leaving = true;
	g->srv.leaving = leave(g, now, "the server cannot be started again");
	/* while it is being judged whether the other node can have it */
	if (g->srv.leaving && g->prog.retry_at < now + GATHER_US)
		g->prog.retry_at = now + GATHER_US;
}

bool server_leaves(const struct group_core *g)
{
	return g->srv.leaving && g->state == GS_ACTIVATING;
}

void server_judged(struct group_core *g, int64_t now)
{
	if (!g->srv.leaving)
		return;
	g->srv.leaving = false;
	if (g->state == GS_ACTIVATING && g->prog.purpose == PURPOSE_ACTIVATE && !g->prog.in_flight)
		g->prog.retry_at = now;
}

/* ---- the addresses */

static const char *missing_address(const struct facts *f)
{
	for (unsigned i = 0; i < f->n_addresses && i < GROUP_ADDRS_MAX; i++)
		if (!f->addresses[i].present && f->addresses[i].link_up)
			return f->addresses[i].text;
	return NULL;
}

/* Everything else of the service is in place, and stays untouched. */
static void put_address_back(struct group_core *g, int64_t now, const char *address)
{
	char why[120];

	snprintf(why, sizeof(why), "%s was taken away by somebody; putting it back", address);
	group_begin_log(g, now, SWITCH_RESUME, g->j.epoch, NODE_NONE, g->cfg.self, "nasd: address gone");
	activate(g, now, true, why);
}

void server_monitored(struct group_core *g, int64_t now, const struct facts *f)
{
	const char *address = missing_address(f);

	if (f->server == SERVER_DOWN) {
		group_server_died(g, now, "ganesha has died; starting it again in place");
	} else if (g->prog.purpose != PURPOSE_NONE) {
		return;
	} else if (hangs(g, f)) {
		replace_hung(g, now, f);
	} else if (address) {
		put_address_back(g, now, address);
	} else if (g->cfg.leaves_bad_server && dies_too_often(g, now) && peer_is_fit(g)) {
		leave(g, now, "the server died 3 times within 10 minutes");
	} else {
		leave_if_better(g, now, f);
	}
}
