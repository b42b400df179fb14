/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Operators' requests: gathers the facts of both nodes, judges them, and either
 * answers or lets the switchover begin. A request for what only the other node
 * can do is forwarded to it.
 */
#include "group_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { GATHER_TIMEOUT_US = 4000000, FORWARD_EXTRA_US = 2000000 };

static struct action *reply_here(struct group_core *g, const struct group_request *req, bool ok, const struct err *e,
				 const char *note, bool log)
{
	struct action *a = group_push(g, ACT_REPLY);

	if (!a)
		return NULL;
	a->u.reply.id = req->id;
	a->u.reply.ok = ok;
	a->u.reply.log = log;
	snprintf(a->u.reply.note, sizeof(a->u.reply.note), "%s", note);
	a->u.reply.err = *e;
	return a;
}

struct action *request_reply(struct group_core *g, const struct group_request *req, bool ok, const struct err *e,
			     const char *note, bool log)
{
	struct err why = { .cls = ERR_NONE };
	struct peer_msg *m;

	if (!ok)
		why = *e;
	if (!ok && !why.remedy[0])
		err_remedy(&why, "see 'nasctl status' and the log of nasd for its cause");
	if (!req->remote)
		return reply_here(g, req, ok, &why, note, log);
	m = group_send_err(g, MSG_REPLY, g->j.epoch, ok ? NULL : &why);
	if (m)
		m->u.answer.request = req->id;
	return NULL;
}

void request_open(struct group_core *g, int64_t began, const struct group_request *req)
{
	g->req = *req;
	g->req_open = true;
	g->forwarded = false;
	g->req_deadline = began + g->cfg.switchover_us + req->hold_us;
}

void request_refuse(struct group_core *g, const struct group_request *req, int errnum, const char *where,
		    const char *msg, const char *remedy)
{
	struct err e;

	err_set(&e, ERR_REFUSED, errnum, where, "%s", msg);
	err_remedy(&e, "%s", remedy);
	request_reply(g, req, false, &e, "", false);
}

void request_reply_open(struct group_core *g, bool ok, const struct err *e, const char *note)
{
	if (!g->req_open)
		return;
	g->req_open = false;
	g->forwarded = false;
	request_reply(g, &g->req, ok, e, note, true);
}

static const char *busy_text(const struct group_core *g, char *buf, size_t size)
{
	if (g->state == GS_ACTIVE && g->prog.purpose == PURPOSE_CONFIRM) {
		snprintf(buf, size, "the last move is still being confirmed");
		return buf;
	}
	if (g->state == GS_ACTIVE || g->state == GS_STANDBY)
		return NULL;
	snprintf(buf, size, "%s is %s: %.100s", group_node_name(g, g->cfg.self), group_state_name(g->state), g->detail);
	return buf;
}

static size_t judge(struct group_core *g, const struct group_request *req, struct finding *out)
{
	char busy[200];
	struct check_input in = {
		.node_names = { g->cfg.node_names[0], g->cfg.node_names[1] },
		.source = 1 - req->target,
		.target = req->target,
		.peer_connected = g->peer_up,
		.config_same = g->config_same,
		.version_same = g->version_same,
		.heartbeat = g->cfg.trigger != TRIGGER_MANUAL,
		.busy = busy_text(g, busy, sizeof(busy)),
		.expected_uuid = g->cfg.fs_uuid,
		.facts = { &g->facts[0], &g->facts[1] },
	};

	in.server_bad = req->kind == REQUEST_SWITCHOVER && server_leaves(g);
	if (in.server_bad)
		in.busy = NULL;
	in.source_active = in.source == g->cfg.self ? g->state == GS_ACTIVE || in.server_bad :
						      g->peer_hello && g->peer.active;
	return checks_judge(&in, out);
}

static void finish_gather(struct group_core *g, int64_t now)
{
	struct group_request req = g->gather.req;
	struct finding findings[FINDINGS_MAX];
	const char *names[2] = { g->cfg.node_names[0], g->cfg.node_names[1] };
	struct err e;
	struct action *a;
	size_t n = judge(g, &req, findings);
	int ret = checks_error(findings, n, names, &e);

	g->gather.active = false;
	if (ret == 0 && req.kind == REQUEST_SWITCHOVER)
		source_begin(g, now, &req);
	server_judged(g, now);
	if (ret == 0 && req.kind == REQUEST_SWITCHOVER)
		return;
	a = request_reply(g, &req, ret == 0, ret ? &e : NULL, "", false);
	if (!a)
		return;
	a->u.reply.n_findings = n;
	memcpy(a->u.reply.findings, findings, n * sizeof(findings[0]));
}

void request_facts(struct group_core *g, int64_t now, int node)
{
	if (!g->gather.active)
		return;
	g->gather.got[node] = true;
	if (g->gather.got[0] && g->gather.got[1])
		finish_gather(g, now);
}

static void gather_tick(struct group_core *g, int64_t now)
{
	if (!g->gather.active || now < g->gather.deadline)
		return;
	for (int i = 0; i < 2; i++)
		if (!g->gather.got[i])
			g->facts[i].valid = false;
	finish_gather(g, now);
}

/* The work goes on; the answer says how far it is. */
static void answer_late(struct group_core *g)
{
	struct err e;

	if (g->awaiting_done)
		err_set(&e, ERR_TIMEOUT, ETIMEDOUT, "confirm", "committed, but %s has not said that it serves",
			group_peer_name(g));
	else if (g->forwarded)
		err_set(&e, ERR_TIMEOUT, ETIMEDOUT, "request", "%s has not answered",
			group_peer_name(g));
	else
		err_set(&e, ERR_TIMEOUT, ETIMEDOUT, step_name(program_step(g)), "not done in time, %s is %s: %.150s",
			group_node_name(g, g->cfg.self), group_state_name(g->state), g->detail);
	err_remedy(&e, "it goes on by itself; watch 'nasctl status' and nasd's log");
	request_reply_open(g, false, &e, "");
}

void request_tick(struct group_core *g, int64_t now)
{
	gather_tick(g, now);
	if (g->req_open && now >= g->req_deadline)
		answer_late(g);
}

/* Who waits at the peer is told so there. What we asked the peer to do is lost
 * too, unless it has come so far that the group is on its way to us. */
void request_peer_down(struct group_core *g, int64_t now, const struct err *e)
{
	int peer = group_peer_index(g);

	if (g->gather.active && g->gather.req.remote) {
		g->gather.active = false;
	} else if (g->gather.active) {
		g->gather.got[peer] = true; /* its facts are not valid */
		if (g->gather.got[g->cfg.self])
			finish_gather(g, now);
	}
	if (!g->req_open)
		return;
	if (g->req.remote)
		g->req_open = false;
	else if (g->forwarded && g->req.kind == REQUEST_ASKED && (g->state == GS_STANDBY || g->state == GS_PREPARED))
		asked_peer_down(g, now);
	else if (g->forwarded && g->state != GS_ACTIVATING && g->state != GS_ACTIVE)
		request_reply_open(g, false, e, "");
}

static void gather(struct group_core *g, int64_t now, const struct group_request *req)
{
	struct action *a = group_push(g, ACT_FACTS);

	memset(&g->gather, 0, sizeof(g->gather));
	g->gather.active = true;
	g->gather.req = *req;
	g->gather.began = now;
	g->gather.deadline = now + GATHER_TIMEOUT_US;
	if (a) {
		a->u.facts.tag = FACTS_GATHER;
		a->u.facts.probe = true;
	}
	if (g->peer_up)
		group_send(g, MSG_FACTS_REQ, g->j.epoch);
	else
		g->gather.got[group_peer_index(g)] = true; /* its facts are not valid */
}

void request_forward(struct group_core *g, int64_t now, const struct group_request *req)
{
	struct peer_msg *m = group_send(g, MSG_REQUEST, g->j.epoch);

	request_open(g, now + FORWARD_EXTRA_US, req);
	g->forwarded = true;
	if (!m)
		return;
	m->u.answer.request = req->id;
	m->u.answer.target = req->target;
}

static void refuse(struct group_core *g, const struct group_request *req, const char *msg, const char *remedy)
{
	request_refuse(g, req, EBUSY, "request", msg, remedy);
}

void group_request(struct group_core *g, int64_t now, const struct group_request *req)
{
	if (g->gather.active && g->gather.req.kind == REQUEST_CHECK && req->kind != REQUEST_CHECK) {
		/* anybody may look; that must not keep an operator from acting */
		g->gather.active = false;
		refuse(g, &g->gather.req, "a request that changes something came first", "ask again");
	}
	if (req->kind == REQUEST_RELEASE)
		asked_dropped(g);
	if (req->kind != REQUEST_CONFIRM && (g->gather.active || (g->req_open && req->kind != REQUEST_CHECK))) {
		refuse(g, req, "another request is being worked on", "wait for it to end: nasctl status");
		return;
	}
	if (req->kind == REQUEST_CONFIRM) {
		takeover_confirm(g, now, req);
		return;
	}
	if (req->kind == REQUEST_CHECK) {
		gather(g, now, req);
		return;
	}
	if (req->kind == REQUEST_ASKED) {
		asked_begin(g, now, req);
		return;
	}
	if (req->kind == REQUEST_RELEASE) {
		release_begin(g, now, req);
		return;
	}
	if (req->kind == REQUEST_TAKEOVER && req->target == g->cfg.self) {
		claim_begin(g, now, req);
		return;
	}
	if (req->kind == REQUEST_SWITCHOVER && req->target == g->j.owner && g->j.epoch) {
		if (g->state == GS_ACTIVE || (g->peer_hello && g->peer.active))
			request_reply(g, req, true, NULL, "it is active there already", false);
		else if (req->target != g->cfg.self && !g->peer_up)
			refuse(g, req, "that node owns the group, and its nasd is not connected",
			       "check nasd there and the network between the nodes");
		else
			refuse(g, req, "that node owns the group but does not serve it yet",
			       "see 'nasctl status' there");
		return;
	}
	if ((req->hold_us || req->by_trigger) && g->j.owner == group_peer_index(g)) {
		refuse(g, req, req->hold_us ? "only the node that serves the group can hold its move" :
					      "a trigger asks the node that serves the group",
		       "ask there: 'nasctl status' names it");
		return;
	}
	if (req->by_trigger && g->moved_at && now - g->moved_at < g->cfg.hold_down_us) {
		refuse(g, req, "the group was moved here a moment ago, and `hold-down' is not over",
		       "ask again later; an operator may move it at any time: nasctl switchover");
		return;
	}
	if (req->kind == REQUEST_SWITCHOVER && g->j.owner == g->cfg.self) {
		gather(g, now, req);
		return;
	}
	if (req->remote)
		refuse(g, req, "this node does not own the group", "see 'nasctl status' on both nodes");
	else if (req->kind == REQUEST_SWITCHOVER && g->j.owner == NODE_NONE)
		refuse(g, req, "nobody serves the group, so there is nothing to move", "nasctl takeover NODE");
	else if (!g->peer_up)
		refuse(g, req, "the other node must do this, and its nasd is not connected",
		       "start nasd there and check the link addresses and the secret");
	else
		request_forward(g, now, req);
}
