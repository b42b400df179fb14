/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clients' state between GATE on the source and EXPORT on the target, or on
 * the source again when it has to go back. It never reaches a disk: a nasd that
 * is started again in between lets the clients reclaim.
 *
 * A state is good for one epoch: the target's for that of the transaction, under
 * which it becomes the owner; the source's own for the one it owns already, until
 * the commitment takes that away. Whether the target believes to have it and the
 * source does not know does no harm: requests stay held until the server behind
 * the gate has ended.
 *
 * Of a large state the opens and locks go ahead, at the end of PRESYNC; what GATE
 * sends are the changes then (wire/state_text.h). A copy that did not get there
 * makes GATE send all of it.
 */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "log.h"

enum {
	ACK_US = 500000,
	ACK_AHEAD_US = 5000000,  /* nobody waits for a copy that is sent ahead */
	CHANGES_ROOM = 1 << 20,  /* they are smaller; else it takes a little longer */
	ACK_PER_KIB_US = 300,
	PIECES_PER_TURN = 32,    /* of the loop, which has other things to do as well */
	QUEUED_MAX = 512 * 1024, /* the link takes more, but not without end */
	QUEUED_WAIT_US = 1000,
	AT_ONCE_MAX = 64 * 1024, /* one turn */
};

/* ---- what is kept */

static void drop_state(struct egroup *g)
{
	free(g->state.text);
	memset(&g->state, 0, sizeof(g->state));
}

static void drop_coming(struct egroup *g)
{
	free(g->coming.text);
	memset(&g->coming, 0, sizeof(g->coming));
}

static void drop_copy(struct egroup *g)
{
	free(g->copy.text);
	memset(&g->copy, 0, sizeof(g->copy));
	free(g->merged.text);
	memset(&g->merged, 0, sizeof(g->merged));
}

/* Makes g->state the whole, when it is the changes since what was sent ahead. */
static int complete(struct egroup *g, struct err *err)
{
	uint64_t base;
	int ret;

	if (!g->state.text || state_text_kind(g->state.text, &base) != STATE_TEXT_CHANGES)
		return 0;
	if (!g->copy.text || base != g->copy.base)
		return err_set(err, ERR_REFUSED, ENOENT, "the clients' state", "the copy that was sent ahead is not here");
	ret = state_text_merge(g->copy.text, g->state.text, &g->merged, err);
	if (ret < 0)
		return ret;
	free(g->state.text);
	g->state.text = g->merged.text;
	g->state.len = g->merged.len;
	memset(&g->merged, 0, sizeof(g->merged));
	return 0;
}

void egroup_state_before(struct egroup *g, enum step_id step)
{
	struct group_view v;
	struct err why = { 0 };

	group_look(g->core, &v);
	if (step == STEP_PRESYNC)
		drop_copy(g);
	if (step == STEP_GATE || step == STEP_PRESYNC) {
		drop_state(g);
		effects_since(g->fx, g->copy.there && g->copy.epoch == v.txn_epoch ? g->copy.base : 0);
		effects_expect(g->fx, !v.peer ? "nothing is known of the target" :
				      v.peer->state_moves ? "" :
				      v.peer->state_reason[0] ? v.peer->state_reason : "the target cannot take the state");
	} else if (step == STEP_EXPORT) {
		bool good = g->state.text && g->state.epoch == v.epoch && complete(g, &why) == 0;

		if (why.cls != ERR_NONE)
			log_warn("%s: %s", g->conf->name, why.msg);

		effects_give_state(g->fx, good ? g->state.text : NULL, g->state.len, g->state.own);
		if (good)
			g->state.text = NULL;
		drop_state(g);
		drop_coming(g);
		drop_copy(g);
	}
}

/* ---- the source */

/* As much as goes in one turn of the loop. */
static int send_some(struct egroup *g)
{
	struct peer_msg m = { .type = MSG_STATE, .epoch = g->sending_epoch };
	int ret = 0;

	snprintf(m.group, sizeof(m.group), "%s", g->conf->name);
	m.u.state.total = g->sending_len;
	for (int i = 0; i < PIECES_PER_TURN && ret == 0 && g->sent_len < g->sending_len; i++) {
		size_t n = g->sending_len - g->sent_len;

		if (peer_link_queued(g->e->link) > QUEUED_MAX)
			break;
		n = n < STATE_PIECE_MAX ? n : STATE_PIECE_MAX - 1;
		m.u.state.offset = g->sent_len;
		memcpy(m.u.state.text, g->sending + g->sent_len, n);
		m.u.state.text[n] = '\0';
		ret = peer_link_send(g->e->link, &m);
		g->sent_len += n;
	}
	return ret;
}

static void copy_ends(struct egroup *g, struct step_job *j, const char *why_not, const char *more)
{
	char text[160];

	g->copy.there = !why_not;
	if (why_not)
		snprintf(text, sizeof(text), "; no copy of the state: %.100s", why_not);
	else
		snprintf(text, sizeof(text), "; %zu KiB of state copied ahead%s", g->copy.len >> 10, more);
	egroup_gate_done(g, j, false, text);
}

/* why_not: NULL, it is there. */
static void gate_ends(struct egroup *g, const char *why_not, const char *more)
{
	struct step_job *j = g->gate_job;

	g->gate_job = NULL;
	sd_event_source_set_enabled(g->gate_timer, SD_EVENT_OFF);
	sd_event_source_set_enabled(g->send_timer, SD_EVENT_OFF);
	if (g->sending == g->copy.text)
		copy_ends(g, j, why_not, more);
	else
		egroup_gate_done(g, j, why_not != NULL, why_not ? why_not : more);
}

static int no_word(sd_event_source *s, uint64_t usec, void *data)
{
	struct egroup *g = data;

	(void)s;
	(void)usec;
	if (g->gate_job)
		gate_ends(g, "the target did not say in time that it has the state", "");
	return 0;
}

static void send_on(struct egroup *g)
{
	int ret = send_some(g);

	if (ret < 0) {
		gate_ends(g, ret == -ENOTCONN ? "the link to the target is down" : "it cannot be sent", "");
	} else if (g->sent_len < g->sending_len) {
		bool full = peer_link_queued(g->e->link) > QUEUED_MAX;

		sd_event_source_set_time_relative(g->send_timer, full ? QUEUED_WAIT_US : 0);
		sd_event_source_set_enabled(g->send_timer, SD_EVENT_ONESHOT);
	}
}

static int send_more(sd_event_source *s, uint64_t usec, void *data)
{
	struct egroup *g = data;

	(void)s;
	(void)usec;
	if (g->gate_job)
		send_on(g);
	return 0;
}

/* With the line that says what it is; takes text. NULL: no memory. */
static char *with_head(char *text, size_t *len, enum state_text_kind kind, uint64_t base)
{
	char head[STATE_TEXT_HEAD_MAX], *whole;
	size_t n = state_text_head(kind, base, head);

	if (!n)
		return text;
	whole = malloc(n + *len + 1);
	if (whole) {
		memcpy(whole, head, n);
		memcpy(whole + n, text, *len + 1);
		*len += n;
	}
	free(text);
	return whole;
}

/* The target has it before it hears of the commitment, which comes by the same link:
 * its word is not waited for, and says only what it will do. */
static bool sent_at_once(struct egroup *g)
{
	int ret;

	if (g->sending == g->copy.text || g->sending_len > AT_ONCE_MAX || peer_link_queued(g->e->link) > 0)
		return false;
	ret = send_some(g);
	gate_ends(g, ret == -ENOTCONN ? "the link to the target is down" : ret < 0 ? "it cannot be sent" : NULL, "; sent");
	return true;
}

static void send_text(struct egroup *g, struct step_job *j, const char *text, size_t len, uint64_t patience_us)
{
	struct group_view v;

	group_look(g->core, &v);
	g->gate_job = j;
	g->handed_at = monotonic_us();
	g->sending_epoch = v.txn_epoch;
	g->sending = text;
	g->sending_len = len;
	g->sent_len = 0;
	if (sent_at_once(g))
		return;
	sd_event_source_set_time(g->gate_timer, (uint64_t)g->handed_at + patience_us + (len >> 10) * ACK_PER_KIB_US);
	sd_event_source_set_enabled(g->gate_timer, SD_EVENT_ONESHOT);
	send_on(g);
}

static bool copy_ahead(struct egroup *g, struct step_job *j)
{
	struct group_view v;
	uint64_t base;
	size_t len;
	char *text = effects_take_dump(g->fx, &len, &base);

	drop_copy(g);
	if (text)
		text = with_head(text, &len, STATE_TEXT_BASE, base);
	if (!text)
		return false;
	group_look(g->core, &v);
	g->copy.text = text;
	g->copy.len = len;
	g->copy.base = base;
	g->copy.epoch = v.txn_epoch;
	send_text(g, j, text, len, ACK_AHEAD_US);
	return true;
}

bool egroup_state_hand_over(struct egroup *g, enum step_id step, struct step_job *j)
{
	struct group_view v;
	uint64_t base;
	size_t len;
	char *text;

	if (step == STEP_PRESYNC)
		return copy_ahead(g, j);
	text = effects_take_dump(g->fx, &len, &base);
	drop_state(g);
	if (text && base)
		text = with_head(text, &len, STATE_TEXT_CHANGES, base);
	if (!text)
		return false;
	group_look(g->core, &v);
	g->state.text = text;
	g->state.len = len;
	g->state.epoch = v.epoch;
	g->state.own = true;
	send_text(g, j, text, len, ACK_US);
	return true;
}

void egroup_state_ack(struct egroup *g, const struct peer_msg *m)
{
	struct group_view v;
	char text[80];

	group_look(g->core, &v);
	if (!g->gate_job && !m->u.answer.ok && m->epoch == g->sending_epoch)
		log_warn("%s: the target has not taken the clients' state, they will reclaim: %s", g->conf->name,
			 m->u.answer.err.msg);
	if (!g->gate_job || m->epoch != v.txn_epoch)
		return;
	snprintf(text, sizeof(text), "; handed over %.1f ms", (double)(monotonic_us() - g->handed_at) / 1e3);
	gate_ends(g, m->u.answer.ok ? NULL : m->u.answer.err.msg, text);
}

void egroup_state_peer_down(struct egroup *g)
{
	if (g->gate_job)
		gate_ends(g, "the link to the target was lost", "");
	drop_coming(g);
}

/* ---- the target */

static void answer(struct egroup *g, uint64_t epoch, const char *why_not)
{
	struct peer_msg m = { .type = MSG_STATE_ACK, .epoch = epoch };

	snprintf(m.group, sizeof(m.group), "%s", g->conf->name);
	m.u.answer.ok = !why_not;
	m.u.answer.target = g->e->spec.self;
	if (why_not)
		err_set(&m.u.answer.err, ERR_REFUSED, EPERM, "state", "%s", why_not);
	peer_link_send(g->e->link, &m);
}

static bool begin(struct egroup *g, const struct peer_msg *m)
{
	drop_coming(g);
	drop_state(g);
	g->coming.text = malloc((size_t)m->u.state.total + 1);
	if (!g->coming.text)
		return false;
	g->coming.total = (size_t)m->u.state.total;
	g->coming.epoch = m->epoch;
	return true;
}

/* Room for the whole, touched now: a page's first use costs the most. */
static void take_copy(struct egroup *g, uint64_t epoch, uint64_t base)
{
	drop_copy(g);
	g->copy.text = g->coming.text;
	g->copy.len = g->coming.len;
	g->copy.epoch = epoch;
	g->copy.base = base;
	g->merged.text = malloc(g->copy.len + CHANGES_ROOM);
	if (g->merged.text) {
		g->merged.room = g->copy.len + CHANGES_ROOM;
		memset(g->merged.text, 0, g->merged.room);
	}
}

static void all_came(struct egroup *g, uint64_t epoch)
{
	struct err why = { 0 };
	uint64_t base;
	int ret = 0;

	if (state_text_kind(g->coming.text, &base) == STATE_TEXT_BASE) {
		take_copy(g, epoch, base);
	} else {
		g->state.text = g->coming.text;
		g->state.len = g->coming.len;
		g->state.epoch = epoch;
		g->state.own = false;
	}
	g->coming.text = NULL;
	drop_coming(g);
	if (g->state.text)
		ret = complete(g, &why);
	if (ret < 0)
		drop_state(g);
	answer(g, epoch, ret < 0 ? why.msg : NULL);
}

/* The codec has seen to it that the piece is within its total. */
void egroup_state_message(struct egroup *g, const struct peer_msg *m)
{
	const struct msg_state *s = &m->u.state;
	size_t n = strlen(s->text);
	struct group_view v;

	group_look(g->core, &v);
	if (v.state != GS_PREPARED || m->epoch != v.txn_epoch) {
		answer(g, m->epoch, "the target knows of no such transaction");
		return;
	}
	if (s->offset == 0 && !begin(g, m)) {
		answer(g, m->epoch, "the target has no memory for the state");
		return;
	}
	if (!g->coming.text || g->coming.epoch != m->epoch || g->coming.total != s->total || g->coming.len != s->offset) {
		drop_coming(g);
		answer(g, m->epoch, "pieces of the state are missing");
		return;
	}
	memcpy(g->coming.text + g->coming.len, s->text, n);
	g->coming.len += n;
	if (g->coming.len < g->coming.total)
		return;
	g->coming.text[g->coming.len] = '\0';
	all_came(g, m->epoch);
}

/* ---- both */

int egroup_state_open(struct egroup *g, struct err *err)
{
	int ret = sd_event_add_time(g->e->event, &g->gate_timer, CLOCK_MONOTONIC, 0, 1000, no_word, g);

	if (ret >= 0)
		ret = sd_event_add_time(g->e->event, &g->send_timer, CLOCK_MONOTONIC, 0, 1, send_more, g);
	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, g->conf->name, "timer");
	sd_event_source_set_enabled(g->gate_timer, SD_EVENT_OFF);
	sd_event_source_set_enabled(g->send_timer, SD_EVENT_OFF);
	return 0;
}

void egroup_state_close(struct egroup *g)
{
	sd_event_source_unref(g->gate_timer);
	sd_event_source_unref(g->send_timer);
	free(g->gate_job);
	drop_coming(g);
	drop_state(g);
	drop_copy(g);
}
