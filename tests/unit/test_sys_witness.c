/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Machines on the clients' link, asked for an answer: in a namespace of its own. */
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netns.h"
#include "witness.h"

static struct conf_group group(void)
{
	struct conf_group g = { .n_addresses = 1 };
	const unsigned char floating[4] = { 10, 77, 1, 100 };

	g.addresses[0].net.ip.family = AF_INET;
	memcpy(g.addresses[0].net.ip.bytes, floating, 4);
	g.addresses[0].net.prefix = 24;
	snprintf(g.addresses[0].interface, sizeof(g.addresses[0].interface), "eth0");
	return g;
}

START_TEST(who_can_be_asked)
{
	struct conf_group g = group();
	struct witnesses w = { 0 };

	witnesses_add(&w, &g, "10.77.1.100"); /* the floating address */
	witnesses_add(&w, &g, "10.77.2.1");   /* behind a router */
	witnesses_add(&w, &g, "fd00::1");    /* no floating address of that family */
	witnesses_add(&w, &g, "nonsense");
	ck_assert_uint_eq(w.n, 0);
	ck_assert_int_eq(witnesses_ask(&w), WITNESS_NONE);
	witnesses_add(&w, &g, "10.77.1.7");
	witnesses_add(&w, &g, "10.77.1.7");
	ck_assert_uint_eq(w.n, 1);
	ck_assert_str_eq(w.addrs[0].ifname, "eth0");
	for (int i = 1; i < 40; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.77.1.%d", i);
		witnesses_add(&w, &g, ip);
	}
	ck_assert_uint_eq(w.n, WITNESSES_MAX);
}
END_TEST

START_TEST(an_odd_prefix)
{
	struct conf_group g = group();
	struct witnesses w = { 0 };

	g.addresses[0].net.prefix = 26; /* .64 to .127 */
	witnesses_add(&w, &g, "10.77.1.63");
	ck_assert_uint_eq(w.n, 0);
	witnesses_add(&w, &g, "10.77.1.127");
	ck_assert_uint_eq(w.n, 1);
}
END_TEST

START_TEST(one_answer_is_enough)
{
	struct conf_group g = group();
	struct witnesses w = { 0 }, w6 = { 0 };
	struct lab lab;

	lab_up(&lab);
	g.addresses[1] = g.addresses[0];
	g.addresses[1].net.ip.family = AF_INET6;
	memcpy(g.addresses[1].net.ip.bytes, lab.v6.ip, 16);
	g.addresses[1].net.prefix = 64;
	g.n_addresses = 2;
	witnesses_add(&w, &g, "10.77.1.7");
	witnesses_add(&w, &g, "10.77.1.8");
	witnesses_add(&w6, &g, "fd00:77::12");
	ck_assert_uint_eq(w6.n, 1);
	enter(&lab, NAS1);
	ck_assert_int_eq(witnesses_ask(&w), WITNESS_SILENT);
	ck_assert_int_eq(witnesses_ask(&w6), WITNESS_ANSWERS);
	witnesses_add(&w, &g, "10.77.1.12");
	ck_assert_int_eq(witnesses_ask(&w), WITNESS_ANSWERS);
	enter(&lab, CLIENT);
	sh("ip link set p1 down");
	enter(&lab, NAS1);
	ck_assert_int_eq(witnesses_ask(&w), WITNESS_SILENT);
	ck_assert_int_eq(witnesses_ask(&w6), WITNESS_SILENT);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("witnesses");
	TCase *tc = tcase_create("all");

	tcase_add_test(tc, who_can_be_asked);
	tcase_add_test(tc, an_odd_prefix);
	tcase_add_test(tc, one_answer_is_enough);
	return netns_run("test_sys_witness", suite, tc);
}
