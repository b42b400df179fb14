/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Faults on demand: nasd --allow-injection, the `inject` command. One shot each. */
#include "engine_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

enum { LINE_OUT_US = 100000 };

static enum inject_what what_by_name(const char *name)
{
	if (!strcmp(name, "fail"))
		return INJECT_FAIL;
	if (!strcmp(name, "unknown"))
		return INJECT_UNKNOWN;
	if (!strcmp(name, "kill"))
		return INJECT_KILL;
	if (!strcmp(name, "stall"))
		return INJECT_STALL;
	if (!strcmp(name, "reset"))
		return INJECT_RESET;
	return INJECT_NONE;
}

int engine_inject_arm(struct egroup *g, const struct ctl_request *req, struct err *err)
{
	enum step_id step = step_by_name(req->step);
	enum inject_what what = what_by_name(req->what);

	if (!g->e->spec.allow_injection) {
		err_set(err, ERR_REFUSED, EPERM, "inject", "faults are not injected here");
		err_remedy(err, "only a nasd started with --allow-injection, for tests, does it");
		return -EPERM;
	}
	if (step == STEP_NONE || what == INJECT_NONE ||
	    (strcmp(req->when, "before") && strcmp(req->when, "after")))
		return err_set(err, ERR_INPUT, EINVAL, "inject",
			       "needs a step, what (fail, unknown, kill, reset, stall) and when (before, after)");
	pthread_mutex_lock(&g->inject.lock);
	g->inject.step = step;
	g->inject.what = what;
	g->inject.after = !strcmp(req->when, "after");
	pthread_mutex_unlock(&g->inject.lock);
	return 0;
}

/* As when the power is cut: nothing is written back (Documentation/admin-guide/sysrq.rst). */
static void reset_node(void)
{
	int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "b", 1) != 1)
		log_err("the node cannot be reset: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

enum inject_what egroup_inject(struct egroup *g, enum step_id step, bool after)
{
	enum inject_what what = INJECT_NONE;

	pthread_mutex_lock(&g->inject.lock);
	if (g->inject.what != INJECT_NONE && g->inject.step == step && g->inject.after == after) {
		what = g->inject.what;
		g->inject.what = INJECT_NONE;
	}
	pthread_mutex_unlock(&g->inject.lock);
	if (what == INJECT_NONE)
		return what;
	log_warn("injected fault %d at step %s, %s its effect", (int)what, step_name(step), after ? "after" : "before");
	/* the line has a thread of its own to be written by, which is to get that far */
	if (what == INJECT_RESET || what == INJECT_KILL)
		usleep(LINE_OUT_US);
	if (what == INJECT_RESET)
		reset_node();
	if (what == INJECT_KILL) {
		kill(getpid(), SIGKILL);
		pause();
	}
	if (what == INJECT_STALL)
		usleep((step_row(step)->deadline_ms + 500u) * 1000u);
	return what;
}
