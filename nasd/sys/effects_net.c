/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "announce.h"
#include "answered.h"
#include "cleanup.h"
#include "clocks.h"
#include "effects_int.h"
#include "flows.h"
#include "sockdiag.h"
#include "tickle.h"

enum {
	REMEMBERED_US = 2000000,
	TICKLED_AT_ONCE = 32, /* a thousand that connect at once keep each other waiting, and us */
	CONFIRM_US = 1000000,
	CONFIRM_PAUSE_US = 6000, /* a look takes of the processor that the clients wait for, */
	CONFIRM_PER_US = 50,     /* and the more with each client */
	ANSWERED_MAX = 256,
};

int addresses_present(struct effects *fx, size_t *n, struct err *e)
{
	bool present[CONF_ADDRESSES_MAX];
	int r = net_addr_present_all(fx->addrs, fx->n_addrs, present, e);

	*n = 0;
	for (size_t i = 0; r == 0 && i < fx->n_addrs; i++)
		*n += present[i];
	return r;
}

/* ---- who was connected */

/* Remembers the established connections; a failure costs tickles only. */
static void remember_connections(struct effects *fx, size_t present)
{
	struct net_conn *conns = NULL;
	struct net_flow *flows;
	char path[512];
	size_t n = 0;

	if (net_conn_list(fx->addrs, fx->n_addrs, fx->group->nfs.port, &conns, &n, NULL) < 0)
		return;
	flows = calloc(n + 1, sizeof(*flows));
	if (!flows) {
		net_conn_free(conns);
		return;
	}
	for (size_t i = 0; i < n; i++)
		flows[i] = conns[i].flow;
	net_conn_free(conns);
	/* For a nasd that is started again before it could put them back. */
	snprintf(path, sizeof(path), "%s/%s/connections", fx->run_dir, fx->group->name);
	flows_save(path, flows, n, NULL);
	pthread_mutex_lock(&fx->data_lock);
	free(fx->cut.at);
	fx->cut.at = flows;
	fx->cut.n = n;
	fx->cut_present = present;
	fx->cut_at = monotonic_us();
	pthread_mutex_unlock(&fx->data_lock);
}

int effects_remember(struct effects *fx, struct err *e)
{
	size_t present;
	int ret = addresses_present(fx, &present, e);

	if (ret == 0 && present > 0)
		remember_connections(fx, present);
	return ret;
}

/* What ADDRESS_DEL has to know, without asking when it was asked just before. */
static int recall(struct effects *fx, size_t *present, size_t *connections, struct err *e)
{
	int64_t age;
	int ret = 0;

	pthread_mutex_lock(&fx->data_lock);
	age = fx->cut_at ? monotonic_us() - fx->cut_at : INT64_MAX;
	pthread_mutex_unlock(&fx->data_lock);
	*present = 0;
	if (age > REMEMBERED_US) {
		ret = addresses_present(fx, present, e);
		if (ret == 0 && *present > 0)
			remember_connections(fx, *present);
	}
	pthread_mutex_lock(&fx->data_lock);
	if (age <= REMEMBERED_US)
		*present = fx->cut_present;
	*connections = *present > 0 ? fx->cut.n : 0;
	fx->cut_at = 0;
	/* What was handed in before this node became the active one is history. */
	if (*present > 0)
		fx->have_clients = false;
	pthread_mutex_unlock(&fx->data_lock);
	return ret;
}

/* Sorted, and each once: what is left of n. */
static size_t each_once(struct net_flow *flows, size_t n)
{
	size_t kept = 0;

	qsort(flows, n, sizeof(*flows), flow_compare);
	for (size_t i = 0; i < n; i++)
		if (!kept || flow_compare(&flows[kept - 1], &flows[i]))
			flows[kept++] = flows[i];
	return kept;
}

/* Whom we know: the handed-in connections, or those that we cut off ourselves.
 * The caller frees it; NULL when memory is out. */
static struct net_flow *known_flows(struct effects *fx, size_t *n)
{
	struct net_flow *flows;
	size_t k = 0;

	pthread_mutex_lock(&fx->data_lock);
	flows = calloc(fx->cut.n + fx->clients.n + 1, sizeof(*flows));
	for (size_t i = 0; flows && fx->have_clients && i < fx->clients.n; i++)
		k += fx->clients.entries[i]->kind == CLIENT_CONNECTION &&
		     flow_parse(fx->clients.entries[i]->text, &flows[k]);
	for (size_t i = 0; flows && !fx->have_clients && i < fx->cut.n; i++)
		flows[k++] = fx->cut.at[i];
	pthread_mutex_unlock(&fx->data_lock);
	*n = flows ? each_once(flows, k) : 0;
	return flows;
}

/* ---- ADDRESS_DEL, ADDRESS_ADD */

enum outcome address_del_run(struct effects *fx, struct word *w)
{
	size_t present, connections;

	fx->added_at = 0;
	if (recall(fx, &present, &connections, w->err) < 0)
		return OUTCOME_UNKNOWN;
	/* Also those that are not there: another prefix, a rule against its use. */
	if (net_addr_del_all(fx->addrs, fx->n_addrs, w->err) < 0)
		return OUTCOME_UNKNOWN;
	if (present == 0)
		SAY(w, "already: no floating address here");
	else
		SAY(w, "%zu address%s, %zu connection%s cut off", present, present == 1 ? "" : "es",
		    connections, connections == 1 ? "" : "s");
	return OUTCOME_DONE;
}

enum outcome address_del_verify(struct effects *fx, struct word *w)
{
	size_t present;

	if (addresses_present(fx, &present, w->err) < 0)
		return OUTCOME_UNKNOWN;
	if (present > 0)
		return refuse(w, "addresses", "", "%zu of %zu are present here", present, fx->n_addrs);
	SAY(w, "no floating address here");
	return OUTCOME_DONE;
}

enum outcome address_add_run(struct effects *fx, struct word *w)
{
	char text[EFFECTS_DETAIL_MAX] = "";
	struct err why = { 0 };
	struct word look = { text, &why };
	int r;

	/* An address without the export behind it gives the clients ESTALE, which
	 * a guest never gets over. */
	if (exports_served(fx, &look) != OUTCOME_DONE)
		return refuse(w, "addresses", "export first", "not all exports are served: %.200s", why.msg);
	r = net_addr_add_all(fx->addrs, fx->n_addrs, w->err);
	if (r < 0)
		return r == -ENODEV || r == -EEXIST ? OUTCOME_FAILED : outcome_of_error(w->err);
	fx->added_at = monotonic_us();
	SAY(w, "%zu address%s", fx->n_addrs, fx->n_addrs == 1 ? "" : "es");
	return OUTCOME_DONE;
}

enum outcome address_add_verify(struct effects *fx, struct word *w)
{
	size_t present;

	if (addresses_present(fx, &present, w->err) < 0)
		return OUTCOME_UNKNOWN;
	if (present < fx->n_addrs)
		return refuse(w, "addresses", "", "%zu of %zu are present here", present, fx->n_addrs);
	SAY(w, "%zu present", present);
	return OUTCOME_DONE;
}

/* ---- ANNOUNCE */

int effects_announce_again(struct effects *fx, struct err *e)
{
	struct net_addr here[CONF_ADDRESSES_MAX];
	bool present[CONF_ADDRESSES_MAX];
	size_t n = 0, sent;
	int ret = net_addr_present_all(fx->addrs, fx->n_addrs, present, e);

	for (size_t i = 0; ret == 0 && i < fx->n_addrs; i++)
		if (present[i])
			here[n++] = fx->addrs[i];
	return ret == 0 ? net_announce_all(here, n, &sent, e) : ret;
}

/* Nothing is asked of what has just been done. */
static int all_present(struct effects *fx, size_t *n, struct err *e)
{
	*n = fx->n_addrs;
	return monotonic_us() - fx->added_at < REMEMBERED_US && fx->added_at ? 0 : addresses_present(fx, n, e);
}

enum outcome announce_run(struct effects *fx, struct word *w)
{
	AUTO_FREE struct net_flow *flows = NULL;
	size_t here, announced = 0, tickled = 0, n;
	int r = all_present(fx, &here, w->err);

	fx->added_at = 0;
	if (r == 0 && here == fx->n_addrs)
		r = net_announce_all(fx->addrs, fx->n_addrs, &announced, w->err);
	/* A tickle reaches its client whatever became of the announcement. */
	flows = known_flows(fx, &n);
	if (flows && n > 0)
		net_tickle_send(flows, n < TICKLED_AT_ONCE ? n : TICKLED_AT_ONCE, &tickled, NULL);
	if (r < 0)
		return OUTCOME_FAILED;
	if (here < fx->n_addrs)
		return refuse(w, "addresses", "add them first", "%zu of %zu are present here", here, fx->n_addrs);
	SAY(w, "%zu address%s announced, %zu of %zu clients tickled", announced,
	    announced == 1 ? "" : "es", tickled, n);
	return OUTCOME_DONE;
}

enum outcome announce_verify(struct effects *fx, struct word *w)
{
	(void)fx;
	return refuse(w, "announcement", "", "leaves no trace: announce again");
}

/* ---- CONFIRM */

static size_t known_among(const struct net_flow *seen, size_t n_seen, const struct net_flow *known,
			  size_t n_known)
{
	size_t n = 0;

	for (size_t i = 0; i < n_known; i++)
		for (size_t j = 0; j < n_seen; j++)
			if (known[i].family == seen[j].family &&
			    memcmp(known[i].remote, seen[j].remote, sizeof(seen[j].remote)) == 0) {
				n++;
				break;
			}
	return n;
}

static int look_for_answers(struct effects *fx, const struct net_flow *known, size_t n_known,
			    size_t *answered, size_t *back, struct err *e)
{
	AUTO_FREE struct net_flow *seen = calloc(ANSWERED_MAX, sizeof(*seen));
	size_t n = 0;
	int r;

	*answered = *back = 0;
	if (!seen)
		return err_set(e, ERR_SYSTEM, ENOMEM, "clients", "out of memory");
	r = answered_list(fx->addrs, fx->n_addrs, fx->group->nfs.port, seen, ANSWERED_MAX, &n, e);
	*answered = n;
	*back = known_among(seen, n < ANSWERED_MAX ? n : ANSWERED_MAX, known, n_known);
	return r;
}

/* Those whom ANNOUNCE has left. */
static void tickle_more(const struct net_flow *known, size_t n_known, size_t *at)
{
	size_t n = n_known - *at < TICKLED_AT_ONCE ? n_known - *at : TICKLED_AT_ONCE;

	if (n > 0)
		net_tickle_send(known + *at, n, NULL, NULL);
	*at += n;
}

enum outcome confirm_run(struct effects *fx, struct word *w)
{
	int64_t start = monotonic_us(), first = 0, look_at = start;
	AUTO_FREE struct net_flow *known = NULL;
	size_t n_known, answered = 0, back = 0, tickled = TICKLED_AT_ONCE;
	struct err why = { 0 };

	known = known_flows(fx, &n_known);
	if (!known || n_known == 0) {
		SAY(w, "no client was connected, none to wait for");
		return OUTCOME_DONE;
	}
	if (tickled > n_known)
		tickled = n_known;
	while (tickled < n_known || (!first && monotonic_us() < start + CONFIRM_US)) {
		tickle_more(known, n_known, &tickled);
		usleep(CONFIRM_PAUSE_US);
		if (first || monotonic_us() < look_at)
			continue;
		look_for_answers(fx, known, n_known, &answered, &back, &why);
		first = answered > 0 ? monotonic_us() : 0;
		look_at = monotonic_us() + (int64_t)n_known * CONFIRM_PER_US;
	}
	if (first) {
		SAY(w, "first reply acknowledged after %lld ms; %zu of %zu clients back", (long long)(first - start) / 1000,
		    back, n_known);
		return OUTCOME_DONE;
	}
	SAY(w, "warning: none of %zu clients has come back within %d s%s%.100s", n_known,
	    CONFIRM_US / 1000000, why.msg[0] ? ": " : "", why.msg);
	return OUTCOME_DONE;
}

enum outcome confirm_verify(struct effects *fx, struct word *w)
{
	size_t answered, back;

	if (look_for_answers(fx, NULL, 0, &answered, &back, w->err) < 0)
		return OUTCOME_UNKNOWN;
	if (answered == 0)
		return refuse(w, "clients", "", "none has had a reply yet");
	SAY(w, "%zu client%s served", answered, answered == 1 ? "" : "s");
	return OUTCOME_DONE;
}
