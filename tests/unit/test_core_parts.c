/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The active node's parts fail: what its core does, row by row, and when it leaves. */
#include "core_suite.h"
#include "group.h"
#include "split.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { S = 1000000, ROWS_MAX = 64, SELF = 0, PEER = 1 };

/* One core, and a world that does what it is told but for the rows that fail. */
struct stage {
	struct group_core *g;
	int64_t now;
	struct facts own, peer;
	bool down[STEP_COUNT];        /* the row's effect is not in place */
	enum outcome fails[STEP_COUNT]; /* what a run of it comes to */
	char ran[400];                /* the rows that ran since, in order */
	unsigned prepares;            /* asked of the peer */
	bool hold_gather;
};

static struct stage st;

static void copy(char *at, size_t size, const char *text)
{
	snprintf(at, size, "%s", text);
}

static void node_facts(struct facts *f, bool active)
{
	memset(f, 0, sizeof(*f));
	f->valid = f->drbd_known = f->mount_dir_exists = f->journal_ok = true;
	copy(f->drbd_role, NAME_MAX_LEN, active ? "Primary" : "Secondary");
	copy(f->drbd_peer_role, NAME_MAX_LEN, active ? "Secondary" : "Primary");
	copy(f->drbd_cstate, NAME_MAX_LEN, "Connected");
	copy(f->drbd_disk, NAME_MAX_LEN, "UpToDate");
	copy(f->drbd_peer_disk, NAME_MAX_LEN, "UpToDate");
	copy(f->drbd_fencing, NAME_MAX_LEN, "resource-and-stonith");
	copy(f->fs_uuid, sizeof(f->fs_uuid), "u");
	f->mounted = active;
	f->server = active ? SERVER_SERVING : SERVER_WARM;
	f->server_answers = active;
	f->exports_wanted = f->exports_present = active;
	f->n_addresses = 1;
	copy(f->addresses[0].text, ADDR_TEXT_MAX, "192.0.2.100/24");
	f->addresses[0].present = active;
	f->addresses[0].link_up = true;
}

static void run_step(const struct action *a)
{
	struct step_report r = { .step = a->u.run.step, .node = SELF, .start_us = st.now, .duration_us = 10 };
	struct err e = { .cls = ERR_NONE };
	size_t n = strlen(st.ran);

	if (a->u.run.op == OP_VERIFY) {
		r.outcome = st.down[r.step] ? OUTCOME_FAILED : OUTCOME_DONE;
	} else {
		r.outcome = st.fails[r.step];
		snprintf(st.ran + n, sizeof(st.ran) - n, "%s%s", n ? " " : "", step_name(r.step));
		if (r.outcome == OUTCOME_DONE)
			st.down[r.step] = false;
		if (r.step == STEP_ADDRESS_DEL)
			st.down[STEP_ADDRESS_ADD] = true;
		if (r.step == STEP_SERVER_STOP)
			st.down[STEP_EXPORT] = true;
		if (r.step == STEP_ADDRESS_ADD)
			st.down[STEP_ADDRESS_DEL] = true;
	}
	if (r.outcome != OUTCOME_DONE)
		err_set(&e, ERR_SYSTEM, EIO, step_name(r.step), "scripted");
	group_step_done(st.g, st.now, &r, a->u.run.op, &e);
}

static void carry_out(const struct action *a)
{
	switch (a->type) {
	case ACT_RUN: run_step(a); break;
	case ACT_JOURNAL: group_journaled(st.g, st.now, &a->u.rec, true, NULL); break;
	case ACT_FACTS:
		if (a->u.facts.tag != FACTS_MONITOR && !st.hold_gather)
			group_facts(st.g, st.now, a->u.facts.tag, &st.own);
		break;
	case ACT_SEND: {
		struct peer_msg m = { .type = MSG_FACTS, .u.facts = st.peer };

		if (a->u.msg.type == MSG_FACTS_REQ)
			group_message(st.g, st.now, &m);
		st.prepares += a->u.msg.type == MSG_PREPARE;
		break;
	}
	case ACT_SYNC_CLIENTS:
	case ACT_REPORT:
	case ACT_HELD:
	case ACT_REPLY:
	case ACT_STATE:
	case ACT_FINISHED:
	case ACT_FENCE:
	case ACT_OUTDATE:
	case ACT_RESUME_IO:
	case ACT_WITNESS:
	case ACT_DRBD_ANSWER: break;
	}
}

static void drain(void)
{
	struct action *a = malloc(sizeof(*a));

	while (group_next_action(st.g, a))
		carry_out(a);
	free(a);
}

static void pass(int64_t us)
{
	int64_t until = st.now + us;

	while (st.now < until) {
		int64_t next = group_next_tick(st.g);

		st.now = next > st.now && next < until ? next : next <= st.now && st.now + 1000 < until ? st.now + 1000 : until;
		group_tick(st.g, st.now);
		drain();
	}
}

static void monitored(void)
{
	group_facts(st.g, st.now, FACTS_MONITOR, &st.own);
	drain();
}

static enum group_state state(void)
{
	struct group_view v;

	group_look(st.g, &v);
	return v.state;
}

static void peer_says(void)
{
	struct peer_msg hello = { .type = MSG_HELLO, .u.hello = { .epoch = 2, .max_epoch = 2, .owner = SELF } };
	struct peer_msg facts = { .type = MSG_FACTS, .u.facts = st.peer };

	group_peer_up(st.g, st.now, true, true);
	group_message(st.g, st.now, &hello);
	group_message(st.g, st.now, &facts);
	drain();
}

/* Active, with a peer that stands by. */
static void begin(bool switchover)
{
	struct group_config cfg = { .self = SELF, .name = "g", .node_names = { "nas1", "nas2" }, .boot_id = "b", .fs_uuid = "u",
				    .switchover_us = 30 * S, .freeze_us = 8 * S, .monitor_us = 2 * S,
				    .hung_after_us = 10 * S, .leaves_bad_server = switchover };
	struct journal_state j;

	memset(&st, 0, sizeof(st));
	st.now = S;
	journal_state_init(&j);
	j.owner = SELF;
	j.epoch = j.max_epoch = 2;
	copy(j.active_boot, sizeof(j.active_boot), "b");
	node_facts(&st.own, true);
	node_facts(&st.peer, false);
	st.down[STEP_ADDRESS_DEL] = true;
	st.g = group_new(&cfg);
	group_start(st.g, st.now, &j);
	drain();
	peer_says();
	ck_assert_int_eq(state(), GS_ACTIVE);
	st.ran[0] = '\0';
}

static void end(void)
{
	group_free(st.g);
}

static void server_down(void)
{
	st.own.server = SERVER_DOWN;
	st.down[STEP_EXPORT] = true;
}

/* ---- a server that hangs */

START_TEST(one_that_hangs_is_killed_and_started_in_place)
{
	begin(false);
	st.own.server_silent_ms = st.own.server_unanswered_ms = 9999;
	monitored();
	ck_assert_str_eq(st.ran, "");
	st.own.server_silent_ms = 10000;
	monitored();
	ck_assert_int_eq(state(), GS_ACTIVE);
	ck_assert_str_eq(st.ran, "address-del server-stop export address-add announce confirm");
	end();
}
END_TEST

static void mute_only(void) { st.own.server_unanswered_ms = 60000; }
static void frozen(void) { st.own.server_silent_ms = 60000; st.own.drbd_suspended = true; }
static void warm(void) { st.own.server_silent_ms = 60000; st.own.server = SERVER_WARM; }

START_TEST(what_is_no_hang)
{
	static void (*const makes[])(void) = { mute_only, frozen, warm };

	begin(false);
	makes[_i]();
	monitored();
	ck_assert_str_eq(st.ran, "");
	ck_assert_int_eq(state(), GS_ACTIVE);
	end();
}
END_TEST

/* It is not killed a second time: what is retried is the rest. */
START_TEST(a_new_server_is_not_taken_for_the_old_one)
{
	begin(false);
	st.own.server_silent_ms = 20000;
	st.fails[STEP_ADDRESS_ADD] = OUTCOME_FAILED;
	monitored();
	pass(5 * S);
	ck_assert_int_eq(state(), GS_ACTIVATING);
	ck_assert_ptr_nonnull(strstr(st.ran, "address-del server-stop export address-add address-add"));
	ck_assert_ptr_null(strstr(strstr(st.ran, "server-stop") + 1, "server-stop"));
	st.fails[STEP_ADDRESS_ADD] = OUTCOME_DONE;
	st.own.server_silent_ms = 0;
	pass(10 * S);
	ck_assert_int_eq(state(), GS_ACTIVE);
	end();
}
END_TEST

/* A kill that fails is tried again before anything is started. */
START_TEST(a_kill_that_fails)
{
	begin(false);
	st.own.server_silent_ms = 20000;
	st.fails[STEP_SERVER_STOP] = OUTCOME_FAILED;
	st.down[STEP_SERVER_STOP] = true;
	monitored();
	pass(3 * S);
	ck_assert_ptr_null(strstr(st.ran, "export"));
	st.fails[STEP_SERVER_STOP] = OUTCOME_DONE;
	pass(10 * S);
	ck_assert_int_eq(state(), GS_ACTIVE);
	ck_assert_ptr_nonnull(strstr(st.ran, "server-stop export address-add"));
	end();
}
END_TEST

/* ---- on-server-failure */

static void dies(void)
{
	enum server_state was = st.own.server;

	server_down();
	monitored();
	st.own.server = was;
	pass(3 * S);
}

START_TEST(three_deaths_and_it_goes)
{
	begin(true);
	dies();
	dies();
	monitored();
	ck_assert_uint_eq(st.prepares, 0);
	dies();
	ck_assert_int_eq(state(), GS_ACTIVE); /* served again first */
	monitored();
	ck_assert_uint_eq(st.prepares, 1);
	ck_assert_int_eq(state(), GS_SWITCHING);
	end();
}
END_TEST

START_TEST(deaths_far_apart_are_no_reason)
{
	begin(true);
	for (int i = 0; i < 6; i++) {
		dies();
		monitored();
		pass((int64_t)301 * S);
	}
	ck_assert_uint_eq(st.prepares, 0);
	end();
}
END_TEST

START_TEST(with_restart_it_stays)
{
	begin(false);
	for (int i = 0; i < 6; i++)
		dies();
	monitored();
	ck_assert_uint_eq(st.prepares, 0);
	ck_assert_int_eq(state(), GS_ACTIVE);
	end();
}
END_TEST

START_TEST(a_restart_that_fails_and_it_goes)
{
	begin(true);
	st.fails[STEP_EXPORT] = OUTCOME_FAILED;
	server_down();
	st.own.addresses[0].present = false;
	monitored();
	pass(6 * S);
	ck_assert_uint_eq(st.prepares, 1);
	ck_assert_int_eq(state(), GS_SWITCHING);
	end();
}
END_TEST

static void peer_cold(void) { st.peer.server = SERVER_DOWN; }
static void peer_old(void) { copy(st.peer.drbd_disk, NAME_MAX_LEN, "Inconsistent"); }
static void peer_gone(void) { group_peer_down(st.g, st.now, "test"); }

/* Where nobody can have it, it stays, and is tried further. */
START_TEST(no_fit_peer_it_stays)
{
	static void (*const makes[])(void) = { peer_cold, peer_old, peer_gone };

	begin(true);
	makes[_i]();
	if (_i < 2)
		peer_says();
	st.fails[STEP_EXPORT] = OUTCOME_FAILED;
	server_down();
	monitored();
	pass(20 * S);
	ck_assert_uint_eq(st.prepares, 0);
	ck_assert_int_eq(state(), GS_ACTIVATING);
	st.fails[STEP_EXPORT] = OUTCOME_DONE;
	pass(10 * S);
	ck_assert_int_eq(state(), GS_ACTIVE);
	end();
}
END_TEST

/* The peer looked fit and its facts say otherwise by now. */
START_TEST(refused_after_all_it_stays)
{
	begin(true);
	st.fails[STEP_EXPORT] = OUTCOME_FAILED;
	copy(st.peer.fs_uuid, sizeof(st.peer.fs_uuid), "another");
	server_down();
	monitored();
	pass(3 * S);
	ck_assert_uint_eq(st.prepares, 0);
	st.fails[STEP_EXPORT] = OUTCOME_DONE;
	pass(10 * S);
	ck_assert_int_eq(state(), GS_ACTIVE);
	end();
}
END_TEST

/* ---- split brain */

static struct facts side(const char *cstate, bool changed, uint64_t behind)
{
	struct facts f;

	node_facts(&f, true);
	copy(f.drbd_cstate, NAME_MAX_LEN, cstate);
	copy(f.drbd_peer_role, NAME_MAX_LEN, !strcmp(cstate, "Connected") ? "Secondary" : "Unknown");
	f.drbd_changed_alone = changed;
	f.drbd_out_of_sync = behind;
	return f;
}

START_TEST(what_is_a_split_brain)
{
	struct facts a = side("StandAlone", true, 4096), b = side("StandAlone", true, 0);
	struct facts waits = side("WFConnection", true, 4096), same = side("StandAlone", false, 4096);
	struct facts behind = side("StandAlone", false, 0), whole = side("Connected", true, 0);

	ck_assert(split_brain(&a, &b));
	ck_assert(split_brain(&a, &waits)); /* one has noticed first */
	ck_assert(split_brain(&same, &same)); /* DRBD 9 does not tell who was changed */
	ck_assert(!split_brain(&a, &behind));
	ck_assert(!split_brain(&behind, &behind)); /* disconnected by hand, nothing written */
	ck_assert(!split_brain(&a, &whole));
	ck_assert(!split_brain(&a, NULL));
	b.valid = false;
	ck_assert(!split_brain(&a, &b));
	ck_assert(split_stands_alone(&a));
	ck_assert(!split_stands_alone(&waits));
	ck_assert(!split_stands_alone(&b));
	ck_assert(!split_stands_alone(NULL));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("core-parts");
	TCase *tc = core_case(suite, "parts");

	tcase_add_test(tc, one_that_hangs_is_killed_and_started_in_place);
	tcase_add_loop_test(tc, what_is_no_hang, 0, 3);
	tcase_add_test(tc, a_new_server_is_not_taken_for_the_old_one);
	tcase_add_test(tc, a_kill_that_fails);
	tcase_add_test(tc, three_deaths_and_it_goes);
	tcase_add_test(tc, deaths_far_apart_are_no_reason);
	tcase_add_test(tc, with_restart_it_stays);
	tcase_add_test(tc, a_restart_that_fails_and_it_goes);
	tcase_add_loop_test(tc, no_fit_peer_it_stays, 0, 3);
	tcase_add_test(tc, refused_after_all_it_stays);
	tcase_add_test(tc, what_is_a_split_brain);
	return core_suite_run(suite);
}
