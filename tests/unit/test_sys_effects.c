/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The effects on a real ext4 and a real interface (a veth pair), in mount and
 * network namespaces of our own; as root, else said to be skipped. DRBD and
 * ganesha are not here: their steps are shown to refuse, and are proven in the
 * lab (tests/lab/tools/effects.c).
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "addr.h"
#include "clients.h"
#include "conf.h"
#include "effects.h"
#include "flows.h"
#include "loopfs.h"

static struct loopfs *lfs;
static struct conf *conf;
static struct effects *fx;
static struct err err;
static char detail[EFFECTS_DETAIL_MAX];

static void add_address(struct conf_group *g, int family, const char *ip, unsigned char prefix)
{
	struct conf_address *a = &g->addresses[g->n_addresses++];

	a->net.ip.family = family;
	a->net.prefix = prefix;
	inet_pton(family, ip, a->net.ip.bytes);
	strcpy(a->interface, "nasdtest0");
}

static void setup(void)
{
	struct effects_paths paths;
	struct conf_group *g;

	lfs = loopfs_new();
	conf = calloc(1, sizeof(*conf));
	conf->n_groups = 1;
	g = &conf->groups[0];
	strcpy(g->name, "g1");
	strcpy(g->drbd.resource, "r0");
	strcpy(g->drbd.device, lfs->device);
	g->drbd.minor = 4094; /* none */
	strcpy(g->fs.mount, lfs->point);
	strcpy(g->fs.type, "ext4");
	strcpy(g->fs.options, "noatime,_netdev");
	strcpy(g->fs.uuid, lfs->uuid);
	g->n_exports = 1;
	g->nfs.port = 22049;
	g->limits.step_us = 1000000;
	g->limits.precopy_us = 1000000;
	g->limits.dirty_bytes = UINT64_MAX;
	add_address(g, AF_INET, "10.99.0.100", 24);
	add_address(g, AF_INET6, "fd99::100", 64);
	ck_assert_int_eq(unshare(CLONE_NEWNET), 0);
	ck_assert_int_eq(system("ip link add nasdtest0 type veth peer name nasdtest1 && "
				"ip link set nasdtest0 up && ip link set nasdtest1 up && "
				"ip link set lo up"), 0);
	paths = (struct effects_paths){ lfs->dir, lfs->dir, lfs->dir, NULL };
	err_clear(&err);
	fx = effects_new(conf, 0, 0, &paths, &err);
	ck_assert_ptr_nonnull(fx);
}

static void teardown(void)
{
	char command[128];

	effects_free(fx);
	snprintf(command, sizeof(command), "rm -rf %s/g1", lfs->dir);
	ck_assert_int_eq(system(command), 0);
	loopfs_free(lfs);
	free(conf);
}

static enum outcome run(enum step_id step)
{
	err_clear(&err);
	return effects_run(fx, step, OP_RUN, detail, &err);
}

static enum outcome verify(enum step_id step)
{
	err_clear(&err);
	return effects_run(fx, step, OP_VERIFY, detail, &err);
}

START_TEST(steps_of_the_core_are_a_bug)
{
	static const enum step_id core[] = { STEP_NONE, STEP_CHECK, STEP_RESERVE, STEP_HOLD, STEP_CLIENTS,
					     STEP_COMMIT, STEP_COUNT };

	for (size_t i = 0; i < sizeof(core) / sizeof(core[0]); i++) {
		ck_assert_int_eq(run(core[i]), OUTCOME_FAILED);
		ck_assert_int_eq(err.cls, ERR_INTERNAL);
		ck_assert_int_eq(verify(core[i]), OUTCOME_FAILED);
	}
}
END_TEST

START_TEST(storage_there_and_back)
{
	ck_assert_int_eq(verify(STEP_MOUNT), OUTCOME_FAILED);
	ck_assert_int_eq(verify(STEP_UNMOUNT), OUTCOME_DONE);
	ck_assert_int_eq(run(STEP_PRESYNC), OUTCOME_FAILED);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(run(STEP_MOUNT), OUTCOME_DONE);
		ck_assert_int_eq(strncmp(detail, "already", 7) == 0, i);
		ck_assert_int_eq(verify(STEP_MOUNT), OUTCOME_DONE);
		ck_assert_int_eq(verify(STEP_UNMOUNT), OUTCOME_FAILED);
	}
	ck_assert_int_eq(run(STEP_PRESYNC), OUTCOME_DONE);
	ck_assert_ptr_nonnull(strstr(detail, "1 round"));
	ck_assert_int_eq(verify(STEP_PRESYNC), OUTCOME_DONE);
	conf->groups[0].limits.dirty_bytes = 0;
	ck_assert_int_eq(run(STEP_PRESYNC), OUTCOME_DONE);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(run(STEP_UNMOUNT), OUTCOME_DONE);
		ck_assert_int_eq(strncmp(detail, "already", 7) == 0, i);
	}
}
END_TEST

START_TEST(readonly_is_not_mounted_well)
{
	ck_assert_int_eq(mount(lfs->device, lfs->point, "ext4", MS_RDONLY, NULL), 0);
	ck_assert_int_eq(verify(STEP_MOUNT), OUTCOME_FAILED);
	ck_assert_ptr_nonnull(strstr(err.msg, "read-only"));
}
END_TEST

START_TEST(device_used_elsewhere)
{
	char other[128];

	snprintf(other, sizeof(other), "%s/g1", lfs->dir);
	mkdir(other, 0755);
	ck_assert_int_eq(mount(lfs->device, other, "ext4", 0, NULL), 0);
	ck_assert_int_eq(verify(STEP_UNMOUNT), OUTCOME_FAILED);
	ck_assert_int_eq(run(STEP_UNMOUNT), OUTCOME_FAILED);
	ck_assert_ptr_nonnull(strstr(err.msg, other));
	ck_assert_int_eq(effects_standby_safe(fx, detail, NULL), OUTCOME_FAILED);
	ck_assert_int_eq(run(STEP_DRBD_SECONDARY), OUTCOME_FAILED);
	ck_assert_ptr_nonnull(strstr(err.msg, "is mounted"));
	ck_assert_int_eq(umount(other), 0);
}
END_TEST

/* The orders that would break a promise are refused whoever gives them. */
START_TEST(wrong_orders_are_refused)
{
	ck_assert_int_eq(run(STEP_EXPORT), OUTCOME_FAILED);
	ck_assert_int_eq(err.cls, ERR_REFUSED);
	ck_assert_int_eq(run(STEP_ADDRESS_ADD), OUTCOME_FAILED);
	ck_assert_int_eq(err.cls, ERR_REFUSED);
	ck_assert_int_eq(run(STEP_MOUNT), OUTCOME_DONE);
	ck_assert_int_eq(run(STEP_WARM), OUTCOME_FAILED);
	ck_assert_int_eq(err.cls, ERR_REFUSED);
	ck_assert_int_eq(run(STEP_REWARM), OUTCOME_FAILED);
	ck_assert_int_eq(err.cls, ERR_REFUSED);
	ck_assert_int_eq(run(STEP_DRBD_SECONDARY), OUTCOME_FAILED);
	ck_assert_int_eq(err.cls, ERR_REFUSED);
	ck_assert_int_eq(run(STEP_UNMOUNT), OUTCOME_DONE);
}
END_TEST

START_TEST(no_server_no_drbd)
{
	ck_assert_int_eq(run(STEP_SERVER_STOP), OUTCOME_DONE);
	ck_assert_int_eq(verify(STEP_SERVER_STOP), OUTCOME_DONE);
	ck_assert_int_eq(verify(STEP_EXPORT), OUTCOME_FAILED);
	ck_assert_int_eq(verify(STEP_REWARM), OUTCOME_FAILED);
	ck_assert_int_eq(verify(STEP_DRBD_SECONDARY), OUTCOME_DONE);
	ck_assert_int_eq(run(STEP_DRBD_SECONDARY), OUTCOME_DONE);
	ck_assert_int_eq(verify(STEP_DRBD_PRIMARY), OUTCOME_FAILED);
	ck_assert_int_eq(run(STEP_DRBD_PRIMARY), OUTCOME_FAILED);
	ck_assert_int_eq(effects_standby_safe(fx, detail, NULL), OUTCOME_DONE);
	ck_assert_str_eq(detail, "");
}
END_TEST

static void add_both(void)
{
	struct net_addr a;

	ck_assert_int_eq(net_addr_parse("10.99.0.100/24", "nasdtest0", &a, NULL), 0);
	ck_assert_int_eq(net_addr_add(&a, &err), 0);
	ck_assert_int_eq(net_addr_parse("fd99::100/64", "nasdtest0", &a, NULL), 0);
	ck_assert_int_eq(net_addr_add(&a, &err), 0);
}

/* An established connection to the first address, from another one: what comes
 * from itself is no client's. Returns the client's end. */
static int connect_client(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_port = htons(22049) };
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), s = socket(AF_INET, SOCK_STREAM, 0), peer;
	char c;

	inet_pton(AF_INET, "10.99.0.100", &sin.sin_addr);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sin, sizeof(sin)), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&from, sizeof(from)), 0);
	ck_assert_int_eq(connect(s, (struct sockaddr *)&sin, sizeof(sin)), 0);
	peer = accept(listener, NULL, NULL);
	ck_assert_int_eq(verify(STEP_CONFIRM), OUTCOME_FAILED);
	ck_assert_int_eq(write(peer, "reply", 5), 5);
	ck_assert_int_eq(read(s, &c, 1), 1);
	close(listener);
	return s;
}

START_TEST(addresses)
{
	char path[128];
	struct net_flow *flows;
	size_t n;

	ck_assert_int_eq(verify(STEP_ADDRESS_DEL), OUTCOME_DONE);
	ck_assert_int_eq(verify(STEP_ADDRESS_ADD), OUTCOME_FAILED);
	ck_assert_int_eq(run(STEP_ANNOUNCE), OUTCOME_FAILED);
	add_both();
	ck_assert_int_eq(verify(STEP_ADDRESS_ADD), OUTCOME_DONE);
	ck_assert_int_eq(verify(STEP_ADDRESS_DEL), OUTCOME_FAILED);
	ck_assert_int_eq(run(STEP_ANNOUNCE), OUTCOME_DONE);
	ck_assert_int_eq(verify(STEP_ANNOUNCE), OUTCOME_FAILED);
	ck_assert_int_eq(effects_announce_again(fx, &err), 0);
	snprintf(path, sizeof(path), "%s/g1", lfs->dir);
	mkdir(path, 0755);
	close(connect_client());
	connect_client();
	ck_assert_int_eq(verify(STEP_CONFIRM), OUTCOME_DONE);
	ck_assert_int_eq(run(STEP_ADDRESS_DEL), OUTCOME_DONE);
	ck_assert_msg(strcmp(detail, "2 addresses, 1 connection cut off") == 0, "%s", detail);
	ck_assert_int_eq(verify(STEP_ADDRESS_DEL), OUTCOME_DONE);
	ck_assert_int_eq(run(STEP_ADDRESS_DEL), OUTCOME_DONE);
	ck_assert_int_eq(strncmp(detail, "already", 7), 0);
	snprintf(path, sizeof(path), "%s/g1/connections", lfs->dir);
	ck_assert_int_eq(flows_load(path, &flows, &n, NULL), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(flows[0].local_port, 22049);
	free(flows);
	/* put back: the client that was cut off gets its tickle */
	add_both();
	ck_assert_int_eq(run(STEP_ANNOUNCE), OUTCOME_DONE);
	ck_assert_ptr_nonnull(strstr(detail, "1 of 1 clients tickled"));
}
END_TEST

START_TEST(clients_handed_in)
{
	struct client_set set = { 0 };
	struct client_entry e = { .kind = CLIENT_CONNECTION, .text = "10.99.0.7 901 10.99.0.100 22049" };

	add_both();
	ck_assert_int_eq(client_set_add(&set, &e), 0);
	e.kind = CLIENT_RECORD;
	strcpy(e.text, "10.99.0.7-(3:abc)");
	ck_assert_int_eq(client_set_add(&set, &e), 0);
	ck_assert_int_eq(run(STEP_CONFIRM), OUTCOME_DONE);
	ck_assert_ptr_nonnull(strstr(detail, "no client was connected"));
	ck_assert_int_eq(effects_set_clients(fx, &set, &err), 0);
	client_set_free(&set);
	ck_assert_int_eq(run(STEP_ANNOUNCE), OUTCOME_DONE);
	ck_assert_ptr_nonnull(strstr(detail, "1 of 1 clients tickled"));
	/* nobody comes: a warning, no failure */
	ck_assert_int_eq(run(STEP_CONFIRM), OUTCOME_DONE);
	ck_assert_int_eq(strncmp(detail, "warning", 7), 0);
	ck_assert_int_eq(effects_set_clients(fx, NULL, &err), 0);
	ck_assert_int_eq(run(STEP_CONFIRM), OUTCOME_DONE);
	ck_assert_ptr_nonnull(strstr(detail, "no client was connected"));
}
END_TEST

START_TEST(facts)
{
	struct facts *f = calloc(1, sizeof(*f));

	effects_facts(fx, true, f);
	ck_assert(f->valid && f->mount_dir_exists && !f->mounted && !f->mount_dir_busy);
	ck_assert_str_eq(f->group, "g1");
	ck_assert_str_eq(f->fs_uuid, lfs->uuid);
	ck_assert(!f->drbd_known && f->drbd_error[0]);
	ck_assert_int_eq(f->server, SERVER_DOWN);
	ck_assert_uint_eq(f->exports_wanted, 1);
	ck_assert_uint_eq(f->n_addresses, 2);
	ck_assert_str_eq(f->addresses[0].text, "10.99.0.100/24");
	ck_assert(!f->addresses[0].present && f->addresses[0].link_up && !f->addresses[0].answered);
	ck_assert_int_eq(run(STEP_MOUNT), OUTCOME_DONE);
	add_both();
	effects_facts(fx, false, f);
	ck_assert(f->mounted && !f->fs_readonly && f->addresses[0].present && f->addresses[1].present);
	free(f);
}
END_TEST

static atomic_bool stop;

static void *ask_for_facts(void *data)
{
	struct facts *f = calloc(1, sizeof(*f));
	long n = 0;

	(void)data;
	do {
		effects_facts(fx, false, f);
		n++;
	} while (!atomic_load(&stop));
	free(f);
	return (void *)n;
}

/* For the thread sanitizer, and to see that nothing waits for anything. */
START_TEST(facts_during_steps)
{
	pthread_t t;

	pthread_create(&t, NULL, ask_for_facts, NULL);
	for (int i = 0; i < 20; i++) {
		add_both();
		ck_assert_int_eq(run(STEP_MOUNT), OUTCOME_DONE);
		ck_assert_int_eq(run(STEP_SERVER_STOP), OUTCOME_DONE);
		ck_assert_int_eq(run(STEP_ADDRESS_DEL), OUTCOME_DONE);
		ck_assert_msg(run(STEP_UNMOUNT) == OUTCOME_DONE, "%s", err.msg);
		ck_assert_int_eq(effects_set_clients(fx, NULL, NULL), 0);
	}
	atomic_store(&stop, true);
	pthread_join(t, NULL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys effects");
	SRunner *sr;
	TCase *tc;
	int failed;

	if (!loopfs_possible()) {
		printf("skipped: sys effects (needs root, loop devices and mkfs.ext4)\n");
		return 0;
	}
	tc = tcase_create("effects");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, steps_of_the_core_are_a_bug);
	tcase_add_test(tc, storage_there_and_back);
	tcase_add_test(tc, readonly_is_not_mounted_well);
	tcase_add_test(tc, device_used_elsewhere);
	tcase_add_test(tc, wrong_orders_are_refused);
	tcase_add_test(tc, no_server_no_drbd);
	tcase_add_test(tc, addresses);
	tcase_add_test(tc, clients_handed_in);
	tcase_add_test(tc, facts);
	tcase_add_test(tc, facts_during_steps);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed != 0;
}
