/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "corpus.h"

#include <errno.h>

#include "drbd_events.h"

struct result {
	unsigned events, errors, changes;
	int ret;
	struct err err;
};

/* Feeds text in pieces and applies what comes of it. */
static void feed(struct drbd_events *p, struct drbd_model *m, const char *text, size_t len, size_t piece,
		 struct result *res)
{
	memset(res, 0, sizeof(*res));
	for (size_t at = 0; at < len;) {
		struct drbd_event ev;
		struct err err = { 0 };
		size_t used = 0, part = len - at < piece ? len - at : piece;
		int r = drbd_events_feed(p, text + at, part, &used, &ev, &err);

		ck_assert(used > 0 && used <= part);
		at += used;
		if (r > 0) {
			res->events++;
			r = drbd_model_apply(m, &ev, &err);
			res->changes += r > 0;
		}
		if (r < 0) {
			res->errors++;
			res->ret = r;
			res->err = err;
		}
	}
}

/* One bad line between two good ones: one error, and the model has no more
 * than the good lines said. */
static void must_fail(const struct corpus_file *f)
{
	static struct drbd_model m, want;
	static struct drbd_events p;
	static const char good[] = "exists resource name:r0 role:Primary suspended:no\nexists -\n";
	static const size_t pieces[] = { 1, 5, 100000 };
	struct result res;

	drbd_model_flush(&want);
	drbd_events_init(&p);
	feed(&p, &want, good, strlen(good), 1000, &res);
	ck_assert_uint_eq(res.errors, 0);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		drbd_model_flush(&m);
		drbd_events_init(&p);
		feed(&p, &m, f->bytes, f->len, pieces[i], &res);
		ck_assert_msg(res.errors == 1, "%s: %u errors", f->name, res.errors);
		ck_assert_uint_eq(res.events, 2);
		ck_assert_mem_eq(&m, &want, sizeof(m));
	}
	corpus_check_error(f, res.ret, &res.err);
	ck_assert_msg(strstr(res.err.where, "line 2") != NULL, "%s: %s", f->name, res.err.where);
}

START_TEST(corpus)
{
	ck_assert_uint_ge(corpus_each("tests/corpus/events", "", must_fail), 20);
}
END_TEST

/* As drbd-utils 9.22 prints it (drbdsetup(8)), with --statistics. */
static const char dump[] =
	"exists resource name:r0 role:Secondary suspended:no write-ordering:flush\n"
	"exists connection name:r0 peer-node-id:1 conn-name:nas2 connection:Connecting role:Unknown congested:no "
	"ap-in-flight:0 rs-in-flight:0\n"
	"exists device name:r0 volume:0 minor:0 backing_dev:/dev/loop0 disk:UpToDate client:no quorum:yes "
	"size:262144 read:0 written:0 al-writes:0 bm-writes:0 upper-pending:0 lower-pending:0 al-suspended:no "
	"blocked:no\n"
	"exists peer-device name:r0 peer-node-id:1 conn-name:nas2 volume:0 replication:Off peer-disk:DUnknown "
	"peer-client:no resync-suspended:no received:0 sent:0 out-of-sync:12 pending:0 unacked:0\n"
	"exists path name:r0 peer-node-id:1 conn-name:nas2 local:ipv4:10.0.0.1:7789 peer:ipv4:10.0.0.2:7789 "
	"established:no\n"
	"exists -\n";

static const char changes[] =
	"change connection name:r0 peer-node-id:1 conn-name:nas2 connection:Connected role:Secondary\n"
	"change peer-device name:r0 peer-node-id:1 conn-name:nas2 volume:0 replication:SyncSource "
	"peer-disk:Inconsistent done:45.67 out-of-sync:8\n"
	"call helper name:r0 peer-node-id:1 conn-name:nas2 helper:before-resync-source\n"
	"response helper name:r0 peer-node-id:1 conn-name:nas2 helper:before-resync-source status:0\n"
	"change peer-device name:r0 peer-node-id:1 conn-name:nas2 volume:0 replication:Established "
	"peer-disk:UpToDate done:100.00 out-of-sync:0\n"
	"change resource name:r0 role:Primary may_promote:no promotion_score:10101\n"
	"change resource name:r0 suspended:user,no-data\n";

static const char end[] = "destroy peer-device name:r0 peer-node-id:1 conn-name:nas2 volume:0\n"
			  "destroy connection name:r0 peer-node-id:1 conn-name:nas2\n"
			  "destroy device name:r0 volume:0 minor:0\n"
			  "rename resource name:r0 new_name:r1\n"
			  "destroy resource name:r1\n";

START_TEST(life_of_a_resource)
{
	static struct drbd_model m;
	static struct drbd_events p;
	const struct drbd_resource *r;
	struct result res;

	drbd_model_flush(&m);
	drbd_events_init(&p);
	feed(&p, &m, dump, strlen(dump) - 1, 3, &res);
	ck_assert_msg(res.errors == 0, "%s: %s", res.err.where, res.err.msg);
	ck_assert_uint_eq(res.events, 5);
	ck_assert(!m.complete);
	feed(&p, &m, "\n", 1, 3, &res);
	ck_assert(m.complete);
	r = drbd_model_find(&m, "r0");
	ck_assert_ptr_nonnull(r);
	ck_assert_ptr_null(drbd_model_find(&m, "r"));
	ck_assert_str_eq(r->role, "Secondary");
	ck_assert_str_eq(r->connection, "Connecting");
	ck_assert_str_eq(r->peer_role, "Unknown");
	ck_assert_uint_eq(r->n_volumes, 1);
	ck_assert_str_eq(r->volumes[0].disk, "UpToDate");
	ck_assert_str_eq(r->volumes[0].peer_disk, "DUnknown");
	ck_assert_uint_eq(r->volumes[0].out_of_sync, 12);

	feed(&p, &m, changes, strlen(changes), 1000, &res);
	ck_assert_msg(res.errors == 0, "%s: %s", res.err.where, res.err.msg);
	ck_assert_uint_eq(res.changes, 5);
	ck_assert_str_eq(r->role, "Primary");
	ck_assert(r->suspended);
	ck_assert_str_eq(r->connection, "Connected");
	ck_assert_str_eq(r->volumes[0].replication, "Established");
	ck_assert_uint_eq(r->volumes[0].out_of_sync, 0);
	ck_assert_uint_eq(r->volumes[0].done_centi, 10000);
	feed(&p, &m, changes + strlen(changes) - 47, 47, 1000, &res);
	ck_assert_uint_eq(res.events, 1);
	ck_assert_uint_eq(res.changes, 0); /* said again: nothing new */

	feed(&p, &m, end, strlen(end), 7, &res);
	ck_assert_msg(res.errors == 0, "%s: %s", res.err.where, res.err.msg);
	ck_assert_uint_eq(m.n_resources, 0);
	drbd_model_flush(&m);
	ck_assert(corpus_all_zero(&m, sizeof(m)));
}
END_TEST

static void misfit(const char *text, const char *what)
{
	static struct drbd_model m;
	static struct drbd_events p;
	struct result res;

	drbd_model_flush(&m);
	drbd_events_init(&p);
	feed(&p, &m, dump, strlen(dump), 1000, &res);
	ck_assert_uint_eq(res.errors, 0);
	feed(&p, &m, text, strlen(text), 1000, &res);
	ck_assert_uint_eq(res.errors, 1);
	ck_assert_msg(strstr(res.err.msg, what) != NULL, "%s", res.err.msg);
}

START_TEST(events_that_do_not_fit)
{
	misfit("exists connection name:r0 peer-node-id:2 conn-name:nas3 connection:Connected\n", "second peer");
	misfit("change resource name:r9 role:Primary\n", "did not announce");
	misfit("change device name:r9 volume:0 disk:UpToDate\n", "did not announce");
	misfit("rename resource name:r0 new_name:r0\n", "renames");
	char text[64 * 20] = "";
	size_t at = 0;

	for (int i = 1; i <= DRBD_RESOURCES_MAX; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "exists resource name:x%d\n", i);
	misfit(text, "more than 16");
	at = 0;
	for (int i = 1; i <= DRBD_VOLUMES_MAX; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "exists device name:r0 volume:%d minor:%d\n", i, i);
	misfit(text, "more than 16");
}
END_TEST

/* What drbd-utils 9.22 printed about DRBD 8.4 in the lab, on the Secondary:
 * disconnect, connect, detach, attach, down, up, suspend-io, resume-io. */
static void real_stream(const struct corpus_file *f)
{
	static struct drbd_model m;
	static struct drbd_events p;
	const struct drbd_resource *r;
	struct result res;

	drbd_model_flush(&m);
	drbd_events_init(&p);
	feed(&p, &m, f->bytes, f->len, 100, &res);
	ck_assert_msg(res.errors == 0, "%s: %s: %s", f->name, res.err.where, res.err.msg);
	ck_assert_uint_eq(res.events, 70);
	ck_assert(m.complete);
	ck_assert_uint_eq(m.n_resources, 1);
	r = drbd_model_find(&m, "r0");
	ck_assert_ptr_nonnull(r);
	ck_assert_str_eq(r->role, "Secondary");
	ck_assert_str_eq(r->peer_role, "Primary");
	ck_assert_str_eq(r->conn_name, "peer");
	ck_assert_str_eq(r->connection, "Connected");
	ck_assert(!r->suspended);
	ck_assert_uint_eq(r->n_volumes, 1);
	ck_assert_str_eq(r->volumes[0].disk, "UpToDate");
	ck_assert_str_eq(r->volumes[0].peer_disk, "UpToDate");
	ck_assert_str_eq(r->volumes[0].replication, "Established");
}

START_TEST(real_streams)
{
	ck_assert_uint_eq(corpus_each("tests/corpus/events-real", "", real_stream), 1);
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("events");

	tcase_add_test(tc, corpus);
	tcase_add_test(tc, life_of_a_resource);
	tcase_add_test(tc, real_streams);
	tcase_add_test(tc, events_that_do_not_fit);
	return corpus_run(tc, "wire/events");
}
