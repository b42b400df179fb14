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

static void *job_thread(void *p)
{
	struct job *job = p;
	bool abandoned;

	job->result = job->fn(job->arg, &job->err);
	pthread_mutex_lock(&job->lock);
	job->done = true;
	abandoned = job->abandoned;
	pthread_cond_signal(&job->changed);
	pthread_mutex_unlock(&job->lock);
	if (abandoned)
		job_free(job);
	return NULL;
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
	pthread_t thread;
	int ret;

	if (!job)
		return err_set(e, ERR_SYSTEM, ENOMEM, "thread", "no memory");
	ret = pthread_create(&thread, NULL, job_thread, job);
	if (ret) {
		job_free(job);
		return err_set(e, ERR_SYSTEM, ret, "thread", "cannot start a thread");
	}
	pthread_detach(thread);
	if (!job_wait(job, timeout_ms))
		return -ETIMEDOUT;
	ret = job->result;
	if (ret && e)
		*e = job->err;
	job_free(job);
	return ret;
}
