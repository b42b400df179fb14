/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "migrate.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <libvirt/virterror.h>

#include "clocks.h"

enum { SAY_US = 1000000, SEEN_MAX = 4000, QUIET = 4 };

/* ---- in libvirt's threads */

static void note_stopped(struct run *r)
{
	if (atomic_exchange(&r->stopped, true))
		return;
	atomic_store(&r->stopped_us, monotonic_us());
	if (r->nas)
		nas_go(r->nas);
}

/* The source's QEMU has stopped the guest for the last of its memory, or was told to.
 * Not one that stands still because of an error: that one does not move. */
static int on_life(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *data)
{
	struct run *r = data;

	(void)conn;
	(void)dom;
	if (event == VIR_DOMAIN_EVENT_SUSPENDED && detail == VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY)
		atomic_store(&r->post, true);
	if (event == VIR_DOMAIN_EVENT_SUSPENDED &&
	    (detail == VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED || detail == VIR_DOMAIN_EVENT_SUSPENDED_PAUSED))
		note_stopped(r);
	return 0;
}

/* The target's QEMU runs it. */
static int on_life_there(virConnectPtr conn, virDomainPtr dom, int event, int detail, void *data)
{
	struct run *r = data;
	int64_t never = 0;

	(void)conn;
	(void)detail;
	if (event == VIR_DOMAIN_EVENT_RESUMED && !strcmp(virDomainGetName(dom), r->m->g.name))
		atomic_compare_exchange_strong(&r->resumed_us, &never, monotonic_us()); /* once more at the end of a post-copy */
	return 0;
}

/* ---- watching */

json_t *watch_job_stats(virDomainPtr dom, unsigned flags)
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
		{ VIR_DOMAIN_JOB_MEMORY_POSTCOPY_REQS, "postcopy_requests" },
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

static void say_progress(const struct run *r, json_t *s)
{
	char left[VIEW_VALUE_MAX], total[VIEW_VALUE_MAX], took[VIEW_VALUE_MAX];
	bool known = js_int(s, "memory_total") > 0, post = atomic_load(&r->post);

	if (s && json_array_size(r->seen) < SEEN_MAX) {
		json_object_set_new(s, "at_us", json_integer(monotonic_us() - r->began));
		json_array_append(r->seen, s);
	}
	if (r->m->o->cli.json || (post && !known))
		return;
	if (!known)
		printf("%10s  %s prepares\n", view_duration(monotonic_us() - r->began, took), r->m->to.conf->name);
	else if (post)
		printf("%10s  post-copy: %s of %s left, %lld times it had to wait for some\n", view_duration(monotonic_us() - r->began, took),
		       view_bytes(js_int(s, "memory_remaining"), left), view_bytes(js_int(s, "memory_total"), total),
		       (long long)js_int(s, "postcopy_requests"));
	else
		printf("%10s  memory: pass %lld, %s of %s left, %lld pages/s dirtied\n",
		       view_duration(monotonic_us() - r->began, took), (long long)js_int(s, "iteration"),
		       view_bytes(js_int(s, "memory_remaining"), left), view_bytes(js_int(s, "memory_total"), total),
		       (long long)js_int(s, "dirty_pages_per_s"));
	fflush(stdout);
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

static const char *reason_to_cancel(const struct run *r, int64_t took_s)
{
	if (virConnectIsAlive(r->m->to.conn) == 0) /* QEMU would go on trying for minutes, and the guest stand */
		return "the target's libvirtd does not answer any more";
	if (!may_cancel(r) && !r->asked)
		return NULL;
	if (hyper_interrupted())
		return "it was interrupted";
	if (r->nas && nas_called_off(r->nas))
		return "nasd has called the storage's move off";
	return took_s >= run_limit_s(r) ? "the guest did not get over in time" : NULL;
}

/* A question to its QEMU would be one for whose answer the guest waits. */
static bool stands(const struct run *r)
{
	return atomic_load(&r->stopped) && !r->forced && !(atomic_load(&r->post) && (r->m->o->resume || atomic_load(&r->resumed_us)));
}

void watch_look(struct run *r)
{
	const struct hyper_options *o = r->m->o;
	int64_t now = monotonic_us(), took_s = (now - r->began) / 1000000;
	const char *why = reason_to_cancel(r, took_s);
	json_t *stats;

	if (why && r->asked)
		postcopy_too_late(r, why);
	else if (why)
		cancel(r, why);
	if (o->force_after_s && took_s >= o->force_after_s && !r->forced && !r->cancelled && !atomic_load(&r->stopped)) {
		r->forced = virDomainSuspend(r->dom) == 0;
		if (r->forced && !o->cli.json)
			printf("the guest is stopped now, so that the rest gets over (--force-after)\n");
	}
	if (now - r->said < SAY_US || stands(r))
		return;
	r->said = now;
	stats = watch_job_stats(r->dom, 0);
	postcopy_look(r, stats);
	say_progress(r, stats);
	json_decref(stats);
}

static int begin_watching(struct run *r, int64_t us, struct err *err)
{
	const struct move *m = r->m;

	r->callback = -1;
	if (host_open_within(&r->watch, m->from.conf, us) < 0) {
		*err = r->watch.err;
		return -EIO;
	}
	r->dom = virDomainLookupByName(r->watch.conn, m->g.name);
	r->gone = !r->dom && host_no_domain();
	r->callback = !r->dom ? -1 :
		virConnectDomainEventRegisterAny(r->watch.conn, r->dom, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
						 VIR_DOMAIN_EVENT_CALLBACK(on_life), r, NULL);
	return r->callback < 0 ? host_error(err, m->from.conf->name, "the guest cannot be watched") : 0;
}

static void end_watching(struct run *r)
{
	if (r->dom && r->callback >= 0)
		virConnectDomainEventDeregisterAny(r->watch.conn, r->callback);
	if (r->dom)
		virDomainFree(r->dom);
	r->dom = NULL;
	host_close(&r->watch);
}

int watch_open(struct run *r, struct err *err)
{
	if (begin_watching(r, AGAIN_US, err) < 0)
		return -EIO;
	r->to_callback = virConnectDomainEventRegisterAny(r->m->to.conn, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
							  VIR_DOMAIN_EVENT_CALLBACK(on_life_there), r, NULL);
	return 0; /* only a time is lost without it */
}

void watch_close(struct run *r)
{
	if (r->to_callback >= 0)
		virConnectDomainEventDeregisterAny(r->m->to.conn, r->to_callback);
	end_watching(r);
}

/* ---- when the connection by which it was asked for has broken */

/* 1: the source works on it still; 0: it does not; negative: it does not say. */
static int under_way(struct run *r)
{
	virDomainJobInfo job = { .type = VIR_DOMAIN_JOB_NONE };
	int state, reason;

	if (!r->dom)
		return r->gone ? 0 : -EIO;
	if (virDomainGetState(r->dom, &state, &reason, 0) < 0)
		return host_no_domain() ? 0 : -EIO;
	if (state == VIR_DOMAIN_PAUSED && (reason == VIR_DOMAIN_PAUSED_MIGRATION || postcopy_state(state, reason))) {
		atomic_store(&r->post, postcopy_state(state, reason));
		note_stopped(r);
		return reason != VIR_DOMAIN_PAUSED_POSTCOPY_FAILED || postcopy_moves_on(r);
	}
	if (virDomainGetJobInfo(r->dom, &job) < 0) {
		virErrorPtr e = virGetLastError();

		/* it has been stopped just now */
		return host_no_domain() || (e && e->code == VIR_ERR_OPERATION_INVALID) ? 0 : -EIO;
	}
	return job.type == VIR_DOMAIN_JOB_BOUNDED || job.type == VIR_DOMAIN_JOB_UNBOUNDED;
}

bool watch_to_the_end(struct run *r)
{
	int64_t now = monotonic_us(), limit = r->began + (int64_t)run_limit_s(r) * 1000000, silent = 0;
	int64_t until = (limit > now ? limit : now) + AGAIN_US;
	unsigned quiet = 0; /* a libvirtd that was started again knows its guests before their jobs */
	struct err err;

	for (; now < until || r->asked; now = monotonic_us()) { /* a post-copy ends by itself only */
		int on = under_way(r);

		if (on == 0 && ++quiet == QUIET)
			return true;
		if (on >= 0)
			silent = 0;
		if (on > 0) {
			quiet = 0;
			watch_look(r);
		} else if (on < 0) {
			silent = silent ? silent : now;
			if (now - silent >= AGAIN_US)
				return false;
			end_watching(r);
			begin_watching(r, silent + AGAIN_US - now, &err);
		}
		nanosleep(&(struct timespec){ .tv_nsec = LOOK_US * 1000 }, NULL);
	}
	return false;
}
