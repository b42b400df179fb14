/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fence_call.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "child.h"
#include "log.h"

enum { OUTPUT_MAX = 16384 };

struct fence_call {
	struct fence_call_spec spec;
	char *path, *input;
	int cancel_fd;             /* -1: it cannot be ended early, only by its time */
	struct child_result result;
	struct err err;
};

static void call_fn(void *arg)
{
	struct fence_call *c = arg;
	const char *const argv[] = { c->path, NULL };
	struct child_spec spec = { .path = c->path, .argv = argv, .input = c->input, .input_len = c->spec.input_len,
				   .output_max = OUTPUT_MAX, .timeout_us = c->spec.timeout_us,
				   .cancel_fd = c->cancel_fd > 0 ? c->cancel_fd : 0 };

	child_run(&spec, &c->result, &c->err);
}

static enum fence_end end_of(enum child_end e)
{
	switch (e) {
	case CHILD_EXITED: return FENCE_EXITED;
	case CHILD_SIGNALLED: return FENCE_SIGNALLED;
	case CHILD_TIMED_OUT: return FENCE_TIMED_OUT;
	case CHILD_NOT_RUN: return FENCE_NOT_RUN;
	}
	return FENCE_NOT_RUN;
}

static void free_call(struct fence_call *c)
{
	if (c->input)
		explicit_bzero(c->input, c->spec.input_len);
	free(c->input);
	free(c->path);
	if (c->cancel_fd >= 0)
		close(c->cancel_fd);
	child_result_free(&c->result);
	free(c);
}

static void call_done(void *arg)
{
	struct fence_call *c = arg;
	struct fence_ended ended = { .end = end_of(c->result.end), .code = c->result.code, .out = c->result.out,
				     .err_out = c->result.err_out };

	if (ended.end == FENCE_EXITED)
		log_info("fence agent %s ended after %lld ms with status %d", c->path,
			 (long long)c->result.duration_us / 1000, ended.code);
	else
		log_warn("fence agent %s: %s", c->path, c->err.msg);
	c->spec.done(c->spec.data, c, c->spec.run, c->spec.call, &ended);
	free_call(c);
}

struct fence_call *fence_call_start(struct lane *lane, const struct fence_call_spec *spec)
{
	struct fence_call *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->spec = *spec;
	c->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->path = strdup(spec->path);
	c->input = malloc(spec->input_len + 1);
	if (c->input)
		memcpy(c->input, spec->input, spec->input_len);
	if (c->path && c->input && lane_submit(lane, call_fn, call_done, c) == 0)
		return c;
	free_call(c);
	return NULL;
}

void fence_call_end(struct fence_call *c)
{
	if (c->cancel_fd >= 0)
		eventfd_write(c->cancel_fd, 1);
}
