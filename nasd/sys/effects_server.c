/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "drbd_dev.h"
#include "effects_int.h"
#include "link.h"

enum { ANSWER_US = 1000000 }; /* a warm server has nothing else to do */

static int64_t patience_us(const struct effects *fx)
{
	return (int64_t)fx->group->limits.step_us;
}

static void look_at_server(struct effects *fx, struct ganesha_state *st)
{
	ganesha_state(fx->ganesha, st);
}

/* A stop must not hit a node that serves. */
static enum outcome refuse_while_mounted(struct effects *fx, struct word *w)
{
	switch (mounted_here(fx, w->err)) {
	case OUTCOME_DONE:
		return refuse(w, fx->fs.point, "this node is the active one, or has not let go: nasctl status",
			      "the filesystem is mounted here");
	case OUTCOME_FAILED: return OUTCOME_DONE;
	case OUTCOME_UNKNOWN: break;
	}
	return OUTCOME_UNKNOWN;
}

/* A process that is there may hang all the same; better seen before the freeze. */
static bool answers(struct effects *fx, struct err *e)
{
	bool grace;

	return ganesha_grace_active(fx->ganesha, &grace, ANSWER_US, e) == OUTCOME_DONE;
}

/* Makes it warm; a server that has served, or does not answer, is ended first. */
static enum outcome make_warm(struct effects *fx, struct word *w)
{
	enum outcome o = refuse_while_mounted(fx, w);
	struct ganesha_state st;
	struct err why = { 0 };

	if (o != OUTCOME_DONE)
		return o;
	look_at_server(fx, &st);
	if (st.state == SERVER_WARM && answers(fx, &why)) {
		SAY(w, "already warm (pid %d)", st.pid);
		return OUTCOME_DONE;
	}
	if (st.state == SERVER_SERVING || st.state == SERVER_WARM)
		o = ganesha_stop(fx->ganesha, patience_us(fx), w->err);
	if (o == OUTCOME_DONE)
		o = ganesha_start_warm(fx->ganesha, patience_us(fx), w->err);
	if (o != OUTCOME_DONE)
		return o;
	look_at_server(fx, &st);
	if (why.msg[0])
		SAY(w, "warm (pid %d), the last one did not answer", st.pid);
	else
		SAY(w, "warm (pid %d)", st.pid);
	return OUTCOME_DONE;
}

static enum outcome is_warm(struct effects *fx, struct word *w)
{
	struct ganesha_state st;
	struct err why = { 0 };

	look_at_server(fx, &st);
	if (st.state != SERVER_WARM)
		return refuse(w, "ganesha", "see its log", "is %s%s%s", server_state_name(st.state),
			      st.reason[0] ? ": " : "", st.reason);
	if (!answers(fx, &why))
		return refuse(w, "ganesha", "see its log", "pid %d does not answer: %.100s", st.pid, why.msg);
	SAY(w, "warm (pid %d)", st.pid);
	return OUTCOME_DONE;
}

static enum outcome links_up(struct effects *fx, struct word *w)
{
	for (size_t i = 0; i < fx->n_addrs; i++) {
		const char *ifname = fx->addrs[i].ifname;
		struct net_link link;
		char remedy[ERR_REMEDY_MAX];

		if (net_link_get(ifname, &link, w->err) < 0)
			return OUTCOME_UNKNOWN;
		snprintf(remedy, sizeof(remedy), "ip link set %s up, and check its cable", ifname);
		if (!link.ifindex)
			return refuse(w, ifname, "correct the interface in nasd.conf", "does not exist");
		if (!link.up || !link.running)
			return refuse(w, ifname, remedy, link.up ? "has no carrier" : "is down");
	}
	return OUTCOME_DONE;
}

static enum outcome mount_point_free(struct effects *fx, struct word *w)
{
	struct filesystem_state st;
	char remedy[ERR_REMEDY_MAX];

	if (filesystem_look(&fx->fs, &st, w->err) < 0)
		return OUTCOME_UNKNOWN;
	snprintf(remedy, sizeof(remedy), "mkdir -p %.200s", fx->fs.point);
	if (!st.point_exists)
		return refuse(w, fx->fs.point, remedy, "is not a directory");
	snprintf(remedy, sizeof(remedy), "umount %.200s", fx->fs.point);
	if (st.point_busy || st.covered)
		return refuse(w, fx->fs.point, remedy, "%s is mounted there", st.busy_source);
	snprintf(remedy, sizeof(remedy), "umount %.200s", st.elsewhere_point);
	if (st.elsewhere)
		return refuse(w, fx->fs.device, remedy, "is mounted at %s", st.elsewhere_point);
	return OUTCOME_DONE;
}

/* ---- WARM, REWARM */

static enum outcome target_ready(struct effects *fx, struct word *w)
{
	enum outcome o = mount_point_free(fx, w);

	if (o == OUTCOME_DONE)
		o = links_up(fx, w);
	if (o == OUTCOME_DONE)
		o = drbd_dev_ready(&fx->group->drbd, w->err);
	return o;
}

enum outcome warm_run(struct effects *fx, struct word *w)
{
	/* The server first: it shall be warm even when the rest is not ready. */
	enum outcome o = make_warm(fx, w);

	return o == OUTCOME_DONE ? target_ready(fx, w) : o;
}

enum outcome warm_verify(struct effects *fx, struct word *w)
{
	enum outcome o = is_warm(fx, w);

	return o == OUTCOME_DONE ? target_ready(fx, w) : o;
}

enum outcome rewarm_run(struct effects *fx, struct word *w)
{
	return make_warm(fx, w);
}

enum outcome rewarm_verify(struct effects *fx, struct word *w)
{
	return is_warm(fx, w);
}

/* ---- SERVER_STOP */

enum outcome server_stop_verify(struct effects *fx, struct word *w)
{
	struct ganesha_state st;

	look_at_server(fx, &st);
	switch (st.state) {
	case SERVER_DOWN: SAY(w, "no server runs"); return OUTCOME_DONE;
	/* Its tenure has not begun: it holds nothing of the filesystem. */
	case SERVER_WARM: SAY(w, "the server is warm and serves nothing"); return OUTCOME_DONE;
	case SERVER_STARTING:
	case SERVER_SERVING: break;
	}
	return refuse(w, "ganesha", "", "is %s (pid %d)", server_state_name(st.state), st.pid);
}

enum outcome server_stop_run(struct effects *fx, struct word *w)
{
	struct ganesha_state st;
	struct err why = { 0 };
	int64_t opens;
	enum outcome o;

	look_at_server(fx, &st);
	if (st.state == SERVER_DOWN || st.state == SERVER_WARM) {
		SAY(w, "already: %s", st.state == SERVER_DOWN ? "no server runs" : "it serves nothing");
		return OUTCOME_DONE;
	}
	if (state_releasable(fx, &opens) && ganesha_release(fx->ganesha, fx->fs.point, opens, &why) == 0) {
		state_seal(fx);
		SAY(w, "pid %d released the filesystem", st.pid);
		return OUTCOME_DONE;
	}
	o = ganesha_stop(fx->ganesha, patience_us(fx), w->err);
	if (o == OUTCOME_DONE) {
		state_seal(fx);
		SAY(w, "pid %d ended%s%.150s", st.pid, why.msg[0] ? ", it did not release the filesystem: " : "", why.msg);
	}
	return o;
}

/* ---- EXPORT */

static void note_exports(struct effects *fx, uint64_t tenure, unsigned n)
{
	pthread_mutex_lock(&fx->data_lock);
	fx->last_exports = n;
	fx->exported_tenure = n < fx->group->n_exports ? 0 : tenure;
	pthread_mutex_unlock(&fx->data_lock);
}

enum outcome exports_served(struct effects *fx, struct word *w)
{
	struct ganesha_state st;
	bool known;

	look_at_server(fx, &st);
	pthread_mutex_lock(&fx->data_lock);
	known = st.tenure != 0 && st.tenure == fx->exported_tenure;
	pthread_mutex_unlock(&fx->data_lock);
	return st.state == SERVER_SERVING && known ? OUTCOME_DONE : export_verify(fx, w);
}

enum outcome export_verify(struct effects *fx, struct word *w)
{
	struct ganesha_state st;
	unsigned n = 0;
	enum outcome o;

	look_at_server(fx, &st);
	if (st.state != SERVER_SERVING)
		return refuse(w, "ganesha", "", "is %s", server_state_name(st.state));
	o = ganesha_exports_present(fx->ganesha, &n, patience_us(fx), w->err);
	if (o != OUTCOME_DONE)
		return OUTCOME_UNKNOWN;
	note_exports(fx, st.tenure, n);
	if (n < fx->group->n_exports)
		return refuse(w, "ganesha", "see its log", "serves %u of %zu exports", n,
			      fx->group->n_exports);
	if (state_gated(fx))
		return refuse(w, "ganesha", "", "holds all requests: its gate is closed");
	SAY(w, "%u export%s", n, n == 1 ? "" : "s");
	return OUTCOME_DONE;
}

/* The records for the grace: the replica's, or those of this node itself. */
static int install_records(struct effects *fx, size_t *records, struct err *e)
{
	struct client_set set = { 0 };
	int r = 0;

	pthread_mutex_lock(&fx->data_lock);
	if (fx->have_clients)
		r = client_set_copy(&set, &fx->clients);
	pthread_mutex_unlock(&fx->data_lock);
	if (r < 0)
		return err_set(e, ERR_SYSTEM, -r, "client records", "cannot be copied");
	if (!fx->have_clients)
		r = clients_read_database(fx->state_dir, fx->group->name, &set, e);
	if (r == 0)
		r = clients_install(fx->state_dir, fx->group->name, &set, e);
	*records = client_set_count(&set, CLIENT_RECORD);
	client_set_free(&set);
	return r;
}

static enum outcome refuse_unless_mounted(struct effects *fx, struct word *w)
{
	struct filesystem_state fs;

	if (filesystem_look(&fx->fs, &fs, w->err) < 0)
		return OUTCOME_UNKNOWN;
	if (!fs.mounted)
		return refuse(w, fx->fs.point, "mount it first", "%s is not mounted there", fx->fs.device);
	return OUTCOME_DONE;
}

static void say_exported(struct effects *fx, const struct ganesha_load *load, size_t records, struct word *w)
{
	size_t n = fx->group->n_exports;

	if (load->moved)
		SAY(w, "%zu export%s, the clients' state %.90s", n, n == 1 ? "" : "s", load->word);
	else
		SAY(w, "%zu export%s, %zu client%s may reclaim%s%.80s", n, n == 1 ? "" : "s", records,
		    records == 1 ? "" : "s", load->word[0] ? ": state " : "", load->word);
}

/* What runs and is not warm serves all of it, perhaps behind its gate, or its
 * tenure ends here. */
static enum outcome in_place_or_gone(struct effects *fx, bool *there, struct word *w)
{
	char text[EFFECTS_DETAIL_MAX] = "";
	struct err ignored = { 0 };
	struct word look = { text, &ignored };
	struct ganesha_state st;

	look_at_server(fx, &st);
	*there = st.state == SERVER_SERVING && (!state_gated(fx) || state_thaw(fx, w) == OUTCOME_DONE) &&
		 export_verify(fx, &look) == OUTCOME_DONE;
	if (*there)
		SAY(w, "already: %.180s", text);
	if (*there || st.state != SERVER_SERVING)
		return OUTCOME_DONE;
	return ganesha_stop(fx->ganesha, patience_us(fx), w->err);
}

static enum outcome export_anew(struct effects *fx, struct ganesha_load *load, struct word *w)
{
	int64_t start = monotonic_us(), installed;
	struct ganesha_state st;
	size_t records = 0;
	enum outcome o;

	if (install_records(fx, &records, w->err) < 0)
		return OUTCOME_FAILED;
	installed = monotonic_us();
	o = ganesha_activate_with(fx->ganesha, load, patience_us(fx), w->err);
	if (o != OUTCOME_DONE)
		return o;
	look_at_server(fx, &st);
	note_exports(fx, st.tenure, (unsigned)fx->group->n_exports);
	say_exported(fx, load, records, w);
	snprintf(w->text + strlen(w->text), EFFECTS_DETAIL_MAX - strlen(w->text), "; records %.1f ms, server %.1f ms",
		 (double)(installed - start) / 1e3, (double)(monotonic_us() - installed) / 1e3);
	return OUTCOME_DONE;
}

enum outcome export_run(struct effects *fx, struct word *w)
{
	enum outcome o = refuse_unless_mounted(fx, w);
	struct ganesha_load load;
	bool there = false;
	char *text = state_take(fx, &load);

	if (o == OUTCOME_DONE)
		o = in_place_or_gone(fx, &there, w);
	if (o == OUTCOME_DONE && !there)
		o = export_anew(fx, &load, w);
	free(text);
	return o;
}
