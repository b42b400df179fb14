/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The real ganesha.nfsd with nasd's module in it, where it is built (make fsal). */
#include "ganesha_real.h"
#include "ganesha_rehearse.h"

static char module_dir[4096];

static bool module_built(void)
{
	char path[4200];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(module_dir) - 64);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	for (int i = 0; i < 2 && (slash = strrchr(path, '/')); i++)
		*slash = '\0';
	snprintf(module_dir, sizeof(module_dir), "%.4000s/fsal", path);
	snprintf(path, sizeof(path), "%s/libfsalnasd.so", module_dir);
	if (access(path, R_OK) == 0)
		return true;
	printf("  skipped: no %s\n", path);
	return false;
}

static struct ganesha *open_with_module(const struct conf_group *g, const char *dir)
{
	struct ganesha_env with = env;
	struct ganesha *out = NULL;
	struct err e = {0};

	with.module_dir = dir;
	ck_assert_msg(ganesha_new(g, 1, &with, &out, &e) == 0, "%s", e.msg);
	return out;
}

START_TEST(state_moves_by_the_module)
{
	struct conf_group *group;
	struct ganesha *g;
	struct ganesha_module m;
	struct ganesha_dump d;
	struct ganesha_load load = {0}, bad = {.text = "no state\n", .len = 9};
	struct err e = {0};
	unsigned n = 0;
	int64_t t0, clients = -1;

	if (!module_built())
		return;
	group = make_group();
	g = open_with_module(group, module_dir);
	TIMED("start_warm, module", ganesha_start_warm(g, 10 * SECOND, &e));
	ganesha_module_look(g, &m);
	ck_assert_msg(m.moves && m.gate_open, "%s", m.reason);
	/* it has rehearsed: once more is the same. A state can still be loaded. */
	t0 = now();
	ck_assert_msg(ganesha_rehearse_requests(&group->nfs, SECOND, &e) == 0, "%s", e.msg);
	printf("  %-28s %8.2f ms\n", "requests, rehearsed again", (double)(now() - t0) / 1000);
	ganesha_module_look(g, &m);
	ck_assert_msg(m.moves && m.gate_open && !m.in_grace, "%s", m.reason);
	ck_assert_uint_eq(count_records(), 0);
	TIMED("activate by the module", ganesha_activate(g, 10 * SECOND, &e));
	ganesha_module_look(g, &m);
	ck_assert_msg(m.moves && !m.in_grace, "%s", m.reason);
	ck_assert_int_eq(ganesha_exports_present(g, &n, SECOND, &e), OUTCOME_DONE);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(ganesha_module_release_client(g, "10.0.0.1", &clients, &e), 0);
	ck_assert_int_eq(clients, 0);
	ck_assert_msg(ganesha_gate(g, 5 * SECOND, SECOND / 10, 0, &d, &e) == 0, "%s", e.msg);
	ck_assert(d.closed && d.len == strlen(d.text) && d.clients == 0);
	ganesha_module_look(g, &m);
	ck_assert(!m.gate_open);
	ck_assert_int_eq(ganesha_module_release_client(g, "10.0.0.1", &clients, &e), -EPERM);
	ck_assert_msg(e.cls == ERR_REFUSED && strstr(e.msg, "a move is under way"), "%s", e.msg);
	ck_assert_int_eq(ganesha_thaw(g, &e), 0);
	ganesha_module_look(g, &m);
	ck_assert(m.gate_open);
	TIMED("stop", ganesha_stop(g, SECOND, &e));
	/* by the state, and then nobody has to reclaim: the record has served */
	load.text = d.text;
	load.len = d.len;
	install_one(RECORD);
	TIMED("activate with a state", ganesha_activate_with(g, &load, 10 * SECOND, &e));
	ck_assert_msg(load.moved, "%s", load.word);
	ganesha_module_look(g, &m);
	ck_assert(!m.in_grace);
	ck_assert_uint_eq(count_records(), 0);
	TIMED("stop", ganesha_stop(g, SECOND, &e));
	/* a text that is none: as if there had been none */
	install_one(RECORD);
	TIMED("activate with nonsense", ganesha_activate_with(g, &bad, 10 * SECOND, &e));
	ck_assert(!bad.moved && bad.word[0]);
	ganesha_module_look(g, &m);
	ck_assert(m.in_grace && !m.moves); /* who has yet to reclaim is in no dump */
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(d.text);
	free(group);
}
END_TEST

static bool is_stopped(int pid)
{
	char path[40], line[512] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	ck_assert(f && fgets(line, sizeof(line), f));
	fclose(f);
	return strstr(line, ") T ") != NULL;
}

START_TEST(a_module_that_hangs)
{
	struct conf_group *group;
	struct ganesha *g;
	struct ganesha_state s;
	struct ganesha_module m;
	struct ganesha_dump d;
	struct err e = {0};
	int64_t t0, clients = -1;

	if (!module_built())
		return;
	group = make_group();
	g = open_with_module(group, module_dir);
	TIMED("start_warm, module", ganesha_start_warm(g, 10 * SECOND, &e));
	ganesha_state(g, &s);
	ck_assert_int_eq(kill(s.pid, SIGSTOP), 0);
	while (!is_stopped(s.pid))
		usleep(1000);
	t0 = now();
	ck_assert_int_lt(ganesha_gate(g, 5 * SECOND, SECOND / 10, 0, &d, &e), 0);
	printf("  %-28s %8.2f ms\n", "gate, the module hangs", (double)(now() - t0) / 1000);
	ck_assert(!d.closed && !d.text && e.cls == ERR_TIMEOUT);
	ganesha_module_look(g, &m);
	ck_assert(!m.moves && m.gate_open && m.reason[0]);
	ck_assert_int_eq(ganesha_rehearse_requests(&group->nfs, SECOND / 10, &e), -ETIMEDOUT);
	ck_assert_int_eq(ganesha_module_release_client(g, "10.0.0.1", &clients, &e), -ETIMEDOUT);
	ck_assert(e.cls == ERR_TIMEOUT && clients == 0);
	kill(s.pid, SIGCONT);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	ganesha_free(g);
	free(group);
}
END_TEST

/* A module that is no program: the server starts without it, and says so. */
START_TEST(a_module_that_is_broken)
{
	struct conf_group *group = make_group();
	struct ganesha *g;
	struct ganesha_module m;
	struct err e = {0};
	unsigned n = 0;

	ck_assert_int_eq(system("mkdir -p " TOP "/broken && echo no program >" TOP "/broken/libfsalnasd.so"), 0);
	g = open_with_module(group, TOP "/broken");
	TIMED("start_warm, broken module", ganesha_start_warm(g, 10 * SECOND, &e));
	expect(g, SERVER_WARM);
	ganesha_module_look(g, &m);
	ck_assert(!m.moves && m.gate_open && m.reason[0]);
	printf("  %s\n", m.reason);
	TIMED("activate", ganesha_activate(g, 10 * SECOND, &e));
	ck_assert_int_eq(ganesha_exports_present(g, &n, SECOND, &e), OUTCOME_DONE);
	ck_assert_uint_eq(n, 2);
	TIMED("stop_all", ganesha_stop_all(g, 3 * SECOND, &e));
	group->nfs.migrate = CONF_MIGRATE_OFF;
	ganesha_module_look(g, &m);
	ck_assert_str_eq(m.reason, "migrate-state is off");
	ganesha_free(g);
	free(group);
}
END_TEST

static void add(TCase *t)
{
	tcase_add_test(t, state_moves_by_the_module);
	tcase_add_test(t, a_module_that_hangs);
	tcase_add_test(t, a_module_that_is_broken);
}

int main(void)
{
	return ganesha_real_main("sys/ganesha_module", add);
}
