/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ganesha adapter against the real ganesha.nfsd and dbus-daemon. */
#include "ganesha_real.h"

START_TEST(warm_then_serving_then_gone)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	unsigned n = 99;
	struct err e = {0};
	bool grace = true;

	expect(g, SERVER_DOWN);
	TIMED("start_warm", ganesha_start_warm(g, 10 * SECOND, &e));
	expect(g, SERVER_WARM);
	TIMED("start_warm again", ganesha_start_warm(g, 10 * SECOND, &e));
	TIMED("grace_active", ganesha_grace_active(g, &grace, SECOND, &e));
	ck_assert(!grace);
	TIMED("exports_present", ganesha_exports_present(g, &n, SECOND, &e));
	ck_assert_uint_eq(n, 0);

	install_one(RECORD);
	TIMED("activate", ganesha_activate(g, 10 * SECOND, &e));
	expect(g, SERVER_SERVING);
	TIMED("activate again", ganesha_activate(g, 10 * SECOND, &e));
	TIMED("exports_present", ganesha_exports_present(g, &n, SECOND, &e));
	ck_assert_uint_eq(n, 2);
	TIMED("grace_active", ganesha_grace_active(g, &grace, SECOND, &e));
	ck_assert(grace);
	TIMED("clients", ganesha_clients(g, &n, SECOND, &e));
	TIMED("stop", ganesha_stop(g, SECOND, &e));
	expect(g, SERVER_DOWN);
	ck_assert_int_eq(umount2(TOP "/mnt", 0), 0);
	ck_assert_int_eq(system("mount -o loop " TOP "/disk " TOP "/mnt"), 0);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

START_TEST(no_record_no_grace)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct err e = {0};
	bool grace = true;

	install_one(NULL);
	TIMED("activate from nothing", ganesha_activate(g, 10 * SECOND, &e));
	expect(g, SERVER_SERVING);
	TIMED("grace_active", ganesha_grace_active(g, &grace, SECOND, &e));
	ck_assert(!grace);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

/* What was installed stands, whatever this node's own old tenures left behind. */
START_TEST(stale_records_do_not_come_back)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct client_set set = {0};
	struct err e = {0};

	install_one(RECORD);
	TIMED("activate", ganesha_activate(g, 10 * SECOND, &e));
	ck_assert(clients_read_database(env.state_dir, "demo", &set, &e) == 0);
	ck_assert_uint_eq(set.n, 1);
	TIMED("stop", ganesha_stop(g, SECOND, &e));
	install_one("10.9.9.8-(5:other)");
	ck_assert(clients_read_database(env.state_dir, "demo", &set, &e) == 0);
	ck_assert_uint_eq(set.n, 1);
	ck_assert_str_eq(set.entries[0]->text, "10.9.9.8-(5:other)");
	TIMED("activate", ganesha_activate(g, 10 * SECOND, &e));
	ck_assert(clients_read_database(env.state_dir, "demo", &set, &e) == 0);
	ck_assert_uint_eq(set.n, 1);
	ck_assert_str_eq(set.entries[0]->text, "10.9.9.8-(5:other)");
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	client_set_free(&set);
	ganesha_free(g);
	free(group);
}
END_TEST

START_TEST(survives_its_nasd)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct ganesha_state before, after;
	struct err e = {0};

	TIMED("start_warm", ganesha_start_warm(g, 10 * SECOND, &e));
	ganesha_state(g, &before);
	ganesha_free(g);
	g = open_ganesha(group);
	ganesha_state(g, &after);
	ck_assert_int_eq(after.state, SERVER_WARM);
	ck_assert_int_eq(after.pid, before.pid);
	ck_assert(after.tenure == before.tenure);
	TIMED("activate the adopted", ganesha_activate(g, 10 * SECOND, &e));
	ganesha_state(g, &after);
	ck_assert_int_eq(after.pid, before.pid);
	/* without the tenure file: found by the lock it holds, and not trusted */
	ck_assert_int_eq(unlink(TOP "/run/demo/ganesha.tenure"), 0);
	ganesha_free(g);
	g = open_ganesha(group);
	ganesha_state(g, &after);
	ck_assert_int_eq(after.pid, before.pid);
	ck_assert_int_eq(after.state, SERVER_SERVING);
	TIMED("start_warm replaces it", ganesha_start_warm(g, 10 * SECOND, &e));
	ganesha_state(g, &after);
	ck_assert_int_ne(after.pid, before.pid);
	ck_assert(after.tenure > before.tenure && after.tenure % 2 == 1);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

START_TEST(killed_from_outside)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct ganesha_state s;
	struct err e = {0};
	bool grace = false;

	install_one(RECORD);
	TIMED("activate", ganesha_activate(g, 10 * SECOND, &e));
	ganesha_state(g, &s);
	ck_assert_int_eq(kill(s.pid, SIGKILL), 0);
	for (int i = 0; i < 200 && s.state != SERVER_DOWN; i++) {
		usleep(5000);
		ganesha_state(g, &s);
	}
	ck_assert_int_eq(s.state, SERVER_DOWN);
	ck_assert_msg(strstr(s.reason, "ended by itself"), "%s", s.reason);
	/* its client is remembered over its death */
	TIMED("activate after death", ganesha_activate(g, 10 * SECOND, &e));
	TIMED("grace_active", ganesha_grace_active(g, &grace, SECOND, &e));
	ck_assert(grace);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

START_TEST(cold_when_dbus_fails)
{
	struct conf_group *group = make_group();
	struct ganesha_env without = env;
	struct ganesha *g = NULL;
	struct err e = {0};

	without.bus_program = "/nonexistent/dbus-daemon";
	ck_assert(ganesha_new(group, 1, &without, &g, &e) == 0);
	ck_assert_int_eq(ganesha_start_warm(g, 5 * SECOND, &e), OUTCOME_FAILED);
	expect(g, SERVER_DOWN);
	install_one(RECORD);
	TIMED("activate without D-Bus", ganesha_activate(g, 10 * SECOND, &e));
	expect(g, SERVER_SERVING);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

/* A restarted nasd asks such a server without D-Bus, too. */
START_TEST(cold_is_found_again)
{
	struct conf_group *group = make_group();
	struct ganesha_env without = env;
	struct ganesha *g = NULL;
	struct err e = {0};
	unsigned n = 0;

	without.bus_program = "/nonexistent/dbus-daemon";
	ck_assert(ganesha_new(group, 1, &without, &g, &e) == 0);
	TIMED("activate without D-Bus", ganesha_activate(g, 10 * SECOND, &e));
	ganesha_free(g);
	ck_assert(ganesha_new(group, 1, &without, &g, &e) == 0);
	expect(g, SERVER_SERVING);
	TIMED("exports_present", ganesha_exports_present(g, &n, SECOND, &e));
	ck_assert_uint_eq(n, 2);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

/* Bound to a floating address that is not here yet: nobody could connect to it. */
START_TEST(bound_to_an_address_to_come)
{
	struct conf_group *group = make_group();
	struct ganesha *g;
	struct err e = {0};

	group->nfs.bind = (struct conf_ip){.family = AF_INET, .bytes = {10, 9, 0, 1}, .text = "10.9.0.1"};
	/* it looks the address up with AI_ADDRCONFIG: both families must be here */
	if (system("ip link add d0 type veth peer name d1 && ip link set d0 up && ip addr add 10.8.0.2/24 dev d0 && "
		   "ip addr add fd08::2/64 dev d0 nodad && echo 1 >/proc/sys/net/ipv4/ip_nonlocal_bind") != 0)
		return;
	g = open_ganesha(group);
	TIMED("start_warm", ganesha_start_warm(g, 5 * SECOND, &e));
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

/* What nobody has written down is ended before another one is started. */
START_TEST(unknown_one_is_replaced)
{
	struct conf_group *group = make_group();
	struct ganesha *other = open_ganesha(group), *g = open_ganesha(group);
	struct ganesha_state theirs, ours;
	struct err e = {0};

	TIMED("start_warm", ganesha_start_warm(other, 10 * SECOND, &e));
	ganesha_state(other, &theirs);
	ck_assert_int_eq(unlink(TOP "/run/demo/ganesha.tenure"), 0);
	expect(g, SERVER_DOWN);
	TIMED("start_warm replaces it", ganesha_start_warm(g, 10 * SECOND, &e));
	ganesha_state(g, &ours);
	ck_assert_int_ne(ours.pid, theirs.pid);
	expect(other, SERVER_DOWN);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(other);
	ganesha_free(g);
	free(group);
}
END_TEST

static pid_t bus_pid(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = TOP "/run/demo/bus"};
	struct ucred who = {0};
	socklen_t len = sizeof(who);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len), 0);
	close(fd);
	return who.pid;
}

/* Neither a look nor the activation waits longer than it was told to. */
START_TEST(hung_bus)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct err e = {0};
	unsigned n = 0;
	int64_t t0;
	pid_t bus;

	TIMED("start_warm", ganesha_start_warm(g, 10 * SECOND, &e));
	ganesha_free(g);
	bus = bus_pid();
	ck_assert_int_eq(kill(bus, SIGSTOP), 0);
	g = open_ganesha(group);
	t0 = now();
	ck_assert_int_ne(ganesha_exports_present(g, &n, SECOND / 5, &e), OUTCOME_DONE);
	ck_assert_int_lt(now() - t0, SECOND);
	TIMED("activate, the bus hangs", ganesha_activate(g, 10 * SECOND, &e));
	ck_assert_int_ne(bus_pid(), bus);
	TIMED("exports_present", ganesha_exports_present(g, &n, SECOND, &e));
	ck_assert_uint_eq(n, 2);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

START_TEST(missing_path_is_no_success)
{
	struct conf_group *group = make_group();
	struct ganesha *g = open_ganesha(group);
	struct err e = {0};

	strcpy(group->exports[1].path, TOP "/mnt/none");
	ck_assert_int_ne(ganesha_activate(g, 10 * SECOND, &e), OUTCOME_DONE);
	expect(g, SERVER_DOWN);
	ck_assert_msg(e.msg[0], "no word of explanation");
	ganesha_stop_all(g, 3 * SECOND, &e);
	ganesha_free(g);
	free(group);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, warm_then_serving_then_gone);
	tcase_add_test(t, no_record_no_grace);
	tcase_add_test(t, stale_records_do_not_come_back);
	tcase_add_test(t, survives_its_nasd);
	tcase_add_test(t, killed_from_outside);
	tcase_add_test(t, cold_when_dbus_fails);
	tcase_add_test(t, cold_is_found_again);
	tcase_add_test(t, bound_to_an_address_to_come);
	tcase_add_test(t, unknown_one_is_replaced);
	tcase_add_test(t, hung_bus);
	tcase_add_test(t, missing_path_is_no_success);
}

int main(void)
{
	return ganesha_real_main("sys/ganesha", add);
}
