/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From nasd.conf's fence sections to plans. */
#include "corpus.h"

#include <errno.h>

#include "agent.h"
#include "fence_plan.h"

/* A configuration with these fence devices. */
static struct conf *load_trigger(const char *trigger, const char *fences)
{
	static const char head[] = "cluster { name = t  secret-file = \"/k\"  trigger = %s  heartbeat-interval = 200ms\n"
				   "dead-after = 2s }\n"
				   "node nas1 { addresses = \"10.77.2.11\" }\nnode nas2 { addresses = \"10.77.2.12\" }\n";
	static const char group[] = "group g { id = 1  drbd { resource = r0  device = \"/dev/drbd0\" }\n"
				    "filesystem { mount = \"/srv/g\"  type = ext4\n"
				    "uuid = 6e617364-0000-4000-8000-000000000001 }\n"
				    "export g { id = 1  path = \"/srv/g\"  pseudo = \"/g\"  clients = \"10.77.1.0/24\"\n"
				    "access = rw  squash = no_root }\n"
				    "address \"10.77.1.100/24\" { interface = vec0 }\nnfs { lease = 15s  grace = 20s } }\n";
	struct conf *c = NULL;
	struct err err = { 0 };
	char text[8192], buf[1024];
	int n = snprintf(text, sizeof(text), head, trigger);

	snprintf(text + n, sizeof(text) - (size_t)n, "%s%s", fences, group);
	if (conf_load_text("test", text, strlen(text), &c, &err))
		ck_abort_msg("%s", err_format(&err, buf, sizeof(buf)));
	return c;
}

static struct conf *load_with(const char *fences)
{
	return load_trigger("manual", fences);
}

/* Pacemaker is asked, for either node, and its answer is proof enough. */
START_TEST(pacemaker_fences)
{
	struct conf *c = load_trigger("pacemaker", "");
	struct fence_plan p;
	struct err err = { 0 };

	for (int node = 0; node < 2; node++) {
		ck_assert_msg(fence_plan_of(c, node, &p, &err) == 0, "%s", err.msg);
		ck_assert_str_eq(p.node, node ? "nas2" : "nas1");
		ck_assert_uint_eq(p.n_devices, 1);
		ck_assert_str_eq(p.devices[0].path, CONF_PACEMAKER_AGENT);
		ck_assert(!p.devices[0].verify);
	}
	conf_free(c);
}
END_TEST

START_TEST(clock_set_back)
{
	struct fence_since s = { 0 };
	struct fence_device d = { 0 };

	fence_since_tell(&s, &d, 1000000000, 50000000, 48500000);
	ck_assert_uint_eq(d.n_options, 1);
	ck_assert_str_eq(d.options[0].key, "since");
	ck_assert_str_eq(d.options[0].value, "998.500000");
	fence_since_tell(&s, &d, 1000000000, 50000000, -1);
	ck_assert_uint_eq(d.n_options, 0);
	fence_since_watch(&s, 2000000000, 51000000); /* forward does no harm */
	fence_since_tell(&s, &d, 2000000000, 51000000, 48500000);
	ck_assert_uint_eq(d.n_options, 1);
	fence_since_watch(&s, 1990000000, 52000000);
	fence_since_tell(&s, &d, 1990000000, 52000000, 51000000);
	ck_assert_uint_eq(d.n_options, 0);
}
END_TEST

START_TEST(devices_by_level)
{
	struct conf *c = load_with("fence pdu-b { node = nas2  agent = \"/a/pdu\"  level = 2  options = { \"plug=2\", \"ip=b\" } }\n"
				   "fence other { node = nas1  agent = \"/a/other\" }\n"
				   "fence ipmi { node = nas2  agent = \"/a/ipmi\"  options = \"password=a=b \"\n"
				   "timeout = 3s  retries = 2  retry-wait = 500ms  verify = no }\n"
				   "fence pdu-a { node = nas2  agent = \"/a/pdu\"  level = 2  options = \"plug=1\" }\n");
	struct fence_plan p;
	struct err err = { 0 };

	ck_assert_int_eq(fence_plan_of(c, 1, &p, &err), 0);
	ck_assert_str_eq(p.node, "nas2");
	ck_assert_uint_eq(p.n_devices, 3);
	ck_assert_str_eq(p.devices[0].name, "ipmi");
	ck_assert_str_eq(p.devices[0].path, "/a/ipmi");
	ck_assert_uint_eq(p.devices[0].n_options, 1);
	ck_assert_str_eq(p.devices[0].options[0].key, "password");
	ck_assert_str_eq(p.devices[0].options[0].value, "a=b ");
	ck_assert_int_eq(p.devices[0].timeout_us, 3000000);
	ck_assert_uint_eq(p.devices[0].retries, 2);
	ck_assert_int_eq(p.devices[0].retry_wait_us, 500000);
	ck_assert(!p.devices[0].verify);
	/* a level in the file's order */
	ck_assert_str_eq(p.devices[1].name, "pdu-b");
	ck_assert_uint_eq(p.devices[1].level, 2);
	ck_assert_str_eq(p.devices[1].options[1].value, "b");
	ck_assert(p.devices[1].verify);
	ck_assert_int_eq(p.devices[1].verify_limit_us, 10000000);
	ck_assert_int_eq(p.devices[1].verify_every_us, 250000);
	ck_assert_str_eq(p.devices[2].name, "pdu-a");
	ck_assert_int_eq(p.delay_us, 0);
	ck_assert_int_eq(p.delay_random_us, 0);
	/* 3 tries of one call each, and 2 of two calls at each of the others */
	ck_assert_int_eq(p.total_us, fence_plan_worst_us(&p) + 11 * (int64_t)FENCE_KILL_WAIT_US);
	ck_assert_int_eq(fence_plan_of(c, 0, &p, &err), 0);
	ck_assert_uint_eq(p.n_devices, 1);
	ck_assert_str_eq(p.devices[0].name, "other");
	conf_free(c);
}
END_TEST

START_TEST(the_largest_plan)
{
	char text[8192] = "", value[CONF_FENCE_VALUE_MAX];
	size_t used = 0;
	struct fence_plan p;
	struct err err = { 0 };
	struct conf *c;

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int i = 0; i < CONF_FENCES_MAX; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "fence d%d { node = nas%d  agent = \"/a\"  level = %d  options = \"k=%s\"\n"
					 "timeout = 5min  verify-limit = 5min  retries = 10  retry-wait = 1min }\n",
					 i, i % 2 + 1, i / 2 + 1, value);
	c = load_with(text);
	for (int node = 0; node < 2; node++) {
		ck_assert_int_eq(fence_plan_of(c, node, &p, &err), 0);
		ck_assert_uint_eq(p.n_devices, FENCE_DEVICES_MAX);
		for (unsigned i = 0; i < p.n_devices; i++) {
			ck_assert_uint_eq(p.devices[i].level, i + 1);
			ck_assert_str_eq(p.devices[i].options[0].value, value);
		}
	}
	conf_free(c);
}
END_TEST

START_TEST(no_device)
{
	struct conf *c = load_with("fence only { node = nas2  agent = \"/a\" }\n");
	struct fence_plan p;
	struct err err = { 0 };

	ck_assert_int_eq(fence_plan_of(c, 0, &p, &err), -ENOENT);
	ck_assert_int_eq(err.cls, ERR_REFUSED);
	ck_assert_ptr_nonnull(strstr(err.msg, "switches nas1 off"));
	ck_assert_ptr_nonnull(strstr(err.remedy, "node = nas1"));
	ck_assert_uint_eq(p.n_devices, 0);
	ck_assert_int_eq(fence_plan_of(c, 2, &p, &err), -EINVAL);
	ck_assert_int_eq(fence_plan_of(c, -1, &p, NULL), -EINVAL);
	conf_free(c);
}
END_TEST

/* Whatever passes the configuration's checks is a plan that can run. */
START_TEST(limits_agree)
{
	static const char *const options[] = {
		"\"a=\"", "\"a==\"", "\"A-b_9=x y\"", "\"k=#\"", "\"actions=off\"", "\"node=nas1\"",
	};
	char text[512];
	struct fence_plan p;
	struct err err = { 0 };

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		struct conf *c;

		snprintf(text, sizeof(text), "fence d { node = nas1  agent = \"/a\"  options = %s  retry-wait = 0s  retries = 0\n"
			 "timeout = 100ms  verify-limit = 100ms  verify-interval = 50ms }\n", options[i]);
		c = load_with(text);
		ck_assert_msg(fence_plan_of(c, 0, &p, &err) == 0, "%s: %s", options[i], err.msg);
		conf_free(c);
	}
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("fence_plan");

	tcase_add_test(tc, pacemaker_fences);
	tcase_add_test(tc, clock_set_back);
	tcase_add_test(tc, devices_by_level);
	tcase_add_test(tc, the_largest_plan);
	tcase_add_test(tc, no_device);
	tcase_add_test(tc, limits_agree);
	return corpus_run(tc, "sys/fence_plan");
}
