/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drives sys/ganesha and sys/clients by hand in a node of the lab, and says how
 * long each call took:
 *
 *     ganesha CONF GROUP NODE VERB...
 *
 * VERB: state, warm, stop, stop-all, activate, exports, grace, clients, dump
 * (the records, one a line), install FILE (lines of dump), grace-end (waits).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clients.h"
#include "conf.h"
#include "ganesha.h"

enum { SECOND = 1000000, GRACE_WAIT_US = 60 * SECOND };

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000;
}

static int dump(const char *group, struct err *e)
{
	struct client_set set = {0};
	int ret = clients_read_database(NULL, group, &set, e);

	for (size_t i = 0; i < set.n; i++)
		printf("%s\n", set.entries[i].text);
	client_set_free(&set);
	return ret;
}

static int install(const char *group, const char *file, struct err *e)
{
	struct client_entry entry = {.kind = CLIENT_RECORD};
	struct client_set set = {0};
	FILE *f = fopen(file, "re");
	int ret = 0;

	if (!f)
		return err_set(e, ERR_SYSTEM, errno, file, "cannot read it");
	while (ret == 0 && fgets(entry.text, sizeof(entry.text), f)) {
		entry.text[strcspn(entry.text, "\n")] = '\0';
		ret = client_set_add(&set, &entry);
	}
	fclose(f);
	if (ret == 0)
		ret = clients_install(NULL, group, &set, e);
	client_set_free(&set);
	return ret;
}

static enum outcome grace_end(struct ganesha *g, struct err *e)
{
	int64_t end = now() + GRACE_WAIT_US;
	enum outcome o;
	bool on = true;

	while ((o = ganesha_grace_active(g, &on, SECOND, e)) == OUTCOME_DONE && on && now() < end)
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
	return o;
}

static enum outcome done(int ret)
{
	return ret < 0 ? OUTCOME_FAILED : OUTCOME_DONE;
}

/* One verb; *detail says what it found. */
static enum outcome verb(struct ganesha *g, const char *group, const char *v, const char *arg,
			 char detail[64], struct err *e)
{
	struct ganesha_state s;
	unsigned n = 0;
	bool on = false;
	enum outcome o = OUTCOME_FAILED;

	if (!strcmp(v, "warm"))
		return ganesha_start_warm(g, 10 * SECOND, e);
	if (!strcmp(v, "stop"))
		return ganesha_stop(g, 5 * SECOND, e);
	if (!strcmp(v, "stop-all"))
		return ganesha_stop_all(g, 5 * SECOND, e);
	if (!strcmp(v, "activate"))
		return ganesha_activate(g, 10 * SECOND, e);
	if (!strcmp(v, "grace-end"))
		return grace_end(g, e);
	if (!strcmp(v, "dump"))
		return done(dump(group, e));
	if (!strcmp(v, "install"))
		return done(install(group, arg, e));
	if (!strcmp(v, "grace")) {
		o = ganesha_grace_active(g, &on, SECOND, e);
		snprintf(detail, 64, "%s", on ? "in grace" : "no grace");
	} else if (!strcmp(v, "exports")) {
		o = ganesha_exports_present(g, &n, SECOND, e);
		snprintf(detail, 64, "%u", n);
	} else if (!strcmp(v, "clients")) {
		o = ganesha_clients(g, &n, SECOND, e);
		snprintf(detail, 64, "%u", n);
	} else if (!strcmp(v, "state")) {
		ganesha_state(g, &s);
		snprintf(detail, 64, "%s pid %d %.30s", server_state_name(s.state), s.pid, s.reason);
		o = OUTCOME_DONE;
	} else {
		err_set(e, ERR_INPUT, EINVAL, v, "no such verb");
	}
	return o;
}

int main(int argc, char **argv)
{
	const struct conf_group *group;
	struct ganesha *g = NULL;
	struct conf *c = NULL;
	struct err e = {0};
	char text[900];

	if (argc < 5 || conf_load_file(argv[1], &c, &e) < 0 ||
	    !(group = conf_group_find(c, argv[2])) ||
	    ganesha_new(group, atoi(argv[3]), NULL, &g, &e) < 0) {
		fprintf(stderr, "ganesha CONF GROUP NODE VERB...: %s\n", err_format(&e, text, sizeof(text)));
		return EXIT_FAILURE;
	}
	for (int i = 4; i < argc; i++) {
		const char *v = argv[i], *arg = !strcmp(v, "install") && i + 1 < argc ? argv[++i] : NULL;
		char detail[64] = "";
		int64_t t = now();
		enum outcome o = verb(g, argv[2], v, arg, detail, &e);

		fprintf(stderr, "%-10s %-7s %9.2f ms  %s\n", v, outcome_name(o), (double)(now() - t) / 1000,
			o == OUTCOME_DONE ? detail : err_format(&e, text, sizeof(text)));
		if (o != OUTCOME_DONE)
			return EXIT_FAILURE;
	}
	ganesha_free(g);
	conf_free(c);
	return EXIT_SUCCESS;
}
