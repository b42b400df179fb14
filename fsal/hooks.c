/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "hooks.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "admin.h"
#include "clock.h"
#include "conns.h"
#include "records.h"

enum { DRAIN_POLL_US = 50 };

/* The operations at which a request is held, when they come first. */
static const nfs_opnum4 gated[] = {
	NFS4_OP_SEQUENCE,        NFS4_OP_EXCHANGE_ID,      NFS4_OP_CREATE_SESSION,
	NFS4_OP_DESTROY_SESSION, NFS4_OP_DESTROY_CLIENTID, NFS4_OP_BIND_CONN_TO_SESSION,
};

/*
 * ganesha's callbacks carry no pointer of ours, so this is global. closed mirrors
 * gate.state, for a look without the lock: a request raises in_flight and then
 * looks; who closes stores and then reads in_flight, so one sees the other.
 */
static struct {
	pthread_mutex_t lock; /* of gate */
	struct gate gate;
	atomic_bool closed;
	_Atomic(hooks_judge_t *) judge;
	atomic_long in_flight;
	nfs4_function_t original[NFS4_OP_RECLAIM_COMPLETE + 1];
	_Atomic(svc_req_fun_t) process, resume;
	_Atomic(svc_xprt_fun_t) rendezvous;
	const struct private_parts *parts;
	atomic_ulong lifted_count; /* grace periods ended by us, */
	atomic_long lift_us;       /* and how long the last end took */
} hooks = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The request that this thread works on, if it is counted. */
static __thread struct svc_req *current_request;

/* ---- counting */

static enum xprt_stat run_counted(svc_req_fun_t function, struct svc_req *req)
{
	enum xprt_stat stat;

	current_request = req;
	stat = function(req);
	current_request = NULL;
	/* suspended: it is in flight still, and may be gone already */
	if (stat != XPRT_SUSPEND)
		atomic_fetch_sub(&hooks.in_flight, 1);
	return stat;
}

static enum xprt_stat process_counted(struct svc_req *req)
{
	atomic_fetch_add(&hooks.in_flight, 1);
	return run_counted(atomic_load(&hooks.process), req);
}

static enum xprt_stat resume_counted(struct svc_req *req)
{
	return run_counted(atomic_load(&hooks.resume), req);
}

static void count_connection(SVCXPRT *xprt)
{
	if (xprt->xp_dispatch.process_cb != atomic_load(&hooks.process))
		return;
	__atomic_store_n(&xprt->xp_dispatch.process_cb, process_counted, __ATOMIC_SEQ_CST);
	conns_add(xprt->xp_fd);
}

static enum xprt_stat rendezvous_counted(SVCXPRT *xprt)
{
	enum xprt_stat stat = atomic_load(&hooks.rendezvous)(xprt);

	if (stat == XPRT_IDLE)
		count_connection(xprt);
	return stat;
}

/*
 * A request that came in before we had a hand on its connection: from now on the
 * connection's are counted, and those that its listener will accept.
 */
static void adopt_connection(SVCXPRT *xprt)
{
	SVCXPRT *listener = xprt->xp_parent;
	svc_req_fun_t no_process = NULL;
	svc_xprt_fun_t no_rendezvous = NULL;

	if (xprt->xp_dispatch.process_cb != process_counted)
		atomic_compare_exchange_strong(&hooks.process, &no_process, xprt->xp_dispatch.process_cb);
	count_connection(xprt);
	if (!listener || listener->xp_dispatch.rendezvous_cb == rendezvous_counted)
		return;
	atomic_compare_exchange_strong(&hooks.rendezvous, &no_rendezvous,
				       listener->xp_dispatch.rendezvous_cb);
	if (listener->xp_dispatch.rendezvous_cb == atomic_load(&hooks.rendezvous))
		__atomic_store_n(&listener->xp_dispatch.rendezvous_cb, rendezvous_counted,
				 __ATOMIC_SEQ_CST);
}

/* ---- the gate */

static enum nfs_req_result refuse(nfs_opnum4 opcode, struct nfs_resop4 *res)
{
	res->resop = opcode;
	res->nfs_resop4_u.opillegal.status = NFS4ERR_DELAY;
	return NFS_REQ_ERROR;
}

/* The operation itself; a client that it makes known is answered when its record is
 * safe. What a load replays is no request. */
static enum nfs_req_result run_op(struct nfs_argop4 *op, compound_data_t *data, struct nfs_resop4 *res)
{
	bool request = current_request == data->req;
	nfs_opnum4 opcode = data->opcode;
	enum nfs_req_result ret = hooks.original[opcode](op, data, res);

	if (opcode != NFS4_OP_CREATE_SESSION || ret != NFS_REQ_OK || !request)
		return ret;
	return records_hold(op->nfs_argop4_u.opcreate_session.csa_clientid, data->req, ret);
}

static int enter_locked(const compound_data_t *data, bool *go_on)
{
	hooks_judge_t *judge = atomic_load(&hooks.judge);

	if (!judge || hooks.gate.state != GATE_OPEN)
		return gate_enter(&hooks.gate, data->req, go_on);
	*go_on = judge(data);
	return *go_on ? 0 : gate_hold(&hooks.gate, data->req);
}

/* When it is held, the request belongs to who opens the gate: hands off. */
static enum nfs_req_result gate_op(struct nfs_argop4 *op, compound_data_t *data,
				   struct nfs_resop4 *res)
{
	nfs_opnum4 opcode = data->opcode;
	struct svc_req *req = data->req;
	bool counted = current_request == req, go_on = true;
	svc_req_fun_t none = NULL;
	enum nfs_req_result done;
	int ret = 0;

	if (opcode == NFS4_OP_CREATE_SESSION && records_resumed(req, &done))
		return done;
	if (data->oppos > 0)
		return run_op(op, data, res);
	if (req->rq_resume_cb != resume_counted) {
		atomic_compare_exchange_strong(&hooks.resume, &none, req->rq_resume_cb);
		req->rq_resume_cb = resume_counted;
	}
	if (!counted) {
		atomic_fetch_add(&hooks.in_flight, 1);
		adopt_connection(req->rq_xprt);
	}
	if (atomic_load(&hooks.closed) || atomic_load(&hooks.judge)) {
		pthread_mutex_lock(&hooks.lock);
		ret = enter_locked(data, &go_on);
		pthread_mutex_unlock(&hooks.lock);
	}
	if (!go_on && ret == 0)
		return NFS_REQ_ASYNC_WAIT;
	if (!counted) {
		/* what would be its end is not ours: it ends in resume_counted */
		svc_resume(req);
		return NFS_REQ_ASYNC_WAIT;
	}
	return ret < 0 ? refuse(opcode, res) : run_op(op, data, res);
}

/*
 * Ends the grace period with the answer to the last RECLAIM_COMPLETE instead of
 * with the reaper's next round, up to 10 s later (MainNFSD/nfs_reaper_thread.c):
 * nfs_wait_for_grace_enforcement() calls nfs_try_lift_grace() and, with the fs
 * backend, waits for nothing (SAL/nfs4_recovery.c).
 */
static enum nfs_req_result reclaim_complete(struct nfs_argop4 *op, compound_data_t *data,
					    struct nfs_resop4 *res)
{
	enum nfs_req_result ret = hooks.original[NFS4_OP_RECLAIM_COMPLETE](op, data, res);
	int64_t start = clock_now_us();
	bool before = false, after = false;

	if (ret != NFS_REQ_OK || admin_in_grace(hooks.parts, &before, NULL) < 0 || !before)
		return ret;
	nfs_wait_for_grace_enforcement();
	if (admin_in_grace(hooks.parts, &after, NULL) == 0 && !after) {
		atomic_store(&hooks.lift_us, (long)(clock_now_us() - start));
		atomic_fetch_add(&hooks.lifted_count, 1);
	}
	return ret;
}

/* ---- installing */

static int make_writable(struct op_desc *ops, bool writable, struct fault *fault)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = (uintptr_t)ops / page * page;
	uintptr_t to = ((uintptr_t)(ops + NFS4_OP_RECLAIM_COMPLETE + 1) + page - 1) / page * page;

	if (mprotect((void *)from, to - from, writable ? PROT_READ | PROT_WRITE : PROT_READ) < 0)
		return fault_set(fault, errno, "mprotect of the table of operations");
	return 0;
}

int hooks_install(const struct private_parts *parts, struct fault *fault)
{
	struct op_desc *ops = parts->ops, *complete = &ops[NFS4_OP_RECLAIM_COMPLETE];
	int ret = make_writable(ops, true, fault);

	if (ret < 0)
		return ret;
	gate_init(&hooks.gate);
	hooks.parts = parts;
	for (size_t i = 0; i < sizeof(gated) / sizeof(*gated); i++) {
		struct op_desc *o = &ops[gated[i]];

		hooks.original[gated[i]] = o->funct;
		__atomic_store_n(&o->resume, gate_op, __ATOMIC_SEQ_CST);
		__atomic_store_n(&o->funct, gate_op, __ATOMIC_SEQ_CST);
	}
	hooks.original[NFS4_OP_RECLAIM_COMPLETE] = complete->funct;
	__atomic_store_n(&complete->funct, reclaim_complete, __ATOMIC_SEQ_CST);
	return make_writable(ops, false, fault);
}

/* ---- commands */

void hooks_status(struct hooks_status *out)
{
	pthread_mutex_lock(&hooks.lock);
	*out = (struct hooks_status){
		.state = hooks.gate.state,
		.released = hooks.gate.released,
		.held = hooks.gate.n_held,
		.in_flight = atomic_load(&hooks.in_flight),
		.closed_count = hooks.gate.closed_count,
		.held_count = hooks.gate.held_count,
		.expired_count = hooks.gate.expired_count,
	};
	pthread_mutex_unlock(&hooks.lock);
	out->connections = conns_count();
	out->lifted_count = atomic_load(&hooks.lifted_count);
	out->lift_us = atomic_load(&hooks.lift_us);
}

int hooks_close(int64_t reopen_us, struct fault *fault)
{
	int ret;

	pthread_mutex_lock(&hooks.lock);
	ret = gate_close(&hooks.gate, clock_now_us(), reopen_us, fault);
	if (ret == 0)
		atomic_store(&hooks.closed, true);
	pthread_mutex_unlock(&hooks.lock);
	return ret;
}

static int open_locked(size_t *resumed, struct fault *fault)
{
	void **requests;
	int ret = gate_open(&hooks.gate, &requests, resumed, fault);

	if (ret < 0)
		return ret;
	atomic_store(&hooks.closed, false);
	for (size_t i = 0; i < *resumed; i++)
		svc_resume(requests[i]);
	free(requests);
	return 0;
}

int hooks_open(size_t *resumed, struct fault *fault)
{
	int ret;

	pthread_mutex_lock(&hooks.lock);
	ret = open_locked(resumed, fault);
	pthread_mutex_unlock(&hooks.lock);
	return ret;
}

void hooks_judge(hooks_judge_t *judge)
{
	size_t n;

	pthread_mutex_lock(&hooks.lock);
	atomic_store(&hooks.judge, judge);
	if (!judge && hooks.gate.state == GATE_OPEN)
		open_locked(&n, NULL);
	pthread_mutex_unlock(&hooks.lock);
}

static bool judged_for(void *request, void *data)
{
	const compound_data_t *c = container_of((struct svc_req *)request, nfs_request_t, svc)->proc_data;
	hooks_judge_t *judge = atomic_load(&hooks.judge);

	return judge && c->argarray[0].argop == NFS4_OP_SEQUENCE &&
	       !memcmp(c->argarray[0].nfs_argop4_u.opsequence.sa_sessionid, data, sizeof(uint64_t)) && judge(c);
}

void hooks_judge_again(uint64_t client)
{
	void **requests;
	size_t n;

	pthread_mutex_lock(&hooks.lock);
	requests = gate_take(&hooks.gate, judged_for, &client, &n);
	for (size_t i = 0; i < n; i++)
		svc_resume(requests[i]);
	pthread_mutex_unlock(&hooks.lock);
	free(requests);
}

int hooks_commit(struct fault *fault)
{
	int ret;

	pthread_mutex_lock(&hooks.lock);
	ret = gate_commit(&hooks.gate, fault);
	pthread_mutex_unlock(&hooks.lock);
	return ret;
}

int hooks_set_released(bool released, struct fault *fault)
{
	int ret;

	pthread_mutex_lock(&hooks.lock);
	ret = gate_set_released(&hooks.gate, released, fault);
	pthread_mutex_unlock(&hooks.lock);
	return ret;
}

void hooks_heard(void)
{
	pthread_mutex_lock(&hooks.lock);
	gate_heard(&hooks.gate, clock_now_us());
	pthread_mutex_unlock(&hooks.lock);
}

bool hooks_tick(void)
{
	bool can_expire;
	size_t n;

	pthread_mutex_lock(&hooks.lock);
	if (gate_expired(&hooks.gate, clock_now_us()) && open_locked(&n, NULL) == 0) {
		hooks.gate.expired_count++;
		LogWarn(COMPONENT_FSAL, "NASD: nobody spoke to the closed gate: opened, %zu requests go on", n);
	}
	can_expire = hooks.gate.state == GATE_CLOSED;
	pthread_mutex_unlock(&hooks.lock);
	return can_expire;
}

/* held is read first: it only grows while closed, and each one is in flight, so
 * equality says that nothing else was when in_flight was read. */
static bool look(bool sent, struct hooks_drain *out)
{
	pthread_mutex_lock(&hooks.lock);
	out->held = hooks.gate.n_held;
	pthread_mutex_unlock(&hooks.lock);
	out->running = atomic_load(&hooks.in_flight) - (long)out->held;
	if (out->running || !sent)
		return !out->running;
	conns_unsent(&out->unsent_connections, &out->unsent_bytes);
	return !out->unsent_bytes;
}

static int drain(int64_t timeout_us, bool sent, struct hooks_drain *out, struct fault *fault)
{
	int64_t start = clock_now_us();

	*out = (struct hooks_drain){0};
	if (!atomic_load(&hooks.closed))
		return fault_set(fault, EPERM, "the gate is open");
	while (!(out->drained = look(sent, out)) && clock_now_us() - start < timeout_us)
		nanosleep(&(struct timespec){.tv_nsec = DRAIN_POLL_US * 1000L}, NULL);
	out->took_us = clock_now_us() - start;
	return 0;
}

int hooks_drain(int64_t timeout_us, struct hooks_drain *out, struct fault *fault)
{
	return drain(timeout_us, true, out, fault);
}

int hooks_drain_running(int64_t timeout_us, struct hooks_drain *out, struct fault *fault)
{
	return drain(timeout_us, false, out, fault);
}
