/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom the peer link turns away: the wrong key, name or cluster, garbage, silence. */
#include "link_pair.h"

START_TEST(wrong_key)
{
	struct ctx x;
	struct peer_link_status st;

	setup(&x);
	unlink(x.secret[1]);
	write_secret(x.secret[1], "another secret, long enough");
	strcpy(x.side[1].conf->cluster.secret_file, x.secret[1]);
	start(&x, 0);
	start(&x, 1);
	run_for(&x, 1500);
	ck_assert_int_eq(x.side[0].ups + x.side[1].ups, 0);
	st = status_of(&x.side[0]);
	ck_assert_msg(strstr(st.last_error, "secret file") != NULL, "%s", st.last_error);
	ck_assert_uint_ge(st.refused, 3);
	st = status_of(&x.side[1]);
	ck_assert_msg(strstr(st.last_error, "secret file") != NULL, "%s", st.last_error);
	/* Many attempts, one line on each side. */
	ck_assert_int_eq(lines_with(&x, "turned away"), 1);
	ck_assert_int_eq(lines_with(&x, "cannot reach"), 1);
	ck_assert_int_eq(x.n_lines, 2);
	teardown(&x);
}
END_TEST

START_TEST(wrong_node_and_cluster)
{
	struct ctx x;

	setup(&x);
	strcpy(x.side[1].conf->nodes[1].name, "nas3");
	start(&x, 0);
	start(&x, 1);
	run_for(&x, 700);
	ck_assert_int_eq(x.side[0].ups + x.side[1].ups, 0);
	ck_assert_msg(strstr(status_of(&x.side[0]).last_error, "testcluster/nas3") != NULL, "%s",
		      status_of(&x.side[0]).last_error);
	stop(&x, 1);
	strcpy(x.side[1].conf->nodes[1].name, "nas2");
	strcpy(x.side[1].conf->cluster.name, "other");
	start(&x, 1);
	run_for(&x, 700);
	ck_assert_int_eq(x.side[0].ups + x.side[1].ups, 0);
	ck_assert_msg(strstr(status_of(&x.side[0]).last_error, "other") != NULL, "%s",
		      status_of(&x.side[0]).last_error);
	ck_assert_int_eq(lines_with(&x, "turned away"), 2);
	/* Put right, it comes up by itself. */
	stop(&x, 1);
	strcpy(x.side[1].conf->cluster.name, "testcluster");
	x.side[1].conf->hash[0] = 'b';
	start(&x, 1);
	RUN_UNTIL(&x, both_up(&x), 3000);
	ck_assert(!status_of(&x.side[0]).config_same);
	teardown(&x);
}
END_TEST

START_TEST(garbage_and_stalls)
{
	struct ctx x;
	int fds[20], stall, i;

	setup(&x);
	start(&x, 0);
	stall = connect_raw(&x);
	fds[0] = connect_raw(&x);
	ck_assert_int_eq(send(fds[0], "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
	RUN_UNTIL(&x, lines_with(&x, "turned away"), 2000);
	ck_assert_int_eq(lines_with(&x, "turned away"), 1);
	ck_assert_ptr_nonnull(strstr(x.lines[0], "handshake failed"));
	close(fds[0]);
	RUN_UNTIL(&x, lines_with(&x, "not finished in time"), 5000);
	ck_assert_int_eq(lines_with(&x, "not finished in time"), 1);
	close(stall);
	/* More silent ones than there is room for; the peer gets in all the same. */
	for (i = 0; i < 20; i++) {
		fds[i] = connect_raw(&x);
		run_for(&x, 3);
	}
	start(&x, 1);
	RUN_UNTIL(&x, both_up(&x), 2500);
	for (i = 0; i < 20; i++)
		close(fds[i]);
	run_for(&x, 500);
	ck_assert(both_up(&x));
	ck_assert_int_eq(x.side[0].downs, 0);
	ck_assert_int_lt(x.n_lines, 10);
	teardown(&x);
}
END_TEST

START_TEST(bad_secrets)
{
	struct peer_link *l = NULL;
	struct err e = { 0 };
	struct ctx x;

	setup(&x);
	strcpy(x.side[0].conf->cluster.secret_file, "/nonexistent");
	ck_assert_int_lt(peer_link_new(x.event, x.side[0].conf, 0, &ops, &x, &l, &e), 0);
	unlink(x.secret[0]);
	write_secret(x.secret[0], "short\n");
	strcpy(x.side[0].conf->cluster.secret_file, x.secret[0]);
	ck_assert_int_lt(peer_link_new(x.event, x.side[0].conf, 0, &ops, &x, &l, &e), 0);
	ck_assert_int_eq(e.cls, ERR_REFUSED);
	ck_assert_int_ne(e.remedy[0], '\0');
	ck_assert_ptr_null(l);
	teardown(&x);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sys/peer_link refuses");
	TCase *t = tcase_create("refuse");

	tcase_add_test(t, wrong_key);
	tcase_add_test(t, wrong_node_and_cluster);
	tcase_add_test(t, garbage_and_stalls);
	tcase_add_test(t, bad_secrets);
	return link_run(s, t);
}
