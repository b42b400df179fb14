/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* What a load that is completed later needs: an open gate that holds some, and the
 * lines of one client out of a state. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gate.h"
#include "patience.h"
#include "state.h"

static char things[5000];

static bool is_odd(void *request, void *data)
{
	++*(size_t *)data;
	return ((char *)request - things) % 2;
}

START_TEST(gate_holds_while_open)
{
	size_t asked = 0, n;
	struct gate g;
	void **out;
	bool go_on;

	gate_init(&g);
	ck_assert_ptr_null(gate_take(&g, is_odd, &asked, &n));
	ck_assert_uint_eq(n, 0);
	for (size_t i = 0; i < sizeof(things); i++)
		ck_assert_int_eq(gate_hold(&g, &things[i]), 0);
	ck_assert_int_eq(gate_enter(&g, things, &go_on), 0);
	ck_assert(go_on && g.n_held == sizeof(things));
	out = gate_take(&g, is_odd, &asked, &n);
	ck_assert_uint_eq(asked, sizeof(things));
	ck_assert_uint_eq(n, sizeof(things) / 2);
	for (size_t i = 0; i < n; i++)
		ck_assert_ptr_eq(out[i], &things[2 * i + 1]);
	free(out);
	out = gate_take(&g, is_odd, &asked, &n);
	ck_assert_uint_eq(n, 0);
	free(out);
	/* a gate that is closed gives nobody away */
	ck_assert_int_eq(gate_close(&g, 0, 1, NULL), 0);
	ck_assert_int_eq(gate_enter(&g, &things[1], &go_on), 0);
	ck_assert(!go_on);
	ck_assert_ptr_null(gate_take(&g, is_odd, &asked, &n));
	/* opened, it gives all away, in the order in which they came */
	ck_assert_int_eq(gate_open(&g, &out, &n, NULL), 0);
	ck_assert_uint_eq(n, sizeof(things) / 2 + 1);
	for (size_t i = 0; i + 1 < n; i++)
		ck_assert_ptr_eq(out[i], &things[2 * i]);
	ck_assert_ptr_eq(out[n - 1], &things[1]);
	free(out);
	gate_free(&g);
}
END_TEST

static const char text[] =
	"nasd-state 2\nserver 1 9 9 0102030405060708\n"
	"client 1 0102030405060708 00 1 0 0 1 0 0 2 1 0 -\n"
	"open 00 000000000000000000000000 0011 1 1 0 0 0\n"
	"lock 00 000000000000000000000000 0011 000000000000000000000000 1 1 1 0 0\n"
	"client 2 0102030405060708 00 1 0 0 1 0 0 2 1 0 -\n"
	"client 3 0102030405060708 00 1 0 0 1 0 0 2 1 0 -\n"
	"open 00 000000000000000000000000 0022 1 1 0 0 0\n"
	"end 8\n";

struct seen {
	size_t at[8], clients, opens, locks;
	uint64_t id;
};

static int see_client(void *data, const struct state_client_row *c, struct fault *f)
{
	struct seen *s = data;

	(void)f;
	s->at[s->clients++] = c->at;
	s->id = c->id;
	return 0;
}

static int see_open(void *data, const struct state_open_row *o, struct fault *f)
{
	(void)o, (void)f;
	((struct seen *)data)->opens++;
	return 0;
}

static int see_lock(void *data, const struct state_lock_row *k, struct fault *f)
{
	(void)k, (void)f;
	((struct seen *)data)->locks++;
	return 0;
}

static const struct state_sink see = {.client = see_client, .open = see_open, .lock = see_lock};

START_TEST(one_client_of_a_state)
{
	static const size_t opens[] = {1, 0, 1}, locks[] = {1, 0, 0};
	struct seen all = {0};
	struct fault f = {0};

	ck_assert_msg(state_read(text, strlen(text), &see, &all, &f) == 0, "%s", f.text);
	ck_assert_uint_eq(all.clients, 3);
	all.at[3] = strlen(text);
	for (size_t i = 0; i < 3; i++) {
		size_t len = all.at[i + 1] - all.at[i];
		struct seen one = {0};

		ck_assert_int_eq(strncmp(text + all.at[i], "client ", 7), 0);
		ck_assert_msg(state_read_client(text + all.at[i], len, &see, &one, &f) == 0, "%s", f.text);
		ck_assert_uint_eq(one.clients, 1);
		ck_assert_uint_eq(one.id, i + 1);
		ck_assert_uint_eq(one.opens, opens[i]);
		ck_assert_uint_eq(one.locks, locks[i]);
		ck_assert_int_eq(state_read_client(text + all.at[i], len - 1, &see, &one, &f), -EPROTO);
	}
	/* not from the middle */
	ck_assert_int_eq(state_read_client(strstr(text, "open"), 20, &see, &all, &f), -EPROTO);
}
END_TEST

START_TEST(what_may_pass_is_tried_again_for_a_while)
{
	struct patience none = {0}, p = {.left_us = PATIENCE_US};
	int64_t waited = 0, us;

	ck_assert_int_eq(patience_pause(&none, -EAGAIN), 0);
	ck_assert_int_eq(patience_pause(&p, 0), 0);
	ck_assert_int_eq(patience_pause(&p, -EIO), 0);
	ck_assert_int_eq(patience_pause(&p, -ESTALE), 0);
	while ((us = patience_pause(&p, -EAGAIN)) > 0)
		waited += us;
	ck_assert_int_eq(waited, PATIENCE_US); /* and no more, of the whole load */
	ck_assert_int_eq(patience_pause(&p, -EAGAIN), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fsal late");
	TCase *t = tcase_create("all");
	SRunner *sr = srunner_create(s);
	int failed;

	tcase_add_test(t, gate_holds_while_open);
	tcase_add_test(t, one_client_of_a_state);
	tcase_add_test(t, what_may_pass_is_tried_again_for_a_while);
	suite_add_tcase(s, t);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? 1 : 0;
}
