/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nasctl evacuate: which guest goes where, and the record. */
#include "ctl_view.h"

#include <string.h>

#include "corpus.h"
#include "evacuation.h"

/* ---- places */

/* "memory:target ..." after "+free ..." (usable) and "-free ..." (not). */
static const struct {
	const char *what, *hosts, *guests;
} placings[] = {
	{ "one host takes all", "+100", "40:0 60:0" },
	{ "the roomiest first", "+50 +100", "10:1 10:1" },
	{ "the largest first, and what is left is counted", "+100 +90", "20:0 80:0 70:1" },
	{ "of equals the first", "+10 +10", "10:0 10:1" },
	{ "one without room does not keep others out", "+50", "60:x 50:0" },
	{ "together they do not fit, though each would", "+50", "30:0 30:x" },
	{ "an unusable host is not used", "-1000 +50", "50:1 1:x" },
	{ "no host", "", "1:x" },
	{ "nobody", "+10", "" },
	{ "exactly", "+0", "0:0 1:x" },
};

START_TEST(placing)
{
	struct evacuation_host hosts[4];
	struct evacuation_guest guests[4];
	char want[64] = "", got[64] = "", *next;
	size_t h = 0, g = 0;

	for (const char *p = placings[_i].hosts; *p; p = *next ? next + 1 : next, h++)
		hosts[h] = (struct evacuation_host){ .usable = *p == '+', .free_kib = strtoull(p + 1, &next, 10) };
	for (const char *p = placings[_i].guests; *p; g++) {
		guests[g].memory_kib = strtoull(p, &next, 10);
		guests[g].to = 99;
		strncat(want, next + 1, 1);
		p = next[2] ? next + 3 : next + 2;
	}
	evacuation_place(guests, g, hosts, h);
	for (size_t i = 0; i < g; i++)
		sprintf(got + i, "%c", guests[i].to == EVACUATION_NO_ROOM ? 'x' : '0' + guests[i].to);
	ck_assert_msg(!strcmp(got, want), "%s: %s, wanted %s", placings[_i].what, got, want);
}
END_TEST

START_TEST(what_is_left)
{
	struct evacuation_host hosts[] = { { true, 100 }, { true, 60 } };
	struct evacuation_guest guests[] = { { 30, 0 }, { 50, 0 } };

	evacuation_place(guests, 2, hosts, 2);
	ck_assert_uint_eq(hosts[0].free_kib, 50);
	ck_assert_uint_eq(hosts[1].free_kib, 30);
}
END_TEST

/* ---- the record */

static json_t *record_of(const char *text)
{
	json_t *r = NULL;
	struct err err;

	ck_assert_int_eq(evacuation_record_parse(text, strlen(text), "vnode2", "file", &r, &err), 0);
	return r;
}

static void is(json_t *record, const char *guests)
{
	json_t *want = parse(guests);

	ck_assert(json_equal(json_object_get(record, "guests"), want));
	json_decref(want);
	json_decref(record);
}

START_TEST(record_goes_and_comes)
{
	json_t *r = evacuation_record_new("vnode2");
	char *text;

	ck_assert(evacuation_record_add(r, "a", "u1"));
	ck_assert(evacuation_record_add(r, "b", "u2"));
	ck_assert(evacuation_record_add(r, "renamed", "u1"));
	evacuation_record_remove(r, "u9");
	text = json_dumps(r, 0);
	json_decref(r);
	r = record_of(text);
	free(text);
	is(json_incref(r), "[{\"name\":\"b\",\"uuid\":\"u2\"},{\"name\":\"renamed\",\"uuid\":\"u1\"}]");
	evacuation_record_remove(r, "u2");
	evacuation_record_remove(r, "u1");
	is(r, "[]");
}
END_TEST

static const struct {
	const char *text, *why;
} malformed[] = {
	{ "", "is no JSON object" },
	{ "[]", "is no JSON object" },
	{ "{\"v\":1,\"v\":1}", "is no JSON object" },
	{ "{\"v\":1,\"hypervisor\":\"vnode2\",\"guests\":[", "is no JSON object" },
	{ "{\"v\":2,\"hypervisor\":\"vnode2\",\"guests\":[]}", "is of another version" },
	{ "{\"v\":1,\"hypervisor\":\"vnode3\",\"guests\":[]}", "is of another hypervisor" },
	{ "{\"v\":1,\"hypervisor\":\"vnode2\"}", "has no list of guests" },
	{ "{\"v\":1,\"hypervisor\":\"vnode2\",\"guests\":[1]}", "has a guest without name or uuid" },
	{ "{\"v\":1,\"hypervisor\":\"vnode2\",\"guests\":[{\"name\":\"a\"}]}", "has a guest without name or uuid" },
	{ "{\"v\":1,\"hypervisor\":\"vnode2\",\"guests\":[{\"name\":\"\",\"uuid\":\"u\"}]}", "has a guest without name or uuid" },
};

START_TEST(malformed_record)
{
	json_t *r = NULL;
	struct err err = { 0 };

	ck_assert_int_lt(evacuation_record_parse(malformed[_i].text, strlen(malformed[_i].text), "vnode2", "file", &r, &err), 0);
	ck_assert_ptr_null(r);
	ck_assert_ptr_nonnull(strstr(err.msg, malformed[_i].why));
	ck_assert_str_eq(err.where, "file");
	ck_assert_ptr_nonnull(strstr(err.remedy, "nasctl migrate"));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("evacuation");

	tcase_add_loop_test(tc, placing, 0, sizeof(placings) / sizeof(*placings));
	tcase_add_test(tc, what_is_left);
	tcase_add_test(tc, record_goes_and_comes);
	tcase_add_loop_test(tc, malformed_record, 0, sizeof(malformed) / sizeof(*malformed));
	return corpus_run(tc, "ctl/evacuation");
}
