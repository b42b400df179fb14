/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration: what is accepted, the round trip, and a corpus of faults. */
#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "conf.h"
#include "err.h"
#include "ganesha_conf.h"

#define LAB_CONF "tests/lab/etc/nasd.conf"
#define EXAMPLE_CONF "configs/nasd.conf.example"
#define FENCES_CONF "tests/corpus/conf-good/fences.conf"
#define HYPERVISORS_CONF "tests/corpus/conf-good/hypervisors.conf"
#define CORPUS "tests/corpus/conf"

static struct conf *load_ok(const char *path)
{
	struct conf *c = NULL;
	struct err err = { 0 };
	char buf[1024];

	if (conf_load_file(path, &c, &err))
		ck_abort_msg("%s", err_format(&err, buf, sizeof(buf)));
	return c;
}

static char *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;

	ck_assert_msg(f != NULL, "%s", path);
	*len = 0;
	ck_assert(getdelim(&text, len, EOF, f) >= 0 || feof(f));
	*len = (size_t)ftell(f);
	fclose(f);
	return text;
}

START_TEST(lab_values)
{
	struct conf *c = load_ok(LAB_CONF);
	const struct conf_group *g = conf_group_find(c, "vmstore");

	ck_assert_str_eq(c->cluster.name, "demo");
	ck_assert_uint_eq(c->cluster.heartbeat_interval_us, 100000);
	ck_assert_uint_eq(c->cluster.dead_after_us, 600000);
	ck_assert_uint_eq(c->cluster.peer_port, 7790);
	ck_assert_int_eq(conf_node_index(c, "nas1"), 0);
	ck_assert_int_eq(conf_node_index(c, "nas2"), 1);
	ck_assert_int_eq(conf_node_index(c, "vnode2"), -1);
	ck_assert_uint_eq(c->nodes[1].n_addresses, 2);
	ck_assert_str_eq(c->nodes[1].addresses[0].text, "10.77.2.12");
	ck_assert_ptr_nonnull(g);
	ck_assert_ptr_eq(conf_group_find_id(c, 1), g);
	ck_assert_ptr_null(conf_group_find(c, "nothing"));
	ck_assert_uint_eq(g->drbd.minor, 0);
	ck_assert_uint_eq(g->n_addresses, 2);
	ck_assert_int_eq(g->addresses[1].net.ip.family, AF_INET6);
	ck_assert_uint_eq(g->addresses[1].net.prefix, 64);
	ck_assert_str_eq(g->addresses[1].net.text, "fd77:1::100/64");
	ck_assert_uint_eq(g->nfs.lease_us, 15000000);
	ck_assert_int_eq(g->nfs.bind.family, 0);
	ck_assert_uint_eq(g->limits.dirty_bytes, 16 << 20);
	ck_assert_uint_eq(g->limits.freeze_us, 10000000);
	ck_assert_uint_eq(strlen(c->hash), 64);
	conf_free(c);
}
END_TEST

static void check_round_trip(const char *path)
{
	struct conf *a = load_ok(path), *b = NULL;
	struct err err = { 0 };
	AUTO_FREE char *text = conf_dump(a);

	ck_assert_ptr_nonnull(text);
	ck_assert_int_eq(conf_load_text("dump", text, strlen(text), &b, &err), 0);
	ck_assert_mem_eq(a, b, sizeof(*a));
	AUTO_FREE char *again = conf_dump(b);
	ck_assert_str_eq(text, again);
	conf_free(a);
	conf_free(b);
}

START_TEST(round_trip)
{
	check_round_trip(LAB_CONF);
	check_round_trip(EXAMPLE_CONF);
	check_round_trip(FENCES_CONF);
	check_round_trip(HYPERVISORS_CONF);
}
END_TEST

START_TEST(hypervisors)
{
	struct conf *c = load_ok(HYPERVISORS_CONF), *none = load_ok(FENCES_CONF);
	const struct conf_hypervisor *h = conf_hypervisor_find(c, "vnode3");

	ck_assert_uint_eq(none->n_hypervisors, 0);
	ck_assert_uint_eq(c->n_hypervisors, 2);
	ck_assert_ptr_null(conf_hypervisor_find(c, "vnode4"));
	ck_assert_ptr_eq(h, &c->hypervisors[1]);
	ck_assert_str_eq(h->uri, "qemu+ssh://root@vnode3/system");
	ck_assert_str_eq(h->migrate_uri, "tcp://10.77.1.23");
	ck_assert_str_eq(c->hypervisors[0].migrate_uri, "");
	ck_assert_uint_eq(c->hypervisors[0].n_mounts, 2);
	ck_assert_str_eq(h->mounts[0].key, "one");
	ck_assert_str_eq(h->mounts[0].value, "/mnt/one");
	conf_free(none);
	conf_free(c);
}
END_TEST

/* Comments, white space and the spelling of a value do not change the hash; a
 * value does. */
START_TEST(hash_is_of_the_meaning)
{
	struct conf *a = load_ok(LAB_CONF), *b = NULL;
	struct err err = { 0 };
	size_t len;
	AUTO_FREE char *text = read_file(LAB_CONF, &len);
	AUTO_FREE char *other = NULL;
	char *at = strstr(text, "15s");

	ck_assert_ptr_nonnull(at);
	ck_assert(asprintf(&other, "# hello\n\n%.*s15000ms # why%s", (int)(at - text), text, at + 3) > 0);
	ck_assert_int_eq(conf_load_text("x", other, strlen(other), &b, &err), 0);
	ck_assert_str_eq(a->hash, b->hash);
	conf_free(b);
	memcpy(at, "16s", 3);
	ck_assert_int_eq(conf_load_text("x", text, len, &b, &err), 0);
	ck_assert_str_ne(a->hash, b->hash);
	conf_free(a);
	conf_free(b);
}
END_TEST

/* Is there a decimal line number after the file's name? */
static int line_of(const char *where, const char *file)
{
	size_t n = strlen(file);

	if (strncmp(where, file, n) || where[n] != ':')
		return 0;
	return atoi(where + n + 1);
}

static void check_fault(const char *name)
{
	char path[512], buf[1024];
	struct conf *c = (struct conf *)(void *)path;
	struct err err = { 0 };
	size_t len;

	snprintf(path, sizeof(path), CORPUS "/%s", name);
	AUTO_FREE char *text = read_file(path, &len);
	ck_assert_msg(!strncmp(text, "# expect: ", 10), "%s: no first line", name);
	AUTO_FREE char *want = strndup(text + 10, strcspn(text + 10, "\n"));
	ck_assert_msg(conf_load_text(name, text, len, &c, &err) < 0, "%s: accepted", name);
	err_format(&err, buf, sizeof(buf));
	ck_assert_msg(c == NULL, "%s: a configuration came out", name);
	ck_assert_msg(err.cls == ERR_INPUT, "%s: class: %s", name, buf);
	ck_assert_msg(line_of(err.where, name) > 0, "%s: no line: %s", name, buf);
	ck_assert_msg(strstr(err.msg, want), "%s: wanted \"%s\": %s", name, want, buf);
	ck_assert_msg(err.remedy[0], "%s: no remedy: %s", name, buf);
	ck_assert_msg(!strchr(buf, '\n'), "%s: more than one line: %s", name, buf);
	if (getenv("NASD_TEST_SHOW"))
		puts(buf);
}

START_TEST(corpus)
{
	DIR *d = opendir(CORPUS);
	struct dirent *e;
	int n = 0;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d))) {
		const char *dot = strrchr(e->d_name, '.');

		if (!dot || strcmp(dot, ".conf"))
			continue;
		check_fault(e->d_name);
		n++;
	}
	closedir(d);
	ck_assert_int_ge(n, 200);
}
END_TEST

/* The line that is blamed is the option's own, not the section's or the end's. */
START_TEST(line_numbers)
{
	static const struct {
		const char *file;
		int line;
	} rows[] = {
		{ "duplicate-option.conf", 6 }, { "lease-low.conf", 31 },   { "device-twice.conf", 36 },
		{ "unclosed-string.conf", 3 },  { "unknown-option.conf", 5 }, { "missing-lease.conf", 31 },
		{ "pseudo-twice.conf", 45 },    { "uuid-twice.conf", 40 },
	};
	char path[512];
	struct conf *c;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct err err = { 0 };

		snprintf(path, sizeof(path), CORPUS "/%s", rows[i].file);
		ck_assert_int_lt(conf_load_file(path, &c, &err), 0);
		ck_assert_msg(line_of(err.where, path) == rows[i].line, "%s, wanted %d", err.where, rows[i].line);
	}
}
END_TEST

/* Every beginning of a valid file is refused or complete, and nothing crashes. */
START_TEST(truncated)
{
	size_t len;
	AUTO_FREE char *text = read_file(LAB_CONF, &len);
	size_t end = len;

	while (end && text[end - 1] != '}')
		end--;
	for (size_t n = 0; n < end; n++) {
		struct conf *c = NULL;
		struct err err = { 0 };

		ck_assert_msg(conf_load_text("cut", text, n, &c, &err) < 0, "accepted %zu of %zu bytes", n, len);
		ck_assert_int_gt(line_of(err.where, "cut"), 0);
	}
}
END_TEST

START_TEST(no_file)
{
	struct conf *c;
	struct err err = { 0 };

	ck_assert_int_eq(conf_load_file("/nonexistent/nasd.conf", &c, &err), -ENOENT);
	ck_assert_int_eq(err.cls, ERR_SYSTEM);
	err_clear(&err);
	ck_assert_int_lt(conf_load_file("/dev/null", &c, &err), 0);
	ck_assert_ptr_null(c);
	ck_assert_int_lt(conf_load_file("/nonexistent", &c, NULL), 0);
	ck_assert_int_lt(conf_load_text("x", "a", 1, &c, NULL), 0);
}
END_TEST

START_TEST(host)
{
	char secret[] = "/tmp/nasd-test-conf-XXXXXX";
	struct conf *c = load_ok(LAB_CONF);
	struct err err = { 0 };
	AUTO_CLOSE int fd = mkstemp(secret);

	ck_assert_int_ge(fd, 0);
	c->n_fences = 0; /* their agents: test_conf_fence.c */
	snprintf(c->cluster.secret_file, sizeof(c->cluster.secret_file), "%s", secret);
	snprintf(c->groups[0].fs.mount, sizeof(c->groups[0].fs.mount), "/tmp");
	snprintf(c->groups[0].addresses[0].interface, CONF_IFNAME_MAX, "lo");
	snprintf(c->groups[0].addresses[1].interface, CONF_IFNAME_MAX, "lo");
	ck_assert_int_lt(conf_check_host(c, 0, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "is empty"));
	ck_assert_int_eq(write(fd, "k", 1), 1);
	ck_assert_int_eq(conf_check_host(c, 0, NULL, &err), 0);
	ck_assert_int_lt(conf_check_host(c, -1, NULL, &err), 0);
	ck_assert_int_eq(fchmod(fd, 0640), 0);
	ck_assert_int_lt(conf_check_host(c, 0, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "has mode 0640"));
	ck_assert_ptr_nonnull(strstr(err.remedy, "chmod 0600"));
	ck_assert_int_eq(fchmod(fd, 0600), 0);
	snprintf(c->groups[0].addresses[1].interface, CONF_IFNAME_MAX, "nope0");
	ck_assert_int_lt(conf_check_host(c, 0, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "nope0"));
	snprintf(c->groups[0].fs.mount, sizeof(c->groups[0].fs.mount), "/nonexistent/mount");
	ck_assert_int_lt(conf_check_host(c, 0, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "/nonexistent/mount"));
	unlink(secret);
	ck_assert_int_lt(conf_check_host(c, 0, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.msg, "there is no such file"));
	conf_free(c);
}
END_TEST

static void check_has(const char *text, const char *line)
{
	ck_assert_msg(strstr(text, line) != NULL, "no \"%s\" in:\n%s", line, text);
}

START_TEST(ganesha)
{
	struct conf *c = load_ok(LAB_CONF);
	struct conf_group *g = &c->groups[0];
	const struct ganesha_paths paths = { .state_dir = "/s", .plugins_dir = "/p" };
	const struct ganesha_paths module = { .module_socket = "/r/fsal.sock" };
	char text[4096], tiny[100];

	ck_assert_int_gt(ganesha_conf_core(g, 0, &paths, text, sizeof(text)), 0);
	check_has(text, "NFS_Port = 2049;");
	check_has(text, "Protocols = 4;");
	check_has(text, "Minor_Versions = 1, 2;");
	check_has(text, "Lease_Lifetime = 15;");
	check_has(text, "Grace_Period = 20;");
	check_has(text, "Delegations = false;");
	check_has(text, "Graceless = false;");
	check_has(text, "Enable_NLM = false;");
	check_has(text, "Server_Owner = \"nasd-vmstore-1\";");
	check_has(text, "RecoveryRoot = \"/s/vmstore\";");
	check_has(text, "Plugins_Dir = \"/p\";");
	ck_assert_ptr_null(strstr(text, "Bind_Addr"));
	ck_assert_ptr_null(strstr(text, "EXPORT"));
	ck_assert_ptr_null(strstr(text, "NASD {"));
	ck_assert_int_eq(g->nfs.migrate, CONF_MIGRATE_AUTO);
	g->nfs.bind = g->addresses[0].net.ip;
	ck_assert_int_gt(ganesha_conf_core(g, 1, NULL, text, sizeof(text)), 0);
	check_has(text, "Bind_Addr = 10.77.1.100;");
	check_has(text, "RecoveryRoot = \"/var/lib/nasd/vmstore\";");
	ck_assert_int_gt(ganesha_conf_export(g, &g->exports[0], false, text, sizeof(text)), 0);
	ck_assert_ptr_null(strstr(text, "NASD"));
	check_has(text, "Export_Id = 1;");
	check_has(text, "Clients = 10.77.1.0/24, fd77:1::/64;");
	check_has(text, "Access_Type = RW;");
	ck_assert_int_gt(ganesha_conf_export(g, &g->exports[0], true, text, sizeof(text)), 0);
	check_has(text, "Name = NASD;\n\t\tFSAL {\n\t\t\tName = VFS;");
	ck_assert_int_gt(ganesha_conf_no_export(text, sizeof(text)), 0);
	check_has(text, "Export_Id = 65535;"); /* beyond what the schema takes */
	ck_assert_int_gt(ganesha_conf_rehearsal("/r", text, sizeof(text)), 0);
	check_has(text, "Export_Id = 65534;");
	check_has(text, "Path = \"/r\";");
	check_has(text, "Access_Type = NONE;");
	ck_assert_int_gt(ganesha_conf_core(g, 0, &module, text, sizeof(text)), 0);
	check_has(text, "NASD {\n\tSocket = \"/r/fsal.sock\";\n\tRecord_Wait = 1000;\n\tReclaim_Wait = 0;\n}\n");
	ck_assert_int_eq(ganesha_conf_core(g, 0, NULL, tiny, sizeof(tiny)), -ENOSPC);
	ck_assert_str_eq(tiny, "");
	ck_assert_int_eq(ganesha_conf_export(g, &g->exports[0], true, tiny, sizeof(tiny)), -ENOSPC);
	conf_free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf");
	TCase *t = tcase_create("conf");
	SRunner *r = srunner_create(s);

	tcase_set_timeout(t, 60);
	tcase_add_test(t, lab_values);
	tcase_add_test(t, round_trip);
	tcase_add_test(t, hypervisors);
	tcase_add_test(t, hash_is_of_the_meaning);
	tcase_add_test(t, corpus);
	tcase_add_test(t, line_numbers);
	tcase_add_test(t, truncated);
	tcase_add_test(t, no_file);
	tcase_add_test(t, host);
	tcase_add_test(t, ganesha);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
