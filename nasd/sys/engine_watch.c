/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The world watched between two looks: DRBD's events, the links and addresses
 * that the groups use, the end of a server. What happens is logged, and the
 * facts are collected anew, from which the core draws its conclusions; nothing
 * is decided here, and without any of it the core's own look every 2 s remains.
 */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clocks.h"
#include "drbd_watch.h"
#include "link.h"
#include "log.h"

enum {
	REFRESH_US = 100000,
	SETTLE_US = 500000, /* after a change of state: the clients are coming back just then */
	CHANGE_LEN = 160,
};

struct watched_link {
	char ifname[NET_IFNAME_MAX];
	bool up;                  /* exists, wanted up, carrier */
};

struct gwatch {
	struct engine_watch *w;
	struct egroup *g;

	sd_event_source *refresh; /* armed: facts are wanted */
	int64_t refreshed_at;     /* monotonic */

	char change[CHANGE_LEN];  /* DRBD's last; "" */
	int64_t change_wall;

	size_t n_links;
	struct watched_link links[CONF_ADDRESSES_MAX];
	size_t n_addrs;
	struct net_addr addrs[CONF_ADDRESSES_MAX];
	bool missing[CONF_ADDRESSES_MAX]; /* said so */

	int server_pid, server_pidfd;
	sd_event_source *server_io;
};

struct engine_watch {
	struct engine *e;
	struct drbd_watch *drbd;
	struct net_watch *net;
	sd_event_source *net_io;
	struct gwatch groups[CONF_GROUPS_MAX];
};

static struct gwatch *gwatch_of(struct egroup *g)
{
	struct engine_watch *w = g->e->watch;

	return w ? &w->groups[g - g->e->groups] : NULL;
}

static bool is_held(struct egroup *g)
{
	struct group_view v;

	group_look(g->core, &v);
	return v.held;
}

static enum group_state state_of(struct egroup *g)
{
	struct group_view v;

	group_look(g->core, &v);
	return v.state;
}

#define SAY(gw, prio, ...) log_write(prio, &(struct log_fields){ .group = (gw)->g->conf->name }, __VA_ARGS__)

/* ---- facts, soon and not too often */

static int refresh_due(sd_event_source *s, uint64_t usec, void *data)
{
	struct gwatch *gw = data;
	enum group_state st = state_of(gw->g);

	(void)s;
	(void)usec;
	/* a move has better use for the time, and looks for itself */
	if (st != GS_STANDBY && st != GS_ACTIVE && !is_held(gw->g))
		return 0;
	gw->refreshed_at = monotonic_us();
	egroup_facts_monitor(gw->g);
	return 0;
}

static void refresh_soon(struct gwatch *gw)
{
	int64_t at = gw->refreshed_at ? gw->refreshed_at + REFRESH_US : 0;
	int enabled = SD_EVENT_OFF;

	sd_event_source_get_enabled(gw->refresh, &enabled);
	if (enabled != SD_EVENT_OFF)
		return;
	if (gw->g->state_changed_at && gw->g->state_changed_at + SETTLE_US > at)
		at = gw->g->state_changed_at + SETTLE_US;
	sd_event_source_set_time(gw->refresh, (uint64_t)at);
	sd_event_source_set_enabled(gw->refresh, SD_EVENT_ONESHOT);
}

/* ---- DRBD */

static void drbd_changed(const struct drbd_diff *diff, void *data)
{
	struct engine_watch *w = data;

	for (size_t i = 0; i < w->e->n_groups; i++) {
		struct gwatch *gw = &w->groups[i];

		if (strcmp(gw->g->conf->drbd.resource, diff->resource) != 0)
			continue;
		drbd_diff_format(diff, gw->change, sizeof(gw->change));
		gw->change_wall = wall_us();
		SAY(gw, drbd_diff_is_loss(diff) ? LOGP_WARNING : LOGP_NOTICE, "DRBD %s: %s", diff->resource,
		    gw->change);
		refresh_soon(gw);
	}
}

static void drbd_live(bool live, const char *why, void *data)
{
	struct engine_watch *w = data;

	(void)why; /* the watch has said it */
	for (size_t i = 0; i < w->e->n_groups; i++) {
		struct gwatch *gw = &w->groups[i];
		const struct drbd_resource *r = drbd_watch_find(w->drbd, gw->g->conf->drbd.resource);

		if (live && r)
			SAY(gw, LOGP_INFO, "DRBD %s is followed: %s, %s, disk %s", r->name, r->role,
			    r->connection[0] ? r->connection : "no connection",
			    r->n_volumes ? r->volumes[0].disk : "none");
		else if (live)
			SAY(gw, LOGP_WARNING, "DRBD has no resource %s; 'drbdadm up %s' brings it up",
			    gw->g->conf->drbd.resource, gw->g->conf->drbd.resource);
		refresh_soon(gw);
	}
	engine_control_changed(w->e);
}

json_t *egroup_watch_json(struct egroup *g)
{
	struct gwatch *gw = gwatch_of(g);
	json_t *at = gw && gw->change_wall ? engine_wall_json(gw->change_wall) : json_null();

	return json_pack("{s:b, s:s, s:o}", "live", gw && gw->w->drbd && drbd_watch_live(gw->w->drbd),
			 "last_change", gw ? gw->change : "", "at", at);
}

/* ---- links and addresses */

static bool link_is_up(const struct net_link *l)
{
	return l->ifindex != 0 && l->up && l->running;
}

static void link_seen(struct gwatch *gw, struct watched_link *l, const struct net_link *now)
{
	bool up = link_is_up(now);

	if (up == l->up)
		return;
	l->up = up;
	if (up)
		SAY(gw, LOGP_NOTICE, "interface %s: link up", l->ifname);
	else
		SAY(gw, LOGP_WARNING, "interface %s: %s", l->ifname,
		    !now->ifindex ? "gone" :
		    now->up       ? "link down: no carrier; look at the cable, the switch port, the bond" :
				    "set down by somebody");
	refresh_soon(gw);
}

/* Events were lost, or the beginning: asks instead. */
static void ask_links(struct gwatch *gw)
{
	struct net_link now;

	for (size_t i = 0; i < gw->n_links; i++)
		if (net_link_get(gw->links[i].ifname, &now, NULL) == 0)
			link_seen(gw, &gw->links[i], &now);
	refresh_soon(gw);
}

static void on_link(struct gwatch *gw, const struct net_event *ev)
{
	static const struct net_link gone;

	for (size_t i = 0; i < gw->n_links; i++)
		if (!strcmp(gw->links[i].ifname, ev->ifname))
			link_seen(gw, &gw->links[i], ev->kind == NET_EVENT_LINK ? &ev->link : &gone);
}

/* What it means is told from the facts: by then it may be back, and a removal
 * of our own has changed the state. */
static void on_address(struct gwatch *gw, const struct net_event *ev)
{
	for (size_t i = 0; i < gw->n_addrs; i++)
		if (gw->addrs[i].family == ev->addr.family &&
		    !memcmp(gw->addrs[i].ip, ev->addr.ip, ev->addr.family == AF_INET ? 4 : 16))
			refresh_soon(gw);
}

static void on_net_event(const struct net_event *ev, void *arg)
{
	struct engine_watch *w = arg;

	for (size_t i = 0; i < w->e->n_groups; i++) {
		struct gwatch *gw = &w->groups[i];

		switch (ev->kind) {
		case NET_EVENT_LINK:
		case NET_EVENT_LINK_GONE: on_link(gw, ev); break;
		case NET_EVENT_ADDR_ADDED:
		case NET_EVENT_ADDR_REMOVED: on_address(gw, ev); break;
		case NET_EVENT_LOST: ask_links(gw); break;
		}
	}
}

static int net_readable(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct engine_watch *w = data;
	struct err err;

	(void)fd;
	(void)revents;
	if (net_watch_read(w->net, on_net_event, w, &err) < 0) {
		log_warn("links and addresses are not watched any more: %s", err.msg);
		sd_event_source_set_enabled(s, SD_EVENT_OFF);
	}
	return 0;
}

static void address_seen(struct gwatch *gw, size_t i, bool missing)
{
	const struct net_addr *a = &gw->addrs[i];
	char text[NET_ADDR_TEXT_MAX];

	if (gw->missing[i] == missing)
		return;
	gw->missing[i] = missing;
	net_addr_format(a, text, sizeof(text));
	if (missing)
		SAY(gw, LOGP_ERR,
		    "the floating address %s is gone from %s and nasd has not removed it: clients cannot reach "
		    "the export; find out who did ('ip monitor address', network managers), and put it back: "
		    "ip address add %s dev %s%s",
		    text, a->ifname, text, a->ifname,
		    a->family == AF_INET6 ? " nodad preferred_lft 0" : "");
	else if (state_of(gw->g) == GS_ACTIVE)
		SAY(gw, LOGP_NOTICE, "the floating address %s is back on %s", text, a->ifname);
}

/* ---- the server */

static int server_ended(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct gwatch *gw = data;

	(void)fd;
	(void)revents;
	sd_event_source_set_enabled(s, SD_EVENT_OFF);
	refresh_soon(gw); /* when a step has ended it, the state says so */
	return 0;
}

static void server_forget(struct gwatch *gw)
{
	gw->server_io = sd_event_source_disable_unref(gw->server_io);
	if (gw->server_pidfd >= 0)
		close(gw->server_pidfd);
	gw->server_pidfd = -1;
	gw->server_pid = 0;
}

/* Should the number be another process's by now: its end costs one look. */
static void server_seen(struct gwatch *gw, int pid)
{
	if (pid == gw->server_pid)
		return;
	server_forget(gw);
	gw->server_pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	if (gw->server_pidfd < 0)
		return;
	if (sd_event_add_io(gw->w->e->event, &gw->server_io, gw->server_pidfd, EPOLLIN, server_ended, gw) < 0) {
		server_forget(gw);
		return;
	}
	gw->server_pid = pid;
}

void egroup_watch_facts(struct egroup *g, const struct facts *f)
{
	struct gwatch *gw = gwatch_of(g);
	bool active = state_of(g) == GS_ACTIVE;

	if (!gw)
		return;
	server_seen(gw, f->server_pid);
	/* the facts have them in the configuration's order */
	for (size_t i = 0; i < gw->n_addrs && i < f->n_addresses; i++)
		address_seen(gw, i, active && !f->addresses[i].present);
}

/* ---- set-up */

static int gwatch_open(struct gwatch *gw, struct err *err)
{
	const struct conf_group *c = gw->g->conf;
	sd_event *event = gw->w->e->event;
	int ret = sd_event_add_time(event, &gw->refresh, CLOCK_MONOTONIC, 0, 1000, refresh_due, gw);

	if (ret < 0)
		return err_set(err, ERR_SYSTEM, -ret, c->name, "timer");
	sd_event_source_set_enabled(gw->refresh, SD_EVENT_OFF);
	for (size_t i = 0; i < c->n_addresses; i++) {
		size_t known = 0;

		ret = net_addr_parse(c->addresses[i].net.text, c->addresses[i].interface, &gw->addrs[i], err);
		if (ret < 0)
			return ret;
		gw->n_addrs++;
		while (known < gw->n_links && strcmp(gw->links[known].ifname, c->addresses[i].interface) != 0)
			known++;
		if (known < gw->n_links)
			continue;
		snprintf(gw->links[known].ifname, sizeof(gw->links[known].ifname), "%s", c->addresses[i].interface);
		gw->links[known].up = true; /* so that a link that is down is told */
		gw->n_links++;
	}
	return 0;
}

static int net_open(struct engine_watch *w, struct err *err)
{
	int ret = net_watch_open(&w->net, err);

	if (ret < 0)
		return ret;
	ret = sd_event_add_io(w->e->event, &w->net_io, net_watch_fd(w->net), EPOLLIN, net_readable, w);
	return ret < 0 ? err_set(err, ERR_SYSTEM, -ret, "link watch", "event source") : 0;
}

int engine_watch_open(struct engine *e, struct err *err)
{
	static const struct drbd_watch_ops drbd_ops = { drbd_changed, drbd_live };
	struct drbd_watch_spec spec = { .program = e->spec.drbdsetup };
	struct engine_watch *w = calloc(1, sizeof(*w));
	int ret = 0;

	if (!w)
		return err_set(err, ERR_SYSTEM, ENOMEM, "watch", "no memory");
	e->watch = w;
	w->e = e;
	for (size_t i = 0; i < e->n_groups; i++) {
		w->groups[i].w = w;
		w->groups[i].g = &e->groups[i];
		w->groups[i].server_pidfd = -1;
	}
	for (size_t i = 0; ret == 0 && i < e->n_groups; i++)
		ret = gwatch_open(&w->groups[i], err);
	if (ret == 0)
		ret = net_open(w, err);
	if (ret < 0)
		return ret;
	w->drbd = drbd_watch_new(e->event, &spec, &drbd_ops, w, err);
	if (!w->drbd)
		return -EIO;
	for (size_t i = 0; i < e->n_groups; i++)
		ask_links(&w->groups[i]);
	return 0;
}

void engine_watch_close(struct engine *e)
{
	struct engine_watch *w = e->watch;

	if (!w)
		return;
	e->watch = NULL;
	drbd_watch_free(w->drbd);
	sd_event_source_disable_unref(w->net_io);
	net_watch_close(w->net);
	for (size_t i = 0; i < e->n_groups; i++) {
		server_forget(&w->groups[i]);
		sd_event_source_disable_unref(w->groups[i].refresh);
	}
	free(w);
}
