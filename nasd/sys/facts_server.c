/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this node sees of its server, and whether it answers. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "clocks.h"
#include "effects_int.h"
#include "nfs_ping.h"

enum {
	ASK_US = 200000, /* one D-Bus call; a step may be waiting for the lock */
	PING_US = 1000000,
	PING_EVERY_US = 1000000,
};

static void say_error(struct facts *out, const char *text)
{
	if (!out->server_error[0])
		snprintf(out->server_error, sizeof(out->server_error), "%.159s", text);
}

/* Asks a serving server; the lock is held. */
static bool ask_server(struct effects *fx, struct facts *out)
{
	struct err e = { 0 };
	unsigned exports = 0;
	bool grace = false;

	if (ganesha_exports_present(fx->ganesha, &exports, ASK_US, &e) != OUTCOME_DONE ||
	    ganesha_grace_active(fx->ganesha, &grace, ASK_US, &e) != OUTCOME_DONE) {
		say_error(out, e.msg);
		return false;
	}
	pthread_mutex_lock(&fx->data_lock);
	fx->last_exports = exports;
	fx->last_grace = grace;
	pthread_mutex_unlock(&fx->data_lock);
	return true;
}

/* The module in a server that is warm or serving; the lock is held. */
static bool ask_module(struct effects *fx)
{
	struct ganesha_module m;

	ganesha_module_look(fx->ganesha, &m);
	ganesha_settle_records(fx->ganesha, &m);
	pthread_mutex_lock(&fx->data_lock);
	fx->last_module = m;
	pthread_mutex_unlock(&fx->data_lock);
	return m.answered;
}

/* Where the server listens and clients come; NULL: nowhere now. */
static const struct net_addr *own_address(const struct effects *fx, const struct facts *f)
{
	const struct conf_ip *bind = &fx->group->nfs.bind;

	for (size_t i = 0; i < fx->n_addrs && i < f->n_addresses; i++) {
		const struct net_addr *a = &fx->addrs[i];
		size_t len = a->family == AF_INET ? 4 : 16;

		if (f->addresses[i].present &&
		    (!bind->family || (bind->family == a->family && !memcmp(bind->bytes, a->ip, len))))
			return a;
	}
	return NULL;
}

/* inside: it has answered otherwise; only then is the NULL call alone. */
static void ping(struct effects *fx, const struct ganesha_state *st, bool inside, struct facts *out)
{
	const struct net_addr *at = own_address(fx, out);
	int64_t began = monotonic_us();
	struct err e = { 0 };
	bool answered;

	if (!at || state_gated(fx)) { /* it is as it should be then */
		silence_forget(&fx->silence_nfs);
		silence_forget(&fx->silence_any);
		return;
	}
	if (began - fx->silence_nfs.last_us >= PING_EVERY_US || fx->silence_nfs.tenure != st->tenure) {
		answered = nfs_ping(at, fx->group->nfs.port, PING_US, &e) == 0;
		silence_note(&fx->silence_nfs, st->tenure, began, monotonic_us(), PING_US, answered);
		silence_note(&fx->silence_any, st->tenure, began, monotonic_us(), PING_US, answered || inside);
	}
	out->server_answers = fx->silence_nfs.tenure && !fx->silence_nfs.since_us;
	out->server_unanswered_ms = silence_us(&fx->silence_nfs) / 1000;
	out->server_silent_ms = silence_us(&fx->silence_any) / 1000;
	if (e.msg[0])
		say_error(out, e.msg);
}

void facts_server(struct effects *fx, struct facts *out)
{
	struct ganesha_state st;
	bool inside = true;

	ganesha_state(fx->ganesha, &st);
	out->server = st.state;
	out->server_pid = st.pid;
	out->exports_wanted = (unsigned)fx->group->n_exports;
	say_error(out, st.reason);
	if (st.state != SERVER_SERVING && st.state != SERVER_WARM) {
		snprintf(out->state_reason, sizeof(out->state_reason), "ganesha is %s", server_state_name(st.state));
		return;
	}
	/* While a step uses the server, what was last seen must do. */
	if (pthread_mutex_trylock(&fx->server_lock) == 0) {
		inside = st.state != SERVER_SERVING || ask_server(fx, out);
		inside |= ask_module(fx);
		pthread_mutex_unlock(&fx->server_lock);
	}
	if (st.state == SERVER_SERVING)
		ping(fx, &st, inside, out);
	pthread_mutex_lock(&fx->data_lock);
	out->exports_present = st.state == SERVER_SERVING ? fx->last_exports : 0;
	out->in_grace = st.state == SERVER_SERVING && fx->last_grace;
	out->state_moves = fx->last_module.moves;
	snprintf(out->state_reason, sizeof(out->state_reason), "%s", fx->last_module.reason);
	pthread_mutex_unlock(&fx->data_lock);
}
