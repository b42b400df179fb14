/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The move of a guest, and with --with-nas of its storage. hyper.h has the cases. */
#include "hyper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "clocks.h"
#include "printable.h"

enum { LOOK_US = 250000, SAY_US = 1000000, AGAIN_US = 20000000, DEFAULT_TIMEOUT_S = 600, SEEN_MAX = 4000 };

struct run {
	const struct move *m;
	struct nas *nas;          /* NULL: the storage stays */
	struct host watch;        /* a second connection: the first is busy with the move */
	virDomainPtr dom;         /* of it */
	int callback, to_callback;
	atomic_bool stopped, ended;
	int64_t began, began_wall;
	_Atomic int64_t stopped_us, resumed_us;
	json_t *seen;             /* the memory's progress, as job_stats tells it, with at_us since began */
	int result;               /* of libvirt's move, when it has ended */
	struct err err;           /* why it failed */
	const char *cancelling;   /* NULL: not by us */
	const char *cancelled;    /* NULL: libvirt has not taken it */
	bool forced;
	unsigned long long downtime_was; /* ms; 0: not ours to set back */
	const struct host *at;    /* where it runs in the end; NULL: nowhere */
	bool at_known;
};

/* ---- in libvirt's threads */

/* The source's QEMU has stopped the guest for the last of its memory, or was told to.
 * Not one that stands still because of an error: that one does not move. */
static int on_life(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *data)
{
	struct run *r = data;

	(void)conn;
	(void)dom;
	if (event != VIR_DOMAIN_EVENT_SUSPENDED ||
	    (detail != VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED && detail != VIR_DOMAIN_EVENT_SUSPENDED_PAUSED) ||
	    atomic_exchange(&r->stopped, true))
		return 0;
	atomic_store(&r->stopped_us, monotonic_us());
	if (r->nas)
		nas_go(r->nas);
	return 0;
}

/* The target's QEMU runs it. */
static int on_life_there(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *data)
{
	struct run *r = data;

	(void)conn;
	(void)detail;
	if (event == VIR_DOMAIN_EVENT_RESUMED && !strcmp(virDomainGetName(dom), r->m->g.name))
		atomic_store(&r->resumed_us, monotonic_us());
	return 0;
}

static void *carry(void *arg)
{
	struct run *r = arg;
	const struct move *m = r->m;
	const struct hyper_options *o = m->o;
	unsigned flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER;
	virTypedParameterPtr params = NULL;
	int n = 0, room = 0;

	if (m->g.persistent)
		flags |= VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
	if (o->auto_converge)
		flags |= VIR_MIGRATE_AUTO_CONVERGE;
	if (m->to.conf->migrate_uri[0])
		virTypedParamsAddString(&params, &n, &room, VIR_MIGRATE_PARAM_URI, m->to.conf->migrate_uri);
	if (o->bandwidth)
		virTypedParamsAddULLong(&params, &n, &room, VIR_MIGRATE_PARAM_BANDWIDTH, o->bandwidth);
	r->result = virDomainMigrateToURI3(m->dom, m->to.conf->uri, params, (unsigned)n, flags);
	if (r->result < 0) {
		host_error(&r->err, m->g.name, "libvirt did not move the guest");
		err_remedy(&r->err, "see the log of libvirtd on %s and %s", m->from.conf->name, m->to.conf->name);
	}
	virTypedParamsFree(params, n);
	atomic_store(&r->ended, true);
	return NULL;
}

/* ---- watching */

static json_t *job_stats(virDomainPtr dom, unsigned flags)
{
	static const struct {
		const char *param, *key;
	} wanted[] = {
		{ VIR_DOMAIN_JOB_MEMORY_TOTAL, "memory_total" },
		{ VIR_DOMAIN_JOB_MEMORY_PROCESSED, "memory_sent" },
		{ VIR_DOMAIN_JOB_MEMORY_REMAINING, "memory_remaining" },
		{ VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE, "dirty_pages_per_s" },
		{ VIR_DOMAIN_JOB_MEMORY_ITERATION, "iteration" },
		{ VIR_DOMAIN_JOB_DOWNTIME, "downtime_ms" },
	};
	virTypedParameterPtr params = NULL;
	json_t *out = NULL;
	int type, n = 0;

	if (virDomainGetJobStats(dom, &type, &params, &n, flags) < 0)
		return NULL;
	out = json_object();
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
		unsigned long long v;

		if (virTypedParamsGetULLong(params, n, wanted[i].param, &v) == 1)
			json_object_set_new(out, wanted[i].key, json_integer((json_int_t)v));
	}
	virTypedParamsFree(params, n);
	return out;
}

static void say_progress(const struct run *r)
{
	char left[VIEW_VALUE_MAX], total[VIEW_VALUE_MAX], took[VIEW_VALUE_MAX];
	json_t *s = job_stats(r->dom, 0);

	if (s && json_array_size(r->seen) < SEEN_MAX) {
		json_object_set_new(s, "at_us", json_integer(monotonic_us() - r->began));
		json_array_append(r->seen, s);
	}
	if (r->m->o->cli.json)
		return json_decref(s);
	if (!js_int(s, "memory_total"))
		printf("%10s  %s prepares\n", view_duration(monotonic_us() - r->began, took), r->m->to.conf->name);
	else
		printf("%10s  memory: pass %lld, %s of %s left, %lld pages/s dirtied\n",
		       view_duration(monotonic_us() - r->began, took), (long long)js_int(s, "iteration"),
		       view_bytes(js_int(s, "memory_remaining"), left), view_bytes(js_int(s, "memory_total"), total),
		       (long long)js_int(s, "dirty_pages_per_s"));
	fflush(stdout);
	json_decref(s);
}

/* Said before it is done: a QEMU that waits for a dead target hears it when its TCP gives up. */
static void cancel(struct run *r, const char *why)
{
	if (r->cancelled)
		return;
	if (!r->m->o->cli.json && r->cancelling != why) {
		printf("%s: the guest's move is called off\n", why);
		fflush(stdout);
	}
	r->cancelling = why;
	if (virDomainAbortJob(r->dom) == 0)
		r->cancelled = why;
}

/* The last of the memory takes a moment only, and is libvirt's to finish. */
static bool may_cancel(const struct run *r)
{
	return !atomic_load(&r->stopped) || r->forced;
}

static void look(struct run *r, int64_t *said)
{
	const struct hyper_options *o = r->m->o;
	int64_t now = monotonic_us(), took_s = (now - r->began) / 1000000;
	unsigned limit = o->timeout_s ? o->timeout_s : DEFAULT_TIMEOUT_S;

	if (virConnectIsAlive(r->m->to.conn) == 0) /* QEMU would go on trying for minutes, and the guest stand */
		cancel(r, "the target's libvirtd does not answer any more");
	else if (hyper_interrupted() && may_cancel(r))
		cancel(r, "it was interrupted");
	else if (r->nas && nas_look(r->nas) == NAS_ENDED && may_cancel(r))
		cancel(r, "nasd has called the storage's move off");
	else if (took_s >= limit && may_cancel(r))
		cancel(r, "the guest did not get over in time");
	if (o->force_after_s && took_s >= o->force_after_s && !r->forced && !r->cancelled && !atomic_load(&r->stopped)) {
		r->forced = virDomainSuspend(r->dom) == 0;
		if (r->forced && !o->cli.json)
			printf("the guest is stopped now, so that the rest gets over (--force-after)\n");
	}
	if (now - *said < SAY_US || (atomic_load(&r->stopped) && !r->forced))
		return; /* no question to a QEMU for whose answers the guest waits */
	*said = now;
	say_progress(r);
}

static int watch_open(struct run *r, struct err *err)
{
	const struct move *m = r->m;

	if (host_open(&r->watch, m->from.conf) < 0) {
		*err = r->watch.err;
		return -EIO;
	}
	r->dom = virDomainLookupByName(r->watch.conn, m->g.name);
	r->callback = !r->dom ? -1 :
		virConnectDomainEventRegisterAny(r->watch.conn, r->dom, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
						 VIR_DOMAIN_EVENT_CALLBACK(on_life), r, NULL);
	if (r->callback < 0)
		return host_error(err, m->from.conf->name, "the guest cannot be watched");
	r->to_callback = virConnectDomainEventRegisterAny(m->to.conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
							  VIR_DOMAIN_EVENT_CALLBACK(on_life_there), r, NULL);
	return 0; /* only a time is lost without it */
}

static void watch_close(struct run *r)
{
	if (r->dom && r->callback >= 0)
		virConnectDomainEventDeregisterAny(r->watch.conn, r->callback);
	if (r->to_callback >= 0)
		virConnectDomainEventDeregisterAny(r->m->to.conn, r->to_callback);
	if (r->dom)
		virDomainFree(r->dom);
	host_close(&r->watch);
}

/* ---- what came of it */

static const char *where_storage(const struct run *r, enum cli_exit nas, bool left)
{
	if (!r->nas)
		return "the storage stays where it is";
	if (left)
		return "the storage is where it was";
	return nas == CLI_DONE ? "the storage has moved" : "the storage has not moved as asked: nasctl status";
}

/* VIR_DOMAIN_..., NOSTATE where it is not known; negative: nobody says. */
static int state_by(virConnectPtr conn, const char *name)
{
	virDomainPtr d = virDomainLookupByName(conn, name);
	int state = VIR_DOMAIN_NOSTATE;

	if (!d)
		return host_no_domain() ? state : -EIO;
	if (virDomainGetState(d, &state, NULL, 0) < 0)
		state = -EIO;
	virDomainFree(d);
	return state;
}

/* A libvirtd that died in the move is started again, and knows its guests. */
static int state_on(const struct host *h, const char *name)
{
	int64_t until = monotonic_us() + AGAIN_US;
	int state = state_by(h->conn, name);

	while (state < 0 && monotonic_us() < until) {
		struct host again;

		nanosleep(&(struct timespec){ .tv_nsec = LOOK_US * 1000 }, NULL);
		if (host_open_within(&again, h->conf, until - monotonic_us()) == 0)
			state = state_by(again.conn, name);
		host_close(&again);
	}
	return state;
}

/* What libvirt says of the move is not where the guest is: who was asked may have died of it. */
static void find_it(struct run *r)
{
	const struct host *hosts[2] = { &r->m->to, &r->m->from };

	r->at_known = true;
	for (int i = 0; i < 2 && !r->at; i++) {
		int state = state_on(hosts[i], r->m->g.name);

		r->at_known = r->at_known && state >= 0;
		if (state == VIR_DOMAIN_RUNNING || state == VIR_DOMAIN_BLOCKED)
			r->at = hosts[i];
	}
	if (!r->at && r->result == 0)
		r->at = &r->m->to;
	r->at_known = r->at_known || r->at;
}

static bool has_moved(const struct run *r)
{
	return r->result == 0 || r->at == &r->m->to;
}

static enum cli_exit verdict(const struct run *r, enum cli_exit nas, bool left)
{
	if (has_moved(r))
		return !r->nas || nas == CLI_DONE ? CLI_DONE : CLI_FAILED;
	if (!r->at)
		return r->at_known ? CLI_FAILED : CLI_UNKNOWN;
	return r->nas && !left && nas == CLI_DONE ? CLI_FAILED : CLI_ROLLED_BACK;
}

static const char *word_of(enum cli_exit code)
{
	return code == CLI_DONE ? "done" : code == CLI_ROLLED_BACK ? "rolled-back" : code == CLI_UNKNOWN ? "unknown" : "failed";
}

/* NULL: not seen */
static json_t *since_began(const struct run *r, int64_t at)
{
	return at ? json_integer(at - r->began) : NULL;
}

static void tell(const struct run *r, enum cli_exit code, enum cli_exit nas, bool left, const json_t *nas_result, int64_t took)
{
	const struct move *m = r->m;
	virDomainPtr there = r->result == 0 ? virDomainLookupByName(m->to.conn, m->g.name) : NULL;
	json_t *stats = there ? job_stats(there, VIR_DOMAIN_JOB_STATS_COMPLETED) : NULL;
	char total[VIEW_VALUE_MAX], bytes[VIEW_VALUE_MAX];

	if (there)
		virDomainFree(there);
	if (m->o->cli.json) {
		json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s*, s:I, s:I, s:o*, s:o*, s:O*, s:b, s:s*, s:o*, s:O*}",
					"result", word_of(code), "guest", m->g.name, "from", m->from.conf->name, "to", m->to.conf->name, "runs_on", r->at ? r->at->conf->name : NULL,
					"began_wall_us", (json_int_t)r->began_wall, "total_us", (json_int_t)took,
					"stopped_us", since_began(r, r->stopped_us), "resumed_us", since_began(r, r->resumed_us),
					"progress", r->seen, "forced", (int)r->forced, "cancelled",
					r->result == 0 ? NULL : r->cancelled ? r->cancelled : r->err.msg, "memory", stats,
					"storage", left ? NULL : nas_result);

		print_json(out);
		json_decref(out);
		return;
	}
	if (r->result < 0)
		fprintf(stderr, "nasctl: %s: %s\n", m->g.name, r->cancelled ? r->cancelled : r->err.msg);
	if (r->nas && !left && nas != CLI_DONE)
		fprintf(stderr, "nasctl: storage: %s\nremedy: %s\n", js_text(nas_result, "message"), js_text(nas_result, "remedy"));
	if (r->nas && !left && nas == CLI_DONE && json_object_get(nas_result, "result"))
		view_entry_summary(stdout, &m->o->cli.view, nas_result);
	if (!r->at)
		fprintf(stderr, r->at_known ? "nasctl: %s does not run\nremedy: look at its log on %s, then: virsh start\n" :
			"nasctl: nobody says whether %s runs\nremedy: nasctl guests; look at %s before it is started elsewhere\n",
			m->g.name, m->from.conf->name);
	printf("%s runs on %s, %s", m->g.name, r->at ? r->at->conf->name : r->at_known ? "no hypervisor" : "an unknown hypervisor",
	       where_storage(r, nas, left));
	if (stats)
		printf("; total %s, stopped for %lld ms as QEMU counts, %s sent in %lld passes", view_duration(took, total),
		       (long long)js_int(stats, "downtime_ms"), view_bytes(js_int(stats, "memory_sent"), bytes),
		       (long long)js_int(stats, "iteration"));
	putchar('\n');
	json_decref(stats);
}

/* The limit is the domain's: what it was comes back, unless the domain is gone. False: it cannot be set. */
static bool limit_downtime(const struct run *r, unsigned long long ms, unsigned long long *was)
{
	return (!was || virDomainMigrateGetMaxDowntime(r->dom, was, 0) == 0) &&
	       virDomainMigrateSetMaxDowntime(r->dom, ms, 0) == 0;
}

/* Both halves have been begun; waits for both. */
static enum cli_exit finish(struct run *r)
{
	const json_t *nas_result = NULL;
	enum cli_exit nas = CLI_DONE, code;
	int64_t took = monotonic_us() - r->began;
	bool left = false;

	if (r->forced && r->result < 0)
		virDomainResume(r->dom); /* as libvirt does itself, when it can */
	find_it(r);
	if (r->nas && has_moved(r)) {
		nas_go(r->nas); /* had its stop not been seen */
	} else if (r->nas && nas_look(r->nas) == NAS_HELD) {
		left = true;
		nas_leave(r->nas);
	}
	if (r->nas)
		nas = nas_end(r->nas, &nas_result);
	code = verdict(r, nas, left);
	tell(r, code, nas, left, nas_result, took);
	return code;
}

/* The storage's half first: when it cannot be had, nothing has happened. */
static enum cli_exit hold_storage(struct run *r)
{
	const struct hyper_options *o = r->m->o;
	unsigned limit = o->timeout_s ? o->timeout_s : DEFAULT_TIMEOUT_S;
	enum cli_exit code;
	const json_t *e;

	r->nas = nas_begin(o, r->m->g.group->name, limit > 3540 ? 3600 : limit + 60);
	if (!r->nas)
		return CLI_FAILED;
	if (nas_wait_held(r->nas) == NAS_HELD)
		return CLI_DONE;
	code = nas_end(r->nas, &e);
	if (code != CLI_DONE) {
		struct err err;

		err_set(&err, ERR_REFUSED, EBUSY, "storage", "%s", js_text(e, "message"));
		err_remedy(&err, "%s", js_text(e, "remedy"));
		complain(&o->cli, code, &err);
	} else if (!o->cli.json) {
		printf("the storage: %s\n", js_text(e, "note"));
	}
	nas_free(r->nas);
	r->nas = NULL;
	return code;
}

static enum cli_exit run_move(const struct move *m)
{
	struct run r = { .m = m, .callback = -1, .to_callback = -1, .seen = json_array() };
	enum cli_exit code = CLI_DONE;
	pthread_t thread;
	int64_t said = monotonic_us();
	bool away = false;
	struct err err;

	if (watch_open(&r, &err) < 0) {
		watch_close(&r);
		json_decref(r.seen);
		return complain(&m->o->cli, CLI_FAILED, &err);
	}
	hyper_catch_signals();
	signal(SIGPIPE, SIG_IGN);
	if (m->o->downtime_ms && !limit_downtime(&r, m->o->downtime_ms, &r.downtime_was)) {
		host_error(&err, m->g.name, "its longest downtime cannot be set");
		err_remedy(&err, "leave --downtime away");
		code = complain(&m->o->cli, CLI_FAILED, &err);
	}
	if (code == CLI_DONE && m->o->with_nas)
		code = hold_storage(&r);
	if (code == CLI_DONE && hyper_interrupted()) {
		fprintf(stderr, "nasctl: %s: it was interrupted; nothing has moved\n", m->g.name);
		code = CLI_ROLLED_BACK;
	}
	r.began = monotonic_us();
	r.began_wall = wall_us();
	if (code == CLI_DONE && pthread_create(&thread, NULL, carry, &r) != 0)
		code = CLI_FAILED;
	if (code == CLI_DONE) {
		while (!atomic_load(&r.ended)) {
			nanosleep(&(struct timespec){ .tv_nsec = LOOK_US * 1000 }, NULL);
			look(&r, &said);
		}
		pthread_join(thread, NULL);
		code = finish(&r);
		away = r.result == 0;
	}
	if (r.downtime_was && !away)
		limit_downtime(&r, r.downtime_was, NULL);
	watch_close(&r);
	nas_free(r.nas);
	json_decref(r.seen);
	return code;
}

/* ---- who, where */

/* Where it is active: m->from and m->dom. */
static enum cli_exit find_guest(struct move *m)
{
	struct err unreachable = { 0 }, err = { 0 };
	unsigned found = 0;

	for (size_t i = 0; i < m->c->n_hypervisors; i++) {
		struct host h;
		virDomainPtr d = NULL;

		if (host_open(&h, &m->c->hypervisors[i]) < 0)
			unreachable = h.err;
		else
			d = virDomainLookupByName(h.conn, m->o->guest);
		if (d && virDomainIsActive(d) == 1 && ++found == 1) {
			m->from = h;
			m->dom = d;
			continue;
		}
		if (d)
			virDomainFree(d);
		host_close(&h);
	}
	if (found == 1)
		return CLI_DONE;
	if (found) {
		err_set(&err, ERR_REFUSED, EEXIST, m->o->guest, "runs on more than one hypervisor");
		err_remedy(&err, "NEVER let two run on one disk: stop the wrong one at once, then look at the disk");
		return complain(&m->o->cli, CLI_REFUSED, &err);
	}
	if (unreachable.cls != ERR_NONE)
		return complain(&m->o->cli, CLI_UNREACHABLE, &unreachable);
	err_set(&err, ERR_REFUSED, ENOENT, m->o->guest, "no hypervisor of nasd.conf runs a guest of that name");
	err_remedy(&err, "nasctl guests");
	return complain(&m->o->cli, CLI_REFUSED, &err);
}

static enum cli_exit show_preflight(const struct move *m, json_t *findings, bool ready)
{
	const struct cli *cli = &m->o->cli;
	json_t *shown;

	if (cli->json) {
		shown = json_pack("{s:O, s:b}", "findings", findings, "ready", (int)ready);
		print_json(shown);
	} else {
		shown = json_printable(findings);
		view_findings(stdout, &cli->view, shown);
		printf("%s%s%s: %s %s move to %s%s%s\n", view_on(&cli->view, ready ? TONE_GOOD : TONE_BAD),
		       ready ? "ready" : "not ready", view_off(&cli->view), m->g.name, ready ? "can" : "cannot",
		       m->to.conf->name, m->o->with_nas ? ", its storage to " : "", m->o->with_nas ? m->o->with_nas : "");
		if (m->o->cli.dry_run)
			puts("dry run: nothing was changed");
	}
	json_decref(shown);
	return ready ? CLI_DONE : CLI_REFUSED;
}

static enum cli_exit judge_and_run(struct move *m)
{
	json_t *findings;
	enum cli_exit code = CLI_DONE;
	struct err err;
	bool ready;

	if (guest_read(&m->g, m->dom, &m->from, m->c, &err) < 0)
		return complain(&m->o->cli, CLI_FAILED, &err);
	if (!m->g.group) {
		err_set(&err, ERR_REFUSED, ENOENT, m->g.name, "none of its disks is on an export of this cluster");
		err_remedy(&err, "see 'nasctl guests', and `mounts' in nasd.conf's section `hypervisor %s'", m->from.conf->name);
		return complain(&m->o->cli, CLI_REFUSED, &err);
	}
	if (host_open(&m->to, m->to.conf) < 0)
		return complain(&m->o->cli, CLI_UNREACHABLE, &m->to.err);
	findings = preflight(m, &ready);
	if (m->o->cli.dry_run || !ready)
		code = show_preflight(m, findings, ready);
	json_decref(findings);
	return m->o->cli.dry_run || !ready ? code : run_move(m);
}

enum cli_exit hyper_migrate(const struct hyper_options *o, const struct conf *c)
{
	struct move m = { .o = o, .c = c };
	const struct conf_hypervisor *to = conf_hypervisor_find(c, o->to);
	enum cli_exit code;
	struct err err;

	if (!to) {
		err_set(&err, ERR_INPUT, EINVAL, "--to", "nasd.conf has no section `hypervisor %.64s'", o->to);
		err_remedy(&err, "name one of those, or add it: nasd.conf(5)");
		return complain(&o->cli, CLI_USAGE, &err);
	}
	if (o->with_nas && conf_node_index(c, o->with_nas) < 0) {
		err_set(&err, ERR_INPUT, EINVAL, "--with-nas", "there is no node `%.64s'", o->with_nas);
		err_remedy(&err, "%s or %s", c->nodes[0].name, c->nodes[1].name);
		return complain(&o->cli, CLI_USAGE, &err);
	}
	code = find_guest(&m);
	if (code != CLI_DONE)
		return code;
	m.to.conf = to;
	if (m.from.conf == to) {
		printf(o->cli.json ? "{\"result\": \"done\", \"note\": \"it runs there already\"}\n" : "it runs there already\n");
	} else {
		code = judge_and_run(&m);
	}
	virDomainFree(m.dom);
	host_close(&m.from);
	host_close(&m.to);
	return code;
}
