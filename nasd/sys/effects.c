/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "effects.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "drbd_dev.h"
#include "effects_int.h"
#include "flows.h"

struct effect {
	enum step_id step;
	bool server; /* calls ganesha.h: wants server_lock */
	effect_fn run, verify;
};

static const struct effect table[] = {
	{ STEP_WARM, true, warm_run, warm_verify },
	{ STEP_PRESYNC, false, presync_run, presync_verify },
	{ STEP_GATE, true, gate_run, gate_verify },
	{ STEP_ADDRESS_DEL, false, address_del_run, address_del_verify },
	{ STEP_SERVER_STOP, true, server_stop_run, server_stop_verify },
	{ STEP_UNMOUNT, false, unmount_run, unmount_verify },
	{ STEP_DRBD_SECONDARY, false, secondary_run, secondary_verify },
	{ STEP_DRBD_PRIMARY, false, primary_run, primary_verify },
	{ STEP_MOUNT, false, mount_run, mount_verify },
	{ STEP_EXPORT, true, export_run, export_verify },
	{ STEP_ADDRESS_ADD, true, address_add_run, address_add_verify },
	{ STEP_ANNOUNCE, false, announce_run, announce_verify },
	{ STEP_CONFIRM, false, confirm_run, confirm_verify },
	{ STEP_REWARM, true, rewarm_run, rewarm_verify },
};

enum outcome outcome_of_error(const struct err *e)
{
	return e->cls == ERR_TIMEOUT ? OUTCOME_UNKNOWN : OUTCOME_FAILED;
}

enum outcome refuse(struct word *w, const char *where, const char *remedy, const char *fmt, ...)
{
	char text[ERR_MSG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(w->err, ERR_REFUSED, 0, where, "%s", text);
	err_remedy(w->err, "%s", remedy);
	return OUTCOME_FAILED;
}

/* ---- construction */

static void take_addresses(struct effects *fx)
{
	const struct conf_group *g = fx->group;

	for (size_t i = 0; i < g->n_addresses; i++) {
		struct net_addr *a = &fx->addrs[fx->n_addrs++];

		a->family = g->addresses[i].net.ip.family;
		memcpy(a->ip, g->addresses[i].net.ip.bytes, sizeof(a->ip));
		a->prefixlen = g->addresses[i].net.prefix;
		snprintf(a->ifname, sizeof(a->ifname), "%s", g->addresses[i].interface);
	}
}

static int open_parts(struct effects *fx, struct err *e)
{
	struct ganesha_env env = {
		.run_dir = fx->run_dir,
		.state_dir = fx->state_dir,
		.log_dir = fx->log_dir,
		.module_dir = fx->module_dir,
	};
	char path[512];

	if (!fx->run_dir || !fx->state_dir || !fx->log_dir)
		return err_set(e, ERR_SYSTEM, ENOMEM, fx->group->name, "out of memory");
	/* Tickles lost when this fails, nothing else. */
	snprintf(path, sizeof(path), "%s/%s/connections", fx->run_dir, fx->group->name);
	flows_load(path, &fx->cut.at, &fx->cut.n, NULL);
	return ganesha_new(fx->group, fx->self, &env, &fx->ganesha, e);
}

struct effects *effects_new(const struct conf *conf, size_t group, int self,
			    const struct effects_paths *paths, struct err *e)
{
	const struct conf_group *g = &conf->groups[group];
	struct effects *fx;

	if (group >= conf->n_groups || self < 0 || self >= CONF_NODES) {
		err_set(e, ERR_INTERNAL, EINVAL, "effects", "no such group or node");
		return NULL;
	}
	fx = calloc(1, sizeof(*fx));
	if (!fx) {
		err_set(e, ERR_SYSTEM, ENOMEM, g->name, "out of memory");
		return NULL;
	}
	fx->conf = conf;
	fx->group = g;
	fx->self = self;
	fx->state_dir = strdup(paths && paths->state_dir ? paths->state_dir : "/var/lib/nasd");
	fx->run_dir = strdup(paths && paths->run_dir ? paths->run_dir : "/run/nasd");
	fx->log_dir = strdup(paths && paths->log_dir ? paths->log_dir : "/var/log/nasd");
	fx->module_dir = paths && paths->module_dir ? strdup(paths->module_dir) : NULL;
	fx->fs = (struct filesystem){ g->drbd.device, g->fs.mount, g->fs.type, g->fs.options,
				      g->fs.uuid };
	pthread_mutex_init(&fx->server_lock, NULL);
	pthread_mutex_init(&fx->data_lock, NULL);
	take_addresses(fx);
	if (open_parts(fx, e) < 0) {
		effects_free(fx);
		return NULL;
	}
	return fx;
}

void effects_free(struct effects *fx)
{
	if (!fx)
		return;
	ganesha_free(fx->ganesha);
	client_set_free(&fx->clients);
	free(fx->cut.at);
	free(fx->dump);
	free(fx->state);
	free(fx->module_dir);
	pthread_mutex_destroy(&fx->data_lock);
	pthread_mutex_destroy(&fx->server_lock);
	free(fx->state_dir);
	free(fx->run_dir);
	free(fx->log_dir);
	free(fx);
}

int effects_set_clients(struct effects *fx, const struct client_set *set, struct err *e)
{
	struct client_set copy = { 0 }, old;
	int r = set ? client_set_copy(&copy, set) : 0;

	if (r < 0) {
		client_set_free(&copy);
		return err_set(e, ERR_SYSTEM, -r, "client records", "cannot be copied");
	}
	pthread_mutex_lock(&fx->data_lock);
	old = fx->clients;
	fx->clients = copy;
	fx->have_clients = set != NULL;
	pthread_mutex_unlock(&fx->data_lock);
	client_set_free(&old);
	return 0;
}

/* ---- running */

static const struct effect *find_effect(enum step_id step)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].step == step)
			return &table[i];
	return NULL;
}

enum outcome effects_run(struct effects *fx, enum step_id step, enum step_op op, char *detail,
			 struct err *e)
{
	const struct effect *effect = find_effect(step);
	char text[EFFECTS_DETAIL_MAX] = "";
	struct err own = { 0 };
	struct word w = { text, &own };
	enum outcome o;

	if (!effect) {
		err_set(&own, ERR_INTERNAL, EINVAL, "effects", "step %d has no effect", (int)step);
		o = OUTCOME_FAILED;
	} else {
		if (effect->server)
			pthread_mutex_lock(&fx->server_lock);
		o = op == OP_RUN ? effect->run(fx, &w) : effect->verify(fx, &w);
		if (effect->server)
			pthread_mutex_unlock(&fx->server_lock);
	}
	if (detail)
		snprintf(detail, EFFECTS_DETAIL_MAX, "%s", text);
	if (e && o != OUTCOME_DONE)
		*e = own;
	return o;
}

/* ---- nothing of the service here? */

enum outcome effects_standby_safe(struct effects *fx, char *detail, struct err *e)
{
	static const effect_fn looks[] = { address_del_verify, server_stop_verify, unmount_verify,
					   secondary_verify };
	char text[EFFECTS_DETAIL_MAX] = "", message[ERR_MSG_MAX + ERR_WHERE_MAX + ERR_REMEDY_MAX];
	enum outcome worst = OUTCOME_DONE;
	struct err first = { 0 };

	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		struct err one = { 0 };
		struct word w = { text, &one };
		enum outcome o = looks[i](fx, &w);

		/* What is known to be in place counts more than what is not known. */
		if (o == OUTCOME_DONE || worst == OUTCOME_FAILED ||
		    (worst == OUTCOME_UNKNOWN && o == OUTCOME_UNKNOWN))
			continue;
		worst = o;
		first = one;
	}
	if (detail)
		snprintf(detail, EFFECTS_DETAIL_MAX, "%.199s",
			 worst == OUTCOME_DONE ? "" : err_format(&first, message, sizeof(message)));
	if (e && worst != OUTCOME_DONE)
		*e = first;
	return worst;
}
