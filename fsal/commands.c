/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "commands.h"

#include <errno.h>

#include "admin.h"
#include "clock.h"
#include "discover.h"
#include "dump.h"
#include "expire.h"
#include "fds.h"
#include "grace.h"
#include "hooks.h"
#include "late.h"
#include "load.h"
#include "msg.h"
#include "precopy.h"
#include "records.h"
#include "warm.h"

enum { TICK_MS = 50, LOAD_GATE_US = 600 * 1000000, SETTLE_US = 50000, ROOM_FDS = 16384, HEAP_WARM = 4 << 20 };

static struct {
	struct private_parts parts;
	bool ready;              /* the operations are found, and ours */
	bool state_ready;        /* the tables are found, too */
	struct fault why, state_why; /* when not */
	struct fds fds;
	struct state_text body;  /* of the answer that is being made */
	char **in;               /* the body of the request, */
	size_t in_len;
	bool spoiled;            /* a load failed half-way */
	bool listen;             /* the request was for records */
} commands;

void commands_load(void)
{
	fds_make_room(ROOM_FDS);
	fds_init(&commands.fds);
	commands.ready = discover_code(&commands.parts, &commands.why) == 0 &&
			 hooks_install(&commands.parts, &commands.why) == 0;
	if (!commands.ready)
		LogWarn(COMPONENT_FSAL, "NASD: off, because: %s", commands.why.text);
}

void commands_started(void)
{
	warm_keep_heap();
	if (!commands.ready) {
		commands.state_why = commands.why;
		return;
	}
	commands.state_ready = discover_tables(&commands.parts, &commands.state_why) == 0;
	if (!commands.state_ready)
		LogWarn(COMPONENT_FSAL, "NASD: no state, because: %s", commands.state_why.text);
}

int commands_tick(void)
{
	int ms = commands.state_ready ? grace_tick(&commands.parts) : -1, awake_ms = expire_tick();

	if (ms < 0 || ms > awake_ms)
		ms = awake_ms;
	return commands.ready && hooks_tick() ? TICK_MS : ms;
}

/* ---- each of these fills fields, or fails */

static int can_load(struct fault *fault)
{
	struct hooks_status s;

	if (!commands.state_ready)
		return fault_set(fault, ENOTSUP, "no state: %s", commands.state_why.text);
	if (commands.spoiled)
		return fault_set(fault, EBUSY, "a load has failed half-way");
	hooks_status(&s);
	if (s.state == GATE_COMMITTED || s.released)
		return fault_set(fault, EBUSY, "the gate is committed, or the filesystem is released");
	return load_possible(&commands.parts, fault);
}

static void say_records(json_t *fields)
{
	struct records_status s;

	records_status(&s);
	json_object_set_new(fields, "record_wait_ms", json_integer(s.wait_us / 1000));
	json_object_set_new(fields, "records_heard", json_boolean(s.listener));
	json_object_set_new(fields, "records_held", json_integer((json_int_t)s.waiting));
	json_object_set_new(fields, "records_kept", json_integer((json_int_t)s.ended[HOLD_KEPT]));
	json_object_set_new(fields, "records_alone", json_integer((json_int_t)s.ended[HOLD_ALONE]));
	json_object_set_new(fields, "records_expired", json_integer((json_int_t)s.ended[HOLD_EXPIRED]));
	json_object_set_new(fields, "record_us", json_integer(s.took_us));
	json_object_set_new(fields, "record_longest_us", json_integer(s.longest_us));
}

static int run_status(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	struct hooks_status s = {0};
	struct fault why_not = {0};
	struct late_status late;
	bool in_grace = false;

	(void)req;
	if (commands.ready) {
		hooks_status(&s);
		if (admin_in_grace(&commands.parts, &in_grace, fault) < 0)
			return -fault->errnum;
	}
	json_object_set_new(fields, "version", json_string(NASD_VERSION));
	json_object_set_new(fields, "ready", json_boolean(commands.ready));
	json_object_set_new(fields, "reason", json_string(commands.ready ? "" : commands.why.text));
	json_object_set_new(fields, "state_ready", json_boolean(commands.state_ready));
	json_object_set_new(fields, "state_reason",
			    json_string(commands.state_ready ? "" : commands.state_why.text));
	json_object_set_new(fields, "build_id", json_string(commands.parts.build_id));
	json_object_set_new(fields, "rpc_build_id", json_string(commands.parts.rpc_build_id));
	json_object_set_new(fields, "discovery_us", json_integer(commands.parts.took_us));
	json_object_set_new(fields, "gate", json_string(gate_state_name(s.state)));
	json_object_set_new(fields, "released", json_boolean(s.released));
	json_object_set_new(fields, "held", json_integer((json_int_t)s.held));
	json_object_set_new(fields, "in_flight", json_integer(s.in_flight));
	json_object_set_new(fields, "connections", json_integer((json_int_t)s.connections));
	json_object_set_new(fields, "closed_count", json_integer((json_int_t)s.closed_count));
	json_object_set_new(fields, "held_count", json_integer((json_int_t)s.held_count));
	json_object_set_new(fields, "expired_count", json_integer((json_int_t)s.expired_count));
	json_object_set_new(fields, "in_grace", json_boolean(in_grace));
	json_object_set_new(fields, "lifted_count", json_integer((json_int_t)s.lifted_count));
	json_object_set_new(fields, "lift_us", json_integer(s.lift_us));
	json_object_set_new(fields, "given_up_count", json_integer((json_int_t)grace_given_up()));
	say_records(fields);
	json_object_set_new(fields, "epoch", json_integer((json_int_t)nfs_ServerEpoch));
	json_object_set_new(fields, "can_load", json_boolean(can_load(&why_not) == 0));
	json_object_set_new(fields, "load_reason", json_string(why_not.text));
	late_status(&late);
	json_object_set_new(fields, "late_clients", json_integer((json_int_t)late.left));
	json_object_set_new(fields, "late_lost", json_integer((json_int_t)late.lost));
	json_object_set_new(fields, "late_us", json_integer(late.took_us));
	return 0;
}

static int all_loaded(struct fault *fault)
{
	struct late_status late;

	late_status(&late);
	return late.left ? fault_set(fault, EBUSY, "opens and locks of %zu clients are still being made", late.left) : 0;
}

static int run_gate(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	int ret = all_loaded(fault);

	(void)fields;
	return ret < 0 ? ret : hooks_close(req->reopen_ms * 1000, fault);
}

static int drain(int64_t timeout_us, json_t *fields, struct hooks_drain *d, struct fault *fault)
{
	int ret = hooks_drain(timeout_us, d, fault);

	json_object_set_new(fields, "drained", json_boolean(d->drained));
	json_object_set_new(fields, "held", json_integer((json_int_t)d->held));
	json_object_set_new(fields, "running", json_integer(d->running));
	json_object_set_new(fields, "unsent_connections", json_integer((json_int_t)d->unsent_connections));
	json_object_set_new(fields, "unsent_bytes", json_integer((json_int_t)d->unsent_bytes));
	json_object_set_new(fields, "us", json_integer(d->took_us));
	return ret;
}

static int run_drain(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	struct hooks_drain d;

	return drain(req->timeout_ms * 1000, fields, &d, fault);
}

static int run_thaw(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	size_t n;
	int ret = hooks_open(&n, fault);

	(void)req;
	json_object_set_new(fields, "resumed", json_integer((json_int_t)n));
	return ret;
}

static int run_commit(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	(void)req, (void)fields;
	return hooks_commit(fault);
}

/*
 * Nothing may run. A request that has just come in is on its way to the gate for a
 * moment, which is waited for. Unsent replies do not matter here: they are in the
 * kernel's hands, and their slots' sequence ids are in a dump.
 */
static int nothing_runs(struct hooks_drain *d, struct fault *fault)
{
	int ret = hooks_drain_running(SETTLE_US, d, fault);

	if (ret == 0 && d->running)
		ret = fault_set(fault, EBUSY, "%ld requests are running: drain first", d->running);
	return ret;
}

static int run_release(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	struct hooks_drain d;
	struct hooks_status s;
	int ret = nothing_runs(&d, fault), n = 0;

	hooks_status(&s);
	if (ret == 0 && s.state == GATE_COMMITTED && !s.released) {
		n = fds_drop(&commands.fds, req->path, fault);
		ret = n < 0 ? n : 0;
	} else if (ret == 0) {
		ret = fds_release(&commands.fds, req->path, fault);
		n = (int)commands.fds.n;
	}
	if (ret == 0)
		ret = hooks_set_released(true, fault);
	json_object_set_new(fields, "descriptors", json_integer(n));
	return ret;
}

static int run_restore(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	size_t kept, lost;
	int ret = fds_restore(&commands.fds, req->path, &kept, &lost, fault);

	if (ret == 0)
		ret = hooks_set_released(false, fault);
	json_object_set_new(fields, "descriptors", json_integer((json_int_t)kept));
	return ret;
}

static void say_counts(json_t *fields, const struct state_counts *n)
{
	json_object_set_new(fields, "clients", json_integer((json_int_t)n->clients));
	json_object_set_new(fields, "sessions", json_integer((json_int_t)n->sessions));
	json_object_set_new(fields, "replies", json_integer((json_int_t)n->replies));
	json_object_set_new(fields, "opens", json_integer((json_int_t)n->opens));
	json_object_set_new(fields, "locks", json_integer((json_int_t)n->locks));
	json_object_set_new(fields, "ranges", json_integer((json_int_t)n->ranges));
}

static int has_state(struct fault *fault)
{
	return commands.state_ready ? 0 : fault_set(fault, ENOTSUP, "no state: %s", commands.state_why.text);
}

static int run_precopy(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	uint64_t base = 0;
	int ret = has_state(fault);

	(void)req;
	if (ret == 0)
		ret = all_loaded(fault);
	if (ret == 0)
		ret = precopy_dump(&commands.parts, &commands.body, &base, fault);
	if (ret == 0)
		fds_note(&commands.fds);
	json_object_set_new(fields, "bytes", json_integer((json_int_t)commands.body.len));
	json_object_set_new(fields, "base", json_integer((json_int_t)base));
	say_counts(fields, &commands.body.counts);
	return ret;
}

/* Of dump, base is 0. */
static int run_dump(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	struct hooks_drain d;
	int ret = nothing_runs(&d, fault);

	if (ret == 0)
		ret = has_state(fault);
	if (ret == 0 && req->base && !precopy_is(req->base))
		ret = fault_set(fault, ENOENT, "that is not the last pre-copy");
	if (ret == 0)
		ret = dump_state(&commands.parts, req->base, &commands.body, fault);
	json_object_set_new(fields, "bytes", json_integer((json_int_t)commands.body.len));
	json_object_set_new(fields, "held", json_integer((json_int_t)d.held));
	json_object_set_new(fields, "drain_us", json_integer(d.took_us));
	say_counts(fields, &commands.body.counts);
	return ret;
}

/*
 * No request may run while clients are made. A gate that is open is closed for
 * that time; what came in meanwhile goes on afterwards. After a load that failed
 * half-way it stays closed: nobody is to be served with half of the state.
 */
static int load_gated(struct state_counts *counts, struct load_times *times, bool *replace,
		      struct fault *fault)
{
	struct hooks_status s;
	struct hooks_drain d;
	size_t resumed;
	int ret;

	ret = can_load(fault);
	hooks_status(&s);
	if (ret == 0 && s.state == GATE_OPEN)
		ret = hooks_close(LOAD_GATE_US, fault);
	if (ret == 0)
		ret = nothing_runs(&d, fault);
	if (ret == 0)
		ret = can_load(fault); /* now that nobody can come any more */
	if (ret == 0)
		ret = load_state(&commands.parts, commands.in, commands.in_len, counts, times, replace, fault);
	commands.spoiled = commands.spoiled || *replace;
	*replace = commands.spoiled;
	if (commands.spoiled)
		hooks_commit(NULL);
	else if (s.state == GATE_OPEN)
		hooks_open(&resumed, NULL);
	return ret;
}

static int run_load(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	struct state_counts counts = {0};
	struct load_times times = {0};
	struct late_status late;
	bool replace = false;
	int ret = load_gated(&counts, &times, &replace, fault);

	(void)req;
	late_status(&late);
	say_counts(fields, &counts);
	json_object_set_new(fields, "late_clients", json_integer((json_int_t)late.left));
	json_object_set_new(fields, "check_us", json_integer(times.check_us));
	json_object_set_new(fields, "make_us", json_integer(times.make_us));
	json_object_set_new(fields, "lock_us", json_integer(times.lock_us));
	if (ret < 0)
		json_object_set_new(fields, "replace", json_boolean(replace));
	return ret;
}

static int run_export_add(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	(void)fields;
	return admin_export_add(&commands.parts, req->path, req->id, fault);
}

/*
 * An export that comes and goes before there are clients was a rehearsal: all
 * that an export needs is loaded. This thread is the one that will load.
 */
static int run_export_remove(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	int ret = all_loaded(fault);
	struct warm_counts counts;

	if (ret == 0)
		ret = admin_export_remove(&commands.parts, req->id, fault);
	if (ret < 0 || can_load(NULL) < 0)
		return ret;
	warm_memory(HEAP_WARM, &counts);
	json_object_set_new(fields, "warm_pages", json_integer((json_int_t)(counts.read_pages + counts.written_pages)));
	json_object_set_new(fields, "warm_us", json_integer(counts.took_us));
	LogDebug(COMPONENT_FSAL, "NASD: warm: %zu pages of code, %zu of variables, %zu ranges in %lld us",
		 counts.read_pages, counts.written_pages, counts.ranges, (long long)counts.took_us);
	return 0;
}

static int say_grace(json_t *fields, struct fault *fault)
{
	bool in_grace = false;
	int ret = admin_in_grace(&commands.parts, &in_grace, fault);

	json_object_set_new(fields, "in_grace", json_boolean(in_grace));
	return ret;
}

static int run_grace_start(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	int ret = admin_grace_start(req->node_id, fault);

	grace_begins();
	return ret == 0 ? say_grace(fields, fault) : ret;
}

static int run_grace_lift(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	(void)req;
	admin_grace_lift();
	return say_grace(fields, fault);
}

static int run_records(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	struct records_status s;

	(void)req;
	records_status(&s);
	if (!s.wait_us)
		return fault_set(fault, ENOTSUP, "no answer is held here: Record_Wait is 0");
	json_object_set_new(fields, "record_wait_ms", json_integer(s.wait_us / 1000));
	commands.listen = true;
	return 0;
}

static int run_record_word(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	(void)req, (void)fields;
	return fault_set(fault, EPERM, "only on a connection that has asked for records");
}

static int run_client_release(const struct msg_request *req, json_t *fields, struct fault *fault)
{
	struct hooks_status s;
	size_t released = 0;
	int ret = all_loaded(fault);

	hooks_status(&s);
	if (ret == 0 && s.state != GATE_OPEN)
		ret = fault_set(fault, EBUSY, "the gate is closed: a move is under way");
	if (ret == 0)
		ret = expire_clients(commands.state_ready ? commands.parts.states : NULL, req->address, &released, fault);
	json_object_set_new(fields, "clients", json_integer((json_int_t)released));
	return ret;
}

static int (*const functions[MSG_OP_COUNT])(const struct msg_request *, json_t *, struct fault *) = {
	[MSG_STATUS] = run_status,
	[MSG_GATE] = run_gate,
	[MSG_DRAIN] = run_drain,
	[MSG_THAW] = run_thaw,
	[MSG_COMMIT] = run_commit,
	[MSG_RELEASE] = run_release,
	[MSG_RESTORE] = run_restore,
	[MSG_DUMP] = run_dump,
	[MSG_PRECOPY] = run_precopy,
	[MSG_DUMP_SINCE] = run_dump,
	[MSG_LOAD] = run_load,
	[MSG_EXPORT_ADD] = run_export_add,
	[MSG_EXPORT_REMOVE] = run_export_remove,
	[MSG_GRACE_START] = run_grace_start,
	[MSG_GRACE_LIFT] = run_grace_lift,
	[MSG_RECORDS] = run_records,
	[MSG_RECORD_KEPT] = run_record_word,
	[MSG_RECORD_ALONE] = run_record_word,
	[MSG_CLIENT_RELEASE] = run_client_release,
};

size_t commands_body(const char *line, size_t len)
{
	static struct msg_request req; /* large; one thread */

	return msg_parse(line, len, &req, NULL) == 0 ? req.bytes : 0;
}

/* A refusal has no fields, but that of a load says what is to be done. */
static void keep_for_refusal(json_t *fields, enum msg_op op)
{
	json_t *replace = json_incref(json_object_get(fields, "replace"));

	json_object_clear(fields);
	if (op == MSG_LOAD)
		json_object_set(fields, "replace", replace ? replace : json_false());
	json_decref(replace);
}

void commands_run(const char *line, size_t len, char **body, size_t body_len,
		  struct commands_answer *out)
{
	static struct msg_request req; /* large; one thread */
	struct fault fault = {0};
	json_t *fields = json_object();
	int64_t start = clock_now_us();
	int ret = fields ? msg_parse(line, len, &req, &fault) : fault_set(&fault, ENOMEM, "out of memory");

	commands.body = (struct state_text){0};
	commands.listen = false;
	commands.in = body;
	commands.in_len = body_len;
	if (ret == 0 && req.op != MSG_STATUS && !commands.ready)
		ret = fault_set(&fault, ENOTSUP, "the module is off: %s", commands.why.text);
	if (ret == 0)
		ret = functions[req.op](&req, fields, &fault);
	/* at its end: what takes long is not silence */
	if (commands.ready && req.op != MSG_STATUS)
		hooks_heard();
	if (ret == 0) {
		json_object_set_new(fields, "run_us", json_integer(clock_now_us() - start));
	} else {
		state_free(&commands.body);
		keep_for_refusal(fields, req.op);
	}
	out->line = msg_answer(fields, ret < 0 ? &fault : NULL);
	out->body = commands.body.text;
	out->body_len = commands.body.len;
	out->records = commands.listen;
}
