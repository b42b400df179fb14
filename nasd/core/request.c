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

enum { GATHER_TIMEOUT_US = 4000000 };

void request_reply(struct group_core *g, const struct group_request *req, bool ok, const struct err *e,
		   const char *note, bool log)
{
	struct action *a;
	size_t before;

	if (req->remote) {
		before = g->q_len;
		group_send_err(g, MSG_REPLY, g->j.epoch, ok ? NULL : e);
		if (g->q_len > before)
			g->queue[g->q_len - 1].u.msg.u.answer.request = req->id;
		return;
	}
	a = group_push(g, ACT_REPLY);
	if (!a)
		return;
	a->u.reply.id = req->id;
	a->u.reply.ok = ok;
	a->u.reply.log = log;
	snprintf(a->u.reply.note, sizeof(a->u.reply.note), "%s", note);
	if (!ok && e)
		a->u.reply.err = *e;
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
		.busy = busy_text(g, busy, sizeof(busy)),
		.expected_uuid = g->cfg.fs_uuid,
		.facts = { &g->facts[0], &g->facts[1] },
	};

	in.source_active = in.source == g->cfg.self ? g->state == GS_ACTIVE : g->peer_hello && g->peer.active;
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
	if (ret == 0 && req.kind == REQUEST_SWITCHOVER) {
		source_begin(g, now, &req);
		return;
	}
	request_reply(g, &req, ret == 0, ret ? &e : NULL, "", false);
	if (req.remote || !g->q_len)
		return;
	a = &g->queue[g->q_len - 1];
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

void request_tick(struct group_core *g, int64_t now)
{
	if (!g->gather.active || now < g->gather.deadline)
		return;
	for (int i = 0; i < 2; i++)
		if (!g->gather.got[i])
			g->facts[i].valid = false;
	finish_gather(g, now);
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

static void forward(struct group_core *g, const struct group_request *req)
{
	size_t before = g->q_len;

	g->req = *req;
	g->req_open = true;
	g->forwarded = true;
	group_send(g, MSG_REQUEST, g->j.epoch);
	if (g->q_len > before) {
		g->queue[g->q_len - 1].u.msg.u.answer.request = req->id;
		g->queue[g->q_len - 1].u.msg.u.answer.target = req->target;
	}
}

static void refuse(struct group_core *g, const struct group_request *req, const char *msg, const char *remedy)
{
	struct err e;

	err_set(&e, ERR_REFUSED, EBUSY, "request", "%s", msg);
	err_remedy(&e, "%s", remedy);
	request_reply(g, req, false, &e, "", false);
}

void group_request(struct group_core *g, int64_t now, const struct group_request *req)
{
	if (g->gather.active || (g->req_open && req->kind != REQUEST_CHECK)) {
		refuse(g, req, "another request is being worked on", "wait for it to end: nasctl status");
		return;
	}
	if (req->kind == REQUEST_CHECK) {
		gather(g, now, req);
		return;
	}
	if (req->kind == REQUEST_TAKEOVER && req->target == g->cfg.self) {
		claim_begin(g, now, req);
		return;
	}
	if (req->kind == REQUEST_SWITCHOVER && req->target == g->j.owner && g->j.epoch) {
		if (g->state == GS_ACTIVE || (g->peer_hello && g->peer.active))
			request_reply(g, req, true, NULL, "it is active there already", false);
		else
			refuse(g, req, "that node owns the group but does not serve it yet",
			       "see 'nasctl status' there");
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
		forward(g, req);
}
