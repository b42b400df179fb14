/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Beats for nasd-watchdog (fence/beat.h): the loop turns, and this node does, or
 * does not, have a part of a group's service. Nothing is said before that is
 * known; and not any more by a node that must stand down and cannot: it had
 * better be reset.
 */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "beat.h"
#include "clocks.h"
#include "log.h"
#include "steps.h"

enum { BEAT_US = 200000, ANSWER_STALE_US = 3000000 };

struct engine_beat {
	struct engine *e;
	int fd;
	struct sockaddr_un to;
	sd_event_source *timer, *io;
	uint64_t seq;
	enum dog_state dog;
	int64_t answered_us;       /* monotonic; 0: never */
	bool stuck_said;
};

/* Standing down, and a step of that does not come to its end. */
static bool stuck(const struct group_view *v, int64_t now)
{
	int64_t limit = 2000 * (int64_t)step_row(v->step)->deadline_ms;

	return v->state == GS_STANDING_DOWN && v->step != STEP_NONE && now - v->step_since_us > limit;
}

/* What the beat says; false: nothing is to be said. */
static bool vouch(struct engine_beat *b, int64_t now, bool *active)
{
	struct engine *e = b->e;
	struct group_view v;

	*active = false;
	for (size_t i = 0; i < e->n_groups; i++) {
		group_look(e->groups[i].core, &v);
		if (stuck(&v, now)) {
			if (!b->stuck_said)
				log_err("%s must stand down and cannot (%s): left to the watchdog",
					 e->groups[i].conf->name, step_name(v.step));
			b->stuck_said = true;
			return false;
		}
		if (v.state == GS_STANDBY && !v.local)
			return false;
		*active = *active || v.may_serve;
	}
	b->stuck_said = false;
	return true;
}

static int beat_due(sd_event_source *s, uint64_t usec, void *data)
{
	struct engine_beat *b = data;
	int64_t now = monotonic_us();
	struct fence_beat beat = { .session = (uint64_t)b->e->started_us, .mono_us = now };
	char text[BEAT_MAX];
	size_t len;

	(void)usec;
	sd_event_source_set_time_relative(s, BEAT_US);
	sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
	if (!vouch(b, now, &beat.active))
		return 0;
	beat.seq = ++b->seq;
	len = beat_format(&beat, text);
	/* no watchdog there: its absence is in the status */
	(void)!sendto(b->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&b->to, sizeof(b->to));
	return 0;
}

static int answered(sd_event_source *s, int fd, uint32_t revents, void *data)
{
	struct engine_beat *b = data;
	char text[BEAT_MAX + 1];
	enum dog_state dog;
	struct err err;
	uint64_t seq;
	ssize_t n;

	(void)s;
	(void)revents;
	while ((n = recv(fd, text, sizeof(text), MSG_DONTWAIT)) > 0) {
		if (dog_parse(text, (size_t)n, &seq, &dog, &err) < 0)
			continue;
		if (dog != b->dog || !b->answered_us)
			log_write(dog == DOG_FAILED || dog == DOG_STARVING ? LOGP_WARNING : LOGP_INFO, NULL,
				  "the watchdog is %s", dog_state_name(dog));
		b->dog = dog;
		b->answered_us = monotonic_us();
	}
	return 0;
}

const char *engine_beat_dog(const struct engine *e)
{
	const struct engine_beat *b = e->beat;

	if (!b || !b->answered_us || monotonic_us() - b->answered_us > ANSWER_STALE_US)
		return "absent";
	return dog_state_name(b->dog);
}

int engine_beat_open(struct engine *e, struct err *err)
{
	struct engine_beat *b = calloc(1, sizeof(*b));
	sa_family_t any = AF_UNIX; /* bound without a name: the kernel chooses an abstract one */
	int ret;

	if (!b)
		return err_set(err, ERR_SYSTEM, ENOMEM, "watchdog", "no memory");
	e->beat = b;
	b->e = e;
	b->to.sun_family = AF_UNIX;
	snprintf(b->to.sun_path, sizeof(b->to.sun_path), "%.90s/watchdog.sock", e->spec.run_dir);
	b->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (b->fd < 0 || bind(b->fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return err_set(err, ERR_SYSTEM, errno, "watchdog", "socket");
	ret = sd_event_add_io(e->event, &b->io, b->fd, EPOLLIN, answered, b);
	if (ret >= 0)
		ret = sd_event_add_time_relative(e->event, &b->timer, CLOCK_MONOTONIC, 0, 1000, beat_due, b);
	return ret < 0 ? err_set(err, ERR_SYSTEM, -ret, "watchdog", "event source") : 0;
}

void engine_beat_close(struct engine *e)
{
	struct engine_beat *b = e->beat;

	if (!b)
		return;
	e->beat = NULL;
	sd_event_source_disable_unref(b->io);
	sd_event_source_disable_unref(b->timer);
	if (b->fd >= 0)
		close(b->fd);
	free(b);
}
