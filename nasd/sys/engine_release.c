/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client is dead, by somebody's word: its leases are ended, so that its locks do not
 * hold up who takes over its work. In the lane beside the steps.
 */
#include "engine_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct release_job {
	struct egroup *g;
	uint64_t id;           /* of the request that waits */
	char address[INET6_ADDRSTRLEN];
	int64_t clients;
	int ret;
	struct err err;
};

/* As ganesha writes it, and IPv4 where it is mapped into IPv6. */
static bool canonical(const char *text, char out[INET6_ADDRSTRLEN])
{
	struct in6_addr a;

	if (inet_pton(AF_INET, text, &a) == 1)
		return inet_ntop(AF_INET, &a, out, INET6_ADDRSTRLEN);
	if (inet_pton(AF_INET6, text, &a) != 1)
		return false;
	return IN6_IS_ADDR_V4MAPPED(&a) ? inet_ntop(AF_INET, a.s6_addr + 12, out, INET6_ADDRSTRLEN)
					: inet_ntop(AF_INET6, &a, out, INET6_ADDRSTRLEN);
}

static void release_fn(void *arg)
{
	struct release_job *j = arg;

	j->ret = effects_release_client(j->g->fx, j->address, &j->clients, &j->err);
	if (j->ret == 0 && !j->clients) {
		j->ret = err_set(&j->err, ERR_REFUSED, ENOENT, "client", "the server knows no client at %s", j->address);
		err_remedy(&j->err, "one that is there no more holds nothing; or it has mounted from another address: 'nasctl status' lists them");
	} else if (j->ret < 0) {
		err_remedy(&j->err, "look whether it is really off, and ask again; else its lease ends by itself within %llu s",
			   (unsigned long long)j->g->conf->nfs.lease_us / 1000000);
	}
}

static void answer(struct ctl_client *c, const struct release_job *j)
{
	json_t *data = json_pack("{s:s, s:I}", "address", j->address, "clients", (json_int_t)j->clients);

	if (j->ret < 0)
		ctl_client_result_error(c, &j->err, NULL);
	else
		ctl_client_result_ok(c, data);
	json_decref(data);
}

static void release_done(void *arg)
{
	struct release_job *j = arg;
	struct ctl_client *c;

	if (j->ret < 0)
		log_warn("%s: the clients at %s are not let go of: %s", j->g->conf->name, j->address, j->err.msg);
	else
		log_notice("%s: %lld clients at %s are dead: what they held is free", j->g->conf->name,
			   (long long)j->clients, j->address);
	c = engine_control_take(j->g->e, NULL, j->id);
	if (c)
		answer(c, j);
	free(j);
}

static int begin(struct egroup *g, struct ctl_client *c, struct release_job *j, struct err *err)
{
	struct group_view v;
	struct pending *p;

	group_look(g->core, &v);
	if (v.state != GS_ACTIVE) {
		err_set(err, ERR_REFUSED, EPERM, g->conf->name, "it is not served here");
		err_remedy(err, "ask on the node that serves it: nasctl status");
		return -EPERM;
	}
	p = engine_control_pend(g->e, c, NULL);
	if (!p)
		return -EBUSY; /* it has been told */
	j->id = p->id;
	if (lane_submit(g->side, release_fn, release_done, j) < 0)
		abort();
	return 0;
}

void egroup_release_client(struct egroup *g, struct ctl_client *c, const struct ctl_request *req, const char *by)
{
	struct release_job *j = calloc(1, sizeof(*j));
	struct err err = { 0 };

	if (!j)
		abort();
	j->g = g;
	if (!canonical(req->address, j->address)) {
		err_set(&err, ERR_INPUT, EINVAL, "address", "`%s' is not an IP address", req->address);
		err_remedy(&err, "the address that the client mounts from: 'nasctl status' lists them");
	} else {
		log_notice("%s: %s says that the clients at %s are dead", g->conf->name, by, j->address);
		if (begin(g, c, j, &err) == 0)
			return;
	}
	if (err.cls != ERR_NONE)
		ctl_client_result_error(c, &err, NULL);
	free(j);
}
