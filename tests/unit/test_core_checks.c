/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The preflight: one case for every finding, each with its remedy. */
#include "checks.h"
#include "core_suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { SRC, TGT };

static struct check_input in;
static struct facts f[2];
static struct finding found[FINDINGS_MAX];
static const char uuid[] = "7d0f2c1e-0000-4000-8000-000000000001";

static void put(char *at, size_t size, const char *text)
{
	snprintf(at, size, "%s", text);
}

#define PUT(field, text) put(field, sizeof(field), text)

static void good_node(struct facts *a, bool source)
{
	memset(a, 0, sizeof(*a));
	a->valid = a->drbd_known = a->mount_dir_exists = a->journal_ok = true;
	PUT(a->drbd_role, source ? "Primary" : "Secondary");
	PUT(a->drbd_cstate, "Connected");
	PUT(a->drbd_disk, "UpToDate");
	PUT(a->drbd_fencing, "resource-and-stonith");
	PUT(a->fs_uuid, uuid);
	a->mounted = source;
	a->server = source ? SERVER_SERVING : SERVER_WARM;
	a->exports_wanted = 2;
	a->exports_present = source ? 2 : 0;
	a->n_addresses = 2;
	for (unsigned i = 0; i < 2; i++) {
		PUT(a->addresses[i].text, i ? "2001:db8::100/64" : "192.0.2.100/24");
		PUT(a->addresses[i].ifname, "eth0");
		a->addresses[i].link_up = true;
		a->addresses[i].present = source;
	}
}

static void good(void)
{
	good_node(&f[SRC], true);
	good_node(&f[TGT], false);
	in = (struct check_input){ .node_names = { "nas1", "nas2" }, .source = SRC, .target = TGT,
				   .peer_connected = true, .config_same = true, .version_same = true,
				   .heartbeat = true, .source_active = true, .expected_uuid = uuid, .facts = { &f[SRC], &f[TGT] } };
}

/* ---- what can be wrong */

static void no_peer(void) { in.peer_connected = false; }
static void other_config(void) { in.config_same = false; }
static void other_version(void) { in.version_same = false; }
static void busy(void) { in.busy = "nas1 is switching: to nas2"; }
static void not_active(void) { in.source_active = false; }
static void no_facts_src(void) { f[SRC].valid = false; }
static void no_facts_tgt(void) { in.facts[TGT] = NULL; }
static void drbd_mute(void) { f[TGT].drbd_known = false; PUT(f[TGT].drbd_error, "no such resource"); }
static void drbd_alone(void) { PUT(f[SRC].drbd_cstate, "WFConnection"); }
static void drbd_syncs(void) { PUT(f[TGT].drbd_cstate, "SyncTarget"); f[TGT].drbd_out_of_sync = 4096; }
static void drbd_paused(void) { PUT(f[SRC].drbd_cstate, "PausedSyncS"); }
static void drbd_verifies(void) { PUT(f[SRC].drbd_cstate, "VerifyS"); }
static void drbd_old(void) { PUT(f[TGT].drbd_disk, "Outdated"); }
static void drbd_diskless(void) { PUT(f[TGT].drbd_disk, ""); }
static void drbd_frozen(void) { f[SRC].drbd_suspended = true; }
static void no_fencing(void) { PUT(f[TGT].drbd_fencing, "dont-care"); }
static void half_fencing(void) { PUT(f[SRC].drbd_fencing, "resource-only"); }
static void fencing_unknown(void) { PUT(f[TGT].drbd_fencing, ""); }
static void no_mount_point(void) { f[TGT].mount_dir_exists = false; }
static void not_mounted(void) { f[SRC].mounted = false; }
static void mount_busy(void) { f[TGT].mount_dir_busy = true; }
static void mounted_elsewhere(void) { f[TGT].device_mounted_elsewhere = true; }
static void no_uuid(void) { f[SRC].fs_uuid[0] = '\0'; }
static void wrong_uuid(void) { PUT(f[TGT].fs_uuid, "00000000-1111-4222-8333-444444444444"); }
static void read_only(void) { f[SRC].fs_readonly = true; }
static void server_warm_src(void) { f[SRC].server = SERVER_WARM; }
static void server_down_tgt(void) { f[TGT].server = SERVER_DOWN; PUT(f[TGT].server_error, "exit status 2"); }
static void export_missing(void) { f[SRC].exports_present = 1; }
static void link_down(void) { f[TGT].addresses[1].link_up = false; }
static void address_missing(void) { f[SRC].addresses[0].present = false; }
static void address_stolen(void) { f[SRC].addresses[0].answered = true; PUT(f[SRC].addresses[0].answered_mac, "02:00:00:00:00:09"); }
static void address_twice(void) { f[TGT].addresses[0].present = true; }
static void journal_full(void) { f[TGT].journal_ok = false; PUT(f[TGT].journal_error, "no space"); }

static const struct wrong {
	const char *check;
	int node;
	void (*make)(void);
	const char *says;
} wrongs[] = {
	{ "peer-connected", NODE_NONE, no_peer, "not connected" },
	{ "config-same", NODE_NONE, other_config, "differs" },
	{ "version-same", NODE_NONE, other_version, "versions" },
	{ "idle", NODE_NONE, busy, "switching" },
	{ "source-active", SRC, not_active, "does not serve" },
	{ "facts", SRC, no_facts_src, "not known" },
	{ "facts", TGT, no_facts_tgt, "not known" },
	{ "drbd-connected", TGT, drbd_mute, "no such resource" },
	{ "drbd-connected", SRC, drbd_alone, "WFConnection" },
	{ "drbd-connected", TGT, drbd_syncs, "4 KiB" },
	{ "drbd-connected", SRC, drbd_paused, "resync" },
	{ "drbd-connected", SRC, drbd_verifies, "resync" },
	{ "drbd-uptodate", TGT, drbd_old, "Outdated" },
	{ "drbd-uptodate", TGT, drbd_diskless, "unknown" },
	{ "drbd-io", SRC, drbd_frozen, "suspended" },
	{ "drbd-fencing", TGT, no_fencing, "dont-care" },
	{ "drbd-fencing", SRC, half_fencing, "resource-only" },
	{ "drbd-fencing", TGT, fencing_unknown, "not known" },
	{ "mount-point", TGT, no_mount_point, "does not exist" },
	{ "mount-point", SRC, not_mounted, "not mounted" },
	{ "mount-point", TGT, mount_busy, "something else" },
	{ "mount-point", TGT, mounted_elsewhere, "another place" },
	{ "filesystem-uuid", SRC, no_uuid, "cannot be read" },
	{ "filesystem-uuid", TGT, wrong_uuid, "00000000-1111" },
	{ "filesystem-writable", SRC, read_only, "READ-ONLY" },
	{ "ganesha", SRC, server_warm_src, "warm" },
	{ "ganesha", TGT, server_down_tgt, "exit status 2" },
	{ "exports", SRC, export_missing, "1 of 2" },
	{ "address", TGT, link_down, "link of eth0" },
	{ "address", SRC, address_missing, "missing" },
	{ "address", SRC, address_stolen, "02:00:00:00:00:09" },
	{ "address", TGT, address_twice, "on the standby" },
	{ "journal", TGT, journal_full, "no space" },
};

static const char *const names[] = { "nas1", "nas2" };

/* Without takeovers of its own nasd needs no fencing; what there is, is shown. */
START_TEST(fencing_of_manual)
{
	struct err e = { .cls = ERR_NONE };
	size_t n;

	good();
	in.heartbeat = false;
	no_fencing();
	n = checks_judge(&in, found);
	ck_assert_int_eq(checks_error(found, n, names, &e), 0);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(found[i].check, "drbd-fencing") && found[i].node == TGT)
			ck_assert_str_eq(found[i].message, "fencing dont-care");
}
END_TEST

/* What is wrong with the source alone is a reason to move, not to stay. */
START_TEST(away_from_trouble)
{
	static const char *const disks[] = { "Diskless", "Failed" };
	struct err e = { .cls = ERR_NONE };
	size_t n;

	for (int k = 0; k < 2; k++) {
		good();
		PUT(f[SRC].drbd_disk, disks[k]);
		PUT(f[SRC].drbd_fencing, ""); /* it goes with the disk */
		f[SRC].addresses[0].link_up = false;
		n = checks_judge(&in, found);
		ck_assert_int_eq(checks_error(found, n, names, &e), 0);
		f[TGT].addresses[0].link_up = false;
		n = checks_judge(&in, found);
		ck_assert_int_eq(checks_error(found, n, names, &e), -EBUSY);
	}
}
END_TEST

START_TEST(all_is_well)
{
	struct err e = { .cls = ERR_NONE };
	size_t n;

	good();
	n = checks_judge(&in, found);
	ck_assert_uint_gt(n, 15);
	ck_assert_uint_lt(n, FINDINGS_MAX);
	for (size_t i = 0; i < n; i++) {
		ck_assert_msg(found[i].ok, "%s: %s", found[i].check, found[i].message);
		ck_assert_str_ne(found[i].message, "");
		ck_assert_str_eq(found[i].remedy, "");
	}
	ck_assert_int_eq(checks_error(found, n, names, &e), 0);
}
END_TEST

START_TEST(each_alone)
{
	const struct wrong *w = &wrongs[_i];
	struct err e = { .cls = ERR_NONE };
	unsigned bad = 0;
	size_t n;

	good();
	w->make();
	n = checks_judge(&in, found);
	for (size_t i = 0; i < n; i++) {
		if (found[i].ok)
			continue;
		bad++;
		ck_assert_str_eq(found[i].check, w->check);
		ck_assert_int_eq(found[i].node, w->node);
		ck_assert_str_ne(found[i].remedy, "");
		ck_assert_msg(strstr(found[i].message, w->says), "'%s' lacks '%s'", found[i].message, w->says);
	}
	ck_assert_uint_eq(bad, 1);
	ck_assert_int_eq(checks_error(found, n, names, &e), -EBUSY);
	ck_assert_int_eq(e.cls, ERR_REFUSED);
	ck_assert_str_eq(e.where, w->check);
	ck_assert_str_ne(e.remedy, "");
	ck_assert_ptr_nonnull(strstr(e.msg, w->says));
	if (w->node != NODE_NONE)
		ck_assert_ptr_nonnull(strstr(e.msg, names[w->node]));
}
END_TEST

/* It says how the clients get over the move, and never keeps it from beginning. */
START_TEST(state_of_the_clients)
{
	static const char *const says[2] = { "state moves", "clients will reclaim: the module is not there" };
	struct err e = { .cls = ERR_NONE };
	unsigned seen = 0;
	size_t n;

	good();
	f[SRC].state_moves = true;
	PUT(f[TGT].state_reason, "the module is not there");
	n = checks_judge(&in, found);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(found[i].check, "client-state"))
			continue;
		ck_assert(found[i].ok);
		ck_assert_str_eq(found[i].message, says[found[i].node == TGT]);
		seen++;
	}
	ck_assert_uint_eq(seen, 2);
	ck_assert_int_eq(checks_error(found, n, names, &e), 0);
}
END_TEST

/* It is said, and keeps nothing from moving. */
START_TEST(room_in_the_filesystem)
{
	static const struct {
		uint64_t size, left;
		const char *says;
	} rows[] = {
		{ (uint64_t)100 << 30, (uint64_t)64 << 20, "64 MiB free" },
		{ (uint64_t)100 << 30, (uint64_t)63 << 20, "NEARLY FULL: 63 MiB free of 102400" },
		{ (uint64_t)1 << 30, (uint64_t)11 << 20, "11 MiB free" },
		{ (uint64_t)1 << 30, 0, "FULL: 0 MiB free of 1024" },
	};
	struct err e = { .cls = ERR_NONE };
	unsigned seen = 0;
	size_t n;

	good();
	f[SRC].fs_size_bytes = rows[_i].size;
	f[SRC].fs_free_bytes = rows[_i].left;
	n = checks_judge(&in, found);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(found[i].check, "filesystem-room")) {
			ck_assert(found[i].ok);
			ck_assert_msg(!strncmp(found[i].message, rows[_i].says, strlen(rows[_i].says)), "%s", found[i].message);
			seen++;
		}
	ck_assert_uint_eq(seen, 1);
	ck_assert_int_eq(checks_error(found, n, names, &e), 0);
}
END_TEST

START_TEST(split_brain_comes_first)
{
	struct err e = { .cls = ERR_NONE };
	size_t n;

	good();
	for (int k = 0; k < 2; k++) {
		PUT(f[k].drbd_cstate, "StandAlone");
		PUT(f[k].drbd_peer_role, "Unknown");
		f[k].drbd_changed_alone = true;
	}
	n = checks_judge(&in, found);
	ck_assert_int_eq(checks_error(found, n, names, &e), -EBUSY);
	ck_assert_str_eq(e.where, "drbd-split-brain");
	ck_assert_ptr_nonnull(strstr(e.msg, "SPLIT BRAIN"));
	ck_assert_ptr_nonnull(strstr(e.remedy, "nasctl status"));
}
END_TEST

/* The node is left for that very reason. */
START_TEST(a_bad_server_may_be_left)
{
	struct err e = { .cls = ERR_NONE };
	size_t n;

	good();
	f[SRC].server = SERVER_DOWN;
	f[SRC].addresses[0].present = f[SRC].addresses[1].present = false;
	in.server_bad = true;
	n = checks_judge(&in, found);
	ck_assert_int_eq(checks_error(found, n, names, &e), 0);
	f[TGT].server = SERVER_DOWN;
	n = checks_judge(&in, found);
	ck_assert_int_eq(checks_error(found, n, names, &e), -EBUSY);
}
END_TEST

/* Everything at once, with as many addresses as there may be: no overflow. */
START_TEST(all_at_once)
{
	struct err e = { .cls = ERR_NONE };
	size_t n;

	good();
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++)
		if (strcmp(wrongs[i].check, "facts"))
			wrongs[i].make();
	for (int k = 0; k < 2; k++) {
		f[k].n_addresses = GROUP_ADDRS_MAX + 1;
		for (unsigned i = 0; i < GROUP_ADDRS_MAX; i++)
			f[k].addresses[i].link_up = false;
	}
	n = checks_judge(&in, found);
	ck_assert_uint_le(n, FINDINGS_MAX);
	for (size_t i = 0; i < n; i++)
		ck_assert(found[i].ok == !found[i].remedy[0]);
	ck_assert_int_eq(checks_error(found, n, names, &e), -EBUSY);
	ck_assert_str_eq(e.where, "peer-connected");
	ck_assert_ptr_nonnull(strstr(e.msg, "more: nasctl check"));
}
END_TEST

/* What does not fit any more must not make the answer a yes. */
START_TEST(the_last_finding_counts)
{
	struct err e = { .cls = ERR_NONE };
	size_t n;

	good();
	for (int k = 0; k < 2; k++) {
		f[k].n_addresses = GROUP_ADDRS_MAX;
		for (unsigned i = 0; i < GROUP_ADDRS_MAX; i++)
			f[k].addresses[i] = f[k].addresses[0];
	}
	f[TGT].addresses[GROUP_ADDRS_MAX - 2].link_up = false;
	n = checks_judge(&in, found);
	ck_assert_int_ne(checks_error(found, n, names, &e), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-checks");
	TCase *tc = core_case(suite, "checks");

	tcase_add_test(tc, all_is_well);
	tcase_add_test(tc, away_from_trouble);
	tcase_add_test(tc, fencing_of_manual);
	tcase_add_test(tc, state_of_the_clients);
	tcase_add_loop_test(tc, room_in_the_filesystem, 0, 4);
	tcase_add_test(tc, split_brain_comes_first);
	tcase_add_test(tc, a_bad_server_may_be_left);
	tcase_add_loop_test(tc, each_alone, 0, sizeof(wrongs) / sizeof(wrongs[0]));
	tcase_add_test(tc, all_at_once);
	tcase_add_test(tc, the_last_finding_counts);
	return core_suite_run(suite);
}
