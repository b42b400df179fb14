/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nasd killed, or the node lost, at every action of a switchover, on either
 * side, with what it had just begun (a record, a step) lost or kept; the same on
 * both nodes one after the other; the same with the link lost at every message.
 */
#include "core_suite.h"
#include "scenes.h"

#include <stdio.h>
#include <string.h>

enum { SOURCE, TARGET, RUN_US = 45000000, NO_MORE = 400 };

static const char *const when_name[] = { "before", "lost", "kept" };

/* Was the group given away by a record on the source's disk? */
static bool committed(const struct sim *s)
{
	for (size_t i = 0; i < s->n[SOURCE].n_disk; i++) {
		const struct journal_rec *r = &s->n[SOURCE].disk[i];

		if (!strcmp(r->kind, "owner") && r->owner == TARGET)
			return true;
	}
	return false;
}

static void finish(struct sim *s, const char *at)
{
	ck_assert_msg(sim_settle(s), "%s: %s", at, s->broken);
	ck_assert_msg(sim_active(s) == (committed(s) ? TARGET : SOURCE), "%s: %s, but it ends on %d", at,
		      committed(s) ? "committed" : "not committed", sim_active(s));
	sim_free(s);
}

/* One switchover with one kill; false: it had fewer actions. */
static bool one_kill(int node, unsigned index, enum kill_when when, bool power, bool forwarded)
{
	struct sim *s = scene_pair(index + 1, SOURCE);
	bool struck;
	char at[120];

	snprintf(at, sizeof(at), "%s of node %d at action %u, %s", power ? "power cut" : "kill", node, index,
		 when_name[when]);
	ck_assert_msg(!s->broken[0], "%s: %s", at, s->broken);
	sim_kill_at(s, node, index, when, power);
	sim_request(s, forwarded ? TARGET : SOURCE, REQUEST_SWITCHOVER, TARGET, false);
	sim_run(s, RUN_US);
	ck_assert_msg(!s->broken[0], "%s: %s", at, s->broken);
	struck = s->killed;
	finish(s, at);
	return struck;
}

static void all_kills(bool power)
{
	unsigned n = 0, last[2] = { 0, 0 };

	for (int node = 0; node < 2; node++)
		for (enum kill_when w = KILL_BEFORE; w <= KILL_KEPT; w++)
			for (unsigned i = 0; i < NO_MORE && one_kill(node, i, w, power, w == KILL_LOST); i++, n++)
				last[node] = i;
	ck_assert_uint_gt(last[SOURCE], 40); /* else the loop has missed most of it */
	ck_assert_uint_gt(last[TARGET], 25);
	printf("%s: %u places (source up to action %u, target up to %u)\n", power ? "power cuts" : "kills", n,
	       last[SOURCE], last[TARGET]);
}

START_TEST(kill_everywhere)
{
	all_kills(false);
}
END_TEST

START_TEST(power_cut_everywhere)
{
	all_kills(true);
}
END_TEST

struct second {
	int node;
	bool power;
};

static void second_blow(struct sim *s, int arg)
{
	const struct second b = { arg & 1, (arg & 2) != 0 };

	sim_kill_now(s, b.node, b.power, (arg & 4) != 0);
	if (!s->n[b.node].restart_at)
		s->n[b.node].restart_at = s->now + 500000;
}

/* Both, one after the other: the second falls a moment after the first. */
static bool two_kills(int first, unsigned index, bool power, int64_t gap)
{
	struct sim *s = scene_pair(index + 3, SOURCE);
	bool struck;
	char at[120];

	snprintf(at, sizeof(at), "%s of node %d at action %u, the other %lld ms later", power ? "power cut" : "kill",
		 first, index, (long long)gap / 1000);
	sim_kill_at(s, first, index, index % 2 ? KILL_LOST : KILL_KEPT, power);
	sim_request(s, SOURCE, REQUEST_SWITCHOVER, TARGET, false);
	while (!s->killed && s->now < 30000000 && sim_step(s))
		;
	struck = s->killed;
	sim_at(s, gap, second_blow, (1 - first) | (power ? 2 : 0) | (index % 3 ? 4 : 0));
	sim_run(s, RUN_US);
	ck_assert_msg(!s->broken[0], "%s: %s", at, s->broken);
	finish(s, at);
	return struck;
}

START_TEST(both_nodes)
{
	static const int64_t gaps[] = { 1000, 60000, 1500000, 4000000 };
	unsigned n = 0;

	for (size_t k = 0; k < sizeof(gaps) / sizeof(gaps[0]); k++)
		for (int first = 0; first < 2; first++)
			for (int power = 0; power < 2; power++)
				for (unsigned i = 0; i < NO_MORE && two_kills(first, i, power, gaps[k]); i++)
					n++;
	printf("both nodes one after the other: %u places\n", n);
	ck_assert_uint_gt(n, 500);
}
END_TEST

/* ---- the link */

static void heal(struct sim *s, int arg)
{
	(void)arg;
	sim_heal(s);
}

static bool one_cut(unsigned index, int64_t dark, bool forwarded)
{
	struct sim *s = scene_pair(index + 5, SOURCE);
	bool struck;
	char at[120];

	snprintf(at, sizeof(at), "link lost at message %u for %lld ms%s", index, (long long)dark / 1000,
		 forwarded ? ", asked on the standby" : "");
	sim_count(s);
	s->cut_at_msg = (int)index;
	sim_request(s, forwarded ? TARGET : SOURCE, REQUEST_SWITCHOVER, TARGET, false);
	for (int64_t until = s->now + 8000000; !s->cut_struck && s->now < until && sim_step(s);)
		;
	struck = s->cut_struck;
	sim_at(s, dark, heal, 0);
	sim_run(s, RUN_US);
	ck_assert_msg(!s->broken[0], "%s: %s", at, s->broken);
	ck_assert_msg(s->replies[0].replies == 1, "%s: %u replies", at, s->replies[0].replies);
	ck_assert_msg(sim_active(s) != NODE_NONE, "%s: nobody serves", at);
	finish(s, at);
	return struck;
}

START_TEST(link_lost_everywhere)
{
	static const int64_t dark[] = { 100, 400000, 5000000 };
	unsigned n = 0;

	for (size_t k = 0; k < sizeof(dark) / sizeof(dark[0]); k++)
		for (int forwarded = 0; forwarded < 2; forwarded++)
			for (unsigned i = 0; i < 100 && one_cut(i, dark[k], forwarded); i++)
				n++;
	printf("link lost: %u places\n", n);
	ck_assert_uint_gt(n, 100);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-crash");
	TCase *tc = core_case(suite, "crash");

	tcase_add_test(tc, kill_everywhere);
	tcase_add_test(tc, power_cut_everywhere);
	tcase_add_test(tc, both_nodes);
	tcase_add_test(tc, link_lost_everywhere);
	return core_suite_run(suite);
}
