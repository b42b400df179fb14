/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A move that ends by post-copy (--postcopy): the guest goes on at the target before its
 * memory is there, and what it misses is fetched from the source. From the switch on it
 * needs both: nothing here cancels the move any more.
 */
#include "migrate.h"

#include <errno.h>
#include <string.h>

#include "ask.h"
#include "clocks.h"

enum { POSTCOPY_STILL_US = 5000000 };

bool postcopy_state(int state, int reason)
{
	if (state == VIR_DOMAIN_RUNNING)
		return reason == VIR_DOMAIN_RUNNING_POSTCOPY || reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED;
	return state == VIR_DOMAIN_PAUSED && (reason == VIR_DOMAIN_PAUSED_POSTCOPY || reason == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED);
}

bool postcopy_domain(virDomainPtr dom)
{
	int state, reason;

	return virDomainGetState(dom, &state, &reason, 0) == 0 && postcopy_state(state, reason);
}

/* ---- the switch */

void postcopy_explain(struct run *r)
{
	if (!r->m->o->postcopy || r->asked || !strstr(r->err.msg, "ostcopy is not supported"))
		return;
	err_remedy(&r->err, "on %s: sysctl -w vm.unprivileged_userfaultfd=1 (QEMU's log says what is missing), or leave --postcopy away",
		   r->m->to.conf->name);
}

/* Memory is sent: a switch that was asked for before that is forgotten by QEMU. */
static bool is_due(const struct run *r, const json_t *stats)
{
	const struct hyper_options *o = r->m->o;

	if (!js_int(stats, "memory_sent"))
		return false;
	return o->postcopy_after_s ? monotonic_us() - r->began >= (int64_t)o->postcopy_after_s * 1000000 : js_int(stats, "iteration") > 1;
}

void postcopy_look(struct run *r, const json_t *stats)
{
	if (!r->m->o->postcopy || r->cancelling || atomic_load(&r->stopped) || !is_due(r, stats))
		return;
	if (virDomainMigrateStartPostCopy(r->dom, 0) < 0 || r->asked)
		return;
	r->asked = true;
	if (r->m->o->cli.json)
		return;
	printf("post-copy: %s goes on at %s now, what it misses of its memory follows; it cannot be cancelled any more\n", r->m->g.name,
	       r->m->to.conf->name);
	fflush(stdout);
}

void postcopy_too_late(struct run *r, const char *why)
{
	if (r->too_late == why)
		return;
	r->too_late = why;
	fprintf(stderr, "nasctl: %s: %s, but %s is in post-copy: it cannot be cancelled any more, and goes on\n", r->m->g.name, why,
		r->m->g.name);
}

/* ---- when it has broken off */

bool postcopy_forsaken(struct run *r)
{
	int64_t now = monotonic_us();
	int state;

	if (!atomic_load(&r->post) || virDomainGetState(r->dom, &state, NULL, 0) == 0 || !host_no_domain())
		r->gone_at = 0;
	else if (!r->gone_at)
		r->gone_at = now;
	return r->gone_at && now - r->gone_at >= AGAIN_US / 2;
}

bool postcopy_moves_on(struct run *r)
{
	json_t *stats = watch_job_stats(r->dom, 0);
	json_int_t sent = js_int(stats, "memory_sent");
	int64_t now = monotonic_us();

	json_decref(stats);
	if (sent != r->sent || !r->sent_at)
		r->sent_at = now;
	r->sent = sent;
	return now - r->sent_at < POSTCOPY_STILL_US;
}

bool postcopy_broke(const struct run *r)
{
	return r->result < 0 && r->half_at_source + r->half_at_target > 0;
}

void postcopy_tell_broken(const struct run *r)
{
	const char *guest = r->m->g.name, *from = r->m->from.conf->name, *to = r->m->to.conf->name;
	const char *here = r->half_at_source ? from : to, *there = r->half_at_source ? to : from;

	if (r->half_at_source && r->half_at_target)
		fprintf(stderr,
			"nasctl: %s: post-copy has broken off: a part of its memory is on %s still\n"
			"remedy: NEVER destroy either of the two; when they reach each other again: nasctl migrate %s --to %s --postcopy-resume\n",
			guest, from, guest, to);
	else if (r->half_known)
		fprintf(stderr,
			"nasctl: %s: post-copy has broken off: its QEMU on %s has died, and what was in its memory is lost\n"
			"remedy: its disk is whole: on %s virsh destroy %s, then start it again: nasd-hyper(8)\n",
			guest, there, here, guest);
	else
		fprintf(stderr,
			"nasctl: %s: post-copy has broken off, and %s, where half of its memory is, does not answer\n"
			"remedy: when it is cut off only, mend that, then: nasctl migrate %s --to %s --postcopy-resume; when it has died, "
			"what was in the guest's memory is lost, its disk is whole: on %s virsh destroy %s, then start it again: nasd-hyper(8)\n",
			guest, there, guest, to, here, guest);
}

/* ---- --postcopy-resume */

int postcopy_may_resume(const struct move *m, struct err *err)
{
	const char *guest = m->o->guest, *from = m->from.conf->name;
	int state, reason;

	if (virDomainGetState(m->dom, &state, &reason, 0) < 0)
		return host_error(err, from, "the guest's state cannot be told");
	if (state != VIR_DOMAIN_PAUSED || !postcopy_state(state, reason)) {
		err_set(err, ERR_REFUSED, EINVAL, guest, "is not in post-copy from %s: nothing has broken off", from);
		err_remedy(err, "nasctl guests");
		return -EINVAL;
	}
	if (reason == VIR_DOMAIN_PAUSED_POSTCOPY) {
		err_set(err, ERR_REFUSED, EBUSY, guest, "its post-copy from %s goes on still, as libvirt says", from);
		err_remedy(err, "wait; when its network is broken: on %s virsh domjobabort --postcopy %s, then try again", from, guest);
		return -EBUSY;
	}
	return 0;
}

void postcopy_resume_begins(struct run *r)
{
	r->asked = true;
	atomic_store(&r->post, true);
	atomic_store(&r->stopped, true);
	virDomainAbortJobFlags(r->dom, VIR_DOMAIN_ABORT_JOB_POSTCOPY); /* a QEMU that waits for a dead connection still lets go of it */
}
