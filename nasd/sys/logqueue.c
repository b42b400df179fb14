/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "logqueue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clocks.h"
#include "cond.h"

enum { MESSAGE_SIZE = 1024, WORD_SIZE = 64 };

struct line {
	int64_t wall_us;
	enum log_priority prio;
	uint64_t epoch;
	char group[WORD_SIZE], step[WORD_SIZE], message[MESSAGE_SIZE];
};

struct logqueue {
	const struct logsink *to;
	pthread_mutex_t lock;
	pthread_cond_t filled, drained; /* of CLOCK_MONOTONIC */
	struct line lines[LOGQUEUE_LINES];
	size_t first, n; /* the line that is being written is lines[first] */
	unsigned long dropped;
	bool ends, ended;
};

static void put(const struct logqueue *q, const struct line *l)
{
	const struct log_fields f = { l->group, l->step, l->epoch };

	logsink_put(q->to, l->wall_us, l->prio, &f, l->message);
}

static void put_dropped(const struct logqueue *q, unsigned long n)
{
	char text[128];

	snprintf(text, sizeof(text), "%lu lines were lost: the log did not take them", n);
	logsink_put(q->to, wall_us(), LOGP_WARNING, NULL, text);
}

static void *run(void *data)
{
	struct logqueue *q = data;
	unsigned long dropped;

	pthread_mutex_lock(&q->lock);
	while (q->n || !q->ends) {
		if (!q->n) {
			pthread_cond_wait(&q->filled, &q->lock);
			continue;
		}
		dropped = q->dropped;
		q->dropped = 0;
		pthread_mutex_unlock(&q->lock);
		put(q, &q->lines[q->first]);
		if (dropped)
			put_dropped(q, dropped);
		pthread_mutex_lock(&q->lock);
		q->first = (q->first + 1) % LOGQUEUE_LINES;
		q->n--;
	}
	q->ended = true;
	pthread_cond_signal(&q->drained);
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

static int start(struct logqueue *q)
{
	sigset_t all, before;
	pthread_t thread;
	int ret;

	pthread_mutex_init(&q->lock, NULL);
	cond_init_monotonic(&q->filled);
	cond_init_monotonic(&q->drained);
	sigfillset(&all); /* signals are the event loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ret = pthread_create(&thread, NULL, run, q);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (ret == 0)
		pthread_detach(thread);
	return ret;
}

int logqueue_begin(const struct logsink *to, struct logqueue **out, struct err *err)
{
	struct logqueue *q = calloc(1, sizeof(*q));
	int ret = q ? 0 : ENOMEM;

	if (ret == 0) {
		q->to = to;
		ret = start(q);
	}
	if (ret) {
		free(q);
		return err_set(err, ERR_SYSTEM, ret, "log", "no thread for its lines: %s", strerror(ret));
	}
	*out = q;
	return 0;
}

static void copy_word(char to[WORD_SIZE], const char *from)
{
	snprintf(to, WORD_SIZE, "%s", from ? from : "");
}

void logqueue_write(enum log_priority prio, const struct log_fields *fields, const char *message, void *queue)
{
	struct logqueue *q = queue;
	struct line *l;

	if (prio > q->to->max)
		return;
	pthread_mutex_lock(&q->lock);
	if (q->n == LOGQUEUE_LINES) {
		q->dropped++;
	} else {
		l = &q->lines[(q->first + q->n) % LOGQUEUE_LINES];
		l->wall_us = wall_us();
		l->prio = prio;
		l->epoch = fields ? fields->epoch : 0;
		copy_word(l->group, fields ? fields->group : NULL);
		copy_word(l->step, fields ? fields->step : NULL);
		snprintf(l->message, sizeof(l->message), "%s", message);
		if (!q->n++)
			pthread_cond_signal(&q->filled);
	}
	pthread_mutex_unlock(&q->lock);
}

int logqueue_end(struct logqueue *q, int64_t limit_us)
{
	struct timespec until = timespec_of_us(monotonic_us() + limit_us);
	int ret = 0;

	if (!q)
		return 0;
	pthread_mutex_lock(&q->lock);
	q->ends = true;
	pthread_cond_signal(&q->filled);
	while (!q->ended && ret == 0)
		ret = pthread_cond_timedwait(&q->drained, &q->lock, &until);
	ret = q->ended ? 0 : -ETIMEDOUT;
	pthread_mutex_unlock(&q->lock);
	if (ret < 0)
		return ret;
	pthread_cond_destroy(&q->filled);
	pthread_cond_destroy(&q->drained);
	pthread_mutex_destroy(&q->lock);
	free(q);
	return 0;
}
