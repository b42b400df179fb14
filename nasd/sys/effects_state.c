/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GATE, and the clients' state on its way: dumped behind a closed gate here,
 * handed over by the engine, loaded by EXPORT there. What is dumped stays true
 * for as long as the gate does not open, which it does only by our word, or when
 * nasd has been silent for longer than a freeze may last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "effects_int.h"
#include "log.h"

enum {
	COPY_FROM = 65536,       /* bytes: less is dumped and sent in the freeze as fast */
	DRAIN_US = 100000,       /* for what runs: a slow disk */
	REOPEN_MORE_US = 1000000, /* beyond the freeze's limit, after which nothing is committed */
};

/* ---- with the engine */

void effects_expect(struct effects *fx, const char *why_not)
{
	pthread_mutex_lock(&fx->data_lock);
	snprintf(fx->why_not, sizeof(fx->why_not), "%s", why_not ? why_not : "");
	pthread_mutex_unlock(&fx->data_lock);
}

void effects_since(struct effects *fx, uint64_t base)
{
	pthread_mutex_lock(&fx->data_lock);
	fx->since = base;
	pthread_mutex_unlock(&fx->data_lock);
}

char *effects_take_dump(struct effects *fx, size_t *len, uint64_t *base)
{
	char *text;

	pthread_mutex_lock(&fx->data_lock);
	text = fx->dump;
	*len = fx->dump_len;
	*base = fx->dump_base;
	fx->dump = NULL;
	pthread_mutex_unlock(&fx->data_lock);
	return text;
}

void effects_give_state(struct effects *fx, char *text, size_t len, bool own)
{
	char *old;

	pthread_mutex_lock(&fx->data_lock);
	old = fx->state;
	fx->state = text;
	fx->state_len = len;
	fx->state_own = own;
	pthread_mutex_unlock(&fx->data_lock);
	free(old);
}

bool effects_server_runs(struct effects *fx)
{
	struct ganesha_state st;

	ganesha_state(fx->ganesha, &st);
	return st.pid != 0;
}

int effects_release_client(struct effects *fx, const char *address, int64_t *clients, struct err *e)
{
	return ganesha_module_release_client(fx->ganesha, address, clients, e);
}

int effects_records(struct effects *fx, struct fsal_client *c, struct err *e)
{
	return ganesha_module_records(fx->ganesha, c, e);
}

/* ---- with the other effects */

char *state_take(struct effects *fx, struct ganesha_load *load)
{
	char *text;
	bool stale;

	*load = (struct ganesha_load){ 0 };
	pthread_mutex_lock(&fx->data_lock);
	text = fx->state;
	load->len = fx->state_len;
	stale = fx->state_own && !fx->sealed;
	fx->state = NULL;
	fx->sealed = false;
	pthread_mutex_unlock(&fx->data_lock);
	if (stale) {
		free(text);
		text = NULL;
	}
	load->text = text;
	return text;
}

void state_seal(struct effects *fx)
{
	pthread_mutex_lock(&fx->data_lock);
	fx->sealed = fx->gated_until > monotonic_us();
	fx->gated_until = 0;
	pthread_mutex_unlock(&fx->data_lock);
}

/* Behind a gate that stays closed. */
bool state_releasable(struct effects *fx, int64_t *opens)
{
	bool yes;

	pthread_mutex_lock(&fx->data_lock);
	yes = fx->gated_until > monotonic_us();
	*opens = fx->gated_opens;
	pthread_mutex_unlock(&fx->data_lock);
	return yes;
}

bool state_gated(struct effects *fx)
{
	struct ganesha_module m;

	ganesha_module_look(fx->ganesha, &m);
	return !m.gate_open;
}

enum outcome state_thaw(struct effects *fx, struct word *w)
{
	pthread_mutex_lock(&fx->data_lock);
	fx->gated_until = 0;
	pthread_mutex_unlock(&fx->data_lock);
	return ganesha_thaw(fx->ganesha, w->err) == 0 ? OUTCOME_DONE : OUTCOME_FAILED;
}

/* ---- PRESYNC: a copy ahead */

static void keep_dump(struct effects *fx, struct ganesha_dump *d, int64_t until)
{
	char *old;

	pthread_mutex_lock(&fx->data_lock);
	old = fx->dump;
	fx->dump = d->text;
	fx->dump_len = d->len;
	fx->dump_base = d->since;
	fx->gated_until = d->text ? until : 0;
	fx->gated_opens = d->opens;
	fx->sealed = false;
	pthread_mutex_unlock(&fx->data_lock);
	free(old);
}

/* Why there is none needs no word: GATE says what comes of it. */
void state_copy_ahead(struct effects *fx)
{
	struct ganesha_dump none = { 0 };
	struct err why = { 0 };
	uint64_t base = 0;
	char *text = NULL;
	size_t len = 0;
	bool moves;
	int ret;

	keep_dump(fx, &none, 0);
	pthread_mutex_lock(&fx->data_lock);
	moves = fx->last_module.moves && !fx->why_not[0];
	pthread_mutex_unlock(&fx->data_lock);
	if (!moves)
		return;
	/* what takes the module long is no silence of it: nobody asks it meanwhile */
	pthread_mutex_lock(&fx->server_lock);
	ret = ganesha_precopy(fx->ganesha, &text, &len, &base, &why);
	pthread_mutex_unlock(&fx->server_lock);
	if (ret < 0 || len < COPY_FROM) {
		if (why.msg[0])
			log_info("%s: the clients' state is not copied ahead: %s", fx->group->name, why.msg);
		free(text);
		return;
	}
	pthread_mutex_lock(&fx->data_lock);
	fx->dump = text;
	fx->dump_len = len;
	fx->dump_base = base;
	pthread_mutex_unlock(&fx->data_lock);
}

/* ---- GATE */

enum outcome gate_verify(struct effects *fx, struct word *w)
{
	(void)fx;
	SAY(w, "clients will reclaim");
	return OUTCOME_DONE;
}

static enum outcome skip(struct word *w, const char *why)
{
	SAY(w, "skipped, clients will reclaim: %.150s", why);
	return OUTCOME_DONE;
}

/* Nothing that goes wrong here is a reason not to move: the clients can reclaim. */
enum outcome gate_run(struct effects *fx, struct word *w)
{
	int64_t reopen = (int64_t)fx->group->limits.freeze_us + REOPEN_MORE_US, until;
	struct ganesha_dump d = { 0 };
	struct ganesha_module m;
	struct err why = { 0 };
	char peer[FSAL_TEXT_MAX];
	uint64_t since;

	pthread_mutex_lock(&fx->data_lock);
	m = fx->last_module;
	memcpy(peer, fx->why_not, sizeof(peer));
	since = fx->since;
	fx->since = 0;
	pthread_mutex_unlock(&fx->data_lock);
	keep_dump(fx, &d, 0);
	if (!m.moves || peer[0])
		return skip(w, m.moves ? peer : m.reason[0] ? m.reason : "it is not known whether the state could move");
	until = monotonic_us() + reopen;
	if (ganesha_gate(fx->ganesha, reopen, DRAIN_US, since, &d, &why) < 0) {
		char text[ERR_MSG_MAX + ERR_WHERE_MAX + ERR_REMEDY_MAX];

		return skip(w, err_format(&why, text, sizeof(text)));
	}
	keep_dump(fx, &d, until);
	SAY(w, "%lld client%s, %lld opens, %lld locks in %zu bytes%s; gate %.1f, drain %.1f (%lld held), dump %.1f ms",
	    (long long)d.clients, d.clients == 1 ? "" : "s", (long long)d.opens, (long long)d.locks, d.len,
	    d.since ? " of changes" : "",
	    (double)d.gate_us / 1e3, (double)d.drain_us / 1e3, (long long)d.held, (double)d.dump_us / 1e3);
	return OUTCOME_DONE;
}
