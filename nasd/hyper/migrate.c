/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The move of a guest, and with --with-nas of its storage. hyper.h has the cases. */
#include "migrate.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ask.h"
#include "clocks.h"
#include "printable.h"

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
	if (o->postcopy || o->resume)
		flags |= VIR_MIGRATE_POSTCOPY;
	if (o->resume)
		flags |= VIR_MIGRATE_POSTCOPY_RESUME;
	if (m->to.conf->migrate_uri[0])
		virTypedParamsAddString(&params, &n, &room, VIR_MIGRATE_PARAM_URI, m->to.conf->migrate_uri);
	if (o->bandwidth)
		virTypedParamsAddULLong(&params, &n, &room, VIR_MIGRATE_PARAM_BANDWIDTH, o->bandwidth);
	if (o->bandwidth && (flags & VIR_MIGRATE_POSTCOPY))
		virTypedParamsAddULLong(&params, &n, &room, VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY, o->bandwidth);
	r->result = virDomainMigrateToURI3(m->dom, m->to.conf->uri, params, (unsigned)n, flags);
	if (r->result < 0) {
		host_error(&r->err, m->g.name, "libvirt did not move the guest");
		err_remedy(&r->err, "see the log of libvirtd on %s and %s", m->from.conf->name, m->to.conf->name);
		postcopy_explain(r);
	}
	virTypedParamsFree(params, n);
	atomic_store(&r->ended, true);
	return NULL;
}

/* The limit is the domain's: what it was comes back, unless the domain is gone. False: it cannot be set. */
static bool limit_downtime(const struct run *r, unsigned long long ms, unsigned long long *was)
{
	return (!was || virDomainMigrateGetMaxDowntime(r->dom, was, 0) == 0) &&
	       virDomainMigrateSetMaxDowntime(r->dom, ms, 0) == 0;
}

/* The storage's half first: when it cannot be had, nothing has happened. */
static enum cli_exit hold_storage(struct run *r)
{
	const struct hyper_options *o = r->m->o;
	unsigned limit = run_limit_s(r);
	enum nas_state state;
	enum cli_exit code;
	const json_t *e;

	r->nas = nas_begin(o, r->m->g.group->name, limit > 3540 ? 3600 : limit + 60);
	if (!r->nas)
		return CLI_FAILED;
	state = nas_wait_held(r->nas, run_nas_us(r));
	if (state == NAS_HELD || hyper_interrupted())
		return CLI_DONE; /* run_move says so, and hangs up */
	code = nas_end(r->nas, state == NAS_BEGUN ? 0 : run_nas_us(r), &e);
	if (code != CLI_DONE) {
		struct err err;

		err_set(&err, code == CLI_UNKNOWN ? ERR_TIMEOUT : ERR_REFUSED, EBUSY, "storage", "%s", js_text(e, "message"));
		err_remedy(&err, "%s", js_text(e, "remedy"));
		complain(&o->cli, code, &err);
	} else if (!o->cli.json) {
		printf("the storage: %s\n", js_text(e, "note"));
	}
	nas_free(r->nas);
	r->nas = NULL;
	return code;
}

/* Ends this program: what libvirt's call uses may not go before that. */
static _Noreturn void finish_without(struct run *r)
{
	enum cli_exit code;

	r->result = -1;
	err_set(&r->err, ERR_PEER, EIO, r->m->g.name, "libvirt on %s does not say how the move ended", r->m->from.conf->name);
	code = migrate_finish(r);
	fflush(stdout);
	_exit((int)code);
}

static enum cli_exit run_move(const struct move *m)
{
	struct run r = { .m = m, .callback = -1, .to_callback = -1, .seen = json_array() };
	enum cli_exit code = CLI_DONE;
	pthread_t thread;
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
	if (code == CLI_DONE && m->o->resume)
		postcopy_resume_begins(&r);
	else if (code == CLI_DONE && m->o->postcopy && !m->o->cli.json)
		printf("post-copy: " POSTCOPY_RISK "\n");
	r.said = r.began = monotonic_us();
	r.began_wall = wall_us();
	if (code == CLI_DONE && pthread_create(&thread, NULL, carry, &r) != 0)
		code = CLI_FAILED;
	if (code == CLI_DONE) {
		while (!atomic_load(&r.ended) && !postcopy_forsaken(&r)) {
			nanosleep(&(struct timespec){ .tv_nsec = LOOK_US * 1000 }, NULL);
			watch_look(&r);
		}
		if (!atomic_load(&r.ended))
			finish_without(&r);
		pthread_join(thread, NULL);
		code = migrate_finish(&r);
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

/* It is in post-copy; with --postcopy-resume m->from is where it came from. */
static enum cli_exit refuse_half(const struct move *m, unsigned found)
{
	struct err err;

	err_set(&err, ERR_REFUSED, EBUSY, m->o->guest, found ? POSTCOPY_BETWEEN :
		"only %s has a part of it", m->o->to);
	if (found)
		err_remedy(&err, POSTCOPY_WAIT, m->o->guest);
	else
		err_remedy(&err, "what its source had is lost when that has died: on %s virsh destroy %s, then start it again: nasd-hyper(8)",
			   m->o->to, m->o->guest);
	return complain(&m->o->cli, CLI_REFUSED, &err);
}

/* Where it is active: m->from and m->dom. */
static enum cli_exit find_guest(struct move *m)
{
	struct err unreachable = { 0 }, err = { 0 };
	unsigned found = 0;
	bool half = false;

	for (size_t i = 0; i < m->c->n_hypervisors; i++) {
		struct host h;
		virDomainPtr d = NULL;

		if (host_open(&h, &m->c->hypervisors[i]) < 0)
			unreachable = h.err;
		else
			d = virDomainLookupByName(h.conn, m->o->guest);
		half = half || (d && postcopy_domain(d));
		if (d && virDomainIsActive(d) == 1 && !(m->o->resume && !strcmp(h.conf->name, m->o->to)) && ++found == 1) {
			m->from = h;
			m->dom = d;
			continue;
		}
		if (d)
			virDomainFree(d);
		host_close(&h);
	}
	if (found == 1 && (!half || m->o->resume))
		return CLI_DONE;
	if (half && unreachable.cls == ERR_NONE)
		return refuse_half(m, found);
	if (found > 1) {
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
	if (m->o->resume)
		return postcopy_may_resume(m, &err) < 0 ? complain(&m->o->cli, CLI_REFUSED, &err) : run_move(m);
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
