/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate.h"

#include <errno.h>
#include <time.h>

#include "ask.h"
#include "clocks.h"

static const char *where_storage(const struct run *r, enum cli_exit nas, bool left)
{
	if (!r->nas)
		return "the storage stays where it is";
	if (left)
		return "the storage is where it was";
	return nas == CLI_DONE ? "the storage has moved" :
	       nas == CLI_UNKNOWN ? "it is not known where the storage is: nasctl status" :
				    "the storage has not moved as asked: nasctl status";
}

/* VIR_DOMAIN_..., NOSTATE where it is not known; negative: nobody says. */
static int state_by(virConnectPtr conn, const char *name, int *reason)
{
	virDomainPtr d = virDomainLookupByName(conn, name);
	int state = VIR_DOMAIN_NOSTATE;

	if (!d)
		return host_no_domain() ? state : -EIO;
	if (virDomainGetState(d, &state, reason, 0) < 0)
		state = -EIO;
	virDomainFree(d);
	return state;
}

/* A libvirtd that died in the move is started again, and knows its guests. */
static int state_on(const struct host *h, const char *name, int64_t us, int *reason)
{
	int64_t until = monotonic_us() + us;
	int state = state_by(h->conn, name, reason);

	while (state < 0 && monotonic_us() < until) {
		struct host again;

		nanosleep(&(struct timespec){ .tv_nsec = LOOK_US * 1000 }, NULL);
		if (host_open_within(&again, h->conf, until - monotonic_us()) == 0)
			state = state_by(again.conn, name, reason);
		host_close(&again);
	}
	return state;
}

/* What libvirt says of the move is not where the guest is: who was asked may have died of it. */
static void find_it(struct run *r)
{
	int64_t again_us = r->unwatched ? AGAIN_US / 10 : AGAIN_US; /* most of it is over */
	const struct host *hosts[2] = { &r->m->to, &r->m->from };
	bool *half[2] = { &r->half_at_target, &r->half_at_source };

	r->at_known = !r->unwatched;
	/* while it is moved, it runs on the source */
	for (int i = 0; i < (r->unwatched ? 1 : 2) && (!r->at || r->half_at_target); i++) {
		int reason = 0, state = state_on(hosts[i], r->m->g.name, again_us, &reason);

		r->at_known = r->at_known && state >= 0;
		*half[i] = r->result < 0 && state >= 0 && postcopy_state(state, reason);
		if (!r->at && (state == VIR_DOMAIN_RUNNING || state == VIR_DOMAIN_BLOCKED))
			r->at = hosts[i];
	}
	r->half_known = r->at_known;
	if (!r->at && r->result == 0)
		r->at = &r->m->to;
	r->at_known = r->at_known || r->at;
	if (postcopy_broke(r))
		r->at = NULL;
}

static bool has_moved(const struct run *r)
{
	return r->result == 0 || r->at == &r->m->to;
}

static enum cli_exit verdict(const struct run *r, enum cli_exit nas, bool left)
{
	if (r->nas && !left && nas == CLI_UNKNOWN)
		return CLI_UNKNOWN;
	if (has_moved(r))
		return !r->nas || nas == CLI_DONE ? CLI_DONE : CLI_FAILED;
	if (postcopy_broke(r))
		return CLI_FAILED;
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

static void tell_json(const struct run *r, enum cli_exit code, bool left, const json_t *nas_result, int64_t took, json_t *stats)
{
	const struct move *m = r->m;
	json_t *out = json_pack("{s:s, s:s, s:s, s:s, s:s*, s:I, s:I, s:o*, s:o*, s:O*, s:b, s:s*, s:O*, s:O*, s:b, s:b}",
				"result", word_of(code), "guest", m->g.name, "from", m->from.conf->name, "to", m->to.conf->name, "runs_on", r->at ? r->at->conf->name : NULL,
				"began_wall_us", (json_int_t)r->began_wall, "total_us", (json_int_t)took,
				"stopped_us", since_began(r, r->stopped_us), "resumed_us", since_began(r, r->resumed_us),
				"progress", r->seen, "forced", (int)r->forced, "cancelled",
				r->result == 0 ? NULL : r->cancelled ? r->cancelled : r->err.msg, "memory", stats,
				"storage", left ? NULL : nas_result, "postcopy", (int)atomic_load(&r->post), "broken_off", (int)postcopy_broke(r));

	print_json(out);
	json_decref(out);
}

/* What has gone wrong with the guest's half, and what to do. */
static void tell_trouble(const struct run *r)
{
	if (r->result < 0)
		fprintf(stderr, "nasctl: %s: %s%s\n", r->m->g.name, r->cancelled ? r->cancelled : r->err.msg,
			has_moved(r) ? "; it has moved all the same" : "");
	if (r->result < 0 && !r->cancelled && !has_moved(r) && !postcopy_broke(r) && r->err.remedy[0])
		fprintf(stderr, "remedy: %s\n", r->err.remedy);
}

/* Nobody knows it running. */
static void tell_astray(const struct run *r)
{
	const char *guest = r->m->g.name, *from = r->m->from.conf->name;

	if (postcopy_broke(r))
		postcopy_tell_broken(r);
	else if (!r->at && r->unwatched)
		fprintf(stderr, "nasctl: libvirt on %s may be moving %s still\n"
			"remedy: virsh domjobinfo %s there, then nasctl guests; until it is known where it runs it must not be started\n",
			from, guest, guest);
	else if (!r->at)
		fprintf(stderr, r->at_known ? "nasctl: %s does not run\nremedy: look at its log on %s, then: virsh start\n" :
			"nasctl: nobody says whether %s runs\nremedy: nasctl guests; look at %s before it is started elsewhere\n",
			guest, from);
}

static void tell_place(const struct run *r, const char *storage)
{
	const struct move *m = r->m;

	if (postcopy_broke(r))
		printf("%s is between %s and %s, %s", m->g.name, m->from.conf->name, m->to.conf->name, storage);
	else
		printf("%s runs on %s, %s", m->g.name, r->at ? r->at->conf->name : r->at_known ? "no hypervisor" : "an unknown hypervisor",
		       storage);
}

static void tell_figures(const struct run *r, int64_t took, const json_t *stats)
{
	char total[VIEW_VALUE_MAX], text[VIEW_VALUE_MAX];
	bool post = r->result == 0 && atomic_load(&r->post); /* of such a one libvirt keeps no figures */

	if (!post && !stats)
		return;
	printf("; total %s", view_duration(took, total));
	if (!post)
		printf(", stopped for %lld ms as QEMU counts, %s sent in %lld passes", (long long)js_int(stats, "downtime_ms"),
		       view_bytes(js_int(stats, "memory_sent"), text), (long long)js_int(stats, "iteration"));
	else if (r->stopped_us && r->resumed_us)
		printf(", stopped for %s", view_duration(r->resumed_us - r->stopped_us, text));
}

static void tell(const struct run *r, enum cli_exit code, enum cli_exit nas, bool left, const json_t *nas_result, int64_t took)
{
	const struct move *m = r->m;
	virDomainPtr there = r->result == 0 ? virDomainLookupByName(m->to.conn, m->g.name) : NULL;
	json_t *stats = there ? watch_job_stats(there, VIR_DOMAIN_JOB_STATS_COMPLETED) : NULL;

	if (there)
		virDomainFree(there);
	if (m->o->cli.json) {
		tell_json(r, code, left, nas_result, took, stats);
		json_decref(stats);
		return;
	}
	tell_trouble(r);
	if (r->nas && !left && nas != CLI_DONE)
		fprintf(stderr, "nasctl: storage: %s\nremedy: %s\n", js_text(nas_result, "message"), js_text(nas_result, "remedy"));
	if (r->nas && !left && nas == CLI_DONE && json_object_get(nas_result, "result"))
		view_entry_summary(stdout, &m->o->cli.view, nas_result);
	tell_astray(r);
	tell_place(r, where_storage(r, nas, left));
	tell_figures(r, took, stats);
	putchar('\n');
	json_decref(stats);
}

/* Both halves have been begun; waits for both. */
enum cli_exit migrate_finish(struct run *r)
{
	const json_t *nas_result = NULL;
	enum cli_exit nas = CLI_DONE, code;
	int64_t took = monotonic_us() - r->began;
	bool left = false;

	if (r->result < 0 && (virConnectIsAlive(r->m->from.conn) != 1 || atomic_load(&r->post)))
		r->unwatched = !watch_to_the_end(r);
	if (r->forced && r->result < 0 && !r->unwatched)
		virDomainResume(r->dom); /* as libvirt does itself, when it can */
	find_it(r);
	if (r->nas && has_moved(r)) {
		nas_go(r->nas); /* had its stop not been seen */
	} else if (r->nas && nas_look(r->nas) == NAS_HELD) {
		left = true;
		nas_leave(r->nas);
	}
	if (r->nas)
		nas = nas_end(r->nas, run_nas_us(r), &nas_result);
	code = verdict(r, nas, left);
	tell(r, code, nas, left, nas_result, took);
	return code;
}
