/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "checks.h"
#include "split.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct judge {
	const struct check_input *in;
	struct finding *out;
	size_t n;
	struct finding spill; /* beyond FINDINGS_MAX */
};

/* There may be more findings than room: one that does not hold is never lost. */
static void keep_spilt(struct judge *j)
{
	if (j->n == FINDINGS_MAX && !j->spill.ok && j->out[j->n - 1].ok)
		j->out[j->n - 1] = j->spill;
	j->spill.ok = true;
}

/* Opens a finding that holds so far; message is what a reader sees when it does. */
static struct finding *add(struct judge *j, const char *check, int node, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static struct finding *add(struct judge *j, const char *check, int node, const char *fmt, ...)
{
	struct finding *f = &j->spill;
	va_list ap;

	keep_spilt(j);
	if (j->n < FINDINGS_MAX)
		f = &j->out[j->n++];
	memset(f, 0, sizeof(*f));
	f->ok = true;
	f->node = node;
	snprintf(f->check, sizeof(f->check), "%s", check);
	va_start(ap, fmt);
	vsnprintf(f->message, sizeof(f->message), fmt, ap);
	va_end(ap);
	return f;
}

static void fail(struct finding *f, const char *remedy, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void fail(struct finding *f, const char *remedy, const char *fmt, ...)
{
	va_list ap;

	f->ok = false;
	va_start(ap, fmt);
	vsnprintf(f->message, sizeof(f->message), fmt, ap);
	va_end(ap);
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy);
}

static void judge_pair(struct judge *j)
{
	const struct check_input *in = j->in;
	struct finding *f;

	f = add(j, "peer-connected", NODE_NONE, "the two nasd are connected");
	if (!in->peer_connected)
		fail(f, "start nasd on the other node and check the link addresses and the secret",
		     "the peer's nasd is not connected");
	if (split_brain(in->facts[0], in->facts[1]))
		fail(add(j, "drbd-split-brain", NODE_NONE, "%s", ""),
		     "choose whose changes are lost: 'nasctl status' names both ways, nasd(8) SPLIT BRAIN describes them",
		     "SPLIT BRAIN: both copies were changed while they did not replicate");
	f = add(j, "config-same", NODE_NONE, "both nodes run the same configuration");
	if (in->peer_connected && !in->config_same)
		fail(f, "copy the same nasd.conf to both nodes and restart nasd there; compare with 'nasctl config dump'",
		     "the configuration differs between the nodes");
	f = add(j, "version-same", NODE_NONE, "both nodes speak the same protocol");
	if (in->peer_connected && !in->version_same)
		fail(f, "install the same version of nasd on both nodes", "the nodes speak different versions of the peer protocol");
	f = add(j, "idle", NODE_NONE, "no other transaction runs");
	if (in->busy)
		fail(f, "wait for it to end: 'nasctl status'", "%s", in->busy);
	f = add(j, "source-active", in->source, "%s is active", in->node_names[in->source]);
	if (!in->source_active)
		fail(f, "see 'nasctl status' for why; 'nasctl takeover' starts a group that nobody serves",
		     "%s does not serve the group in full", in->node_names[in->source]);
}

static bool disk_is_gone(const struct facts *a)
{
	return !strcmp(a->drbd_disk, "Diskless") || !strcmp(a->drbd_disk, "Failed");
}

/* Silence is what both nodes see of a cut: who loses its peer must stop writing
 * until the other one cannot. */
static void judge_fencing(struct judge *j, int node, const struct facts *a)
{
	const char *policy = a->drbd_fencing[0] ? a->drbd_fencing : "not known";
	struct finding *f = add(j, "drbd-fencing", node, "fencing %s", policy);

	if (disk_is_gone(a) && !a->drbd_fencing[0])
		return; /* it goes with the disk */
	if (j->in->heartbeat && strcmp(a->drbd_fencing, "resource-and-stonith"))
		fail(f, "set 'fencing resource-and-stonith' and the handler nasd-fence-peer in DRBD's configuration, then drbdadm adjust; or trigger = manual",
		     "DRBD's fencing policy is %s: a node that loses its peer would write on while the other takes over", policy);
}

static void judge_drbd(struct judge *j, int node, const struct facts *a, bool is_source)
{
	struct finding *f;

	f = add(j, "drbd-connected", node, "DRBD %s", a->drbd_cstate);
	if (!a->drbd_known)
		fail(f, "bring the resource up: drbdadm up", "DRBD cannot be asked: %s", a->drbd_error);
	else if (!strncmp(a->drbd_cstate, "Sync", 4) || !strncmp(a->drbd_cstate, "PausedSync", 10) ||
		 !strncmp(a->drbd_cstate, "Verify", 6))
		fail(f, "wait until the resync has ended: 'nasctl status'", "a resync is running (%s, %llu KiB to go)",
		     a->drbd_cstate, (unsigned long long)(a->drbd_out_of_sync >> 10));
	else if (!facts_drbd_connected(a))
		fail(f, "check the replication network, then drbdadm connect", "DRBD is not connected (%s)",
		     a->drbd_cstate);
	if (!a->drbd_known)
		return; /* nothing more can be said */
	f = add(j, "drbd-io", node, "I/O runs");
	if (a->drbd_suspended)
		fail(f, "drbdadm resume-io, after finding out why it was suspended", "DRBD has suspended I/O");
	judge_fencing(j, node, a);
	f = add(j, "drbd-uptodate", node, "disk %s", a->drbd_disk);
	if (is_source && disk_is_gone(a))
		return; /* a reason to move, not to stay; the target's disk is judged as ever */
	if (strcmp(a->drbd_disk, "UpToDate"))
		fail(f, !strcmp(a->drbd_disk, "Diskless") ? "attach its disk, then let DRBD resync it: drbdadm attach" :
						 "let DRBD resync this node first: drbdadm status", "its disk is %s, not UpToDate",
		     a->drbd_disk[0] ? a->drbd_disk : "unknown");
}

/* No precondition: the other node has the same filesystem. */
static void judge_room(struct judge *j, int node, const struct facts *a)
{
	unsigned long long free_mib = a->fs_free_bytes >> 20;

	if (!a->fs_size_bytes)
		return;
	if (facts_fs_full(a))
		add(j, "filesystem-room", node, "%s: %llu MiB free of %llu; delete, or make it larger: moving does not help",
		    a->fs_free_bytes ? "NEARLY FULL" : "FULL", free_mib, (unsigned long long)a->fs_size_bytes >> 20);
	else
		add(j, "filesystem-room", node, "%llu MiB free", free_mib);
}

static void judge_fs(struct judge *j, int node, const struct facts *a, bool is_source)
{
	const struct check_input *in = j->in;
	struct finding *f;

	f = add(j, "mount-point", node, is_source ? "mounted" : "mount point free");
	if (!a->mount_dir_exists)
		fail(f, "create the mount point: mkdir -p", "the mount point does not exist");
	else if (is_source && !a->mounted)
		fail(f, "see 'nasctl status'", "the filesystem is not mounted on the active node");
	else if (!is_source && a->mount_dir_busy)
		fail(f, "unmount what is mounted there", "something else is mounted on the mount point");
	else if (!is_source && a->device_mounted_elsewhere)
		fail(f, "unmount it", "the device is mounted at another place on this node");
	f = add(j, "filesystem-uuid", node, "filesystem %s", a->fs_uuid[0] ? a->fs_uuid : "UUID not readable here");
	if (is_source && !a->fs_uuid[0])
		fail(f, "check the device with blkid", "the filesystem's UUID cannot be read");
	else if (a->fs_uuid[0] && strcmp(a->fs_uuid, in->expected_uuid))
		fail(f, "put the right uuid into nasd.conf, or the right disk under DRBD",
		     "the filesystem on the disk has UUID %s, the configuration says %s", a->fs_uuid,
		     in->expected_uuid);
	if (is_source) {
		f = add(j, "filesystem-writable", node, "writable");
		if (a->fs_readonly)
			fail(f, "find the cause in the kernel log, then repair it by hand: nasd(8), A FILESYSTEM THAT IS READ-ONLY",
			     "the filesystem is READ-ONLY: the kernel has met an error in it. The other node would have the same one");
		judge_room(j, node, a);
	}
}

static void judge_server(struct judge *j, int node, const struct facts *a, bool is_source)
{
	struct finding *f = add(j, "ganesha", node, "ganesha %s", server_state_name(a->server));

	if (is_source && j->in->server_bad)
		return; /* a reason to move */
	if (is_source && a->server != SERVER_SERVING)
		fail(f, "see the log of ganesha and 'nasctl status'", "ganesha is %s on the active node%s%s",
		     server_state_name(a->server), a->server_error[0] ? ": " : "", a->server_error);
	else if (!is_source && a->server != SERVER_WARM)
		fail(f, "see the log of ganesha there; nasd starts it again by itself",
		     "ganesha is not ready on the target (%s%s%s)", server_state_name(a->server),
		     a->server_error[0] ? ": " : "", a->server_error);
	if (is_source && a->server == SERVER_SERVING && a->exports_present < a->exports_wanted) {
		f = add(j, "exports", node, "all exports served");
		fail(f, "see the log of ganesha", "%u of %u exports are served", a->exports_present, a->exports_wanted);
	}
}

/* No precondition: what it says is how the clients get over the move. */
static void judge_state(struct judge *j, int node, const struct facts *a)
{
	if (a->state_moves)
		add(j, "client-state", node, "state moves");
	else
		add(j, "client-state", node, "clients will reclaim: %s",
		    a->state_reason[0] ? a->state_reason : "not known yet whether its state could move");
}

static void judge_addresses(struct judge *j, int node, const struct facts *a, bool is_source)
{
	for (unsigned i = 0; i < a->n_addresses && i < GROUP_ADDRS_MAX; i++) {
		const struct facts_address *ad = &a->addresses[i];
		struct finding *f = add(j, "address", node, "%s %s on %s", ad->text,
					is_source ? "present" : "can be added", ad->ifname);

		if (is_source && !ad->link_up)
			continue; /* a reason to move; the target's is judged as ever */
		if (!ad->link_up)
			fail(f, "bring the interface up and check its cable", "%s: the link of %s is down", ad->text, ad->ifname);
		else if (is_source && !ad->present && !j->in->server_bad)
			fail(f, "see 'nasctl status'", "%s is missing on the active node", ad->text);
		else if (is_source && ad->answered)
			fail(f, "find the host with that MAC address and take the address away there",
			     "%s already answers elsewhere, from %s", ad->text, ad->answered_mac);
		else if (!is_source && ad->present)
			fail(f, "remove it: ip address del", "%s is present on the standby", ad->text);
	}
}

/* No precondition either: a move sends them all first. A crash would not. */
static void judge_records(struct judge *j)
{
	const struct check_input *in = j->in;
	const struct facts *from = in->facts[in->source], *to = in->facts[in->target];

	if (!from || !from->valid || !to || !to->valid)
		return;
	if (from->clients <= to->clients)
		add(j, "client-records", in->target, "has the record of each of %u client%s", from->clients,
		    from->clients == 1 ? "" : "s");
	else
		add(j, "client-records", in->target, "%u of %u client records are not on it: these clients would lose "
		    "their locks if %s died now", from->clients - to->clients, from->clients, in->node_names[in->source]);
}

size_t checks_judge(const struct check_input *in, struct finding *out)
{
	struct judge j = { .in = in, .out = out, .spill.ok = true };

	judge_pair(&j);
	for (int k = 0; k < 2; k++) {
		int node = k == 0 ? in->source : in->target;
		const struct facts *a = in->facts[node];
		struct finding *f = add(&j, "facts", node, "answered");

		if (!a || !a->valid) {
			fail(f, "see that nasd runs there and answers", "the state of %s is not known",
			     in->node_names[node]);
			continue;
		}
		judge_drbd(&j, node, a, k == 0);
		judge_fs(&j, node, a, k == 0);
		judge_server(&j, node, a, k == 0);
		judge_state(&j, node, a);
		judge_addresses(&j, node, a, k == 0);
		f = add(&j, "journal", node, "journal writable");
		if (!a->journal_ok)
			fail(f, "make room or repair the state directory, then restart nasd", "the journal cannot be written: %s",
			     a->journal_error);
	}
	judge_records(&j);
	keep_spilt(&j);
	return j.n;
}

int checks_error(const struct finding *f, size_t n, const char *const node_names[2], struct err *err)
{
	const struct finding *first = NULL;
	unsigned more = 0;
	int ret;

	for (size_t i = 0; i < n; i++) {
		if (f[i].ok)
			continue;
		if (!first)
			first = &f[i];
		else
			more++;
	}
	if (!first)
		return 0;
	ret = err_set(err, ERR_REFUSED, EBUSY, first->check, "%s%s%s", first->node >= 0 ? node_names[first->node] : "",
		      first->node >= 0 ? ": " : "", first->message);
	if (err && more)
		snprintf(err->msg + strlen(err->msg), sizeof(err->msg) - strlen(err->msg),
			 " (and %u more: nasctl check)", more);
	err_remedy(err, "%s", first->remedy);
	return ret;
}
