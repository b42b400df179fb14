/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet builders against hex dumps. The checksums in the dumps were
 * computed by another program, from the RFCs.
 */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "announce.h"
#include "packet.h"

static const unsigned char MAC[6] = { 0x02, 0x00, 0x4d, 0x01, 0x02, 0x03 };
static const unsigned char IP4[16] = { 10, 77, 1, 100 };
static const unsigned char IP6[16] = { 0xfd, 0, 0, 0x77, [14] = 1, [15] = 0 };

#define ARP_HEAD "ffffffffffff" "02004d010203" "0806" "0001" "0800" "06" "04"
#define ARP_PROBE ARP_HEAD "0001" "02004d010203" "00000000" "000000000000" "0a4d0164"
#define ARP_REQUEST ARP_HEAD "0001" "02004d010203" "0a4d0164" "000000000000" "0a4d0164"
#define ARP_REPLY ARP_HEAD "0002" "02004d010203" "0a4d0164" "ffffffffffff" "0a4d0164"
#define ND_NS \
	"3333ff000100" "02004d010203" "86dd" "60000000" "0018" "3a" "ff" \
	"00000000000000000000000000000000" "ff0200000000000000000001ff000100" \
	"87" "00" "7b30" "00000000" "fd000077000000000000000000000100"
#define ND_NA \
	"333300000001" "02004d010203" "86dd" "60000000" "0020" "3a" "ff" \
	"fd000077000000000000000000000100" "ff020000000000000000000000000001" \
	"88" "00" "08ac" "20000000" "fd000077000000000000000000000100" "0201" "02004d010203"
#define TCP4 \
	"45000028" "00004000" "400623c7" "0a4d0164" "0a4d010c" \
	"0801" "035d" "11223344" "55667788" "50100400" "7818" "0000"
#define TCP6 \
	"60000000" "0014" "06" "40" "fd000077000000000000000000000100" \
	"fd000077000000000000000000000012" \
	"0801" "035d" "11223344" "55667788" "50100400" "9320" "0000"

static void assert_hex(const unsigned char *p, size_t len, const char *want)
{
	char got[2 * NET_PACKET_MAX + 1] = "";

	for (size_t i = 0; i < len; i++)
		snprintf(got + 2 * i, 3, "%02x", p[i]);
	ck_assert_str_eq(got, want);
}

static size_t from_hex(const char *hex, unsigned char *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		const char byte[3] = { hex[2 * i], hex[2 * i + 1], 0 };

		out[i] = (unsigned char)strtoul(byte, NULL, 16);
	}
	return n;
}

START_TEST(arp)
{
	unsigned char buf[NET_PACKET_MAX];

	assert_hex(buf, net_packet_arp_probe(buf, sizeof(buf), MAC, IP4), ARP_PROBE);
	assert_hex(buf, net_packet_arp_announce(buf, sizeof(buf), NET_GARP_REQUEST, MAC, IP4), ARP_REQUEST);
	assert_hex(buf, net_packet_arp_announce(buf, sizeof(buf), NET_GARP_REPLY, MAC, IP4), ARP_REPLY);
	ck_assert_uint_eq(net_packet_arp_probe(buf, NET_ARP_LEN - 1, MAC, IP4), 0);
}
END_TEST

START_TEST(nd)
{
	unsigned char buf[NET_PACKET_MAX];

	assert_hex(buf, net_packet_ns_dad(buf, sizeof(buf), MAC, IP6), ND_NS);
	assert_hex(buf, net_packet_na_announce(buf, sizeof(buf), MAC, IP6), ND_NA);
	ck_assert_uint_eq(net_packet_ns_dad(buf, NET_NSDAD_LEN - 1, MAC, IP6), 0);
	ck_assert_uint_eq(net_packet_na_announce(buf, NET_ND_LEN - 1, MAC, IP6), 0);
}
END_TEST

START_TEST(tcp_ack)
{
	unsigned char buf[NET_PACKET_MAX];
	struct net_flow flow = { .family = AF_INET, .local_port = 2049, .remote_port = 861,
				 .remote = { 10, 77, 1, 12 } };

	memcpy(flow.local, IP4, 16);
	assert_hex(buf, net_packet_tcp_ack(buf, sizeof(buf), &flow, 0x11223344, 0x55667788), TCP4);
	ck_assert_uint_eq(net_packet_tcp_ack(buf, 39, &flow, 0, 0), 0);
	flow.family = AF_INET6;
	memcpy(flow.local, IP6, 16);
	memcpy(flow.remote, IP6, 16);
	flow.remote[14] = 0;
	flow.remote[15] = 0x12;
	assert_hex(buf, net_packet_tcp_ack(buf, sizeof(buf), &flow, 0x11223344, 0x55667788), TCP6);
	ck_assert_uint_eq(net_packet_tcp_ack(buf, 59, &flow, 0, 0), 0);
	flow.family = AF_UNIX;
	ck_assert_uint_eq(net_packet_tcp_ack(buf, sizeof(buf), &flow, 0, 0), 0);
}
END_TEST

static enum net_claim claim(const char *hex, int family, const unsigned char *ip)
{
	unsigned char frame[NET_PACKET_MAX], mac[6] = { 0 };
	enum net_claim c = net_packet_claim(frame, from_hex(hex, frame), family, ip, mac);

	if (c != NET_CLAIM_NONE)
		ck_assert_mem_eq(mac, MAC, 6);
	return c;
}

START_TEST(claims)
{
	static const unsigned char other[16] = { 10, 77, 1, 101 };

	ck_assert_int_eq(claim(ARP_PROBE, AF_INET, IP4), NET_CLAIM_PROBED);
	ck_assert_int_eq(claim(ARP_REQUEST, AF_INET, IP4), NET_CLAIM_HELD);
	ck_assert_int_eq(claim(ARP_REPLY, AF_INET, IP4), NET_CLAIM_HELD);
	ck_assert_int_eq(claim(ARP_REPLY, AF_INET, other), NET_CLAIM_NONE);
	ck_assert_int_eq(claim(ND_NS, AF_INET6, IP6), NET_CLAIM_PROBED);
	ck_assert_int_eq(claim(ND_NA, AF_INET6, IP6), NET_CLAIM_HELD);
	ck_assert_int_eq(claim(ND_NA, AF_INET6, other), NET_CLAIM_NONE);
	ck_assert_int_eq(claim(ND_NA, AF_INET, IP4), NET_CLAIM_NONE);
	ck_assert_int_eq(claim(ND_NA, AF_UNIX, IP4), NET_CLAIM_NONE);
}
END_TEST

/* Each frame cut at each length, from memory of exactly that size, and with each byte wrong. */
START_TEST(claims_malformed)
{
	static const char *const frames[] = { ARP_PROBE, ARP_REPLY, ND_NS, ND_NA };
	unsigned char frame[NET_PACKET_MAX], mac[6];

	for (size_t i = 0; i < 4; i++) {
		int family = i < 2 ? AF_INET : AF_INET6;
		const unsigned char *ip = i < 2 ? IP4 : IP6;
		size_t len = from_hex(frames[i], frame);

		for (size_t cut = 0; cut < len; cut++) {
			unsigned char *p = malloc(cut ? cut : 1);

			memcpy(p, frame, cut);
			ck_assert_int_eq(net_packet_claim(p, cut, family, ip, mac), NET_CLAIM_NONE);
			free(p);
		}
		for (size_t at = 54; i >= 2 && at < len; at++) {
			frame[at] ^= 0x10; /* the checksum notices */
			ck_assert_int_eq(net_packet_claim(frame, len, family, ip, mac), NET_CLAIM_NONE);
			frame[at] ^= 0x10;
		}
	}
}
END_TEST

START_TEST(addresses)
{
	static const char *const good[] = { "10.77.1.100/24", "192.0.2.1/32", "192.0.2.0/31",
					    "fd00:77::100/64", "2001:db8::1/128" };
	static const char *const bad[] = {
		"", "/", "/24", "10.77.1.100", "10.77.1.100/", "10.77.1.100/33", "10.77.1.100/-1",
		"10.77.1.100/+24", "10.77.1.100/ 24", "10.77.1.100/24x", "10.77.1.100/0", "10.77.1/24",
		"10.77.1.256/24", "10.77.1.0/24", "10.77.1.255/24", "0.0.0.0/8", "127.0.0.1/8",
		"224.0.0.1/24", "255.255.255.255/32", "::/64", "::1/128", "ff02::1/64", "fe80::1/64",
		"::ffff:10.1.1.1/96", "fd00::1/129", "fd00:::1/64", "fd00::1", "nas1/24",
		"fd00:77:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0100/64",
		"10.77.1.100/99999999999999999999",
	};
	struct net_addr a;
	struct err e;
	char buf[NET_ADDR_TEXT_MAX];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_int_eq(net_addr_parse(good[i], "eth0", &a, &e), 0);
		ck_assert_str_eq(net_addr_format(&a, buf, sizeof(buf)), good[i]);
		ck_assert_str_eq(a.ifname, "eth0");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err_clear(&e);
		ck_assert_msg(net_addr_parse(bad[i], "eth0", &a, &e) == -EINVAL, "\"%s\" was taken", bad[i]);
		ck_assert_int_eq(e.cls, ERR_INPUT);
		ck_assert(e.msg[0]);
	}
	ck_assert_int_eq(net_addr_parse("10.77.1.100/24", "", &a, NULL), -EINVAL);
	ck_assert_int_eq(net_addr_parse("10.77.1.100/24", "a/b", &a, NULL), -EINVAL);
	ck_assert_int_eq(net_addr_parse("10.77.1.100/24", "sixteen-chars-xx", &a, NULL), -EINVAL);
}
END_TEST

START_TEST(schedule)
{
	uint64_t at, last = 0;
	unsigned n;

	ck_assert(net_announce_due(0, &at));
	ck_assert_uint_eq(at, 0);
	for (n = 1; net_announce_due(n, &at); n++) {
		ck_assert_uint_gt(at, last);
		last = at;
	}
	ck_assert_uint_eq(n, 8);
	ck_assert(!net_announce_due(4000000000u, &at));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("netlink packet");
	TCase *tc = tcase_create("all");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, arp);
	tcase_add_test(tc, nd);
	tcase_add_test(tc, tcp_ack);
	tcase_add_test(tc, claims);
	tcase_add_test(tc, claims_malformed);
	tcase_add_test(tc, addresses);
	tcase_add_test(tc, schedule);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
