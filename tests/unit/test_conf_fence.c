/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration's fence devices: values, secrets, what the host must have. */
#include "corpus.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "conf.h"

#define EXAMPLE_CONF "configs/nasd.conf.example"

static const char fences[] =
	"fence ipmi-1 {\n"
	"	node = nas1\n"
	"	agent = \"/usr/sbin/fence_ipmilan\"\n"
	"	options = { \"ip=10.77.9.11\", \"username=nasd\", \"password=hunter 2=#,\", \"lanplus=1\" }\n"
	"	timeout = 20s\n"
	"	retries = 0\n"
	"	retry-wait = 0ms\n"
	"	verify-limit = 5s\n"
	"	verify-interval = 500ms\n"
	"}\n"
	"fence pdu-1 { node = nas1  agent = \"/usr/sbin/fence_apc\"  options = \"plug=1\"  level = 2  verify = no }\n"
	"fence plain { node = nas2  agent = \"/usr/sbin/fence_lab\" }\n";

/* The text of the example with trigger = heartbeat and more at its end. */
static char *example_with(const char *more)
{
	char *text = NULL, *out = NULL, *at;
	size_t size = 0;
	FILE *f = fopen(EXAMPLE_CONF, "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_gt(getdelim(&text, &size, EOF, f), 0);
	fclose(f);
	at = strstr(text, "trigger = manual");
	ck_assert_ptr_nonnull(at);
	ck_assert_int_gt(asprintf(&out, "%.*strigger = heartbeat%s%s", (int)(at - text), text,
				  at + strlen("trigger = manual"), more), 0);
	free(text);
	return out;
}

static struct conf *load(const char *text)
{
	struct conf *c = NULL;
	struct err err = { 0 };
	char buf[1024];

	if (conf_load_text("test", text, strlen(text), &c, &err))
		ck_abort_msg("%s", err_format(&err, buf, sizeof(buf)));
	return c;
}

static struct conf *load_fences(const char *more)
{
	AUTO_FREE char *text = example_with(more);

	return load(text);
}

START_TEST(values)
{
	struct conf *c = load_fences(fences);
	const struct conf_fence *f = &c->fences[0];

	ck_assert_int_eq(c->cluster.trigger, CONF_TRIGGER_HEARTBEAT);
	ck_assert_uint_eq(c->cluster.takeover_delay_us, 300000);
	ck_assert_uint_eq(c->cluster.takeover_delay_random_us, 0);
	ck_assert_uint_eq(c->cluster.fence_retry_us, 5000000);
	ck_assert_uint_eq(c->cluster.n_witness, 0);
	ck_assert_uint_eq(c->n_fences, 3);
	ck_assert_str_eq(f->name, "ipmi-1");
	ck_assert_int_eq(f->node, 0);
	ck_assert_str_eq(f->agent, "/usr/sbin/fence_ipmilan");
	ck_assert_uint_eq(f->n_options, 4);
	ck_assert_str_eq(f->options[2].key, "password");
	ck_assert_str_eq(f->options[2].value, "hunter 2=#,");
	ck_assert_uint_eq(f->level, 1);
	ck_assert_uint_eq(f->timeout_us, 20000000);
	ck_assert_uint_eq(f->retries, 0);
	ck_assert_uint_eq(f->retry_wait_us, 0);
	ck_assert(f->verify);
	ck_assert_uint_eq(f->verify_limit_us, 5000000);
	ck_assert_uint_eq(f->verify_every_us, 500000);
	ck_assert_uint_eq(c->fences[1].level, 2);
	ck_assert(!c->fences[1].verify);
	/* what is not given */
	f = &c->fences[2];
	ck_assert_int_eq(f->node, 1);
	ck_assert_uint_eq(f->n_options, 0);
	ck_assert_uint_eq(f->level, 1);
	ck_assert_uint_eq(f->timeout_us, 10000000);
	ck_assert_uint_eq(f->retries, 1);
	ck_assert_uint_eq(f->retry_wait_us, 1000000);
	ck_assert(f->verify);
	ck_assert_uint_eq(f->verify_limit_us, 10000000);
	ck_assert_uint_eq(f->verify_every_us, 250000);
	conf_free(c);
}
END_TEST

START_TEST(round_trip)
{
	struct conf *a = load_fences(fences);
	AUTO_FREE char *text = conf_dump(a);
	struct conf *b = load(text);

	ck_assert_mem_eq(a, b, sizeof(*a));
	ck_assert_ptr_nonnull(strstr(text, "\"password=hunter 2=#,\""));
	conf_free(a);
	conf_free(b);
}
END_TEST

/* What is shown hides the password and nothing else, and the hash covers it. */
START_TEST(secrets_are_not_shown)
{
	struct conf *a = load_fences(fences), *b;
	AUTO_FREE char *exact = conf_dump(a), *shown = conf_dump_shown(a);
	AUTO_FREE char *again = NULL, *other = NULL;
	char *at = strstr(exact, "hunter 2=#,");

	ck_assert_ptr_nonnull(at);
	ck_assert_ptr_null(strstr(shown, "hunter"));
	ck_assert_int_gt(asprintf(&other, "# secrets are shown as ***\n%.*s***%s", (int)(at - exact), exact,
				  at + strlen("hunter 2=#,")), 0);
	ck_assert_str_eq(shown, other);
	/* it can be read all the same, and means something else */
	b = load(shown);
	ck_assert_str_ne(a->hash, b->hash);
	conf_free(b);
	*at = 'H';
	b = load(exact);
	ck_assert_str_ne(a->hash, b->hash);
	conf_free(b);
	conf_free(a);
	/* nothing to hide: the same text */
	a = load_fences("fence a { node = nas1  agent = \"/a\" }\nfence b { node = nas2  agent = \"/a\" }\n");
	again = conf_dump_shown(a);
	free(exact);
	exact = conf_dump(a);
	ck_assert_str_eq(again, exact);
	conf_free(a);
}
END_TEST

START_TEST(which_options_are_secret)
{
	static const char *const secret[] = { "password", "passwd", "PASSWORD", "snmp-priv-passwd", "secret_key",
					      "token", "api-token", "apikey", "community" };
	static const char *const open[] = { "ip", "plug", "username", "password_script", "passwd_script", "lanplus",
					    "identity_file", "", "pas" };

	for (size_t i = 0; i < sizeof(secret) / sizeof(*secret); i++)
		ck_assert_msg(conf_fence_is_secret(secret[i]), "%s", secret[i]);
	for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++)
		ck_assert_msg(!conf_fence_is_secret(open[i]), "%s", open[i]);
}
END_TEST

#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* An error about a password does not spread it. */
START_TEST(errors_do_not_tell_secrets)
{
	static const char *const options[] = {
		"{ \"password=hunter2\" \"a=1\" }", "{ \"a=1\" \"password=hunter2\" }", "\"password=hunter2\"x",
		"{ \"password=hunter2\", \"password=hunter2\" }", "\"pass word=hunter2\"", "\"password=hunter2$\"",
		"\"password=hunter2\"\"", "{ \"password\", \"hunter2\" }", "\"option=hunter2\"", "{ \"a=hunter2\" { }",
		"\"password=hunter2\" \"password=hunter2\"",
		"\"password=hunter2" LONG "\"",
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		AUTO_FREE char *more = NULL;
		struct conf *c = NULL;
		struct err err = { 0 };
		char buf[1024];

		ck_assert_int_gt(asprintf(&more, "fence a { node = nas1  agent = \"/a\"  options = %s }\n", options[i]), 0);
		AUTO_FREE char *text = example_with(more);
		ck_assert_msg(conf_load_text("test", text, strlen(text), &c, &err) < 0, "accepted: %s", options[i]);
		err_format(&err, buf, sizeof(buf));
		ck_assert_msg(!strstr(buf, "hunter2"), "%s: %s", options[i], buf);
	}
}
END_TEST

/* ---- this host */

static void must_refuse(const struct conf *c, int node, const char *file, const char *where, const char *msg,
			const char *remedy)
{
	struct err err = { 0 };

	ck_assert_int_lt(conf_check_host(c, node, file, &err), 0);
	ck_assert_int_eq(err.cls, ERR_REFUSED);
	ck_assert_msg(strstr(err.where, where) != NULL, "where: %s", err.where);
	ck_assert_msg(strstr(err.msg, msg) != NULL, "message: %s", err.msg);
	ck_assert_msg(strstr(err.remedy, remedy) != NULL, "remedy: %s", err.remedy);
}

/* A file of this process's own, mode 0600; the caller unlinks it. */
static void make_file(char *template)
{
	AUTO_CLOSE int fd = mkstemp(template);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "x", 1), 1);
}

/* A configuration for which this host has all but the agents. */
static struct conf *conf_of_host(const char *more, char *secret)
{
	struct conf *c = load_fences(more);

	make_file(secret);
	snprintf(c->cluster.secret_file, sizeof(c->cluster.secret_file), "%s", secret);
	snprintf(c->groups[0].fs.mount, sizeof(c->groups[0].fs.mount), "/tmp");
	for (size_t i = 0; i < c->groups[0].n_addresses; i++)
		snprintf(c->groups[0].addresses[i].interface, CONF_IFNAME_MAX, "lo");
	return c;
}

START_TEST(agents_on_this_host)
{
	char secret[] = "/tmp/nasd-test-conf-XXXXXX", agent[] = "/tmp/nasd-test-agent-XXXXXX";
	struct conf *c = conf_of_host("fence a { node = nas1  agent = \"/nonexistent/fence_ipmilan\" }\n"
				      "fence b { node = nas2  agent = \"/nonexistent/agent\" }\n", secret);
	struct err err = { 0 };

	/* each node needs the agents that switch the other off */
	must_refuse(c, 1, NULL, "fence a", "fence_ipmilan: there is no such program", "fence-agents-ipmilan");
	must_refuse(c, 0, NULL, "fence b", "there is no such program", "fence-agents-all");
	make_file(agent);
	snprintf(c->fences[1].agent, sizeof(c->fences[1].agent), "%s", agent);
	must_refuse(c, 0, NULL, "fence b", "is not an executable program", "name the fence agent itself");
	ck_assert_int_eq(chmod(agent, 0775), 0);
	must_refuse(c, 0, NULL, "fence b", "can be changed by others", "chmod go-w");
	ck_assert_int_eq(chmod(agent, 0755), 0);
	ck_assert_msg(conf_check_host(c, 0, NULL, &err) == 0, "%s", err.msg);
	snprintf(c->fences[1].agent, sizeof(c->fences[1].agent), "/tmp");
	must_refuse(c, 0, NULL, "fence b", "is not an executable program", "name the fence agent itself");
	unlink(agent);
	unlink(secret);
	conf_free(c);
}
END_TEST

START_TEST(passwords_in_the_file)
{
	char secret[] = "/tmp/nasd-test-conf-XXXXXX", file[] = "/tmp/nasd-test-file-XXXXXX";
	struct conf *c = conf_of_host("fence a { node = nas1  agent = \"/bin/sh\"  options = \"password=p\" }\n"
				      "fence b { node = nas2  agent = \"/bin/sh\" }\n", secret);
	struct err err = { 0 };

	make_file(file);
	ck_assert_msg(conf_check_host(c, 0, file, &err) == 0, "%s", err.msg);
	ck_assert_int_eq(chmod(file, 0644), 0);
	must_refuse(c, 0, file, "password", "others may read", "chmod 0600 /tmp/nasd-test-file-");
	ck_assert_int_eq(conf_check_host(c, 0, NULL, &err), 0);
	/* without a password everybody may read it */
	strcpy(c->fences[0].options[0].key, "password_script");
	ck_assert_int_eq(conf_check_host(c, 0, file, &err), 0);
	unlink(file);
	unlink(secret);
	conf_free(c);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("fence");

	tcase_add_test(tc, values);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, secrets_are_not_shown);
	tcase_add_test(tc, which_options_are_secret);
	tcase_add_test(tc, errors_do_not_tell_secrets);
	tcase_add_test(tc, agents_on_this_host);
	tcase_add_test(tc, passwords_in_the_file);
	return corpus_run(tc, "conf/fence");
}
