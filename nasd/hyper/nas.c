/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The storage's half. A thread reads what nasd says of the move; the word to go is
 * sent over a second connection, open before it is needed.
 */
#include "hyper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ask.h"
#include "cleanup.h"
#include "clocks.h"
#include "cond.h"
#include "conn.h"
#include "printable.h"

enum { LOOK_US = 250000 };

struct nas {
	const struct hyper_options *o;
	struct ctl_request req;
	pthread_t thread;
	pthread_mutex_t lock;     /* of what follows */
	pthread_cond_t changed;
	enum nas_state state;
	bool went;
	struct conn hold, go;
	json_t *result;           /* the last line */
	struct err err;           /* the conversation broke */
	size_t steps;
};

static void set_state(struct nas *n, enum nas_state s)
{
	pthread_mutex_lock(&n->lock);
	if (n->state != NAS_ENDED)
		n->state = s;
	pthread_cond_broadcast(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

static void on_event(struct nas *n, json_t *event)
{
	const struct cli *cli = &n->o->cli;

	if (!strcmp(js_text(event, "event"), "held"))
		set_state(n, NAS_HELD);
	if (strcmp(js_text(event, "event"), "step") != 0 || cli->json)
		return;
	flockfile(stdout);
	if (!n->steps++)
		view_step_head(stdout, &cli->view);
	view_step(stdout, &cli->view, event);
	fflush(stdout);
	funlockfile(stdout);
}

/* One line; false: it was the result. */
static bool take_line(struct nas *n, const char *line, size_t len)
{
	json_t *obj = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL), *clean;

	if (!json_is_object(obj)) {
		err_set(&n->err, ERR_PEER, EPROTO, n->hold.path, "the answer is not a JSON object");
		json_decref(obj);
		return false;
	}
	clean = n->o->cli.json ? json_incref(obj) : json_printable(obj);
	json_decref(obj);
	if (json_object_get(clean, "result")) {
		n->result = clean;
		return false;
	}
	on_event(n, clean);
	json_decref(clean);
	return true;
}

static void *converse(void *arg)
{
	struct nas *n = arg;
	AUTO_FREE char *text = ctl_request_format(&n->req);
	bool more = text && conn_send(&n->hold, text, 0, &n->err) == 0;

	while (more) {
		char *line;
		size_t len;

		more = conn_line(&n->hold, 0, &line, &len, &n->err) == 0 && take_line(n, line, len);
	}
	set_state(n, NAS_ENDED);
	return NULL;
}

struct nas *nas_begin(const struct hyper_options *o, const char *group, unsigned hold_s)
{
	struct nas *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->o = o;
	n->req.cmd = CTL_SWITCHOVER;
	n->req.hold = hold_s;
	snprintf(n->req.group, sizeof(n->req.group), "%s", group);
	snprintf(n->req.node, sizeof(n->req.node), "%s", o->with_nas);
	n->hold.fd = n->go.fd = -1;
	pthread_mutex_init(&n->lock, NULL);
	cond_init_monotonic(&n->changed);
	if (conn_open(&n->hold, o->cli.socket, false, &n->err) < 0 || conn_open(&n->go, o->cli.socket, false, &n->err) < 0) {
		n->state = NAS_ENDED;
		return n;
	}
	if (pthread_create(&n->thread, NULL, converse, n) == 0)
		return n;
	err_set(&n->err, ERR_SYSTEM, EAGAIN, "nasd", "no thread for its answers");
	n->thread = 0;
	n->state = NAS_ENDED;
	return n;
}

enum nas_state nas_look(struct nas *n)
{
	enum nas_state s;

	pthread_mutex_lock(&n->lock);
	s = n->state;
	pthread_mutex_unlock(&n->lock);
	return s;
}

/* Until it is one that ends the wait, the time is over or, with interruptible, a signal has come. */
static enum nas_state wait_while(struct nas *n, bool (*on)(enum nas_state), int64_t us, bool interruptible)
{
	int64_t until = monotonic_us() + us;
	enum nas_state s;

	pthread_mutex_lock(&n->lock);
	while (on(n->state) && monotonic_us() < until && !(interruptible && hyper_interrupted())) {
		struct timespec soon = timespec_of_us(monotonic_us() + LOOK_US); /* a signal wakes nobody */

		pthread_cond_timedwait(&n->changed, &n->lock, &soon);
	}
	s = n->state;
	pthread_mutex_unlock(&n->lock);
	return s;
}

static bool is_begun(enum nas_state s)
{
	return s == NAS_BEGUN;
}

static bool has_not_ended(enum nas_state s)
{
	return s != NAS_ENDED;
}

enum nas_state nas_wait_held(struct nas *n, int64_t us)
{
	return wait_while(n, is_begun, us, true);
}

bool nas_called_off(struct nas *n)
{
	bool off;

	pthread_mutex_lock(&n->lock);
	off = n->state == NAS_ENDED && !n->went;
	pthread_mutex_unlock(&n->lock);
	return off;
}

bool nas_go(struct nas *n)
{
	struct ctl_request req = { .cmd = CTL_GO };
	AUTO_FREE char *text = NULL;
	struct err err;
	bool mine;

	pthread_mutex_lock(&n->lock);
	mine = n->state == NAS_HELD && !n->went;
	n->went = n->went || mine;
	if (mine)
		n->state = NAS_GONE_ON;
	pthread_mutex_unlock(&n->lock);
	if (!mine)
		return n->went;
	snprintf(req.group, sizeof(req.group), "%s", n->req.group);
	text = ctl_request_format(&req);
	return text && conn_send(&n->go, text, 0, &err) == 0;
}

void nas_leave(struct nas *n)
{
	if (n->hold.fd >= 0)
		shutdown(n->hold.fd, SHUT_RDWR);
}

enum cli_exit nas_end(struct nas *n, int64_t us, const json_t **result)
{
	bool late = false;
	const char *cls;
	json_t *what;

	if (wait_while(n, has_not_ended, us, false) != NAS_ENDED)
		late = true;
	nas_leave(n);
	if (n->thread)
		pthread_join(n->thread, NULL);
	n->thread = 0;
	if (!n->result && late) {
		err_set(&n->err, ERR_TIMEOUT, ETIMEDOUT, n->hold.path, "nasd does not say in time how the move ended");
		err_remedy(&n->err, "the outcome is not known: look at 'nasctl status' and 'nasctl history'");
	}
	if (!n->result)
		n->result = json_pack("{s:s, s:o}", "result", "error", "error", ctl_error_json(&n->err));
	what = json_object_get(n->result, !strcmp(js_text(n->result, "result"), "ok") ? "data" : "error");
	if (result)
		*result = what;
	if (!strcmp(js_text(n->result, "result"), "ok"))
		return CLI_DONE;
	cls = js_text(what, "class");
	return !strcmp(cls, "refused") ? CLI_REFUSED : !strcmp(cls, "timeout") ? CLI_UNKNOWN : CLI_FAILED;
}

void nas_free(struct nas *n)
{
	if (!n)
		return;
	nas_leave(n);
	if (n->thread)
		pthread_join(n->thread, NULL);
	conn_close(&n->hold);
	conn_close(&n->go);
	json_decref(n->result);
	pthread_mutex_destroy(&n->lock);
	pthread_cond_destroy(&n->changed);
	free(n);
}
