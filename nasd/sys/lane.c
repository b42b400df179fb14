/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread and the loop share one struct lane under its mutex:
 *
 *     submit -> queued -> (thread runs fn) -> finished -> eventfd -> done
 *                                                \-> lane_await ----^
 *
 * The loop side holds one reference, the thread the other: whoever leaves last
 * frees, so a stuck thread can be left behind.
 */
#include "lane.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clocks.h"
#include "cond.h"

enum { THREAD_NAME_SIZE = 16 };

struct job {
	struct job *next;
	void (*fn)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

struct job_list {
	struct job *head, **tail;
};

struct lane {
	/* Under the mutex. */
	pthread_mutex_t mutex;
	pthread_cond_t wake;      /* the thread: work, or stop */
	pthread_cond_t left;      /* the loop: the thread is leaving */
	pthread_cond_t some;      /* the loop, while awaited: finished has something */
	struct job_list queued, finished;
	bool stop, thread_left, awaited;
	unsigned refs;
	int wake_fd;              /* eventfd: finished has something */
	/* The loop's own. */
	pthread_t thread;
	sd_event_source *source;
	size_t pending;
	bool dispatching, freed;
	/* The thread's own. */
	char name[THREAD_NAME_SIZE];
};

static void list_init(struct job_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static void list_push(struct job_list *l, struct job *j)
{
	j->next = NULL;
	*l->tail = j;
	l->tail = &j->next;
}

static struct job *list_pop(struct job_list *l)
{
	struct job *j = l->head;

	if (!j)
		return NULL;
	l->head = j->next;
	if (!l->head)
		l->tail = &l->head;
	return j;
}

static void list_drop(struct job_list *l)
{
	struct job *j;

	while ((j = list_pop(l)))
		free(j);
}

static void lane_unref(struct lane *l)
{
	unsigned left;

	pthread_mutex_lock(&l->mutex);
	left = --l->refs;
	pthread_mutex_unlock(&l->mutex);
	if (left)
		return;
	list_drop(&l->queued);
	list_drop(&l->finished);
	close(l->wake_fd);
	pthread_cond_destroy(&l->wake);
	pthread_cond_destroy(&l->left);
	pthread_cond_destroy(&l->some);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

static void notify_loop(int fd)
{
	static const uint64_t one = 1;

	/* Cannot fail but by overflow, and then the loop is awake anyway. */
	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

static void tell_finished(struct lane *l, struct job *j)
{
	bool awaited;

	pthread_mutex_lock(&l->mutex);
	list_push(&l->finished, j);
	awaited = l->awaited;
	pthread_mutex_unlock(&l->mutex);
	if (awaited)
		pthread_cond_signal(&l->some);
	else
		notify_loop(l->wake_fd);
}

static void *lane_main(void *arg)
{
	struct lane *l = arg;
	struct job *j;

	pthread_setname_np(pthread_self(), l->name);
	pthread_mutex_lock(&l->mutex);
	for (;;) {
		while (!l->stop && !l->queued.head)
			pthread_cond_wait(&l->wake, &l->mutex);
		if (l->stop)
			break;
		j = list_pop(&l->queued);
		pthread_mutex_unlock(&l->mutex);
		j->fn(j->arg);
		tell_finished(l, j);
		pthread_mutex_lock(&l->mutex);
	}
	l->thread_left = true;
	pthread_cond_signal(&l->left);
	pthread_mutex_unlock(&l->mutex);
	lane_unref(l);
	return NULL;
}

static struct job *take_finished(struct lane *l)
{
	struct job *j;

	pthread_mutex_lock(&l->mutex);
	j = list_pop(&l->finished);
	pthread_mutex_unlock(&l->mutex);
	return j;
}

/* The lane may be gone afterwards. */
static void end_finished(struct lane *l)
{
	bool outermost = !l->dispatching;
	struct job *j;

	l->dispatching = true;
	while (!l->freed && (j = take_finished(l))) {
		void (*done)(void *arg) = j->done;
		void *arg = j->arg;

		free(j);
		l->pending--;
		if (done)
			done(arg);
	}
	if (!outermost)
		return;
	l->dispatching = false;
	if (l->freed)
		lane_unref(l);
}

static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	uint64_t count;

	(void)source;
	(void)revents;
	/* Reset before the list is emptied: what comes later rings again. */
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		return 0;
	end_finished(data);
	return 0;
}

static void init_sync(struct lane *l)
{
	pthread_mutex_init(&l->mutex, NULL);
	pthread_cond_init(&l->wake, NULL);
	cond_init_monotonic(&l->left);
	cond_init_monotonic(&l->some);
}

static int start_thread(struct lane *l)
{
	sigset_t all, old;
	int ret;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ret = pthread_create(&l->thread, NULL, lane_main, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -ret;
}

struct lane *lane_new(sd_event *event, const char *name, struct err *err)
{
	struct lane *l = calloc(1, sizeof(*l));
	int ret = -ENOMEM;

	if (!l) {
		err_set(err, ERR_SYSTEM, ENOMEM, name, "cannot start a worker");
		return NULL;
	}
	init_sync(l);
	list_init(&l->queued);
	list_init(&l->finished);
	l->refs = 1;
	strncpy(l->name, name, sizeof(l->name) - 1);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		ret = -errno;
	else
		ret = sd_event_add_io(event, &l->source, l->wake_fd, EPOLLIN, on_finished, l);
	if (ret >= 0) {
		l->refs = 2;
		ret = start_thread(l);
		if (ret < 0)
			l->refs = 1;
	}
	if (ret < 0) {
		sd_event_source_disable_unref(l->source);
		lane_unref(l);
		err_set(err, ERR_SYSTEM, -ret, name, "cannot start a worker");
		return NULL;
	}
	return l;
}

int lane_submit(struct lane *l, void (*fn)(void *arg), void (*done)(void *arg), void *arg)
{
	struct job *j = malloc(sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->fn = fn;
	j->done = done;
	j->arg = arg;
	l->pending++;
	pthread_mutex_lock(&l->mutex);
	list_push(&l->queued, j);
	pthread_mutex_unlock(&l->mutex);
	pthread_cond_signal(&l->wake);
	return 0;
}

bool lane_busy(const struct lane *l)
{
	return l->pending > 0;
}

size_t lane_pending(const struct lane *l)
{
	return l->pending;
}

bool lane_await(struct lane *l, uint64_t timeout_us)
{
	struct timespec until = timespec_of_us(monotonic_us() + (int64_t)timeout_us);
	bool some;

	pthread_mutex_lock(&l->mutex);
	l->awaited = true;
	while (!l->finished.head && l->pending)
		if (pthread_cond_timedwait(&l->some, &l->mutex, &until) == ETIMEDOUT)
			break;
	l->awaited = false;
	some = l->finished.head;
	pthread_mutex_unlock(&l->mutex);
	if (some)
		end_finished(l);
	return some;
}

/* True when the thread has left within the time. Mutex held. */
static bool wait_left(struct lane *l, uint64_t timeout_us)
{
	struct timespec until = timespec_of_us(monotonic_us() + (int64_t)timeout_us);

	while (!l->thread_left)
		if (pthread_cond_timedwait(&l->left, &l->mutex, &until) == ETIMEDOUT)
			break;
	return l->thread_left;
}

int lane_free(struct lane *l, uint64_t timeout_us)
{
	bool left;

	if (!l)
		return 0;
	sd_event_source_disable_unref(l->source);
	l->source = NULL;
	pthread_mutex_lock(&l->mutex);
	l->stop = true;
	pthread_cond_signal(&l->wake);
	left = wait_left(l, timeout_us);
	pthread_mutex_unlock(&l->mutex);
	if (left)
		pthread_join(l->thread, NULL);
	else
		pthread_detach(l->thread);
	l->freed = true;
	if (!l->dispatching)
		lane_unref(l);
	return left ? 0 : -ETIMEDOUT;
}
