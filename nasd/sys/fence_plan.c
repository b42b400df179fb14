/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fence_plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"

enum {
	PACEMAKER_US = 90000000, /* as long as its own devices may take */
	SET_BACK_US = 1000000,
};

/* The configuration's limits are those of the room that runs the agents. */
_Static_assert((int)CONF_FENCE_OPTIONS_MAX == (int)FENCE_OPTIONS_MAX, "options");
_Static_assert((int)CONF_FENCE_KEY_MAX == (int)FENCE_KEY_LEN, "option name");
_Static_assert((int)CONF_FENCE_VALUE_MAX == (int)FENCE_VALUE_LEN, "option value");
_Static_assert((int)CONF_FENCE_PATH_MAX == (int)FENCE_PATH_LEN, "agent");
_Static_assert((int)CONF_FENCES_NODE_MAX == (int)FENCE_DEVICES_MAX, "devices");
_Static_assert((int)CONF_NAME_MAX <= (int)NAME_MAX_LEN && (int)CONF_HOST_MAX <= (int)NAME_MAX_LEN, "names");

static void device_of(const struct conf_fence *f, struct fence_device *d)
{
	memcpy(d->name, f->name, sizeof(f->name));
	memcpy(d->path, f->agent, sizeof(d->path));
	for (size_t i = 0; i < f->n_options; i++) {
		memcpy(d->options[i].key, f->options[i].key, sizeof(d->options[i].key));
		memcpy(d->options[i].value, f->options[i].value, sizeof(d->options[i].value));
	}
	d->n_options = (unsigned)f->n_options;
	d->level = f->level;
	d->timeout_us = (int64_t)f->timeout_us;
	d->retries = f->retries;
	d->retry_wait_us = (int64_t)f->retry_wait_us;
	d->verify = f->verify;
	d->verify_limit_us = (int64_t)f->verify_limit_us;
	d->verify_every_us = (int64_t)f->verify_every_us;
}

/* A call at its limit may take FENCE_KILL_WAIT_US more to be gone: each "off",
 * and the last status query after it. */
static int64_t kill_room(const struct fence_device *d)
{
	return ((int64_t)d->retries + 1) * (d->verify ? 2 : 1) * FENCE_KILL_WAIT_US;
}

/* One call is enough: it succeeds when Pacemaker says that the node was fenced, and
 * what it may be at afterwards (booting) is no matter. */
static void pacemaker_device(struct fence_device *d)
{
	snprintf(d->name, sizeof(d->name), "pacemaker");
	snprintf(d->path, sizeof(d->path), "%s", CONF_PACEMAKER_AGENT);
	d->level = 1;
	d->timeout_us = PACEMAKER_US;
}

int fence_plan_of(const struct conf *c, int node, struct fence_plan *out, struct err *err)
{
	memset(out, 0, sizeof(*out));
	if (node < 0 || node >= CONF_NODES)
		return err_set(err, ERR_INTERNAL, EINVAL, "fence", "there is no node %d", node);
	memcpy(out->node, c->nodes[node].name, sizeof(c->nodes[node].name));
	for (unsigned level = 1; level <= CONF_FENCES_NODE_MAX; level++)
		for (size_t i = 0; i < c->n_fences && out->n_devices < FENCE_DEVICES_MAX; i++)
			if (c->fences[i].node == node && c->fences[i].level == level)
				device_of(&c->fences[i], &out->devices[out->n_devices++]);
	if (c->cluster.trigger == CONF_TRIGGER_PACEMAKER)
		pacemaker_device(&out->devices[out->n_devices++]);
	if (!out->n_devices) {
		err_set(err, ERR_REFUSED, ENOENT, "fence", "no fence device switches %s off", out->node);
		err_remedy(err, "add a section `fence NAME { node = %s ... }' to nasd.conf on both nodes", out->node);
		return -ENOENT;
	}
	out->total_us = fence_plan_worst_us(out);
	for (unsigned i = 0; i < out->n_devices; i++)
		out->total_us += kill_room(&out->devices[i]);
	return fence_plan_check(out, err);
}

void fence_since_watch(struct fence_since *s, int64_t wall_us, int64_t mono_us)
{
	int64_t lead = wall_us - mono_us;

	if (lead > s->lead_us)
		s->lead_us = lead;
	else if (lead < s->lead_us - SET_BACK_US)
		s->set_back = true;
}

void fence_since_tell(struct fence_since *s, struct fence_device *d, int64_t wall_us, int64_t mono_us, int64_t heard_us)
{
	int64_t since = wall_us - (mono_us - heard_us);

	fence_since_watch(s, wall_us, mono_us);
	d->n_options = heard_us >= 0 && !s->set_back;
	snprintf(d->options[0].key, sizeof(d->options[0].key), "since");
	snprintf(d->options[0].value, sizeof(d->options[0].value), "%lld.%06d", (long long)since / 1000000,
		 (int)(since % 1000000));
}
