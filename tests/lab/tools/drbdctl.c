/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tries netlink/drbd.h on a real device; for the lab, not installed.
 *
 *     drbdctl DEVICE query | primary | secondary | force | outdate | resume-io | bench N
 *
 * bench changes the role N times to and fro and prints each change's time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "drbd.h"

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static int report(const char *what, int ret, double ms, const struct err *e)
{
	char buf[1024];

	if (ret)
		printf("%s: %d %s [%s] %.2f ms\n", what, ret, err_format(e, buf, sizeof(buf)),
		       err_class_name(e->cls), ms);
	else
		printf("%s: ok %.2f ms\n", what, ms);
	return ret ? 1 : 0;
}

static int query(unsigned minor)
{
	struct drbd_status s, by_name;
	struct err e = { 0 };
	double start = now_ms();
	int ret = drbd_query(minor, &s, &e);
	double took = now_ms() - start;

	if (ret)
		return report("query", ret, took, &e);
	printf("%s/%u minor %u api %d: %s/%s %s %s/%s oos %llu size %llu resync %d%% susp %d%d%d fencing %s open %d pending %u\n",
	       s.resource, s.volume, s.minor, s.api, drbd_role_name(s.role), drbd_role_name(s.peer_role),
	       drbd_conn_name(s.conn), drbd_disk_name(s.disk), drbd_disk_name(s.peer_disk),
	       (unsigned long long)s.out_of_sync, (unsigned long long)s.size, s.resync_percent,
	       s.suspended_user, s.suspended_nodata, s.suspended_fencing, drbd_fencing_name(s.fencing), s.open, s.writes_pending);
	report("query", 0, took, &e);
	start = now_ms();
	ret = drbd_query_resource(s.resource, &by_name, &e);
	return report("query by name", ret, now_ms() - start, &e);
}

static int role(unsigned minor, const char *verb)
{
	struct err e = { 0 };
	double start = now_ms();
	int ret;

	if (strcmp(verb, "secondary") == 0)
		ret = drbd_secondary(minor, 5000, &e);
	else if (strcmp(verb, "outdate") == 0)
		ret = drbd_outdate(minor, 5000, &e);
	else if (strcmp(verb, "resume-io") == 0)
		ret = drbd_resume_io(minor, 5000, &e);
	else
		ret = drbd_primary(minor, strcmp(verb, "force") == 0, 5000, &e);
	return report(verb, ret, now_ms() - start, &e);
}

static int bench(unsigned minor, int n)
{
	int bad = 0;

	for (int i = 0; i < n && !bad; i++)
		bad = role(minor, "primary") || role(minor, "secondary");
	return bad;
}

int main(int argc, char **argv)
{
	struct err e = { 0 };
	unsigned minor;

	if (argc < 3) {
		fprintf(stderr, "usage: drbdctl DEVICE query|primary|secondary|force|outdate|resume-io|bench N\n");
		return 2;
	}
	if (drbd_minor_of(argv[1], &minor, &e))
		return report(argv[1], -1, 0, &e);
	if (strcmp(argv[2], "query") == 0)
		return query(minor);
	if (strcmp(argv[2], "bench") == 0)
		return bench(minor, argc > 3 ? atoi(argv[3]) : 5);
	return role(minor, argv[2]);
}
