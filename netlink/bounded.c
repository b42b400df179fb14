/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bounded.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"

struct job {
	pthread_mutex_t lock; /* protects done, abandoned */
	pthread_cond_t changed;
	bool done;
	bool abandoned; /* the thread frees the job */
	int (*fn)(const void *arg, struct err *e);
	int result;
	struct err err;
	_Alignas(max_align_t) unsigned char arg[];
};

static void job_free(struct job *job)
{
	pthread_cond_destroy(&job->changed);
	pthread_mutex_destroy(&job->lock);
	free(job);
}

static void job_run(struct job *job)
{
	bool abandoned;

	job->result = job->fn(job->arg, &job->err);
	pthread_mutex_lock(&job->lock);
	job->done = true;
	abandoned = job->abandoned;
	pthread_cond_signal(&job->changed);
	pthread_mutex_unlock(&job->lock);
	if (abandoned)
		job_free(job);
}

/*
 * A thread that has done its job waits for the next one: to make a thread is much of what
 * a role change costs in a freeze. One waits at most; one that hangs in its job is not it.
 */
struct worker {
	pthread_cond_t wake;
	struct job *job; /* NULL: it waits */
};

static struct {
	pthread_mutex_t lock; /* protects waiting, and its job */
	struct worker *waiting;
} park = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* The next job; NULL: another one waits already, and this one is not needed. */
static struct job *worker_wait(struct worker *w)
{
	struct job *job = NULL;

	pthread_mutex_lock(&park.lock);
	if (!park.waiting) {
		park.waiting = w;
		w->job = NULL;
		while (!w->job)
			pthread_cond_wait(&w->wake, &park.lock);
		job = w->job;
	}
	pthread_mutex_unlock(&park.lock);
	return job;
}

static void *worker_main(void *p)
{
	struct worker *w = p;

	for (struct job *job = w->job; job; job = worker_wait(w))
		job_run(job);
	pthread_cond_destroy(&w->wake);
	free(w);
	return NULL;
}

static bool give_to_waiting(struct job *job)
{
	struct worker *w;

	pthread_mutex_lock(&park.lock);
	w = park.waiting;
	park.waiting = NULL;
	if (w) {
		w->job = job;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&park.lock);
	return w;
}

static int job_start(struct job *job)
{
	struct worker *w;
	pthread_t thread;
	int ret;

	if (give_to_waiting(job))
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return ENOMEM;
	w->job = job;
	pthread_cond_init(&w->wake, NULL);
	ret = pthread_create(&thread, NULL, worker_main, w);
	if (ret) {
		pthread_cond_destroy(&w->wake);
		free(w);
	} else {
		pthread_detach(thread);
	}
	return ret;
}

static struct job *job_new(int (*fn)(const void *arg, struct err *e), const void *arg, size_t size)
{
	struct job *job = calloc(1, sizeof(*job) + size);
	pthread_condattr_t attr;

	if (!job)
		return NULL;
	job->fn = fn;
	memcpy(job->arg, arg, size);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&job->lock, NULL);
	pthread_cond_init(&job->changed, &attr);
	pthread_condattr_destroy(&attr);
	return job;
}

/* Whether the job is done in time; if not, it belongs to its thread now. */
static bool job_wait(struct job *job, unsigned timeout_ms)
{
	struct timespec until = timespec_of_us(monotonic_us() + (int64_t)timeout_ms * 1000);
	bool done;

	pthread_mutex_lock(&job->lock);
	while (!job->done && pthread_cond_timedwait(&job->changed, &job->lock, &until) != ETIMEDOUT)
		;
	done = job->done;
	job->abandoned = !done;
	pthread_mutex_unlock(&job->lock);
	return done;
}

int net_bounded_run(int (*fn)(const void *arg, struct err *e), const void *arg, size_t size,
		    unsigned timeout_ms, struct err *e)
{
	struct job *job = job_new(fn, arg, size);
	int ret;

	if (!job)
		return err_set(e, ERR_SYSTEM, ENOMEM, "thread", "no memory");
	ret = job_start(job);
	if (ret) {
		job_free(job);
		return err_set(e, ERR_SYSTEM, ret, "thread", "cannot start a thread");
	}
	if (!job_wait(job, timeout_ms))
		return -ETIMEDOUT;
	ret = job->result;
	if (ret && e)
		*e = job->err;
	job_free(job);
	return ret;
}
