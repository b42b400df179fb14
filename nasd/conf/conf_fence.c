/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What must hold between the devices that switch the nodes off: the rules of
 * fence_plan_check (fence/agent_run.h), with the place in the file. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf_check.h"

bool conf_fence_is_secret(const char *key)
{
	static const char *const words[] = { "pass", "secret", "token", "apikey", "api_key", "community" };
	static const char script[] = "_script";
	size_t len = strlen(key);

	if (len >= sizeof(script) && !strcasecmp(key + len - (sizeof(script) - 1), script))
		return false;
	for (; *key; key++)
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (!strncasecmp(key, words[i], strlen(words[i])))
				return true;
	return false;
}

bool conf_has_secrets(const struct conf *c)
{
	for (size_t i = 0; i < c->n_fences; i++)
		for (size_t o = 0; o < c->fences[i].n_options; o++)
			if (conf_fence_is_secret(c->fences[i].options[o].key))
				return true;
	return false;
}

static int check_device(const struct checker *k, size_t i)
{
	const struct conf_fence *f = &k->c->fences[i];
	struct conf_place at = { .sec1 = "fence", .i1 = i, .key = "node" };
	char remedy[ERR_REMEDY_MAX];

	if (f->node < 0) {
		snprintf(remedy, sizeof(remedy), "name the node that the device switches off: %s or %s",
			 k->c->nodes[0].name, k->c->nodes[1].name);
		return FAIL(k, &at, remedy, "there is no node `%s'", f->node_name);
	}
	at.key = "options";
	for (size_t a = 0; a < f->n_options; a++)
		for (size_t b = 0; b < a; b++)
			if (!strcmp(f->options[a].key, f->options[b].key))
				return FAIL(k, &at, "give each option once", "`%s' is given twice", f->options[a].key);
	at.key = "verify-interval";
	if (f->verify && f->verify_every_us > f->verify_limit_us)
		return FAIL(k, &at, "lower verify-interval, or raise verify-limit",
			    "must not be longer than verify-limit");
	return 0;
}

/* The levels of a node's devices begin with 1 and leave none out. */
static int check_levels(const struct checker *k, int node)
{
	const struct conf *c = k->c;
	struct conf_place at = { .sec1 = "fence", .key = "level" };
	unsigned used = 0; /* bit L: there is a device of level L */
	size_t n = 0;

	for (size_t i = 0; i < c->n_fences; i++) {
		if (c->fences[i].node != node)
			continue;
		used |= 1U << c->fences[i].level;
		at.i1 = i;
		if (++n > CONF_FENCES_NODE_MAX) {
			at.key = "node";
			return FAIL(k, &at, "keep the devices that are needed to switch it off",
				    "node %s has more than %d fence devices", c->nodes[node].name,
				    CONF_FENCES_NODE_MAX);
		}
	}
	for (at.i1 = 0; at.i1 < c->n_fences; at.i1++) {
		const struct conf_fence *f = &c->fences[at.i1];

		if (f->node == node && f->level > 1 && !(used & (1U << (f->level - 1))))
			return FAIL(k, &at, "number the levels of each node 1, 2, ... in the order in which they are tried",
				    "no fence device of node %s has level %u", c->nodes[node].name, f->level - 1U);
	}
	return 0;
}

static int check_trigger(const struct checker *k)
{
	const struct conf *c = k->c;
	struct conf_place at = { .sec1 = "cluster", .key = "trigger" };
	bool has[CONF_NODES] = { false };

	if (c->cluster.trigger == CONF_TRIGGER_PACEMAKER && c->n_fences)
		return FAIL(k, &at, "take the fence sections out: Pacemaker's stonith devices switch the nodes off, and nasd asks it",
			    "with `pacemaker' there is one who fences, Pacemaker, and no fence section");
	for (size_t i = 0; i < c->n_fences; i++)
		has[c->fences[i].node] = true;
	for (int n = 0; n < CONF_NODES; n++) {
		char remedy[ERR_REMEDY_MAX];

		if ((c->cluster.trigger != CONF_TRIGGER_HEARTBEAT && c->cluster.trigger != CONF_TRIGGER_KEEPALIVED) || has[n])
			continue;
		snprintf(remedy, sizeof(remedy), "add a section `fence NAME { node = %s ... }' (nasd.conf(5)), "
			 "or write `trigger = manual'", c->nodes[n].name);
		return FAIL(k, &at, remedy, "`%s' needs a fence device for each node, and %s has none",
			    conf_trigger_name(c->cluster.trigger), c->nodes[n].name);
	}
	return 0;
}

int conf_check_fences(const struct checker *k)
{
	int r = 0;

	for (size_t i = 0; i < k->c->n_fences && !r; i++)
		r = check_device(k, i);
	for (int node = 0; node < CONF_NODES && !r; node++)
		r = check_levels(k, node);
	return r ? r : check_trigger(k);
}
