/* SPDX-License-Identifier: LGPL-3.0-or-later */
#include "records.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "msg.h"

static struct {
	pthread_mutex_t lock; /* of what follows */
	struct hold hold;
	int fd;               /* nasd's; -1: nobody listens */
	int new_fd;           /* to be listened to instead; -1: none */
	int64_t wait_us;
	int wake;             /* an eventfd; the thread's */
	struct {
		size_t used;
		char line[MSG_LINE_MAX];
	} in;                 /* of the thread only */
} records = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1, .new_fd = -1, .wake = -1};

static void wake(void)
{
	eventfd_write(records.wake, 1);
}

/* ---- the operations' side */

/* The name that ganesha's backend has given the record of a confirmed client. */
static bool name_of(clientid4 clientid, char name[HOLD_NAME_MAX])
{
	struct gsh_buffdesc key = {.addr = &clientid, .len = sizeof(clientid)}, value;
	hash_table_t *table = ht_confirmed_client_id;
	struct hash_latch latch;
	hash_error_t ret = hashtable_getlatch(table, &key, &value, false, &latch);
	bool found = false;

	if (ret == HASHTABLE_SUCCESS) {
		nfs_client_id_t *c = value.addr;

		pthread_mutex_lock(&c->cid_mutex);
		found = c->cid_recov_tag && strlcpy(name, c->cid_recov_tag, HOLD_NAME_MAX) < HOLD_NAME_MAX;
		pthread_mutex_unlock(&c->cid_mutex);
	}
	if (ret == HASHTABLE_SUCCESS || ret == HASHTABLE_ERROR_NO_SUCH_KEY)
		hashtable_releaselatched(table, &latch);
	return found;
}

enum nfs_req_result records_hold(clientid4 clientid, struct svc_req *req, enum nfs_req_result result)
{
	char name[HOLD_NAME_MAX];
	int ret;

	if (!records.wait_us || !name_of(clientid, name))
		return result;
	pthread_mutex_lock(&records.lock);
	ret = hold_add(&records.hold, req, (int)result, name, clock_now_us(), records.wait_us);
	pthread_mutex_unlock(&records.lock);
	if (ret < 0) {
		LogWarn(COMPONENT_FSAL, "NASD: the record of %s is not waited for: %s", name, strerror(-ret));
		return result;
	}
	wake();
	return NFS_REQ_ASYNC_WAIT;
}

bool records_resumed(const struct svc_req *req, enum nfs_req_result *result)
{
	int value;
	bool held;

	if (!records.wait_us)
		return false;
	pthread_mutex_lock(&records.lock);
	held = hold_take(&records.hold, req, &value);
	pthread_mutex_unlock(&records.lock);
	if (held)
		*result = (enum nfs_req_result)value;
	return held;
}

/* ---- the thread's side */

/* fd -1: nobody. Whoever listens is told all that waits. */
static void set_listener(int fd)
{
	int old;

	pthread_mutex_lock(&records.lock);
	old = records.fd;
	records.fd = fd;
	hold_untell(&records.hold);
	pthread_mutex_unlock(&records.lock);
	records.in.used = 0;
	if (old >= 0)
		close(old);
}

static void change_listener(void)
{
	int fd;

	pthread_mutex_lock(&records.lock);
	fd = records.new_fd;
	records.new_fd = -1;
	pthread_mutex_unlock(&records.lock);
	if (fd >= 0)
		set_listener(fd);
}

/* A record to tell of, as a line to be freed; NULL: none. */
static char *next_line(void)
{
	const struct hold_entry *e;
	char *line = NULL;

	pthread_mutex_lock(&records.lock);
	e = hold_tell(&records.hold);
	if (e)
		line = msg_record(e->id, e->name);
	pthread_mutex_unlock(&records.lock);
	return line;
}

static void tell(void)
{
	char *line;

	while (records.fd >= 0 && (line = next_line())) {
		size_t len = strlen(line);

		/* who does not read does not listen */
		if (send(records.fd, line, len, MSG_NOSIGNAL) != (ssize_t)len)
			set_listener(-1);
		free(line);
	}
}

static void end(uint64_t id, enum hold_end how)
{
	void *req;

	pthread_mutex_lock(&records.lock);
	req = hold_end(&records.hold, id, how, clock_now_us());
	pthread_mutex_unlock(&records.lock);
	if (req)
		svc_resume(req);
}

static void *expired(void)
{
	void *req;

	pthread_mutex_lock(&records.lock);
	req = hold_expire(&records.hold, clock_now_us());
	pthread_mutex_unlock(&records.lock);
	return req;
}

static void expire(void)
{
	void *req;

	while ((req = expired())) {
		LogWarn(COMPONENT_FSAL, "NASD: a client is answered, and nasd has not said in %lld ms that the other node has its record",
			(long long)records.wait_us / 1000);
		svc_resume(req);
	}
}

/* False: it does not say what a listener says. */
static bool hear_line(const char *line, size_t len)
{
	static struct msg_request req; /* large; one thread */
	struct fault fault = {0};

	if (msg_parse(line, len, &req, &fault) < 0 ||
	    (req.op != MSG_RECORD_KEPT && req.op != MSG_RECORD_ALONE)) {
		LogWarn(COMPONENT_FSAL, "NASD: not a word about a record: %s", fault.text);
		return false;
	}
	end(req.record, req.op == MSG_RECORD_KEPT ? HOLD_KEPT : HOLD_ALONE);
	return true;
}

static void hear(void)
{
	ssize_t n = recv(records.fd, records.in.line + records.in.used, sizeof(records.in.line) - records.in.used, 0);
	bool good = true;
	char *nl;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		records.in.used += (size_t)n;
	while (n > 0 && good && (nl = memchr(records.in.line, '\n', records.in.used))) {
		size_t len = (size_t)(nl - records.in.line);

		good = hear_line(records.in.line, len);
		records.in.used -= len + 1;
		memmove(records.in.line, nl + 1, records.in.used);
	}
	if (n <= 0 || !good || records.in.used == sizeof(records.in.line))
		set_listener(-1);
}

static int until_next_ms(void)
{
	int64_t next;

	pthread_mutex_lock(&records.lock);
	next = hold_next_us(&records.hold);
	pthread_mutex_unlock(&records.lock);
	if (next < 0)
		return -1;
	next -= clock_now_us();
	return next > 0 ? (int)(next / 1000) + 1 : 0;
}

static void *records_main(void *unused)
{
	(void)unused;
	SetNameFunction("nasd-rec");
	for (;;) {
		struct pollfd p[2] = {
			{.fd = records.wake, .events = POLLIN},
			{.fd = records.fd, .events = POLLIN},
		};
		int n = poll(p, 2, until_next_ms());
		eventfd_t count;

		if (n > 0 && p[0].revents)
			eventfd_read(records.wake, &count);
		if (n > 0 && p[1].revents)
			hear();
		change_listener();
		tell();
		expire();
	}
	return NULL;
}

int records_start(int64_t wait_us, struct fault *fault)
{
	pthread_t thread;
	int ret;

	if (!wait_us || records.wake >= 0)
		return 0;
	records.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (records.wake < 0)
		return fault_set(fault, errno, "eventfd: %s", strerror(errno));
	ret = pthread_create(&thread, NULL, records_main, NULL);
	if (ret)
		return fault_set(fault, ret, "no thread: %s", strerror(ret));
	pthread_detach(thread);
	records.wait_us = wait_us;
	return 0;
}

/* ---- the socket's side */

int records_listen(int fd, struct fault *fault)
{
	if (!records.wait_us)
		return fault_set(fault, ENOTSUP, "no answer is held here: Record_Wait is 0");
	pthread_mutex_lock(&records.lock);
	if (records.new_fd >= 0)
		close(records.new_fd);
	records.new_fd = fd;
	pthread_mutex_unlock(&records.lock);
	wake();
	return 0;
}

void records_status(struct records_status *out)
{
	pthread_mutex_lock(&records.lock);
	*out = (struct records_status){
		.wait_us = records.wait_us,
		.listener = records.fd >= 0 || records.new_fd >= 0,
		.waiting = hold_waiting(&records.hold),
		.took_us = records.hold.took_us,
		.longest_us = records.hold.longest_us,
	};
	memcpy(out->ended, records.hold.ended, sizeof(out->ended));
	pthread_mutex_unlock(&records.lock);
}
