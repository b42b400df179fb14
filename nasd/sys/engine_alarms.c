/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the facts show to be wrong, said in the log when it begins and when it has
 * ended. Nothing is decided here; 'nasctl status' shows the same for as long as it
 * is so.
 */
#include "engine_internal.h"

#include <stdio.h>
#include <string.h>

#include "log.h"

enum { MUTE_MS = 3000 }; /* a busy server is slow to answer */

#define SAY(g, prio, ...) log_write(prio, &(struct log_fields){ .group = (g)->conf->name }, __VA_ARGS__)

/* True when there is something to say. */
static bool turned(bool *said, bool now)
{
	bool differs = *said != now;

	*said = now;
	return differs;
}

static void filesystem(struct egroup *g, const struct facts *f)
{
	unsigned long long mib = f->fs_free_bytes >> 20;

	if (turned(&g->alarms.readonly, f->mounted && f->fs_readonly)) {
		if (f->mounted && f->fs_readonly)
			SAY(g, LOGP_ERR, "the filesystem on %s has become READ-ONLY: the kernel has met an error in it (its log "
			    "says which); clients get EROFS. The other node would have the same filesystem: repair it by hand, "
			    "nasd(8), A FILESYSTEM THAT IS READ-ONLY", g->conf->fs.mount);
		else
			SAY(g, LOGP_NOTICE, "the filesystem on %s is not read-only any more, or not here", g->conf->fs.mount);
	}
	if (turned(&g->alarms.full, facts_fs_full(f))) {
		if (facts_fs_full(f))
			SAY(g, LOGP_ERR, "the filesystem on %s is %sfull: %llu MiB are free; delete, or make it larger", g->conf->fs.mount,
			    f->fs_free_bytes ? "nearly " : "", mib);
		else
			SAY(g, LOGP_NOTICE, "the filesystem on %s has room again, or is not here any more", g->conf->fs.mount);
	}
}

static void server(struct egroup *g, const struct facts *f)
{
	bool mute = f->server == SERVER_SERVING && f->server_unanswered_ms >= MUTE_MS;

	if (!turned(&g->alarms.mute, mute))
		return;
	if (mute)
		SAY(g, LOGP_ERR, "ganesha (pid %d) has not answered an NFS call for %lld s%s", f->server_pid,
		    (long long)f->server_unanswered_ms / 1000,
		    f->drbd_suspended	? "; DRBD has suspended I/O" :
		    f->server_silent_ms ? ", nor on D-Bus, nor its module" :
					  "; it does answer on D-Bus or by its module: it is busy, or waits for its disk");
	else
		SAY(g, LOGP_NOTICE, "ganesha answers NFS calls again, or serves no more");
}

static void addresses(struct egroup *g, const struct facts *f)
{
	for (unsigned i = 0; i < f->n_addresses && i < GROUP_ADDRS_MAX; i++) {
		const struct facts_address *a = &f->addresses[i];
		bool stolen = a->present && a->answered;

		if (!turned(&g->alarms.stolen[i], stolen))
			continue;
		if (stolen)
			SAY(g, LOGP_ERR, "the floating address %s is ANSWERED BY ANOTHER HOST, %s on %s: clients may be talking to "
			    "that one. Take it away there; until then it is announced from here again and again", a->text,
			    a->answered_mac, a->ifname);
		else
			SAY(g, LOGP_NOTICE, "nobody else answers for %s any more, or it is not here any more", a->text);
	}
}

void egroup_alarms(struct egroup *g, const struct facts *f)
{
	struct group_view v;

	filesystem(g, f);
	server(g, f);
	addresses(g, f);
	group_look(g->core, &v);
	if (!turned(&g->alarms.split, v.split_brain))
		return;
	if (v.split_brain)
		SAY(g, LOGP_ERR, "SPLIT BRAIN of DRBD %s: both copies were changed while they did not replicate. The owner's "
		    "node serves on; an operator must choose whose changes are lost: nasctl status, nasd(8) SPLIT BRAIN",
		    g->conf->drbd.resource);
	else
		SAY(g, LOGP_NOTICE, "DRBD %s: no split brain is seen any more", g->conf->drbd.resource);
}
